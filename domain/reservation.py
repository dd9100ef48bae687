"""Stock that orders hold: reserved while they are pending, allocated once they are placed, then shipped or released.

The database refuses overselling (a CHECK on the level); here demand is summed, spread over locations and taken by
conditional UPDATEs. Locks: reservations by id, then levels by id. What is shipped, released or returned is read off
the reservations, never off the recipe of today (domain/shipment.py).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import StockLevel, StockLocation
from db.connection import Tx, new_id
from db.stock import ReservationState
from domain.allocation import Demand, InsufficientStock, Level, Need, Taking, plan

__all__ = ["InsufficientStock", "Need", "allocate", "hold", "release"]


async def hold(tx: Tx, order_id: UUID, needs: Sequence[Need]) -> None:
    """Reserves what the lines need, all of it or nothing; refuses with every line that is short."""
    demands = await _demands(tx, needs)
    if not demands or await _take_at_once(tx, order_id, demands):
        return
    takings = plan(demands, await _lock_levels(tx, {d.item_id for d in demands if d.item_id}))
    if not await _take(tx, order_id, takings):
        raise RuntimeError(f"what was planned for order {order_id} on locked levels could not be taken")


async def _take_at_once(tx: Tx, order_id: UUID, demands: Sequence[Demand]) -> bool:
    """By one conditional UPDATE, where each item lies in one place only; false: nothing was taken."""
    takings = [Taking(d.need.order_line_id, d.only_level, d.quantity, d.per_unit) for d in demands if d.only_level]
    return len(takings) == len(demands) and await _take(tx, order_id, takings)


async def _take(tx: Tx, order_id: UUID, takings: Sequence[Taking]) -> bool:
    rows = [
        {"id": new_id(), "line": t.order_line_id, "level": t.level_id, "quantity": t.quantity, "per_unit": t.per_unit}
        for t in takings
    ]
    return await tx.run(_HOLD, order_id=order_id, takings=rows) == len(rows)


# All levels or none: `locked` has what they are at now, whoever had them before, so `enough` cannot be wrong when the
# UPDATE comes to them. Its own condition is a net, and under that lies the CHECK.
_HOLD: Final = text(
    """
    WITH taking AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(:takings)
            AS t (id uuid, line uuid, level uuid, quantity bigint, per_unit integer)
    ), change AS MATERIALIZED (
        SELECT level AS id, sum(quantity) AS quantity FROM taking GROUP BY level
    ), locked AS MATERIALIZED (
        SELECT id, on_hand + backorder_limit - reserved - allocated AS free
        FROM stock_level WHERE id IN (SELECT id FROM change) ORDER BY id FOR NO KEY UPDATE
    ), enough AS MATERIALIZED (
        SELECT count(*) = (SELECT count(*) FROM change) AND bool_and(free >= quantity) AS all_of_it
        FROM locked JOIN change USING (id)
    ), taken AS (
        UPDATE stock_level AS level SET reserved = level.reserved + change.quantity
        FROM change, enough
        WHERE level.id = change.id AND enough.all_of_it
          AND level.on_hand + level.backorder_limit - level.reserved - level.allocated >= change.quantity
        RETURNING level.id
    )
    INSERT INTO stock_reservation (id, order_id, order_line_id, stock_level_id, quantity, per_unit, state)
    SELECT taking.id, CAST(:order_id AS uuid), line, level, quantity, per_unit, 'held'
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
        SELECT stock_level_id AS id, sum(quantity) AS quantity,
               sum(CASE :state WHEN 'released' THEN quantity ELSE 0 END) AS freed
        FROM closed GROUP BY stock_level_id
    ), locked AS (
        SELECT stock_level.id FROM stock_level JOIN change USING (id) ORDER BY id FOR NO KEY UPDATE OF stock_level
    )
    UPDATE stock_level AS level
    SET reserved = level.reserved - change.quantity,
        allocated = level.allocated + change.quantity - change.freed,
        shortage = greatest(level.shortage - change.freed, 0)
    FROM change JOIN locked USING (id)
    WHERE level.id = change.id
    """
)


_RECIPES: Final = text(
    """
    SELECT variant.id, link.stock_item_id AS item, coalesce(link.quantity, 1) AS per_unit,
           CASE WHEN levels.count = 1 THEN levels.ids[1] END AS only_level
    FROM variant LEFT JOIN variant_stock_item AS link ON link.variant_id = variant.id
    LEFT JOIN LATERAL (
        SELECT count(*) AS count, array_agg(level.id) AS ids
        FROM stock_level AS level JOIN stock_location AS place ON place.id = level.location_id
        WHERE level.stock_item_id = link.stock_item_id AND place.archived_at IS NULL
    ) AS levels ON true
    WHERE variant.id = ANY(:variants) AND variant.manage_stock
    """
)


async def _demands(tx: Tx, needs: Sequence[Need]) -> list[Demand]:
    recipes: dict[UUID, list[Any]] = defaultdict(list)
    for row in await tx.records(_RECIPES, variants=list({need.variant_id for need in needs})):
        recipes[row["id"]].append(row)
    return [
        Demand(need, row["item"], row["per_unit"], row["only_level"])
        for need in needs
        for row in recipes[need.variant_id]
    ]


_LOCKED: Final = (
    select(StockLevel)
    .where(StockLevel.stock_item_id == any_(bindparam("items", type_=ARRAY(Uuid))))
    .order_by(StockLevel.id)
    .with_for_update(key_share=True)
    .cte("locked")
)
_FREE: Final = _LOCKED.c.on_hand + _LOCKED.c.backorder_limit - _LOCKED.c.reserved - _LOCKED.c.allocated
_LOCK_LEVELS: Final = (
    select(_LOCKED.c.id, _LOCKED.c.stock_item_id, func.greatest(_FREE, 0).label("free"))
    .join(StockLocation, StockLocation.id == _LOCKED.c.location_id)
    .where(StockLocation.archived_at.is_(None))
    .order_by(StockLocation.priority, _LOCKED.c.id)
)


async def _lock_levels(tx: Tx, items: set[UUID]) -> list[Level]:
    """All candidates, locked in id order, best location first; shortage is never free to take."""
    rows = await tx.records(_LOCK_LEVELS, items=list(items))
    return [Level(row["id"], row["stock_item_id"], row["free"]) for row in rows]
