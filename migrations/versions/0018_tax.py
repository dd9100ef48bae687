"""tax classes and rates

Rates were those of a region; each of its countries has them now, for the default class. A region without countries has
no place that could be taxed: its rates go.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from uuid_utils.compat import uuid7

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: Any = None
depends_on: Any = None

AT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("now()")
NO = sa.text("false")


def upgrade() -> None:
    create_classes()
    create_rates()
    refer_to_classes()
    widen_quotes()


def create_classes() -> None:
    op.create_table(
        "tax_class",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=NO, nullable=False),
        sa.Column("created_at", AT, server_default=NOW, nullable=False),
        sa.Column("archived_at", AT, nullable=True),
        sa.CheckConstraint("code <> '' AND name <> ''", name=op.f("ck_tax_class_named")),
        sa.CheckConstraint("archived_at IS NULL OR NOT is_default", name=op.f("ck_tax_class_archived_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_class")),
        sa.UniqueConstraint("code", name=op.f("uq_tax_class_code")),
    )
    op.create_index(
        "uq_tax_class_default", "tax_class", ["is_default"], unique=True, postgresql_where=sa.text("is_default")
    )
    op.execute(
        sa.text(
            "INSERT INTO tax_class (id, code, name, is_default) VALUES (:id, 'standard', 'Standard', true)"
        ).bindparams(id=uuid7())
    )


def create_rates() -> None:
    op.execute(
        """
        CREATE TEMPORARY TABLE former_rate ON COMMIT DROP AS
        SELECT country, name, rate FROM tax_rate JOIN region_country USING (region_id)
        """
    )
    op.drop_table("tax_rate")
    op.create_table(
        "tax_rate",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("tax_class_code", sa.Text(), nullable=False),
        sa.Column("subdivision", sa.Text(), nullable=True),
        sa.Column("postcode_from", sa.Text(), nullable=True),
        sa.Column("postcode_to", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rate", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.Column("replaces", sa.Boolean(), server_default=NO, nullable=False),
        sa.Column("created_at", AT, server_default=NOW, nullable=False),
        sa.Column("updated_at", AT, server_default=NOW, nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_tax_rate_country")),
        sa.CheckConstraint("subdivision ~ '^[A-Z0-9]{1,3}$'", name=op.f("ck_tax_rate_subdivision")),
        sa.CheckConstraint("(postcode_from IS NULL) = (postcode_to IS NULL)", name=op.f("ck_tax_rate_postcodes")),
        sa.CheckConstraint(
            "postcode_from ~ '^[A-Z0-9]{1,12}$' AND postcode_to ~ '^[A-Z0-9]{1,12}$'"
            " AND length(postcode_from) = length(postcode_to)"
            ' AND postcode_from COLLATE "C" <= postcode_to COLLATE "C"',
            name=op.f("ck_tax_rate_postcode_range"),
        ),
        sa.CheckConstraint("name <> ''", name=op.f("ck_tax_rate_named")),
        sa.CheckConstraint("rate >= 0 AND rate <= 1", name=op.f("ck_tax_rate_rate")),
        sa.CheckConstraint(
            "NOT replaces OR subdivision IS NOT NULL OR postcode_from IS NOT NULL", name=op.f("ck_tax_rate_replaces")
        ),
        sa.ForeignKeyConstraint(["tax_class_code"], ["tax_class.code"], name=op.f("fk_tax_rate_tax_class_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_rate")),
        sa.UniqueConstraint(
            "country",
            "tax_class_code",
            "subdivision",
            "postcode_from",
            "postcode_to",
            "name",
            name="uq_tax_rate_place",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(op.f("ix_tax_rate_tax_class_code"), "tax_rate", ["tax_class_code"])
    fill_rates()
    op.add_column("region_country", sa.Column("is_home", sa.Boolean(), server_default=NO, nullable=False))
    op.create_index(
        "uq_region_country_home", "region_country", ["region_id"], unique=True, postgresql_where=sa.text("is_home")
    )
    op.add_column("region", sa.Column("tax_provider", sa.Text(), server_default="local", nullable=False))
    op.create_check_constraint(op.f("ck_region_tax_provider"), "region", "tax_provider <> ''")


def fill_rates() -> None:
    connection = op.get_bind()
    former = connection.execute(sa.text("SELECT country, name, rate FROM former_rate ORDER BY country, name"))
    rows = [{"id": uuid7(), "country": row.country, "name": row.name, "rate": row.rate} for row in former]
    if rows:
        connection.execute(
            sa.text(
                """
                INSERT INTO tax_rate (id, country, tax_class_code, name, rate)
                VALUES (:id, :country, 'standard', :name, :rate)
                """
            ),
            rows,
        )


def refer_to_classes() -> None:
    for table in ("product", "delivery_option"):
        op.add_column(table, sa.Column("tax_class_code", sa.Text(), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_{table}_tax_class_code"), table, "tax_class", ["tax_class_code"], ["code"]
        )
    op.create_check_constraint(
        op.f("ck_delivery_option_tax_class_code"),
        "delivery_option",
        "tax_class_code IS NULL OR tax_treatment = 'region'",
    )
    op.add_column("order_line", sa.Column("tax_class_code", sa.Text(), nullable=True))


def widen_quotes() -> None:
    op.add_column("quote", sa.Column("kind", sa.Text(), server_default="delivery", nullable=False))
    op.create_check_constraint(op.f("ck_quote_kind"), "quote", "kind IN ('delivery', 'tax')")
    op.drop_constraint(op.f("uq_quote_cart_id_provider"), "quote", type_="unique")
    op.create_unique_constraint(op.f("uq_quote_cart_id_kind_provider"), "quote", ["cart_id", "kind", "provider"])


def downgrade() -> None:
    op.execute("DELETE FROM quote WHERE kind <> 'delivery'")
    op.drop_constraint(op.f("uq_quote_cart_id_kind_provider"), "quote", type_="unique")
    op.create_unique_constraint(op.f("uq_quote_cart_id_provider"), "quote", ["cart_id", "provider"])
    op.drop_constraint(op.f("ck_quote_kind"), "quote", type_="check")
    op.drop_column("quote", "kind")
    op.drop_column("order_line", "tax_class_code")
    op.drop_constraint(op.f("ck_delivery_option_tax_class_code"), "delivery_option", type_="check")
    for table in ("delivery_option", "product"):
        op.drop_constraint(op.f(f"fk_{table}_tax_class_code"), table, type_="foreignkey")
        op.drop_column(table, "tax_class_code")
    op.drop_constraint(op.f("ck_region_tax_provider"), "region", type_="check")
    op.drop_column("region", "tax_provider")
    downgrade_rates()
    op.drop_index("uq_region_country_home", table_name="region_country")
    op.drop_column("region_country", "is_home")
    op.drop_table("tax_class")


def downgrade_rates() -> None:
    """Those of a whole country for the default class; of several countries of a region the first one's."""
    op.execute(
        """
        CREATE TEMPORARY TABLE former_rate ON COMMIT DROP AS
        SELECT DISTINCT ON (region_id, rate.name) region_id, rate.name, rate.rate
        FROM tax_rate AS rate JOIN tax_class ON tax_class.code = rate.tax_class_code AND tax_class.is_default
        JOIN region_country USING (country)
        WHERE rate.subdivision IS NULL AND rate.postcode_from IS NULL
        ORDER BY region_id, rate.name, is_home DESC, country
        """
    )
    op.drop_table("tax_rate")
    op.create_table(
        "tax_rate",
        sa.Column("region_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rate", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.CheckConstraint("rate >= 0 AND rate <= 1", name=op.f("ck_tax_rate_rate")),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_tax_rate_region_id")),
        sa.PrimaryKeyConstraint("region_id", "name", name=op.f("pk_tax_rate")),
    )
    op.execute("INSERT INTO tax_rate (region_id, name, rate) SELECT region_id, name, rate FROM former_rate")
