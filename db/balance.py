"""Gift cards and store credit: money of customers that the shop keeps, and the ledger of it."""

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
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Minor, one_of
from db.workflow import ActorKind


class BalanceKind(StrEnum):
    GIFT_CARD = "gift_card"
    STORE_CREDIT = "store_credit"


class Balance(Base):
    """`amount` is the sum of its entries, `held` that of its active holds; what is free is the difference."""

    __tablename__ = "balance"
    __table_args__ = (
        one_of("kind", BalanceKind),
        CheckConstraint("0 <= held AND held <= amount", name="held"),
        CheckConstraint("(kind = 'store_credit') = (customer_id IS NOT NULL)", name="customer"),
        CheckConstraint(
            "num_nonnulls(code_hash, last_characters, initial_amount) = CASE kind WHEN 'gift_card' THEN 3 ELSE 0 END",
            name="gift_card",
        ),
        UniqueConstraint("customer_id", "currency"),
        Index("ix_balance_last_characters", "last_characters", "id", postgresql_where=text("kind = 'gift_card'")),
        Index("ix_balance_gift_cards", "id", postgresql_where=text("kind = 'gift_card'")),
    )

    id: Mapped[Id]
    kind: Mapped[BalanceKind] = mapped_column(Text)
    currency: Mapped[str]
    amount: Mapped[Minor] = mapped_column(server_default=text("0"))
    held: Mapped[Minor] = mapped_column(server_default=text("0"))
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    """Whose store credit it is; a gift card is whoever's who has its code."""
    code_hash: Mapped[str | None] = mapped_column(unique=True)
    """SHA-256 of the code of a gift card, which is random and shown once."""
    last_characters: Mapped[str | None]
    initial_amount: Mapped[int | None] = mapped_column(BigInteger)
    recipient_email: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class EntryReason(StrEnum):
    ISSUED = "issued"
    SPENT = "spent"
    REFUNDED = "refunded"
    ADJUSTED = "adjusted"
    EXPIRED = "expired"


class BalanceEntry(Base):
    """Append-only: a trigger refuses anything else, but that a note is forgotten with the customer it is about."""

    __tablename__ = "balance_entry"
    __table_args__ = (
        one_of("reason", EntryReason),
        one_of("actor_kind", ActorKind),
        CheckConstraint("delta <> 0", name="delta"),
        CheckConstraint("order_id IS NOT NULL OR reason NOT IN ('spent', 'refunded')", name="order_id"),
        Index("ix_balance_entry_balance_id", "balance_id", "id"),
        Index("ix_balance_entry_order_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    balance_id: Mapped[UUID] = mapped_column(ForeignKey("balance.id"))
    delta: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[EntryReason] = mapped_column(Text)
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("order.id"))
    actor_kind: Mapped[ActorKind] = mapped_column(Text)
    staff_id: Mapped[UUID | None]
    """No foreign keys: what was done stays, whoever goes."""
    api_key_id: Mapped[UUID | None]
    note: Mapped[str | None]
    at: Mapped[CreatedAt]


class HoldState(StrEnum):
    HELD = "held"
    SPENT = "spent"
    RELEASED = "released"


class BalanceHold(Base):
    """What an order takes of a balance. It lives and dies with the pending order: no time ends it."""

    __tablename__ = "balance_hold"
    __table_args__ = (
        one_of("state", HoldState),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("0 <= given_back AND given_back <= amount", name="given_back"),
        CheckConstraint("given_back = 0 OR state = 'spent'", name="spent"),
        Index(
            "uq_balance_hold_active",
            "order_id",
            "balance_id",
            unique=True,
            postgresql_where=text("state <> 'released'"),
        ),
        Index("ix_balance_hold_held", "balance_id", postgresql_where=text("state = 'held'")),
    )

    id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"))
    balance_id: Mapped[UUID] = mapped_column(ForeignKey("balance.id"))
    position: Mapped[int]
    """The order of spending, 1 first; it is given back in the opposite one."""
    amount: Mapped[Minor]
    state: Mapped[HoldState] = mapped_column(Text, server_default="held")
    given_back: Mapped[Minor] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]


ONLY_ADDED_TO: Final = """
CREATE FUNCTION refuse_balance_entry_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.note IS NULL AND to_jsonb(NEW) - 'note' = to_jsonb(OLD) - 'note' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the ledger of balances is only ever added to';
END $$;
"""
ENTRY_TRIGGER: Final = """
CREATE TRIGGER balance_entry_only_added_to BEFORE UPDATE OR DELETE ON balance_entry
FOR EACH ROW EXECUTE FUNCTION refuse_balance_entry_change()
"""
EMPTYING_TRIGGER: Final = """
CREATE TRIGGER balance_entry_never_emptied BEFORE TRUNCATE ON balance_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_balance_entry_change()
"""
for statement in (ONLY_ADDED_TO, ENTRY_TRIGGER, EMPTYING_TRIGGER):
    event.listen(Base.metadata, "after_create", DDL(statement))
