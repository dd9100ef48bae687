"""What is refused on tickets and workflows."""

import strawberry

from db.ticket import ProofDecision
from domain import ticket, ticket_brief, ticket_move, ticket_proof, workflow_spec
from resolvers import ids
from schema.build import column, derived, view
from schema.errors import UserError


@view(ticket.TicketEnded)
class TicketEnded(UserError):
    """Nothing is to be done on the ticket any more."""

    state: str = column("Code of the state it is in.")


@view(ticket_brief.BriefLocked)
class BriefLocked(UserError):
    """The work is too far for its customer to change what it is about."""

    state: str = column("Code of the state it is in.")


@view(ticket_proof.ProofSuperseded)
class ProofSuperseded(UserError):
    """There is a newer proof than the one that was to be decided on."""

    newest_proof_id: strawberry.ID | None = derived(
        lambda error: error["newest_proof_id"] and ids.encode("TicketProof", error["newest_proof_id"]),
        "The one to decide on.",
    )
    newest_version: int = column("Its version.")


@view(ticket_proof.ProofDecided)
class ProofDecided(UserError):
    """The proof was decided on already, in another way."""

    decision: ProofDecision = column("What was decided.")


@view(ticket_move.AlreadyShipped)
class AlreadyShipped(UserError):
    """Units that were sent cannot be called off."""

    shipped_quantity: int = column("How many of the ticket's units were sent.")


@view(workflow_spec.WorkflowFlawed)
class WorkflowFlawed(UserError):
    """Tickets could not live in this workflow."""

    state: str | None = column("Code of the state that is wrong, or of the one that the wrong transition leaves.")
    to_state: str | None = column("Code of the state that the wrong transition leads to.")


TICKET_ERRORS: tuple[type, ...] = (
    AlreadyShipped,
    BriefLocked,
    ProofDecided,
    ProofSuperseded,
    TicketEnded,
    WorkflowFlawed,
)
