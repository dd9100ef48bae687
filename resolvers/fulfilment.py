"""Fulfilments: what was sent, booked by staff and seen by whoever sees the order."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select

from db import Fulfilment, FulfilmentLine, Order
from domain import order as orders
from domain import ticket_shipment
from domain.fulfilment import Tracking
from domain.ticket_shipment import Ship, Wanted
from resolvers import ids
from resolvers.batches import many, one
from resolvers.context import Ctx

fulfilments_of_order = many(select(Fulfilment).order_by(Fulfilment.id), Fulfilment.order_id)
fulfilment_by_id = one(select(Fulfilment), Fulfilment.id)
lines_of_fulfilment = many(select(FulfilmentLine).order_by(FulfilmentLine.id), FulfilmentLine.fulfilment_id)
_ONE: Final = (
    select(Fulfilment).join(Order, Order.id == Fulfilment.order_id).where(Fulfilment.id == bindparam("fulfilment_id"))
)


async def find(ctx: Ctx, key: UUID) -> Any:
    """For who sees its order."""
    theirs = orders.visible_to(ctx.actor, ctx.order_access(None))
    return await ctx.read.first(_ONE.where(theirs), fulfilment_id=key)


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    tracking = Tracking(given.carrier, given.tracking_number, given.tracking_url)
    lines = tuple(_wanted(line, ("lines", str(i))) for i, line in enumerate(given.lines))
    command = Ship(ids.decode("Order", given.order_id, "order_id"), lines, tracking)
    async with ctx.shop.tx() as tx:
        key = await ticket_shipment.ship(tx, command, ctx.actor)
    return {"fulfilment": await ctx.load(fulfilment_by_id, key)}


def _wanted(line: Any, path: tuple[str, ...]) -> Wanted:
    ticket_id = None if line.ticket_id is None else ids.decode("Ticket", line.ticket_id, *path, "ticket_id")
    return Wanted(ids.decode("OrderLine", line.order_line_id, *path, "order_line_id"), line.quantity, ticket_id)


async def deliver(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Fulfilment", given.fulfilment_id, "fulfilment_id")
    async with ctx.shop.tx() as tx:
        await ticket_shipment.deliver(tx, key, ctx.actor)
    return {"fulfilment": await ctx.load(fulfilment_by_id, key)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Fulfilment", given.fulfilment_id, "fulfilment_id")
    tracking = {"carrier": given.carrier, "number": given.tracking_number, "url": given.tracking_url}
    async with ctx.shop.tx() as tx:
        await ticket_shipment.track(tx, key, tracking, ctx.actor)
    return {"fulfilment": await ctx.load(fulfilment_by_id, key)}
