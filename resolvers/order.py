"""Orders and their lines."""

from sqlalchemy import select

from db import Customer, Order, OrderLine
from domain import order as orders
from resolvers import ids
from resolvers.batches import many, one
from resolvers.context import Ctx

order_by_id = one(select(Order), Order.id)
LINES = select(*OrderLine.__table__.c, Order.currency).join(Order, Order.id == OrderLine.order_id)
lines_of_order = many(LINES.order_by(OrderLine.position), OrderLine.order_id)
line_by_id = one(LINES, OrderLine.id)
customer_by_id = one(select(Customer), Customer.id)


async def order(ctx: Ctx, order_id: str, access_token: str | None) -> Order | None:
    return await orders.find(ctx.read, ids.decode("Order", order_id, "id"), ctx.actor, ctx.order_access(access_token))
