"""Stock that orders hold: reserved while they are pending, allocated once they are placed.

The database refuses overselling (a CHECK on the level); here demand is summed, spread over locations and
taken by conditional UPDATEs, with levels locked in the order of their ids.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import StockLevel, StockLocation, Variant, VariantStockItem
from db.connection import Tx, new_id
from db.stock import ReservationState
from domain.refusal import ErrorCode, Refusal


@dataclass(eq=False)
class InsufficientStock(Refusal):
    """`available_quantity` is how many units of this line could be had, 0 or more."""

    available_quantity: int = 0
    variant_id: UUID | None = None
    line_id: UUID | None = None
    code = ErrorCode.INSUFFICIENT_STOCK


@dataclass(frozen=True)
class Need:
    """Units of a variant that an order line wants; a refusal names the cart line it came from."""

    order_line_id: UUID
    cart_line_id: UUID
    variant_id: UUID
    units: int


@dataclass(frozen=True)
class Demand:
    """What a need takes of one stock item: several items when the variant is a bundle.

    Without an item nobody has counted the variant yet, and there is nothing to take from.
    """

    need: Need
    item_id: UUID | None
    per_unit: int

    @property
    def quantity(self) -> int:
        return self.need.units * self.per_unit


@dataclass
class Level:
    """A candidate to take from; `free` falls while it is planned on."""

    id: UUID
    item_id: UUID
    free: int


@dataclass(frozen=True)
class Taking:
    order_line_id: UUID
    level_id: UUID
    quantity: int


async def hold(tx: Tx, order_id: UUID, needs: Sequence[Need]) -> None:
    """Reserves what the lines need, all of it or nothing."""
    demands = await _demands(tx, needs)
    if not demands:
        return
    takings = plan(demands, await _lock_levels(tx, {d.item_id for d in demands if d.item_id}))
    rows = [
        {"id": new_id(), "line": taking.order_line_id, "level": taking.level_id, "quantity": taking.quantity}
        for taking in takings
    ]
    await tx.run(_HOLD, order_id=order_id, takings=rows)


# The levels are locked. Should there be less than was planned on, the CHECK on the level refuses.
_HOLD: Final = text(
    """
    WITH taking AS (
        SELECT * FROM jsonb_to_recordset(:takings) AS t (id uuid, line uuid, level uuid, quantity bigint)
    ), taken AS (
        UPDATE stock_level SET reserved = stock_level.reserved + change.quantity
        FROM (SELECT level, sum(quantity) AS quantity FROM taking GROUP BY level) AS change
        WHERE stock_level.id = change.level
        RETURNING stock_level.id
    )
    INSERT INTO stock_reservation (id, order_id, order_line_id, stock_level_id, quantity, state)
    SELECT taking.id, CAST(:order_id AS uuid), line, level, quantity, 'held'
    FROM taking JOIN taken ON taken.id = level
    """
)


async def allocate(tx: Tx, order_id: UUID) -> None:
    """The order is placed: what it reserved is now promised for good."""
    await tx.run(_CLOSE, order_id=order_id, state=ReservationState.ALLOCATED)


async def release(tx: Tx, order_id: UUID) -> None:
    """Gives back what a pending order reserved; a second call finds nothing left to give."""
    await tx.run(_CLOSE, order_id=order_id, state=ReservationState.RELEASED)


# A hold that is released forgets its line, as a later attempt may write others. Levels are locked in id order.
_CLOSE: Final = text(
    """
    WITH closed AS (
        UPDATE stock_reservation
        SET state = :state, order_line_id = CASE :state WHEN 'released' THEN NULL ELSE order_line_id END
        WHERE order_id = :order_id AND state = 'held'
        RETURNING stock_level_id, quantity
    ), change AS (
        SELECT stock_level_id AS id, sum(quantity) AS quantity FROM closed GROUP BY stock_level_id
    ), locked AS (
        SELECT stock_level.id FROM stock_level JOIN change USING (id) ORDER BY id FOR UPDATE OF stock_level
    )
    UPDATE stock_level AS level
    SET reserved = level.reserved - change.quantity,
        allocated = level.allocated + CASE :state WHEN 'allocated' THEN change.quantity ELSE 0 END
    FROM change JOIN locked USING (id)
    WHERE level.id = change.id
    """
)


def plan(demands: Sequence[Demand], levels: Sequence[Level]) -> list[Taking]:
    """Takes from levels in the order given; two lines of one item are summed because `free` falls."""
    candidates: dict[UUID | None, list[Level]] = defaultdict(list)
    for level in levels:
        candidates[level.item_id].append(level)
    takings: list[Taking] = []
    for need, parts in groupby(demands, key=lambda demand: demand.need):
        wanted = [(part, candidates[part.item_id]) for part in parts]
        available = min(sum(level.free for level in of) // part.per_unit for part, of in wanted)
        if available < need.units:
            raise InsufficientStock(
                f"Only {available} of these can be had.",
                path=("lines",),
                available_quantity=available,
                variant_id=need.variant_id,
                line_id=need.cart_line_id,
            )
        for part, of in wanted:
            takings += _take(part, of)
    return takings


def _take(demand: Demand, levels: Sequence[Level]) -> Iterator[Taking]:
    missing = demand.quantity
    for level in levels:
        if taken := min(level.free, missing):
            level.free -= taken
            missing -= taken
            yield Taking(demand.need.order_line_id, level.id, taken)


_RECIPES: Final = (
    select(
        Variant.id,
        VariantStockItem.stock_item_id.label("item"),
        func.coalesce(VariantStockItem.quantity, 1).label("per_unit"),
    )
    .outerjoin(VariantStockItem, VariantStockItem.variant_id == Variant.id)
    .where(Variant.id == any_(bindparam("variants", type_=ARRAY(Uuid))), Variant.manage_stock)
)


async def _demands(tx: Tx, needs: Sequence[Need]) -> list[Demand]:
    recipes: dict[UUID, list[Any]] = defaultdict(list)
    for row in await tx.records(_RECIPES, variants=list({need.variant_id for need in needs})):
        recipes[row["id"]].append(row)
    return [Demand(need, row["item"], row["per_unit"]) for need in needs for row in recipes[need.variant_id]]


_LOCKED: Final = (
    select(StockLevel)
    .where(StockLevel.stock_item_id == any_(bindparam("items", type_=ARRAY(Uuid))))
    .order_by(StockLevel.id)
    .with_for_update()
    .cte("locked")
)
_FREE: Final = _LOCKED.c.on_hand + _LOCKED.c.backorder_limit - _LOCKED.c.reserved - _LOCKED.c.allocated
_LOCK_LEVELS: Final = (
    select(_LOCKED.c.id, _LOCKED.c.stock_item_id, func.greatest(_FREE, 0).label("free"))
    .join(StockLocation, StockLocation.id == _LOCKED.c.location_id)
    .order_by(StockLocation.priority, _LOCKED.c.id)
)


async def _lock_levels(tx: Tx, items: set[UUID]) -> list[Level]:
    """All candidates, locked in id order, best location first; shortage is never free to take."""
    rows = await tx.records(_LOCK_LEVELS, items=list(items))
    return [Level(row["id"], row["stock_item_id"], row["free"]) for row in rows]
