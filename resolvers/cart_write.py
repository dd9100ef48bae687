"""Carts: beginning one, changing one. Every write ends with what the cart comes to, in its own transaction."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast
from uuid import UUID

from db import Cart, Order
from db.connection import Tx
from db.workflow import ActorKind
from domain import address, cart_merge, reorder
from domain import cart as carts
from domain import cart_line as cart_lines
from domain import order as orders
from domain.actor import Actor
from domain.address import Address
from domain.assessment import Assessment, acknowledge
from domain.cart_line import AddLine, ChangeLine
from domain.cart_warning import outside, price_changes
from domain.processes.merge_carts import merge_at_sign_in
from domain.processes.quote_delivery import choose_delivery
from domain.refusal import NotFound, gathered, under
from domain.warning import Notice
from resolvers import ids
from resolvers.cart import key_of, noticed, shown_as_assessed
from resolvers.context import Ctx

Write = Callable[[Tx, Cart], Awaitable[Cart]]


async def _written(ctx: Ctx, given: Any, write: Write) -> Assessment:
    """Locks the caller's cart, changes it and assesses it, all in one transaction."""
    by = key_of(ctx, given)
    async with ctx.shop.tx() as tx:
        return await acknowledge(tx, await write(tx, await carts.lock_open(tx, by)))


def _payload(ctx: Ctx, assessment: Assessment, more: Iterable[Notice] = ()) -> dict[str, Any]:
    """Prices that had changed since the write before are told with whatever else there is."""
    notices = [*price_changes(assessment), *more]
    return {"cart": shown_as_assessed(ctx, assessment), "warnings": noticed(notices)}


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    email = address.normalised_email(given.email) if given.email is not None else None
    lines = _added(given.lines or [])
    region, channel = await ctx.region(), await ctx.channel()
    async with ctx.shop.tx() as tx:
        empty, token = await carts.create(tx, region, ctx.actor, email, channel, locale=_locale(ctx))
        assessment = await acknowledge(tx, await cart_lines.add_lines(tx, empty, lines))
    return {**_payload(ctx, assessment), "token": token}


async def create_from_order(ctx: Ctx, given: Any) -> dict[str, Any]:
    """The order is one that the caller may see; what it is bought for now is today's price in their region."""
    named = Order.id == ids.decode("Order", given.order_id, "order_id")
    order = await orders.find(ctx.read, named, ctx.actor, ctx.order_access(given.access_token))
    if order is None:
        raise NotFound(path=("order_id",))
    region, channel = await ctx.region(), await ctx.channel()
    async with ctx.shop.tx() as tx:
        empty, token = await carts.create(tx, region, ctx.actor, None, channel, locale=_locale(ctx))
        filled, left_out = await reorder.fill_from_order(tx, empty, order.id)
        assessment = await acknowledge(tx, filled)
    return {**_payload(ctx, assessment, left_out), "token": token}


def _locale(ctx: Ctx) -> str | None:
    """In which its customer is written to about the order."""
    return next(iter(ctx.locales), None)


def _added(lines: list[Any]) -> list[AddLine]:
    return gathered(
        [
            (
                ("lines", str(i)),
                lambda line=line: AddLine(
                    ids.decode("Variant", line.variant_id, "variant_id"), line.quantity, line.brief
                ),
            )
            for i, line in enumerate(lines)
        ]
    )


async def add_lines(ctx: Ctx, given: Any) -> dict[str, Any]:
    commands = _added(given.lines)
    return _payload(ctx, await _written(ctx, given, lambda tx, cart: cart_lines.add_lines(tx, cart, commands)))


async def update_lines(ctx: Ctx, given: Any) -> dict[str, Any]:
    commands = gathered(
        [
            (
                ("lines", str(i)),
                lambda line=line: ChangeLine(ids.decode("CartLine", line.line_id, "line_id"), line.quantity),
            )
            for i, line in enumerate(given.lines)
        ]
    )
    return _payload(ctx, await _written(ctx, given, lambda tx, cart: cart_lines.change_lines(tx, cart, commands)))


async def remove_lines(ctx: Ctx, given: Any) -> dict[str, Any]:
    lines = gathered(
        [
            (("line_ids", str(i)), lambda line_id=line_id: ids.decode("CartLine", line_id))
            for i, line_id in enumerate(given.line_ids)
        ]
    )
    return _payload(ctx, await _written(ctx, given, lambda tx, cart: cart_lines.remove_lines(tx, cart, lines)))


