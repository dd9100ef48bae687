"""Carts: reading one, completing one."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from strawberry.utils.str_converters import to_camel_case

from db import Cart, CartLine, Order
from db.cart import CartStatus
from db.order import OrderStatus
from domain import cart as carts
from domain import warning
from domain.assessment import Assessment, assess, told
from domain.cart import CartKey
from domain.cart_warning import known, short_stock
from domain.checkout import CompleteCart
from domain.delivery import Offered
from domain.money import Money, minor_units
from domain.processes.complete_cart import cancel_payment as end_payment
from domain.processes.complete_cart import complete_cart
from domain.processes.pay import Acting
from domain.processes.quote_cart import all_quoted, quoted, with_quotes
from domain.refusal import under
from domain.warning import Notice, ShortStock
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import one
from resolvers.catalog import variant_by_id
from resolvers.context import Ctx, order_token
from resolvers.place import Place

cart_by_id = one(select(Cart), Cart.id)
order_of_cart = one(select(Order).where(Order.status != OrderStatus.PENDING), Order.cart_id)


async def _assess(ctx: Ctx, keys: list[Any]) -> list[Any]:
    """Of a delivery that was chosen, a price that nobody knows any more is asked for once, and so are taxes."""
    locale = next(iter(ctx.locales), None)
    assessments = await assess(ctx.read, await ctx.loaded.load_many(cart_by_id, keys), locale)
    return [_kept(ctx, await quoted(ctx.shop, assessment)) for assessment in assessments]


def _kept(ctx: Ctx, assessment: Assessment) -> Assessment:
    """What the lines show of their variants was read with them."""
    for line in assessment.lines:
        ctx.loaded.prime(variant_by_id, line.row["variant_id"], line.variant)
    return assessment


assessment_of_cart = Batch("assessment of cart", _assess)


async def _deliveries(ctx: Ctx, keys: list[Any]) -> list[Any]:
    """With the prices of everything that could be chosen, so providers may have to be asked."""
    assessments = await ctx.loaded.load_many(assessment_of_cart, keys)
    return [await all_quoted(ctx.shop, assessment) for assessment in assessments]


async def _warnings(ctx: Ctx, keys: list[Any]) -> list[Any]:
    assessments = await ctx.loaded.load_many(assessment_of_cart, keys)
    short = await short_stock(ctx.read, [one for one in assessments if one.cart.status != CartStatus.COMPLETED])
    by_cart = {notice.line_id: notice for notices in short for notice in notices}
    return [_noticed(assessment, by_cart) for assessment in assessments]


deliveries_of_cart = Batch("deliveries of cart", _deliveries)
warnings_of_cart = Batch("warnings of cart", _warnings)


def _noticed(assessment: Assessment, short: Mapping[UUID, ShortStock]) -> list[dict[str, Any]]:
    """What was completed is agreed: nothing about it is news."""
    if assessment.cart.status == CartStatus.COMPLETED:
        return []
    of_lines = (short[line.row["id"]] for line in assessment.lines if line.row["id"] in short)
    return noticed((*known(assessment), *of_lines))


def noticed(notices: Iterable[Notice]) -> list[dict[str, Any]]:
    """Warnings as the schema shows them, their paths in its names."""
    return [{**warning.data(one), "path": [to_camel_case(part) for part in one.path]} for one in notices]


def deliveries(assessment: Assessment) -> list[dict[str, Any]]:
    return [_delivery(assessment, offered) for offered in assessment.delivery.offered]


def delivery(assessment: Assessment) -> dict[str, Any] | None:
    chosen = assessment.delivery.chosen
    return _delivery(assessment, chosen) if chosen is not None else None


def _delivery(assessment: Assessment, offered: Offered) -> dict[str, Any]:
    return {
        "option_id": offered.way.id,
        "code": offered.way.code,
        "name": offered.way.name,
        "total": offered.total,
        "currency": assessment.totals.currency,
        "days": (offered.days_min, offered.days_max),
        "is_chosen": assessment.cart.delivery_option_id == offered.way.id,
        "is_fallback": offered.is_fallback,
    }


def shown(ctx: Ctx, cart: Cart) -> Cart:
    """A cart as it was just read or written: what belongs to it is loaded for this row."""
    ctx.loaded.prime(cart_by_id, cart.id, cart)
    return cart


def shown_as_assessed(ctx: Ctx, assessment: Assessment) -> Cart:
    """The same with what it came to, unless somebody has still to be asked for a price, or it is to be shown in another
    locale than its own.
    """
    own = (ctx.locales or (assessment.cart.locale,))[0] == assessment.cart.locale
    if own and assessment.delivery.chosen_unquoted is None and not assessment.tax.is_unquoted:
        ctx.loaded.prime(assessment_of_cart, assessment.cart.id, _kept(ctx, told(assessment)))
    return shown(ctx, assessment.cart)


def lines(assessment: Assessment) -> list[dict[str, Any]]:
    """The lines of a cart with everything that they show; their variants are read where the cart is."""
    return [
        {
            **line.row,
            "brief": None if assessment.cart.status == CartStatus.COMPLETED else line.row["brief"],
            "price": line.price,
            "total": line.total,
            "currency": assessment.totals.currency,
            "place": Place(assessment.cart.region_id, assessment.cart.channel_id, assessment.cart.customer_id),
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


def key_of(ctx: Ctx, given: Any) -> CartKey:
    """Of the input of a write."""
    token = given.token if given.token is not None else ctx.cart_token
    return CartKey(ids.decode("Cart", given.cart_id, "cart_id"), token, ctx.actor, getattr(given, "if_version", None))


async def cart(ctx: Ctx, by: CartKey) -> Cart | None:
    found = await carts.find(ctx.read, by)
    return shown(ctx, found) if found is not None else None


def key(ctx: Ctx, cart_id: str, token: str | None) -> CartKey:
    return CartKey(ids.decode("Cart", cart_id, "id"), token if token is not None else ctx.cart_token, ctx.actor)


def money_of(given: Any) -> Money:
    """An amount of an input; what is wrong with it is told below its path."""
    return Money(minor_units(given.amount, given.currency), given.currency)


async def complete(ctx: Ctx, given: Any) -> dict[str, Any]:
    by = key_of(ctx, given)
    with under("expected_total"):
        expected = money_of(given.expected_total)
    session = given.payment_session_id
    session_id = None if session is None else ids.decode("PaymentSession", session, "payment_session_id")
    with under("expected_amount_due"):
        due = money_of(given.expected_amount_due) if given.expected_amount_due is not None else None
    named = (given.idempotency_key, given.payment_provider, session_id)
    command = CompleteCart(by, expected, *named, expected_due=due)
    outcome = await with_quotes(ctx.shop, by, lambda: complete_cart(ctx.shop, command))
    if isinstance(outcome, Acting):
        return {"next_action": outcome.next_action, "cart": await cart(ctx, by)}
    return {
        "order": outcome.order,
        "access_token": order_token(ctx, outcome.order),
        "cart": shown(ctx, outcome.cart),
    }


async def cancel_payment(ctx: Ctx, given: Any) -> dict[str, Any]:
    return {"cart": shown(ctx, await end_payment(ctx.shop, key_of(ctx, given)))}
