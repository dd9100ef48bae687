"""Carts and their lines: kept after completion, apart from the order that they became."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Metadata, Minor, one_of
from db.notification import LOCALE

MOST_METADATA = 8192
"""Bytes of the metadata of one thing, as PostgreSQL writes it."""


class CartStatus(StrEnum):
    OPEN = "open"
    PAYING = "paying"
    """A payment attempt is undecided; every write is refused until it is."""
    COMPLETED = "completed"


class Cart(Base):
    __tablename__ = "cart"
    __table_args__ = (
        one_of("status", CartStatus),
        CheckConstraint(f"locale {LOCALE}", name="locale"),
        # A way of delivery belongs to the cart's region, whatever becomes of either.
        ForeignKeyConstraint(["delivery_option_id", "region_id"], ["delivery_option.id", "delivery_option.region_id"]),
        CheckConstraint(f"octet_length(metadata::text) <= {MOST_METADATA}", name="metadata"),
        Index("uq_cart_token_hash", "token_hash", unique=True, postgresql_where=text("token_hash <> ''")),
        Index("ix_cart_open_since", "updated_at", postgresql_where=text("status = 'open'")),
    )

    id: Mapped[Id]
    token_hash: Mapped[str]
    """SHA-256 of the secret that a guest proves the cart with."""
    status: Mapped[CartStatus] = mapped_column(Text, server_default="open")
    region_id: Mapped[UUID] = mapped_column(ForeignKey("region.id"))
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channel.id"))
    """Where it was begun; its lines are for sale there or not at all."""
    currency: Mapped[str]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"), index=True)
    email: Mapped[str | None]
    locale: Mapped[str | None]
    """The language in which it was begun."""
    shipping_address: Mapped[dict[str, Any] | None]
    billing_address: Mapped[dict[str, Any] | None]
    gift_card_ids: Mapped[list[UUID]] = mapped_column(server_default=text("'{}'::uuid[]"))
    """Gift cards that are to pay for it, in this order (`Balance`, none of which is ever deleted)."""
    store_credit_customer_id: Mapped[UUID | None]
    """Who said that their store credit is to pay for it; it counts while the cart is theirs."""
    delivery_option_id: Mapped[UUID | None]
    metadata_: Mapped[Metadata] = mapped_column("metadata")
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
        CheckConstraint(f"octet_length(metadata::text) <= {MOST_METADATA}", name="metadata"),
    )

    id: Mapped[Id]
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"))
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("variant.id"), index=True)
    quantity: Mapped[int]
    brief: Mapped[dict[str, Any] | None]
    brief_hash: Mapped[str] = mapped_column(server_default="")
    seen_price: Mapped[Minor | None]
    """What one unit cost when the cart was last written, in its currency; null: it was not for sale then."""
    seen_quantity: Mapped[int | None]
    """The quantity which that price is for. At another one another price is no surprise."""
    metadata_: Mapped[Metadata] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
