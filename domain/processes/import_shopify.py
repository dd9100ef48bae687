"""Importing product files of Shopify's and of our own: one short transaction for every hundred rows or so.

The memory it takes does not grow with the files: each is gone through once for what it says of the shop and for
products whose rows are scattered, then read product by product.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

from asyncpg import DataError, IntegrityConstraintViolationError
from sqlalchemy import select

from db import Region, StockLocation
from db.connection import Read, Tx
from domain import shopify_place
from domain.catalog import upsert_products
from domain.money import digits
from domain.price import PriceDraft, set_prices
from domain.processes.define_shop import Defined, define_all
from domain.processes.shop import Shop
from domain.product import Outcome
from domain.refusal import Refusal, ValidationFailed, refusals_of
from domain.region import LocationDraft, upsert_location
from domain.shopify import ProductSheet, read_products
from domain.shopify_place import Written
from domain.shopify_rows import LONGEST_CELL, Problem, Sheet
from domain.shopify_seen import Seen
from domain.shopify_shop import FILE, Places, read_places
from domain.shopify_survey import Survey, survey
from domain.stock import MOST, StockCount, set_counts
from domain.upsert import OnError

ROWS_PER_COMMIT: Final = 100
PRODUCTS_PER_COMMIT: Final = 50
MOST_PROBLEMS: Final = 1_000
"""So many are kept; of further ones only the number."""
MAIN: Final = LocationDraft("main", "Main")
"""Where stock is written in a shop that names no location; made when it is first needed."""


@dataclass(frozen=True)
class ImportOptions:
    """`currency` is that of `Variant Price`; with a region the prices are for that region alone. A file that was
    exported here says both, and where its quantities lie, itself.
    """

    currency: str | None = None
    region_code: str | None = None
    location_code: str = MAIN.code
    dry_run: bool = False
    on_error: OnError = OnError.SKIP
    """Of a product with a problem: leave it out and go on, or stop there."""

    def __post_init__(self) -> None:
        if self.currency is not None:
            digits(self.currency)


@dataclass
class ImportReport:
    """The first three count products; products with a problem are in none of them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    variants: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])
    """The first thousand."""
    wrong: int = 0
    """How many problems there were."""
    stopped: bool = False
    notes: list[str] = field(default_factory=list[str])

    def tell(self, problem: Problem) -> None:
        self.wrong += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


Market = tuple[str, UUID | None]
"""Currency and region of the prices of a column."""


@dataclass
class _File:
    """One of the files, and how its columns are to be read."""

    path: Path
    survey: Survey
    defined: Defined
    currency: str
    region_code: str | None
    location: str


@dataclass
class _Import:
    """One run: what it writes to and what became of it."""

    shop: Shop
    options: ImportOptions
    progress: Callable[[int, int], None]
    report: ImportReport = field(default_factory=ImportReport)
    names: Seen = field(default_factory=Seen)
    """Under `product` the file that each handle was first seen in; under `waiting` what was refused, but perhaps only
    because of a product that comes later in the files.
    """
    places: Places = field(default_factory=Places)
    markets: Mapping[str, Market] = field(default_factory=dict[str, Market])
    waiting: int = 0
    done: int = 0
    rows: int = 0

    def tell(self, problem: Problem) -> None:
        self.report.tell(problem)
        self.report.stopped = self.options.on_error == OnError.ABORT


class _DryRun(Exception):
    """Not an error, but the way to have a transaction rolled back."""


