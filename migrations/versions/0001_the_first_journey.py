"""The first journey"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision: str = "0001"
down_revision: str | None = None
branch_labels: Any = None
depends_on: Any = None


class Xid8(UserDefinedType[int]):
    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


COMPLETE_VARIANTS = """
CREATE FUNCTION check_variants_complete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed uuid[];
    wrong uuid;
BEGIN
    -- Whoever changes options or variants of a product queues up here: two that cannot see each other's rows
    -- would both be right, and the result of both wrong.
    IF TG_TABLE_NAME = 'product_option' THEN
        PERFORM FROM product WHERE id IN (NEW.product_id, OLD.product_id) ORDER BY id FOR NO KEY UPDATE;
        changed := ARRAY(SELECT id FROM variant WHERE product_id IN (NEW.product_id, OLD.product_id));
    ELSE
        IF TG_TABLE_NAME = 'variant' THEN changed := ARRAY[NEW.id];
        ELSE changed := ARRAY[NEW.variant_id, OLD.variant_id];
        END IF;
        PERFORM FROM product WHERE id IN (SELECT product_id FROM variant WHERE id = ANY(changed))
        ORDER BY id FOR NO KEY UPDATE;
    END IF;
    SELECT v.id INTO wrong FROM variant v
    WHERE v.archived_at IS NULL AND v.id = ANY(changed)
      AND (v.combination IS DISTINCT FROM
             (SELECT array_agg(value_id ORDER BY value_id) FROM variant_option_value WHERE variant_id = v.id)
           OR cardinality(v.combination) <>
             (SELECT count(*) FROM product_option WHERE product_id = v.product_id))
    LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'variant % does not have exactly one value for each option', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'variant_complete';
    END IF;
    RETURN NULL;
