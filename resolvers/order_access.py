"""Opening an order without signing in, ending that, and tokens that let subscribe."""

from datetime import timedelta
from typing import Any, Final

from db import Order
from db.session import Purpose
from db.workflow import ActorKind
from domain import order as orders
from domain import order_access
from domain.actor import GUEST, OrderAccess
from domain.address import normalised_email
from domain.attempt import Limit
from domain.single_use import TokenInvalid
from resolvers import ids
from resolvers.context import Ctx
from resolvers.request_error import Unauthenticated
from resolvers.session import Limits, counted_attempt

SEND_LINK: Final = Limits(
    Limit("order link to an address", 5, timedelta(hours=1)),
    Limit("order link from an address", 50, timedelta(hours=1)),
)
SHORT_SECONDS: Final = 24 * 3600
"""What a mailed link is exchanged for: mailboxes are read by others too, so it does not last as a purchase's token."""


async def send_link(ctx: Ctx, given: Any) -> dict[str, Any]:
    email = normalised_email(given.email)
    await counted_attempt(ctx, SEND_LINK, email)
    async with ctx.shop.tx() as tx:
        await order_access.send_link(tx, given.order_number, email)
    return {}


async def exchange(ctx: Ctx, given: Any) -> dict[str, Any]:
    token_id = ctx.tokens.read_single_use_token(Purpose.ORDER_ACCESS, given.token)
    async with ctx.shop.tx() as tx:
        order = await order_access.exchange(tx, token_id)
    access = OrderAccess(order.id, order.access_version)
    return {"order": order, "access_token": ctx.tokens.order_token(access, SHORT_SECONDS), "expires_in": SHORT_SECONDS}


async def end(ctx: Ctx, given: Any) -> dict[str, Any]:
    """Shows the order to those alone who may also see it."""
    order_id = ids.decode("Order", given.order_id, "order_id")
    async with ctx.shop.tx() as tx:
        await order_access.end(tx, order_id, ctx.actor)
    return {"order": await orders.find(ctx.read, Order.id == order_id, ctx.actor, None)}


async def live_token(ctx: Ctx, given: Any) -> dict[str, Any]:
    """What it lets subscribe to: what is of the signed-in customer, and the order whose access token is there."""
    customer = ctx.actor if ctx.actor.kind == ActorKind.CUSTOMER else GUEST
    access = await _access(ctx, given.access_token)
    if customer.id is None and access is None:
        raise Unauthenticated("Sign in as a customer first, or send the access token of an order.")
    token, seconds = ctx.tokens.live_token(customer, access)
    return {"live_token": token, "expires_in": seconds}


async def _access(ctx: Ctx, given: str | None) -> OrderAccess | None:
    access = ctx.order_access(given)
    if access is not None and await order_access.is_open(ctx.read, access):
        return access
    if given is not None:
        raise TokenInvalid(path=("access_token",))
    return None
