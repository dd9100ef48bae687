"""What a storefront has to know before it shows anything: where the shop sells, in which languages, how much."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, literal_column, select, union

from db import Category, Channel, Collection, Product, Region
from domain.cart_line import MOST_LINES, MOST_UNITS
from domain.collection_publication import SHOWN
from domain.processes.receive_file import files_of
from domain.publication import FOR_SALE
from resolvers import ids
from resolvers.context import Ctx
from resolvers.page import LARGEST_PAGE
from resolvers.region import list_regions, payment_options_of_region

Row = Mapping[str, Any]


def _locales_of(model: Any, seen: ColumnElement[bool]) -> Select[Any]:
    translated = model.translations != literal_column("'{}'::jsonb")
    return select(func.jsonb_object_keys(model.translations).label("locale")).where(seen, translated)


_LOCALES: Final = union(
    _locales_of(Product, FOR_SALE),
    _locales_of(Category, Category.id.is_not(None)),
    _locales_of(Collection, SHOWN),
    _locales_of(Region, Region.archived_at.is_(None)),
).order_by("locale")
_DEFAULT_CHANNEL: Final = select(Channel.id).where(Channel.is_default)


async def shop(ctx: Ctx) -> dict[str, Any]:
    return {"regions": await list_regions(ctx)}


async def name(ctx: Ctx, _row: Row) -> str | None:
    """As in the sender of its mails."""
    return (ctx.shop.post and ctx.shop.post.shop) or None


async def region(ctx: Ctx, row: Row) -> Any:
    """That of the operation; null while the shop has none."""
    here = await ctx.region() if row["regions"] else None
    return next((one for one in row["regions"] if here is not None and one["id"] == here.id), None)


async def channel(ctx: Ctx, _row: Row) -> str:
    key: UUID | None = await ctx.channel()
    if key is None:
        ctx.reads.add("channel")
        (key,) = await ctx.read.scalars(_DEFAULT_CHANNEL)
    return ids.encode("Channel", key)


async def locales(ctx: Ctx, _row: Row) -> list[str]:
    """Those that what can be seen in the channel has texts in."""
    ctx.reads.update(("products", "category", "collection", "region"))
    return await ctx.read.scalars(_LOCALES, channel=await ctx.channel())


async def payment_options(ctx: Ctx, row: Row) -> list[Any]:
    here = await region(ctx, row)
    return [] if here is None else await ctx.load(payment_options_of_region, here["id"])


async def limits(ctx: Ctx, _row: Row) -> dict[str, int]:
    return {
        "page_size": LARGEST_PAGE,
        "cart_lines": MOST_LINES,
        "line_quantity": MOST_UNITS,
        "upload_size": files_of(ctx.shop).largest,
    }
