"""What a transition of a workflow can ask for, and whether it is so."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Uuid, bindparam, select

from db import TicketProof
from db.connection import Read
from db.ticket import ProofDecision
from db.workflow import TransitionRequirement


class RequiredAction(StrEnum):
    """What a ticket waits for from its customer."""

    SUBMIT_BRIEF = "submit_brief"
    DECIDE_PROOF = "decide_proof"
    REPLY = "reply"


_NEWEST_PROOF: Final = (
    select(TicketProof)
    .where(TicketProof.ticket_id == bindparam("ticket_id", type_=Uuid))
    .order_by(TicketProof.version.desc())
    .limit(1)
)
_BY_DECISION: Final = {
    None: TransitionRequirement.UNDECIDED_PROOF,
    ProofDecision.APPROVE: TransitionRequirement.APPROVED_PROOF,
    ProofDecision.REQUEST_CHANGES: TransitionRequirement.CHANGES_REQUESTED,
}


async def newest_proof(read: Read, ticket: Any) -> TicketProof | None:
    return await read.first(_NEWEST_PROOF, ticket_id=ticket.id)


async def met(read: Read, ticket: Any, *, note: str | None = None) -> frozenset[TransitionRequirement]:
    """What is so of a ticket. Of its proofs the newest one counts, whatever was decided about the others."""
    found = {TransitionRequirement.BRIEF_COMPLETE} if ticket.brief_complete else set[TransitionRequirement]()
    if (proof := await newest_proof(read, ticket)) is not None:
        found.add(_BY_DECISION[ProofDecision(proof.decision) if proof.decision else None])
    if note is not None and note.strip():
        found.add(TransitionRequirement.NOTE)
    return frozenset(found)


def missing(requires: Iterable[str], met: frozenset[TransitionRequirement]) -> tuple[str, ...]:
    """In the order in which a customer and staff come to them."""
    return tuple(requirement for requirement in TransitionRequirement if requirement in set(requires) - met)
