"""carts, and their delivery"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Any = None
depends_on: Any = None

TIME = postgresql.TIMESTAMP(timezone=True)
JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    _catalogue()
    _delivery()
    _carts()
    _orders()


def _catalogue() -> None:
    op.add_column("product", sa.Column("price_quantity", sa.Text(), server_default="line", nullable=False))
    op.create_check_constraint(
        op.f("ck_product_price_quantity"), "product", "price_quantity IN ('line', 'variant', 'product')"
    )
    op.add_column("variant", sa.Column("quantity_min", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("variant", sa.Column("quantity_max", sa.Integer(), nullable=True))
    op.add_column("variant", sa.Column("quantity_step", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.create_check_constraint(
        op.f("ck_variant_quantity_rule"),
        "variant",
        "quantity_step >= 1 AND quantity_min >= 1 AND mod(quantity_min, quantity_step) = 0"
        " AND quantity_max >= quantity_min AND mod(quantity_max, quantity_step) = 0",
    )


def _delivery() -> None:
    op.create_table(
        "delivery_option",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("kind", sa.Text(), server_default="flat", nullable=False),
        sa.Column("tiers", JSON, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("free_from", sa.BigInteger(), nullable=True),
        sa.Column("tax_treatment", sa.Text(), server_default="region", nullable=False),
        sa.Column("tax_rates", JSON, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("countries", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("provider", sa.Text(), server_default="local", nullable=False),
        sa.Column("fallback", sa.BigInteger(), nullable=True),
        sa.Column("days_min", sa.Integer(), nullable=True),
        sa.Column("days_max", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("archived_at", TIME, nullable=True),
        sa.CheckConstraint("kind IN ('flat', 'by_weight', 'by_subtotal')", name=op.f("ck_delivery_option_kind")),
        sa.CheckConstraint(
            "tax_treatment IN ('region', 'own', 'proportional')", name=op.f("ck_delivery_option_tax_treatment")
        ),
        sa.CheckConstraint("code <> '' AND name <> '' AND provider <> ''", name=op.f("ck_delivery_option_named")),
        sa.CheckConstraint("jsonb_typeof(tiers) = 'array'", name=op.f("ck_delivery_option_tiers")),
        sa.CheckConstraint("jsonb_typeof(tax_rates) = 'array'", name=op.f("ck_delivery_option_tax_rates")),
        sa.CheckConstraint("free_from >= 0 AND fallback >= 0", name=op.f("ck_delivery_option_amounts")),
        sa.CheckConstraint("days_min >= 0 AND days_max >= days_min", name=op.f("ck_delivery_option_days")),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_delivery_option_region_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_option")),
        sa.UniqueConstraint("id", "region_id", name=op.f("uq_delivery_option_id_region_id")),
    )
    op.create_index(
        "uq_delivery_option_code",
        "delivery_option",
        ["region_id", "code"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
    )
    op.create_table(
        "quote",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("offers", JSON, nullable=True),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("offers IS NULL OR jsonb_typeof(offers) = 'array'", name=op.f("ck_quote_offers")),
        sa.ForeignKeyConstraint(["cart_id"], ["cart.id"], name=op.f("fk_quote_cart_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quote")),
        sa.UniqueConstraint("cart_id", "provider", name=op.f("uq_quote_cart_id_provider")),
    )


def _carts() -> None:
    op.add_column("cart", sa.Column("delivery_option_id", sa.Uuid(), nullable=True))
    op.add_column("cart", sa.Column("metadata", JSON, server_default=sa.text("'{}'::jsonb"), nullable=False))
    op.create_foreign_key(
        op.f("fk_cart_delivery_option_id_region_id"),
        "cart",
        "delivery_option",
        ["delivery_option_id", "region_id"],
        ["id", "region_id"],
    )
    op.create_check_constraint(op.f("ck_cart_metadata"), "cart", "octet_length(metadata::text) <= 8192")
    op.create_index(
        "uq_cart_token_hash", "cart", ["token_hash"], unique=True, postgresql_where=sa.text("token_hash <> ''")
    )
    op.create_index("ix_cart_open_since", "cart", ["updated_at"], postgresql_where=sa.text("status = 'open'"))
    op.add_column("cart_line", sa.Column("seen_price", sa.BigInteger(), nullable=True))
    op.add_column("cart_line", sa.Column("seen_quantity", sa.Integer(), nullable=True))
    # No interface has ever written metadata of lines, so all of it fits.
    op.create_check_constraint(op.f("ck_cart_line_metadata"), "cart_line", "octet_length(metadata::text) <= 8192")


def _orders() -> None:
    op.add_column("order", sa.Column("delivery", JSON, nullable=True))
    op.add_column("order", sa.Column("shipping_net", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("order", sa.Column("shipping_tax", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(
        op.f("ck_order_delivery"), "order", "delivery IS NOT NULL OR (shipping_net = 0 AND shipping_tax = 0)"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_order_delivery"), "order", type_="check")
    for column in ("shipping_tax", "shipping_net", "delivery"):
        op.drop_column("order", column)
    op.drop_constraint(op.f("ck_cart_line_metadata"), "cart_line", type_="check")
    for column in ("seen_quantity", "seen_price"):
        op.drop_column("cart_line", column)
    for index in ("ix_cart_open_since", "uq_cart_token_hash"):
        op.drop_index(index, table_name="cart")
    op.drop_constraint(op.f("ck_cart_metadata"), "cart", type_="check")
    op.drop_constraint(op.f("fk_cart_delivery_option_id_region_id"), "cart", type_="foreignkey")
    for column in ("metadata", "delivery_option_id"):
        op.drop_column("cart", column)
    op.drop_table("quote")
    op.drop_index("uq_delivery_option_code", table_name="delivery_option")
    op.drop_table("delivery_option")
    op.drop_constraint(op.f("ck_variant_quantity_rule"), "variant", type_="check")
    for column in ("quantity_step", "quantity_max", "quantity_min"):
        op.drop_column("variant", column)
    op.drop_constraint(op.f("ck_product_price_quantity"), "product", type_="check")
    op.drop_column("product", "price_quantity")
