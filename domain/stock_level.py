"""What staff write of levels: adjustments, counts, transfers, limits; many at once, all of them or none.

Each begins by locking what it concerns: locations (shared), then levels, both in the order of their ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import any_, select

from db import StockItem, StockLocation
from db.connection import Tx
from db.stock import StockMovementReason
from domain import audit
from domain.actor import Actor
from domain.allocation import InsufficientStock
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed
from domain.stock import MOST, Change, Entry, lock_levels, open_locations, write

MOST_ROWS: Final = 250
LONGEST_NOTE: Final = 500
ARRIVING: Final = frozenset({StockMovementReason.RECEIPT, StockMovementReason.RETURN})
BY_HAND: Final = frozenset(
    {StockMovementReason.ADJUSTMENT, StockMovementReason.COUNT, StockMovementReason.LOSS, *ARRIVING}
)
"""With which reasons staff adjust; the others are the shop's own."""
FACTS: Final = frozenset({StockMovementReason.COUNT, StockMovementReason.LOSS})
"""They are written although more is promised than there is: what is owed too much becomes a shortage."""


@dataclass(eq=False)
class StockTooLow(Refusal):
    """Less than nothing would be left, or less than is promised. `promised` is what is reserved or allocated."""

    on_hand: int = 0
    promised: int = 0
    code = ErrorCode.STOCK_TOO_LOW


@dataclass(eq=False)
class StockChanged(Refusal):
    """Another number lies there than whoever set it had seen."""

    current_on_hand: int = 0
    code = ErrorCode.STOCK_CHANGED


@dataclass(frozen=True)
class Spot:
    """An item in a location."""

    item_id: UUID
    location_id: UUID


@dataclass(frozen=True)
class Adjustment:
    spot: Spot
    delta: int

    def __post_init__(self) -> None:
        if not 1 <= abs(self.delta) <= MOST:
            raise ValidationFailed(f"This is 1 to {MOST:,}, or as many below 0.", path=("delta",))


@dataclass(frozen=True)
class Setting:
    """A count: what lies there, and what whoever counted had seen of it before."""

    spot: Spot
    on_hand: int
    change_from: int

    def __post_init__(self) -> None:
        _check_quantity(self.on_hand, "on_hand")


@dataclass(frozen=True)
class Limit:
    spot: Spot
    backorder_limit: int

    def __post_init__(self) -> None:
        _check_quantity(self.backorder_limit, "backorder_limit")


@dataclass(frozen=True)
class Transfer:
    item_id: UUID
    from_id: UUID
    to_id: UUID
    quantity: int

    def __post_init__(self) -> None:
        if not 1 <= self.quantity <= MOST:
            raise ValidationFailed(f"A quantity is 1 to {MOST:,}.", path=("quantity",))
        if self.from_id == self.to_id:
            raise ValidationFailed("It is there already.", path=("to_location_id",))

    @property
    def source(self) -> Spot:
        return Spot(self.item_id, self.from_id)

    @property
    def target(self) -> Spot:
        return Spot(self.item_id, self.to_id)


def _check_quantity(quantity: int, name: str) -> None:
    if not 0 <= quantity <= MOST:
        raise ValidationFailed(f"A quantity is 0 to {MOST:,}.", path=(name,))


@dataclass(frozen=True)
class Ledger:
    """Why staff change what lies there, for the rows of one call."""

    reason: StockMovementReason = StockMovementReason.COUNT
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.note) > LONGEST_NOTE:
            raise ValidationFailed(f"A note has at most {LONGEST_NOTE} characters.", path=("note",))

    def entry(self, actor: Actor) -> Entry:
        return Entry(self.reason, actor, self.note.strip())


@dataclass
class Levels:
    """The locked levels of a call, and what they have become so far."""

    rows: Mapping[Spot, Any]
    changes: dict[Spot, Change] = field(default_factory=dict[Spot, Change])

    def __getitem__(self, spot: Spot) -> Change:
        level = self.rows[spot]
        return self.changes.get(spot) or Change(level, level.on_hand, level.backorder_limit)

    def put(self, spot: Spot, *, on_hand: int | None = None, limit: int | None = None) -> None:
        now = self[spot]
        on_hand = now.on_hand if on_hand is None else on_hand
        self.changes[spot] = Change(now.level, on_hand, now.backorder_limit if limit is None else limit)


