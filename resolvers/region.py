"""Regions: where and how a shop sells, for shoppers and for staff."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from db import Region, RegionCountry
from domain import region_change as regions
from domain.refusal import ValidationFailed
from domain.region_change import RegionChange
from domain.translation import translated
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import many, one, shared
from resolvers.context import Ctx

WRITE: Final = "regions:write"
_NOT_COLUMNS: Final = frozenset({"id", "if_version", "countries", "move_countries"})


def _rows() -> Any:
    """Regions with their names in the operation's locale."""
    others: list[Any] = [column for column in Region.__table__.c if column.key != "name"]
    return select(*others, translated(Region, "name"))


_ROWS: Final = _rows()
region_by_id = one(_ROWS, Region.id)
countries_of_region = shared(
    many(select(RegionCountry).order_by(RegionCountry.country), RegionCountry.region_id), "region"
)
_OPEN: Final = _ROWS.where(Region.archived_at.is_(None)).order_by(Region.is_default.desc(), Region.name, Region.id)
_ALL: Final = _ROWS.order_by(Region.is_default.desc(), Region.name, Region.id)
_any_region: Final = one(select(Region), Region.id)


async def list_regions(ctx: Ctx) -> list[Any]:
    ctx.reads.add("region")
    return await ctx.read.records(_OPEN, locales=ctx.locales)


async def all_regions(ctx: Ctx) -> list[Any]:
    return await ctx.read.records(_ALL, locales=ctx.locales)


async def region(ctx: Ctx, by_id: str) -> Any:
    """One that is not archived."""
    ctx.reads.add("region")
    row = await ctx.load(region_by_id, ids.decode("Region", by_id, "id"))
    return None if row is None or row["archived_at"] is not None else row


async def _details(ctx: Ctx, keys: list[UUID]) -> list[Any]:
    """Nothing for those who may not change regions. Texts are as they were written."""
    return await ctx.loaded.load_many(_any_region, keys) if ctx.actor.may(WRITE) else [None for _ in keys]


async def _payment_options(ctx: Ctx, keys: list[UUID]) -> list[Any]:
    """The providers that carts of a region may be paid through, by name."""
    rows = await ctx.loaded.load_many(region_by_id, keys)
    providers = sorted(ctx.shop.providers.items())
    return [
        [
            {"provider": name, "needs_session": provider.needs_session}
            for name, provider in providers
            if row["payment_providers"] is None or name in row["payment_providers"]
        ]
        for row in rows
    ]


details_of_region = Batch("details of region for staff", _details)
payment_options_of_region = Batch("payment options of region", _payment_options)


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = _change(ctx, given)
    async with ctx.shop.tx() as tx:
        made = await regions.create(tx, command, ctx.actor)
    return {"region": await ctx.load(region_by_id, made.id)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, command = ids.decode("Region", given.id, "id"), _change(ctx, given)
    async with ctx.shop.tx() as tx:
        await regions.change(tx, key, command, ctx.actor, if_version=given.if_version)
    return {"region": await ctx.load(region_by_id, key)}


async def archive(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Region", given.id, "id")
    async with ctx.shop.tx() as tx:
        await regions.archive(tx, key, given.if_version, ctx.actor)
    return {"region": await ctx.load(region_by_id, key)}


def _change(ctx: Ctx, given: Any) -> RegionChange:
    columns = {name: value for name, value in given.given.items() if name not in _NOT_COLUMNS}
    for i, name in enumerate(columns.get("payment_providers") or ()):
        if name not in ctx.shop.providers:
            known = ", ".join(sorted(ctx.shop.providers))
            message = f"There is no such payment provider; choose of: {known}."
            raise ValidationFailed(message, path=("payment_providers", str(i)))
    if "countries" in given.given and given.countries is None:
        raise ValidationFailed("This cannot be null: leave it out to keep them.", path=("countries",))
    countries = None if given.countries is None else tuple(given.countries)
    return RegionChange(columns, countries, bool(given.move_countries))
