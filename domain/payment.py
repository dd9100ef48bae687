"""Attempts to pay: opened one at a time for an order, decided once, by whoever comes first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import any_, bindparam, func, insert, select, text, update

from db import Cart, Order, PaymentAttempt, PaymentSession
from db.connection import Read, Tx, new_id
from db.payment import AttemptState
from domain.payment_provider import ActionRequired, Charge, Declined
from domain.refusal import ErrorCode, Refusal

MANUAL: Final = "manual"
"""The provider of those who pay outside of the shop; it needs no session."""


@dataclass(eq=False)
class PaymentDeclined(Refusal):
    """The provider said no. With `retryable` another try, perhaps with another card, may succeed."""

    retryable: bool = True
    code = ErrorCode.PAYMENT_DECLINED


@dataclass(frozen=True)
class NewAttempt:
    """What is to be paid, by whom it is asked for, and for which version of the cart; null for a placed order."""

    order_id: UUID
    provider: str
    amount: int
    currency: str
    cart_version: int | None = None
    session_id: UUID | None = None


_BEFORE: Final = select(func.coalesce(func.max(PaymentAttempt.n), 0)).where(
    PaymentAttempt.order_id == bindparam("order_id")
)
_OPENED: Final = ("id", "order_id", "provider", "amount", "currency", "cart_version", "session_id")
_OPEN_ATTEMPT: Final = (
    insert(PaymentAttempt)
    .values({name: bindparam(name) for name in _OPENED})
    .values(n=_BEFORE.scalar_subquery() + 1, created_at=func.clock_timestamp())
    .returning(PaymentAttempt)
)


async def open_attempt(tx: Tx, new: NewAttempt) -> PaymentAttempt:
    return await tx.one(
        _OPEN_ATTEMPT,
        id=new_id(),
        order_id=new.order_id,
        provider=new.provider,
        amount=new.amount,
        currency=new.currency,
        cart_version=new.cart_version,
        session_id=new.session_id,
    )


_ATTEMPT: Final = select(PaymentAttempt).where(PaymentAttempt.id == bindparam("attempt_id"))
_CHARGE: Final = (
    select(*PaymentAttempt.__table__.c, PaymentSession.reference.label("session"))
    .outerjoin(PaymentSession, PaymentSession.id == PaymentAttempt.session_id)
    .where(PaymentAttempt.id == bindparam("attempt_id"))
)


async def find(read: Read, attempt_id: UUID) -> PaymentAttempt | None:
    return await read.first(_ATTEMPT, attempt_id=attempt_id)


async def charge_of(read: Read, attempt: PaymentAttempt) -> Charge:
    """What the provider is asked about the attempt."""
    session = None
    if attempt.session_id is not None:
        (row,) = await read.records(_CHARGE, attempt_id=attempt.id)
        session = row.session
    return Charge(attempt.id, attempt.amount, attempt.currency, session)


# PostgreSQL locks the tables in the order in which FROM names them; a test holds that.
_LOCK_ATTEMPT: Final = (
    select(*PaymentAttempt.__table__.c, Order.cart_id)
    .select_from(Cart)
    .join(Order, Order.cart_id == Cart.id)
    .join(PaymentAttempt, PaymentAttempt.order_id == Order.id)
    .where(PaymentAttempt.id == bindparam("attempt_id"))
    .with_for_update()
)


async def lock_attempt(tx: Tx, attempt_id: UUID) -> tuple[UUID, PaymentAttempt]:
    """Locks cart, order and attempt, in that order; returns the cart's id and the attempt."""
    (attempt,) = await tx.records(_LOCK_ATTEMPT, attempt_id=attempt_id)
    return attempt.cart_id, attempt


_UNDECIDED: Final = PaymentAttempt.state == any_(cast(Any, [AttemptState.STARTED, AttemptState.ACTION_REQUIRED]))
_DECIDE: Final = (
    update(PaymentAttempt)
    .where(PaymentAttempt.id == bindparam("attempt_id"), _UNDECIDED)
    .values(state=bindparam("state"), decline=bindparam("decline"), decided_at=func.clock_timestamp())
)


async def decide(tx: Tx, attempt_id: UUID, state: AttemptState, declined: Declined | None = None) -> bool:
    """Closes an undecided attempt; false when it was decided before, by whomever."""
    decline = None if declined is None else {"message": declined.message, "retryable": declined.retryable}
    return await tx.run(_DECIDE, attempt_id=attempt_id, state=state, decline=decline) == 1


_REVIVE: Final = (
    update(PaymentAttempt)
    .where(PaymentAttempt.id == bindparam("attempt_id"), ~_UNDECIDED)
    .values(state=AttemptState.SUCCEEDED, decline=None, decided_at=func.clock_timestamp())
)


async def revive(tx: Tx, attempt_id: UUID) -> None:
    """Its money came after it was given up, and is taken after all."""
    await tx.run(_REVIVE, attempt_id=attempt_id)


_REQUIRE_ACTION: Final = (
    update(PaymentAttempt)
    .where(PaymentAttempt.id == bindparam("attempt_id"), _UNDECIDED)
    .values(state=AttemptState.ACTION_REQUIRED, next_action=bindparam("action"))
)


async def require_action(tx: Tx, attempt_id: UUID, action: ActionRequired) -> bool:
    """Keeps what the customer has to do; false when the attempt was decided meanwhile."""
    return await tx.run(_REQUIRE_ACTION, attempt_id=attempt_id, action=action_data(action)) == 1


def action_data(action: ActionRequired) -> dict[str, Any]:
    return {
        "kind": action.kind,
        "url": action.url,
        "client_data": dict(action.client_data),
        "expires_at": action.expires_at.isoformat() if action.expires_at else None,
    }


def declined_as(attempt: PaymentAttempt) -> PaymentDeclined:
    """How a failed attempt is told, however often."""
    decline: Mapping[str, Any] = attempt.decline or {}
    return PaymentDeclined(
        decline.get("message") or "The payment was declined.", retryable=decline.get("retryable", True)
    )


# What says nothing of its end has an hour.
_ABANDONED: Final = text(
    """
    SELECT *, clock_timestamp() > coalesce(CAST(next_action ->> 'expires_at' AS timestamptz),
        created_at + interval '1 hour') AS action_over
    FROM payment_attempt
    WHERE state IN ('started', 'action_required')
        AND coalesce(asked_at, created_at) < clock_timestamp() - make_interval(secs => :seconds)
    ORDER BY random() LIMIT :most
    """
)


async def abandoned(read: Read, seconds: float, most: int = 100) -> list[Any]:
    """Attempts that are undecided and about which the provider has not been asked for so long; `action_over` says that
    the customer had their time for what they had to do.

    Any of them, so that those whose provider is away do not keep others from their turn.
    """
    return await read.records(_ABANDONED, seconds=float(seconds), most=most)


_ASKED: Final = text("UPDATE payment_attempt SET asked_at = clock_timestamp() WHERE id = :attempt_id")


async def asked(tx: Tx, attempt_id: UUID) -> None:
    """The provider was asked and the attempt is undecided still: it is asked again after a while."""
    await tx.run(_ASKED, attempt_id=attempt_id)
