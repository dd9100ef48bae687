"""Reconciling: whether levels are what their movements and reservations add up to, and making it right.

The shop cannot make them differ; what was written past it (by hand, by a restored table) can.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read, Tx
from db.stock import StockMovementReason
from domain import audit
from domain.actor import SYSTEM
from domain.stock import Entry

PAGE: Final = 2_000
FIRST: Final = UUID(int=0)
"""Below every key."""
REPAIR: Final = Entry(StockMovementReason.REPAIR, SYSTEM, "counterfoil stock reconcile --repair")


@dataclass(frozen=True)
class Difference:
    """A level that is not what its rows add up to. `moved`, `held` and `placed` are the sums."""

    level_id: UUID
    item: str
    location: str
    on_hand: int
    moved: int
    reserved: int
    held: int
    allocated: int
    placed: int
    room: int
    """What may be promised of it: what lies there and may be owed, and the shortage that is told."""

    @property
    def repairable(self) -> bool:
        """The database refuses to promise more than there is, here as everywhere."""
        return self.held + self.placed <= self.room

    @property
    def sentences(self) -> list[str]:
        told: list[str] = []
        if self.on_hand != self.moved:
            told.append(
                f"on hand are {self.on_hand}, its movements add up to {self.moved}: --repair writes the movement that "
                "is missing; then count what lies there (stockSet)"
            )
        for name, told_, sum_ in (("reserved", self.reserved, self.held), ("allocated", self.allocated, self.placed)):
            if told_ != sum_:
                remedy = "--repair takes over the sum"
                if not self.repairable:
                    remedy = "make room first (stockSet what lies there, or stockSetBackorderLimit), then --repair"
                told.append(f"{name} are {told_}, its reservations add up to {sum_}: {remedy}")
        return told


async def differences(read: Read, told: Callable[[int], None]) -> list[Difference]:
    """All levels, a page at a time and each page by one statement, so that sales meanwhile do not disturb.

    `told` is told how many levels were looked at.
    """
    found: list[Difference] = []
    after, looked_at = FIRST, 0
    while rows := await read.records(_SUMS, after=after, level=None, rows=PAGE):
        found += [_difference(row) for row in rows if _differs(row)]
        looked_at += len(rows)
        told(looked_at)
        after = rows[-1].id
    return found


async def repair(tx: Tx, level_id: UUID) -> bool:
    """Makes one level right; false where there is no room for what was promised, or nothing was wrong any more.

    Reserved and allocated become what the reservations say. What lies there stays as it is, since sales go by it, and
    its ledger gets the movement that is missing.
    """
    await tx.run(_LOCK, level=level_id)
    (row,) = await tx.records(_SUMS, after=FIRST, level=level_id, rows=1)
    found = _difference(row)
    if not _differs(row) or not found.repairable:
        return False
    await tx.run(_REPAIR, level=level_id, held=found.held, placed=found.placed)
    if found.on_hand != found.moved:
        await tx.run(_MOVE, level=level_id, delta=found.on_hand - found.moved, **REPAIR.columns)
    difference = audit.changed(
        {"moved": found.moved, "reserved": found.reserved, "allocated": found.allocated},
        {"moved": found.on_hand, "reserved": found.held, "allocated": found.placed},
    )
    await audit.record(tx, SYSTEM, "stock reconcile", f"stock_level:{level_id}", difference)
    return True


def _differs(row: Any) -> bool:
    return (row.on_hand, row.reserved, row.allocated) != (row.moved, row.held, row.placed)


def _difference(row: Any) -> Difference:
    names = ("item", "location", "on_hand", "moved", "reserved", "held", "allocated", "placed", "room")
    return Difference(row.id, *(row[name] for name in names))


_COUNT: Final = text("SELECT count(*) AS count FROM stock_level")


async def count(read: Read) -> int:
    """How many levels there are."""
    return await read.value(_COUNT)


_SUMS: Final = text(
    """
    SELECT level.id, coalesce(item.sku, item.title) AS item, place.code AS location, level.on_hand, level.reserved,
           level.allocated, level.on_hand + level.backorder_limit + level.shortage AS room,
           (SELECT CAST(coalesce(sum(delta), 0) AS bigint) FROM stock_movement WHERE stock_level_id = level.id)
               AS moved,
           CAST(promised.held AS bigint) AS held, CAST(promised.placed AS bigint) AS placed
    FROM stock_level AS level JOIN stock_item AS item ON item.id = level.stock_item_id
    JOIN stock_location AS place ON place.id = level.location_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(quantity) FILTER (WHERE state = 'held'), 0) AS held,
               coalesce(sum(quantity) FILTER (WHERE state = 'allocated'), 0) AS placed
        FROM stock_reservation WHERE stock_level_id = level.id AND state IN ('held', 'allocated')
    ) AS promised
    WHERE level.id > :after AND level.id = coalesce(CAST(:level AS uuid), level.id) ORDER BY level.id LIMIT :rows
    """
)
_LOCK: Final = text("SELECT id FROM stock_level WHERE id = :level FOR NO KEY UPDATE")
_REPAIR: Final = text(
    """
    UPDATE stock_level SET reserved = :held, allocated = :placed,
        shortage = greatest(CAST(:held AS bigint) + CAST(:placed AS bigint) - on_hand - backorder_limit, 0)
    WHERE id = :level
    """
)
_MOVE: Final = text(
    """
    INSERT INTO stock_movement (stock_level_id, delta, reason, actor_kind, staff_id, api_key_id, note)
    VALUES (:level, :delta, :reason, :actor_kind, :staff_id, :api_key_id, :note)
    """
)
