"""Payment providers as the shop sees them, attempts to pay, and the record of what the providers report."""

from dataclasses import dataclass
from typing import Any, Final, Protocol, cast
from uuid import UUID

from sqlalchemy import any_, bindparam, func, insert, select, text, update

from db import Cart, Order, PaymentAttempt
from db.connection import Read, Tx, new_id
from db.payment import AttemptState
from domain.refusal import ErrorCode, Refusal


@dataclass(eq=False)
class PaymentDeclined(Refusal):
    """The provider said no. With `retryable` another try, perhaps with another card, may succeed."""

    retryable: bool = True
    code = ErrorCode.PAYMENT_DECLINED


@dataclass(frozen=True)
class Charge:
    """What is asked of a provider. The attempt's id is the idempotency key of every call about it."""

    attempt_id: UUID
    amount: int
    currency: str


@dataclass(frozen=True)
class Authorised:
    """The provider promises the money; `reference` is its name for the operation."""

    reference: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Declined:
    message: str
    retryable: bool = True


@dataclass(frozen=True)
class Absent:
    """The provider knows nothing of the attempt, or has cancelled it: no money will come from it."""


class PaymentProvider(Protocol):
    """Calls may fail with any exception: then nothing is known, and unknown is never taken for a failure."""

    @property
    def name(self) -> str: ...

    async def authorise(self, charge: Charge) -> Authorised | Declined:
        """Idempotent: the same charge answers the same again."""
        ...

    async def cancel(self, charge: Charge) -> Authorised | Absent:
        """Makes sure that no money can come from the attempt any more, unless it already has (Authorised)."""
        ...


_BEFORE: Final = select(func.coalesce(func.max(PaymentAttempt.n), 0)).where(
    PaymentAttempt.order_id == bindparam("order_id")
)
_OPEN_ATTEMPT: Final = (
    insert(PaymentAttempt)
    .values({name: bindparam(name) for name in ("id", "order_id", "provider", "amount", "currency", "cart_version")})
    .values(n=_BEFORE.scalar_subquery() + 1, created_at=func.clock_timestamp())
    .returning(PaymentAttempt)
)


async def open_attempt(tx: Tx, order_id: UUID, cart: Cart, provider: str, amount: int) -> PaymentAttempt:
    return await tx.one(
        _OPEN_ATTEMPT,
        id=new_id(),
        order_id=order_id,
        provider=provider,
        amount=amount,
        currency=cart.currency,
        cart_version=cart.version,
    )


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
    .values(state=bindparam("state"), decided_at=func.clock_timestamp())
)


async def decide(tx: Tx, attempt_id: UUID, state: AttemptState) -> bool:
    """Closes an undecided attempt; false when it was decided before, by whomever."""
    return await tx.run(_DECIDE, attempt_id=attempt_id, state=state) == 1


# Reported is reported, whatever became of the attempt; only an undecided one feeds the payment.
_SUCCEED: Final = text(
    """
    WITH reported AS (
        INSERT INTO payment_event (attempt_id, provider, kind, reference, amount, currency)
        VALUES (:attempt_id, :provider, 'authorised', :reference, :amount, :currency)
        ON CONFLICT DO NOTHING
    ), decided AS (
        UPDATE payment_attempt SET state = 'succeeded', decided_at = clock_timestamp()
        WHERE id = :attempt_id AND state IN ('started', 'action_required')
        RETURNING id, order_id, provider
    )
    INSERT INTO payment (id, order_id, attempt_id, provider, currency, authorised)
    SELECT CAST(:payment_id AS uuid), order_id, id, provider, :currency, :amount FROM decided
    """
)


async def succeed(tx: Tx, attempt: PaymentAttempt, authorised: Authorised) -> bool:
    """Records the provider's promise; the attempt has succeeded by it. False when it was decided before."""
    begun = await tx.run(
        _SUCCEED,
        attempt_id=attempt.id,
        provider=attempt.provider,
        reference=authorised.reference,
        amount=authorised.amount,
        currency=authorised.currency,
        payment_id=new_id(),
    )
    return begun == 1


async def abandoned(read: Read, seconds: float, most: int = 100) -> list[PaymentAttempt]:
    """Attempts that have been undecided for so long that nobody can be waiting for them any more.

    Any of them, so that those whose provider is away do not keep others from their turn.
    """
    since = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    statement = select(PaymentAttempt).where(_UNDECIDED, PaymentAttempt.created_at < since)
    return await read.all(statement.order_by(func.random()).limit(most))
