"""What lists and the search are ordered, filtered and counted by: rows that are derived from the catalogue.

Whatever is shown of a product is read where it is written down. These rows only say which products a page has and in
which order. Triggers note in `listing_due`, in the transaction of a write, which products it may have moved;
domain/listing_refresh.py makes their rows anew within a second. They never say who may see a product.
"""

from datetime import datetime
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
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.expression import literal_column

from db.base import Base
from db.catalog import Product
from db.changes import ROWS, quoted
from db.collection import ProductCollection

LARGEST: Final = 2**63 - 1


class ProductListing(Base):
    """What anybody who has not signed in pays for a product in a region, one unit of each variant. There from the
    moment on in which there are both, first without prices.
    """

    __tablename__ = "product_listing"
    __table_args__ = (
        Index("ix_product_listing_rising", "region_id", "rising", "product_id"),
        Index("ix_product_listing_falling", "region_id", "falling", "product_id"),
    )

    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    region_id: Mapped[UUID] = mapped_column(ForeignKey("region.id", ondelete="CASCADE"), primary_key=True)
    minimum: Mapped[int | None] = mapped_column(BigInteger)
    """Of its live variants, in minor units; null: none has a price there."""
    maximum: Mapped[int | None] = mapped_column(BigInteger)
    amounts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'::bigint[]"))
    """Each amount once."""
    in_stock: Mapped[bool] = mapped_column(server_default=text("false"))
    """Some variant with a price is ready to be sent, or is not counted."""
    buyable: Mapped[bool] = mapped_column(server_default=text("false"))
    """Or has to arrive first."""
    rising: Mapped[int] = mapped_column(BigInteger, Computed("coalesce(minimum, 9223372036854775807)", persisted=True))
    """Without a price it comes last, whichever way prices are sorted."""
    falling: Mapped[int] = mapped_column(BigInteger, Computed("coalesce(minimum, '-1'::bigint)", persisted=True))


class ProductFacet(Base):
    """Which option values live variants of a product have: `name`, U+001F, `value`."""

    __tablename__ = "product_facet"
    __table_args__ = (Index("ix_product_facet_options", "options", postgresql_using="gin"),)

    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    options: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))


class SearchDocument(Base):
    """The words of a product in a locale; in '' those that were written without one. Lexemes without positions.

    Each vector contains the one before it: the title; type, vendor, tags and numbers as well; everything.
    """

    __tablename__ = "search_document"
    __table_args__ = (
        Index("ix_search_document_codes", "codes", postgresql_using="gin"),
        Index("ix_search_document_terms", "terms", postgresql_using="gin"),
        Index("ix_search_document_document", "document", postgresql_using="gin"),
        Index("ix_search_document_length", "length", "product_id"),
    )

    product_id: Mapped[UUID] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    locale: Mapped[str] = mapped_column(primary_key=True)
    locales: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    """All locales in which the product has a document."""
    codes: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    """SKUs and barcodes of its live variants, folded."""
    length: Mapped[int]
    """Words of the title: of products that match alike the one with the shortest title comes first."""
    title: Mapped[Any] = mapped_column(TSVECTOR)
    terms: Mapped[Any] = mapped_column(TSVECTOR)
    document: Mapped[Any] = mapped_column(TSVECTOR)


class SearchTitle(Base):
    """The titles of the documents once more, in narrow rows: most searches end here, and of a frequent word many rows
    are read.
    """

    __tablename__ = "search_title"
    __table_args__ = (
        ForeignKeyConstraint(
            ["product_id", "locale"], ["search_document.product_id", "search_document.locale"], ondelete="CASCADE"
        ),
        Index("ix_search_title_title", "title", postgresql_using="gin"),
        Index("ix_search_title_length", "length", "product_id"),
    )

    product_id: Mapped[UUID] = mapped_column(primary_key=True)
    locale: Mapped[str] = mapped_column(primary_key=True)
    locales: Mapped[list[str]]
    length: Mapped[int]
    title: Mapped[Any] = mapped_column(TSVECTOR)


class SearchWord(Base):
    """A word of some document beside itself, and beside what is left of it without one of its letters if it is not
    short: two words that are one typing error apart share such a rest.
    """

    __tablename__ = "search_word"

    rest: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)


class ListingDue(Base):
    """Products whose rows are to be made anew; null: all. Several entries of one product are as good as one."""

    __tablename__ = "listing_due"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    product_id: Mapped[UUID | None]


class ListingClock(Base):
    """One row: until when windows of price lists that opened or closed were looked at."""

    __tablename__ = "listing_clock"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    looked_at: Mapped[datetime] = mapped_column(server_default=func.now())


