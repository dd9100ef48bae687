"""Orders and their lines."""

from typing import Any

from sqlalchemy import select

from db import Order, OrderLine
from domain import order as orders
from resolvers import ids
from resolvers.batches import many, one
from resolvers.context import Ctx

LINES = select(*OrderLine.__table__.c, Order.currency).join(Order, Order.id == OrderLine.order_id)
lines_of_order = many(LINES.order_by(OrderLine.position), OrderLine.order_id)
line_by_id = one(LINES, OrderLine.id)


async def order(ctx: Ctx, by: Any, access_token: str | None) -> Order | None:
    """By id or by number; neither opens anything without the right to it."""
    named = Order.number == by.number if by.number is not None else Order.id == ids.decode("Order", by.id, "by", "id")
    return await orders.find(ctx.read, named, ctx.actor, ctx.order_access(access_token))
