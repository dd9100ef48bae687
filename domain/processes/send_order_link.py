"""Whoever placed an order is mailed that it was placed, with a link that opens it."""

from domain import order_access
from domain.durable import Step
from domain.order import OrderPlaced
from domain.processes.shop import Shop


async def send_order_link(shop: Shop, event: OrderPlaced) -> None:
    async with shop.tx() as tx:
        await order_access.send_first_link(tx, event.order_id)


STEPS = (Step(send_order_link),)
"""It is not undone: the link is mailed by a reaction of its own."""
