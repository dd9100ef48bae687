"""Tells of tickets that stay too long in a state, or are not done when they should be: of each once."""

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from sqlalchemy import text

from db.ticket import TicketEventKind, Visibility
from domain import ticket
from domain.actor import SYSTEM
from domain.event import Event, announce
from domain.processes.shop import Shop

AT_ONCE: Final = 100


@dataclass(frozen=True)
class TicketOverdue(Event):
    """`what` is `state` or `due`. Sent once for each stay in a state, and once for each due date."""

    about: ClassVar[str] = "ticket_id"
    ticket_id: UUID
    order_id: UUID
    what: str


# Whoever does something with a ticket at this moment is not waited for: the next sweep finds it, if it still is late.
_LATE: Final = text(
    """
    WITH late AS (
        SELECT ticket.id, ticket.state_due_at <= clock_timestamp() AND ticket.state_due_told_at IS NULL AS state_late,
            ticket.due_at <= clock_timestamp() AND ticket.due_told_at IS NULL AS due_late
        FROM ticket JOIN workflow_state AS state ON state.workflow_id = ticket.workflow_id AND state.code = ticket.state
        WHERE state.kind IN ('open', 'waiting_customer')
          AND (ticket.state_due_at <= clock_timestamp() AND ticket.state_due_told_at IS NULL
               OR ticket.due_at <= clock_timestamp() AND ticket.due_told_at IS NULL)
        ORDER BY ticket.id LIMIT :most FOR NO KEY UPDATE OF ticket SKIP LOCKED
    )
    UPDATE ticket SET
        state_due_told_at = CASE WHEN late.state_late THEN clock_timestamp() ELSE state_due_told_at END,
        due_told_at = CASE WHEN late.due_late THEN clock_timestamp() ELSE due_told_at END
    FROM late WHERE late.id = ticket.id
    RETURNING ticket.id, ticket.order_id, ticket.state, late.state_late, late.due_late
    """
)


async def tell_of_overdue(shop: Shop) -> int:
    """How many tickets it told of."""
    told = AT_ONCE
    total = 0
    while told == AT_ONCE:
        async with shop.tx() as tx:
            late = await tx.records(_LATE, most=AT_ONCE)
            for row in late:
                for what, is_late in (("state", row.state_late), ("due", row.due_late)):
                    if is_late:
                        about = {"what": what, "state": row.state}
                        await ticket.record(tx, row.id, TicketEventKind.OVERDUE, about, SYSTEM, Visibility.INTERNAL)
                        await announce(tx, TicketOverdue(row.id, row.order_id, what))
        told = len(late)
        total += told
    return total