END $$;
"""
TRIGGERS = [
    "CREATE CONSTRAINT TRIGGER variant_complete AFTER INSERT OR UPDATE OF combination, archived_at, product_id ON variant DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_variants_complete()",
    "CREATE CONSTRAINT TRIGGER variant_option_value_complete AFTER INSERT OR UPDATE OR DELETE ON variant_option_value DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_variants_complete()",
    "CREATE CONSTRAINT TRIGGER product_option_complete AFTER INSERT OR UPDATE OF product_id OR DELETE ON product_option DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_variants_complete()",
]


def upgrade() -> None:
    op.execute("CREATE SEQUENCE order_number_seq START WITH 1001")
    op.create_table(
        "category",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_category_parent_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["category.id"], name=op.f("fk_category_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
        sa.UniqueConstraint("handle", name=op.f("uq_category_handle")),
    )
    op.create_index(op.f("ix_category_parent_id"), "category", ["parent_id"], unique=False)
    op.create_table(
        "collection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
        sa.UniqueConstraint("handle", name=op.f("uq_collection_handle")),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("first_name", sa.Text(), server_default="", nullable=False),
        sa.Column("last_name", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_customer_email")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("email", name=op.f("uq_customer_email")),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_xid_id", "event", ["xid", "id"], unique=False)
    op.create_table(
        "idempotency_key",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("mutation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("scope", "mutation", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_table(
        "product",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column("vendor", sa.Text(), server_default="", nullable=False),
        sa.Column("type", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("seo_title", sa.Text(), nullable=True),
        sa.Column("seo_description", sa.Text(), nullable=True),
        sa.Column("workflow_code", sa.Text(), server_default="default", nullable=True),
        sa.Column("brief_schema", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("brief_due", sa.Text(), server_default="after_order", nullable=False),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("brief_due IN ('before_order', 'after_order')", name=op.f("ck_product_brief_due")),
        sa.CheckConstraint("status IN ('draft', 'proposed', 'published', 'rejected')", name=op.f("ck_product_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("handle", name=op.f("uq_product_handle")),
    )
    op.create_index(
        "ix_product_published", "product", ["id"], unique=False, postgresql_where=sa.text("status = 'published'")
    )
    op.create_table(
        "region",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("tax_inclusive", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_region_currency")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region")),
        sa.UniqueConstraint("code", name=op.f("uq_region_code")),
        sa.UniqueConstraint("name", name=op.f("uq_region_name")),
    )
    op.create_index("uq_region_default", "region", ["is_default"], unique=True, postgresql_where=sa.text("is_default"))
    op.create_table(
        "role",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
        sa.UniqueConstraint("name", name=op.f("uq_role_name")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_staff_email")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "stock_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_item")),
    )
    op.create_table(
        "stock_location",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_location")),
        sa.UniqueConstraint("code", name=op.f("uq_stock_location_code")),
    )
    op.create_table(
        "workflow",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow")),
        sa.UniqueConstraint("code", "version", name=op.f("uq_workflow_code_version")),
    )
    op.create_table(
        "cart",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("region_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("shipping_address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("billing_address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("completed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('open', 'paying', 'completed')", name=op.f("ck_cart_status")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_cart_customer_id")),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_cart_region_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart")),
    )
    op.create_index(op.f("ix_cart_customer_id"), "cart", ["customer_id"], unique=False)
    op.create_table(
        "media",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("alt", sa.Text(), server_default="", nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_media_product_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
        sa.UniqueConstraint("id", "product_id", name=op.f("uq_media_id_product_id")),
        sa.UniqueConstraint("product_id", "url", name=op.f("uq_media_product_id_url")),
    )
    op.create_table(
        "product_category",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["category_id"], ["category.id"], name=op.f("fk_product_category_category_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_category_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "category_id", name=op.f("pk_product_category")),
    )
    op.create_index(op.f("ix_product_category_category_id"), "product_category", ["category_id"], unique=False)
    op.create_table(
        "product_collection",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_product_collection_collection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_collection_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "collection_id", name=op.f("pk_product_collection")),
    )
    op.create_index(op.f("ix_product_collection_collection_id"), "product_collection", ["collection_id"], unique=False)
    op.create_table(
        "product_option",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_option_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_option")),
        sa.UniqueConstraint("id", "product_id", name=op.f("uq_product_option_id_product_id")),
        sa.UniqueConstraint("product_id", "name", name=op.f("uq_product_option_product_id_name")),
    )
    op.create_table(
        "region_country",
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_region_country_country")),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_region_country_region_id")),
        sa.PrimaryKeyConstraint("country", name=op.f("pk_region_country")),
    )
    op.create_index(op.f("ix_region_country_region_id"), "region_country", ["region_id"], unique=False)
    op.create_table(
        "staff_role",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_staff_role_role_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_role_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("staff_id", "role_id", name=op.f("pk_staff_role")),
    )
    op.create_table(
        "stock_level",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stock_item_id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("allocated", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("backorder_limit", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("shortage", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("allocated >= 0", name=op.f("ck_stock_level_allocated")),
        sa.CheckConstraint("backorder_limit >= 0", name=op.f("ck_stock_level_backorder_limit")),
        sa.CheckConstraint("on_hand >= 0", name=op.f("ck_stock_level_on_hand")),
        sa.CheckConstraint(
            "reserved + allocated <= on_hand + backorder_limit + shortage", name=op.f("ck_stock_level_promised")
        ),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_stock_level_reserved")),
        sa.CheckConstraint("shortage >= 0", name=op.f("ck_stock_level_shortage")),
        sa.ForeignKeyConstraint(["location_id"], ["stock_location.id"], name=op.f("fk_stock_level_location_id")),
        sa.ForeignKeyConstraint(["stock_item_id"], ["stock_item.id"], name=op.f("fk_stock_level_stock_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_level")),
        sa.UniqueConstraint("stock_item_id", "location_id", name=op.f("uq_stock_level_stock_item_id_location_id")),
    )
    op.create_index(op.f("ix_stock_level_location_id"), "stock_level", ["location_id"], unique=False)
    op.create_table(
        "tax_rate",
        sa.Column("region_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rate", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.CheckConstraint("rate >= 0 AND rate <= 1", name=op.f("ck_tax_rate_rate")),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_tax_rate_region_id")),
        sa.PrimaryKeyConstraint("region_id", "name", name=op.f("pk_tax_rate")),
    )
    op.create_table(
        "workflow_state",
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("initial_for", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "initial_for IN ('complete_brief', 'incomplete_brief')", name=op.f("ck_workflow_state_initial_for")
        ),
        sa.CheckConstraint(
            "kind IN ('open', 'waiting_customer', 'done', 'cancelled')", name=op.f("ck_workflow_state_kind")
        ),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflow.id"], name=op.f("fk_workflow_state_workflow_id")),
        sa.PrimaryKeyConstraint("workflow_id", "code", name=op.f("pk_workflow_state")),
    )
    op.create_index(
        "uq_workflow_state_initial",
        "workflow_state",
        ["workflow_id", "initial_for"],
        unique=True,
        postgresql_where=sa.text("initial_for IS NOT NULL"),
    )
    op.create_table(
        "option_value",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("option_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["option_id"], ["product_option.id"], name=op.f("fk_option_value_option_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_option_value")),
        sa.UniqueConstraint("id", "option_id", name=op.f("uq_option_value_id_option_id")),
        sa.UniqueConstraint("option_id", "name", name=op.f("uq_option_value_option_id_name")),
    )
    op.create_table(
        "order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("payment_status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("fulfillment_status", sa.Text(), server_default="none", nullable=False),
        sa.Column("work_status", sa.Text(), server_default="none", nullable=False),
        sa.Column("region_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("tax_inclusive", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("shipping_address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("billing_address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("taxes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("amount_due", sa.BigInteger(), nullable=False),
        sa.Column("access_version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("placed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'pending') = (number IS NULL)", name=op.f("ck_order_number")),
        sa.CheckConstraint("(status = 'pending') = (placed_at IS NULL)", name=op.f("ck_order_placed_at")),
        sa.CheckConstraint(
            "fulfillment_status IN ('none', 'partial', 'fulfilled', 'delivered', 'returned')",
            name=op.f("ck_order_fulfillment_status"),
        ),
        sa.CheckConstraint(
            "payment_status IN ('not_required', 'pending', 'authorised', 'partially_paid', 'paid', 'partially_refunded', 'refunded', 'disputed')",
            name=op.f("ck_order_payment_status"),
        ),
        sa.CheckConstraint("status IN ('pending', 'placed', 'completed', 'cancelled')", name=op.f("ck_order_status")),
        sa.CheckConstraint(
            "work_status IN ('none', 'waiting_customer', 'in_progress', 'done')", name=op.f("ck_order_work_status")
        ),
        sa.CheckConstraint("total >= 0", name=op.f("ck_order_total")),
        sa.ForeignKeyConstraint(["cart_id"], ["cart.id"], name=op.f("fk_order_cart_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_order_customer_id")),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_order_region_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order")),
        sa.UniqueConstraint("cart_id", name=op.f("uq_order_cart_id")),
        sa.UniqueConstraint("number", name=op.f("uq_order_number")),
    )
    op.create_index("ix_order_customer_id", "order", ["customer_id", "id"], unique=False)
    op.create_table(
        "stock_movement",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("stock_level_id", sa.Uuid(), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("delta <> 0", name=op.f("ck_stock_movement_delta")),
        sa.ForeignKeyConstraint(["stock_level_id"], ["stock_level.id"], name=op.f("fk_stock_movement_stock_level_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_movement")),
    )
    op.create_index(op.f("ix_stock_movement_stock_level_id"), "stock_movement", ["stock_level_id"], unique=False)
    op.create_table(
        "variant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("barcode", sa.Text(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("combination", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("manage_stock", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("allow_backorder", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("requires_shipping", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("taxable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("weight_grams", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("weight_unit", sa.Text(), server_default="g", nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("archived_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("weight_grams >= 0", name=op.f("ck_variant_weight_grams")),
        sa.ForeignKeyConstraint(
            ["media_id", "product_id"], ["media.id", "media.product_id"], name=op.f("fk_variant_media_id_product_id")
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_variant_product_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variant")),
        sa.UniqueConstraint("id", "product_id", name=op.f("uq_variant_id_product_id")),
    )
    op.create_index("ix_variant_product_id_rank", "variant", ["product_id", "rank", "id"], unique=False)
    op.create_index(
        "uq_variant_combination",
        "variant",
        ["product_id", "combination"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
    )
    op.create_index("uq_variant_sku", "variant", ["sku"], unique=True, postgresql_where=sa.text("archived_at IS NULL"))
    op.create_table(
        "workflow_transition",
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.CheckConstraint("who IN ('staff', 'customer', 'system')", name=op.f("ck_workflow_transition_who")),
        sa.ForeignKeyConstraint(
            ["workflow_id", "from_state"], ["workflow_state.workflow_id", "workflow_state.code"], name="fk_from"
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id", "to_state"], ["workflow_state.workflow_id", "workflow_state.code"], name="fk_to"
        ),
        sa.PrimaryKeyConstraint("workflow_id", "from_state", "to_state", "who", name=op.f("pk_workflow_transition")),
    )
    op.create_table(
        "cart_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("brief", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("brief_hash", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000", name=op.f("ck_cart_line_quantity")),
        sa.ForeignKeyConstraint(["cart_id"], ["cart.id"], name=op.f("fk_cart_line_cart_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["variant_id"], ["variant.id"], name=op.f("fk_cart_line_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart_line")),
        sa.UniqueConstraint(
            "cart_id", "variant_id", "brief_hash", name=op.f("uq_cart_line_cart_id_variant_id_brief_hash")
        ),
    )
    op.create_index(op.f("ix_cart_line_variant_id"), "cart_line", ["variant_id"], unique=False)
    op.create_table(
        "order_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("shipped", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.Column("taxes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("brief", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("brief_complete", sa.Boolean(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "cancelled >= 0 AND shipped >= 0 AND cancelled + shipped <= quantity", name=op.f("ck_order_line_fulfilment")
        ),
        sa.CheckConstraint("net + tax = gross", name=op.f("ck_order_line_gross")),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000", name=op.f("ck_order_line_quantity")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_order_line_order_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["variant.id"], name=op.f("fk_order_line_variant_id")),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflow.id"], name=op.f("fk_order_line_workflow_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
        sa.UniqueConstraint("id", "order_id", name=op.f("uq_order_line_id_order_id")),
        sa.UniqueConstraint("order_id", "position", name=op.f("uq_order_line_order_id_position")),
    )
    op.create_table(
        "payment_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cart_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="started", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('started', 'action_required', 'succeeded', 'failed', 'cancelled')",
            name=op.f("ck_payment_attempt_state"),
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_payment_attempt_amount")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_payment_attempt_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_attempt")),
        sa.UniqueConstraint("order_id", "n", name=op.f("uq_payment_attempt_order_id_n")),
    )
    op.create_index(
        "ix_payment_attempt_undecided_since",
        "payment_attempt",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('started', 'action_required')"),
    )
    op.create_index(
        "uq_payment_attempt_undecided",
        "payment_attempt",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('started', 'action_required')"),
    )
    op.create_table(
        "price",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Uuid(), nullable=True),
        sa.Column("min_quantity", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("compare_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_price_currency")),
        sa.CheckConstraint("amount >= 0 AND compare_at >= 0", name=op.f("ck_price_amount")),
        sa.CheckConstraint("min_quantity >= 1", name=op.f("ck_price_min_quantity")),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_price_region_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["variant.id"], name=op.f("fk_price_variant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price")),
        sa.UniqueConstraint(
            "variant_id",
            "currency",
            "region_id",
            "min_quantity",
            name=op.f("uq_price_variant_id_currency_region_id_min_quantity"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "variant_option_value",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("option_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("value_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["option_id", "product_id"],
            ["product_option.id", "product_option.product_id"],
            name=op.f("fk_variant_option_value_option_id_product_id"),
        ),
        sa.ForeignKeyConstraint(
            ["value_id", "option_id"],
            ["option_value.id", "option_value.option_id"],
            name=op.f("fk_variant_option_value_value_id_option_id"),
        ),
        sa.ForeignKeyConstraint(
            ["variant_id", "product_id"],
            ["variant.id", "variant.product_id"],
            name=op.f("fk_variant_option_value_variant_id_product_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("variant_id", "option_id", name=op.f("pk_variant_option_value")),
    )
    op.create_index("ix_variant_option_value_value_id", "variant_option_value", ["value_id"], unique=False)
    op.create_table(
        "variant_stock_item",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("stock_item_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_variant_stock_item_quantity")),
        sa.ForeignKeyConstraint(["stock_item_id"], ["stock_item.id"], name=op.f("fk_variant_stock_item_stock_item_id")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_variant_stock_item_variant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("variant_id", "stock_item_id", name=op.f("pk_variant_stock_item")),
    )
    op.create_index(op.f("ix_variant_stock_item_stock_item_id"), "variant_stock_item", ["stock_item_id"], unique=False)
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("authorised", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["payment_attempt.id"], name=op.f("fk_payment_attempt_id")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_payment_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_payment_attempt_id")),
    )
    op.create_index(op.f("ix_payment_order_id"), "payment", ["order_id"], unique=False)
    op.create_table(
        "payment_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('authorised', 'captured', 'voided')", name=op.f("ck_payment_event_kind")),
        sa.ForeignKeyConstraint(["attempt_id"], ["payment_attempt.id"], name=op.f("fk_payment_event_attempt_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_event")),
        sa.UniqueConstraint("provider", "kind", "reference", name=op.f("uq_payment_event_provider_kind_reference")),
    )
    op.create_index(op.f("ix_payment_event_attempt_id"), "payment_event", ["attempt_id"], unique=False)
    op.create_table(
        "stock_reservation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=True),
        sa.Column("stock_level_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="held", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('held', 'allocated', 'shipped', 'released')", name=op.f("ck_stock_reservation_state")
        ),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_stock_reservation_quantity")),
        sa.ForeignKeyConstraint(
            ["order_line_id", "order_id"], ["order_line.id", "order_line.order_id"], name="fk_reservation_line"
        ),
        sa.ForeignKeyConstraint(
            ["stock_level_id"], ["stock_level.id"], name=op.f("fk_stock_reservation_stock_level_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_reservation")),
    )
    op.create_index(
        "ix_stock_reservation_level",
        "stock_reservation",
        ["stock_level_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('held', 'allocated')"),
    )
    op.create_index("ix_stock_reservation_order_id", "stock_reservation", ["order_id"], unique=False)
    op.create_table(
        "ticket",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("split_number", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("brief", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("last_seq", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000", name=op.f("ck_ticket_quantity")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_ticket_order_id")),
        sa.ForeignKeyConstraint(
            ["order_line_id", "order_id"],
            ["order_line.id", "order_line.order_id"],
            name=op.f("fk_ticket_order_line_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id", "state"],
            ["workflow_state.workflow_id", "workflow_state.code"],
            name=op.f("fk_ticket_workflow_id_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("order_line_id", "split_number", name=op.f("uq_ticket_order_line_id_split_number")),
    )
    op.create_index("ix_ticket_order_id", "ticket", ["order_id"], unique=False)
    op.create_index("ix_ticket_state", "ticket", ["state", "id"], unique=False)
    op.create_table(
        "ticket_event",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("actor_kind IN ('staff', 'customer', 'system')", name=op.f("ck_ticket_event_actor_kind")),
        sa.CheckConstraint("kind IN ('opened', 'moved', 'message')", name=op.f("ck_ticket_event_kind")),
        sa.CheckConstraint("visibility IN ('public', 'internal')", name=op.f("ck_ticket_event_visibility")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_event_ticket_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ticket_id", "seq", name=op.f("pk_ticket_event")),
    )
    op.execute(COMPLETE_VARIANTS)
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    op.drop_table("ticket_event")
    op.drop_index("ix_ticket_state", table_name="ticket")
    op.drop_index("ix_ticket_order_id", table_name="ticket")
    op.drop_table("ticket")
    op.drop_index("ix_stock_reservation_order_id", table_name="stock_reservation")
    op.drop_index(
        "ix_stock_reservation_level",
        table_name="stock_reservation",
        postgresql_where=sa.text("state IN ('held', 'allocated')"),
    )
    op.drop_table("stock_reservation")
    op.drop_index(op.f("ix_payment_event_attempt_id"), table_name="payment_event")
    op.drop_table("payment_event")
    op.drop_index(op.f("ix_payment_order_id"), table_name="payment")
    op.drop_table("payment")
    op.drop_index(op.f("ix_variant_stock_item_stock_item_id"), table_name="variant_stock_item")
    op.drop_table("variant_stock_item")
    op.drop_index("ix_variant_option_value_value_id", table_name="variant_option_value")
    op.drop_table("variant_option_value")
    op.drop_table("price")
    op.drop_index(
        "uq_payment_attempt_undecided",
        table_name="payment_attempt",
        postgresql_where=sa.text("state IN ('started', 'action_required')"),
    )
    op.drop_index(
        "ix_payment_attempt_undecided_since",
        table_name="payment_attempt",
        postgresql_where=sa.text("state IN ('started', 'action_required')"),
    )
    op.drop_table("payment_attempt")
    op.drop_table("order_line")
    op.drop_index(op.f("ix_cart_line_variant_id"), table_name="cart_line")
    op.drop_table("cart_line")
    op.drop_table("workflow_transition")
    op.drop_index("uq_variant_sku", table_name="variant", postgresql_where=sa.text("archived_at IS NULL"))
    op.drop_index("uq_variant_combination", table_name="variant", postgresql_where=sa.text("archived_at IS NULL"))
    op.drop_index("ix_variant_product_id_rank", table_name="variant")
    op.drop_table("variant")
    op.drop_index(op.f("ix_stock_movement_stock_level_id"), table_name="stock_movement")
    op.drop_table("stock_movement")
    op.drop_index("ix_order_customer_id", table_name="order")
    op.drop_table("order")
    op.drop_table("option_value")
    op.drop_index(
        "uq_workflow_state_initial", table_name="workflow_state", postgresql_where=sa.text("initial_for IS NOT NULL")
    )
    op.drop_table("workflow_state")
    op.drop_table("tax_rate")
    op.drop_index(op.f("ix_stock_level_location_id"), table_name="stock_level")
    op.drop_table("stock_level")
    op.drop_table("staff_role")
    op.drop_index(op.f("ix_region_country_region_id"), table_name="region_country")
    op.drop_table("region_country")
    op.drop_table("product_option")
    op.drop_index(op.f("ix_product_collection_collection_id"), table_name="product_collection")
    op.drop_table("product_collection")
    op.drop_index(op.f("ix_product_category_category_id"), table_name="product_category")
    op.drop_table("product_category")
    op.drop_table("media")
    op.drop_index(op.f("ix_cart_customer_id"), table_name="cart")
    op.drop_table("cart")
    op.drop_table("workflow")
    op.drop_table("stock_location")
    op.drop_table("stock_item")
    op.drop_table("staff")
    op.drop_table("role")
    op.drop_index("uq_region_default", table_name="region", postgresql_where=sa.text("is_default"))
    op.drop_table("region")
    op.drop_index("ix_product_published", table_name="product", postgresql_where=sa.text("status = 'published'"))
    op.drop_table("product")
    op.drop_table("idempotency_key")
    op.drop_index("ix_event_xid_id", table_name="event")
    op.drop_table("event")
    op.drop_table("customer")
    op.drop_table("collection")
    op.drop_index(op.f("ix_category_parent_id"), table_name="category")
    op.drop_table("category")
    op.execute("DROP FUNCTION check_variants_complete()")
    op.execute("DROP SEQUENCE order_number_seq")
