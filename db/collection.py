"""Collections: products that are shown together, chosen by hand or by a rule.

Which products a rule finds is kept in `product_collection`. Triggers note in `collection_due`, in the transaction of
the write, whatever a rule may see otherwise now; who reads it there, and when, says domain/collection_membership.py.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.base import MOST_METADATA, Base, CreatedAt, Id, Metadata, Translations, one_of


class CollectionStatus(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class CollectionOrder(StrEnum):
    """In which order the products of a collection are shown."""

    MANUAL = "manual"
    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    PRICE = "price"
    PRICE_DESC = "price_desc"


class Collection(Base):
    __tablename__ = "collection"
    __table_args__ = (
        one_of("status", CollectionStatus),
        one_of("product_order", CollectionOrder),
        CheckConstraint("jsonb_typeof(translations) = 'object'", name="translations"),
        CheckConstraint(
            f"jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= {MOST_METADATA}", name="metadata"
        ),
        UniqueConstraint("id", "by_rule"),
        CheckConstraint("NOT by_rule OR product_order <> 'manual'", name="manual"),
        Index(
            "uq_collection_external_id", "external_id", unique=True, postgresql_where=text("external_id IS NOT NULL")
        ),
        Index("uq_collection_image_file_id", "image_file_id", unique=True),
        CheckConstraint("image_file_id IS NULL OR image_url IS NOT NULL", name="image_url"),
    )

    id: Mapped[Id]
    handle: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    """Sanitised HTML."""
    status: Mapped[CollectionStatus] = mapped_column(Text, server_default="published")
    translations: Mapped[Translations]
    external_id: Mapped[str | None]
    metadata_: Mapped[Metadata] = mapped_column("metadata")
    seo_title: Mapped[str | None]
    seo_description: Mapped[str | None]
    image_url: Mapped[str | None]
    image_alt: Mapped[str] = mapped_column(server_default="")
    image_file_id: Mapped[UUID | None] = mapped_column(ForeignKey("file.id"))
    """Of a picture that was uploaded here; null: it lies elsewhere."""
    rules: Mapped[dict[str, Any] | None]
    """As domain/collection_rule.py writes them; null: its products are chosen by hand."""
    by_rule: Mapped[bool] = mapped_column(Computed("rules IS NOT NULL", persisted=True))
    product_order: Mapped[CollectionOrder] = mapped_column(Text, server_default="newest")
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class CollectionChannel(Base):
    """A collection is seen in the channel from `published_from` on and before `published_until`; null: no bound."""

    __tablename__ = "collection_channel"
    __table_args__ = (
        CheckConstraint("published_from < published_until", name="window"),
        Index("ix_collection_channel_collection_id", "collection_id"),
        Index(
            "ix_collection_channel_published_from",
            "published_from",
            postgresql_where=text("published_from IS NOT NULL"),
        ),
        Index(
            "ix_collection_channel_published_until",
            "published_until",
            postgresql_where=text("published_until IS NOT NULL"),
        ),
    )

    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True)
    published_from: Mapped[datetime | None]
    published_until: Mapped[datetime | None]


class ProductCollection(Base):
    """A product has a rank in collections by hand and none in those by rule; the foreign key compares both sides."""

    __tablename__ = "product_collection"
    __table_args__ = (
        ForeignKeyConstraint(["collection_id", "by_rule"], ["collection.id", "collection.by_rule"], ondelete="CASCADE"),
        # At the end of a statement, as one that moves several products may give one the rank that another had.
        UniqueConstraint("collection_id", "rank", name="uq_product_collection_rank", deferrable=True),
        Index("ix_product_collection_collection_id", "collection_id", "product_id"),
        CheckConstraint("rank ~ '^[A-Za-z][0-9A-Za-z]*$'", name="rank"),
    )

    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(primary_key=True)
    rank: Mapped[str | None] = mapped_column(Text(collation="C"))
    """As in domain/rank.py: between any two there is always room."""
    by_rule: Mapped[bool] = mapped_column(Computed("rank IS NULL", persisted=True))


class CollectionDue(Base):
    """What rules have to look at again: a product for all collections, or a collection for all products."""

    __tablename__ = "collection_due"
    __table_args__ = (CheckConstraint("num_nonnulls(product_id, collection_id) = 1", name="subject"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    product_id: Mapped[UUID | None]
    collection_id: Mapped[UUID | None]


# Dynamic, because the tables have different columns; a row that moves to another product concerns both.
QUEUE: Final = """
CREATE FUNCTION queue_collection_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO collection_due (product_id) SELECT DISTINCT %s FROM %s AS c %s', TG_ARGV[0],
        CASE TG_OP WHEN 'UPDATE' THEN '(TABLE changed UNION ALL TABLE former)' ELSE 'changed' END, TG_ARGV[1]);
    RETURN NULL;
