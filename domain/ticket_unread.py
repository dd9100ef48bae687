"""Up to where somebody has read a ticket: its customer, whoever of them reads, and each member of staff for themselves.

What one's own side does (of staff: what one does oneself) is never unread, nor that a ticket was opened.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, func, text, update

from db import Ticket
from db.connection import Tx
from db.workflow import ActorKind
from domain import ticket
from domain.actor import Actor, OrderAccess
from domain.refusal import NotFound, ValidationFailed

_READ_BY_CUSTOMER: Final = func.greatest(Ticket.customer_read_seq, func.least(bindparam("read_seq"), Ticket.last_seq))
_READ_BY_STAFF: Final = text(
    """
    INSERT INTO ticket_staff_read (ticket_id, staff_id, seq)
    SELECT id, CAST(:staff_id AS uuid), least(:seq, last_seq) FROM ticket WHERE id = :id
    ON CONFLICT (ticket_id, staff_id) DO UPDATE SET seq = greatest(ticket_staff_read.seq, EXCLUDED.seq)
    """
)


def reads_as_staff(actor: Actor) -> bool:
    """Programs have no eyes of their own."""
    return actor.kind == ActorKind.STAFF and actor.id is not None and actor.may("tickets:read")


async def mark_read(tx: Tx, ticket_id: UUID, seq: int, actor: Actor, access: OrderAccess | None) -> None:
    """Up to and with `seq`; what was read stays read. No event: nobody else is told who reads what."""
    if seq < 0:
        raise ValidationFailed("A seq is not negative.", path=("seq",))
    if reads_as_staff(actor):
        done = await tx.run(_READ_BY_STAFF, id=ticket_id, staff_id=actor.id, seq=seq)
    else:
        mine = ticket.visible_to(Actor(actor.kind, actor.id), access)
        reading = update(Ticket).where(Ticket.id == ticket_id, mine).values(customer_read_seq=_READ_BY_CUSTOMER)
        done = await tx.run(reading, read_seq=seq)
    if not done:
        raise NotFound("There is no such ticket, or it is not yours.", path=("ticket_id",))
