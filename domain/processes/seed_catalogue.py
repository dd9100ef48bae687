"""A made-up catalogue of any size, for measuring: the same products for the same seed, on every machine.

Rows are written by COPY, so past `upsert_products`; every constraint and trigger of the database still judges them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text

from db import Category, Collection, Product, Region, RegionCountry
from db.base import Base
from db.connection import Tx
from domain import delivery_option
from domain.actor import SYSTEM
from domain.delivery_option import DeliveryDraft, Tier
from domain.processes.seeded_rows import COLUMNS, Places, category_rows, collection_rows, prefix, product_rows
from domain.processes.shop import Shop
from domain.publication import publish_new
from domain.refusal import ValidationFailed
from domain.region import LocationDraft, RegionDraft, upsert_location, upsert_region

MOST: Final = 1_000_000
PER_COMMIT: Final = 500
REGIONS: Final = (
    RegionDraft("eu", "Europe", "EUR", True, ("AT", "BE", "DE", "FR", "NL"), {"VAT": Decimal("0.21")}),
    RegionDraft("us", "United States", "USD", False, ("US",), {"Sales tax": Decimal("0.0825")}),
    RegionDraft("jp", "Japan", "JPY", True, ("JP",), {"Consumption tax": Decimal("0.10")}),
)
LOCATIONS: Final = (LocationDraft("seed-near", "Near"), LocationDraft("seed-far", "Far", 2))


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


async def seed_catalogue(shop: Shop, command: SeedCatalogue, progress: Callable[[int], object] = bool) -> int:
    """How many products were added; those of the seed that are there already stay as they are.

    Each transaction goes on behind the last product of the seed that it finds, so a run that was cut off, or
    another one at the same time, is simply continued. `progress` is told how many there are.
    """
    added = 0
    while True:
        async with shop.tx() as tx:
            there = await _seeded(tx, command.seed)
            numbers = range(there + 1, min(there + PER_COMMIT, command.products) + 1)
            if numbers:
                await _write(tx, command.seed, numbers)
        progress(min(there + len(numbers), command.products))
        added += len(numbers)
        if not numbers:
            break
    if added:
        await shop.read.records(text("ANALYZE"))  # else the first statements are planned for empty tables
    return added


async def _seeded(tx: Tx, seed: int) -> int:
    """The number of the last product of this seed; nobody else writes products until the commit."""
    await tx.records(text("SELECT pg_advisory_xact_lock(hashtext('counterfoil.catalog'))"))
    last = await tx.scalar(select(func.max(Product.handle)).where(Product.handle.startswith(prefix(seed))))
    return int(str(last).removeprefix(prefix(seed))) if last else 0


async def _write(tx: Tx, seed: int, numbers: Sequence[int]) -> None:
    places = await _places(tx, seed)
    rows: dict[type[Base], list[tuple[Any, ...]]] = defaultdict(list)
    for number in numbers:
        for model, row in product_rows(seed, number, places):
            rows[model].append(row)
    for model, columns in COLUMNS.items():
        await tx.copy(model, columns, rows[model])
    await publish_new(tx, (row[0] for row in rows[Product]))


async def _places(tx: Tx, seed: int) -> Places:
    """What products hang on, made where it is missing; a region that the shop has stays as it is."""
    for draft in REGIONS:
        await _ensure_region(tx, draft)
    locations = [await upsert_location(tx, draft) for draft in LOCATIONS]
    categories, collections = list(category_rows(seed)), list(collection_rows(seed))
    if not await tx.first(select(Category.id).where(Category.id == categories[0]["id"])):
        await tx.insert(Category, categories)
        await tx.insert(Collection, collections)
    return Places(_ids(categories), _ids(collections), tuple(locations))


def _ids(rows: Sequence[dict[str, Any]]) -> tuple[UUID, ...]:
    return tuple(row["id"] for row in rows)


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
