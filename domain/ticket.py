"""Tickets: an order splits into them, one per line that wants one. Reading them, locking them, writing their history.

What can be done to them stands in the modules beside this one; each locks the order first, and so all its tickets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import Order, Ticket, TicketEvent, WorkflowState
from db.connection import Read, Tx
from db.order import WorkStatus
from db.ticket import TicketEventKind, Visibility
from db.workflow import StateKind
from domain import order as orders
from domain.actor import Actor, OrderAccess
from domain.event import Event, announce
from domain.refusal import ErrorCode, NotFound, Refusal, VersionConflict

ENDED: Final = frozenset({StateKind.DONE, StateKind.CANCELLED})
WORK_STATUS = {
    StateKind.WAITING_CUSTOMER: WorkStatus.WAITING_CUSTOMER,
    StateKind.OPEN: WorkStatus.IN_PROGRESS,
    StateKind.DONE: WorkStatus.DONE,
}
"""What an order's work is at: the first of these kinds that any of its tickets is in."""


@dataclass(frozen=True)
class TicketsOpened(Event):
    """All tickets of a reconciliation are there. Not sent when nothing had to be opened."""

    about: ClassVar[str] = "order_id"
    order_id: UUID
    count: int


@dataclass(frozen=True)
class TicketChanged(Event):
    """The ticket's history got the event `seq`: something was done to it."""

    about: ClassVar[str] = "ticket_id"
    ticket_id: UUID
    order_id: UUID
    seq: int


@dataclass(frozen=True)
class TicketNews(Event):
    """The ticket's history got an event, `seq`, that somebody may have to be told of outside of it.

    It has a topic of its own: whoever watches the ticket hears of the same by `TicketChanged`.
    """

    about: ClassVar[str] = "ticket_id"
    ticket_id: UUID
    seq: int

    @property
    def topic(self) -> str:
        return f"news:{self.ticket_id}"


NEWS: Final = frozenset(
    {
        (TicketEventKind.MESSAGE, Visibility.PUBLIC),
        (TicketEventKind.PROOF_UPLOADED, Visibility.PUBLIC),
        (TicketEventKind.OVERDUE, Visibility.INTERNAL),
    }
)
"""Of moves only those are news that make the ticket wait for its customer: domain/ticket_move.py tells of them."""


@dataclass(eq=False)
class TicketEnded(Refusal):
    """Nothing is to be done on it any more."""

    message: str = "The ticket is done or cancelled."
    state: str = ""
    code = ErrorCode.TICKET_ENDED


def visible_to(actor: Actor, access: OrderAccess | None, permission: str = "tickets:read") -> Any:
    """Tickets that a query may touch: staff with the permission all, otherwise those of one's own orders."""
    if actor.may(permission):
        return Ticket.id.is_not(None)
    mine = select(Order.id).where(orders.owned_by(actor, access), Order.id == Ticket.order_id)
    return mine.exists()


async def find(read: Read, ticket_id: UUID, actor: Actor, access: OrderAccess | None) -> Ticket | None:
    return await read.first(select(Ticket).where(Ticket.id == ticket_id, visible_to(actor, access)))


_NAMED: Final = Ticket.id == any_(bindparam("ticket_ids", type_=ARRAY(Uuid)))
_IN_STATE: Final = (WorkflowState.workflow_id == Ticket.workflow_id) & (WorkflowState.code == Ticket.state)
_WITH_STATE: Final = select(
    *Ticket.__table__.c,
    WorkflowState.kind.label("state_kind"),
    WorkflowState.name.label("state_name"),
    WorkflowState.brief_locked,
).join(WorkflowState, _IN_STATE)


async def lock(tx: Tx, ticket_id: UUID, actor: Actor, access: OrderAccess | None) -> Any:
    """The ticket with its state (`state_kind`, `brief_locked`), if the actor may write on it."""
    found = await lock_all(tx, [ticket_id], actor, access)
    if not found:
        raise NotFound("There is no such ticket, or it is not yours.", path=("ticket_id",))
    return found[0]


async def lock_all(tx: Tx, ticket_ids: Sequence[UUID], actor: Actor, access: OrderAccess | None) -> list[Any]:
    """Those of the tickets that the actor may write on, by id.

    Their orders are locked, not they themselves: who writes on a ticket has locked its order, and what a ticket
    needs of the stock is locked between the two.
    """
    theirs = visible_to(actor, access, "tickets:write")
    of_these = select(Ticket.order_id).where(_NAMED, theirs)
    locking = select(Order.id).where(Order.id.in_(of_these)).order_by(Order.id).with_for_update(key_share=True)
    await tx.records(locking, ticket_ids=list(ticket_ids))
    return await tx.records(_WITH_STATE.where(_NAMED, theirs).order_by(Ticket.id), ticket_ids=list(ticket_ids))


