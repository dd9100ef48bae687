"""Paying and what is done with the money: sessions, later payments, captures, refunds, and the lists of staff."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, text

from db import Order, Payment, PaymentAttempt, PaymentEvent, PaymentOperation
from db.payment import OperationKind
from domain.money import Money, minor_units
from domain.order_payment import OrderKey, PayOrder
from domain.payment_operation import ChangePayment, RefundOrder
from domain.processes import create_payment_session as sessions
from domain.processes.create_payment_session import NewSession
from domain.processes.operate_payment import change_payment, refund_order
from domain.processes.pay import Acting
from domain.processes.pay_order import pay_order
from domain.refusal import under
from resolvers import cart, ids
from resolvers.batches import many, one
from resolvers.context import Ctx, order_token
from resolvers.page import Listed, Page, PageArgs, Sort

_PAYMENTS: Final = select(*Payment.__table__.c, PaymentAttempt.state.label("attempt_state")).join(
    PaymentAttempt, PaymentAttempt.id == Payment.attempt_id
)
payments_of_order = many(_PAYMENTS.order_by(Payment.id), Payment.order_id)
payment_by_id = one(_PAYMENTS, Payment.id)
operation_by_id = one(select(PaymentOperation), PaymentOperation.id)
events_of_payment = many(select(PaymentEvent).order_by(PaymentEvent.id), PaymentEvent.payment_id)
operations_of_payment = many(select(PaymentOperation).order_by(PaymentOperation.id), PaymentOperation.payment_id)
refunds_of_order = many(
    select(PaymentOperation).where(PaymentOperation.kind == OperationKind.REFUND).order_by(PaymentOperation.id),
    PaymentOperation.order_id,
)
SUMS: Final = (
    select(
        Payment.order_id,
        Payment.currency,
        func.sum(Payment.captured).label("captured"),
        func.sum(Payment.refunded).label("refunded"),
        func.sum(Payment.refund_pending).label("refund_pending"),
    )
    .join(PaymentAttempt, PaymentAttempt.id == Payment.attempt_id)
    .where(PaymentAttempt.state == "succeeded")
    .group_by(Payment.order_id, Payment.currency)
)
sums_of_order = one(SUMS, Payment.order_id)
OLDEST_FIRST: Final = Sort("payment_attempt.created_at", (PaymentAttempt.created_at, PaymentAttempt.id))
_ATTEMPTS: Final = select(PaymentAttempt)
_UNDECIDED: Final = _ATTEMPTS.where(
    text("payment_attempt.state IN ('started', 'action_required')"),
    PaymentAttempt.created_at <= bindparam("since"),
)
all_attempts = Listed(_ATTEMPTS, OLDEST_FIRST)
undecided_attempts = Listed(_UNDECIDED, OLDEST_FIRST)


async def create_session(ctx: Ctx, given: Any) -> dict[str, Any]:
    by = cart.key_of(ctx, given)
    return {"session": await sessions.for_cart(ctx.shop, by, NewSession(given.provider, given.client_data or {}))}


async def create_order_session(ctx: Ctx, given: Any) -> dict[str, Any]:
    new = NewSession(given.provider, given.client_data or {})
    return {"session": await sessions.for_order(ctx.shop, _order_key(ctx, given), new)}


def _order_key(ctx: Ctx, given: Any) -> OrderKey:
    order_id = ids.decode("Order", given.order_id, "order_id")
    return OrderKey(order_id, ctx.actor, ctx.order_access(given.access_token))


async def pay(ctx: Ctx, given: Any) -> dict[str, Any]:
    expected = _money(given.expected_amount, "expected_amount")
    session_id = ids.decode("PaymentSession", given.payment_session_id, "payment_session_id")
    command = PayOrder(_order_key(ctx, given), expected, given.idempotency_key, session_id)
    outcome = await pay_order(ctx.shop, command)
    if isinstance(outcome, Acting):
        return {"next_action": outcome.next_action}
    return {"order": outcome.order, "access_token": order_token(ctx, outcome.order)}


def _money(given: Any, *path: str) -> Money:
    with under(*path):
        return Money(minor_units(given.amount, given.currency), given.currency)


async def refund(ctx: Ctx, given: Any) -> dict[str, Any]:
    payment = None if given.payment_id is None else ids.decode("Payment", given.payment_id, "payment_id")
    order_id = ids.decode("Order", given.order_id, "order_id")
    amount = _money(given.amount, "amount")
    command = RefundOrder(order_id, amount, given.reason or "", given.idempotency_key, payment)
    begun = await refund_order(ctx.shop, command, ctx.actor)
    refunds = [await ctx.load(operation_by_id, operation_id) for operation_id in begun]
    return {"refunds": refunds, "order": await _order(ctx, order_id)}


_ORDER: Final = select(Order).where(Order.id == bindparam("order_id"))


async def _order(ctx: Ctx, order_id: UUID) -> Order:
    return await ctx.read.one(_ORDER, order_id=order_id)


async def capture(ctx: Ctx, given: Any) -> dict[str, Any]:
    payment_id = ids.decode("Payment", given.payment_id, "payment_id")
    return await _changed(ctx, ChangePayment(payment_id, given.idempotency_key, _money(given.amount, "amount")))


async def void(ctx: Ctx, given: Any) -> dict[str, Any]:
    return await _changed(
        ctx, ChangePayment(ids.decode("Payment", given.payment_id, "payment_id"), given.idempotency_key)
    )


async def _changed(ctx: Ctx, command: ChangePayment) -> dict[str, Any]:
    operation_id = await change_payment(ctx.shop, command, ctx.actor)
    return {
        "operation": await ctx.load(operation_by_id, operation_id),
        "payment": await ctx.load(payment_by_id, command.payment_id),
    }


async def attempts(ctx: Ctx, args: PageArgs, undecided_since: Any) -> Page:
    if undecided_since is None:
        return await all_attempts.page(ctx, args)
    return await undecided_attempts.page(ctx, args, since=undecided_since)


# Only what is younger than half an hour may still decide itself.
_LONG_UNDECIDED: Final = text(
    """
    SELECT * FROM payment_attempt WHERE state IN ('started', 'action_required')
        AND created_at < clock_timestamp() - interval '30 minutes' ORDER BY created_at, id LIMIT 100
    """
)
_MISFITS: Final = text("SELECT * FROM payment_event WHERE problem IS NOT NULL ORDER BY id DESC LIMIT 100")
_FAILED: Final = text(
    """
    SELECT * FROM payment_operation WHERE state = 'failed'
        OR (state IN ('started', 'pending') AND created_at < clock_timestamp() - interval '30 minutes')
    ORDER BY id DESC LIMIT 100
    """
)
_RETURNED: Final = text(
    """
    SELECT payment.*, attempt.state AS attempt_state FROM payment
    JOIN payment_attempt AS attempt ON attempt.id = payment.attempt_id
    WHERE attempt.state IN ('failed', 'cancelled') ORDER BY payment.id DESC LIMIT 100
    """
)


async def to_review(ctx: Ctx) -> dict[str, Any]:
    """What staff should look at; the newest hundred of each kind."""
    return {
        "attempts": await ctx.read.records(_LONG_UNDECIDED),
        "events": await ctx.read.records(_MISFITS),
        "operations": await ctx.read.records(_FAILED),
        "late_payments": await ctx.read.records(_RETURNED),
    }
