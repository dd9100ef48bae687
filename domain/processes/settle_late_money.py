"""Money that came for an attempt which had been given up is taken if it can be, and sent back in full otherwise."""

import logging
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select, text

from db import Cart, Order, PaymentAttempt
from db.cart import CartStatus
from domain import late_payment
from domain import payment_operation as operations
from domain.assessment import assess
from domain.durable import Step
from domain.failpoint import failpoint
from domain.payment_ledger import LateMoney
from domain.processes import operate_payment
from domain.processes.quote_cart import quoted
from domain.processes.shop import Shop
from domain.refusal import Refusal, refusals_of

TOO_LATE: Final = "It came too late: there was no order for it any more."
_log = logging.getLogger(__name__)
_CART: Final = (
    select(Cart)
    .join(Order, Order.cart_id == Cart.id)
    .join(PaymentAttempt, PaymentAttempt.order_id == Order.id)
    .where(PaymentAttempt.id == bindparam("attempt_id"), Cart.status == CartStatus.OPEN)
)
_PAYMENT: Final = text("SELECT id FROM payment WHERE attempt_id = :attempt_id")


async def settle_late_money(shop: Shop, event: LateMoney) -> None:
    """Places the order if its cart is unchanged and all of it can be held again."""
    await failpoint("before_late_money")
    returning = await _take(shop, event.attempt_id)
    await failpoint("after_late_money")
    if returning is None:
        return
    async with shop.tx() as tx:
        begun = await operations.begin_return(tx, returning, TOO_LATE)
    await failpoint("after_return_begun")
    await operate_payment.run_all(shop, begun)


async def _take(shop: Shop, attempt_id: UUID) -> UUID | None:
    """None if it was taken; otherwise the payment that goes back. What others said of the cart may have expired."""
    for cart in await shop.read.all(_CART, attempt_id=attempt_id):
        await quoted(shop, (await assess(shop.read, [cart]))[0])
    try:
        async with shop.tx() as tx:
            return await late_payment.take(tx, attempt_id)
    except (Refusal, ExceptionGroup) as error:
        if not list(refusals_of(error)):
            raise
        _log.info("the money of attempt %s goes back: %s", attempt_id, error)
    (payment,) = await shop.read.records(_PAYMENT, attempt_id=attempt_id)
    return payment.id


LATE_STEPS: Final = (Step(settle_late_money),)
"""It is not undone: where it is sent back, the sweeper sees to it."""
