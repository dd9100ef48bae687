"""Anything by its public id: whatever has one can be asked for again, by those who may see it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import false, select, true

from db import (
    Cart,
    Customer,
    CustomerAddress,
    CustomerGroup,
    Media,
    OptionValue,
    Order,
    OrderLine,
    Product,
    ProductOption,
    Ticket,
    Variant,
)
from domain import cart as carts
from domain import order as orders
from domain import ticket as tickets
from domain.cart import CartKey
from domain.publication import FOR_SALE
from engine.batch import Batch
from resolvers import (
    api_key,
    balance,
    cart,
    catalog,
    category,
    channel,
    collection,
    customer,
    delivery,
    file,
    fulfilment,
    ids,
    notification,
    order,
    price_admin,
    staff,
    stock,
    tax,
    ticket,
    ticket_reply,
    workflow,
)
from resolvers.context import Ctx
from resolvers.request_error import BadUserInput

Finder = Callable[[Ctx, UUID], Awaitable[Any]]
MOST: Final = 100


async def nodes(ctx: Ctx, public_ids: list[str]) -> list[Any]:
    """In the order of the ids, null for what is not there."""
    if len(public_ids) > MOST:
        raise BadUserInput(f"Ask for at most {MOST} things at once.", "ids")
    return await asyncio.gather(*(node(ctx, public_id, f"ids.{i}") for i, public_id in enumerate(public_ids)))


async def node(ctx: Ctx, public_id: str, argument: str = "id") -> Any:
    """The thing with this id, and the name of its type; nothing if it is not there or not the caller's."""
    kind = KINDS.get(public_id.rpartition("_")[0])
    if kind is None:
        raise BadUserInput("This is the id of nothing here; ids look like prod_01h2xcejqtf2nbrexx3vqjhp41.", argument)
    row = await FINDERS[kind](ctx, ids.decode(kind, public_id, argument))
    return None if row is None else {**row, "__typename": kind}


def _loaded(batch: Batch) -> Finder:
    async def find(ctx: Ctx, key: UUID) -> Any:
        return await ctx.load(batch, key)

    return find


def _for_sale(batch: Batch) -> Finder:
    """In the sales channel of the operation."""

    async def find(ctx: Ctx, key: UUID) -> Any:
        return await ctx.load(batch, (key, None))

    return find


async def _cart(ctx: Ctx, key: UUID) -> Cart | None:
    return await carts.find(ctx.read, CartKey(key, ctx.cart_token, ctx.actor))


async def _customer(ctx: Ctx, key: UUID) -> Customer | None:
    theirs = true() if ctx.actor.may("customers:read") else Customer.id == ctx.actor.customer_id
    return await ctx.read.first(select(Customer).where(Customer.id == key, customer.LIVING, theirs))


async def _customer_address(ctx: Ctx, key: UUID) -> CustomerAddress | None:
    owner = CustomerAddress.customer_id == ctx.actor.customer_id
    theirs = true() if ctx.actor.may("customers:read") else owner
    return await ctx.read.first(select(CustomerAddress).where(CustomerAddress.id == key, theirs))


async def _customer_group(ctx: Ctx, key: UUID) -> CustomerGroup | None:
    seen = true() if ctx.actor.may("customers:read") else false()
    return await ctx.read.first(select(CustomerGroup).where(CustomerGroup.id == key, seen))


async def _order(ctx: Ctx, key: UUID) -> Order | None:
    return await orders.find(ctx.read, Order.id == key, ctx.actor, ctx.order_access(None))


async def _order_line(ctx: Ctx, key: UUID) -> Any:
    theirs = orders.visible_to(ctx.actor, ctx.order_access(None))
    return await ctx.read.first(order.LINES.where(OrderLine.id == key, theirs))


async def _ticket(ctx: Ctx, key: UUID) -> Ticket | None:
    return await tickets.find(ctx.read, key, ctx.actor, ctx.order_access(None))


FINDERS: Final[Mapping[str, Finder]] = {
    "ApiKey": api_key.find,
    "CannedReply": ticket_reply.find,
    "Cart": _cart,
    "CartLine": cart.line,
    "Category": _loaded(category.category_by_id),
    "Channel": channel.find,
    "Collection": collection.find_node,
    "Customer": _customer,
    "CustomerAddress": _customer_address,
    "CustomerGroup": _customer_group,
    "DeliveryOption": delivery.find,
    "GiftCard": balance.find_gift_card,
    "File": file.find,
    "Fulfilment": fulfilment.find,
    "Media": _for_sale(catalog.for_sale(select(Media).join(Product).where(FOR_SALE), Media.id)),
    "OptionValue": _for_sale(
        catalog.for_sale(
            catalog.VALUES.join(ProductOption, ProductOption.id == OptionValue.option_id)
            .join(Product, Product.id == ProductOption.product_id)
            .where(FOR_SALE),
            OptionValue.id,
        )
    ),
    "Notification": notification.find,
    "Order": _order,
    "OrderLine": _order_line,
    "PriceList": price_admin.find_list,
    "PriceRow": price_admin.find_price,
    "Product": _for_sale(catalog.product_by_id),
    "ProductOption": _loaded(catalog.option_by_id),
    "Region": _loaded(catalog.region_by_id),
    "Role": staff.find_role,
    "Staff": staff.find,
    "StoreCredit": balance.find_store_credit,
    **stock.FINDERS,
    "TaxClass": tax.find_class,
    "TaxRate": tax.find_rate,
    "Ticket": _ticket,
    "TicketProof": ticket.find_proof,
    "Workflow": workflow.find,
    "Variant": _for_sale(
        catalog.for_sale(
            catalog.LIVE_VARIANTS.join(Product, Product.id == Variant.product_id).where(FOR_SALE), Variant.id
        )
    ),
}
"""How each type that has an id is found, with the rule of who may see it in the query."""
KINDS: Final = {ids.PREFIXES[kind]: kind for kind in FINDERS}
