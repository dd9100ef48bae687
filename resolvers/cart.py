"""Carts: reading one, changing one, completing one."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select

from db import Cart, CartLine, Order
from db.cart import CartStatus
from db.order import OrderStatus
from domain import address
from domain import cart as carts
from domain import cart_line as cart_lines
from domain.address import Address
from domain.assessment import Assessment, assess
from domain.cart import CartKey
from domain.cart_line import AddLine, ChangeLine
from domain.checkout import CompleteCart
from domain.money import Money, minor_units
from domain.processes.complete_cart import complete_cart
from domain.refusal import gathered, under
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import one
from resolvers.catalog import variant_by_id
from resolvers.context import Ctx, order_token

cart_by_id = one(select(Cart), Cart.id)
order_of_cart = one(select(Order).where(Order.status != OrderStatus.PENDING), Order.cart_id)


async def _assess(ctx: Ctx, keys: list[Any]) -> list[Any]:
    """What the lines show of their variants was read with them."""
    assessments = await assess(ctx.read, await ctx.loaded.load_many(cart_by_id, keys))
    for line in (line for assessment in assessments for line in assessment.lines):
        ctx.loaded.prime(variant_by_id, line.row["variant_id"], line.variant)
    return assessments


assessment_of_cart = Batch("assessment of cart", _assess)


def _shown(ctx: Ctx, cart: Cart) -> Cart:
    """A cart as it was just read or written: what belongs to it is loaded for this row."""
    ctx.loaded.prime(cart_by_id, cart.id, cart)
    return cart


def lines(assessment: Assessment) -> list[dict[str, Any]]:
    """The lines of a cart with everything that they show; their variants are read in the cart's region."""
    return [
        {
            **line.row,
            "brief": None if assessment.cart.status == CartStatus.COMPLETED else line.row["brief"],
            "price": line.price,
            "total": line.total,
            "currency": assessment.totals.currency,
            "region_id": assessment.region.id,
        }
        for line in assessment.lines
    ]


async def line(ctx: Ctx, line_id: UUID) -> dict[str, Any] | None:
    """A line of a cart that is the caller's."""
    found = await ctx.read.scalar(select(CartLine.cart_id).where(CartLine.id == line_id))
    cart_id = found or line_id  # no cart has it, and to look for one takes as long as for a foreign line
    if await cart(ctx, CartKey(cart_id, ctx.cart_token, ctx.actor)) is None:
        return None
    listed = lines(await ctx.load(assessment_of_cart, cart_id))
    return next((found for found in listed if found["id"] == line_id), None)


def _key(ctx: Ctx, given: Any, *path: str) -> CartKey:
    token = given.token if given.token is not None else ctx.cart_token
    return CartKey(ids.decode("Cart", given.cart_id, *path), token, ctx.actor)


async def cart(ctx: Ctx, by: CartKey) -> Cart | None:
    found = await carts.find(ctx.read, by)
    return _shown(ctx, found) if found is not None else None


def key(ctx: Ctx, cart_id: str, token: str | None) -> CartKey:
    return CartKey(ids.decode("Cart", cart_id, "id"), token if token is not None else ctx.cart_token, ctx.actor)


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    email = address.normalised_email(given.email) if given.email is not None else None
    lines = _added(given.lines or [])
    region = await ctx.region()
    async with ctx.shop.tx() as tx:
        empty, token = await carts.create(tx, region, ctx.actor, email)
        made = await cart_lines.add_lines(tx, empty, lines)
    return {"cart": _shown(ctx, made), "token": token}


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
    by, commands = _key(ctx, given, "cart_id"), _added(given.lines)
    async with ctx.shop.tx() as tx:
        changed = await cart_lines.add_lines(tx, await carts.lock_open(tx, by), commands)
    return {"cart": _shown(ctx, changed)}


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
    by = _key(ctx, given, "cart_id")
    async with ctx.shop.tx() as tx:
        changed = await cart_lines.change_lines(tx, await carts.lock_open(tx, by), commands)
    return {"cart": _shown(ctx, changed)}


async def remove_lines(ctx: Ctx, given: Any) -> dict[str, Any]:
    lines = gathered(
        [
            (("line_ids", str(i)), lambda line_id=line_id: ids.decode("CartLine", line_id))
            for i, line_id in enumerate(given.line_ids)
        ]
    )
    by = _key(ctx, given, "cart_id")
    async with ctx.shop.tx() as tx:
        changed = await cart_lines.remove_lines(tx, await carts.lock_open(tx, by), lines)
    return {"cart": _shown(ctx, changed)}


async def set_customer(ctx: Ctx, given: Any) -> dict[str, Any]:
    by, email = _key(ctx, given, "cart_id"), address.normalised_email(given.email)
    async with ctx.shop.tx() as tx:
        changed = await carts.set_customer(tx, await carts.lock_open(tx, by), ctx.actor, email)
    return {"cart": _shown(ctx, changed)}


async def set_addresses(ctx: Ctx, given: Any) -> dict[str, Any]:
    by = _key(ctx, given, "cart_id")
    parts: list[tuple[tuple[str, ...], Callable[[], Address]]] = [
        (("shipping_address",), lambda: _address(given.shipping_address))
    ]
    if given.billing_address is not None:
        parts.append((("billing_address",), lambda: _address(given.billing_address)))
    shipping, *billing = gathered(parts)
    async with ctx.shop.tx() as tx:
        changed, inside = await carts.set_addresses(tx, await carts.lock_open(tx, by), shipping, *billing)
    return {"cart": _shown(ctx, changed), "warnings": [] if inside else [_outside(shipping)]}


def _address(given: Any) -> Address:
    parts = cast("dict[str, Any]", vars(given))
    return Address(**{name: value for name, value in parts.items() if value is not None})


def _outside(shipping: Address) -> dict[str, Any]:
    """Shipping outside of the cart's region is unusual, not forbidden."""
    return {
        "__typename": "OutsideRegion",
        "code": "outside_region",
        "message": f"{shipping.country} is not a country of the cart's region.",
        "path": ["shippingAddress", "country"],
        "country": shipping.country,
    }


async def complete(ctx: Ctx, given: Any) -> dict[str, Any]:
    by = _key(ctx, given, "cart_id")
    with under("expected_total"):
        currency = given.expected_total.currency
        expected = Money(minor_units(given.expected_total.amount, currency), currency)
    placed = await complete_cart(ctx.shop, CompleteCart(by, expected, given.idempotency_key, given.payment_provider))
    return {
        "order": placed.order,
        "access_token": order_token(ctx, placed.order),
        "cart": _shown(ctx, placed.cart),
    }
