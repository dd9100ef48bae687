"""Tickets: the work on what was ordered."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from db import Ticket as TicketRow
from db import WorkflowState as StateRow
from db.ticket import Visibility
from db.workflow import ActorKind, StateKind
from resolvers import ids, order, ticket
from resolvers.context import Ctx
from schema.build import arg, asks, column, derived, enum, given, input_type, interface, loads, required, view
from schema.errors import Payload
from schema.node import Node, public_id
from schema.scalars import Json

if TYPE_CHECKING:
    from schema.order import OrderLine

enum(
    StateKind,
    "What a state means: programs go by this, not by its name.",
    OPEN="The merchant has work to do.",
    WAITING_CUSTOMER="The customer has something to do.",
    DONE="Nothing is left to do.",
    CANCELLED="It was called off.",
)
enum(Visibility, "Who sees it.", PUBLIC="Both sides.", INTERNAL="Staff alone.")
enum(ActorKind, "Which side acted.", STAFF="The merchant.", CUSTOMER="The customer.", SYSTEM="The shop by itself.")


@view(StateRow)
class TicketState:
    """A state of a workflow."""

    code: str = column("For programs and for `ticketMove`.")
    name: str = column("For people.")
    kind: StateKind = column("What it means.")
    position: int = column("Its place on the board, from 0.")


@interface
class TicketEvent:
    """Something that happened to a ticket."""

    seq: int = strawberry.field(
        description="Rises by one with each event; customers see gaps where notes are internal."
    )
    at: datetime = strawberry.field(description="When.")
    actor: ActorKind = strawberry.field(description="Which side did it.")
    visibility: Visibility = strawberry.field(description="Who sees it.")


def _actor() -> Any:
    return derived(lambda event: event["actor_kind"], "Which side did it.")


def _of(name: str, description: str) -> Any:
    return derived(lambda event: event[f"data_{name}"], description)


@view()
class TicketOpened(TicketEvent):
    """The ticket came into being."""

    actor: ActorKind = _actor()
    state: str = _of("state", "Code of the state it began in.")


@view()
class TicketMoved(TicketEvent):
    """It went to another state."""

    actor: ActorKind = _actor()
    from_state: str = _of("from", "Code of the state it left.")
    to_state: str = _of("to", "Code of the state it is in since.")


@view()
class TicketMessagePosted(TicketEvent):
    """Somebody wrote something."""

    actor: ActorKind = _actor()
    body: str = _of("body", "What they wrote: plain text.")


def _state_keys(rows: Sequence[Any]) -> list[Any]:
    return [(row["workflow_id"], row["state"]) for row in rows]


async def _history(ctx: Ctx, row: Any, after: int) -> Any:
    return await ctx.load(ticket.history_of_ticket, (row["id"], after))


@view(TicketRow)
class Ticket(Node):
    """The work on one order line: what is to be done, what was said, where it stands."""

    id: strawberry.ID = public_id("Ticket")
    order_id: strawberry.ID = derived(lambda row: ids.encode("Order", row["order_id"]), "The order it belongs to.")
    line: Annotated["OrderLine", strawberry.lazy("schema.order")] = loads(
        order.line_by_id, "order_line_id", "What was ordered."
    )
    split_number: int = column("1, unless the line was split into several tickets.")
    quantity: int = column("How many units it is about.")
    state: TicketState = loads(ticket.state_of_ticket, _state_keys, "Where it stands.")
    next_states: list[TicketState] = loads(ticket.next_states, _state_keys, "Where the caller may move it to.")
    brief: Json | None = column("What is to be done.")
    version: int = column("Rises with state, brief and quantity; for `ifVersion`.")
    last_seq: int = column("`seq` of its newest event.")
    history: list[TicketEvent] = asks(
        _history, "What happened, oldest first.", after=arg(int, "Only events with a higher `seq`.", 0)
    )
    created_at: datetime = column("When it was opened.")
    updated_at: datetime = column("When it was last moved.")


@view()
class TicketSnapshot:
    """The first item of a stream: the ticket as it is. What comes after has a higher `seq`."""

    seq: int = strawberry.field(description="Resume after this.")
    ticket: Ticket = strawberry.field(description="The ticket.")


@view()
class TicketChange:
    """Something happened. Each event comes once and in order."""

    seq: int = strawberry.field(description="Resume after this.")
    event: TicketEvent = strawberry.field(description="What happened.")
    ticket: Ticket = loads(ticket.ticket_by_id, "ticket_id", "The ticket as it is now.")


@view()
class ResyncRequired:
    """The cursor is from another time: read the ticket anew. The stream ends with this."""

    seq: int = strawberry.field(description="The ticket's newest `seq`.")


TicketStreamItem = Annotated[
    TicketSnapshot | TicketChange | ResyncRequired,
    strawberry.union("TicketStreamItem", description="What a ticket's stream is made of."),
]


@input_type
class TicketMoveInput:
    """A ticket and where it goes."""

    ticket_id: strawberry.ID = required("Which ticket.")
    to_state: str = required("Code of a state among its `nextStates`.")
    if_version: int | None = given("Only if the ticket is still at this version.")


@input_type
class TicketPostMessageInput:
    """Something to say on a ticket."""

    ticket_id: strawberry.ID = required("Which ticket.")
    body: str = required("Plain text of up to 10,000 characters.")
    visibility: Visibility = given("Internal notes are for staff alone.", Visibility.PUBLIC)
    access_token: str | None = given("The order's; by default that of the header `X-Access-Token`.")


@view()
class TicketMovePayload(Payload):
    """The ticket in its new state."""

    ticket: Ticket | None = strawberry.field(description="The ticket.")


@view()
class TicketPostMessagePayload(Payload):
    """The ticket with the message in its history."""

    ticket: Ticket | None = strawberry.field(description="The ticket.")
