"""regions, prices, price lists"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: Any = None
depends_on: Any = None

KEEP_PRICE = """
CREATE FUNCTION keep_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended timestamptz := greatest(clock_timestamp(), OLD.valid_from);
BEGIN
    INSERT INTO price_history
        (variant_id, currency, region_id, price_list_id, min_quantity, amount, compare_at, valid)
    SELECT OLD.variant_id, OLD.currency, OLD.region_id, OLD.price_list_id, OLD.min_quantity, OLD.amount,
           OLD.compare_at, tstzrange(OLD.valid_from, ended)
    WHERE OLD.valid_from < ended AND EXISTS (SELECT FROM variant WHERE id = OLD.variant_id);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.valid_from := ended;
    RETURN NEW;
END $$;
"""
KEEP_PRICE_LIST = """
CREATE FUNCTION keep_price_list() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended timestamptz := greatest(clock_timestamp(), OLD.valid_from);
BEGIN
    INSERT INTO price_list_history (price_list_id, kind, status, priority, starts_at, ends_at, for_groups, valid)
    SELECT OLD.id, OLD.kind, OLD.status, OLD.priority, OLD.starts_at, OLD.ends_at, OLD.for_groups,
           tstzrange(OLD.valid_from, ended)
    WHERE OLD.valid_from < ended;
    NEW.valid_from := ended;
    RETURN NEW;
