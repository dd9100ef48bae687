"""products with all their attributes"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: Any = None
depends_on: Any = None

JSON = postgresql.JSONB(astext_type=sa.Text())
AT = postgresql.TIMESTAMP(timezone=True)
TEXTS = ("external_id", "subtitle", "origin_country", "hs_code", "material")
MEASURES = ("weight_grams", "length_mm", "width_mm", "height_mm")
HANDLED = ("product", "category", "collection")
CHECKS = {
    "weight_grams": "weight_grams >= 0",
    "dimensions": "length_mm >= 0 AND width_mm >= 0 AND height_mm >= 0",
    "origin_country": "origin_country ~ '^[A-Z]{2}$'",
    "hs_code": "hs_code ~ '^[0-9]{6,13}$'",
    "translations": "jsonb_typeof(translations) = 'object'",
    "metadata": "jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= 16384",
}
KEEP_HANDLES = """
CREATE FUNCTION keep_handle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM handle_history WHERE kind = TG_TABLE_NAME AND entity_id = OLD.id;
    ELSE
        DELETE FROM handle_history WHERE kind = TG_TABLE_NAME AND entity_id = NEW.id AND handle = NEW.handle;
        INSERT INTO handle_history (kind, handle, entity_id) VALUES (TG_TABLE_NAME, OLD.handle, OLD.id)
        ON CONFLICT (kind, handle, entity_id) DO UPDATE SET given_up_at = clock_timestamp();
    END IF;
    RETURN NULL;
END $$;
"""
ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS changed ",
    "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
    "DELETE": "REFERENCING OLD TABLE AS changed ",
    "TRUNCATE": "",
}
TAG = "'CASE c.kind WHEN ''product'' THEN ''products'' ELSE c.kind END'"


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("product", sa.Column(name, sa.Text(), nullable=True))
    for name in MEASURES:
        op.add_column("product", sa.Column(name, sa.Integer(), nullable=True))
    op.add_column("product", sa.Column("discountable", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("product", sa.Column("translations", JSON, server_default=sa.text("'{}'::jsonb"), nullable=False))
    op.add_column("product", sa.Column("archived_at", AT, nullable=True))
    for name, check in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_product_{name}"), "product", check)
    op.create_index(
        "uq_product_external_id",
        "product",
        ["external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    create_handle_history()


def create_handle_history() -> None:
    op.create_table(
        "handle_history",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("given_up_at", AT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("kind IN ('product', 'category', 'collection')", name=op.f("ck_handle_history_kind")),
        sa.PrimaryKeyConstraint("kind", "handle", "entity_id", name=op.f("pk_handle_history")),
    )
    op.create_index("ix_handle_history_entity_id", "handle_history", ["kind", "entity_id"], unique=False)
    op.execute(KEEP_HANDLES)
    for table in HANDLED:
        op.execute(
            f"CREATE TRIGGER {table}_handle_kept AFTER UPDATE OF handle ON {table} FOR EACH ROW "
            "WHEN (OLD.handle IS DISTINCT FROM NEW.handle) EXECUTE FUNCTION keep_handle()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_handle_gone AFTER DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_handle()"
        )
    for kind, rows in ROWS.items():
        op.execute(
            f"CREATE TRIGGER handle_history_changed_{kind.lower()} AFTER {kind} ON handle_history {rows}"
            f"FOR EACH STATEMENT EXECUTE FUNCTION announce_catalogue_change({TAG}, '')"
        )


def downgrade() -> None:
    for table in HANDLED:
        op.execute(f"DROP TRIGGER {table}_handle_kept ON {table}")
        op.execute(f"DROP TRIGGER {table}_handle_gone ON {table}")
    op.drop_table("handle_history")
    op.execute("DROP FUNCTION keep_handle()")
    op.drop_index("uq_product_external_id", table_name="product")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_product_{name}"), "product")
    for name in (*TEXTS, *MEASURES, "discountable", "translations", "archived_at"):
        op.drop_column("product", name)
