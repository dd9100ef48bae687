"""Those who buy: their accounts, addresses and groups."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id
from db.notification import LOCALE


class Customer(Base):
    __tablename__ = "customer"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email"),
        CheckConstraint(f"locale {LOCALE}", name="locale"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    """Normalised: lower case. Of an erased customer a made-up one that reaches nobody."""
    password_hash: Mapped[str | None]
    first_name: Mapped[str] = mapped_column(server_default="")
    last_name: Mapped[str] = mapped_column(server_default="")
    phone: Mapped[str] = mapped_column(server_default="")
    locale: Mapped[str | None]
    """The language that they want to be written to in; null: that of each order."""
    confirmed_at: Mapped[datetime | None]
    """Since when the e-mail address is known to be theirs; guest orders are adopted then and not before."""
    erased_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class CustomerAddress(Base):
    """An address that a customer keeps for later orders."""

    __tablename__ = "customer_address"
    __table_args__ = (
        Index(
            "uq_customer_address_default_shipping",
            "customer_id",
            unique=True,
            postgresql_where=text("default_shipping"),
        ),
        Index(
            "uq_customer_address_default_billing", "customer_id", unique=True, postgresql_where=text("default_billing")
        ),
        Index("ix_customer_address_customer_id", "customer_id", "id"),
    )

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"))
    address: Mapped[dict[str, Any]]
    """As in carts and orders (domain/address.py)."""
    default_shipping: Mapped[bool] = mapped_column(server_default=text("false"))
    default_billing: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class CustomerGroup(Base):
    """Customers who are treated alike: prices, promotions and the like can be for a group."""

    __tablename__ = "customer_group"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]


class CustomerGroupMember(Base):
    __tablename__ = "customer_group_member"

    group_id: Mapped[UUID] = mapped_column(ForeignKey("customer_group.id", ondelete="CASCADE"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(
        ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class EmailChange(Base):
    """A new e-mail address that a customer asked for: it counts when the old and the new one have confirmed it."""

    __tablename__ = "email_change"
    __table_args__ = (CheckConstraint("new_email = lower(new_email)", name="new_email"),)

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True)
    """One at a time: asking again replaces it."""
    id: Mapped[UUID] = mapped_column(unique=True)
    """Tokens name this one, so that those of a replaced change are good for nothing."""
    new_email: Mapped[str]
    old_confirmed_at: Mapped[datetime | None]
    new_confirmed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
