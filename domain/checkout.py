"""Completing a cart, in transactions: PREPARE, then FINALISE or RELEASE. Paying happens in between, outside.

Each function is idempotent and safe against the others running at the same moment: the client, a webhook, a retry and
the sweeper call the same ones, and whoever comes second finds the work done. Locks: cart, order, attempt,
balances, stock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from db import Cart, Order, PaymentAttempt, Region
from db.cart import CartStatus
from db.connection import Read, Tx
from db.payment import AttemptState, EventProblem, EventSource
from domain import balance, cover, idempotency, payment_session, reservation
from domain import cart as carts
from domain import order as orders
from domain import order_snapshot as snapshot
from domain import payment as payments
from domain import payment_ledger as ledger
from domain.assessment import Assessment, Requirement, assess
from domain.cart import AlreadyCompleted, CartKey, CartPaying
from domain.event import announce
from domain.idempotency import IdempotencyKey
from domain.money import Money
from domain.payment import MANUAL, NewAttempt
from domain.payment_ledger import PaymentAuthorised, Report
from domain.payment_provider import Authorised, Captured, Declined
from domain.payment_session import Payable
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
    provider: str = MANUAL
    """Where a session is given it is the session's that counts."""
    session_id: UUID | None = None
    expected_due: Money | None = None
    """What gift cards and store credit leave of the total; only compared, where it is given."""

    @property
    def claim(self) -> IdempotencyKey:
        """Of what the caller asks for; how they prove the cart to be theirs is no part of it."""
        total = self.expected_total
        asked: list[Any] = [total.minor, total.currency, self.provider]
        asked += [self.session_id] if self.session_id else []
        asked += ["due", self.expected_due.minor] if self.expected_due else []
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


@dataclass(frozen=True)
class Late:
    """The attempt had been given up: nothing was placed. The money is recorded, and a reaction sees to it."""


@dataclass(frozen=True)
class Unfit:
    """The money is not what was asked for. It is recorded for staff, and nothing else is done."""


async def prepare(tx: Tx, command: CompleteCart) -> Prepared:
    """Writes the pending order with everything as it is now, opens an attempt and holds the stock."""
    cart = await carts.lock(tx, command.key)
    known = await idempotency.claim(tx, command.claim, waits=False)  # the lock on the cart keeps others away
    if known and (begun := await begun_before(tx, known)):
        return begun
    await _check_open(tx, cart)
    (assessment,) = await assess(tx, [cart])
    _check_agreed(assessment, command)
    cover.check(assessment.cover, cart, command.key.actor, command.expected_due)
    order_id = await write_and_hold(tx, cart, assessment)
    payable = to_pay(cart, assessment)
    if payable.amount == 0:
        placed = await place(tx, order_id, cart.id)
        prepared = Prepared(order_id, None, placed)
    else:
        attempt = await _open_attempt(tx, order_id, payable, command, assessment.region)
        await tx.run(_SET_STATUS, cart_id=cart.id, before=CartStatus.OPEN, status=CartStatus.PAYING)
        prepared = Prepared(order_id, attempt)
    attempt_id = prepared.attempt.id if prepared.attempt else None
    await idempotency.settle(tx, command.claim, {"order_id": order_id, "attempt_id": attempt_id})
    return prepared


def to_pay(cart: Cart, assessment: Assessment) -> Payable:
    """What a provider is asked for, of the cart as it is: what gift cards and store credit do not pay."""
    return Payable(assessment.cover.due, cart.currency, cart.id, cart.version)


async def write_and_hold(tx: Tx, cart: Cart, assessment: Assessment) -> UUID:
    """The cart's pending order, written anew, with everything scarce held for it."""
    order_id, needs = await snapshot.write(tx, cart, assessment)
    await balance.hold(tx, order_id, assessment.cover.takings)
    await reservation.hold(tx, order_id, needs)
    return order_id


async def _open_attempt(
    tx: Tx, order_id: UUID, payable: Payable, command: CompleteCart, region: Region
) -> PaymentAttempt:
    provider, path = command.provider, "payment_provider"
    if command.session_id is not None:
        provider, path = (await payment_session.find(tx, command.session_id, payable)).provider, "payment_session_id"
    payment_session.check_offered(region, provider, path)
    new = NewAttempt(order_id, provider, payable.amount, payable.currency, payable.cart_version, command.session_id)
    return await payments.open_attempt(tx, new)


async def finalise(
    tx: Tx, attempt_id: UUID, money: Authorised | Captured, source: EventSource = EventSource.ANSWER
) -> Placed | Late | Unfit:
    """The money is promised or has come: the order is placed, or the placed order paid; who comes second replays."""
    cart_id, attempt = await payments.lock_attempt(tx, attempt_id)
    report = Report.of(money, source)
    undecided = attempt.state in {AttemptState.STARTED, AttemptState.ACTION_REQUIRED}
    if undecided and (problem := ledger.misfit(attempt, report)):
        await ledger.note(tx, attempt.provider, report, problem, attempt_id=attempt_id)
        return Unfit()
    payment_id = await ledger.succeed(tx, attempt, report)
    if payment_id is not None:
        if isinstance(money, Authorised) and attempt.provider != MANUAL:
            await announce(tx, PaymentAuthorised(payment_id))
        if attempt.cart_version is not None:
            return await place(tx, attempt.order_id, cart_id)
        await ledger.settle(tx, attempt.order_id)
        return await placed_as(tx, attempt.order_id)
    if undecided:
        await ledger.note(tx, attempt.provider, report, EventProblem.CONTRADICTION, attempt_id=attempt_id)
        return Unfit()
    _, fresh = await ledger.record(tx, attempt, report)
    if attempt.state == AttemptState.SUCCEEDED:
        return await placed_as(tx, attempt.order_id)
    if fresh:
        await ledger.tell_late(tx, attempt_id)
    return Late()


async def release(tx: Tx, attempt_id: UUID, state: AttemptState, declined: Declined | None = None) -> None:
    """The attempt came to nothing: what it held is given back and the cart is open again."""
    cart_id, attempt = await payments.lock_attempt(tx, attempt_id)
    if not await payments.decide(tx, attempt_id, state, declined):
        return
    if attempt.cart_version is not None:
        await balance.release(tx, attempt.order_id)
        await reservation.release(tx, attempt.order_id)
        await tx.run(_SET_STATUS, cart_id=cart_id, before=CartStatus.PAYING, status=CartStatus.OPEN)
    if state == AttemptState.CANCELLED:  # it had no effect, so its key is free for the customer's next try
        scope = f"order:{attempt.order_id}" if attempt.cart_version is None else f"cart:{cart_id}"
        await idempotency.free(tx, scope, "attempt_id", attempt_id)


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


async def begun_before(tx: Tx, known: Mapping[str, Any]) -> Prepared | None:
    """What an earlier call with the same key began, to be continued; nothing if that was given up without effect."""
    attempt = None
    if (attempt_id := known["attempt_id"]) is not None:
        attempt = await payments.find(tx, UUID(attempt_id))
        assert attempt is not None
        if attempt.state == AttemptState.CANCELLED:
            await ledger.check_nothing_came(tx, attempt.id)
            return None
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


async def place(tx: Tx, order_id: UUID, cart_id: UUID) -> Placed:
    """The pending order is placed: what it holds is used."""
    await balance.spend(tx, order_id)
    await reservation.allocate(tx, order_id)
    cart = await tx.one(_COMPLETE, cart_id=cart_id)
    await ledger.settle(tx, order_id)
    return Placed(await orders.place(tx, order_id), cart)