END $$;
"""
# As with kept answers each level is compared alone, before and after: whether at least one unit can be bought of it.
QUEUE_STOCK: Final = """
CREATE FUNCTION queue_collection_due_of_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO collection_due (product_id)
        SELECT DISTINCT v.product_id
        FROM former AS f JOIN changed AS c ON c.id = f.id
        JOIN variant_stock_item AS s ON s.stock_item_id IN (c.stock_item_id, f.stock_item_id)
        JOIN variant AS v ON v.id = s.variant_id
        WHERE c.stock_item_id <> f.stock_item_id
           OR least(greatest(c.on_hand + c.backorder_limit - c.reserved - c.allocated, 0), s.quantity)
           <> least(greatest(f.on_hand + f.backorder_limit - f.reserved - f.allocated, 0), s.quantity);
    ELSE
        INSERT INTO collection_due (product_id)
        SELECT DISTINCT v.product_id
        FROM changed AS c
        JOIN variant_stock_item AS s ON s.stock_item_id = c.stock_item_id
        JOIN variant AS v ON v.id = s.variant_id;
    END IF;
    RETURN NULL;
END $$;
"""
# Whoever edits rules is no product: the collection as a whole is looked at again.
QUEUE_RULES: Final = """
CREATE FUNCTION queue_collection_due_of_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO collection_due (collection_id) SELECT id FROM changed WHERE by_rule;
    ELSE
        INSERT INTO collection_due (collection_id)
        SELECT c.id FROM changed AS c JOIN former AS f ON f.id = c.id
        WHERE c.by_rule AND c.rules IS DISTINCT FROM f.rules;
    END IF;
    RETURN NULL;
END $$;
"""
_OF_PRODUCT: Final = ("c.product_id", "")
_OF_VARIANT: Final = ("v.product_id", "JOIN variant AS v ON v.id = c.variant_id")
WATCHED: Final[dict[str, tuple[str, str]]] = {
    "product": ("c.id", ""),
    "product_category": _OF_PRODUCT,
    "product_option": _OF_PRODUCT,
    "option_value": ("o.product_id", "JOIN product_option AS o ON o.id = c.option_id"),
    "variant": _OF_PRODUCT,
    "variant_option_value": _OF_PRODUCT,
    "variant_stock_item": _OF_VARIANT,
    "price": _OF_VARIANT,
}
"""By table that rules look at: the product of a changed row `c` in SQL, and what has to be joined for it."""
ROWS: Final = {
    "INSERT": "REFERENCING NEW TABLE AS changed ",
    "UPDATE": "REFERENCING OLD TABLE AS former NEW TABLE AS changed ",
    "DELETE": "REFERENCING OLD TABLE AS changed ",
}


def _due(table: str, call: str, kinds: tuple[str, ...] = tuple(ROWS)) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_due_{kind.lower()} AFTER {kind} ON {table} {ROWS[kind]}"
        f"FOR EACH STATEMENT EXECUTE FUNCTION {call}"
        for kind in kinds
    ]


DUE: Final = [
    QUEUE,
    QUEUE_STOCK,
    QUEUE_RULES,
    *(
        trigger
        for table, (product, joined) in WATCHED.items()
        for trigger in _due(
            table,
            f"queue_collection_due('{product}', '{joined}')",
            ("INSERT", "UPDATE") if table == "product" else tuple(ROWS),
        )
    ),
    *_due("stock_level", "queue_collection_due_of_stock()"),
    *_due("collection", "queue_collection_due_of_rules()", ("INSERT", "UPDATE")),
]
for statement in DUE:
    event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
