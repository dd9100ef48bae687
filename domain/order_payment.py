"""Paying for an order that was placed before: what is due of it, and the attempt that is to pay it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select, text

from db import Order
from db.connection import Read, Tx
from domain import idempotency, payment_session
from domain import order as orders
from domain import payment as payments
from domain.actor import Actor, OrderAccess
from domain.checkout import Prepared, begun_before
from domain.idempotency import IdempotencyKey, InProgress
from domain.money import Money
from domain.payment import NewAttempt
from domain.payment_session import Payable
from domain.refusal import ErrorCode, NotFound, Refusal

MUTATION: Final = "orderPay"


@dataclass(eq=False)
class AmountDueChanged(Refusal):
    """What is to be paid of the order is not what the customer was shown; null: nothing."""

    expected: Money | None = None
    current: Money | None = None
    code = ErrorCode.AMOUNT_DUE_CHANGED


@dataclass(frozen=True)
class OrderKey:
    """How a caller names an order and proves it to be theirs: its access token, or being its customer."""

    order_id: UUID
    actor: Actor
    access: OrderAccess | None


@dataclass(frozen=True)
class PayOrder:
    key: OrderKey
    expected: Money
    idempotency_key: str
    session_id: UUID

    @property
    def claim(self) -> IdempotencyKey:
        asked = [self.expected.minor, self.expected.currency, self.session_id]
        return IdempotencyKey.of(f"order:{self.key.order_id}", MUTATION, self.idempotency_key, asked)

    def __post_init__(self) -> None:
        _ = self.claim  # refuses what is no key


# What a provider has promised needs no paying; what somebody has promised to bring (`manual`) does.
_PROMISED: Final = text(
    """
    SELECT coalesce(sum(greatest(p.authorised - p.voided - p.captured, 0)), 0) AS promised
    FROM payment AS p JOIN payment_attempt AS attempt ON attempt.id = p.attempt_id
    WHERE p.order_id = :order_id AND attempt.state = 'succeeded' AND p.provider <> 'manual'
    """
)
_UNDER_WAY: Final = text(
    "SELECT id FROM payment_attempt WHERE order_id = :order_id AND state IN ('started', 'action_required')"
)
_LOCK: Final = select(Order.id).where(Order.id == bindparam("order_id")).with_for_update()


async def find(read: Read, key: OrderKey) -> Order:
    """The caller's own order; that of anybody else is not there, for staff as well."""
    mine = (Order.id == key.order_id) & orders.owned_by(key.actor, key.access)
    order = await read.first(select(Order).where(mine))
    if order is None:
        raise NotFound("There is no such order, or it is not yours.", path=("order_id",))
    return order


async def to_pay(read: Read, order: Order) -> Payable:
    """What a provider is asked for; its amount may be 0, then nothing is."""
    (money,) = await read.records(_PROMISED, order_id=order.id)
    return Payable(max(0, order.amount_due - int(money.promised)), order.currency, order_id=order.id)


async def prepare(tx: Tx, command: PayOrder) -> Prepared:
    """Opens an attempt for what is due of the order, which stays as it is."""
    await tx.records(_LOCK, order_id=command.key.order_id)
    order = await find(tx, command.key)
    known = await idempotency.claim(tx, command.claim, waits=False)  # the lock on the order keeps others away
    if known and (begun := await begun_before(tx, known)):
        return begun
    if await tx.records(_UNDER_WAY, order_id=order.id):
        raise InProgress("A payment for this order is under way.", path=("order_id",))
    payable = await to_pay(tx, order)
    current = Money(payable.amount, payable.currency)
    if payable.amount == 0 or current != command.expected:
        raise AmountDueChanged(
            "Something else is due of this order.",
            path=("expected_amount",),
            expected=command.expected,
            current=current,
        )
    session = await payment_session.find(tx, command.session_id, payable)
    new = NewAttempt(order.id, session.provider, payable.amount, payable.currency, session_id=session.id)
    attempt = await payments.open_attempt(tx, new)
    await idempotency.settle(tx, command.claim, {"order_id": order.id, "attempt_id": attempt.id})
    return Prepared(order.id, attempt)
