"""Where tickets go: by a move of staff, by what their customer did, by what was sent; and what becomes of the goods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from db.ticket import TicketEventKind, Visibility
from db.workflow import ActorKind, StateEffect, StateKind, TransitionRequirement
from domain import audit, fulfilment, ticket, ticket_message, ticket_requirement, workflow
from domain.actor import SYSTEM, Actor
from domain.event import announce
from domain.fulfilment import Part, Tracking
from domain.order import OrderLinesCancelled
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed, refusals_of
from domain.ticket import TicketNews
from domain.workflow import InvalidTransition

MOST_AT_ONCE: Final = 100


@dataclass(eq=False)
class AlreadyShipped(Refusal):
    """Units that were sent cannot be called off; they come back as a return."""

    message: str = "Units of it were sent already; split off those that were not."
    shipped_quantity: int = 0
    code = ErrorCode.ALREADY_SHIPPED


@dataclass(frozen=True)
class Move:
    """`note` is written beside it, for staff unless it is said to be public."""

    ticket_id: UUID
    to_state: str
    if_version: int | None = None
    note: str | None = None
    note_visibility: Visibility = Visibility.INTERNAL

    def __post_init__(self) -> None:
        if self.note is not None:
            ticket_message.check_text(self.note, "note")


@dataclass(frozen=True)
class MoveMany:
    ticket_ids: tuple[UUID, ...]
    to_state: str
    note: str | None = None
    note_visibility: Visibility = Visibility.INTERNAL

    def __post_init__(self) -> None:
        if not 1 <= len(self.ticket_ids) <= MOST_AT_ONCE or len(set(self.ticket_ids)) < len(self.ticket_ids):
            raise ValidationFailed(f"Move 1 to {MOST_AT_ONCE} tickets at once, each once.", path=("ticket_ids",))
        self.one(self.ticket_ids[0])

    def one(self, ticket_id: UUID) -> Move:
        return Move(ticket_id, self.to_state, None, self.note, self.note_visibility)


async def move(tx: Tx, command: Move, actor: Actor) -> None:
    """Takes a ticket to another state, if the workflow lets the actor."""
    await move_locked(tx, await ticket.lock(tx, command.ticket_id, actor, None), command, actor)


async def move_many(tx: Tx, command: MoveMany, actor: Actor) -> None:
    """All of them or none; refuses with what hinders each, at its position."""
    found = {row.id: row for row in await ticket.lock_all(tx, command.ticket_ids, actor, None)}
    await fulfilment.lock_stock(tx, [row.order_line_id for row in found.values()])
    gathering = Gathering()
    for ticket_id, position in sorted((key, i) for i, key in enumerate(command.ticket_ids)):
        try:
            if ticket_id not in found:
                raise NotFound("There is no such ticket, or it is not yours.")
            await move_locked(tx, found[ticket_id], command.one(ticket_id), actor, "ticketsMove")
        except (Refusal, ExceptionGroup) as error:
            for refusal in refusals_of(error):
                refusal.path = ("ticket_ids", str(position))
                gathering.refusals.append(refusal)
    gathering.raise_if_any()


async def move_locked(tx: Tx, row: Any, command: Move, actor: Actor, action: str = "ticketMove") -> None:
    ticket.check_version(row, command.if_version)
    transitions = await workflow.transitions(tx, row.workflow_id, row.state, actor.kind)
    to = next((state for state in transitions if state.code == command.to_state), None)
    lacking = () if to is None else await _lacking(tx, row, to.requires, command.note)
    if to is None or lacking:
        reason = f" yet: {', '.join(lacking)} is missing" if lacking else ""
        raise InvalidTransition(
            f"A ticket cannot go from {row.state!r} to {command.to_state!r}{reason}.",
            path=("to_state",),
            from_state=row.state,
            to_state=command.to_state,
            allowed=tuple(state.code for state in transitions),
            missing=lacking,
        )
    await audit.record(tx, actor, action, f"ticket:{row.id}", {"state": [row.state, to.code]})
    if command.note is not None:
        await ticket_message.write(tx, row.id, command.note, actor, command.note_visibility)
    await take(tx, row, to, actor)


async def _lacking(tx: Tx, row: Any, requires: Sequence[str], note: str | None) -> tuple[str, ...]:
    if not requires:
        return ()
    return ticket_requirement.missing(requires, await ticket_requirement.met(tx, row, note=note))


async def follow(tx: Tx, ticket_id: UUID, done: TransitionRequirement, actor: Actor) -> None:
    """After the actor has brought about `done`: the ticket takes the first transition that waited for it, if any does.

    Of those that are the actor's or the shop's own.
    """
    row = await ticket.again(tx, ticket_id)
    met = await ticket_requirement.met(tx, row)
    for who in dict.fromkeys((actor.kind, ActorKind.SYSTEM)):
        for to in await workflow.transitions(tx, row.workflow_id, row.state, who):
            if done in to.requires and not ticket_requirement.missing(to.requires, met):
                await take(tx, row, to, actor if who == actor.kind else SYSTEM)
                return


async def follow_goods(tx: Tx, ticket_id: UUID, effects: frozenset[StateEffect]) -> None:
    """After all units of a ticket were sent or have arrived: it goes to a state that says so, by the shop's own way."""
    row = await ticket.again(tx, ticket_id)
    met = await ticket_requirement.met(tx, row)
    for to in await workflow.transitions(tx, row.workflow_id, row.state, ActorKind.SYSTEM):
        if to.effect in effects and not ticket_requirement.missing(to.requires, met):
            await take(tx, row, to, SYSTEM)
            return


