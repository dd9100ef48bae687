"""Importing files that were exported from Shopify: one short transaction for every hundred rows or so."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from asyncpg import IntegrityConstraintViolationError
from sqlalchemy import select

from db import Region, StockLocation
from db.connection import Read, Tx
from domain.catalog import upsert_products
from domain.money import digits
from domain.price import PriceDraft, set_prices
from domain.processes.shop import Shop
from domain.product import Outcome
from domain.refusal import Refusal, ValidationFailed, refusals_of
from domain.region import LocationDraft, upsert_location
from domain.shopify import ProductSheet, read_products, scattered_handles
from domain.shopify_rows import Problem
from domain.stock import MOST, StockCount, set_counts

ROWS_PER_COMMIT: Final = 100
PRODUCTS_PER_COMMIT: Final = 50
MAIN: Final = LocationDraft("main", "Main")
"""Where stock is written in a shop that names no location; made when it is first needed."""


@dataclass(frozen=True)
class ImportOptions:
    """`currency` is that of `Variant Price`; with a region the prices are for that region alone."""

    currency: str
    region_code: str | None = None
    location_code: str = MAIN.code
    dry_run: bool = False

    def __post_init__(self) -> None:
        digits(self.currency)


@dataclass
class ImportReport:
    """The first three count products; products with a problem are in none of them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    variants: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])
    notes: list[str] = field(default_factory=list[str])


@dataclass
class _Import:
    """One run: what it writes to and what became of it."""

    shop: Shop
    options: ImportOptions
    markets: Mapping[str, tuple[str, UUID | None]]
    """Currency and region of the prices of each market, "" for `Variant Price`."""
    report: ImportReport = field(default_factory=ImportReport)
    waiting: list[ProductSheet] = field(default_factory=list[ProductSheet])
    """Refused, but perhaps only because of a product that comes later in the files."""


class _DryRun(Exception):
    """Not an error, but the way to have a transaction rolled back."""


async def import_shopify(
    shop: Shop, files: Sequence[Path], options: ImportOptions, progress: Callable[[int], None] = lambda _rows: None
) -> ImportReport:
    """Makes the catalogue what the files say; a second run changes nothing.

    Products are found by handle and variants by SKU or option values; products that no file names stay as they
    are. A product with a problem is left out as a whole and the others go on. `progress` is told how many rows
    were done since it was told last. A dry run does the same, and rolls every transaction back; so it takes an
    SKU for taken that another product of the files would have given up before.
    """
    run = _Import(shop, options, await _markets(shop.read, options))
    currencies = {market: currency for market, (currency, _) in run.markets.items()}
    for path in files:
        scattered = scattered_handles(_lines(path))
        parsed = read_products(_lines(path), str(path), currencies, scattered)
        for batch in _batches(parsed.products):
            await _write(run, batch)
            progress(sum(sheet.rows for sheet in batch))
        run.report.problems += parsed.problems
        run.report.notes += [note for note in parsed.notes if note not in run.report.notes]
    waiting, run.waiting = run.waiting, []
    for batch in _batches(iter(waiting)):
        await _write(run, batch, last_try=True)
    order = {str(path): i for i, path in enumerate(files)}
    run.report.problems.sort(key=lambda problem: (order[problem.file], problem.line))
    return run.report


async def _markets(read: Read, options: ImportOptions) -> dict[str, tuple[str, UUID | None]]:
    regions = await read.all(select(Region))
    markets: dict[str, tuple[str, UUID | None]] = {r.name: (r.currency, r.id) for r in regions}
    region = next((r for r in regions if r.code == options.region_code), None)
    if options.region_code is not None and region is None:
        codes = ", ".join(sorted(r.code for r in regions)) or "none"
        message = f"There is no region {options.region_code!r}; there are: {codes}."
        raise ValidationFailed(message, path=("region",))
    if region is not None and region.currency != options.currency:
        message = f"The region {region.code} sells in {region.currency}, not in {options.currency}."
        raise ValidationFailed(message, path=("currency",))
    places = await read.scalars(select(StockLocation.code))
    if options.location_code not in {MAIN.code, *places}:
        raise ValidationFailed(f"There is no stock location {options.location_code!r}.", path=("location",))
    return {**markets, "": (options.currency, region.id if region else None)}


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _batches(sheets: Iterator[ProductSheet]) -> Iterator[list[ProductSheet]]:
    """A product with more rows than a commit is to have makes a batch by itself."""
    batch: list[ProductSheet] = []
    rows = 0
    for sheet in sheets:
        if batch and (rows + sheet.rows > ROWS_PER_COMMIT or len(batch) == PRODUCTS_PER_COMMIT):
            yield batch
            batch, rows = [], 0
        batch.append(sheet)
        rows += sheet.rows
    if batch:
        yield batch


