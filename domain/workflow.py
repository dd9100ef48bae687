"""Ticket workflows: which states there are and who may move a ticket from one to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import any_, select

from db import Workflow, WorkflowState, WorkflowTransition
from db.connection import Read, Tx, new_id
from db.workflow import ActorKind, InitialFor, StateKind
from domain.refusal import ErrorCode, Refusal


@dataclass(eq=False)
class InvalidTransition(Refusal):
    """`allowed` are the states that this caller may move it to from where it is."""

    from_state: str = ""
    to_state: str = ""
    allowed: tuple[str, ...] = ()
    code = ErrorCode.INVALID_TRANSITION


@dataclass(frozen=True)
class StateSpec:
    """`next` are the states that staff may move to, besides cancelling."""

    code: str
    name: str
    kind: StateKind
    next: tuple[str, ...] = ()
    initial_for: InitialFor | None = None


@dataclass(frozen=True)
class WorkflowSpec:
    code: str
    name: str
    states: tuple[StateSpec, ...]


DEFAULT: Final = WorkflowSpec(
    "default",
    "Custom work",
    (
        StateSpec(
            "awaiting_brief",
            "Awaiting brief",
            StateKind.WAITING_CUSTOMER,
            ("brief_received",),
            InitialFor.INCOMPLETE_BRIEF,
        ),
        StateSpec(
            "brief_received",
            "Brief received",
            StateKind.OPEN,
            ("designing_artwork",),
            InitialFor.COMPLETE_BRIEF,
        ),
        StateSpec("designing_artwork", "Designing artwork", StateKind.OPEN, ("proof_sent", "awaiting_brief")),
        StateSpec("proof_sent", "Proof sent", StateKind.WAITING_CUSTOMER, ("fulfilling", "designing_artwork")),
        StateSpec("fulfilling", "Fulfilling", StateKind.OPEN, ("delivered", "designing_artwork")),
        StateSpec("delivered", "Delivered", StateKind.DONE),
        StateSpec("cancelled", "Cancelled", StateKind.CANCELLED),
    ),
)


async def install(tx: Tx, spec: WorkflowSpec) -> None:
    """Writes version 1 of a workflow unless there is one; a running shop's own versions are never touched."""
    if await tx.scalar(select(Workflow.id).where(Workflow.code == spec.code)):
        return
    workflow_id = new_id()
    await tx.insert(Workflow, [{"id": workflow_id, "code": spec.code, "version": 1, "name": spec.name}])
    await tx.insert(
        WorkflowState,
        (
            {
                "workflow_id": workflow_id,
                "code": state.code,
                "name": state.name,
                "kind": state.kind,
                "position": position,
                "initial_for": state.initial_for,
            }
            for position, state in enumerate(spec.states)
        ),
    )
    await tx.insert(WorkflowTransition, _transitions(workflow_id, spec))


def _transitions(workflow_id: UUID, spec: WorkflowSpec) -> list[dict[str, object]]:
    """The next states of each, and from every state that is not an end the cancelled one."""
    cancelled = [s.code for s in spec.states if s.kind == StateKind.CANCELLED]
    return [
        {"workflow_id": workflow_id, "from_state": s.code, "to_state": to, "who": ActorKind.STAFF}
        for s in spec.states
        if s.kind in {StateKind.OPEN, StateKind.WAITING_CUSTOMER}
        for to in (*s.next, *cancelled)
    ]


async def initial_states(read: Read, workflows: Sequence[UUID]) -> dict[tuple[UUID, InitialFor], str]:
    rows = await read.all(
        select(WorkflowState)
        .where(WorkflowState.workflow_id == any_(list(workflows)))  # pyright: ignore[reportArgumentType]
        .where(WorkflowState.initial_for.is_not(None))
    )
    return {(s.workflow_id, InitialFor(s.initial_for)): s.code for s in rows if s.initial_for}


async def allowed(read: Read, workflow_id: UUID, state: str, who: ActorKind) -> tuple[str, ...]:
    """Where `who` may move a ticket to, in the order of the board."""
    rows = await read.scalars(
        select(WorkflowTransition.to_state)
        .join(
            WorkflowState,
            (WorkflowState.workflow_id == WorkflowTransition.workflow_id)
            & (WorkflowState.code == WorkflowTransition.to_state),
        )
        .where(WorkflowTransition.workflow_id == workflow_id, WorkflowTransition.from_state == state)
        .where(WorkflowTransition.who == who)
        .order_by(WorkflowState.position)
    )
    return tuple(rows)
