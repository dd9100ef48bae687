"""What lies where, what is promised of it, and every change of it."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
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

from db.base import Base, CreatedAt, Id, one_of
from db.workflow import ActorKind


class ReservationState(StrEnum):
    HELD = "held"
    ALLOCATED = "allocated"
    SHIPPED = "shipped"
    RELEASED = "released"


class StockMovementReason(StrEnum):
    """Why units came or went."""

    IMPORT = "import"
    COUNT = "count"
    ADJUSTMENT = "adjustment"
    RECEIPT = "receipt"
    LOSS = "loss"
    TRANSFER = "transfer"
    SHIPMENT = "shipment"
    RETURN = "return"
    REPAIR = "repair"


class StockLocation(Base):
    __tablename__ = "stock_location"

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    priority: Mapped[int]
    """1 is taken from first."""
    archived_at: Mapped[datetime | None]
    """Nothing lies there and nothing comes there any more."""


class StockItem(Base):
    """A thing that lies on a shelf. A variant needs one or, as a bundle, several."""

    __tablename__ = "stock_item"

    id: Mapped[Id]
    title: Mapped[str]
    sku: Mapped[str | None] = mapped_column(unique=True)
    """Its own number. Null for one that was made with its variant, which has one."""
    created_at: Mapped[CreatedAt]


class VariantStockItem(Base):
    __tablename__ = "variant_stock_item"
    __table_args__ = (CheckConstraint("quantity >= 1", name="quantity"),)

    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"), primary_key=True)
    stock_item_id: Mapped[UUID] = mapped_column(ForeignKey("stock_item.id"), primary_key=True, index=True)
    quantity: Mapped[int] = mapped_column(server_default=text("1"))
    """How many of the item one unit of the variant takes."""


class StockLevel(Base):
    """available = on_hand - reserved - allocated; the CHECK `promised` is what forbids overselling.

    Shortage is what is owed too much, no more and no less, and only what lies there or may be owed becoming less
    raises it: CHECK `owed` and a trigger. Another trigger keeps archived locations empty.
    """

    __tablename__ = "stock_level"
    __table_args__ = (
        UniqueConstraint("stock_item_id", "location_id"),
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("allocated >= 0", name="allocated"),
        CheckConstraint("backorder_limit >= 0", name="backorder_limit"),
        CheckConstraint("shortage >= 0", name="shortage"),
        CheckConstraint("reserved + allocated <= on_hand + backorder_limit + shortage", name="promised"),
        CheckConstraint("shortage = 0 OR shortage = reserved + allocated - on_hand - backorder_limit", name="owed"),
        CheckConstraint("on_hand <= 1000000000 AND backorder_limit <= 1000000000", name="most"),
        Index("ix_stock_level_short", "id", postgresql_where=text("shortage > 0")),
    )

    id: Mapped[Id]
    stock_item_id: Mapped[UUID] = mapped_column(ForeignKey("stock_item.id"))
    location_id: Mapped[UUID] = mapped_column(ForeignKey("stock_location.id"), index=True)
    on_hand: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    reserved: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    allocated: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    backorder_limit: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    shortage: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class StockReservation(Base):
    """What one order line holds of one level. Shipping and releasing read this, never today's bundle recipe."""

    __tablename__ = "stock_reservation"
    __table_args__ = (
        ForeignKeyConstraint(
            ["order_line_id", "order_id"],
            ["order_line.id", "order_line.order_id"],
            name="fk_reservation_line",
        ),
        one_of("state", ReservationState),
        CheckConstraint("quantity >= 1", name="quantity"),
        CheckConstraint("per_unit >= 1", name="per_unit"),
        CheckConstraint("restocked BETWEEN 0 AND quantity", name="restocked"),
        CheckConstraint("restocked = 0 OR state = 'shipped'", name="restocked_shipped"),
        Index("ix_stock_reservation_order_id", "order_id"),
        Index("ix_stock_reservation_order_line_id", "order_line_id"),
        Index(
            "ix_stock_reservation_level",
            "stock_level_id",
            postgresql_where=text("state IN ('held', 'allocated')"),
        ),
    )

    id: Mapped[Id]
    order_id: Mapped[UUID]
    order_line_id: Mapped[UUID | None]
    """Null where a hold was released: a later attempt may write other lines."""
    stock_level_id: Mapped[UUID] = mapped_column(ForeignKey("stock_level.id"))
    quantity: Mapped[int]
    per_unit: Mapped[int] = mapped_column(server_default=text("1"))
    """How many of the item one unit of the line took, by the recipe of then."""
    restocked: Mapped[int] = mapped_column(server_default=text("0"))
    """How many of those that were shipped came back to a shelf."""
    state: Mapped[ReservationState] = mapped_column(Text, server_default="held")
    created_at: Mapped[CreatedAt]