async def _write(run: _Import, batch: list[ProductSheet], *, last_try: bool = False) -> None:
    """Writes a batch; what is refused is left out and the rest is tried again."""
    try:
        outcomes = await _save(run, batch)
    except (Refusal, ExceptionGroup) as error:
        refused: set[int] = set()
        for refusal in refusals_of(error):
            index, *path = refusal.path
            refusal.path = tuple(path)
            if last_try or path[0] != "variants":
                run.report.problems.append(batch[int(index)].problem(refusal))
            elif int(index) not in refused:
                run.waiting.append(batch[int(index)])
            refused.add(int(index))
        if rest := [sheet for i, sheet in enumerate(batch) if i not in refused]:
            await _write(run, rest, last_try=last_try)
    except IntegrityConstraintViolationError as error:
        # Someone else wrote the same products in between; alone, each can be told what is the matter.
        if len(batch) == 1:
            run.report.problems.append(batch[0].problem(Refusal(f"Import it again: {error}")))
        for sheet in batch if len(batch) > 1 else []:
            await _write(run, [sheet], last_try=last_try)
    else:
        for outcome in outcomes:
            setattr(run.report, outcome, getattr(run.report, outcome) + 1)
        run.report.variants += sum(len(sheet.draft.variants) for sheet in batch)


async def _save(run: _Import, batch: list[ProductSheet]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    try:
        async with run.shop.tx() as tx:
            written = await upsert_products(tx, [sheet.draft for sheet in batch])
            pairs = list(zip(batch, (result.variant_ids for result in written), strict=True))
            changed = {*await set_prices(tx, _prices(run, pairs)), *await _count(tx, run, pairs)}
            outcomes = [
                Outcome.UPDATED
                if result.outcome == Outcome.UNCHANGED and not changed.isdisjoint(result.variant_ids)
                else result.outcome
                for result in written
            ]
            if run.options.dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return outcomes


Pairs = list[tuple[ProductSheet, tuple[UUID, ...]]]
"""Sheets with the ids of their variants."""


def _prices(run: _Import, pairs: Pairs) -> Iterator[PriceDraft]:
    """The base price comes last: with `--region` it may be the same as that of a market, and then it counts."""
    for sheet, variant_ids in pairs:
        for variant_id, offer in zip(variant_ids, sheet.offers, strict=True):
            for market, (amount, compare_at) in sorted(offer.prices.items(), reverse=True):
                currency, region_id = run.markets[market]
                yield PriceDraft(variant_id, currency, amount, compare_at, region_id)


async def _count(tx: Tx, run: _Import, pairs: Pairs) -> list[UUID]:
    """Sets the stock of variants that are counted; the ids of those that it changed."""
    tracked = [
        (variant_id, offer)
        for sheet, variant_ids in pairs
        for variant_id, draft, offer in zip(variant_ids, sheet.draft.variants, sheet.offers, strict=True)
        if draft.manage_stock
    ]
    if not tracked:
        return []
    code = run.options.location_code
    place = await tx.scalar(select(StockLocation.id).where(StockLocation.code == code))
    place = place or await upsert_location(tx, MAIN)
    limits = {True: MOST, False: 0, None: None}
    counts = (StockCount(variant_id, place, offer.count, limits[offer.backorder]) for variant_id, offer in tracked)
    return await set_counts(tx, counts)