async def follow_rest(tx: Tx, ticket_id: UUID) -> None:
    """After a ticket has become smaller: what is left of it may all have been sent, or have arrived, before."""
    for count, effect in (("shipped", StateEffect.SHIP), ("delivered", StateEffect.DELIVER)):
        row = await ticket.again(tx, ticket_id)
        if row[count] == row.quantity and row.state_kind not in ticket.ENDED:
            await follow_goods(tx, ticket_id, frozenset({effect}))


async def take(tx: Tx, row: Any, to: Any, actor: Actor) -> None:
    """The ticket goes there, and what that means for the goods is booked with it. The order is locked."""
    if to.kind == StateKind.CANCELLED:
        await _call_off(tx, row)
    elif to.effect in {StateEffect.SHIP, StateEffect.DELIVER}:
        await _send(tx, row, actor, deliver=to.effect == StateEffect.DELIVER)
    await enter(tx, row, to, actor)
    await ticket.refresh_work_status(tx, row.order_id)


async def enter(tx: Tx, row: Any, to: Any, actor: Actor) -> None:
    """Only the change of state: nothing else follows from it here."""
    seq = await ticket.record(tx, row.id, TicketEventKind.MOVED, {"from": row.state, "to": to.code}, actor)
    if to.kind == StateKind.WAITING_CUSTOMER:
        await announce(tx, TicketNews(row.id, seq))
    await tx.run(_ENTER, id=row.id, state=to.code, minutes=to.sla_minutes)


async def _call_off(tx: Tx, row: Any) -> None:
    """The units are no longer wanted, so that the tickets of the line still add up to what is."""
    if row.shipped:
        raise AlreadyShipped(path=("to_state",), shipped_quantity=row.shipped)
    await fulfilment.cancel(tx, row.order_id, row.order_line_id, row.quantity)
    await announce(tx, OrderLinesCancelled(row.order_id, row.order_line_id, row.quantity))


async def _send(tx: Tx, row: Any, actor: Actor, *, deliver: bool) -> None:
    """Sends what was not sent yet, and books what is on its way as arrived."""
    left = row.quantity - row.shipped
    if left:
        parts = [Part(row.order_line_id, left, row.id)]
        key = await fulfilment.ship(tx, row.order_id, parts, Tracking(), actor)
        await record_shipped(tx, row.id, key, left, Tracking(), actor)
    if deliver:
        arrived = await fulfilment.deliver(tx, row.order_id, ticket_id=row.id)
        if quantity := sum(part.quantity for part in arrived):
            await record_delivered(tx, row.id, quantity, actor)


async def record_shipped(  # noqa: PLR0917 - what the event says
    tx: Tx, ticket_id: UUID, fulfilment_id: UUID, quantity: int, tracking: Tracking, actor: Actor
) -> None:
    data = {"fulfilment_id": fulfilment_id, "quantity": quantity, **tracking.columns}
    await ticket.record(tx, ticket_id, TicketEventKind.SHIPPED, data, actor)


async def record_delivered(tx: Tx, ticket_id: UUID, quantity: int, actor: Actor) -> None:
    await ticket.record(tx, ticket_id, TicketEventKind.DELIVERED, {"quantity": quantity}, actor)


_ENTER: Final = text(
    """
    UPDATE ticket SET state = :state, version = version + 1, updated_at = clock_timestamp(),
        state_since = clock_timestamp(), state_due_told_at = NULL,
        state_due_at = clock_timestamp() + make_interval(mins => CAST(:minutes AS integer))
    WHERE id = :id
    """
)
