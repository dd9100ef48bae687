"""Stock: what lies on the shelves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import text

from db import StockItem, VariantStockItem
from db.connection import Tx, new_id
from db.stock import StockMovementReason
from db.workflow import ActorKind
from domain.actor import SYSTEM, Actor
from domain.event import Event, announce
from domain.refusal import ValidationFailed

MOST: Final = 1_000_000_000
"""The largest count; as `backorder_limit` it means that the variant sells without end."""


@dataclass(frozen=True)
class StockShort(Event):
    """More is promised of a level than lies there and may be owed; its orders are in `stock_reservation`.

    Not sent when a shortage shrinks or stays as it was.
    """

    about: ClassVar[str] = "level_id"
    level_id: UUID
    shortage: int


@dataclass(frozen=True, slots=True)
class StockCount:
    """What was counted of a variant in a place; None leaves a number as it is (0 where there was none)."""

    variant_id: UUID
    location_id: UUID
    on_hand: int | None
    backorder_limit: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("on_hand", self.on_hand), ("backorder_limit", self.backorder_limit)):
            if value is not None and not 0 <= value <= MOST:
                raise ValidationFailed(f"A quantity is between 0 and {MOST:,}.", path=(name,))


@dataclass(frozen=True)
class Entry:
    """What the ledger says of a movement besides the number: why, who made it, and what they noted."""

    reason: StockMovementReason
    actor: Actor = SYSTEM
    note: str = ""

    @property
    def columns(self) -> dict[str, Any]:
        return {
            "reason": self.reason,
            "actor_kind": self.actor.kind,
            "staff_id": self.actor.id if self.actor.kind == ActorKind.STAFF else None,
            "api_key_id": self.actor.api_key_id,
            "note": self.note,
        }


IMPORTED: Final = Entry(StockMovementReason.IMPORT)


@dataclass(frozen=True)
class Change:
    """What a locked level is to be."""

    level: Any
    """The row as it was when it was locked."""
    on_hand: int
    backorder_limit: int

    @property
    def shortage(self) -> int:
        """What is owed beyond what lies there and may be owed."""
        return max(0, self.level.reserved + self.level.allocated - self.on_hand - self.backorder_limit)

    @property
    def changes(self) -> bool:
        level = self.level
        now = (self.on_hand, self.backorder_limit, self.shortage)
        return now != (level.on_hand, level.backorder_limit, level.shortage)


async def write(
    tx: Tx, changes: Iterable[Change], entry: Entry, moves: Iterable[tuple[UUID, int]] | None = None
) -> None:
    """Writes locked levels and their movements by one statement, and announces what has become shorter by another.

    `moves` are the movements where a level has not just one, the difference.
    """
    listed = [change for change in changes if change.changes]
    if moves is None:
        moves = [(change.level.id, change.on_hand - change.level.on_hand) for change in listed]
    rows = [
        {"id": c.level.id, "on_hand": c.on_hand, "limit": c.backorder_limit, "shortage": c.shortage} for c in listed
    ]
    deltas = [{"id": level_id, "delta": delta} for level_id, delta in moves if delta]
    if rows or deltas:
        await tx.run(_WRITE, rows=rows, moves=deltas, **entry.columns)
    short = [StockShort(c.level.id, c.shortage) for c in listed if c.shortage > c.level.shortage]
    if short:
        await announce(tx, *short)


async def set_counts(tx: Tx, counts: Iterable[StockCount], entry: Entry = IMPORTED) -> list[UUID]:
    """Sets levels to what was counted, with one movement per difference; the ids of variants it changed.

    A variant without a stock item gets one. A bundle is left alone: its items are counted, not it. A count
    below what is promised is a fact and is written: what is owed too much becomes `shortage`, announced as
    `StockShort`.
    """
    listed = list(counts)
    if not listed:
        return []
    items = await _items(tx, sorted({count.variant_id for count in listed}))
    wanted = {(items[c.variant_id], c.location_id): c for c in listed if c.variant_id in items}
    if not wanted:
        return []
    await _check_open(tx, {count.location_id for count in wanted.values()})
    changes: list[tuple[Change, UUID]] = []
    for level in await lock_levels(tx, list(wanted)):
        count = wanted[level.stock_item_id, level.location_id]
        on_hand = level.on_hand if count.on_hand is None else count.on_hand
        limit = level.backorder_limit if count.backorder_limit is None else count.backorder_limit
        change = Change(level, on_hand, limit)
        if change.changes:
            changes.append((change, count.variant_id))
    await write(tx, [change for change, _ in changes], entry)
    return [variant for _, variant in changes]


_OPEN: Final = text(
    "SELECT id FROM stock_location WHERE id = ANY(:locations) AND archived_at IS NULL ORDER BY id FOR SHARE"
)


async def open_locations(tx: Tx, locations: Iterable[UUID]) -> set[UUID]:
    """Those that are there and not archived; nobody archives them before this transaction ends."""
    return {row.id for row in await tx.records(_OPEN, locations=list(locations))}


async def _check_open(tx: Tx, locations: set[UUID]) -> None:
    if await open_locations(tx, locations) != locations:
        raise ValidationFailed("This stock location is archived: nothing can lie there.", path=("location",))


_LOCK_VARIANTS = text("SELECT id FROM variant WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_RECIPES = text(
    """
    SELECT variant.id, coalesce(variant.sku, product.title || ' / ' || variant.title) AS title,
           link.stock_item_id AS item_id, coalesce(link.quantity, 1) AS quantity
    FROM variant JOIN product ON product.id = variant.product_id
    LEFT JOIN variant_stock_item AS link ON link.variant_id = variant.id
    WHERE variant.id = ANY(:ids) ORDER BY variant.id
    """
)


async def _items(tx: Tx, variants: list[UUID]) -> Mapping[UUID, UUID]:
    """The one stock item of each variant; the variants are locked, so that two writers never make two."""
    await tx.records(_LOCK_VARIANTS.bindparams(ids=variants))
    recipes = await tx.records(_RECIPES.bindparams(ids=variants))
    new = [{"id": new_id(), "title": row.title, "variant": row.id} for row in recipes if row.item_id is None]
    await tx.insert(StockItem, ({"id": row["id"], "title": row["title"]} for row in new))
    await tx.insert(
        VariantStockItem,
        ({"variant_id": row["variant"], "stock_item_id": row["id"], "quantity": 1} for row in new),
    )
    bundles = {row.id for row in recipes if row.quantity > 1}
    items: dict[UUID, UUID] = {row["variant"]: row["id"] for row in new}
    for row in recipes:
        if row.item_id is not None and items.setdefault(row.id, row.item_id) != row.item_id:
            bundles.add(row.id)
    return {variant: item for variant, item in items.items() if variant not in bundles}


_ENSURE_LEVELS = text(
    """
    INSERT INTO stock_level (id, stock_item_id, location_id)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:items AS uuid[]), CAST(:locations AS uuid[]))
        AS l (id, item, place)
    ORDER BY item, place
    ON CONFLICT (stock_item_id, location_id) DO NOTHING
    """
)
_LOCK_LEVELS = text(
    """
    SELECT level.* FROM stock_level AS level
    JOIN unnest(CAST(:items AS uuid[]), CAST(:locations AS uuid[])) AS l (item, place)
      ON level.stock_item_id = l.item AND level.location_id = l.place
    ORDER BY level.id FOR NO KEY UPDATE OF level
    """
)
_WRITE = text(
    """
    WITH change AS (
        SELECT * FROM jsonb_to_recordset(:rows) AS c (id uuid, on_hand bigint, "limit" bigint, shortage bigint)
    ),
    written AS (
        UPDATE stock_level
        SET on_hand = change.on_hand, backorder_limit = change."limit", shortage = change.shortage
        FROM change WHERE stock_level.id = change.id
    )
    INSERT INTO stock_movement (stock_level_id, delta, reason, actor_kind, staff_id, api_key_id, note)
    SELECT id, delta, :reason, :actor_kind, CAST(:staff_id AS uuid), CAST(:api_key_id AS uuid), :note
    FROM jsonb_to_recordset(:moves) AS m (id uuid, delta bigint)
    """
)


async def lock_levels(tx: Tx, places: list[tuple[UUID, UUID]]) -> list[Any]:
    """The levels of (item, location), made where missing, locked in the order of their ids."""
    items, locations = [item for item, _ in places], [location for _, location in places]
    new = [new_id() for _ in places]
    await tx.run(_ENSURE_LEVELS, ids=new, items=items, locations=locations)
    return await tx.records(_LOCK_LEVELS, items=items, locations=locations)
