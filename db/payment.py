"""Sessions and attempts to pay, what the providers reported, the sums of it, and what is done with the money later."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, Minor, one_of


class PaymentSession(Base):
    """What a provider was told to prepare for a cart, or for an order that is paid later; no money moves by it."""

    __tablename__ = "payment_session"
    __table_args__ = (
        UniqueConstraint("provider", "reference"),
        CheckConstraint("num_nonnulls(cart_id, order_id) = 1", name="subject"),
        CheckConstraint("(cart_id IS NULL) = (cart_version IS NULL)", name="cart_version"),
    )

    id: Mapped[Id]
    """Also the idempotency key under which the provider was asked for it."""
    cart_id: Mapped[UUID | None] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"), index=True)
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("order.id"), index=True)
    provider: Mapped[str]
    reference: Mapped[str]
    """The provider's name for it."""
    amount: Mapped[Minor]
    """As the provider noted it, as is the currency: PREPARE accepts nothing but what it computed itself."""
    currency: Mapped[str]
    cart_version: Mapped[int | None]
    """The cart that the amount is of; null where an order is paid."""
    client_data: Mapped[dict[str, Any]]
    """What the provider's own code in the browser wants."""
    created_at: Mapped[CreatedAt]


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
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_session.id", ondelete="SET NULL"), index=True)
    amount: Mapped[Minor]
    currency: Mapped[str]
    cart_version: Mapped[int | None]
    """Of the cart that is completed by it; null where an order that was placed before is paid."""
    state: Mapped[AttemptState] = mapped_column(Text, server_default="started")
    next_action: Mapped[dict[str, Any] | None]
    """`{"kind", "url", "client_data", "expires_at"}`: what the customer has to do at the provider."""
    decline: Mapped[dict[str, Any] | None]
    """`{"message", "retryable"}`: why it failed."""
    created_at: Mapped[CreatedAt]
    asked_at: Mapped[datetime | None]
    """When the sweeper last asked the provider."""
    decided_at: Mapped[datetime | None]


class Payment(Base):
    """The sums of the money of one attempt. No CHECK compares them: what a provider reports is always recorded."""

    __tablename__ = "payment"

    id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"), index=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("payment_attempt.id"), unique=True)
    provider: Mapped[str]
    currency: Mapped[str]
    authorised: Mapped[Minor] = mapped_column(server_default=text("0"))
    voided: Mapped[Minor] = mapped_column(server_default=text("0"))
    """How much of what was authorised will not be captured any more."""
    captured: Mapped[Minor] = mapped_column(server_default=text("0"))
    refunded: Mapped[Minor] = mapped_column(server_default=text("0"))
    refund_pending: Mapped[Minor] = mapped_column(server_default=text("0"))
    disputed: Mapped[Minor] = mapped_column(server_default=text("0"))
    authorised_until: Mapped[datetime | None]
    """When the promise ends, where the provider says so."""
    expiry_announced_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class PaymentEventKind(StrEnum):
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    VOIDED = "voided"
    DECLINED = "declined"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"


class EventSource(StrEnum):
    """Who told it first."""

    ANSWER = "answer"
    WEBHOOK = "webhook"


class EventProblem(StrEnum):
    """Why an event was recorded and not applied."""

    UNMATCHED = "unmatched"
    AMOUNT = "amount"
    CURRENCY = "currency"
    CONTRADICTION = "contradiction"


class PaymentEvent(Base):
    """Append-only: what a provider reported, once, however often and in whatever order it was told.

    The same from an answer and from a webhook. What does not fit is kept apart, so that it stands in nobody's way.
    """

    __tablename__ = "payment_event"
    __table_args__ = (
        one_of("kind", PaymentEventKind),
        one_of("source", EventSource),
        one_of("problem", EventProblem),
        Index(
            "uq_payment_event_applied",
            "provider",
            "kind",
            "reference",
            unique=True,
            postgresql_where=text("problem IS NULL"),
        ),
        Index(
            "uq_payment_event_problem",
            "provider",
            "kind",
            "reference",
            "problem",
            "amount",
            "currency",
            unique=True,
            postgresql_where=text("problem IS NOT NULL"),
        ),
        Index("ix_payment_event_payment_id", "payment_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    attempt_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_attempt.id"), index=True)
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment.id"))
    operation_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_operation.id"), index=True)
    provider: Mapped[str]
    kind: Mapped[PaymentEventKind] = mapped_column(Text)
    reference: Mapped[str]
    """The provider's name for the operation."""
    amount: Mapped[Minor]
    currency: Mapped[str]
    source: Mapped[EventSource] = mapped_column(Text, server_default="answer")
    problem: Mapped[EventProblem | None] = mapped_column(Text)
    """Null: it counts."""
    at: Mapped[CreatedAt]


class OperationKind(StrEnum):
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class OperationState(StrEnum):
    STARTED = "started"
    """The provider's answer is not known."""
    PENDING = "pending"
    """The provider has taken it on and will tell."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"


UNFINISHED = "state IN ('started', 'pending')"
UNFINISHED_VOID = "kind = 'void' AND state IN ('started', 'pending')"


class PaymentOperation(Base):
    """What is done with money that came: captured, given up, sent back. Refunds are the ones that customers see."""

    __tablename__ = "payment_operation"
    __table_args__ = (
        one_of("kind", OperationKind),
        one_of("state", OperationState),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_payment_operation_unfinished", "created_at", postgresql_where=text(UNFINISHED)),
        Index("ix_payment_operation_payment_id", "payment_id", "id"),
        Index("ix_payment_operation_order_id", "order_id", "id"),
        Index(
            "uq_payment_operation_unfinished_void",
            "payment_id",
            unique=True,
            postgresql_where=text(UNFINISHED_VOID),
        ),
    )

    id: Mapped[Id]
    """Also the idempotency key under which the provider is called."""
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payment.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"))
    kind: Mapped[OperationKind] = mapped_column(Text)
    state: Mapped[OperationState] = mapped_column(Text, server_default="started")
    amount: Mapped[Minor]
    currency: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    problem: Mapped[str | None]
    """Why it failed, in the provider's words."""
    created_at: Mapped[CreatedAt]
    asked_at: Mapped[datetime | None]
    """When the provider was last asked."""
    decided_at: Mapped[datetime | None]


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
