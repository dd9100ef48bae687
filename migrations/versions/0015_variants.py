"""options and variants"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Any = None
depends_on: Any = None

VARIANT_LIMIT = """
CREATE FUNCTION check_variant_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    grown uuid[];
    wrong uuid;
BEGIN
    IF TG_OP = 'INSERT' THEN
        grown := ARRAY(SELECT DISTINCT product_id FROM changed WHERE archived_at IS NULL);
    ELSE
        grown := ARRAY(
            SELECT DISTINCT c.product_id FROM changed AS c JOIN former AS f ON f.id = c.id
            WHERE c.archived_at IS NULL AND (f.archived_at IS NOT NULL OR f.product_id <> c.product_id));
    END IF;
    IF cardinality(grown) = 0 THEN
        RETURN NULL;
    END IF;
    -- Whoever adds variants to a product queues up here, so that each counts what the others have added.
    PERFORM FROM product WHERE id = ANY(grown) ORDER BY id FOR NO KEY UPDATE;
    SELECT product_id INTO wrong FROM variant WHERE product_id = ANY(grown) AND archived_at IS NULL
    GROUP BY product_id HAVING count(*) > 2000 LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'product % has more than 2000 variants', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'variant_limit';
    END IF;
    RETURN NULL;
END $$;
"""
LIMIT_TRIGGERS = [
    "CREATE TRIGGER variant_limit_insert AFTER INSERT ON variant REFERENCING NEW TABLE AS changed "
    "FOR EACH STATEMENT EXECUTE FUNCTION check_variant_limit()",
    "CREATE TRIGGER variant_limit_update AFTER UPDATE ON variant REFERENCING OLD TABLE AS former "
    "NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION check_variant_limit()",
]
TRANSLATED = ("product_option", "option_value", "variant")
NUMBERS = ("ean", "upc", "external_id")
SIZES = ("length_mm", "width_mm", "height_mm")
TRANSLATIONS = "jsonb_typeof(translations) = 'object'"
CHECKS = {
    "product_option": {"translations": TRANSLATIONS},
    "option_value": {
        "translations": TRANSLATIONS,
        "swatch_product_id": "(swatch_media_id IS NULL) = (swatch_product_id IS NULL)",
        "swatch_color": "swatch_color ~ '^#[0-9a-f]{6}$'",
        "swatch": "swatch_color IS NULL OR swatch_media_id IS NULL",
    },
    "variant": {
        "translations": TRANSLATIONS,
        "metadata": "jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= 16384",
        "dimensions": "length_mm >= 0 AND width_mm >= 0 AND height_mm >= 0",
        "ean": "ean ~ '^([0-9]{8}|[0-9]{13})$'",
        "upc": "upc ~ '^[0-9]{12}$'",
    },
}


ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS changed ",
    "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
    "DELETE": "REFERENCING OLD TABLE AS changed ",
    "TRUNCATE": "",
}
OF_PRODUCT = "announce_catalogue_change('''product:'' || c.product_id', '')"
SOLD = "announce_catalogue_change('unnest(ARRAY[''product:'' || c.product_id, ''variants''])', '')"


def announce(call: str) -> None:
    for kind, rows in ROWS.items():
        op.execute(f"DROP TRIGGER variant_changed_{kind.lower()} ON variant")
        op.execute(
            f"CREATE TRIGGER variant_changed_{kind.lower()} AFTER {kind} ON variant {rows}"
            f"FOR EACH STATEMENT EXECUTE FUNCTION {call}"
        )


def upgrade() -> None:
    for table in TRANSLATED:
        op.add_column(
            table,
            sa.Column(
                "translations",
                postgresql.JSONB(astext_type=sa.Text()),
                server_default=sa.text("'{}'::jsonb"),
                nullable=False,
            ),
        )
    op.add_column("option_value", sa.Column("swatch_color", sa.Text(), nullable=True))
    op.add_column("option_value", sa.Column("swatch_media_id", sa.Uuid(), nullable=True))
    op.add_column("option_value", sa.Column("swatch_product_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_option_value_swatch_media_id_swatch_product_id"),
        "option_value",
        "media",
        ["swatch_media_id", "swatch_product_id"],
        ["id", "product_id"],
        ondelete="SET NULL",
    )
    op.create_foreign_key(
        op.f("fk_option_value_option_id_swatch_product_id"),
        "option_value",
        "product_option",
        ["option_id", "swatch_product_id"],
        ["id", "product_id"],
    )
    op.create_index(
        "ix_option_value_swatch_media_id",
        "option_value",
        ["swatch_media_id"],
        unique=False,
        postgresql_where=sa.text("swatch_media_id IS NOT NULL"),
    )
    for number in NUMBERS:
        op.add_column("variant", sa.Column(number, sa.Text(), nullable=True))
    for size in SIZES:
        op.add_column("variant", sa.Column(size, sa.Integer(), nullable=True))
    op.create_unique_constraint(op.f("uq_variant_external_id"), "variant", ["external_id"])
    for table, checks in CHECKS.items():
        for name, condition in checks.items():
            op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
    for statement in (VARIANT_LIMIT, *LIMIT_TRIGGERS):
        op.execute(statement)
    announce(SOLD)


def downgrade() -> None:
    announce(OF_PRODUCT)
    op.execute("DROP TRIGGER variant_limit_update ON variant")
    op.execute("DROP TRIGGER variant_limit_insert ON variant")
    op.execute("DROP FUNCTION check_variant_limit()")
    for table, checks in CHECKS.items():
        for name in checks:
            op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    op.drop_constraint(op.f("uq_variant_external_id"), "variant")
    for column in (*NUMBERS, *SIZES, "translations"):
        op.drop_column("variant", column)
    op.drop_index("ix_option_value_swatch_media_id", table_name="option_value")
    op.drop_constraint(op.f("fk_option_value_option_id_swatch_product_id"), "option_value")
    op.drop_constraint(op.f("fk_option_value_swatch_media_id_swatch_product_id"), "option_value")
    for column in ("swatch_product_id", "swatch_media_id", "swatch_color", "translations"):
        op.drop_column("option_value", column)
    op.drop_column("product_option", "translations")
