"""An order that was placed gets its tickets; when units of it are cancelled, they follow."""

from domain import ticket_opening
from domain.durable import Step
from domain.order import OrderLinesCancelled, OrderPlaced
from domain.processes.shop import Shop


async def reconcile_tickets(shop: Shop, event: OrderPlaced | OrderLinesCancelled) -> None:
    async with shop.tx() as tx:
        await ticket_opening.reconcile(tx, event.order_id)


async def withdraw_tickets(shop: Shop, event: OrderPlaced) -> None:
    async with shop.tx() as tx:
        await ticket_opening.withdraw(tx, event.order_id)


STEPS = (Step(reconcile_tickets, undo=withdraw_tickets, tries=3, pause=1.0),)
FOLLOWING = (Step(reconcile_tickets, tries=3, pause=1.0),)
"""Without an undo: what is called off is not there to be put back, and a failed step has changed nothing."""
