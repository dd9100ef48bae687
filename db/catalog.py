"""Products, their options and variants, media.

That a variant has exactly one value for each option of its product, and that no two live variants of a
product are equal, is held here by composite foreign keys, a unique index and a deferred trigger.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DDL,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.base import MOST_METADATA, Base, CreatedAt, Id, Metadata, Translations, one_of


class ProductStatus(StrEnum):
    DRAFT = "draft"
    PROPOSED = "proposed"
    PUBLISHED = "published"
    REJECTED = "rejected"


class BriefDue(StrEnum):
    """When the customer must have given the brief of a line."""

    BEFORE_ORDER = "before_order"
    AFTER_ORDER = "after_order"


class PriceQuantity(StrEnum):
    """How many units a line's price is for: its own, or those of all lines of its variant or product."""

    LINE = "line"
    VARIANT = "variant"
    PRODUCT = "product"


class Product(Base):
    __tablename__ = "product"
    __table_args__ = (
        one_of("status", ProductStatus),
        one_of("brief_due", BriefDue),
        one_of("price_quantity", PriceQuantity),
        CheckConstraint("weight_grams >= 0", name="weight_grams"),
        CheckConstraint("length_mm >= 0 AND width_mm >= 0 AND height_mm >= 0", name="dimensions"),
        CheckConstraint("origin_country ~ '^[A-Z]{2}$'", name="origin_country"),
        CheckConstraint("hs_code ~ '^[0-9]{6,13}$'", name="hs_code"),
        CheckConstraint("jsonb_typeof(translations) = 'object'", name="translations"),
        CheckConstraint(
            f"jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= {MOST_METADATA}", name="metadata"
        ),
        Index("ix_product_published", "id", postgresql_where=text("status = 'published'")),
        Index("uq_product_external_id", "external_id", unique=True, postgresql_where=text("external_id IS NOT NULL")),
    )

    id: Mapped[Id]
    handle: Mapped[str] = mapped_column(unique=True)
    external_id: Mapped[str | None]
    """What another system calls it."""
    title: Mapped[str]
    subtitle: Mapped[str | None]
    description: Mapped[str] = mapped_column(server_default="")
    """Sanitised HTML."""
    status: Mapped[ProductStatus] = mapped_column(Text, server_default="draft")
    vendor: Mapped[str] = mapped_column(server_default="")
    type: Mapped[str] = mapped_column(server_default="")
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    seo_title: Mapped[str | None]
    seo_description: Mapped[str | None]
    origin_country: Mapped[str | None]
    """ISO 3166-1, two letters."""
    hs_code: Mapped[str | None]
    """Of the customs' Harmonised System, digits alone."""
    material: Mapped[str | None]
    weight_grams: Mapped[int | None]
    length_mm: Mapped[int | None]
    width_mm: Mapped[int | None]
    height_mm: Mapped[int | None]
    discountable: Mapped[bool] = mapped_column(server_default=text("true"))
    """Promotions may make it cheaper."""
    tax_class_code: Mapped[str | None] = mapped_column(ForeignKey("tax_class.code"))
    """Null: the default one."""
    translations: Mapped[Translations]
    workflow_code: Mapped[str | None] = mapped_column(server_default="default")
    """The ticket workflow of its order lines; null: its lines get no ticket."""
    brief_schema: Mapped[dict[str, Any] | None]
    """JSON Schema of the brief that a line of this product asks for; null: none."""
    brief_due: Mapped[BriefDue] = mapped_column(Text, server_default="after_order")
    price_quantity: Mapped[PriceQuantity] = mapped_column(Text, server_default="line")
    """Which lines of a cart count together for a price from a quantity on."""
    metadata_: Mapped[Metadata] = mapped_column("metadata")
    version: Mapped[int] = mapped_column(server_default=text("1"))
    archived_at: Mapped[datetime | None]
    """Since when it is nowhere for sale and in no list; it can be restored."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class Media(Base):
    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("product_id", "url"),
        UniqueConstraint("id", "product_id"),
        UniqueConstraint("file_id"),
    )

    id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"))
    url: Mapped[str]
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("file.id"))
    """Of a picture that was uploaded here; null: it lies elsewhere."""
    alt: Mapped[str] = mapped_column(server_default="")
    rank: Mapped[int]


class ProductOption(Base):
    __tablename__ = "product_option"
    __table_args__ = (
        UniqueConstraint("product_id", "name"),
        UniqueConstraint("id", "product_id"),
        CheckConstraint("jsonb_typeof(translations) = 'object'", name="translations"),
    )

    id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"))
    name: Mapped[str]
    rank: Mapped[int]
    translations: Mapped[Translations]


class OptionValue(Base):
    __tablename__ = "option_value"
    __table_args__ = (
        UniqueConstraint("option_id", "name"),
        UniqueConstraint("id", "option_id"),
        # A picture of the product that the option is of, and no other; when it goes, the value has none.
        ForeignKeyConstraint(
            ["swatch_media_id", "swatch_product_id"], ["media.id", "media.product_id"], ondelete="SET NULL"
        ),
        ForeignKeyConstraint(["option_id", "swatch_product_id"], ["product_option.id", "product_option.product_id"]),
        CheckConstraint("(swatch_media_id IS NULL) = (swatch_product_id IS NULL)", name="swatch_product_id"),
        CheckConstraint("swatch_color ~ '^#[0-9a-f]{6}$'", name="swatch_color"),
        CheckConstraint("swatch_color IS NULL OR swatch_media_id IS NULL", name="swatch"),
        CheckConstraint("jsonb_typeof(translations) = 'object'", name="translations"),
        Index(
            "ix_option_value_swatch_media_id", "swatch_media_id", postgresql_where=text("swatch_media_id IS NOT NULL")
        ),
    )

    id: Mapped[Id]
    option_id: Mapped[UUID] = mapped_column(ForeignKey("product_option.id", ondelete="CASCADE"))
    name: Mapped[str]
    rank: Mapped[int]
    swatch_color: Mapped[str | None]
    """`#rrggbb`; a value is shown as a colour, as a picture, or by its name."""
    swatch_media_id: Mapped[UUID | None]
    swatch_product_id: Mapped[UUID | None]
    """The option's product wherever there is a picture: what the foreign keys compare."""
    translations: Mapped[Translations]