_AGAIN: Final = _WITH_STATE.where(_NAMED)


async def again(tx: Tx, ticket_id: UUID) -> Any:
    """A locked ticket as it is after a change."""
    (found,) = await tx.records(_AGAIN, ticket_ids=[ticket_id])
    return found


_OF_ORDER: Final = _WITH_STATE.where(Ticket.order_id == bindparam("order_id", type_=Uuid)).order_by(
    Ticket.order_line_id, Ticket.split_number
)


async def of_order(tx: Tx, order_id: UUID) -> list[Any]:
    """All tickets of an order that is locked, by line and split number, with their states."""
    return await tx.records(_OF_ORDER, order_id=order_id)


def check_version(ticket: Any, if_version: int | None) -> None:
    if if_version is not None and if_version != ticket.version:
        raise VersionConflict(
            f"The ticket has changed: it is at version {ticket.version}.",
            path=("if_version",),
            current_version=ticket.version,
        )


def check_open(ticket: Any, *path: str) -> None:
    if ticket.state_kind in ENDED:
        raise TicketEnded(f"The ticket is in the state {ticket.state_name!r}.", path=path, state=ticket.state)


# The UPDATE locks the ticket, and the time is read after it: `seq` and `at` rise together.
_RECORD: Final = text(
    """
    WITH numbered AS (
        UPDATE ticket SET last_seq = last_seq + 1 WHERE id = :ticket_id RETURNING id, order_id, last_seq
    ), written AS (
        INSERT INTO ticket_event (ticket_id, seq, kind, visibility, actor_kind, actor_id, data)
        SELECT id, last_seq, :kind, :visibility, :actor_kind, CAST(:actor_id AS uuid), CAST(:data AS jsonb)
        FROM numbered
    )
    SELECT order_id, last_seq FROM numbered
    """
)


async def record(  # noqa: PLR0917 - one row's columns
    tx: Tx,
    ticket_id: UUID,
    kind: TicketEventKind,
    data: Mapping[str, Any],
    actor: Actor,
    visibility: Visibility = Visibility.PUBLIC,
) -> int:
    """Appends to the history and tells of it; the seq. Data of public events is shown to the customer."""
    who = {"actor_kind": actor.kind, "actor_id": actor.id}
    (row,) = await tx.records(_RECORD, ticket_id=ticket_id, kind=kind, visibility=visibility, data=dict(data), **who)
    news = [TicketNews(ticket_id, row.last_seq)] if (kind, visibility) in NEWS else []
    await announce(tx, TicketChanged(ticket_id, row.order_id, row.last_seq), *news)
    return row.last_seq


def event_row(ticket_id: UUID, seq: int, kind: TicketEventKind, data: Mapping[str, Any], actor: Actor) -> Any:
    """A public event of a ticket that is just being made."""
    return {
        "ticket_id": ticket_id,
        "seq": seq,
        "kind": kind,
        "visibility": Visibility.PUBLIC,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "data": data,
    }


_KINDS: Final = (
    select(WorkflowState.kind)
    .distinct()
    .select_from(Ticket)
    .join(WorkflowState, _IN_STATE)
    .where(Ticket.order_id == bindparam("order_id", type_=Uuid))
)


async def refresh_work_status(tx: Tx, order_id: UUID) -> None:
    """The order waits for the customer if any ticket does, else it is in progress until all are done."""
    kinds = await tx.scalars(_KINDS, order_id=order_id)
    status = next((status for kind, status in WORK_STATUS.items() if kind in kinds), WorkStatus.NONE)
    await orders.set_work_status(tx, order_id, status)


async def history(read: Read, ticket_id: UUID, after: int, *, internal: bool, most: int) -> Sequence[TicketEvent]:
    """The next `most` events after `after`; customers never see internal notes (so they may see gaps)."""
    statement = select(TicketEvent).where(TicketEvent.ticket_id == ticket_id, TicketEvent.seq > after)
    if not internal:
        statement = statement.where(TicketEvent.visibility == Visibility.PUBLIC)
    return await read.all(statement.order_by(TicketEvent.seq).limit(most))
