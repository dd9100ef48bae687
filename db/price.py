"""One table of prices: a variant's amounts by currency, region, price list and quantity; and what they were before.

`price` and `price_list` say what is; triggers write what was into the two tables of history, whatever way a change
takes, so that the lowest price of the days before a reduction can be told.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Minor, one_of


class PriceListKind(StrEnum):
    """What the rows of a list do to the regular price."""

    SALE = "sale"
    """The best of all such lists counts where it is lower than the regular price."""
    OVERRIDE = "override"
    """It is the regular price: the first list by priority that has a row."""


class PriceListStatus(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


class PriceList(Base):
    """Prices that count beside the base: for a while, or for some customers. Never deleted."""

    __tablename__ = "price_list"
    __table_args__ = (
        one_of("kind", PriceListKind),
        one_of("status", PriceListStatus),
        CheckConstraint("priority >= 1", name="priority"),
        CheckConstraint("starts_at < ends_at", name="window"),
        Index("uq_price_list_external_id", "external_id", unique=True),
    )

    id: Mapped[Id]
    name: Mapped[str]
    """For staff alone."""
    kind: Mapped[PriceListKind] = mapped_column(Text)
    status: Mapped[PriceListStatus] = mapped_column(Text, server_default="draft")
    priority: Mapped[int] = mapped_column(server_default=text("1"))
    """1 comes first."""
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    """Not included."""
    for_groups: Mapped[bool] = mapped_column(server_default=text("false"))
    """It counts for the customers of its groups alone, also when none of them is left."""
    external_id: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    valid_from: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """Since when kind, status, priority, window and `for_groups` are what they are."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class PriceListGroup(Base):
    __tablename__ = "price_list_group"

    price_list_id: Mapped[UUID] = mapped_column(ForeignKey("price_list.id"), primary_key=True)
    group_id: Mapped[UUID] = mapped_column(
        ForeignKey("customer_group.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Price(Base):
    """Gross or net as the region that reads it says; `region_id` null: any region of the currency; list null: base."""

    __tablename__ = "price"
    __table_args__ = (
        UniqueConstraint(
            "variant_id",
            "currency",
            "price_list_id",
            "region_id",
            "min_quantity",
            name="uq_price_key",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("amount >= 0 AND compare_at >= 0", name="amount"),
        CheckConstraint("min_quantity >= 1", name="min_quantity"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index(
            "ix_price_price_list_id", "price_list_id", "variant_id", postgresql_where=text("price_list_id IS NOT NULL")
        ),
        Index("ix_price_region_id", "region_id", postgresql_where=text("region_id IS NOT NULL")),
    )

    id: Mapped[Id]
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"))
    currency: Mapped[str]
    region_id: Mapped[UUID | None] = mapped_column(ForeignKey("region.id"))
    min_quantity: Mapped[int] = mapped_column(server_default=text("1"))
    amount: Mapped[Minor]
    compare_at: Mapped[Minor | None]
    created_at: Mapped[CreatedAt]
    price_list_id: Mapped[UUID | None] = mapped_column(ForeignKey("price_list.id"))
    valid_from: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """Since when it is what it is; what it was before stands in `price_history`."""


class PriceHistory(Base):
    """What a price was, and when; written by triggers alone."""

    __tablename__ = "price_history"
    __table_args__ = (
        CheckConstraint("NOT isempty(valid) AND upper(valid) IS NOT NULL", name="valid"),
        Index("ix_price_history_variant_id_currency", "variant_id", "currency"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"))
    currency: Mapped[str]
    region_id: Mapped[UUID | None] = mapped_column(ForeignKey("region.id"))
    price_list_id: Mapped[UUID | None] = mapped_column(ForeignKey("price_list.id"))
    min_quantity: Mapped[int]
    amount: Mapped[Minor]
    compare_at: Mapped[Minor | None]
    valid: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)


class PriceListHistory(Base):
    """What a price list was, and when; written by triggers alone."""

    __tablename__ = "price_list_history"
    __table_args__ = (
        CheckConstraint("NOT isempty(valid) AND upper(valid) IS NOT NULL", name="valid"),
        Index("ix_price_list_history_price_list_id", "price_list_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    price_list_id: Mapped[UUID] = mapped_column(ForeignKey("price_list.id"))
    kind: Mapped[str]
    status: Mapped[str]
    priority: Mapped[int]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    for_groups: Mapped[bool]
    valid: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)


# By the clock and not by the transaction's time: a transaction that waited for another one began before that ended.
# A variant that is deleted takes its history along, so the prices that go with it leave none.
KEEP_PRICE: Final = """
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
KEEP_PRICE_LIST: Final = """
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
HISTORY: Final = [
    KEEP_PRICE,
    KEEP_PRICE_LIST,
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
for statement in HISTORY:
    event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