class StockMovement(Base):
    """Append-only: `on_hand` of a level is the sum of its movements."""

    __tablename__ = "stock_movement"
    __table_args__ = (
        CheckConstraint("delta <> 0", name="delta"),
        one_of("reason", StockMovementReason),
        one_of("actor_kind", ActorKind),
        Index("ix_stock_movement_stock_level_id", "stock_level_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    stock_level_id: Mapped[UUID] = mapped_column(ForeignKey("stock_level.id"))
    delta: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[StockMovementReason] = mapped_column(Text)
    at: Mapped[CreatedAt]
    actor_kind: Mapped[ActorKind] = mapped_column(Text, server_default="system")
    staff_id: Mapped[UUID | None]
    """No foreign keys: what was done stays, whoever goes."""
    api_key_id: Mapped[UUID | None]
    order_id: Mapped[UUID | None]
    """The order that units went out for, or came back from."""
    note: Mapped[str] = mapped_column(server_default="")


class StockSetting(Base):
    """One row, or none: the defaults. In the database, since triggers go by it."""

    __tablename__ = "stock_setting"
    __table_args__ = (
        CheckConstraint("id = 1", name="one"),
        CheckConstraint("shown_quantity BETWEEN 1 AND 1000000", name="shown_quantity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, server_default=text("1"))
    shown_quantity: Mapped[int] = mapped_column(server_default=text("10"))
    """Shoppers are told of no more units than this."""


ONLY_ADDED_TO: Final = """
CREATE FUNCTION refuse_movement_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stock movements are only ever added to';
END $$;
"""
MOVEMENT_TRIGGER: Final = """
CREATE TRIGGER stock_movement_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_movement
FOR EACH STATEMENT EXECUTE FUNCTION refuse_movement_change()
"""
REFUSE_SHORTAGE: Final = """
CREATE FUNCTION refuse_shortage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'only a count, a loss or a lowered limit makes stock short' USING ERRCODE = 'check_violation';
END $$;
"""
SHORTAGE_TRIGGER: Final = """
CREATE TRIGGER stock_level_shortage BEFORE UPDATE ON stock_level FOR EACH ROW
WHEN (NEW.shortage > OLD.shortage AND (NEW.reserved + NEW.allocated > OLD.reserved + OLD.allocated
    OR NEW.on_hand + NEW.backorder_limit >= OLD.on_hand + OLD.backorder_limit))
EXECUTE FUNCTION refuse_shortage()
"""
# FOR SHARE waits for whoever archives the location, and keeps it from being archived until this is committed.
REFUSE_ARCHIVED: Final = """
CREATE FUNCTION refuse_archived_location() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM stock_location WHERE id = NEW.location_id AND archived_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the stock location is archived' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""
ARCHIVED_TRIGGERS: Final = (
    """
CREATE TRIGGER stock_level_new_location BEFORE INSERT ON stock_level FOR EACH ROW
WHEN (NEW.on_hand + NEW.backorder_limit > 0) EXECUTE FUNCTION refuse_archived_location()
""",
    """
CREATE TRIGGER stock_level_location BEFORE UPDATE ON stock_level FOR EACH ROW
WHEN (NEW.on_hand > OLD.on_hand OR NEW.backorder_limit > OLD.backorder_limit OR NEW.location_id <> OLD.location_id)
EXECUTE FUNCTION refuse_archived_location()
""",
)
STOCK_RULES: Final = (
    ONLY_ADDED_TO,
    MOVEMENT_TRIGGER,
    REFUSE_SHORTAGE,
    SHORTAGE_TRIGGER,
    REFUSE_ARCHIVED,
    *ARCHIVED_TRIGGERS,
)
for statement in STOCK_RULES:
    event.listen(Base.metadata, "after_create", DDL(statement))
