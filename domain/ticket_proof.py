"""Proofs: staff show what it will be, the customer decides on the newest one."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select, text

from db import Ticket, TicketProof
from db.connection import Tx, new_id
from db.file import FilePurpose
from db.ticket import ProofDecision, TicketEventKind
from db.workflow import ActorKind, TransitionRequirement
from domain import audit, file, ticket, ticket_message, ticket_move, ticket_requirement
from domain.actor import Actor, OrderAccess
from domain.refusal import ErrorCode, NotFound, Refusal, ValidationFailed, refusals_of


@dataclass(eq=False)
class ProofSuperseded(Refusal):
    """`newest_proof_id` is what is to be decided on instead."""

    message: str = "There is a newer proof: look at that one."
    newest_proof_id: UUID | None = None
    newest_version: int = 0
    code = ErrorCode.PROOF_SUPERSEDED


@dataclass(eq=False)
class ProofDecided(Refusal):
    message: str = "It was decided on already."
    decision: ProofDecision = field(default=ProofDecision.APPROVE)
    code = ErrorCode.PROOF_DECIDED


@dataclass(frozen=True)
class UploadProof:
    ticket_id: UUID
    file_id: UUID
    note: str = ""
    if_version: int | None = None

    def __post_init__(self) -> None:
        ticket_message.check_length(self.note, "note")


@dataclass(frozen=True)
class DecideProof:
    """What is to be changed has to be said."""

    proof_id: UUID
    decision: ProofDecision
    comment: str = ""

    def __post_init__(self) -> None:
        if self.decision == ProofDecision.REQUEST_CHANGES and not self.comment.strip():
            raise ValidationFailed("Say what is to be changed.", path=("comment",))
        ticket_message.check_length(self.comment, "comment")


async def upload(tx: Tx, command: UploadProof, actor: Actor) -> UUID:
    """The next version of the ticket's proof. The ticket then goes where its workflow leads from one."""
    row = await ticket.lock(tx, command.ticket_id, actor, None)
    ticket.check_version(row, command.if_version)
    ticket.check_open(row, "ticket_id")
    await _attach(tx, command, actor)
    newest = await ticket_requirement.newest_proof(tx, row)
    key, version = new_id(), 1 if newest is None else newest.version + 1
    proof = {
        "id": key,
        "ticket_id": row.id,
        "version": version,
        "file_id": command.file_id,
        "note": command.note.strip(),
        "brief_version": row.brief_version,
        "created_by": actor.id,
    }
    await tx.insert(TicketProof, [proof])
    await tx.run(_CHANGED, id=row.id)
    about = {"proof_id": key, "version": version}
    await ticket.record(tx, row.id, TicketEventKind.PROOF_UPLOADED, about, actor)
    difference = {"proof_version": [version - 1, version]}
    await audit.record(tx, actor, "ticketUploadProof", f"ticket:{row.id}", difference)
    await ticket_move.follow(tx, row.id, TransitionRequirement.UNDECIDED_PROOF, actor)
    return key


async def _attach(tx: Tx, command: UploadProof, actor: Actor) -> None:
    try:
        await file.attach(tx, [command.file_id], command.ticket_id, FilePurpose.PROOF, actor)
    except Refusal as refused:
        for refusal in refusals_of(refused):
            refusal.path = ("file_id",)
        raise


_PROOF: Final = select(TicketProof).where(TicketProof.id == bindparam("id", type_=Uuid))


async def decide(tx: Tx, command: DecideProof, actor: Actor, access: OrderAccess | None) -> UUID:
    """Decides a named proof, so that nobody approves what they have not seen; the ticket's id.

    Once more the same changes nothing. Staff write down what they were told on the telephone.
    """
    proof = await _lock(tx, command.proof_id, actor, access)
    row = await ticket.again(tx, proof.ticket_id)
    newest = await ticket_requirement.newest_proof(tx, row)
    if newest is not None and newest.id != proof.id:
        raise ProofSuperseded(path=("proof_id",), newest_proof_id=newest.id, newest_version=newest.version)
    if proof.decision == command.decision:
        return proof.ticket_id
    if proof.decision is not None:
        raise ProofDecided(path=("proof_id",), decision=ProofDecision(proof.decision))
    ticket.check_open(row, "proof_id")
    given = {"decision": command.decision, "comment": command.comment.strip()}
    await tx.run(_DECIDE, id=proof.id, kind=actor.kind, by=actor.id, **given)
    await tx.run(_CHANGED, id=row.id)
    about = {"proof_id": proof.id, "version": proof.version, **given}
    await ticket.record(tx, row.id, TicketEventKind.PROOF_DECIDED, about, actor)
    if actor.kind != ActorKind.CUSTOMER:
        difference = {"decision": [None, command.decision]}
        await audit.record(tx, actor, "ticketDecideProof", f"ticket:{row.id}", difference)
    await ticket_move.follow(tx, row.id, _BROUGHT_ABOUT[command.decision], actor)
    return proof.ticket_id


async def _lock(tx: Tx, proof_id: UUID, actor: Actor, access: OrderAccess | None) -> Any:
    """The proof as it is once its ticket is locked."""
    theirs = ticket.visible_to(actor, access, "tickets:write")
    of_proof = select(Ticket.id).join(TicketProof, TicketProof.ticket_id == Ticket.id)
    ticket_id = await tx.scalar(of_proof.where(TicketProof.id == proof_id, theirs))
    if ticket_id is None:
        raise NotFound("There is no such proof, or it is not yours.", path=("proof_id",))
    await ticket.lock(tx, ticket_id, actor, access)
    return await tx.one(_PROOF, id=proof_id)


_BROUGHT_ABOUT: Final = {
    ProofDecision.APPROVE: TransitionRequirement.APPROVED_PROOF,
    ProofDecision.REQUEST_CHANGES: TransitionRequirement.CHANGES_REQUESTED,
}
_CHANGED: Final = text("UPDATE ticket SET version = version + 1, updated_at = clock_timestamp() WHERE id = :id")
_DECIDE: Final = text(
    """
    UPDATE ticket_proof SET decision = :decision, comment = :comment, decided_by_kind = :kind,
        decided_by = CAST(:by AS uuid), decided_at = clock_timestamp()
    WHERE id = :id AND decision IS NULL
    """
)
