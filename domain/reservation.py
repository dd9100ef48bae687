"""Stock that orders hold: reserved while they are pending, allocated once they are placed.

The database refuses overselling (a CHECK on the level); here demand is summed, spread over locations and
taken by conditional UPDATEs, with levels locked in the order of their ids.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast
from uuid import UUID

from sqlalchemy import any_, func, select, text, update

from db import StockLevel, StockLocation, StockReservation, Variant, VariantStockItem
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
    await _shift(tx, _by_level(takings), reserved=1, allocated=0)
    await tx.insert(
        StockReservation,
        (
            {
                "id": new_id(),
                "order_id": order_id,
                "order_line_id": taking.order_line_id,
                "stock_level_id": taking.level_id,
                "quantity": taking.quantity,
                "state": ReservationState.HELD,
            }
            for taking in takings
        ),
    )


async def allocate(tx: Tx, order_id: UUID) -> None:
    """The order is placed: what it reserved is now promised for good."""
    await _shift(tx, await _close(tx, order_id, ReservationState.ALLOCATED), reserved=-1, allocated=1)


async def release(tx: Tx, order_id: UUID) -> None:
    """Gives back what a pending order reserved; a second call finds nothing left to give."""
    await _shift(tx, await _close(tx, order_id, ReservationState.RELEASED), reserved=-1, allocated=0)


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


async def _demands(tx: Tx, needs: Sequence[Need]) -> list[Demand]:
    rows = await tx.records(
        select(
            Variant.id, VariantStockItem.stock_item_id, func.coalesce(VariantStockItem.quantity, 1).label("quantity")
        )
        .outerjoin(VariantStockItem, VariantStockItem.variant_id == Variant.id)
        .where(Variant.id == any_(cast(Any, list({need.variant_id for need in needs}))), Variant.manage_stock)
    )
    recipe: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        recipe[row.id].append(row)
    return [Demand(need, row.stock_item_id, row.quantity) for need in needs for row in recipe[need.variant_id]]


async def _lock_levels(tx: Tx, items: set[UUID]) -> list[Level]:
    """All candidates, locked in id order, best location first; shortage is never free to take."""
    locked = (
        select(StockLevel)
        .where(StockLevel.stock_item_id == any_(cast(Any, list(items))))
        .order_by(StockLevel.id)
        .with_for_update()
        .cte("locked")
    )
    free = locked.c.on_hand + locked.c.backorder_limit - locked.c.reserved - locked.c.allocated
    rows = await tx.records(
        select(locked.c.id, locked.c.stock_item_id, func.greatest(free, 0).label("free"))
        .join(StockLocation, StockLocation.id == locked.c.location_id)
        .order_by(StockLocation.priority, locked.c.id)
    )
    return [Level(row.id, row.stock_item_id, row.free) for row in rows]


async def _close(tx: Tx, order_id: UUID, state: ReservationState) -> dict[UUID, int]:
    """Moves the order's holds into `state` and returns their quantities by level."""
    closed = await tx.records(
        update(StockReservation)
        .where(StockReservation.order_id == order_id, StockReservation.state == ReservationState.HELD)
        .values(state=state, **({"order_line_id": None} if state == ReservationState.RELEASED else {}))
        .returning(StockReservation.stock_level_id, StockReservation.quantity)
    )
    return _by_level([Taking(order_id, row.stock_level_id, row.quantity) for row in closed])


def _by_level(takings: Sequence[Taking]) -> dict[UUID, int]:
    quantities: dict[UUID, int] = defaultdict(int)
    for taking in takings:
        quantities[taking.level_id] += taking.quantity
    return quantities


async def _shift(tx: Tx, quantities: Mapping[UUID, int], *, reserved: int, allocated: int) -> None:
    """Adds `reserved` and `allocated` times the quantity to each level, locking them in id order."""
    if not quantities:
        return
    await tx.run(
        _SHIFT.bindparams(
            levels=list(quantities.keys()),
            quantities=list(quantities.values()),
            reserved=reserved,
            allocated=allocated,
        )
    )


_SHIFT = text(
    """
    WITH change AS (
        SELECT * FROM unnest(CAST(:levels AS uuid[]), CAST(:quantities AS bigint[])) AS c (id, quantity)
    ), locked AS (
        SELECT stock_level.id FROM stock_level JOIN change USING (id) ORDER BY id FOR UPDATE OF stock_level
    )
    UPDATE stock_level AS level
    SET reserved = level.reserved + CAST(:reserved AS int) * change.quantity,
        allocated = level.allocated + CAST(:allocated AS int) * change.quantity
    FROM change JOIN locked USING (id)
    WHERE level.id = change.id
    """
)
