"""The root fields that are about stock. Those of `Query` and `Mutation` begin with them."""

from typing import Any

import strawberry

from resolvers import stock
from resolvers import stock_admin as write
from resolvers.context import Ctx
from resolvers.page import Page
from schema import stock_admin as admin
from schema.build import arg, mutation, optional, query, view
from schema.node import PAGE_ARGS, Connection, page_args
from schema.stock import StockItem, StockLevel, StockLocation, StockMovement, StockSettings

READ, WRITE = "stock:read", "stock:write"


async def _locations(ctx: Ctx, **args: Any) -> Page:
    return await stock.locations(ctx, page_args(**args))


async def _items(ctx: Ctx, filter: Any, **args: Any) -> Page:  # noqa: A002
    return await stock.items(ctx, page_args(**args), filter)


async def _movements(ctx: Ctx, level_id: str | None, **args: Any) -> Page:
    return await stock.movements(ctx, page_args(**args), level_id)


async def _shortages(ctx: Ctx, **args: Any) -> Page:
    return await stock.shortages(ctx, page_args(**args))


@view()
class StockQuery:
    """Reads."""

    stock_locations: Connection[StockLocation] = query(
        _locations, READ, "Where stock lies, in the order in which it is taken from. Needs `stock:read`.", **PAGE_ARGS
    )
    stock_location: StockLocation | None = query(
        stock.location, READ, "A location. Needs `stock:read`.", id=arg(strawberry.ID, "Which one.")
    )
    stock_items: Connection[StockItem] = query(
        _items,
        READ,
        "What lies on shelves, oldest first. Needs `stock:read`.",
        filter=optional(admin.StockItemFilter, "Only these."),
        **PAGE_ARGS,
    )
    stock_item: StockItem | None = query(
        stock.item, READ, "An item. Needs `stock:read`.", id=arg(strawberry.ID, "Which one.")
    )
    stock_movements: Connection[StockMovement] = query(
        _movements,
        READ,
        "Every change of what lies where, newest first. Needs `stock:read`.",
        level_id=optional(strawberry.ID, "Only those of this level."),
        **PAGE_ARGS,
    )
    stock_shortages: Connection[StockLevel] = query(
        _shortages,
        READ,
        "Levels of which more is promised than lies there and may be owed, with the orders concerned in `promises`. "
        "Needs `stock:read`.",
        **PAGE_ARGS,
    )
    stock_settings: StockSettings = query(stock.settings, READ, "What goes for all stock. Needs `stock:read`.")


@view()
class StockMutation:
    """Writes."""

    stock_location_create: admin.StockLocationCreatePayload = mutation(
        admin.StockLocationCreateInput, write.create_location, WRITE, "Makes a location. Needs `stock:write`."
    )
    stock_location_update: admin.StockLocationUpdatePayload = mutation(
        admin.StockLocationUpdateInput, write.change_location, WRITE, "Changes a location. Needs `stock:write`."
    )
    stock_location_archive: admin.StockLocationArchivePayload = mutation(
        admin.StockLocationArchiveInput,
        write.archive_location,
        WRITE,
        "Gives up a location that is empty. Needs `stock:write`.",
    )
    stock_item_create: admin.StockItemCreatePayload = mutation(
        admin.StockItemCreateInput, write.create_item, WRITE, "Makes a stock item. Needs `stock:write`."
    )
    stock_item_update: admin.StockItemUpdatePayload = mutation(
        admin.StockItemUpdateInput, write.change_item, WRITE, "Changes a stock item. Needs `stock:write`."
    )
    variant_set_stock_items: admin.VariantSetStockItemsPayload = mutation(
        admin.VariantSetStockItemsInput,
        write.set_recipe,
        WRITE,
        "Says what one unit of a variant takes: one item, or as a bundle several. Needs `stock:write`.",
    )
    stock_adjust: admin.StockAdjustPayload = mutation(
        admin.StockAdjustInput,
        write.adjust,
        WRITE,
        "Adds to what lies there, or takes away. Only a count or a loss goes below what is promised; that is then a "
        "shortage. Needs `stock:write`.",
    )
    stock_set: admin.StockSetPayload = mutation(
        admin.StockSetInput,
        write.set_on_hand,
        WRITE,
        "Writes what was counted, unless something else was written since it was looked at. Below what is promised it "
        "is a shortage. Needs `stock:write`.",
    )
    stock_transfer: admin.StockTransferPayload = mutation(
        admin.StockTransferInput,
        write.transfer,
        WRITE,
        "Moves what is promised to nobody from one location to another. Needs `stock:write`.",
    )
    stock_set_backorder_limit: admin.StockSetBackorderLimitPayload = mutation(
        admin.StockSetBackorderLimitInput,
        write.set_limits,
        WRITE,
        "Says how many may be sold beyond what lies there. Below what is owed the rest is a shortage. "
        "Needs `stock:write`.",
    )
    stock_settings_update: admin.StockSettingsUpdatePayload = mutation(
        admin.StockSettingsUpdateInput,
        write.change_settings,
        WRITE,
        "Changes what goes for all stock. Needs `stock:write`.",
    )
