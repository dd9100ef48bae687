"""What happens to tickets: the history that both sides read, and what streams are made of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from db.ticket import ProofDecision, TicketPriority, Visibility
from resolvers import ids, ticket
from schema.actor import ActorKind
from schema.build import derived, enum, interface, loads, view
from schema.file import File

enum(Visibility, "Who sees it.", PUBLIC="Both sides.", INTERNAL="Staff alone.")
enum(
    ProofDecision,
    "What was said to a proof.",
    APPROVE="It is to be made like this.",
    REQUEST_CHANGES="Something is to be changed first.",
)
enum(TicketPriority, "How urgent a ticket is.", LOW="It can wait.", NORMAL="As always.", HIGH="Soon.", URGENT="Now.")


def _staff_ids(rows: Sequence[Any]) -> list[Any]:
    return [row["actor_id"] if row["actor_kind"] == "staff" else None for row in rows]


@interface
class TicketEvent:
    """Something that happened to a ticket."""

    seq: int = strawberry.field(
        description="Rises by one with each event; customers see gaps where notes are internal."
    )
    at: datetime = strawberry.field(description="When.")
    actor: ActorKind = derived(lambda event: event["actor_kind"], "Which side did it.")
    actor_name: str | None = loads(
        ticket.name_of_staff, _staff_ids, "The name of the member of staff who did it; null of anybody else."
    )
    visibility: Visibility = strawberry.field(description="Who sees it.")


def _of(name: str, description: str) -> Any:
    return derived(lambda event: event[f"data_{name}"], description)


def _id_of(kind: str, name: str, description: str) -> Any:
    return derived(lambda event: ids.encode_text(kind, event[f"data_{name}"]), description)


@view()
class TicketOpened(TicketEvent):
    """The ticket came into being."""

    state: str = _of("state", "Code of the state it began in.")


@view()
class TicketMoved(TicketEvent):
    """It went to another state."""

    from_state: str = _of("from", "Code of the state it left.")
    to_state: str = _of("to", "Code of the state it is in since.")


def _file_ids(rows: Sequence[Any]) -> list[Any]:
    return [tuple(row.get("data_file_ids") or ()) for row in rows]


@view()
class TicketProofPoint:
    """A point of a proof: parts of the width and the height of a page, from 0 at its top left corner to 1."""

    proof_id: strawberry.ID = derived(lambda point: ids.encode_text("TicketProof", point["proof_id"]), "Which proof.")
    proof_version: int = derived(lambda point: point["version"], "1 was the first.")
    page: int = strawberry.field(description="1 is the first.")
    x: float = strawberry.field(description="How far from the left.")
    y: float = strawberry.field(description="How far from the top.")


@view()
class TicketMessagePosted(TicketEvent):
    """Somebody wrote something."""

    body: str = _of("body", "What they wrote: plain text.")
    files: list[File] = loads(ticket.files_by_ids, _file_ids, "What goes with it.")
    annotates: TicketProofPoint | None = derived(
        lambda event: event.get("data_annotates"), "The point of a proof that it is about; null: none."
    )


@view()
class TicketBriefSubmitted(TicketEvent):
    """A brief was given, or another one."""

    brief_version: int = _of("version", "How many were given so far.")


@view()
class TicketProofUploaded(TicketEvent):
    """There is a new proof; the ones before it are superseded."""

    proof_id: strawberry.ID = _id_of("TicketProof", "proof_id", "Which proof.")
    proof_version: int = _of("version", "1 was the first.")


@view()
class TicketProofDecided(TicketEvent):
    """A proof was approved, or is to be changed."""

    proof_id: strawberry.ID = _id_of("TicketProof", "proof_id", "Which proof.")
    proof_version: int = _of("version", "1 was the first.")
    decision: ProofDecision = _of("decision", "What was decided.")
    comment: str = _of("comment", "What was said with it.")


@view()
class TicketApprovalWithdrawn(TicketEvent):
    """The brief was changed, so what was approved for another one is not approved any more."""

    proof_id: strawberry.ID = _id_of("TicketProof", "proof_id", "Which proof.")
    proof_version: int = _of("version", "1 was the first.")


@view()
class TicketAssigned(TicketEvent):
    """Somebody else does it now. Staff alone see this."""

    from_staff_id: strawberry.ID | None = _id_of("Staff", "from", "Who did it before.")
    to_staff_id: strawberry.ID | None = _id_of("Staff", "to", "Who does it now; null: nobody.")


def _time_of(name: str, description: str) -> Any:
    def read(event: Any) -> datetime | None:
        written = event[f"data_{name}"]
        return None if written is None else datetime.fromisoformat(written)

    return derived(read, description)


@view()
class TicketDueSet(TicketEvent):
    """It is to be done until another time. Staff alone see this."""

    from_due_at: datetime | None = _time_of("from", "Until when it was to be done.")
    to_due_at: datetime | None = _time_of("to", "Until when it is to be done now; null: whenever.")


@view()
class TicketPrioritySet(TicketEvent):
    """It is more or less urgent. Staff alone see this."""

    from_priority: TicketPriority = _of("from", "How urgent it was.")
    to_priority: TicketPriority = _of("to", "How urgent it is.")


@view()
class TicketRanked(TicketEvent):
    """It lies in another place on the board. Staff alone see this."""


@view()
class TicketSplit(TicketEvent):
    """Units went from one ticket to a new one; both histories say so."""

    other_ticket_id: strawberry.ID = _id_of("Ticket", "other", "The other of the two.")
    split_quantity: int = _of("quantity", "How many units.")
    is_new: bool = derived(lambda event: event["data_direction"] == "from", "This ticket is the new one.")


@view()
class TicketQuantityChanged(TicketEvent):
    """Units of the order were cancelled."""

    from_quantity: int = _of("from", "How many there were.")
    to_quantity: int = _of("to", "How many there are.")


@view()
class TicketShipped(TicketEvent):
    """Units of it were sent."""

    fulfilment_id: strawberry.ID = _id_of("Fulfilment", "fulfilment_id", "The parcel.")
    shipped_quantity: int = _of("quantity", "How many units.")
    carrier: str = _of("carrier", "By whom; empty if that is not known.")
    tracking_number: str = _of("tracking_number", "To follow it; empty if there was none.")
    tracking_url: str = _of("tracking_url", "Where to follow it; empty if there was none.")


@view()
class TicketDelivered(TicketEvent):
    """Units of it have arrived."""

    delivered_quantity: int = _of("quantity", "How many units.")


@view()
class TicketBecameOverdue(TicketEvent):
    """It is late. Staff alone see this."""

    state: str = _of("state", "Code of the state it is in.")
    by_due_date: bool = derived(
        lambda event: event["data_what"] == "due", "By its own date; otherwise by the time limit of its state."
    )


TYPES: dict[str, type] = {
    "opened": TicketOpened,
    "moved": TicketMoved,
    "message": TicketMessagePosted,
    "brief": TicketBriefSubmitted,
    "proof_uploaded": TicketProofUploaded,
    "proof_decided": TicketProofDecided,
    "approval_withdrawn": TicketApprovalWithdrawn,
    "assigned": TicketAssigned,
    "due": TicketDueSet,
    "priority": TicketPrioritySet,
    "ranked": TicketRanked,
    "split": TicketSplit,
    "quantity": TicketQuantityChanged,
    "shipped": TicketShipped,
    "delivered": TicketDelivered,
    "overdue": TicketBecameOverdue,
}
"""By the kind of the event."""
