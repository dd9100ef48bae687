"""Carts and their lines: kept after completion, apart from the order that they became."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Metadata, one_of


class CartStatus(StrEnum):
    OPEN = "open"
    PAYING = "paying"
    """A payment attempt is undecided; every write is refused until it is."""
    COMPLETED = "completed"


class Cart(Base):
    __tablename__ = "cart"
    __table_args__ = (one_of("status", CartStatus),)

    id: Mapped[Id]
    token_hash: Mapped[str]
    """SHA-256 of the secret that a guest proves the cart with."""
    status: Mapped[CartStatus] = mapped_column(Text, server_default="open")
    region_id: Mapped[UUID] = mapped_column(ForeignKey("region.id"))
    currency: Mapped[str]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"), index=True)
    email: Mapped[str | None]
    shipping_address: Mapped[dict[str, Any] | None]
    billing_address: Mapped[dict[str, Any] | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    completed_at: Mapped[datetime | None]


class CartLine(Base):
    """A line is its variant together with its brief: the same cup with two prints is two lines."""

    __tablename__ = "cart_line"
    __table_args__ = (
        UniqueConstraint("cart_id", "variant_id", "brief_hash"),
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="quantity"),
    )

    id: Mapped[Id]
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"))
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variant.id"), index=True)
    quantity: Mapped[int]
    brief: Mapped[dict[str, Any] | None]
    brief_hash: Mapped[str] = mapped_column(server_default="")
    metadata_: Mapped[Metadata] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
