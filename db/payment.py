"""Attempts to pay, what the providers reported, and the sums of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Minor, one_of


class AttemptState(StrEnum):
    STARTED = "started"
    ACTION_REQUIRED = "action_required"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNDECIDED = "state IN ('started', 'action_required')"


class PaymentAttempt(Base):
    __tablename__ = "payment_attempt"
    __table_args__ = (
        UniqueConstraint("order_id", "n"),
        one_of("state", AttemptState),
        CheckConstraint("amount >= 0", name="amount"),
        Index("uq_payment_attempt_undecided", "order_id", unique=True, postgresql_where=text(UNDECIDED)),
        Index("ix_payment_attempt_undecided_since", "created_at", postgresql_where=text(UNDECIDED)),
    )

    id: Mapped[Id]
    """Also the idempotency key under which the provider is called."""
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"))
    n: Mapped[int]
    provider: Mapped[str]
    amount: Mapped[Minor]
    currency: Mapped[str]
    cart_version: Mapped[int]
    state: Mapped[AttemptState] = mapped_column(Text, server_default="started")
    created_at: Mapped[CreatedAt]
    decided_at: Mapped[datetime | None]


class Payment(Base):
    """The sums of one successful attempt. No CHECK compares them: what a provider reports is always recorded."""

    __tablename__ = "payment"

    id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"), index=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("payment_attempt.id"), unique=True)
    provider: Mapped[str]
    currency: Mapped[str]
    authorised: Mapped[Minor] = mapped_column(server_default=text("0"))
    captured: Mapped[Minor] = mapped_column(server_default=text("0"))
    refunded: Mapped[Minor] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]


class PaymentEventKind(StrEnum):
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    VOIDED = "voided"


class PaymentEvent(Base):
    """Append-only: what a provider reported, once, however often and in whatever order it was told."""

    __tablename__ = "payment_event"
    __table_args__ = (UniqueConstraint("provider", "kind", "reference"), one_of("kind", PaymentEventKind))

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    attempt_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_attempt.id"), index=True)
    provider: Mapped[str]
    kind: Mapped[PaymentEventKind] = mapped_column(Text)
    reference: Mapped[str]
    amount: Mapped[Minor]
    currency: Mapped[str]
    at: Mapped[CreatedAt]


class IdempotencyKey(Base):
    """One effect per key: inserted in the first transaction that has an effect, so a refusal leaves none."""

    __tablename__ = "idempotency_key"

    scope: Mapped[str] = mapped_column(primary_key=True)
    mutation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    input_hash: Mapped[str]
    outcome: Mapped[dict[str, Any]]
    """Ids of what the call made; a replay reads the subject again, no bytes are stored."""
    created_at: Mapped[CreatedAt]
