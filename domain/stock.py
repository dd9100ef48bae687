"""Stock: what lies on the shelves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import text

from db import StockItem, VariantStockItem
from db.connection import Tx, new_id
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


async def set_counts(tx: Tx, counts: Iterable[StockCount], reason: str = "import") -> list[UUID]:
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
    changed: list[UUID] = []
    rows: list[dict[str, Any]] = []
    for level in await _levels(tx, list(wanted)):
        count = wanted[level.stock_item_id, level.location_id]
        on_hand = level.on_hand if count.on_hand is None else count.on_hand
        limit = level.backorder_limit if count.backorder_limit is None else count.backorder_limit
        shortage = max(0, level.reserved + level.allocated - on_hand - limit)
        if (on_hand, limit, shortage) == (level.on_hand, level.backorder_limit, level.shortage):
            continue
        changed.append(count.variant_id)
        row = {"id": level.id, "on_hand": on_hand, "limit": limit, "shortage": shortage}
        rows.append({**row, "delta": on_hand - level.on_hand})
        if shortage > level.shortage:
            await announce(tx, StockShort(level.id, shortage))
    if rows:
        await tx.run(_COUNT.bindparams(rows=rows, reason=reason))
    return changed


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
    ORDER BY level.id FOR UPDATE OF level
    """
)
_COUNT = text(
    """
    WITH change AS (
        SELECT * FROM jsonb_to_recordset(:rows)
            AS c (id uuid, on_hand bigint, "limit" bigint, shortage bigint, delta bigint)
    ),
    counted AS (
        UPDATE stock_level
        SET on_hand = change.on_hand, backorder_limit = change."limit", shortage = change.shortage
        FROM change WHERE stock_level.id = change.id
    )
    INSERT INTO stock_movement (stock_level_id, delta, reason)
    SELECT id, delta, :reason FROM change WHERE delta <> 0 ORDER BY id
    """
)


async def _levels(tx: Tx, places: list[tuple[UUID, UUID]]) -> list[Any]:
    """The levels of (item, location), made where missing, locked in the order of their ids."""
    items, locations = [item for item, _ in places], [location for _, location in places]
    new = [new_id() for _ in places]
    await tx.run(_ENSURE_LEVELS.bindparams(ids=new, items=items, locations=locations))
    return await tx.records(_LOCK_LEVELS.bindparams(items=items, locations=locations))