async def adjust(tx: Tx, rows: Sequence[Adjustment], ledger: Ledger, actor: Actor) -> list[UUID]:
    """Adds to what lies there, or takes away. Only a count or a loss goes below what is promised."""
    _check_adjustments(rows, ledger.reason)
    levels = await _lock(tx, [row.spot for row in rows])
    gathering = Gathering()
    for i, row in enumerate(rows):
        with gathering.at("rows", str(i), "delta"):
            _check_arrives(row.delta, ledger.reason)
            on_hand = levels[row.spot].on_hand + row.delta
            if on_hand > MOST:
                raise ValidationFailed(f"More than {MOST:,} would lie there.")
            levels.put(row.spot, on_hand=on_hand)
            _check_covered(levels[row.spot], may_be_short=ledger.reason in FACTS)
    gathering.raise_if_any()
    return await _write(tx, levels, ledger.entry(actor), "stockAdjust")


async def set_on_hand(tx: Tx, rows: Sequence[Setting], ledger: Ledger, actor: Actor) -> list[UUID]:
    """Writes what was counted, if since it was looked at nothing else was written."""
    _check_rows([row.spot for row in rows])
    levels = await _lock(tx, [row.spot for row in rows])
    gathering = Gathering()
    for i, row in enumerate(rows):
        with gathering.at("rows", str(i), "change_from"):
            current = levels[row.spot].on_hand
            if current != row.change_from:
                raise StockChanged(f"There are {current} by now; look again.", current_on_hand=current)
            levels.put(row.spot, on_hand=row.on_hand)
    gathering.raise_if_any()
    return await _write(tx, levels, ledger.entry(actor), "stockSet")


async def set_limits(tx: Tx, rows: Sequence[Limit], actor: Actor) -> list[UUID]:
    """How many may be sold beyond what lies there. A limit below what is owed makes the rest a shortage."""
    _check_rows([row.spot for row in rows])
    levels = await _lock(tx, [row.spot for row in rows])
    for row in rows:
        levels.put(row.spot, limit=row.backorder_limit)
    return await _write(tx, levels, Entry(StockMovementReason.ADJUSTMENT, actor), "stockSetBackorderLimit")


async def transfer(tx: Tx, rows: Sequence[Transfer], note: str, actor: Actor) -> list[UUID]:
    """Moves what is promised to nobody from one location to another; the ids of all levels, sources first."""
    entry = Ledger(StockMovementReason.TRANSFER, note).entry(actor)
    _check_count(rows)
    levels = await _lock_transfers(tx, rows)
    gathering = Gathering()
    moves: list[tuple[UUID, int]] = []
    for i, row in enumerate(rows):
        with gathering.at("rows", str(i), "quantity"):
            source, target = levels[row.source], levels[row.target]
            available = max(0, source.on_hand - source.level.reserved - source.level.allocated)
            if row.quantity > available:
                raise InsufficientStock(f"Only {available} can be moved.", available_quantity=available)
            if target.on_hand + row.quantity > MOST:
                raise ValidationFailed(f"More than {MOST:,} would lie there.")
            levels.put(row.source, on_hand=source.on_hand - row.quantity)
            levels.put(row.target, on_hand=target.on_hand + row.quantity)
            moves += [(source.level.id, -row.quantity), (target.level.id, row.quantity)]
    gathering.raise_if_any()
    return await _write(tx, levels, entry, "stockTransfer", moves)


def _check_count(rows: Sequence[object]) -> None:
    if not 1 <= len(rows) <= MOST_ROWS:
        raise ValidationFailed(f"Write 1 to {MOST_ROWS} rows at once.", path=("rows",))


