"""The root fields that are about price lists and prices."""

from datetime import datetime
from typing import Any

import strawberry

from db.price import PriceListStatus
from resolvers import price_admin
from resolvers.context import Ctx
from resolvers.page import Page
from schema import price_admin as types
from schema.build import arg, mutation, optional, query, view
from schema.node import PAGE_ARGS, Connection, page_args

READ = "prices:read"
WRITE = "prices:write"


async def _lists(ctx: Ctx, status: PriceListStatus | None, **args: Any) -> Page:
    return await price_admin.lists(ctx, page_args(**args), status)


async def _list(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await price_admin.price_list_of(ctx, id)


async def _prices(ctx: Ctx, filter: Any, **args: Any) -> Page:  # noqa: A002
    return await price_admin.prices(ctx, page_args(**args), filter)


async def _explain(ctx: Ctx, **asked: Any) -> dict[str, Any]:
    return await price_admin.explain(ctx, asked)


@view()
class PriceQuery:
    """Reads."""

    price_lists: Connection[types.PriceList] = query(
        _lists,
        READ,
        "Price lists, the newest first. Needs `prices:read`.",
        status=optional(PriceListStatus, "Of this status."),
        **PAGE_ARGS,
    )
    price_list: types.PriceList | None = query(
        _list, READ, "One price list. Needs `prices:read`.", id=arg(strawberry.ID, "Which one.")
    )
    prices: Connection[types.PriceRow] = query(
        _prices,
        READ,
        "Prices as they are written down, by variant. Needs `prices:read`.",
        filter=optional(types.PriceRowFilter, "Which ones."),
        **PAGE_ARGS,
    )
    price_explain: types.PriceExplanation = query(
        _explain,
        READ,
        "What a variant costs and why: every price of it, with what became of it. Needs `prices:read`.",
        variant_id=arg(strawberry.ID, "Which variant."),
        quantity=arg(int, "When so many are bought.", 1),
        region_id=optional(strawberry.ID, "In which region; by default in that of the context."),
        customer_group_ids=optional(list[strawberry.ID], "For a customer of these groups; by default for a guest."),
        at=optional(datetime, "When; by default now. Prices and lists are those of now, windows those of then."),
    )


@view()
class PriceMutation:
    """Writes."""

    price_list_create: types.PriceListCreatePayload = mutation(
        types.PriceListCreateInput, price_admin.create, WRITE, "Makes a price list. Needs `prices:write`."
    )
    price_list_update: types.PriceListUpdatePayload = mutation(
        types.PriceListUpdateInput, price_admin.update, WRITE, "Changes a price list. Needs `prices:write`."
    )
    price_list_archive: types.PriceListArchivePayload = mutation(
        types.PriceListArchiveInput,
        price_admin.archive,
        WRITE,
        "Takes a price list out of use, for good. Needs `prices:write`.",
    )
    price_list_set_groups: types.PriceListSetGroupsPayload = mutation(
        types.PriceListSetGroupsInput,
        price_admin.set_groups,
        WRITE,
        "Says for which customers a price list is. Needs `prices:write`.",
    )
    prices_upsert: types.PricesUpsertPayload = mutation(
        types.PricesUpsertInput,
        price_admin.upsert,
        WRITE,
        "Writes, changes and takes away many prices at once. Needs `prices:write`.",
    )
