"""Tickets: an order splits into them, one per line that wants one; staff move them, both sides talk on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import delete, func, select, update

from db import Order, OrderLine, Ticket, TicketEvent, WorkflowState
from db.connection import Read, Tx, new_id
from db.order import WorkStatus
from db.ticket import TicketEventKind, Visibility
from db.workflow import ActorKind, InitialFor, StateKind
from domain import audit, workflow
from domain import order as orders
from domain.actor import SYSTEM, Actor, OrderAccess
from domain.event import Event, announce
from domain.refusal import NotFound, ValidationFailed, VersionConflict
from domain.workflow import InvalidTransition

LONGEST_MESSAGE = 10_000
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
    """The ticket's history got the event `seq`: it was opened, moved or written on."""

    about: ClassVar[str] = "ticket_id"
    ticket_id: UUID
    order_id: UUID
    seq: int


@dataclass(frozen=True)
class Move:
    ticket_id: UUID
    to_state: str
    if_version: int | None = None


@dataclass(frozen=True)
class PostMessage:
    ticket_id: UUID
    body: str
    visibility: Visibility = Visibility.PUBLIC

    def __post_init__(self) -> None:
        if not self.body.strip():
            raise ValidationFailed("Write something first.", path=("body",))
        if len(self.body) > LONGEST_MESSAGE or "\0" in self.body:
            raise ValidationFailed(f"A message has at most {LONGEST_MESSAGE:,} characters.", path=("body",))


def visible_to(actor: Actor, access: OrderAccess | None, permission: str = "tickets:read") -> Any:
    """Tickets that a query may touch: staff with the permission all, otherwise those of one's own orders."""
    if actor.may(permission):
        return Ticket.id.is_not(None)
    mine = select(Order.id).where(orders.owned_by(actor, access), Order.id == Ticket.order_id)
    return mine.exists()


async def find(read: Read, ticket_id: UUID, actor: Actor, access: OrderAccess | None) -> Ticket | None:
    return await read.first(select(Ticket).where(Ticket.id == ticket_id, visible_to(actor, access)))


async def _lock(tx: Tx, ticket_id: UUID, actor: Actor, access: OrderAccess | None) -> Ticket:
    """Locks the order, then the ticket: the order's work status follows from its tickets."""
    theirs = visible_to(actor, access, "tickets:write")
    order = select(Ticket.order_id).where(Ticket.id == ticket_id, theirs).scalar_subquery()
    await tx.run(select(Order.id).where(Order.id == order).with_for_update(key_share=True))
    statement = select(Ticket).where(Ticket.id == ticket_id, theirs)
    ticket = await tx.first(statement.with_for_update(key_share=True, of=Ticket))
    if ticket is None:
        raise NotFound("There is no such ticket, or it is not yours.", path=("ticket_id",))
    return ticket


async def move(tx: Tx, command: Move, actor: Actor) -> None:
    """Takes a ticket to another state, if the workflow lets the actor."""
    ticket = await _lock(tx, command.ticket_id, actor, None)
    if command.if_version is not None and command.if_version != ticket.version:
        raise VersionConflict(
            f"The ticket has changed: it is at version {ticket.version}.",
            path=("if_version",),
            current_version=ticket.version,
        )
    allowed = await workflow.allowed(tx, ticket.workflow_id, ticket.state, actor.kind)
    if command.to_state not in allowed:
        raise InvalidTransition(
            f"A ticket cannot go from {ticket.state!r} to {command.to_state!r}.",
            path=("to_state",),
            from_state=ticket.state,
            to_state=command.to_state,
            allowed=allowed,
        )
    moved = {"from": ticket.state, "to": command.to_state}
    difference = {"state": [ticket.state, command.to_state]}
    await audit.record(tx, actor, "ticketMove", f"ticket:{ticket.id}", difference)
    await _record(tx, ticket, TicketEventKind.MOVED, moved, actor)
    await tx.run(
        update(Ticket)
        .where(Ticket.id == ticket.id)
        .values(state=command.to_state, version=Ticket.version + 1, updated_at=func.clock_timestamp())
    )
    await _refresh_work_status(tx, ticket.order_id)


async def post_message(tx: Tx, command: PostMessage, actor: Actor, access: OrderAccess | None) -> None:
    if command.visibility == Visibility.INTERNAL and not actor.may("tickets:write"):
        raise ValidationFailed("Only staff write internal notes.", path=("visibility",))
    ticket = await _lock(tx, command.ticket_id, actor, access)
    body = {"body": command.body.strip()}
    await _record(tx, ticket, TicketEventKind.MESSAGE, body, actor, command.visibility)
    if actor.kind != ActorKind.CUSTOMER:  # what was said stands in the ticket's own history
        written = {"seq": [ticket.last_seq, ticket.last_seq + 1], "visibility": [None, command.visibility]}
        await audit.record(tx, actor, "ticketPostMessage", f"ticket:{ticket.id}", written)


