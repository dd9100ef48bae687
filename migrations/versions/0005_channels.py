"""sales channels"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from uuid_utils.compat import uuid7

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Any = None
depends_on: Any = None

ANNOUNCE = """
CREATE OR REPLACE FUNCTION announce_catalogue_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tags text[] := ARRAY['catalogue'];
BEGIN
    IF TG_OP <> 'TRUNCATE' THEN
        EXECUTE format('SELECT ARRAY(SELECT DISTINCT %s FROM %s AS c %s LIMIT 501)', TG_ARGV[0],
            CASE TG_OP WHEN 'UPDATE' THEN '(TABLE changed UNION ALL TABLE former)' ELSE 'changed' END,
            TG_ARGV[1]) INTO tags;
        IF {listing} AND cardinality(tags) > 0 THEN
            tags := array_append(tags, 'products');
        ELSIF TG_TABLE_NAME = 'variant_stock_item' THEN
            -- Sales that cannot see the new link yet do not name its product: they are to commit before it does.
            PERFORM FROM stock_level WHERE stock_item_id IN (SELECT stock_item_id FROM changed)
            ORDER BY id FOR NO KEY UPDATE;
        END IF;
    END IF;
    PERFORM log_catalogue_change(tags);
    RETURN NULL;
END $$;
"""
TRIGGERS = {
    "channel": "announce_catalogue_change('''catalogue''', '')",
    "product_channel": "announce_catalogue_change('''product:'' || c.product_id', '')",
}
ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS changed ",
    "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
    "DELETE": "REFERENCING OLD TABLE AS changed ",
    "TRUNCATE": "",
}


def upgrade() -> None:
    op.create_table(
        "channel",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("archived_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("archived_at IS NULL OR NOT is_default", name=op.f("ck_channel_archived_at")),
        sa.CheckConstraint("code ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f("ck_channel_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.UniqueConstraint("code", name=op.f("uq_channel_code")),
    )
    op.create_index(
        "uq_channel_default", "channel", ["is_default"], unique=True, postgresql_where=sa.text("is_default")
    )
    op.create_table(
        "product_channel",
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("published_from", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("published_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("published_from < published_until", name=op.f("ck_product_channel_window")),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_product_channel_channel_id")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_channel_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel_id", "product_id", name=op.f("pk_product_channel")),
    )
    _fill(uuid7())
    op.create_index("ix_product_channel_product_id", "product_channel", ["product_id"], unique=False)
    for bound in ("published_from", "published_until"):
        op.create_index(
            f"ix_product_channel_{bound}",
            "product_channel",
            [bound],
            unique=False,
            postgresql_where=sa.text(f"{bound} IS NOT NULL"),
        )
    op.execute(ANNOUNCE.format(listing="TG_TABLE_NAME IN ('product', 'product_channel')"))
    for table, call in TRIGGERS.items():
        for kind, rows in ROWS.items():
            op.execute(
                f"CREATE TRIGGER {table}_changed_{kind.lower()} AFTER {kind} ON {table} {rows}"
                f"FOR EACH STATEMENT EXECUTE FUNCTION {call}"
            )


def _fill(default: Any) -> None:
    """A default channel in which everything is that there is, so that nothing looks different."""
    op.execute(
        sa.text("INSERT INTO channel (id, code, name, is_default) VALUES (:id, 'default', 'Default', true)").bindparams(
            id=default
        )
    )
    op.execute(
        sa.text("INSERT INTO product_channel (channel_id, product_id) SELECT :id, id FROM product").bindparams(
            id=default
        )
    )
    for table in ("cart", "order"):
        literal = sa.text(f"'{default}'::uuid")  # a default that is taken back at once: no row is written anew
        op.add_column(table, sa.Column("channel_id", sa.Uuid(), server_default=literal, nullable=False))
        op.alter_column(table, "channel_id", server_default=None)
        op.create_foreign_key(op.f(f"fk_{table}_channel_id"), table, "channel", ["channel_id"], ["id"])
    op.add_column(
        "api_key",
        sa.Column("channel_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
    )
    op.execute(
        sa.text("UPDATE api_key SET channel_ids = ARRAY[CAST(:id AS uuid)] WHERE kind = 'publishable'").bindparams(
            id=default
        )
    )
    op.create_check_constraint(
        op.f("ck_api_key_channel_ids"), "api_key", "(kind = 'publishable') = (channel_ids <> '{}')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_api_key_channel_ids"), "api_key")
    op.drop_column("api_key", "channel_ids")
    for table in ("order", "cart"):
        op.drop_column(table, "channel_id")
    op.drop_table("product_channel")
    op.drop_table("channel")
    op.execute(ANNOUNCE.format(listing="TG_TABLE_NAME = 'product'"))