class Variant(Base):
    __tablename__ = "variant"
    __table_args__ = (
        UniqueConstraint("id", "product_id"),
        ForeignKeyConstraint(["media_id", "product_id"], ["media.id", "media.product_id"]),
        CheckConstraint("weight_grams >= 0", name="weight_grams"),
        CheckConstraint("length_mm >= 0 AND width_mm >= 0 AND height_mm >= 0", name="dimensions"),
        CheckConstraint("jsonb_typeof(translations) = 'object'", name="translations"),
        CheckConstraint(
            f"jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= {MOST_METADATA}", name="metadata"
        ),
        CheckConstraint("ean ~ '^([0-9]{8}|[0-9]{13})$'", name="ean"),
        CheckConstraint("upc ~ '^[0-9]{12}$'", name="upc"),
        UniqueConstraint("external_id"),
        CheckConstraint(
            "quantity_step >= 1 AND quantity_min >= 1 AND mod(quantity_min, quantity_step) = 0"
            " AND quantity_max >= quantity_min AND mod(quantity_max, quantity_step) = 0",
            name="quantity_rule",
        ),
        Index(
            "uq_variant_combination",
            "product_id",
            "combination",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
        Index("uq_variant_sku", "sku", unique=True, postgresql_where=text("archived_at IS NULL")),
        Index("ix_variant_product_id_rank", "product_id", "rank", "id"),
    )

    id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"))
    title: Mapped[str]
    sku: Mapped[str | None]
    barcode: Mapped[str | None]
    ean: Mapped[str | None]
    upc: Mapped[str | None]
    external_id: Mapped[str | None]
    """Of the system that the merchant's numbers come from; archived variants keep theirs."""
    rank: Mapped[int]
    combination: Mapped[list[UUID]]
    """The ids of its option values, sorted: what makes it this variant and no other."""
    manage_stock: Mapped[bool] = mapped_column(server_default=text("true"))
    """False: sells without limit, its stock is not counted."""
    allow_backorder: Mapped[bool] = mapped_column(server_default=text("false"))
    requires_shipping: Mapped[bool] = mapped_column(server_default=text("true"))
    taxable: Mapped[bool] = mapped_column(server_default=text("true"))
    weight_grams: Mapped[int] = mapped_column(server_default=text("0"))
    weight_unit: Mapped[str] = mapped_column(server_default="g")
    """The unit in which the merchant likes to see the weight; the weight itself is in grams."""
    length_mm: Mapped[int | None]
    """Null, as for the next two: as of the product."""
    width_mm: Mapped[int | None]
    height_mm: Mapped[int | None]
    quantity_min: Mapped[int] = mapped_column(server_default=text("1"))
    quantity_max: Mapped[int | None]
    quantity_step: Mapped[int] = mapped_column(server_default=text("1"))
    """A line has a multiple of it."""
    media_id: Mapped[UUID | None]
    translations: Mapped[Translations]
    """Of its title. That of a title made of its values follows the translations of these."""
    metadata_: Mapped[Metadata] = mapped_column("metadata")
    archived_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class VariantOptionValue(Base):
    """One value per option of a variant: value belongs to option, option to the variant's product."""

    __tablename__ = "variant_option_value"
    __table_args__ = (
        ForeignKeyConstraint(["variant_id", "product_id"], ["variant.id", "variant.product_id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["option_id", "product_id"], ["product_option.id", "product_option.product_id"]),
        ForeignKeyConstraint(["value_id", "option_id"], ["option_value.id", "option_value.option_id"]),
        Index("ix_variant_option_value_value_id", "value_id"),
    )

    variant_id: Mapped[UUID] = mapped_column(primary_key=True)
    option_id: Mapped[UUID] = mapped_column(primary_key=True)
    product_id: Mapped[UUID]
    value_id: Mapped[UUID]


# A variant can only be complete once all its values are written, so the check waits for the commit. Nearly every check
# is of one variant, and is made by keys alone: a catalogue is written by many of them.
COMPLETE_VARIANTS = """
CREATE FUNCTION check_variants_complete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    one uuid;
    owner uuid;
    changed uuid[];
    wrong uuid;
BEGIN
    -- Whoever changes options or variants of a product queues up here: two that cannot see each other's rows
    -- would both be right, and the result of both wrong.
    IF TG_TABLE_NAME = 'product_option' THEN
        PERFORM FROM product WHERE id IN (NEW.product_id, OLD.product_id) ORDER BY id FOR NO KEY UPDATE;
        changed := ARRAY(SELECT id FROM variant WHERE product_id IN (NEW.product_id, OLD.product_id));
    ELSE
        IF TG_TABLE_NAME = 'variant' THEN one := NEW.id;
        ELSIF TG_OP = 'INSERT' THEN one := NEW.variant_id;
        ELSIF TG_OP = 'DELETE' OR NEW.variant_id = OLD.variant_id THEN one := OLD.variant_id;
        END IF;
        IF one IS NOT NULL THEN
            SELECT product_id INTO owner FROM variant WHERE id = one;
            PERFORM FROM product WHERE id = owner FOR NO KEY UPDATE;
            changed := ARRAY[one];
        ELSE
            changed := ARRAY[NEW.variant_id, OLD.variant_id];
            PERFORM FROM product WHERE id IN (SELECT product_id FROM variant WHERE id = ANY(changed))
            ORDER BY id FOR NO KEY UPDATE;
        END IF;
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
TRIGGERS = {
    "variant": "INSERT OR UPDATE OF combination, archived_at, product_id ON variant",
    "variant_option_value": "INSERT OR UPDATE OR DELETE ON variant_option_value",
    "product_option": "INSERT OR UPDATE OF product_id OR DELETE ON product_option",
}
VARIANT_TRIGGERS = [
    f"CREATE CONSTRAINT TRIGGER {table}_complete AFTER {events} DEFERRABLE INITIALLY DEFERRED "
    f"FOR EACH ROW EXECUTE FUNCTION check_variants_complete()"
    for table, events in TRIGGERS.items()
]
# By statement, as counting for each row of a matrix would be counting squared.
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
for statement in (COMPLETE_VARIANTS, *VARIANT_TRIGGERS, VARIANT_LIMIT, *LIMIT_TRIGGERS):
    event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
