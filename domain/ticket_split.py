"""A part of a ticket becomes a ticket of its own, with all that holds for the whole."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from db import TicketEvent
from db.connection import Tx, new_id
from db.ticket import TicketEventKind
from domain import audit, ticket, ticket_move, ticket_rank
from domain.actor import Actor
from domain.event import announce
from domain.refusal import ValidationFailed
from domain.ticket import TicketChanged


@dataclass(frozen=True)
class Split:
    """So many units go to the new ticket."""

    ticket_id: UUID
    quantity: int
    if_version: int | None = None


async def split(tx: Tx, command: Split, actor: Actor) -> UUID:
    """The new ticket: in the same workflow and state, with the same brief and proofs; both histories name the other."""
    row = await ticket.lock(tx, command.ticket_id, actor, None)
    ticket.check_version(row, command.if_version)
    ticket.check_open(row, "ticket_id")
    most = min(row.quantity - 1, row.quantity - row.shipped)
    if not 1 <= command.quantity <= most:
        message = f"1 to {most:,} units can be split off." if most else "Nothing can be split off."
        raise ValidationFailed(message, path=("quantity",))
    key = new_id()
    await tx.run(_TAKE, id=row.id, quantity=command.quantity)
    await tx.run(_COPY, id=row.id, new_id=key, quantity=command.quantity, rank=ticket_rank.of_id(key))
    await tx.run(_COPY_BRIEFS, id=row.id, new_id=key)
    proofs = [{"proof": proof.id, "new_id": new_id()} for proof in await tx.records(_PROOFS, id=row.id)]
    await tx.run(_COPY_PROOFS, proofs=proofs, ticket_id=key)
    opening = ticket.event_row(key, 1, TicketEventKind.OPENED, {"state": row.state}, actor)
    await tx.insert(TicketEvent, [opening])
    await announce(tx, TicketChanged(key, row.order_id, 1))
    await ticket.record(tx, row.id, TicketEventKind.SPLIT, _named(key, command.quantity, "off"), actor)
    await ticket.record(tx, key, TicketEventKind.SPLIT, _named(row.id, command.quantity, "from"), actor)
    difference = {"quantity": [row.quantity, row.quantity - command.quantity]}
    await audit.record(tx, actor, "ticketSplit", f"ticket:{row.id}", difference)
    await ticket_move.follow_rest(tx, row.id)
    return key


def _named(other: UUID, quantity: int, direction: str) -> dict[str, object]:
    return {"other": other, "quantity": quantity, "direction": direction}


_TAKE: Final = text(
    """
    UPDATE ticket SET quantity = quantity - :quantity, version = version + 1, updated_at = clock_timestamp()
    WHERE id = :id
    """
)
_COPY: Final = text(
    """
    INSERT INTO ticket (id, order_id, order_line_id, split_number, quantity, workflow_id, state, state_since,
        state_due_at, state_due_told_at, due_at, due_told_at, assignee_id, priority, rank, brief, brief_version,
        brief_complete, brief_schema, last_seq, customer_read_seq)
    SELECT CAST(:new_id AS uuid), order_id, order_line_id,
        (SELECT max(split_number) + 1 FROM ticket AS t WHERE t.order_line_id = ticket.order_line_id),
        :quantity, workflow_id, state, state_since, state_due_at, state_due_told_at, due_at, due_told_at, assignee_id,
        priority, :rank, brief, brief_version, brief_complete, brief_schema, 1, 1
    FROM ticket WHERE id = :id
    """
)
_COPY_BRIEFS: Final = text(
    """
    INSERT INTO ticket_brief (ticket_id, version, brief, actor_kind, actor_id, created_at)
    SELECT CAST(:new_id AS uuid), version, brief, actor_kind, actor_id, created_at
    FROM ticket_brief WHERE ticket_id = :id
    """
)
_PROOFS: Final = text("SELECT id FROM ticket_proof WHERE ticket_id = :id ORDER BY version")
_COPY_PROOFS: Final = text(
    """
    INSERT INTO ticket_proof (id, ticket_id, version, file_id, note, brief_version, created_by, created_at, decision,
        comment, decided_by_kind, decided_by, decided_at)
    SELECT copy.new_id, CAST(:ticket_id AS uuid), version, file_id, note, brief_version, created_by, created_at,
        decision, comment, decided_by_kind, decided_by, decided_at
    FROM ticket_proof JOIN jsonb_to_recordset(:proofs) AS copy (proof uuid, new_id uuid) ON copy.proof = ticket_proof.id
    """
)
