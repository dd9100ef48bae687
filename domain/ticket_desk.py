"""How staff organise the work: who does a ticket, until when, how urgent it is. Customers hear nothing of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select, text

from db import Staff
from db.connection import Tx
from db.ticket import TicketEventKind, TicketPriority, Visibility
from domain import audit, ticket
from domain.actor import Actor
from domain.refusal import NotFound

_COLLEAGUE: Final = (
    select(Staff.id).where(Staff.id == bindparam("id", type_=Uuid), Staff.active).with_for_update(key_share=True)
)


async def assign(tx: Tx, ticket_id: UUID, staff_id: UUID | None, actor: Actor) -> None:
    """To somebody who works here, or to nobody."""
    row = await ticket.lock(tx, ticket_id, actor, None)
    if staff_id is not None and await tx.scalar(_COLLEAGUE, id=staff_id) is None:
        raise NotFound("Nobody works here by this id.", path=("assignee_id",))
    if staff_id == row.assignee_id:
        return
    await tx.run(_ASSIGN, id=row.id, assignee_id=staff_id)
    about = {"from": row.assignee_id, "to": staff_id}
    await _record(tx, row, TicketEventKind.ASSIGNED, about, actor, "ticketAssign")


async def set_due(tx: Tx, ticket_id: UUID, due_at: datetime | None, actor: Actor) -> None:
    """Until when it is to be done; it is told once more when this is over."""
    row = await ticket.lock(tx, ticket_id, actor, None)
    if due_at == row.due_at:
        return
    await tx.run(_SET_DUE, id=row.id, due_at=due_at)
    about = {"from": row.due_at, "to": due_at and due_at.astimezone(UTC)}
    await _record(tx, row, TicketEventKind.DUE, about, actor, "ticketSetDue")


async def set_priority(tx: Tx, ticket_id: UUID, priority: TicketPriority, actor: Actor) -> None:
    row = await ticket.lock(tx, ticket_id, actor, None)
    if priority == row.priority:
        return
    await tx.run(_SET_PRIORITY, id=row.id, priority=priority)
    about = {"from": row.priority, "to": priority}
    await _record(tx, row, TicketEventKind.PRIORITY, about, actor, "ticketSetPriority")


async def _record(  # noqa: PLR0917 - what is written down twice
    tx: Tx, row: Any, kind: TicketEventKind, about: Mapping[str, Any], actor: Actor, action: str
) -> None:
    await ticket.record(tx, row.id, kind, about, actor, Visibility.INTERNAL)
    pair = [None if value is None else str(value) for value in about.values()]
    await audit.record(tx, actor, action, f"ticket:{row.id}", {kind.value: pair})


_ASSIGN: Final = text("UPDATE ticket SET assignee_id = CAST(:assignee_id AS uuid) WHERE id = :id")
_SET_DUE: Final = text("UPDATE ticket SET due_at = CAST(:due_at AS timestamptz), due_told_at = NULL WHERE id = :id")
_SET_PRIORITY: Final = text("UPDATE ticket SET priority = :priority WHERE id = :id")