# Small letters without marks, as people sort and search. PostgreSQL's unaccent is an extension; this is not.
FOLD: Final = r"""
CREATE FUNCTION fold(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(replace(replace(replace(translate(
        regexp_replace(lower(normalize(written, NFKD)), '[\u0300-\u036f]', '', 'g'),
        'øłđıς', 'oldiσ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
$$;
"""
# Cut off, since an entry of an index has at most 2,700 bytes.
TITLE_KEY: Final = """
CREATE FUNCTION title_key(title text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(public.fold(title), 200)
$$;
"""
# Dynamic, because the tables have different columns; a row that moves to another product concerns both.
QUEUE: Final = """
CREATE FUNCTION queue_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO listing_due (product_id) SELECT DISTINCT %s FROM %s AS c %s', TG_ARGV[0],
        CASE TG_OP WHEN 'UPDATE' THEN '(TABLE changed UNION ALL TABLE former)' ELSE 'changed' END, TG_ARGV[1]);
    RETURN NULL;
END $$;
"""
# As with kept answers each level is compared alone, before and after: sales of what there is enough of move nothing.
QUEUE_STOCK: Final = """
CREATE FUNCTION queue_listing_of_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO listing_due (product_id)
        SELECT DISTINCT v.product_id
        FROM former AS f JOIN changed AS c ON c.id = f.id
        JOIN variant_stock_item AS s ON s.stock_item_id IN (c.stock_item_id, f.stock_item_id)
        JOIN variant AS v ON v.id = s.variant_id
        WHERE c.stock_item_id <> f.stock_item_id
           OR least(greatest(c.on_hand + c.backorder_limit - c.reserved - c.allocated, 0), s.quantity)
           <> least(greatest(f.on_hand + f.backorder_limit - f.reserved - f.allocated, 0), s.quantity)
           OR least(greatest(c.on_hand - c.reserved - c.allocated, 0), s.quantity)
           <> least(greatest(f.on_hand - f.reserved - f.allocated, 0), s.quantity);
    ELSE
        INSERT INTO listing_due (product_id)
        SELECT DISTINCT v.product_id
        FROM changed AS c
        JOIN variant_stock_item AS s ON s.stock_item_id = c.stock_item_id
        JOIN variant AS v ON v.id = s.variant_id;
    END IF;
    RETURN NULL;
END $$;
"""
# In the transaction of the write, so that a product is in lists by price, at their end, before it was looked at.
OPEN: Final = """
CREATE FUNCTION open_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'product' THEN
        INSERT INTO product_listing (product_id, region_id)
        SELECT c.id, region.id FROM changed AS c CROSS JOIN region ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO product_listing (product_id, region_id)
        SELECT product.id, c.id FROM changed AS c CROSS JOIN product ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
"""
_OF_PRODUCT: Final = ("c.product_id", "")
_OF_VARIANT: Final = ("v.product_id", "JOIN variant AS v ON v.id = c.variant_id")
WATCHED: Final[dict[str, tuple[str, str]]] = {
    "product": ("c.id", ""),
    "product_option": _OF_PRODUCT,
    "option_value": ("o.product_id", "JOIN product_option AS o ON o.id = c.option_id"),
    "variant": _OF_PRODUCT,
    "variant_option_value": _OF_PRODUCT,
    "variant_stock_item": _OF_VARIANT,
    "price": _OF_VARIANT,
    "price_list": (
        "v.product_id",
        "JOIN price AS p ON p.price_list_id = c.id JOIN variant AS v ON v.id = p.variant_id",
    ),
    "region": ("NULL::uuid", ""),
}
"""By table that the rows depend on: the product of a changed row `c` in SQL, and what has to be joined for it."""
QUEUED: Final = [
    *(
        f"CREATE TRIGGER {table}_listed_{kind.lower()} AFTER {kind} ON {table} {ROWS[kind]}"
        f"FOR EACH STATEMENT EXECUTE FUNCTION queue_listing({quoted(of)}, {quoted(joined)})"
        for table, (of, joined) in WATCHED.items()
        for kind in ("INSERT", "UPDATE", "DELETE")
    ),
    *(
        f"CREATE TRIGGER stock_level_listed_{kind.lower()} AFTER {kind} ON stock_level {ROWS[kind]}"
        "FOR EACH STATEMENT EXECUTE FUNCTION queue_listing_of_stock()"
        for kind in ("INSERT", "UPDATE", "DELETE")
    ),
    *(
        f"CREATE TRIGGER {table}_listing_opened AFTER INSERT ON {table} {ROWS['INSERT']}"
        "FOR EACH STATEMENT EXECUTE FUNCTION open_listing()"
        for table in ("product", "region")
    ),
]
for _statement in (FOLD, TITLE_KEY):
    event.listen(Base.metadata, "before_create", DDL(_statement.replace("%", "%%")))
for _statement in (QUEUE, QUEUE_STOCK, OPEN, *QUEUED):
    event.listen(Base.metadata, "after_create", DDL(_statement.replace("%", "%%")))

TITLE: Final = func.title_key(Product.title, type_=Text).label("title_key")
"""What titles are sorted by."""
RANKED: Final = func.coalesce(ProductCollection.rank, literal_column("''::text"), type_=Text).label("list_rank")
"""Where a product stands in a collection; in those by rule nowhere."""
# One index for each order that lists have. Others that they filter by stand with their tables.
Index("ix_product_newest", Product.created_at, Product.id, postgresql_where=text("status = 'published'"))
Index("ix_product_title", func.title_key(Product.title), Product.id, postgresql_where=text("status = 'published'"))
Index("ix_product_tags", Product.tags, postgresql_using="gin")
Index("ix_product_type", Product.type, Product.id)
Index("ix_product_vendor", Product.vendor, Product.id)
Index("ix_product_updated", Product.updated_at, Product.id)
Index("ix_product_metadata", Product.metadata_, postgresql_using="gin", postgresql_ops={"metadata": "jsonb_path_ops"})
Index(
    "ix_product_collection_listed",
    ProductCollection.collection_id,
    func.coalesce(ProductCollection.rank, literal_column("''::text")),
    ProductCollection.product_id,
)
