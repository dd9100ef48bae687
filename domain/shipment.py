"""Stock that leaves and comes back: what placed orders were promised is shipped, given back, or returned to a shelf.

All of it is read off the reservations of an order line; the recipe of today may be another. Whoever calls holds the
lock on the order. Locks: the line's reservations by id, then levels by id.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx, new_id
from db.stock import ReservationState, StockMovementReason
from domain.actor import Actor
from domain.allocation import InsufficientStock
from domain.refusal import ValidationFailed
from domain.stock import Entry, lock_levels, open_locations


@dataclass(frozen=True)
class Reserved:
    """What a line has of a level; both are locked. `left` was not returned yet."""

    id: UUID
    order_id: UUID
    left: int
    per_unit: int
    level: Any
    """The level's row, with `free` and its location's `priority`."""


@dataclass(frozen=True)
class Piece:
    """A part of a reservation, or all of it."""

    of: Reserved
    quantity: int


async def ship(tx: Tx, order_line_id: UUID, quantity: int, actor: Actor, location_id: UUID | None = None) -> None:
    """Units of a placed line leave the shelves: of one location, or of all where they are promised, by priority.

    A line of what is not counted has nothing reserved, and nothing happens. Refuses with InsufficientStock what is
    promised but does not lie there yet.
    """
    rows = await _lock(tx, order_line_id, ReservationState.ALLOCATED)
    if rows is None:
        return
    there = [row for row in rows if location_id is None or row.level.location_id == location_id]
    _check_left(there, quantity, "shipped")
    there.sort(key=lambda row: (row.level.priority, row.id))
    lying = {row.level.id: row.level.on_hand for row in there}
    pieces = _pieces(there, quantity, lying)
    if pieces is None:
        most = _lying_units(there, lying)
        raise InsufficientStock(f"Only {most} of these lie there.", path=("quantity",), available_quantity=most)
    await _close(tx, pieces, ReservationState.SHIPPED, Entry(StockMovementReason.SHIPMENT, actor))


async def cancel(tx: Tx, order_line_id: UUID, quantity: int) -> None:
    """Units of a placed line are promised no more: those first of which too much is owed, then those yet to come."""
    rows = await _lock(tx, order_line_id, ReservationState.ALLOCATED)
    if rows is None:
        return
    _check_left(rows, quantity, "cancelled")
    rows.sort(key=lambda row: (row.level.shortage == 0, row.level.ready >= 0, -row.level.priority, row.id))
    pieces = _pieces(rows, quantity, {})
    assert pieces is not None
    await _close(tx, pieces, ReservationState.RELEASED, Entry(StockMovementReason.SHIPMENT))


async def restock(tx: Tx, order_line_id: UUID, quantity: int, actor: Actor, location_id: UUID | None = None) -> None:
    """Units that were shipped lie on a shelf again: in one location, or each where it came from."""
    rows = await _lock(tx, order_line_id, ReservationState.SHIPPED)
    if rows is None:
        return
    _check_left(rows, quantity, "returned")
    pieces = _pieces(rows, quantity, {})
    assert pieces is not None
    places = {(p.of.level.stock_item_id, location_id or p.of.level.location_id) for p in pieces}
    locations = {place for _, place in places}
    if await open_locations(tx, locations) != locations:
        raise ValidationFailed("Nothing can lie there: name another location.", path=("stock_location_id",))
    levels = {(row.stock_item_id, row.location_id): row.id for row in await lock_levels(tx, sorted(places))}
    back = [
        {
            "reservation": p.of.id,
            "level": levels[p.of.level.stock_item_id, location_id or p.of.level.location_id],
            "quantity": p.quantity,
            "order_id": p.of.order_id,
        }
        for p in pieces
    ]
    await tx.run(_RESTOCK, back=back, **Entry(StockMovementReason.RETURN, actor).columns)


def _check_left(rows: Sequence[Reserved], quantity: int, done: str) -> None:
    left = _units(rows)
    if not 1 <= quantity <= left:
        raise ValidationFailed(f"Of this line 1 to {left} units can be {done}.", path=("quantity",))


def _by_item(rows: Iterable[Reserved]) -> Mapping[UUID, list[Reserved]]:
    by_item: dict[UUID, list[Reserved]] = defaultdict(list)
    for row in rows:
        by_item[row.level.stock_item_id].append(row)
    return by_item


def _units(rows: Sequence[Reserved]) -> int:
    """How many whole units of the line these are."""
    parts = _by_item(rows).values()
    return min((sum(row.left for row in of) // of[0].per_unit for of in parts), default=0)


def _lying_units(rows: Sequence[Reserved], lying: Mapping[UUID, int]) -> int:
    parts = _by_item(rows).values()
    return min(sum(min(row.left, lying[row.level.id]) for row in of) // of[0].per_unit for of in parts)


def _pieces(rows: Sequence[Reserved], units: int, lying: Mapping[UUID, int]) -> list[Piece] | None:
    """What makes up so many units, taken in this order; of a level at most what lies there, where that is told."""
    pieces: list[Piece] = []
    there = dict(lying)
    for of in _by_item(rows).values():
        missing = units * of[0].per_unit
        for row in of:
            taken = min(row.left, missing, there.get(row.level.id, row.left))
            if taken:
                missing -= taken
                there[row.level.id] = there.get(row.level.id, row.left) - taken
                pieces.append(Piece(row, taken))
        if missing:
            return None
    return pieces


_RESERVED: Final = text(
    """
    SELECT id, order_id, stock_level_id, state, quantity - restocked AS remaining, per_unit
    FROM stock_reservation WHERE order_line_id = :line ORDER BY id FOR UPDATE
    """
)
_LEVELS: Final = text(
    """
    SELECT level.*, level.on_hand - level.reserved - level.allocated AS ready, place.priority
    FROM stock_level AS level JOIN stock_location AS place ON place.id = level.location_id
    WHERE level.id = ANY(:levels) ORDER BY level.id FOR NO KEY UPDATE OF level
    """
)


async def _lock(tx: Tx, order_line_id: UUID, state: ReservationState) -> list[Reserved] | None:
    """What the line has in this state; null if nothing was ever reserved for it."""
    reserved = await tx.records(_RESERVED, line=order_line_id)
    if not reserved:
        return None
    rows = [row for row in reserved if row.state == state and row.remaining]
    found = await tx.records(_LEVELS, levels=list({row.stock_level_id for row in rows}))
    levels = {level.id: level for level in found}
    return [Reserved(row.id, row.order_id, row.remaining, row.per_unit, levels[row.stock_level_id]) for row in rows]


# A reservation of which only a part goes is split: the rest stays as it was, the part is a row of its own.
_CLOSE: Final = text(
    """
    WITH piece AS (
        SELECT * FROM jsonb_to_recordset(:pieces) AS p (id uuid, reservation uuid, quantity bigint)
    ), whole AS (
        UPDATE stock_reservation AS r SET state = :state FROM piece
        WHERE r.id = piece.reservation AND r.state = 'allocated' AND r.quantity = piece.quantity
        RETURNING r.order_id, r.stock_level_id, piece.quantity
    ), part AS (
        UPDATE stock_reservation AS r SET quantity = r.quantity - piece.quantity FROM piece
        WHERE r.id = piece.reservation AND r.state = 'allocated' AND r.quantity > piece.quantity
        RETURNING piece.id, r.order_id, r.order_line_id, r.stock_level_id, piece.quantity, r.per_unit
    ), split AS (
        INSERT INTO stock_reservation (id, order_id, order_line_id, stock_level_id, quantity, per_unit, state)
        SELECT id, order_id, order_line_id, stock_level_id, quantity, per_unit, :state FROM part
    ), gone AS (
        SELECT order_id, stock_level_id AS id, sum(quantity) AS quantity
        FROM (SELECT order_id, stock_level_id, quantity FROM whole
              UNION ALL SELECT order_id, stock_level_id, quantity FROM part) AS p GROUP BY 1, 2
    ), moved AS (
        INSERT INTO stock_movement (stock_level_id, delta, reason, actor_kind, staff_id, api_key_id, note, order_id)
        SELECT id, -quantity, :reason, :actor_kind, CAST(:staff_id AS uuid), CAST(:api_key_id AS uuid), :note, order_id
        FROM gone WHERE :state = 'shipped' ORDER BY id
    )
    UPDATE stock_level AS level
    SET allocated = level.allocated - gone.quantity,
        on_hand = level.on_hand - CASE :state WHEN 'shipped' THEN gone.quantity ELSE 0 END,
        shortage = CASE :state WHEN 'shipped' THEN level.shortage
                   ELSE greatest(level.shortage - gone.quantity, 0) END
    FROM gone WHERE level.id = gone.id
    """
)


async def _close(tx: Tx, pieces: Sequence[Piece], state: ReservationState, entry: Entry) -> None:
    rows = [{"id": new_id(), "reservation": piece.of.id, "quantity": piece.quantity} for piece in pieces]
    levels = {piece.of.level.id for piece in pieces}
    if await tx.run(_CLOSE, pieces=rows, state=state, **entry.columns) != len(levels):
        raise RuntimeError("reservations that were locked have changed")


_RESTOCK: Final = text(
    """
    WITH back AS (
        SELECT * FROM jsonb_to_recordset(:back) AS b (reservation uuid, level uuid, quantity bigint, order_id uuid)
    ), counted AS (
        UPDATE stock_reservation AS r SET restocked = r.restocked + back.quantity FROM back
        WHERE r.id = back.reservation AND r.state = 'shipped' AND r.quantity - r.restocked >= back.quantity
        RETURNING back.level AS id, back.quantity, back.order_id
    ), arrived AS (
        SELECT id, order_id, sum(quantity) AS quantity FROM counted GROUP BY 1, 2
    ), moved AS (
        INSERT INTO stock_movement (stock_level_id, delta, reason, actor_kind, staff_id, api_key_id, note, order_id)
        SELECT id, quantity, :reason, :actor_kind, CAST(:staff_id AS uuid), CAST(:api_key_id AS uuid), :note, order_id
        FROM arrived ORDER BY id
    )
    UPDATE stock_level AS level
    SET on_hand = level.on_hand + arrived.quantity, shortage = greatest(level.shortage - arrived.quantity, 0)
    FROM arrived WHERE level.id = arrived.id
    """
)
