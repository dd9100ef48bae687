"""Completing a cart, in transactions: PREPARE, then FINALISE or RELEASE. Paying happens in between, outside.

Each function is idempotent and safe against the others running at the same moment: the client, a retry and
the sweeper call the same ones, and whoever comes second finds the work done. Locks: cart, order, attempt, stock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, update

from db import Cart, Order, PaymentAttempt
from db import IdempotencyKey as KeptKey
from db.cart import CartStatus
from db.connection import Read, Tx
from db.order import PaymentStatus
from db.payment import AttemptState
from domain import cart as carts
from domain import idempotency, reservation
from domain import order as orders
from domain import order_snapshot as snapshot
from domain import payment as payments
from domain.assessment import Assessment, Requirement, assess
from domain.cart import AlreadyCompleted, CartKey, CartPaying
from domain.idempotency import IdempotencyKey
from domain.money import Money
from domain.payment import Authorised, Charge
from domain.refusal import ErrorCode, Refusal

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


@dataclass(frozen=True)
class CompleteCart:
    key: CartKey
    expected_total: Money
    idempotency_key: str
    provider: str = "manual"

    @property
    def claim(self) -> IdempotencyKey:
        """Of what the caller asks for; how they prove the cart to be theirs is no part of it."""
        total = self.expected_total
        asked = [total.minor, total.currency, self.provider]
        return IdempotencyKey.of(f"cart:{self.key.cart_id}", MUTATION, self.idempotency_key, asked)

    def __post_init__(self) -> None:
        _ = self.claim  # refuses what is no key


@dataclass(frozen=True)
class Placed:
    """An order and the cart that became it."""

    order: Order
    cart: Cart


@dataclass(frozen=True)
class Prepared:
    """A pending order with its attempt; or an order that is placed: there was nothing to pay, or it was paid before."""

    order_id: UUID
    attempt: PaymentAttempt | None
    placed: Placed | None = None

    @property
    def charge(self) -> Charge:
        assert self.attempt is not None
        return Charge(self.attempt.id, self.attempt.amount, self.attempt.currency)


async def prepare(tx: Tx, command: CompleteCart) -> Prepared:
    """Writes the pending order with everything as it is now, opens an attempt and holds the stock."""
    cart = await carts.lock(tx, command.key)
    known = await idempotency.claim(tx, command.claim, waits=False)  # the lock on the cart keeps others away
    if known is not None:
        return await _replay(tx, known)
    await _check_open(tx, cart)
    (assessment,) = await assess(tx, [cart])
    _check_agreed(assessment, command)
    order_id, needs = await snapshot.write(tx, cart, assessment)
    await reservation.hold(tx, order_id, needs)
    if assessment.totals.total == 0:
        placed = await _place(tx, order_id, cart.id, PaymentStatus.NOT_REQUIRED)
        prepared = Prepared(order_id, None, placed)
    else:
        attempt = await payments.open_attempt(tx, order_id, cart, command.provider, assessment.totals.total)
        await tx.run(_SET_STATUS, cart_id=cart.id, before=CartStatus.OPEN, status=CartStatus.PAYING)
        prepared = Prepared(order_id, attempt)
    attempt_id = prepared.attempt.id if prepared.attempt else None
    await idempotency.settle(tx, command.claim, {"order_id": order_id, "attempt_id": attempt_id})
    return prepared


async def finalise(tx: Tx, attempt_id: UUID, authorised: Authorised) -> Placed | None:
    """The money is promised: the order is placed. None: the attempt was given up before, nothing was placed."""
    cart_id, attempt = await payments.lock_attempt(tx, attempt_id)
    if await payments.succeed(tx, attempt, authorised):
        return await _place(tx, attempt.order_id, cart_id, PaymentStatus.AUTHORISED)
    return await placed_as(tx, attempt.order_id) if attempt.state == AttemptState.SUCCEEDED else None


async def release(tx: Tx, attempt_id: UUID, state: AttemptState) -> None:
    """The attempt came to nothing: what it held is given back and the cart is open again."""
    cart_id, attempt = await payments.lock_attempt(tx, attempt_id)
    if not await payments.decide(tx, attempt_id, state):
        return
    await reservation.release(tx, attempt.order_id)
    await tx.run(_SET_STATUS, cart_id=cart_id, before=CartStatus.PAYING, status=CartStatus.OPEN)
    if state == AttemptState.CANCELLED:  # it had no effect, so its key is free for the customer's next try
        await tx.run(
            delete(KeptKey)
            .where(KeptKey.scope == f"cart:{cart_id}", KeptKey.mutation == MUTATION)
            .where(KeptKey.outcome["attempt_id"].astext == str(attempt_id))
        )


_ORDER: Final = select(Order).where(Order.id == bindparam("order_id"))
_CART_OF_ORDER: Final = select(Cart).join(Order, Order.cart_id == Cart.id).where(Order.id == bindparam("order_id"))


async def placed_as(read: Read, order_id: UUID) -> Placed:
    """What an earlier call placed, as it is now."""
    return Placed(
        await read.one(_ORDER, order_id=order_id),
        await read.one(_CART_OF_ORDER, order_id=order_id),
    )


_SET_STATUS: Final = (
    update(Cart)
    .where(Cart.id == bindparam("cart_id"), Cart.status == bindparam("before"))
    .values(status=bindparam("status"), updated_at=func.clock_timestamp())
)


async def _replay(tx: Tx, known: Mapping[str, Any]) -> Prepared:
    """What an earlier call with the same key began, to be continued."""
    attempt_id = known["attempt_id"]
    attempt = None
    if attempt_id is not None:
        attempt = await tx.one(select(PaymentAttempt).where(PaymentAttempt.id == UUID(attempt_id)))
    return Prepared(UUID(known["order_id"]), attempt)


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


_COMPLETE: Final = (
    update(Cart)
    .where(Cart.id == bindparam("cart_id"))
    .values(status=CartStatus.COMPLETED, completed_at=func.clock_timestamp(), updated_at=func.clock_timestamp())
    .returning(Cart)
)


async def _place(tx: Tx, order_id: UUID, cart_id: UUID, payment_status: PaymentStatus) -> Placed:
    await reservation.allocate(tx, order_id)
    cart = await tx.one(_COMPLETE, cart_id=cart_id)
    return Placed(await orders.place(tx, order_id, payment_status), cart)
