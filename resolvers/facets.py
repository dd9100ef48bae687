"""Facets of what was searched for: counted when they are selected, by few statements however many choices there are."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from domain import facet
from domain.facet import MOST_COUNTED, MOST_VALUES, FacetKind
from domain.listing import BETWEEN, ListingFilter
from domain.money import money
from resolvers import ids
from resolvers.context import Ctx
from resolvers.listing import Searched, Wanted

MOST_OPTIONS: Final = 20
_FIELDS: Final = {
    FacetKind.CATEGORY: "categories",
    FacetKind.TYPE: "types",
    FacetKind.VENDOR: "vendors",
    FacetKind.TAG: "tags",
}
_AVAILABILITY: Final = ("low", "IN_STOCK"), ("high", "BUYABLE")


async def facets(ctx: Ctx, searched: Searched) -> list[dict[str, Any]]:
    return (await _counted(ctx, searched))["facets"]


async def capped(ctx: Ctx, searched: Searched) -> bool:
    return (await _counted(ctx, searched))["total"] >= MOST_COUNTED


async def _counted(ctx: Ctx, searched: Searched) -> dict[str, Any]:
    if searched.facets is None:
        searched.facets = asyncio.ensure_future(_count(ctx, searched))
    return await searched.facets


async def _count(ctx: Ctx, searched: Searched) -> dict[str, Any]:
    """Those of which nothing is chosen together, each of the others without what is chosen of it."""
    ctx.reads.update(("products", "listing", "category", "region"))
    given = searched.filter
    chosen = {kind for kind in FacetKind if _without(given, kind) != given}
    rows = await _rows(ctx, searched, given, frozenset(FacetKind) - chosen | {FacetKind.OPTION})
    total = next(row.count for row in rows if row.kind == "total")
    for kind in sorted(chosen - {FacetKind.OPTION}):
        rows.extend(await _rows(ctx, searched, _without(given, kind), frozenset({kind})))
    for option in given.options:
        others = replace(given, options=tuple(other for other in given.options if other.name != option.name))
        its = option.name + BETWEEN
        found = await _rows(ctx, searched, others, frozenset({FacetKind.OPTION}))
        rows = [row for row in rows if not (row.kind == FacetKind.OPTION and row.value.startswith(its))]
        rows += [row for row in found if row.kind == FacetKind.OPTION and row.value.startswith(its)]
    currency = (await ctx.region()).currency
    return {"total": total, "facets": [*_told(rows, given), *_prices(rows, currency)]}


def _without(given: ListingFilter, kind: FacetKind) -> ListingFilter:
    """The filter without what is chosen of a facet."""
    if kind is FacetKind.PRICE:
        return replace(given, price_from=None, price_to=None)
    if kind is FacetKind.AVAILABILITY:
        return replace(given, availability=None)
    return replace(given, **{_FIELDS.get(kind, "options"): ()})


async def _rows(ctx: Ctx, searched: Searched, given: ListingFilter, kinds: frozenset[FacetKind]) -> list[Any]:
    wanted = Wanted(given, searched.sort, await searched.find())
    parameters = {
        **await wanted.parameters(ctx),
        "region": (await ctx.region()).id,
        "locales": ctx.locales,
        "selected": [value for values in _chosen(searched.filter).values() for value in values],
        "most": MOST_COUNTED,
    }
    rows = await ctx.read.records(facet.statement(kinds, wanted.names), **parameters)
    ctx.reads.update(product for row in rows for product in row.having or ())
    return rows


def _chosen(given: ListingFilter) -> dict[FacetKind, list[str]]:
    """The values that are chosen of each facet, as the statements tell them."""
    chosen = {kind: [str(value) for value in getattr(given, name)] for kind, name in _FIELDS.items()}
    options = [option.name + BETWEEN + value for option in given.options for value in option.values]
    return {**chosen, FacetKind.OPTION: options}


def _told(rows: Sequence[Any], given: ListingFilter) -> list[dict[str, Any]]:
    """Facets of values. What is chosen is told also where nothing has it."""
    chosen = _chosen(given)
    told: list[dict[str, Any]] = []
    for kind in (FacetKind.CATEGORY, FacetKind.TYPE, FacetKind.VENDOR, FacetKind.TAG):
        found = {row.value: (row.label, row.count) for row in rows if row.kind == kind}
        missing = [value for value in chosen[kind] if value not in found and kind is not FacetKind.CATEGORY]
        found |= {value: (value, 0) for value in missing}
        told.append(_facet(kind, str(kind), _values(found, chosen[kind], kind)))
    by_option: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)
    labels: dict[str, str] = {}
    found = {row.value: (row.label or row.value, row.count) for row in rows if row.kind == FacetKind.OPTION}
    for value in (*found, *(value for value in chosen[FacetKind.OPTION] if value not in found)):
        shown, count = found.get(value, (value, 0))
        (name, _, _), (option, _, label) = value.partition(BETWEEN), shown.partition(BETWEEN)
        by_option[name][value] = (label, count)
        if labels.get(name, name) == name:
            labels[name] = option
    most = sorted(by_option.items(), key=lambda item: (-sum(count for _, count in item[1].values()), item[0]))
    for name, values in most[:MOST_OPTIONS]:
        listed = _values(values, chosen[FacetKind.OPTION], FacetKind.OPTION)
        told.append({**_facet(FacetKind.OPTION, name, listed), "label": labels[name]})
    buyable = next((row for row in rows if row.kind == FacetKind.AVAILABILITY), None)
    told.append(_facet(FacetKind.AVAILABILITY, "availability", _of_availability(buyable, given)))
    return told


def _values(found: dict[str, tuple[str, int]], chosen: Iterable[str], kind: FacetKind) -> list[dict[str, Any]]:
    chosen = set(chosen)
    ordered = sorted(found.items(), key=lambda item: (item[0] not in chosen, -item[1][1], item[1][0]))
    return [
        {"value": _public(kind, value), "label": label, "count": count, "selected": value in chosen}
        for value, (label, count) in ordered[:MOST_VALUES]
    ]


def _public(kind: FacetKind, value: str) -> str:
    """As a filter wants it."""
    if kind is FacetKind.CATEGORY:
        return ids.encode("Category", UUID(value))
    return value.partition(BETWEEN)[2] if kind is FacetKind.OPTION else value


def _of_availability(row: Any, given: ListingFilter) -> list[dict[str, Any]]:
    return [
        {
            "value": name,
            "label": name,
            "count": 0 if row is None else row[column],
            "selected": given.availability is not None and given.availability.name == name,
        }
        for column, name in _AVAILABILITY
    ]


def _prices(rows: Sequence[Any], currency: str) -> list[dict[str, Any]]:
    row = next((row for row in rows if row.kind == FacetKind.PRICE), None)
    if row is None or row.low is None:
        return [_facet(FacetKind.PRICE, "price", [])]
    bounds = {"minimum": money(row.low, currency), "maximum": money(row.high, currency)}
    return [{**_facet(FacetKind.PRICE, "price", []), **bounds}]


def _facet(kind: FacetKind, name: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": kind, "name": name, "label": name, "values": values, "minimum": None, "maximum": None}
