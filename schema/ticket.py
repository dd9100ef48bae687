"""Tickets: the work on what was ordered."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from db import Ticket as TicketRow
from db import TicketProof as ProofRow
from db import WorkflowState as StateRow
from db.ticket import ProofDecision, TicketPriority
from db.workflow import StateKind
from domain.brief_field import fields_of
from domain.ticket_requirement import RequiredAction as Required
from resolvers import file, ids, order, ticket
from resolvers.context import Ctx
from schema.actor import ActorKind
from schema.brief import BriefField
from schema.build import arg, asks, column, derived, enum, loads, view
from schema.file import File
from schema.node import Node, public_id
from schema.scalars import Json
from schema.ticket_event import TicketEvent

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
enum(
    Required,
    "What a ticket waits for from its customer.",
    SUBMIT_BRIEF="That they say what is to be made: `ticketSubmitBrief`.",
    DECIDE_PROOF="That they decide on a proof: `ticketDecideProof`.",
    REPLY="That they answer: `ticketPostMessage`.",
)


@view(StateRow)
class TicketState:
    """A state of a workflow."""

    code: str = column("For programs and for `ticketMove`.")
    name: str = column("For people.")
    kind: StateKind = column("What it means.")
    position: int = column("Its place on the board, from 0.")


@view(ProofRow)
class TicketProof(Node):
    """How the work is going to look, for the customer to decide on. The newest one counts."""

    id: strawberry.ID = public_id("TicketProof")
    version: int = column("1 was the first.")
    file: File = loads(file.file_by_id, "file_id", "What it looks like.")
    note: str = column("What staff say about it.")
    brief_version: int = column("The brief that it was made for.")
    created_at: datetime = column("When it was uploaded.")
    decision: ProofDecision | None = column("Null: it waits for one, or a changed brief has withdrawn it.")
    comment: str = column("What was said with the decision.")
    decided_by: ActorKind | None = derived(lambda row: row["decided_by_kind"], "Which side decided.")
    decided_at: datetime | None = column("When it was decided.")


@view()
class TicketRequiredAction:
    """What the customer is to do next."""

    kind: Required = strawberry.field(description="What it is.")
    proof_id: strawberry.ID | None = derived(
        lambda row: row["proof_id"] and ids.encode("TicketProof", row["proof_id"]), "The proof to be decided on."
    )


@view()
class Colleague:
    """Somebody who works here, as far as others of staff need to know."""

    id: strawberry.ID = derived(lambda row: ids.encode("Staff", row["id"]), "For `ticketAssign` and filters.")
    name: str = strawberry.field(description="Their name.")


@view(TicketRow)
class TicketDesk:
    """How staff organise the work on a ticket."""

    assignee: Colleague | None = loads(ticket.colleague_by_id, "assignee_id", "Who does it.")
    priority: TicketPriority = column("How urgent it is.")
    due_at: datetime | None = column("Until when it is to be done.")
    state_due_at: datetime | None = column("Until when it may stay in its state.")
    overdue: bool = derived(lambda row: row["overdue"], "One of the two is over, and it has not ended.")
    rank: str = column("Its place on the board: compare them as bytes.")


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
    shipped: int = column("How many of them were sent.")
    delivered: int = column("How many of them have arrived.")
    state: TicketState = loads(ticket.state_of_ticket, _state_keys, "Where it stands.")
    state_since: datetime = column("Since when.")
    next_states: list[TicketState] = loads(
        ticket.next_states, _state_keys, "Where the caller may move it to, when what that asks for is so."
    )
    required_action: TicketRequiredAction | None = loads(
        ticket.required_action, "id", "What its customer is to do; null: nothing at the moment."
    )
    brief: Json | None = column("What is to be done.")
    brief_version: int = column("How often a brief was given; 0: never.")
    brief_complete: bool = column("Nothing is missing in it.")
    brief_schema: Json | None = column("JSON Schema of the brief; null: it takes none.")
    brief_fields: list[BriefField] = derived(
        lambda row: fields_of(row["brief_schema"]),
        "Its properties as a form asks for them: by `propertyOrder`, then as `required` lists them, then by name.",
    )
    proofs: list[TicketProof] = loads(ticket.proofs_of_ticket, "id", "All versions, the oldest first.")
    files: list[File] = loads(ticket.files_of_ticket, "id", "All that the caller sees of what was attached.")
    version: int = column("Rises with state, brief, quantity and proofs; for `ifVersion`.")
    last_seq: int = column("`seq` of its newest event.")
    unread_count: int = loads(
        ticket.unread_of_ticket,
        "id",
        "How many events the caller has not read, without their own; see `ticketMarkRead`.",
    )
    history: list[TicketEvent] = asks(
        _history, "What happened, oldest first.", after=arg(int, "Only events with a higher `seq`.", 0)
    )
    desk: TicketDesk | None = loads(
        ticket.desk_of_ticket, "id", "How staff organise it. Null for anybody else than staff who see tickets."
    )
    created_at: datetime = column("When it was opened.")
    updated_at: datetime = column("When it was last moved, or changed in what it is about.")


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
    """The cursor is from another time: begin anew, without one. The stream ends with this."""

    seq: int = strawberry.field(description="A ticket's newest `seq`; 0 in streams that go by `cursor`.")


TicketStreamItem = Annotated[
    TicketSnapshot | TicketChange | ResyncRequired,
    strawberry.union("TicketStreamItem", description="What a ticket's stream is made of."),
]