async def _record(  # noqa: PLR0917 - one row's columns
    tx: Tx,
    ticket: Ticket,
    kind: TicketEventKind,
    data: Mapping[str, Any],
    actor: Actor,
    visibility: Visibility = Visibility.PUBLIC,
) -> None:
    """Appends to the history. The caller holds the ticket's lock, which is what makes seq gapless and in order."""
    seq = ticket.last_seq + 1
    await tx.insert(TicketEvent, [_event_row(ticket.id, seq, kind, data, actor, visibility)])
    await tx.run(update(Ticket).where(Ticket.id == ticket.id).values(last_seq=seq))
    await announce(tx, TicketChanged(ticket.id, ticket.order_id, seq))


async def reconcile(tx: Tx, order_id: UUID) -> None:
    """Opens what is missing so that each line's tickets add up to its quantity. A second run finds nothing."""
    order = await tx.first(select(Order).where(Order.id == order_id).with_for_update(key_share=True))
    if order is None:
        return
    missing = await _missing(tx, order_id)
    if not missing:
        return
    initial = await workflow.initial_states(tx, list({line.workflow_id for line in missing}))
    tickets = [_ticket_row(line, initial) for line in missing]
    await tx.insert(Ticket, tickets)
    await tx.insert(TicketEvent, (_opening_row(ticket) for ticket in tickets))
    await _refresh_work_status(tx, order_id)
    changed = (TicketChanged(ticket["id"], order_id, 1) for ticket in tickets)
    await announce(tx, *changed, TicketsOpened(order_id, len(tickets)))


async def withdraw(tx: Tx, order_id: UUID) -> None:
    """Undoes `reconcile`: removes the order's tickets that have nothing but their opening event."""
    await tx.run(select(Order.id).where(Order.id == order_id).with_for_update(key_share=True))
    await tx.run(delete(Ticket).where(Ticket.order_id == order_id, Ticket.last_seq == 1))
    await _refresh_work_status(tx, order_id)


async def _missing(tx: Tx, order_id: UUID) -> list[Any]:
    """Lines whose tickets do not add up, with the quantity that is missing and the next split number."""
    live = (Ticket.workflow_id == WorkflowState.workflow_id) & (Ticket.state == WorkflowState.code)
    covered = func.coalesce(func.sum(Ticket.quantity).filter(WorkflowState.kind != StateKind.CANCELLED), 0)
    wanted = OrderLine.quantity - OrderLine.cancelled
    return await tx.records(
        select(
            OrderLine.id,
            OrderLine.order_id,
            OrderLine.workflow_id,
            OrderLine.brief,
            OrderLine.brief_complete,
            (wanted - covered).label("quantity"),
            (func.coalesce(func.max(Ticket.split_number), 0) + 1).label("split_number"),
        )
        .outerjoin(Ticket, Ticket.order_line_id == OrderLine.id)
        .outerjoin(WorkflowState, live)
        .where(OrderLine.order_id == order_id, OrderLine.workflow_id.is_not(None))
        .group_by(OrderLine.id)
        .having(wanted > covered)
        .order_by(OrderLine.position)
    )


def _ticket_row(line: Any, initial: Mapping[tuple[UUID, InitialFor], str]) -> dict[str, Any]:
    case_ = InitialFor.COMPLETE_BRIEF if line.brief_complete else InitialFor.INCOMPLETE_BRIEF
    return {
        "id": new_id(),
        "order_id": line.order_id,
        "order_line_id": line.id,
        "split_number": line.split_number,
        "quantity": line.quantity,
        "workflow_id": line.workflow_id,
        "state": initial[line.workflow_id, case_],
        "brief": line.brief,
        "last_seq": 1,
    }


def _opening_row(ticket: Mapping[str, Any]) -> dict[str, Any]:
    opened = {"state": ticket["state"]}
    return _event_row(ticket["id"], 1, TicketEventKind.OPENED, opened, SYSTEM, Visibility.PUBLIC)


def _event_row(  # noqa: PLR0917 - one row's columns
    ticket_id: UUID,
    seq: int,
    kind: TicketEventKind,
    data: Mapping[str, Any],
    actor: Actor,
    visibility: Visibility,
) -> dict[str, Any]:
    return {
        "ticket_id": ticket_id,
        "seq": seq,
        "kind": kind,
        "visibility": visibility,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "data": data,
    }


async def _refresh_work_status(tx: Tx, order_id: UUID) -> None:
    """The order waits for the customer if any ticket does, else it is in progress until all are done."""
    kinds = await tx.scalars(
        select(WorkflowState.kind)
        .distinct()
        .select_from(Ticket)
        .join(
            WorkflowState,
            (WorkflowState.workflow_id == Ticket.workflow_id) & (WorkflowState.code == Ticket.state),
        )
        .where(Ticket.order_id == order_id)
    )
    status = next((status for kind, status in WORK_STATUS.items() if kind in kinds), WorkStatus.NONE)
    await orders.set_work_status(tx, order_id, status)


async def history(read: Read, ticket_id: UUID, after: int, *, internal: bool, most: int) -> Sequence[TicketEvent]:
    """The next `most` events after `after`; customers never see internal notes (so they may see gaps)."""
    statement = select(TicketEvent).where(TicketEvent.ticket_id == ticket_id, TicketEvent.seq > after)
    if not internal:
        statement = statement.where(TicketEvent.visibility == Visibility.PUBLIC)
    return await read.all(statement.order_by(TicketEvent.seq).limit(most))
