"""What a notification says, as plain text by name; read when it is sent, and only what its receiver may see.

Nothing of a ticket that is internal is read for customers. What is over by then (a proof that was decided on, a ticket
that waits no more) is not told any more.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read
from db.notification import NotificationKind
from db.ticket import TicketEventKind, Visibility
from db.workflow import StateKind
from domain.money import Money
from domain.ticket_requirement import RequiredAction

Facts = Mapping[str, str]
QUOTED: Final = 2_000
"""Characters of a message that are shown in a notification."""


async def facts(read: Read, notification: Any) -> Facts | None:
    """Null: there is nothing to tell any more."""
    subject, _, rest = notification.event.partition(":")
    if subject == "ticket":
        ticket_id, _, seq = rest.partition(":")
        return await _of_ticket(read, notification, UUID(ticket_id), int(seq))
    found = await read.records(_STATEMENTS[subject], id=UUID(rest))
    return _READERS[subject](found[0]) if found else None


def _of_order(row: Any) -> Facts:
    return {"order_number": str(row.number)}


def _of_lines(row: Any) -> Facts | None:
    if not row.parts:
        return None
    items = ", ".join(f"{item['quantity']} × {item['title']}" for item in row.parts)
    return {"order_number": str(row.number), "items": items, "waiting": str(row.waiting or "")}


def _of_payment(row: Any) -> Facts:
    amount = Money(row.amount, row.currency)
    return {"amount": f"{amount.amount} {amount.currency}"}


async def _of_ticket(read: Read, notification: Any, ticket_id: UUID, seq: int) -> Facts | None:
    found = await read.records(_TICKET, ticket_id=ticket_id, seq=seq)
    if not found:
        return None
    (row,) = found
    about = {"order_number": str(row.number), "title": row.title}
    if notification.kind == NotificationKind.MESSAGE_POSTED:
        return _of_message(row, about)
    if notification.kind == NotificationKind.PROOF_READY:
        return _of_proof(row, about)
    if notification.kind == NotificationKind.ACTION_REQUIRED:
        return _of_action(row, about)
    return {**about, "state": row.state_name, "what": row.data["what"]}


def _of_message(row: Any, about: Facts) -> Facts | None:
    if row.event_kind != TicketEventKind.MESSAGE or row.visibility != Visibility.PUBLIC:
        return None
    body: str = row.data["body"]
    return {**about, "quote": body if len(body) <= QUOTED else f"{body[:QUOTED]}…"}


def _of_proof(row: Any, about: Facts) -> Facts | None:
    """Only the newest one is told of, while it waits."""
    if row.proof_decision is not None or str(row.proof_id) != row.data.get("proof_id"):
        return None
    return {**about, "version": str(row.proof_version), "quote": row.proof_note[:QUOTED]}


def _of_action(row: Any, about: Facts) -> Facts | None:
    """What it waits for now, unless it was moved on since."""
    if row.state_kind != StateKind.WAITING_CUSTOMER or row.state != row.data.get("to"):
        return None
    if not row.brief_complete:
        action = RequiredAction.SUBMIT_BRIEF
    elif row.proof_id is not None and row.proof_decision is None:
        action = RequiredAction.DECIDE_PROOF
    else:
        action = RequiredAction.REPLY
    return {**about, "action": action}


_STATEMENTS: Final = {
    "order": text('SELECT number FROM "order" WHERE id = :id'),
    # All that were opened together with the one that is named.
    "tickets": text(
        """
        SELECT "order".number, count(*) FILTER (WHERE state.kind = 'waiting_customer') AS waiting,
            jsonb_agg(jsonb_build_object('title', line.title, 'quantity', ticket.quantity)
                ORDER BY line.position, ticket.split_number) AS parts
        FROM ticket AS first
        JOIN ticket ON ticket.order_id = first.order_id AND ticket.created_at = first.created_at
        JOIN workflow_state AS state ON state.workflow_id = ticket.workflow_id AND state.code = ticket.state
        JOIN order_line AS line ON line.id = ticket.order_line_id JOIN "order" ON "order".id = ticket.order_id
        WHERE first.id = :id AND state.kind <> 'cancelled' GROUP BY "order".id
        """
    ),
    "fulfilment": text(
        """
        SELECT "order".number, 0 AS waiting,
            jsonb_agg(jsonb_build_object('title', line.title, 'quantity', part.quantity) ORDER BY line.position)
                AS parts
        FROM (SELECT fulfilment_id, order_line_id, sum(quantity) AS quantity FROM fulfilment_line
              WHERE fulfilment_id = :id GROUP BY fulfilment_id, order_line_id) AS part
        JOIN order_line AS line ON line.id = part.order_line_id JOIN "order" ON "order".id = line.order_id
        GROUP BY "order".id
        """
    ),
    "payment": text("SELECT currency, greatest(authorised, captured) AS amount FROM payment WHERE id = :id"),
}
_READERS: Final = {"order": _of_order, "tickets": _of_lines, "fulfilment": _of_lines, "payment": _of_payment}
_TICKET: Final = text(
    """
    SELECT "order".number, line.title, ticket.state, ticket.brief_complete,
        state.kind AS state_kind, state.name AS state_name,
        event.kind AS event_kind, event.visibility, event.data,
        proof.id AS proof_id, proof.version AS proof_version, proof.decision AS proof_decision, proof.note AS proof_note
    FROM ticket JOIN ticket_event AS event ON event.ticket_id = ticket.id AND event.seq = :seq
    JOIN workflow_state AS state ON state.workflow_id = ticket.workflow_id AND state.code = ticket.state
    JOIN order_line AS line ON line.id = ticket.order_line_id JOIN "order" ON "order".id = ticket.order_id
    LEFT JOIN LATERAL (
        SELECT id, version, decision, note FROM ticket_proof
        WHERE ticket_id = ticket.id ORDER BY version DESC LIMIT 1
    ) AS proof ON true
    WHERE ticket.id = :ticket_id
    """
)
