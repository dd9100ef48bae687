"""A made-up catalogue of any size, for measuring: the same products for the same seed, on every machine.

Rows are written by COPY, so past `upsert_products`; every constraint and trigger of the database still judges them.
What is derived from them (lists, search, collections by rule) is written in the same transaction for all of its
products at once, so that the shop is whole at every commit.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import ClauseElement, Executable, Table, func, select, text
from sqlalchemy.ext.compiler import compiles

from db import (
    Category,
    Channel,
    Collection,
    CustomerGroup,
    PriceList,
    PriceListGroup,
    Product,
    Region,
    RegionCountry,
    TaxClass,
    TaxRate,
)
from db.base import Base
from db.connection import Tx, new_id
from domain import collection_membership, collection_publication, delivery_option, listing_refresh
from domain.actor import SYSTEM
from domain.delivery_option import DeliveryDraft, Tier
from domain.processes import seeded_places
from domain.processes.seeded_rows import COLUMNS, REDUCED, Places, prefix, product_rows
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from domain.region import LocationDraft, RegionDraft, upsert_location, upsert_region

MOST: Final = 1_000_000
PER_COMMIT: Final = 500
REGIONS: Final = (
    RegionDraft("eu", "Europe", "EUR", True, ("AT", "BE", "DE", "FR", "NL"), {"VAT": Decimal("0.21")}),
    RegionDraft("us", "United States", "USD", False, ("US",), {"Sales tax": Decimal("0.0825")}),
    RegionDraft("jp", "Japan", "JPY", True, ("JP",), {"Consumption tax": Decimal("0.10")}),
)
REDUCED_RATES: Final = {"AT": "0.10", "BE": "0.06", "DE": "0.07", "FR": "0.055", "NL": "0.09", "JP": "0.08"}
LOCATIONS: Final = (LocationDraft("seed-near", "Near"), LocationDraft("seed-far", "Far", 2))
OTHER_CHANNEL: Final = "seed-marketplace"


@dataclass(frozen=True)
class SeedCatalogue:
    """The shop is to have the products 1 to `products` of `seed`."""

    products: int
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.products <= MOST:
            raise ValidationFailed(f"Seed 1 to {MOST:,} products.", path=("products",))
        if not 0 <= self.seed < 2**31:
            raise ValidationFailed("A seed is a whole number from 0.", path=("seed",))


Rows = Mapping[type[Base], Sequence[tuple[Any, ...]]]


async def seed_catalogue(shop: Shop, command: SeedCatalogue, progress: Callable[[int], object] = bool) -> int:
    """How many products were added; those of the seed that are there already stay as they are.

    Each transaction goes on behind the last product of the seed that it finds, so a run that was cut off, or
    another one at the same time, is simply continued. `progress` is told how many there are.
    """
    async with shop.tx() as tx:
        there = await _seeded(tx, command.seed)
        places = await _places(tx, command.seed) if there < command.products else None
    if places is None:
        return 0
    added, analysed, coming = 0, there, _Coming(command, places)
    while there < command.products:
        numbers = coming.after(there)
        rows = await coming.made(numbers)
        async with shop.tx() as tx:
            there = await _seeded(tx, command.seed)
            if there + 1 == numbers[0]:
                await _write(tx, rows)
                there, added = numbers[-1], added + len(numbers)
        progress(min(there, command.products))
        if there >= max(2 * analysed, PER_COMMIT) or there >= command.products:
            await _analyse(shop)
            analysed = there
    return added


async def _analyse(shop: Shop) -> None:
    """Else statements go on as they were planned for empty tables. All tables at once may take longer than a statement
    may.
    """
    for statement in _ANALYSE:
        await shop.read.records(cast(Any, statement))


class _Coming:
    """Makes rows in a thread: those of the next commit while PostgreSQL is busy with the ones before."""

    def __init__(self, command: SeedCatalogue, places: Places) -> None:
        self._command, self._places = command, places
        self._ahead: tuple[range, asyncio.Future[Rows]] | None = None

    def after(self, there: int) -> range:
        return range(there + 1, min(there + PER_COMMIT, self._command.products) + 1)

    async def made(self, numbers: range) -> Rows:
        ahead = self._ahead
        making = ahead[1] if ahead is not None and ahead[0] == numbers else self._make(numbers)
        rows = await making
        then = self.after(numbers[-1])
        self._ahead = (then, self._make(then)) if then else None
        return rows

    def _make(self, numbers: range) -> "asyncio.Future[Rows]":
        return asyncio.ensure_future(asyncio.to_thread(_made, self._command.seed, numbers, self._places))


async def _seeded(tx: Tx, seed: int) -> int:
    """The number of the last product of this seed; nobody else writes products until the commit."""
    await tx.records(text("SELECT pg_advisory_xact_lock(hashtext('counterfoil.catalog'))"))
    last = await tx.scalar(select(func.max(Product.handle)).where(Product.handle.startswith(prefix(seed))))
    return int(str(last).removeprefix(prefix(seed))) if last else 0


def _made(seed: int, numbers: Sequence[int], places: Places) -> Rows:
    rows: dict[type[Base], list[tuple[Any, ...]]] = defaultdict(list)
    for number in numbers:
        for model, row in product_rows(seed, number, places):
            rows[model].append(row)
    return rows


async def _write(tx: Tx, rows: Rows) -> None:
    """Products with all that is derived of them. What triggers note as due is done here, and needs no worker."""
    products = [row[0] for row in rows[Product]]
    await tx.run(_BY_INDEX)
    (before,) = await tx.records(_NOTED)
    for model, columns in COLUMNS.items():
        await tx.copy(model, columns, rows.get(model, ()))
    await collection_membership.enter(tx, products)
    await listing_refresh.wait_for_turn(tx)
    await listing_refresh.refresh(tx, products)
    for done, since in ((_LISTED, before.listing), (_COLLECTED, before.collection)):
        await tx.run(done, since=since, products=products)


class _Analyse(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, table: Table) -> None:
        self.table = table


@compiles(_Analyse)
def _analyse_as_text(element: _Analyse, compiler: Any, **_: Any) -> str:
    return "ANALYZE " + compiler.preparer.format_table(element.table)


# Triggers plan their statements once for many rows: while a table is small, by reading all of it, and it grows.
_BY_INDEX: Final = text("SET LOCAL enable_seqscan = off")
_ANALYSE: Final = tuple(map(_Analyse, Base.metadata.tables.values()))
_NOTED: Final = text(
    """
    SELECT coalesce((SELECT max(id) FROM listing_due), 0) AS listing,
           coalesce((SELECT max(id) FROM collection_due), 0) AS collection
    """
)
# Ids rise, so this needs no look at what others have noted.
_LISTED: Final = text("DELETE FROM listing_due WHERE id > :since AND product_id = ANY(CAST(:products AS uuid[]))")
_COLLECTED: Final = text("DELETE FROM collection_due WHERE id > :since AND product_id = ANY(CAST(:products AS uuid[]))")


async def _places(tx: Tx, seed: int) -> Places:
    """What products hang on, made where it is missing; a region that the shop has stays as it is."""
    for draft in REGIONS:
        await _ensure_region(tx, draft)
    regions = {row.code: row for row in await tx.all(select(Region))}
    locations = [await upsert_location(tx, draft) for draft in LOCATIONS]
    await _ensure_tax_class(tx)
    categories, collections = list(seeded_places.category_rows(seed)), list(seeded_places.collection_rows(seed))
    lists = seeded_places.list_rows(seed)
    leaves = _ids(categories)[-seeded_places.LEAVES :]
    if not await tx.first(select(Category.id).where(Category.id == categories[0]["id"])):
        by_rule = list(seeded_places.rule_rows(seed, leaves, (regions["eu"].id, regions["eu"].currency)))
        await tx.insert(Category, categories)
        await tx.insert(Collection, collections)
        await tx.insert(Collection, by_rule)
        await collection_publication.publish_new(tx, [*_ids(collections), *_ids(by_rule)])
        await _insert_lists(tx, seed, lists)
    return Places(
        categories=leaves,
        collections=_ids(collections),
        locations=locations,
        lists={name: row["id"] for name, row in lists.items()},
        regions={code: row.id for code, row in regions.items()},
        channel=await tx.one_scalar(select(Channel.id).where(Channel.is_default)),
        other_channel=await _ensure_channel(tx),
    )


def _ids(rows: Sequence[dict[str, Any]]) -> list[UUID]:
    return [row["id"] for row in rows]


async def _insert_lists(tx: Tx, seed: int, lists: dict[str, dict[str, Any]]) -> None:
    groups = seeded_places.group_rows(seed)
    await tx.insert(PriceList, lists.values())
    await tx.insert(CustomerGroup, groups.values())
    await tx.insert(
        PriceListGroup, [{"price_list_id": lists[name]["id"], "group_id": row["id"]} for name, row in groups.items()]
    )


async def _ensure_tax_class(tx: Tx) -> None:
    if await tx.scalar(select(TaxClass.id).where(TaxClass.code == REDUCED)):
        return
    await tx.insert(TaxClass, [{"id": new_id(), "code": REDUCED, "name": "Reduced"}])
    rate = {"tax_class_code": REDUCED, "name": "Reduced rate"}
    rates = [{"id": new_id(), "country": country, "rate": of, **rate} for country, of in REDUCED_RATES.items()]
    await tx.insert(TaxRate, rates)


async def _ensure_channel(tx: Tx) -> UUID:
    found = await tx.scalar(select(Channel.id).where(Channel.code == OTHER_CHANNEL))
    if found is None:
        found = new_id()
        await tx.insert(Channel, [{"id": found, "code": OTHER_CHANNEL, "name": "Marketplace"}])
    return found


async def _ensure_region(tx: Tx, draft: RegionDraft) -> None:
    """Takes no country and no default from a region of the merchant's own."""
    if await tx.first(select(Region.id).where(Region.code == draft.code)):
        return
    taken = await tx.scalars(select(RegionCountry.country))
    has_default = await tx.first(select(Region.id).where(Region.is_default)) is not None
    countries = tuple(country for country in draft.countries if country not in taken)
    region_id = await upsert_region(tx, replace(draft, countries=countries, is_default=not has_default))
    standard = DeliveryDraft(code="standard", name="Standard", tiers=(Tier(0, 500),))
    await delivery_option.create(tx, region_id, standard, SYSTEM)
