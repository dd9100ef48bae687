"""Stock as staff see it: locations, items, levels, movements, and what is promised of what."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import bindparam, false, or_, select, true

from db import (
    Order,
    Product,
    StockItem,
    StockLevel,
    StockLocation,
    StockMovement,
    StockReservation,
    Variant,
    VariantStockItem,
)
from db.base import Base
from db.stock import ReservationState
from domain import availability
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import connected, many, one
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort

T = TypeVar("T")
READ: Final = "stock:read"
BY_PRIORITY: Final = Sort("stock_location.priority", (StockLocation.priority, StockLocation.id))
ITEMS_BY_ID: Final = Sort("stock_item.id", (StockItem.id,))
LEVELS_BY_ID: Final = Sort("stock_level.id", (StockLevel.id,))
NEWEST_FIRST: Final = Sort("stock_movement.id", (StockMovement.id,), descending=True)
OLDEST_FIRST: Final = Sort("stock_reservation.id", (StockReservation.id,))

location_by_id = one(select(StockLocation), StockLocation.id)
item_by_id = one(select(StockItem), StockItem.id)
level_by_id = one(select(StockLevel), StockLevel.id)
levels_of_item = many(
    select(*StockLevel.__table__.c)
    .join(StockLocation, StockLocation.id == StockLevel.location_id)
    .order_by(StockLocation.priority, StockLevel.id),
    StockLevel.stock_item_id,
)
levels_of_location = connected(select(StockLevel), StockLevel.location_id, LEVELS_BY_ID)
movements_of_level = connected(select(StockMovement), StockMovement.stock_level_id, NEWEST_FIRST)
promises_of_level = connected(
    select(*StockReservation.__table__.c, Order.number.label("order_number"))
    .join(Order, Order.id == StockReservation.order_id)
    .where(or_(*(StockReservation.state == state for state in (ReservationState.HELD, ReservationState.ALLOCATED)))),
    StockReservation.stock_level_id,
    OLDEST_FIRST,
)
uses_of_item = many(
    select(
        *VariantStockItem.__table__.c, Variant.sku, Variant.title, Product.title.label("product_title"), Variant.rank
    )
    .join(Variant, Variant.id == VariantStockItem.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .where(Variant.archived_at.is_(None))
    .order_by(VariantStockItem.variant_id),
    VariantStockItem.stock_item_id,
)


def _for_staff(batch: Batch) -> Batch:
    """The same, of which nothing is shown to those who may not see stock."""

    async def load(ctx: Ctx, keys: list[UUID]) -> Sequence[Any]:
        return await batch.load(ctx, keys) if ctx.actor.may(READ) else [[] for _ in keys]

    return Batch(f"{batch.name} for staff", load)


items_of_variant = _for_staff(
    many(
        select(VariantStockItem).order_by(VariantStockItem.stock_item_id),
        VariantStockItem.variant_id,
    )
)

all_locations = Listed(select(StockLocation), BY_PRIORITY)
short_levels = Listed(select(StockLevel).where(StockLevel.shortage > 0), LEVELS_BY_ID)
FILTERS: Final = {
    "sku": or_(
        StockItem.sku == bindparam("sku"),
        select(VariantStockItem.stock_item_id)
        .join(Variant, Variant.id == VariantStockItem.variant_id)
        .where(VariantStockItem.stock_item_id == StockItem.id, Variant.sku == bindparam("sku"))
        .exists(),
    ),
    "title": StockItem.title.ilike(bindparam("title"), escape="\\"),
}
ITEMS: Final = {
    chosen: Listed(select(StockItem).where(*(FILTERS[name] for name in chosen)), ITEMS_BY_ID)
    for chosen in (
        tuple(name for name, wanted in zip(FILTERS, which, strict=True) if wanted)
        for which in product((False, True), repeat=2)
    )
}
"""By the filters that are given."""
MOVEMENTS: Final = {
    False: Listed(select(StockMovement), NEWEST_FIRST),
    True: Listed(select(StockMovement).where(StockMovement.stock_level_id == bindparam("level")), NEWEST_FIRST),
}
"""By whether those of one level are asked for."""


async def locations(ctx: Ctx, args: PageArgs) -> Page:
    return await all_locations.page(ctx, args)


async def location(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await ctx.load(location_by_id, ids.decode("StockLocation", id, "id"))


async def items(ctx: Ctx, args: PageArgs, wanted: Any) -> Page:
    given: dict[str, Any] = {}
    if wanted is not None and wanted.sku is not None:
        given["sku"] = wanted.sku
    if wanted is not None and wanted.title is not None:
        given["title"] = f"%{_literally(wanted.title)}%"
    return await ITEMS[tuple(given)].page(ctx, args, **given)


def _literally(text: str) -> str:
    """What means something in a pattern stands for itself."""
    for sign in "\\%_":
        text = text.replace(sign, f"\\{sign}")
    return text


async def item(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await ctx.load(item_by_id, ids.decode("StockItem", id, "id"))


async def movements(ctx: Ctx, args: PageArgs, level_id: str | None) -> Page:
    given = {} if level_id is None else {"level": ids.decode("StockLevel", level_id, "levelId")}
    return await MOVEMENTS[bool(given)].page(ctx, args, **given)


async def shortages(ctx: Ctx, args: PageArgs) -> Page:
    return await short_levels.page(ctx, args)


async def settings(ctx: Ctx) -> dict[str, Any]:
    return {"shown_quantity": await availability.shown_quantity(ctx.read)}


def _finder(model: type[Base]) -> Callable[[Ctx, UUID], Any]:
    key = model.__table__.c["id"]

    async def find(ctx: Ctx, wanted: UUID) -> Any:
        seen = true() if ctx.actor.may(READ) else false()
        return await ctx.read.first(select(model).where(key == wanted, seen))

    return find


FINDERS: Final = {
    "StockItem": _finder(StockItem),
    "StockLevel": _finder(StockLevel),
    "StockLocation": _finder(StockLocation),
}
"""For `node`."""
