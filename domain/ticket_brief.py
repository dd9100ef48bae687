"""A ticket's brief: given with the order or later, checked against its schema, kept in every version."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db import TicketBrief
from db.connection import Tx
from db.ticket import ProofDecision, TicketEventKind
from db.workflow import ActorKind, TransitionRequirement
from domain import audit, ticket, ticket_move, ticket_requirement
from domain.actor import Actor, OrderAccess
from domain.brief import check_brief
from domain.refusal import ErrorCode, Refusal


@dataclass(eq=False)
class BriefLocked(Refusal):
    """The work is too far for its customer to change what it is about; staff still can."""

    message: str = "The work is too far to change the brief; write a message instead."
    state: str = ""
    code = ErrorCode.BRIEF_LOCKED


@dataclass(frozen=True)
class SubmitBrief:
    ticket_id: UUID
    brief: Mapping[str, Any]
    if_version: int | None = None


async def submit(tx: Tx, command: SubmitBrief, actor: Actor, access: OrderAccess | None) -> None:
    """What is as it was changes nothing. A changed brief withdraws the approval of the proof that was made for another.

    The ticket then goes where its workflow leads from a complete brief.
    """
    row = await ticket.lock(tx, command.ticket_id, actor, access)
    ticket.check_version(row, command.if_version)
    ticket.check_open(row, "ticket_id")
    if row.brief_locked and not actor.may("tickets:write"):
        raise BriefLocked(path=("ticket_id",), state=row.state)
    check_brief(command.brief, row.brief_schema)
    if row.brief == command.brief and row.brief_complete:
        return
    version = row.brief_version + 1
    who = {"actor_kind": actor.kind, "actor_id": actor.id}
    kept = {"ticket_id": row.id, "version": version, "brief": dict(command.brief), **who}
    await tx.insert(TicketBrief, [kept])
    await tx.run(_SET, id=row.id, brief=dict(command.brief), brief_version=version)
    await ticket.record(tx, row.id, TicketEventKind.BRIEF, {"version": version}, actor)
    await _withdraw_approval(tx, row, actor)
    if actor.kind != ActorKind.CUSTOMER:
        difference = {"brief_version": [row.brief_version, version]}
        await audit.record(tx, actor, "ticketSubmitBrief", f"ticket:{row.id}", difference)
    await ticket_move.follow(tx, row.id, TransitionRequirement.BRIEF_COMPLETE, actor)


async def _withdraw_approval(tx: Tx, row: Any, actor: Actor) -> None:
    proof = await ticket_requirement.newest_proof(tx, row)
    if proof is not None and proof.decision == ProofDecision.APPROVE:
        await tx.run(_WITHDRAW, id=proof.id)
        about = {"proof_id": proof.id, "version": proof.version}
        await ticket.record(tx, row.id, TicketEventKind.APPROVAL_WITHDRAWN, about, actor)


_SET: Final = text(
    """
    UPDATE ticket SET brief = CAST(:brief AS jsonb), brief_version = :brief_version, brief_complete = true,
        version = version + 1, updated_at = clock_timestamp()
    WHERE id = :id
    """
)
_WITHDRAW: Final = text(
    """
    UPDATE ticket_proof SET decision = NULL, comment = '', decided_by_kind = NULL, decided_by = NULL, decided_at = NULL
    WHERE id = :id
    """
)
