"""An order that was placed gets its tickets."""

from domain import ticket
from domain.durable import Step
from domain.order import OrderPlaced
from domain.processes.shop import Shop


async def reconcile_tickets(shop: Shop, event: OrderPlaced) -> None:
    async with shop.tx() as tx:
        await ticket.reconcile(tx, event.order_id)


async def withdraw_tickets(shop: Shop, event: OrderPlaced) -> None:
    async with shop.tx() as tx:
        await ticket.withdraw(tx, event.order_id)


STEPS = (Step(reconcile_tickets, undo=withdraw_tickets, tries=3, pause=1.0),)
