"""Paying for an order that was placed before: the same phases as a completion, but for the order, which stays."""

from domain import order_payment
from domain.checkout import Placed
from domain.failpoint import failpoint
from domain.order_payment import PayOrder
from domain.processes import pay as paying
from domain.processes.pay import Acting
from domain.processes.shop import Shop


async def pay_order(shop: Shop, command: PayOrder) -> Placed | Acting:
    """Called again with the same key it goes on where it was."""
    async with shop.tx() as tx:
        prepared = await order_payment.prepare(tx, command)
    await failpoint("after_prepare_order_payment")
    assert prepared.attempt is not None
    return await paying.pay(shop, prepared.attempt)