async def set_brief(ctx: Ctx, given: Any) -> dict[str, Any]:
    line_id = ids.decode("CartLine", given.line_id, "line_id")
    merged: list[Notice] = []

    async def write(tx: Tx, cart: Cart) -> Cart:
        changed, notices = await cart_lines.set_brief(tx, cart, line_id, given.brief)
        merged.extend(notices)
        return changed

    return _payload(ctx, await _written(ctx, given, write), merged)


async def set_metadata(ctx: Ctx, given: Any) -> dict[str, Any]:
    """Of the cart, or of one of its lines."""
    line_id = ids.decode("CartLine", given.line_id, "line_id") if given.line_id is not None else None

    async def write(tx: Tx, cart: Cart) -> Cart:
        if line_id is None:
            return await carts.set_metadata(tx, cart, given.metadata)
        return await cart_lines.set_metadata(tx, cart, line_id, given.metadata)

    return _payload(ctx, await _written(ctx, given, write))


async def set_customer(ctx: Ctx, given: Any) -> dict[str, Any]:
    email = address.normalised_email(given.email)
    return _payload(ctx, await _written(ctx, given, lambda tx, cart: carts.set_customer(tx, cart, ctx.actor, email)))


async def set_addresses(ctx: Ctx, given: Any) -> dict[str, Any]:
    parts: list[tuple[tuple[str, ...], Callable[[], Address]]] = [
        (("shipping_address",), lambda: _address(given.shipping_address))
    ]
    if given.billing_address is not None:
        parts.append((("billing_address",), lambda: _address(given.billing_address)))
    shipping, *billing = gathered(parts)
    assessment = await _written(ctx, given, lambda tx, cart: carts.set_addresses(tx, cart, shipping, *billing))
    return _payload(ctx, assessment, outside(assessment, "shipping_address", "country"))


def _address(given: Any) -> Address:
    parts = cast("dict[str, Any]", vars(given))
    return Address(**{name: value for name, value in parts.items() if value is not None})


async def set_context(ctx: Ctx, given: Any) -> dict[str, Any]:
    """Prices of another currency are told beside those that were seen in the former one."""
    by, (kind, value) = key_of(ctx, given), _place(given.to)
    with under("to"):
        region = await carts.find_region(ctx.read, kind, value)
    async with ctx.shop.tx() as tx:
        before = await carts.lock_open(tx, by)
        assessment = await acknowledge(tx, await carts.set_region(tx, before, region))
    notices = [*price_changes(assessment, before.currency), *outside(assessment, "to")]
    return {"cart": shown_as_assessed(ctx, assessment), "warnings": noticed(notices)}


def _place(to: Any) -> tuple[str, object]:
    if to.region is not None:
        return "region", ids.decode("Region", to.region, "to", "region")
    return ("country", to.country) if to.country is not None else ("currency", to.currency)


async def set_delivery(ctx: Ctx, given: Any) -> dict[str, Any]:
    by, option_id = key_of(ctx, given), ids.decode("DeliveryOption", given.option_id, "option_id")
    return _payload(ctx, await choose_delivery(ctx.shop, by, option_id))


async def merge(ctx: Ctx, given: Any) -> dict[str, Any]:
    by = key_of(ctx, given)
    into: UUID | None = None
    if given.into_cart_id is not None:
        into = ids.decode("Cart", given.into_cart_id, "into_cart_id")
    async with ctx.shop.tx() as tx:
        merged = await cart_merge.merge(tx, by, into)
        assessment = await acknowledge(tx, merged.cart)
    return {**_payload(ctx, assessment, merged.warnings), "token": merged.token}


async def merged_cart(ctx: Ctx, token: str, customer_id: UUID) -> dict[str, Any]:
    """Of the payload of a sign-in: what became of the cart that was gathered before it."""
    merged = await merge_at_sign_in(ctx.shop, token, Actor(ActorKind.CUSTOMER, customer_id))
    cart = shown_as_assessed(ctx, merged.assessment) if merged.assessment is not None else None
    return {"cart": cart, "cart_token": merged.token, "warnings": noticed(merged.warnings)}
