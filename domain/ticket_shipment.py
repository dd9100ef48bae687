"""Parcels that staff book for a whole order: the tickets follow what was sent and what has arrived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select, text

from db import Fulfilment, Order, OrderLine
from db.connection import Tx
from db.order import OrderStatus
from db.workflow import StateEffect, StateKind
from domain import audit, fulfilment, ticket, ticket_move
from domain.actor import Actor
from domain.fulfilment import Part, Tracking
from domain.refusal import NotFound, ValidationFailed

MOST_LINES: Final = 200
_PLACED: Final = (
    select(Order.id)
    .where(Order.id == bindparam("order_id", type_=Uuid))
    .where(Order.status != OrderStatus.PENDING, Order.status != OrderStatus.CANCELLED)
    .with_for_update(key_share=True)
)
_LINES: Final = select(OrderLine.id, OrderLine.workflow_id).where(
    OrderLine.order_id == bindparam("order_id", type_=Uuid)
)


@dataclass(frozen=True)
class Wanted:
    """Units of an order line; without a ticket they are taken of its tickets in turn."""

    order_line_id: UUID
    quantity: int
    ticket_id: UUID | None = None


@dataclass(frozen=True)
class Ship:
    order_id: UUID
    lines: tuple[Wanted, ...]
    tracking: Tracking

    def __post_init__(self) -> None:
        if not 1 <= len(self.lines) <= MOST_LINES:
            raise ValidationFailed(f"A parcel has 1 to {MOST_LINES} lines.", path=("lines",))
        for i, line in enumerate(self.lines):
            if not 1 <= line.quantity <= 1_000_000:
                raise ValidationFailed("A quantity is 1 to 1,000,000.", path=("lines", str(i), "quantity"))


async def ship(tx: Tx, command: Ship, actor: Actor) -> UUID:
    """Books a parcel. A ticket of which everything was sent goes where its workflow leads then."""
    if await tx.scalar(_PLACED, order_id=command.order_id) is None:
        raise NotFound("There is no such order that could be sent.", path=("order_id",))
    known = {row.id: row.workflow_id for row in await tx.records(_LINES, order_id=command.order_id)}
    tickets = await ticket.of_order(tx, command.order_id)
    left = {row.id: row.quantity - row.shipped for row in tickets if row.state_kind != StateKind.CANCELLED}
    parts: list[Part] = []
    for i, line in enumerate(command.lines):
        path = ("lines", str(i))
        if line.order_line_id not in known:
            raise NotFound("There is no such line in this order.", path=(*path, "order_line_id"))
        if line.ticket_id is not None and line.ticket_id not in {
            t.id for t in tickets if t.order_line_id == line.order_line_id
        }:
            raise NotFound("There is no such ticket of this line.", path=(*path, "ticket_id"))
        if known[line.order_line_id] is None and line.ticket_id is None:
            parts.append(Part(line.order_line_id, line.quantity))
        else:
            parts += _of_tickets(line, tickets, left, path)
    fulfilment_id = await fulfilment.ship(tx, command.order_id, parts, command.tracking, actor)
    difference = {"fulfilment": [None, str(fulfilment_id)]}
    await audit.record(tx, actor, "fulfilmentCreate", f"order:{command.order_id}", difference)
    for part in parts:
        if part.ticket_id is not None:
            given = (fulfilment_id, part.quantity, command.tracking, actor)
            await ticket_move.record_shipped(tx, part.ticket_id, *given)
    await _follow(tx, [part.ticket_id for part in parts], "shipped", frozenset({StateEffect.SHIP}))
    return fulfilment_id


def _of_tickets(line: Wanted, tickets: Sequence[Any], left: dict[UUID, int], path: tuple[str, ...]) -> list[Part]:
    """Spreads units over the tickets of the line in the order in which they were split off; `left` falls."""
    parts: list[Part] = []
    missing = line.quantity
    for row in tickets:
        wanted = line.ticket_id in {None, row.id} and row.order_line_id == line.order_line_id
        if taken := min(missing, left.get(row.id, 0)) if wanted else 0:
            left[row.id] -= taken
            missing -= taken
            parts.append(Part(line.order_line_id, taken, row.id))
    if missing:
        message = f"Only {line.quantity - missing} units of its tickets are left to be sent."
        raise ValidationFailed(message, path=(*path, "quantity"))
    return parts


_FULFILMENT: Final = select(Fulfilment).where(Fulfilment.id == bindparam("id", type_=Uuid))


async def _lock(tx: Tx, fulfilment_id: UUID) -> Fulfilment:
    found = await tx.first(_FULFILMENT, id=fulfilment_id)
    if found is None:
        raise NotFound(path=("fulfilment_id",))
    await tx.scalar(_PLACED, order_id=found.order_id)
    return await tx.one(_FULFILMENT, id=fulfilment_id)


async def deliver(tx: Tx, fulfilment_id: UUID, actor: Actor) -> None:
    """Books that a parcel has arrived; once more changes nothing."""
    row = await _lock(tx, fulfilment_id)
    arrived = await fulfilment.deliver(tx, row.order_id, fulfilment_id=fulfilment_id)
    difference = {"delivered": [row.delivered_at is not None, True]}
    await audit.record(tx, actor, "fulfilmentDeliver", f"fulfilment:{fulfilment_id}", difference)
    for part in arrived:
        if part.ticket_id is not None:
            await ticket_move.record_delivered(tx, part.ticket_id, part.quantity, actor)
    await _follow(tx, [part.ticket_id for part in arrived], "delivered", frozenset({StateEffect.DELIVER}))


async def track(tx: Tx, fulfilment_id: UUID, tracking: Mapping[str, str | None], actor: Actor) -> None:
    """Says how to follow a parcel; what is null stays as it is."""
    row = await _lock(tx, fulfilment_id)
    before = {"carrier": row.carrier, "number": row.tracking_number, "url": row.tracking_url}
    after = Tracking(**{**before, **{name: value for name, value in tracking.items() if value is not None}})
    await tx.run(_TRACK, id=fulfilment_id, **after.columns)
    difference = audit.changed(Tracking(**before).columns, after.columns)
    await audit.record(tx, actor, "fulfilmentUpdate", f"fulfilment:{fulfilment_id}", difference)


_TRACK: Final = text(
    """
    UPDATE fulfilment SET carrier = :carrier, tracking_number = :tracking_number, tracking_url = :tracking_url
    WHERE id = :id
    """
)


async def _follow(tx: Tx, ticket_ids: Sequence[UUID | None], count: str, effects: frozenset[StateEffect]) -> None:
    for ticket_id in sorted({key for key in ticket_ids if key is not None}):
        row = await ticket.again(tx, ticket_id)
        if row[count] == row.quantity and row.state_kind not in ticket.ENDED:
            await ticket_move.follow_goods(tx, ticket_id, effects)
