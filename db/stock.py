"""What lies where, what is promised of it, and every change of it."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, one_of


class ReservationState(StrEnum):
    HELD = "held"
    ALLOCATED = "allocated"
    SHIPPED = "shipped"
    RELEASED = "released"


class StockLocation(Base):
    __tablename__ = "stock_location"

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    priority: Mapped[int]
    """1 is taken from first."""


class StockItem(Base):
    """A thing that lies on a shelf. A variant needs one or, as a bundle, several."""

    __tablename__ = "stock_item"

    id: Mapped[Id]
    title: Mapped[str]


class VariantStockItem(Base):
    __tablename__ = "variant_stock_item"
    __table_args__ = (CheckConstraint("quantity >= 1", name="quantity"),)

    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"), primary_key=True)
    stock_item_id: Mapped[UUID] = mapped_column(ForeignKey("stock_item.id"), primary_key=True, index=True)
    quantity: Mapped[int] = mapped_column(server_default=text("1"))
    """How many of the item one unit of the variant takes."""


class StockLevel(Base):
    """available = on_hand - reserved - allocated; the last CHECK is what forbids overselling."""

    __tablename__ = "stock_level"
    __table_args__ = (
        UniqueConstraint("stock_item_id", "location_id"),
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("allocated >= 0", name="allocated"),
        CheckConstraint("backorder_limit >= 0", name="backorder_limit"),
        CheckConstraint("shortage >= 0", name="shortage"),
        CheckConstraint("reserved + allocated <= on_hand + backorder_limit + shortage", name="promised"),
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
        Index("ix_stock_reservation_order_id", "order_id"),
        Index(
            "ix_stock_reservation_level",
            "stock_level_id",
            postgresql_where=text("state IN ('held', 'allocated')"),
        ),
    )

    id: Mapped[Id]
    order_id: Mapped[UUID]
    order_line_id: Mapped[UUID | None]
    """Null once released: a later attempt may write other lines."""
    stock_level_id: Mapped[UUID] = mapped_column(ForeignKey("stock_level.id"))
    quantity: Mapped[int]
    state: Mapped[ReservationState] = mapped_column(Text, server_default="held")
    created_at: Mapped[CreatedAt]


class StockMovement(Base):
    """Append-only: `on_hand` of a level is the sum of its movements."""

    __tablename__ = "stock_movement"
    __table_args__ = (CheckConstraint("delta <> 0", name="delta"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    stock_level_id: Mapped[UUID] = mapped_column(ForeignKey("stock_level.id"), index=True)
    delta: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    at: Mapped[CreatedAt]
