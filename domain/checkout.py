"""Completing a cart, in transactions: PREPARE, then FINALISE or RELEASE. Paying happens in between, outside.

Each function is idempotent and safe against the others running at the same moment: the client, a retry and
the sweeper call the same ones, and whoever comes second finds the work done. Locks: cart, order, attempt, stock.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import any_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db import Cart, IdempotencyKey, Order, Payment, PaymentAttempt, PaymentEvent
from db.cart import CartStatus
from db.connection import Read, Tx, new_id
from db.order import PaymentStatus
from db.payment import AttemptState, PaymentEventKind
from domain import cart as carts
from domain import order as orders
from domain import order_snapshot as snapshot
from domain import reservation
from domain.assessment import Assessment, Requirement, assess
from domain.cart import AlreadyCompleted, CartKey, CartPaying
from domain.money import Money
from domain.payment import Authorised, Charge
from domain.refusal import ErrorCode, Refusal, ValidationFailed

MUTATION = "cartComplete"


@dataclass(eq=False)
class RequirementsNotMet(Refusal):
    requirements: tuple[Requirement, ...] = ()
    code = ErrorCode.REQUIREMENTS_NOT_MET


@dataclass(eq=False)
class PriceChanged(Refusal):
    """The total is not what the customer was shown."""

    expected: Money | None = None
    current: Money | None = None
    code = ErrorCode.PRICE_CHANGED


@dataclass(eq=False)
class IdempotencyKeyReused(Refusal):
    """The key was used before, for another request."""

    code = ErrorCode.IDEMPOTENCY_KEY_REUSED


@dataclass(frozen=True)
class CompleteCart:
    key: CartKey
    expected_total: Money
    idempotency_key: str
    provider: str = "manual"

    def __post_init__(self) -> None:
        if not 1 <= len(self.idempotency_key) <= 200 or not self.idempotency_key.isprintable():
            raise ValidationFailed("An idempotency key has 1 to 200 characters.", path=("idempotency_key",))

    @property
    def input_hash(self) -> str:
        """Of what the caller asked for; how they proved the cart to be theirs is no part of it."""
        total = self.expected_total
        return hashlib.sha256(f"{total.minor} {total.currency} {self.provider}".encode()).hexdigest()

    @property
    def scope(self) -> str:
        return f"cart:{self.key.cart_id}"


@dataclass(frozen=True)
class Prepared:
    """A pending order and its attempt, or (nothing to pay, or paid before) an order that is placed."""

    order_id: UUID
    attempt: PaymentAttempt | None

    @property
    def charge(self) -> Charge:
        assert self.attempt is not None
        return Charge(self.attempt.id, self.attempt.amount, self.attempt.currency)


async def prepare(tx: Tx, command: CompleteCart) -> Prepared:
    """Writes the pending order with everything as it is now, opens an attempt and holds the stock."""
    cart = await carts.lock(tx, command.key)
    if (replayed := await _replay(tx, command)) is not None:
        return replayed
    await _check_open(tx, cart)
    (assessment,) = await assess(tx, [cart])
    _check_agreed(assessment, command)
    order_id = await snapshot.write_order(tx, cart, assessment)
    needs = await snapshot.write_lines(tx, order_id, assessment)
    await reservation.hold(tx, order_id, needs)
    if assessment.totals.total == 0:
        await _place(tx, order_id, cart.id, PaymentStatus.NOT_REQUIRED)
        attempt = None
    else:
        attempt = await _open_attempt(tx, order_id, cart, command, assessment.totals.total)
        await tx.run(update(Cart).where(Cart.id == cart.id).values(status=CartStatus.PAYING, updated_at=_now()))
    await _remember(tx, command, order_id, attempt.id if attempt else None)
    return Prepared(order_id, attempt)


async def finalise(tx: Tx, attempt_id: UUID, authorised: Authorised) -> bool:
    """The money is promised: the order is placed. False: the attempt was given up before, nothing was placed."""
    cart_id, attempt = await _lock_attempt(tx, attempt_id)
    await tx.run(
        insert(PaymentEvent)
        .values(
            attempt_id=attempt_id,
            provider=attempt.provider,
            kind=PaymentEventKind.AUTHORISED,
            reference=authorised.reference,
            amount=authorised.amount,
            currency=authorised.currency,
        )
        .on_conflict_do_nothing()
    )
    if not await _decide(tx, attempt_id, AttemptState.SUCCEEDED):
        return attempt.state == AttemptState.SUCCEEDED
    await tx.run(
        insert(Payment).values(
            id=new_id(),
            order_id=attempt.order_id,
            attempt_id=attempt_id,
            provider=attempt.provider,
            currency=authorised.currency,
            authorised=authorised.amount,
        )
    )
    await _place(tx, attempt.order_id, cart_id, PaymentStatus.AUTHORISED)
    return True


async def release(tx: Tx, attempt_id: UUID, state: AttemptState) -> None:
    """The attempt came to nothing: what it held is given back and the cart is open again."""
    cart_id, attempt = await _lock_attempt(tx, attempt_id)
    if not await _decide(tx, attempt_id, state):
        return
    await reservation.release(tx, attempt.order_id)
    await tx.run(
        update(Cart)
        .where(Cart.id == cart_id, Cart.status == CartStatus.PAYING)
        .values(status=CartStatus.OPEN, updated_at=_now())
    )
    if state == AttemptState.CANCELLED:  # it had no effect, so its key is free for the customer's next try
        await tx.run(
            delete(IdempotencyKey)
            .where(IdempotencyKey.scope == f"cart:{cart_id}", IdempotencyKey.mutation == MUTATION)
            .where(IdempotencyKey.outcome["attempt_id"].astext == str(attempt_id))
        )


async def abandoned(read: Read, seconds: float, most: int = 100) -> list[PaymentAttempt]:
    """Attempts that have been undecided for so long that nobody can be waiting for them any more.

    Any of them, so that those whose provider is away do not keep others from their turn.
    """
    since = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    undecided = PaymentAttempt.state == any_(cast(Any, [AttemptState.STARTED, AttemptState.ACTION_REQUIRED]))
    statement = select(PaymentAttempt).where(undecided, PaymentAttempt.created_at < since)
    return await read.all(statement.order_by(func.random()).limit(most))


def _now() -> Any:
    return func.clock_timestamp()


async def _replay(tx: Tx, command: CompleteCart) -> Prepared | None:
    """What an earlier call with this key began, to be continued."""
    known = await tx.first(
        select(IdempotencyKey).where(
            IdempotencyKey.scope == command.scope,
            IdempotencyKey.mutation == MUTATION,
            IdempotencyKey.key == command.idempotency_key,
        )
    )
    if known is None:
        return None
    if known.input_hash != command.input_hash:
        raise IdempotencyKeyReused("This key was used for another request; use a new one.", path=("idempotency_key",))
    attempt_id = known.outcome["attempt_id"]
    attempt = None
    if attempt_id is not None:
        attempt = await tx.one(select(PaymentAttempt).where(PaymentAttempt.id == UUID(attempt_id)))
    return Prepared(UUID(known.outcome["order_id"]), attempt)


async def _remember(tx: Tx, command: CompleteCart, order_id: UUID, attempt_id: UUID | None) -> None:
    await tx.run(
        insert(IdempotencyKey).values(
            scope=command.scope,
            mutation=MUTATION,
            key=command.idempotency_key,
            input_hash=command.input_hash,
            outcome={"order_id": order_id, "attempt_id": attempt_id},
        )
    )


async def _check_open(tx: Tx, cart: Cart) -> None:
    if cart.status == CartStatus.COMPLETED:
        raise AlreadyCompleted("This cart has become an order already.", path=("cart_id",))
    if cart.status == CartStatus.PAYING:
        attempt = await tx.first(
            select(PaymentAttempt)
            .join(Order, Order.id == PaymentAttempt.order_id)
            .where(Order.cart_id == cart.id)
            .order_by(PaymentAttempt.n.desc())
            .limit(1)
        )
        attempt_id, since = (attempt.id, attempt.created_at) if attempt else (None, cart.updated_at)
        raise CartPaying("A payment for this cart is under way.", path=("cart_id",), attempt_id=attempt_id, since=since)


def _check_agreed(assessment: Assessment, command: CompleteCart) -> None:
    if assessment.requirements:
        raise RequirementsNotMet(
            "The cart is not complete yet.", path=("cart_id",), requirements=assessment.requirements
        )
    current = Money(assessment.totals.total, assessment.totals.currency)
    if current != command.expected_total:
        raise PriceChanged(
            "The total has changed.",
            path=("expected_total",),
            expected=command.expected_total,
            current=current,
        )


async def _open_attempt(tx: Tx, order_id: UUID, cart: Cart, command: CompleteCart, amount: int) -> PaymentAttempt:
    n = select(func.coalesce(func.max(PaymentAttempt.n), 0) + 1).where(PaymentAttempt.order_id == order_id)
    return await tx.one(
        insert(PaymentAttempt)
        .values(
            id=new_id(),
            order_id=order_id,
            n=n.scalar_subquery(),
            provider=command.provider,
            amount=amount,
            currency=cart.currency,
            cart_version=cart.version,
            created_at=_now(),
        )
        .returning(PaymentAttempt)
    )


async def _lock_attempt(tx: Tx, attempt_id: UUID) -> tuple[UUID, PaymentAttempt]:
    """Locks cart, order and attempt, in that order; returns the cart's id and the attempt."""
    own = select(PaymentAttempt.order_id).where(PaymentAttempt.id == attempt_id).scalar_subquery()
    cart_id = select(Order.cart_id).where(Order.id == own).scalar_subquery()
    cart = await tx.one(select(Cart).where(Cart.id == cart_id).with_for_update())
    await tx.run(select(Order.id).where(Order.cart_id == cart.id).with_for_update())
    attempt = select(PaymentAttempt).where(PaymentAttempt.id == attempt_id).with_for_update()
    return cart.id, await tx.one(attempt)


async def _decide(tx: Tx, attempt_id: UUID, state: AttemptState) -> bool:
    """Closes an undecided attempt; false when it was decided before, by whomever."""
    undecided = PaymentAttempt.state == any_(cast(Any, [AttemptState.STARTED, AttemptState.ACTION_REQUIRED]))
    return (
        await tx.run(
            update(PaymentAttempt)
            .where(PaymentAttempt.id == attempt_id, undecided)
            .values(state=state, decided_at=_now())
        )
        == 1
    )


async def _place(tx: Tx, order_id: UUID, cart_id: UUID, payment_status: PaymentStatus) -> None:
    await reservation.allocate(tx, order_id)
    await tx.run(
        update(Cart)
        .where(Cart.id == cart_id)
        .values(status=CartStatus.COMPLETED, completed_at=_now(), updated_at=_now())
    )
    order = await tx.one(select(Order).where(Order.id == order_id))
    await orders.place(tx, order, payment_status)