def _check_rows(spots: Sequence[Spot]) -> None:
    _check_count(spots)
    gathering, seen = Gathering(), set[Spot]()
    for i, spot in enumerate(spots):
        with gathering.at("rows", str(i)):
            if spot in seen:
                raise ValidationFailed("An earlier row is of the same item and location.")
        seen.add(spot)
    gathering.raise_if_any()


def _check_adjustments(rows: Sequence[Adjustment], reason: StockMovementReason) -> None:
    if reason not in BY_HAND:
        raise ValidationFailed("This reason is the shop's own; it is not adjusted with.", path=("reason",))
    _check_rows([row.spot for row in rows])


def _check_arrives(delta: int, reason: StockMovementReason) -> None:
    if reason in ARRIVING and delta < 0:
        raise ValidationFailed("With this reason something arrives: write how many.")
    if reason == StockMovementReason.LOSS and delta > 0:
        raise ValidationFailed("A loss is written below 0.")


def _check_covered(change: Change, *, may_be_short: bool) -> None:
    level, promised = change.level, change.level.reserved + change.level.allocated
    if change.on_hand < 0:
        raise StockTooLow(f"There are only {level.on_hand}.", on_hand=level.on_hand, promised=promised)
    if change.shortage > level.shortage and not may_be_short:
        raise StockTooLow(
            f"Of the {level.on_hand} there {promised} are promised; a count or a loss may say that they are not there.",
            on_hand=level.on_hand,
            promised=promised,
        )


async def _lock(tx: Tx, spots: Sequence[Spot]) -> Levels:
    """The levels of these rows, made where missing. Refuses what is not there, and archived locations."""
    named = [{"stock_item_id": spot.item_id, "stock_location_id": spot.location_id} for spot in spots]
    await _check_there(tx, named)
    return await _locked(tx, spots)


async def _lock_transfers(tx: Tx, rows: Sequence[Transfer]) -> Levels:
    named = [{"stock_item_id": r.item_id, "from_location_id": r.from_id, "to_location_id": r.to_id} for r in rows]
    await _check_there(tx, named)
    return await _locked(tx, [row.source for row in rows] + [row.target for row in rows])


async def _locked(tx: Tx, spots: Iterable[Spot]) -> Levels:
    order = list(dict.fromkeys(spots))
    rows = await lock_levels(tx, [(spot.item_id, spot.location_id) for spot in order])
    by_spot = {Spot(row.stock_item_id, row.location_id): row for row in rows}
    return Levels({spot: by_spot[spot] for spot in order})


async def _check_there(tx: Tx, rows: Sequence[Mapping[str, UUID]]) -> None:
    """Each row names an item and locations, by the names of the input."""
    items = {row["stock_item_id"] for row in rows}
    places = {key for row in rows for key in row.values()} - items
    open_ = await open_locations(tx, places)
    archived = set(await tx.scalars(select(StockLocation.id).where(StockLocation.id == any_(list(places - open_)))))  # pyright: ignore[reportArgumentType]
    known = open_ | set(await tx.scalars(select(StockItem.id).where(StockItem.id == any_(list(items)))))  # pyright: ignore[reportArgumentType]
    gathering = Gathering()
    for i, row in enumerate(rows):
        for name, key in row.items():
            with gathering.at("rows", str(i), name):
                if key in archived:
                    raise ValidationFailed("This stock location is archived: nothing can lie there.")
                if key not in known:
                    raise NotFound
    gathering.raise_if_any()


async def _write(
    tx: Tx, levels: Levels, entry: Entry, action: str, moves: Iterable[tuple[UUID, int]] | None = None
) -> list[UUID]:
    """Levels, movements, announcement and audit; the ids in the order of the rows."""
    await write(tx, levels.changes.values(), entry, moves)
    entries: list[tuple[str, dict[str, Any]]] = []
    for change in levels.changes.values():
        before, after = (
            {"on_hand": of.on_hand, "backorder_limit": of.backorder_limit, "shortage": of.shortage}
            for of in (change.level, change)
        )
        entries.append((f"stock_level:{change.level.id}", audit.changed(before, after)))
    await audit.record_all(tx, entry.actor, action, entries)
    return [row.id for row in levels.rows.values()]
