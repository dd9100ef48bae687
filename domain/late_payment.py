"""Money that came for an attempt which had been given up: it is taken after all, if everything is as it was."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select, text

from db import Cart, PaymentAttempt
from db.cart import CartStatus
from db.connection import Tx
from db.payment import AttemptState
from domain import checkout
from domain import payment as payments
from domain import payment_ledger as ledger
from domain.assessment import assess
from domain.event import announce
from domain.payment import MANUAL
from domain.payment_ledger import PaymentAuthorised

_PAYMENT: Final = text("SELECT * FROM payment WHERE attempt_id = :attempt_id FOR UPDATE")
# What a provider has promised of the order is not due of it either, and what is being paid now may come to it.
_WAITING: Final = text(
    """
    SELECT "order".amount_due - coalesce(sum(greatest(p.authorised - p.voided - p.captured, 0)) FILTER (
            WHERE attempt.state = 'succeeded' AND p.provider <> 'manual'), 0) AS due,
        bool_or(attempt.state IN ('started', 'action_required')) AS paying
    FROM "order" JOIN payment_attempt AS attempt ON attempt.order_id = "order".id
    LEFT JOIN payment AS p ON p.attempt_id = attempt.id
    WHERE "order".id = :order_id GROUP BY "order".id
    """
)
_CART: Final = select(Cart).where(Cart.id == bindparam("cart_id"))


async def take(tx: Tx, attempt_id: UUID) -> UUID | None:
    """Takes the money, and returns None; or returns the payment that has to go back.

    Raises a refusal where something cannot be held any more: then it has to go back as well, and nothing was written.
    """
    cart_id, attempt = await payments.lock_attempt(tx, attempt_id)
    found = await tx.records(_PAYMENT, attempt_id=attempt_id)
    if not found or attempt.state not in {AttemptState.FAILED, AttemptState.CANCELLED}:
        return None
    payment = found[0]
    if not _is_whole(payment, attempt) or not await _is_wanted(tx, cart_id, attempt):
        return payment.id
    await payments.revive(tx, attempt_id)
    if attempt.cart_version is None:
        await ledger.settle(tx, attempt.order_id)
    else:
        await checkout.place(tx, attempt.order_id, cart_id)
    if payment.authorised > payment.captured + payment.voided and payment.provider != MANUAL:
        await announce(tx, PaymentAuthorised(payment.id))
    return None


def _is_whole(payment: Any, attempt: PaymentAttempt) -> bool:
    """All that was asked for has come, and none of it has gone."""
    came = max(payment.authorised, payment.captured)
    gone = payment.voided or payment.refunded or payment.refund_pending or payment.disputed
    return not gone and (came, payment.currency) == (attempt.amount, attempt.currency)


async def _is_wanted(tx: Tx, cart_id: UUID, attempt: PaymentAttempt) -> bool:
    """The order still waits for exactly this money; what the cart wants is held anew."""
    if attempt.cart_version is None:
        (order,) = await tx.records(_WAITING, order_id=attempt.order_id)
        return not order.paying and order.due >= attempt.amount
    cart = await tx.one(_CART, cart_id=cart_id)
    if cart.status != CartStatus.OPEN or cart.version != attempt.cart_version:
        return False
    (assessment,) = await assess(tx, [cart])
    due = checkout.to_pay(cart, assessment)
    if assessment.requirements or (due.amount, due.currency) != (attempt.amount, attempt.currency):
        return False
    await checkout.write_and_hold(tx, cart, assessment)
    return True
