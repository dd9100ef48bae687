"""What was sent to customers and has arrived there."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id


class Fulfilment(Base):
    """A parcel, or whatever else went to the customer at once. It is the fact; orders and tickets follow it."""

    __tablename__ = "fulfilment"
    __table_args__ = (
        UniqueConstraint("id", "order_id"),
        CheckConstraint("delivered_at IS NULL OR delivered_at >= shipped_at", name="delivered_at"),
        Index("ix_fulfilment_order_id", "order_id", "id"),
    )

    id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"))
    carrier: Mapped[str] = mapped_column(server_default="")
    tracking_number: Mapped[str] = mapped_column(server_default="")
    tracking_url: Mapped[str] = mapped_column(server_default="")
    shipped_at: Mapped[CreatedAt]
    delivered_at: Mapped[datetime | None]
    """When the last of its lines had arrived."""


class FulfilmentLine(Base):
    """Units of an order line in a fulfilment; of each ticket of the line apart."""

    __tablename__ = "fulfilment_line"
    __table_args__ = (
        ForeignKeyConstraint(["fulfilment_id", "order_id"], ["fulfilment.id", "fulfilment.order_id"]),
        ForeignKeyConstraint(["order_line_id", "order_id"], ["order_line.id", "order_line.order_id"]),
        CheckConstraint("quantity >= 1", name="quantity"),
        Index("ix_fulfilment_line_fulfilment_id", "fulfilment_id"),
        Index("ix_fulfilment_line_order_line_id", "order_line_id"),
        Index("ix_fulfilment_line_ticket_id", "ticket_id"),
    )

    id: Mapped[Id]
    fulfilment_id: Mapped[UUID]
    order_id: Mapped[UUID]
    order_line_id: Mapped[UUID]
    ticket_id: Mapped[UUID | None] = mapped_column(ForeignKey("ticket.id"))
    """Whose units they are; null: the line has no tickets."""
    quantity: Mapped[int]
    delivered_at: Mapped[datetime | None]
