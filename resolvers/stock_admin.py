"""What staff write of stock. Each is one transaction that begins with its idempotency key; a replay reads again."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeVar
from uuid import UUID

from db.connection import Tx
from domain import availability, idempotency, stock_item, stock_level, stock_location
from domain.idempotency import IdempotencyKey
from domain.refusal import gathered
from domain.stock_item import ItemChange, Part, Recipe
from domain.stock_level import Adjustment, Ledger, Limit, Setting, Spot, Transfer
from domain.stock_location import LocationChange
from resolvers import catalog, ids, stock
from resolvers.context import Ctx

T = TypeVar("T")
Made = UUID | Sequence[UUID] | None
KEPT: Final = "ids"


async def _once(ctx: Ctx, mutation: str, given: Any, write: Callable[[Tx], Awaitable[Made]]) -> list[UUID]:
    """Ids of what was written now, or by the first request with this key."""
    asked = {name: value for name, value in asdict(given).items() if name != "idempotency_key"}
    key = IdempotencyKey.of(ctx.actor.scope, mutation, given.idempotency_key, asked)
    async with ctx.shop.tx() as tx:
        known = await idempotency.claim(tx, key)
        if known is not None:
            return [UUID(id_) for id_ in known[KEPT]]
        made = await write(tx)
        written = [] if made is None else [made] if isinstance(made, UUID) else list(made)
        await idempotency.settle(tx, key, {KEPT: written})
    return written


async def create_location(ctx: Ctx, given: Any) -> dict[str, Any]:
    change = LocationChange(given.code, given.name, given.priority)
    (made,) = await _once(ctx, "stockLocationCreate", given, lambda tx: stock_location.create(tx, change, ctx.actor))
    return await _location(ctx, made)


async def change_location(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("StockLocation", given.stock_location_id, "stock_location_id")
    change = LocationChange(given.code, given.name, given.priority)
    await _once(ctx, "stockLocationUpdate", given, lambda tx: stock_location.change(tx, key, change, ctx.actor))
    return await _location(ctx, key)


async def archive_location(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("StockLocation", given.stock_location_id, "stock_location_id")
    await _once(ctx, "stockLocationArchive", given, lambda tx: stock_location.archive(tx, key, ctx.actor))
    return await _location(ctx, key)


async def create_item(ctx: Ctx, given: Any) -> dict[str, Any]:
    change = ItemChange(given.title, given.sku)
    (made,) = await _once(ctx, "stockItemCreate", given, lambda tx: stock_item.create(tx, change, ctx.actor))
    return await _item(ctx, made)


async def change_item(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("StockItem", given.stock_item_id, "stock_item_id")
    change = ItemChange(given.title, given.sku)
    await _once(ctx, "stockItemUpdate", given, lambda tx: stock_item.change(tx, key, change, ctx.actor))
    return await _item(ctx, key)


async def set_recipe(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Variant", given.variant_id, "variant_id")

    def part(row: Any) -> Part:
        return Part(ids.decode("StockItem", row.stock_item_id, "stock_item_id"), row.quantity)

    recipe = Recipe(key, tuple(_built("items", given.items, part)))
    await _once(ctx, "variantSetStockItems", given, lambda tx: stock_item.set_recipe(tx, recipe, ctx.actor))
    return {"variant": await ctx.load(catalog.variant_by_id, key)}


async def adjust(ctx: Ctx, given: Any) -> dict[str, Any]:
    rows = _built("rows", given.rows, lambda row: Adjustment(_spot(row), row.delta))
    ledger = Ledger(given.reason, given.note or "")
    return await _levels(ctx, "stockAdjust", given, lambda tx: stock_level.adjust(tx, rows, ledger, ctx.actor))


async def set_on_hand(ctx: Ctx, given: Any) -> dict[str, Any]:
    rows = _built("rows", given.rows, lambda row: Setting(_spot(row), row.on_hand, row.change_from))
    ledger = Ledger(note=given.note or "")
    return await _levels(ctx, "stockSet", given, lambda tx: stock_level.set_on_hand(tx, rows, ledger, ctx.actor))


async def set_limits(ctx: Ctx, given: Any) -> dict[str, Any]:
    rows = _built("rows", given.rows, lambda row: Limit(_spot(row), row.backorder_limit))
    return await _levels(ctx, "stockSetBackorderLimit", given, lambda tx: stock_level.set_limits(tx, rows, ctx.actor))


async def transfer(ctx: Ctx, given: Any) -> dict[str, Any]:
    def row_of(row: Any) -> Transfer:
        from_id = ids.decode("StockLocation", row.from_location_id, "from_location_id")
        to_id = ids.decode("StockLocation", row.to_location_id, "to_location_id")
        return Transfer(ids.decode("StockItem", row.stock_item_id, "stock_item_id"), from_id, to_id, row.quantity)

    rows, note = _built("rows", given.rows, row_of), given.note or ""
    return await _levels(ctx, "stockTransfer", given, lambda tx: stock_level.transfer(tx, rows, note, ctx.actor))


async def change_settings(ctx: Ctx, given: Any) -> dict[str, Any]:
    shown: int = given.shown_quantity
    await _once(ctx, "stockSettingsUpdate", given, lambda tx: availability.set_shown_quantity(tx, shown, ctx.actor))
    return {"stock_settings": await stock.settings(ctx)}


def _built(name: str, rows: Sequence[Any], build: Callable[[Any], T]) -> list[T]:
    """A command of each row, refused with all that is wrong at once."""
    return gathered([((name, str(i)), lambda row=row: build(row)) for i, row in enumerate(rows)])


def _spot(row: Any) -> Spot:
    item = ids.decode("StockItem", row.stock_item_id, "stock_item_id")
    return Spot(item, ids.decode("StockLocation", row.stock_location_id, "stock_location_id"))


async def _levels(
    ctx: Ctx, mutation: str, given: Any, write: Callable[[Tx], Awaitable[Sequence[UUID]]]
) -> dict[str, Any]:
    written = await _once(ctx, mutation, given, write)
    return {"stock_levels": await ctx.loaded.load_many(stock.level_by_id, written)}


async def _location(ctx: Ctx, key: UUID) -> dict[str, Any]:
    return {"stock_location": await ctx.load(stock.location_by_id, key)}


async def _item(ctx: Ctx, key: UUID) -> dict[str, Any]:
    return {"stock_item": await ctx.load(stock.item_by_id, key)}
