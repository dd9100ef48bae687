"""Tickets come into being, and follow what becomes of their order: for each line they add up to what is wanted."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, delete, select, text

from db import Order, Ticket, TicketBrief, TicketEvent, WorkflowState
from db.connection import Tx, new_id
from db.ticket import TicketEventKind
from db.workflow import ActorKind, InitialFor
from domain import ticket, ticket_move, ticket_rank, workflow
from domain.actor import SYSTEM
from domain.event import announce
from domain.ticket import ENDED, TicketChanged, TicketsOpened

_LOCK: Final = select(Order.id).where(Order.id == bindparam("order_id", type_=Uuid)).with_for_update(key_share=True)
_WITHDRAW: Final = delete(Ticket).where(Ticket.order_id == bindparam("order_id", type_=Uuid), Ticket.last_seq == 1)


async def reconcile(tx: Tx, order_id: UUID) -> None:
    """Opens what is missing and calls off what is too much, so that each line's tickets add up to what is wanted of it.

    A second run finds nothing to do.
    """
    if not await tx.scalar(_LOCK, order_id=order_id):
        return
    lines = await tx.records(_LINES, order_id=order_id)
    if missing := [line for line in lines if line.wanted > line.covered]:
        await _open(tx, order_id, missing)
    if surplus := {line.id: line.covered - line.wanted for line in lines if line.covered > line.wanted}:
        await _call_off(tx, order_id, surplus)


async def _open(tx: Tx, order_id: UUID, lines: list[Any]) -> None:
    initial = await workflow.initial_states(tx, list({line.workflow_id for line in lines}))
    tickets = [_ticket_row(line, initial) for line in lines]
    await tx.insert(Ticket, tickets)
    if any(state.sla_minutes for state in initial.values()):
        await tx.run(_START_CLOCKS, ids=[row["id"] for row in tickets])
    await tx.insert(TicketBrief, (_brief_row(row) for row in tickets if row["brief_version"]))
    await tx.insert(TicketEvent, (_opening_row(row) for row in tickets))
    await ticket.refresh_work_status(tx, order_id)
    changed = (TicketChanged(row["id"], order_id, 1) for row in tickets)
    await announce(tx, *changed, TicketsOpened(order_id, len(tickets)))


async def _call_off(tx: Tx, order_id: UUID, surplus: dict[UUID, int]) -> None:
    """Of each line the latest split-off first. What was sent or is done stays; the line itself has changed already."""
    tickets = [row for row in await ticket.of_order(tx, order_id) if row.state_kind not in ENDED]
    for line_id, of_line in groupby(tickets, key=lambda row: row.order_line_id):
        left = surplus.get(line_id, 0)
        for row in reversed(list(of_line)):
            taken = min(left, row.quantity - row.shipped)
            left -= taken
            if taken and taken < row.quantity:
                await shrink(tx, row, taken)
                await ticket_move.follow_rest(tx, row.id)
            elif taken:
                to = await workflow.cancelled_state(tx, row.workflow_id)
                await ticket_move.enter(tx, row, to, SYSTEM)
    await ticket.refresh_work_status(tx, order_id)


async def shrink(tx: Tx, row: Any, by: int) -> None:
    quantity = {"from": row.quantity, "to": row.quantity - by}
    await ticket.record(tx, row.id, TicketEventKind.QUANTITY, quantity, SYSTEM)
    await tx.run(_SHRINK, id=row.id, by=by)


async def withdraw(tx: Tx, order_id: UUID) -> None:
    """Undoes `reconcile`: removes the order's tickets that have nothing but their opening event."""
    await tx.scalar(_LOCK, order_id=order_id)
    await tx.run(_WITHDRAW, order_id=order_id)
    await ticket.refresh_work_status(tx, order_id)


_LINES: Final = text(
    """
    SELECT line.id, line.order_id, line.workflow_id, line.brief, line.brief_complete, product.brief_schema,
        line.quantity - line.cancelled AS wanted,
        coalesce(sum(ticket.quantity) FILTER (WHERE state.kind <> 'cancelled'), 0) AS covered,
        coalesce(max(ticket.split_number), 0) + 1 AS split_number
    FROM order_line AS line
    JOIN variant ON variant.id = line.variant_id JOIN product ON product.id = variant.product_id
    LEFT JOIN ticket ON ticket.order_line_id = line.id
    LEFT JOIN workflow_state AS state ON state.workflow_id = ticket.workflow_id AND state.code = ticket.state
    WHERE line.order_id = :order_id AND line.workflow_id IS NOT NULL
    GROUP BY line.id, product.id ORDER BY line.position
    """
)
_START_CLOCKS: Final = text(
    """
    UPDATE ticket SET state_due_at = ticket.state_since + make_interval(mins => state.sla_minutes)
    FROM workflow_state AS state
    WHERE ticket.id = ANY(:ids) AND state.workflow_id = ticket.workflow_id AND state.code = ticket.state
      AND state.sla_minutes IS NOT NULL
    """
)
_SHRINK: Final = text(
    "UPDATE ticket SET quantity = quantity - :by, version = version + 1, updated_at = clock_timestamp() WHERE id = :id"
)


def _ticket_row(line: Any, initial: Mapping[tuple[UUID, InitialFor], WorkflowState]) -> dict[str, Any]:
    case_ = InitialFor.COMPLETE_BRIEF if line.brief_complete else InitialFor.INCOMPLETE_BRIEF
    key = new_id()
    return {
        "id": key,
        "order_id": line.order_id,
        "order_line_id": line.id,
        "split_number": line.split_number,
        "quantity": line.wanted - line.covered,
        "workflow_id": line.workflow_id,
        "state": initial[line.workflow_id, case_].code,
        "rank": ticket_rank.of_id(key),
        "brief": line.brief,
        "brief_version": 0 if line.brief is None else 1,
        "brief_complete": line.brief_complete,
        "brief_schema": line.brief_schema,
        "last_seq": 1,
        "customer_read_seq": 1,
    }


def _opening_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return ticket.event_row(row["id"], 1, TicketEventKind.OPENED, {"state": row["state"]}, SYSTEM)


def _brief_row(row: Mapping[str, Any]) -> dict[str, Any]:
    who = {"actor_kind": ActorKind.CUSTOMER, "actor_id": None}
    return {"ticket_id": row["id"], "version": 1, "brief": row["brief"], **who}
