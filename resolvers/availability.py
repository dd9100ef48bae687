"""Whether variants can be bought now, live: as they are now, and again whenever what is shown of one has changed."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import Product, Variant
from db.connection import Read
from domain.availability import NOT_TRACKED, available
from domain.publication import FOR_SALE
from resolvers import ids
from resolvers.audience import SharedItem
from resolvers.context import Ctx
from resolvers.request_error import BadUserInput
from resolvers.watch import Watch

MOST: Final = 50
ANY: Final = ("tag:catalogue", "tag:channel")
"""Changes that may concern every product; see db/changes.py."""
_OF_THESE: Final = Variant.id == any_(bindparam("keys", type_=ARRAY(Uuid)))
_FOR_SALE: Final = (
    select(Variant.id, Variant.manage_stock)
    .join(Product, Product.id == Variant.product_id)
    .where(_OF_THESE, Variant.archived_at.is_(None), FOR_SALE)
)
_PRODUCTS: Final = select(Variant.product_id).distinct().where(_OF_THESE)
_items: Final[WeakValueDictionary[Any, SharedItem]] = WeakValueDictionary()
"""Equal states are one item, which is executed once."""


async def variant_availability(ctx: Ctx, given: list[str]) -> AsyncGenerator[dict[str, Any]]:
    """All of them as they are; then all again, whenever what a shopper sees of one is different."""
    if not 1 <= len(given) <= MOST:
        raise BadUserInput(f"1 to {MOST} variants can be watched at once.", "ids")
    keys = [ids.decode("Variant", one, "ids") for one in dict.fromkeys(given)]
    watch = Watch(ctx)
    async with AsyncExitStack() as listening:
        await listening.enter_async_context(ctx.live.watches.watching(watch))
        products = await ctx.read.scalars(_PRODUCTS, keys=keys)
        for topic in (*ANY, *(f"tag:product:{product_id}" for product_id in products)):
            await listening.enter_async_context(ctx.live.listen(topic, watch))
        channel = await ctx.channel()
        told: Any = None
        while True:
            state = await _state(ctx, keys, channel)
            if state != told:
                await ctx.live.watches.still(watch)
                told = state
                yield _item(state)
            await watch.wait()


async def _state(ctx: Ctx, keys: Sequence[UUID], channel: UUID | None) -> tuple[Any, ...]:
    """Together with all who look at this moment: what many shoppers watch is read once."""

    async def load(read: Read, asked: list[tuple[UUID, UUID | None]]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for place in {one for _, one in asked}:
            variants = list({key for key, one in asked if one == place})
            rows = await read.records(_FOR_SALE, keys=variants, channel=place)
            stock = await available(read, [row.id for row in rows if row.manage_stock])
            found |= {(row.id, place): stock.get(row.id, NOT_TRACKED) for row in rows}
        return found

    asked = ctx.live.asked("availability", load)
    states = await asked.all([(key, channel) for key in keys])
    return tuple(
        (key, state and state["status"], state and state["quantity"]) for key, state in zip(keys, states, strict=True)
    )


def _item(state: tuple[Any, ...]) -> SharedItem:
    found = _items.get(state)
    if found is None:
        shown = [
            {"variant_id": key, "availability": status and {"status": status, "quantity": quantity}}
            for key, status, quantity in state
        ]
        found = _items[state] = SharedItem({"__typename": "AvailabilityState", "variants": shown})
    return found