END $$;
"""
TRIGGERS = [
    """
    CREATE TRIGGER price_changes BEFORE UPDATE ON price FOR EACH ROW
    WHEN ((OLD.variant_id, OLD.currency, OLD.region_id, OLD.price_list_id, OLD.min_quantity, OLD.amount, OLD.compare_at)
        IS DISTINCT FROM
        (NEW.variant_id, NEW.currency, NEW.region_id, NEW.price_list_id, NEW.min_quantity, NEW.amount, NEW.compare_at))
    EXECUTE FUNCTION keep_price()
    """,
    "CREATE TRIGGER price_goes BEFORE DELETE ON price FOR EACH ROW EXECUTE FUNCTION keep_price()",
    """
    CREATE TRIGGER price_list_changes BEFORE UPDATE ON price_list FOR EACH ROW
    WHEN ((OLD.kind, OLD.status, OLD.priority, OLD.starts_at, OLD.ends_at, OLD.for_groups)
        IS DISTINCT FROM (NEW.kind, NEW.status, NEW.priority, NEW.starts_at, NEW.ends_at, NEW.for_groups))
    EXECUTE FUNCTION keep_price_list()
    """,
]
OF_LIST = (
    "announce_catalogue_change('''product:'' || v.product_id', "
    "'JOIN price AS p ON p.price_list_id = c.id JOIN variant AS v ON v.id = p.variant_id')"
)
ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS changed ",
    "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
    "DELETE": "REFERENCING OLD TABLE AS changed ",
    "TRUNCATE": "",
}
OLD_KEY = ["variant_id", "currency", "region_id", "min_quantity"]


def moment(name: str, default: str | None = "now()") -> sa.Column[Any]:
    if default is None:
        return sa.Column(name, postgresql.TIMESTAMP(timezone=True), nullable=True)
    return sa.Column(name, postgresql.TIMESTAMP(timezone=True), server_default=sa.text(default), nullable=False)


def json(name: str) -> sa.Column[Any]:
    return sa.Column(
        name, postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
    )


def upgrade() -> None:
    _regions()
    op.create_table(
        "price_list",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column("priority", sa.Integer(), server_default=sa.text("1"), nullable=False),
        moment("starts_at", None),
        moment("ends_at", None),
        sa.Column("for_groups", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        moment("valid_from", "clock_timestamp()"),
        moment("created_at"),
        moment("updated_at"),
        sa.CheckConstraint("kind IN ('sale', 'override')", name=op.f("ck_price_list_kind")),
        sa.CheckConstraint("status IN ('draft', 'active', 'archived')", name=op.f("ck_price_list_status")),
        sa.CheckConstraint("priority >= 1", name=op.f("ck_price_list_priority")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_price_list_window")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_list")),
    )
    op.create_index("uq_price_list_external_id", "price_list", ["external_id"], unique=True)
    op.create_table(
        "price_list_group",
        sa.Column("price_list_id", sa.Uuid(), nullable=False),
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_list.id"], name=op.f("fk_price_list_group_price_list_id")
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["customer_group.id"], name=op.f("fk_price_list_group_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("price_list_id", "group_id", name=op.f("pk_price_list_group")),
    )
    op.create_index(op.f("ix_price_list_group_group_id"), "price_list_group", ["group_id"])
    _prices()
    _history()
    for statement in (KEEP_PRICE, KEEP_PRICE_LIST, *TRIGGERS):
        op.execute(statement)
    for kind, rows in ROWS.items():
        op.execute(
            f"CREATE TRIGGER price_list_changed_{kind.lower()} AFTER {kind} ON price_list {rows}"
            f"FOR EACH STATEMENT EXECUTE FUNCTION {OF_LIST}"
        )


def _regions() -> None:
    op.add_column("region", sa.Column("rounding", sa.Text(), server_default="half_up", nullable=False))
    op.add_column("region", sa.Column("payment_providers", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("region", json("translations"))
    op.add_column("region", json("metadata"))
    op.add_column("region", sa.Column("external_id", sa.Text(), nullable=True))
    op.add_column("region", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("region", moment("updated_at"))
    op.add_column("region", moment("archived_at", None))
    op.create_check_constraint(op.f("ck_region_rounding"), "region", "rounding IN ('half_up', 'half_even')")
    op.create_check_constraint(op.f("ck_region_translations"), "region", "jsonb_typeof(translations) = 'object'")
    op.create_check_constraint(
        op.f("ck_region_metadata"),
        "region",
        "jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= 16384",
    )
    op.create_check_constraint(op.f("ck_region_archived_at"), "region", "archived_at IS NULL OR NOT is_default")
    op.create_index("uq_region_external_id", "region", ["external_id"], unique=True)


def _prices() -> None:
    op.add_column("price", sa.Column("price_list_id", sa.Uuid(), nullable=True))
    op.add_column("price", moment("valid_from", "clock_timestamp()"))
    op.execute("UPDATE price SET valid_from = created_at")
    op.drop_constraint(op.f("uq_price_variant_id_currency_region_id_min_quantity"), "price")
    op.create_unique_constraint(
        op.f("uq_price_key"),
        "price",
        ["variant_id", "currency", "price_list_id", "region_id", "min_quantity"],
        postgresql_nulls_not_distinct=True,
    )
    op.create_foreign_key(op.f("fk_price_price_list_id"), "price", "price_list", ["price_list_id"], ["id"])
    op.create_index(
        "ix_price_price_list_id",
        "price",
        ["price_list_id", "variant_id"],
        postgresql_where=sa.text("price_list_id IS NOT NULL"),
    )
    op.create_index("ix_price_region_id", "price", ["region_id"], postgresql_where=sa.text("region_id IS NOT NULL"))


def _history() -> None:
    op.create_table(
        "price_history",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Uuid(), nullable=True),
        sa.Column("price_list_id", sa.Uuid(), nullable=True),
        sa.Column("min_quantity", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("compare_at", sa.BigInteger(), nullable=True),
        sa.Column("valid", postgresql.TSTZRANGE(), nullable=False),
        sa.CheckConstraint("NOT isempty(valid) AND upper(valid) IS NOT NULL", name=op.f("ck_price_history_valid")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_price_history_variant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_price_history_region_id")),
        sa.ForeignKeyConstraint(["price_list_id"], ["price_list.id"], name=op.f("fk_price_history_price_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_history")),
    )
    op.create_index("ix_price_history_variant_id_currency", "price_history", ["variant_id", "currency"])
    op.create_table(
        "price_list_history",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("price_list_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        moment("starts_at", None),
        moment("ends_at", None),
        sa.Column("for_groups", sa.Boolean(), nullable=False),
        sa.Column("valid", postgresql.TSTZRANGE(), nullable=False),
        sa.CheckConstraint(
            "NOT isempty(valid) AND upper(valid) IS NOT NULL", name=op.f("ck_price_list_history_valid")
        ),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_list.id"], name=op.f("fk_price_list_history_price_list_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_list_history")),
    )
    op.create_index("ix_price_list_history_price_list_id", "price_list_history", ["price_list_id"])


def downgrade() -> None:
    """What lists say is given up: prices of lists go, those of the base stay."""
    for kind in ROWS:
        op.execute(f"DROP TRIGGER price_list_changed_{kind.lower()} ON price_list")
    op.execute("DROP TRIGGER price_changes ON price")
    op.execute("DROP TRIGGER price_goes ON price")
    op.execute("DROP TRIGGER price_list_changes ON price_list")
    op.execute("DROP FUNCTION keep_price()")
    op.execute("DROP FUNCTION keep_price_list()")
    op.drop_table("price_list_history")
    op.drop_table("price_history")
    op.execute("DELETE FROM price WHERE price_list_id IS NOT NULL")
    op.drop_index("ix_price_region_id", "price")
    op.drop_index("ix_price_price_list_id", "price")
    op.drop_constraint(op.f("uq_price_key"), "price")
    op.create_unique_constraint(
        op.f("uq_price_variant_id_currency_region_id_min_quantity"),
        "price",
        OLD_KEY,
        postgresql_nulls_not_distinct=True,
    )
    op.drop_column("price", "valid_from")
    op.drop_column("price", "price_list_id")
    op.drop_table("price_list_group")
    op.drop_table("price_list")
    op.drop_index("uq_region_external_id", "region")
    op.drop_constraint(op.f("ck_region_archived_at"), "region")
    op.drop_constraint(op.f("ck_region_metadata"), "region")
    op.drop_constraint(op.f("ck_region_translations"), "region")
    op.drop_constraint(op.f("ck_region_rounding"), "region")
    for name in (
        "archived_at", "updated_at", "version", "external_id", "metadata", "translations", "payment_providers", "rounding",
    ):
        op.drop_column("region", name)
