"""Orders: what was bought, at which prices, as it was when it was bought."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Sequence, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Minor, one_of
from db.notification import LOCALE

ORDER_NUMBER = Sequence("order_number_seq", start=1001, metadata=Base.metadata)


class OrderStatus(StrEnum):
    PENDING = "pending"
    PLACED = "placed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class PaymentStatus(StrEnum):
    NOT_REQUIRED = "not_required"
    PENDING = "pending"
    AUTHORISED = "authorised"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


class FulfillmentStatus(StrEnum):
    NONE = "none"
    PARTIAL = "partial"
    FULFILLED = "fulfilled"
    DELIVERED = "delivered"
    RETURNED = "returned"


class WorkStatus(StrEnum):
    NONE = "none"
    WAITING_CUSTOMER = "waiting_customer"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class Order(Base):
    __tablename__ = "order"
    __table_args__ = (
        UniqueConstraint("cart_id"),
        UniqueConstraint("number"),
        one_of("status", OrderStatus),
        CheckConstraint(f"locale {LOCALE}", name="locale"),
        one_of("payment_status", PaymentStatus),
        one_of("fulfillment_status", FulfillmentStatus),
        one_of("work_status", WorkStatus),
        CheckConstraint("(status = 'pending') = (number IS NULL)", name="number"),
        CheckConstraint("(status = 'pending') = (placed_at IS NULL)", name="placed_at"),
        CheckConstraint("total >= 0", name="total"),
        CheckConstraint("delivery IS NOT NULL OR (shipping_net = 0 AND shipping_tax = 0)", name="delivery"),
        Index("ix_order_customer_id", "customer_id", "id"),
        Index("ix_order_guest_email", "email", "id", postgresql_where=text("customer_id IS NULL")),
    )

    id: Mapped[Id]
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("cart.id"))
    number: Mapped[int | None] = mapped_column(BigInteger)
    """Given when placed; rising, with gaps, and never a key to anything."""
    status: Mapped[OrderStatus] = mapped_column(Text, server_default="pending")
    payment_status: Mapped[PaymentStatus] = mapped_column(Text, server_default="pending")
    fulfillment_status: Mapped[FulfillmentStatus] = mapped_column(Text, server_default="none")
    work_status: Mapped[WorkStatus] = mapped_column(Text, server_default="none")
    region_id: Mapped[UUID] = mapped_column(ForeignKey("region.id"))
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channel.id"))
    currency: Mapped[str]
    tax_inclusive: Mapped[bool]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    email: Mapped[str]
    locale: Mapped[str | None]
    """The cart's: in which language its customer is written to."""
    shipping_address: Mapped[dict[str, Any]]
    billing_address: Mapped[dict[str, Any]]
    delivery: Mapped[dict[str, Any] | None]
    """`{"code", "name", "days_min", "days_max", "tax_class", "taxes"}` of how it is sent; null: it is not, or nothing
    was chosen.
    """
    subtotal: Mapped[Minor]
    shipping_net: Mapped[Minor] = mapped_column(server_default=text("0"))
    shipping_tax: Mapped[Minor] = mapped_column(server_default=text("0"))
    tax: Mapped[Minor]
    total: Mapped[Minor]
    taxes: Mapped[list[dict[str, Any]]]
    """`[{"name", "rate", "amount"}]`, the sums of the lines by rate."""
    amount_due: Mapped[Minor]
    access_version: Mapped[int] = mapped_column(server_default=text("1"))
    """Part of every guest's access token; raising it ends them all."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    placed_at: Mapped[datetime | None]


class OrderLine(Base):
    __tablename__ = "order_line"
    __table_args__ = (
        UniqueConstraint("id", "order_id"),
        UniqueConstraint("order_id", "position"),
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="quantity"),
        CheckConstraint("cancelled >= 0 AND shipped >= 0 AND cancelled + shipped <= quantity", name="fulfilment"),
        CheckConstraint("delivered BETWEEN 0 AND shipped", name="delivered"),
        CheckConstraint("net + tax = gross", name="gross"),
    )

    id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"))
    position: Mapped[int]
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variant.id"))
    title: Mapped[str]
    sku: Mapped[str | None]
    options: Mapped[list[dict[str, Any]]]
    """`[{"name", "value"}]` in the order of the product's options."""
    image_url: Mapped[str | None]
    quantity: Mapped[int]
    cancelled: Mapped[int] = mapped_column(server_default=text("0"))
    shipped: Mapped[int] = mapped_column(server_default=text("0"))
    delivered: Mapped[int] = mapped_column(server_default=text("0"))
    unit_price: Mapped[Minor]
    net: Mapped[Minor]
    tax: Mapped[Minor]
    gross: Mapped[Minor]
    taxes: Mapped[list[dict[str, Any]]]
    tax_class_code: Mapped[str | None]
    """That it had; null: it was not taxed, or was ordered before there were classes."""
    brief: Mapped[dict[str, Any] | None]
    brief_complete: Mapped[bool]
    workflow_id: Mapped[UUID | None] = mapped_column(ForeignKey("workflow.id"))
    """The ticket workflow in force when it was ordered; null: this line gets no ticket."""
