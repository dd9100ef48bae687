"""What is done to tickets: inputs and payloads."""

from datetime import datetime

import strawberry

from db.ticket import ProofDecision, TicketPriority, Visibility
from domain.ticket_board import BoardEnd
from schema.build import enum, given, input_type, required, view
from schema.errors import Payload
from schema.scalars import Json
from schema.ticket import Ticket, TicketProof

enum(BoardEnd, "An end of a column of the board.", TOP="Before all others.", BOTTOM="Behind all others.")
WHICH = "Which ticket."
TOKEN = "The order's; by default that of the header `X-Access-Token`."  # noqa: S105 - what it is
IF_VERSION = "Only if the ticket is still at this version."


@input_type
class TicketMoveInput:
    """A ticket, and where it goes: to another state, to another place on the board, or both."""

    ticket_id: strawberry.ID = required(WHICH)
    to_state: str | None = given("Code of a state among its `nextStates`; left out, it stays in its state.")
    if_version: int | None = given(IF_VERSION)
    note: str | None = given("Why; some transitions ask for it.")
    note_visibility: Visibility = given("Who sees the note.", Visibility.INTERNAL)
    before_id: strawberry.ID | None = given("It goes right before this ticket of the same column.")
    behind_id: strawberry.ID | None = given("It goes right behind this ticket of the same column.")
    end: BoardEnd | None = given("It goes to this end of the column.")


@input_type
class TicketsMoveInput:
    """Several tickets that go to the same state, all or none."""

    ticket_ids: list[strawberry.ID] = required("Which tickets: 1 to 100.")
    to_state: str = required("Code of a state among the `nextStates` of each.")
    note: str | None = given("Why; some transitions ask for it.")
    note_visibility: Visibility = given("Who sees the note.", Visibility.INTERNAL)


@input_type
class TicketProofPointInput:
    """A point of a proof that something is said about."""

    proof_id: strawberry.ID = required("A proof of the ticket, also one that is superseded.")
    x: float = required("How far from the left, as a part of the page's width: 0 to 1.")
    y: float = required("How far from the top, as a part of the page's height: 0 to 1.")
    page: int = given("Which page; 1 is the first.", 1)


@input_type
class TicketPostMessageInput:
    """Something to say on a ticket."""

    ticket_id: strawberry.ID = required(WHICH)
    body: str = required("Plain text of up to 10,000 characters; with files it may be empty.")
    visibility: Visibility = given("Internal notes are for staff alone.", Visibility.PUBLIC)
    file_ids: list[strawberry.ID] = strawberry.field(
        description="Completed uploads of the purpose `TICKET_FILE` for this ticket, at most 20.", default_factory=list
    )
    annotates: TicketProofPointInput | None = given("The point of a proof that it is about, if it is about one.")
    access_token: str | None = given(TOKEN)


@input_type
class TicketSubmitBriefInput:
    """What is to be made."""

    ticket_id: strawberry.ID = required(WHICH)
    brief: Json = required("As the ticket's `briefSchema` says.")
    if_version: int | None = given(IF_VERSION)
    access_token: str | None = given(TOKEN)


@input_type
class TicketUploadProofInput:
    """How it is going to look."""

    ticket_id: strawberry.ID = required(WHICH)
    file_id: strawberry.ID = required("A completed upload of the purpose `PROOF` for this ticket.")
    note: str = given("What is to be said about it.", "")
    if_version: int | None = given(IF_VERSION)


@input_type
class TicketDecideProofInput:
    """What is said to a proof."""

    proof_id: strawberry.ID = required("Which proof, so that nobody decides on one that they have not seen.")
    decision: ProofDecision = required("What is decided.")
    comment: str = given("What is to be changed; needed then.", "")
    access_token: str | None = given(TOKEN)


@input_type
class TicketMarkReadInput:
    """Up to where the caller has read."""

    ticket_id: strawberry.ID = required(WHICH)
    seq: int = required("Of the last event that was shown.")
    access_token: str | None = given(TOKEN)


@input_type
class TicketAssignInput:
    """Who does a ticket."""

    ticket_id: strawberry.ID = required(WHICH)
    assignee_id: strawberry.ID | None = given("A member of staff; null or left out: nobody.")


@input_type
class TicketSetDueInput:
    """Until when a ticket is to be done."""

    ticket_id: strawberry.ID = required(WHICH)
    due_at: datetime | None = given("Null or left out: whenever.")


@input_type
class TicketSetPriorityInput:
    """How urgent a ticket is."""

    ticket_id: strawberry.ID = required(WHICH)
    priority: TicketPriority = required("How urgent.")


@input_type
class TicketSplitInput:
    """Units that become a ticket of their own."""

    ticket_id: strawberry.ID = required(WHICH)
    quantity: int = required("How many units go to the new ticket; at least one that was not sent stays or was sent.")
    if_version: int | None = given(IF_VERSION)


@view()
class TicketPayload(Payload):
    """A ticket as it is now."""

    ticket: Ticket | None = strawberry.field(description="The ticket.")


@view()
class TicketMovePayload(TicketPayload):
    """The ticket where it is now."""


@view()
class TicketsMovePayload(Payload):
    """The tickets in their new state."""

    tickets: list[Ticket] | None = strawberry.field(description="In the order in which they were named.")


@view()
class TicketPostMessagePayload(TicketPayload):
    """The ticket with the message in its history."""


@view()
class TicketSubmitBriefPayload(TicketPayload):
    """The ticket with its brief, and where that has led it."""


@view()
class TicketUploadProofPayload(TicketPayload):
    """The ticket with its new proof."""

    proof: TicketProof | None = strawberry.field(description="The new one.")


@view()
class TicketDecideProofPayload(TicketPayload):
    """The ticket with the decision, and where that has led it."""

    proof: TicketProof | None = strawberry.field(description="The proof.")


@view()
class TicketMarkReadPayload(TicketPayload):
    """The ticket with what is unread now."""


@view()
class TicketAssignPayload(TicketPayload):
    """The ticket with who does it."""


@view()
class TicketSetDuePayload(TicketPayload):
    """The ticket with its date."""


@view()
class TicketSetPriorityPayload(TicketPayload):
    """The ticket with how urgent it is."""


@view()
class TicketSplitPayload(TicketPayload):
    """Both tickets."""

    new_ticket: Ticket | None = strawberry.field(description="The one that was split off.")