async def import_shopify(
    shop: Shop,
    files: Sequence[Path],
    options: ImportOptions,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> ImportReport:
    """Makes the catalogue what the files say; a second run changes nothing, also after one that was killed.

    Products are found by handle and variants by SKU or option values; products that no file names stay as they
    are. A product with a problem is left out as a whole and the others go on, unless the options say to stop.
    `progress` is told how many rows are done, and of how many. A dry run does the same, and rolls every transaction
    back; so it takes an SKU for taken that another product of the files would have given up before.
    """
    run = _Import(shop, options, progress)
    surveys = [(path, survey(_lines(path))) for path in files]
    run.rows = sum(survey.rows for _, survey in surveys)
    opened = [_open(run, path, survey) for path, survey in surveys]
    for file in opened:
        await define_all(shop, file.defined, run.tell, dry_run=options.dry_run)
    for number, file in enumerate(opened):
        await _read_file(run, file, number)
    for number, file in enumerate(opened if run.waiting else ()):
        await _read_file(run, file, number, again=True)
    order = {str(path): i for i, path in enumerate(files)}
    run.report.problems.sort(key=lambda problem: (order[problem.file], problem.line))
    return run.report


def _open(run: _Import, path: Path, survey: Survey) -> _File:
    """Refuses options that say something else than the file."""
    dicts = [cast("dict[str, Any]", one) for _, one in survey.definitions if isinstance(one, dict)]
    told = next((one for one in dicts if one.get("define") == FILE), dict[str, Any]())
    options, currency = run.options, told.get("currency") or run.options.currency
    if currency is None:
        raise ValidationFailed("Say in which currency the prices are, such as EUR.", path=("currency",))
    digits(currency)
    if options.currency not in {None, currency}:
        message = f"{path.name} has its prices in {currency}, not in {options.currency}."
        raise ValidationFailed(message, path=("currency",))
    if told and options.region_code is not None:
        raise ValidationFailed(f"{path.name} says itself which prices are for which region.", path=("region",))
    defined = Defined(str(path), survey.definitions)
    return _File(path, survey, defined, currency, options.region_code, told.get("location") or options.location_code)


async def _read_file(run: _Import, file: _File, number: int, *, again: bool = False) -> None:
    """Writes the products of a file; `again`: those that were refused before others had been written."""
    run.places, run.markets = await _surroundings(run, file)
    currencies = {market: currency for market, (currency, _) in run.markets.items()}
    for kind in ("handle", "sku"):
        file.survey.seen.forget(kind)
    sheet = Sheet(str(file.path), currencies, file.survey.seen, (lambda _problem: None) if again else run.tell)
    parsed = read_products(_lines(file.path), sheet)
    wanted = _waiting(run, parsed.products) if again else _once(run, parsed.products, number)
    for batch in _batches(wanted):
        await _write(run, file, batch, last_try=again or run.options.on_error == OnError.ABORT)
        run.done += 0 if again else sum(sheet.rows for sheet in batch)
        run.progress(run.done, run.rows)
    run.report.notes += [note for note in parsed.notes if note not in run.report.notes]


def _waiting(run: _Import, sheets: Iterator[ProductSheet]) -> Iterator[ProductSheet]:
    return (sheet for sheet in sheets if run.names.has("waiting", f"{sheet.sheet.name}:{sheet.line}"))


def _once(run: _Import, sheets: Iterator[ProductSheet], number: int) -> Iterator[ProductSheet]:
    """Those that no earlier file has; none after one with a problem, if it is to stop there."""
    for sheet in sheets:
        if run.report.stopped:
            return
        if run.names.first("product", sheet.draft.handle, number) != number:
            message = "Another of the files has rows of this product, too: put them into one file."
            run.tell(sheet.problem(ValidationFailed(message, path=("handle",))))
        else:
            yield sheet


async def _surroundings(run: _Import, file: _File) -> tuple[Places, dict[str, Market]]:
    """What there is in the shop; in a dry run with what the file would make first."""
    if not run.options.dry_run:
        return await read_places(run.shop.read), await _markets(run.shop.read, file)
    found: list[tuple[Places, dict[str, Market]]] = []
    try:
        async with run.shop.tx() as tx:
            await file.defined.repeat(tx)
            found.append((await read_places(tx), await _markets(tx, file)))
            raise _DryRun
    except _DryRun:
        return found[0]


async def _markets(read: Read, file: _File) -> dict[str, Market]:
    regions = await read.all(select(Region))
    markets: dict[str, Market] = {r.name: (r.currency, r.id) for r in regions}
    region = next((r for r in regions if r.code == file.region_code), None)
    if file.region_code is not None and region is None:
        codes = ", ".join(sorted(r.code for r in regions)) or "none"
        message = f"There is no region {file.region_code!r}; there are: {codes}."
        raise ValidationFailed(message, path=("region",))
    if region is not None and region.currency != file.currency:
        message = f"The region {region.code} sells in {region.currency}, not in {file.currency}."
        raise ValidationFailed(message, path=("currency",))
    places = await read.scalars(select(StockLocation.code))
    if file.location not in {MAIN.code, *places}:
        raise ValidationFailed(f"There is no stock location {file.location!r}.", path=("location",))
    return {**markets, "": (file.currency, region.id if region else None)}


def _lines(path: Path) -> Iterator[bytes]:
    """Line by line; of one that is too long only as much as shows that it is."""
    with path.open("rb") as file:
        while line := file.readline(LONGEST_CELL + 2):
            yield line


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


async def _write(run: _Import, file: _File, batch: list[ProductSheet], *, last_try: bool) -> None:
    """Writes a batch; what is refused is left out and the rest is tried again."""
    try:
        outcomes = await _save(run, file, batch)
    except (Refusal, ExceptionGroup) as error:
        refused: set[int] = set()
        for refusal in refusals_of(error):
            index, *path = refusal.path
            refusal.path = tuple(path)
            if last_try or path[-1] != "sku":
                run.tell(batch[int(index)].problem(refusal))
            elif int(index) not in refused:
                run.waiting += 1
                sheet = batch[int(index)]
                run.names.first("waiting", f"{sheet.sheet.name}:{sheet.line}")
            refused.add(int(index))
        if rest := [sheet for i, sheet in enumerate(batch) if i not in refused]:
            await _write(run, file, rest, last_try=last_try)
    except (IntegrityConstraintViolationError, DataError) as error:
        # Someone else wrote the same products in between; alone, each can be told what is the matter.
        if len(batch) == 1:
            run.tell(batch[0].problem(Refusal(f"Import it again: {error}")))
        for sheet in batch if len(batch) > 1 else []:
            await _write(run, file, [sheet], last_try=last_try)
    else:
        for outcome in outcomes:
            setattr(run.report, outcome, getattr(run.report, outcome) + 1)
        run.report.variants += sum(len(sheet.draft.variants) for sheet in batch)


async def _save(run: _Import, file: _File, batch: list[ProductSheet]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    try:
        async with run.shop.tx() as tx:
            if run.options.dry_run and file.defined.found:
                await file.defined.repeat(tx)
                run.places, run.markets = await read_places(tx), await _markets(tx, file)
            shopify_place.check(batch, run.places)
            made = await upsert_products(tx, [sheet.draft for sheet in batch])
            written = [Written(s, m.product_id, m.variant_ids) for s, m in zip(batch, made, strict=True)]
            changed = await _offer(tx, run, file, written)
            moved = await shopify_place.set_places(tx, written, run.places)
            outcomes = [
                Outcome.UPDATED
                if result.outcome == Outcome.UNCHANGED
                and (result.product_id in moved or not changed.isdisjoint(result.variant_ids))
                else result.outcome
                for result in made
            ]
            if run.options.dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return outcomes


async def _offer(tx: Tx, run: _Import, file: _File, written: Sequence[Written]) -> set[UUID]:
    """Prices and stock; the ids of the variants that it changed."""
    prices = list(_prices(run, written))
    return {
        *await set_prices(tx, prices),
        *await shopify_place.set_further_prices(tx, written, run.places, prices),
        *await _count(tx, run, file, written),
    }


def _prices(run: _Import, written: Iterable[Written]) -> Iterator[PriceDraft]:
    """The base price comes last: with `--region` it may be the same as that of a market, and then it counts."""
    for one in written:
        for variant_id, offer in zip(one.variant_ids, one.sheet.offers, strict=True):
            for market, (amount, compare_at) in sorted(offer.prices.items(), reverse=True):
                currency, region_id = run.markets[market]
                if amount is not None or offer.further is None:
                    yield PriceDraft(variant_id, currency, amount, compare_at, region_id)


async def _count(tx: Tx, run: _Import, file: _File, written: Sequence[Written]) -> list[UUID]:
    """Sets the stock of variants that are counted; the ids of those that it changed."""
    offers = [
        (variant_id, draft, offer)
        for one in written
        for variant_id, draft, offer in zip(one.variant_ids, one.sheet.draft.variants, one.sheet.offers, strict=True)
    ]
    counts = [
        StockCount(variant_id, run.places.id("location", cell.location), on_hand, cell.backorder_limit)
        for variant_id, _, offer in offers
        for cell in offer.stock or ()
        for on_hand in [offer.count if cell.on_hand is None and cell.location == file.location else cell.on_hand]
    ]
    tracked = [(variant_id, offer) for variant_id, draft, offer in offers if draft.manage_stock and offer.stock is None]
    if tracked:
        place = await tx.scalar(select(StockLocation.id).where(StockLocation.code == file.location))
        place = place or await upsert_location(tx, MAIN)
        limits = {True: MOST, False: 0, None: None}
        counts += [StockCount(variant_id, place, offer.count, limits[offer.backorder]) for variant_id, offer in tracked]
    return await set_counts(tx, counts)
