"""Ticket workflows: which states there are and who may move a ticket from one to another.

A version never changes: an edited workflow is another version, and running tickets stay on theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from db import Workflow, WorkflowState, WorkflowTransition
from db.connection import Read, Tx, new_id
from db.workflow import ActorKind, InitialFor, StateEffect, StateKind, TransitionRequirement
from domain import audit
from domain.actor import Actor
from domain.refusal import ErrorCode, NotFound, Refusal, ValidationFailed, VersionConflict
from domain.workflow_spec import DEFAULT, StateSpec, TransitionSpec, WorkflowSpec

__all__ = ["DEFAULT", "StateSpec", "TransitionSpec", "WorkflowSpec"]


@dataclass(eq=False)
class InvalidTransition(Refusal):
    """`allowed` are the states that this caller may move it to from where it is."""

    from_state: str = ""
    to_state: str = ""
    allowed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """What the transition asks for and is not so yet; empty: there is no such transition for them."""
    code = ErrorCode.INVALID_TRANSITION


async def install(tx: Tx, spec: WorkflowSpec) -> None:
    """Writes version 1 of a workflow unless there is one; a running shop's own versions are never touched.

    What the first release has written, and nobody has changed, gets what this one knows besides, as version 2.
    """
    if await _write(tx, spec, 1) is not None:
        return
    newest = await tx.first(_NEWEST, code=spec.code)
    if newest is not None and newest.version == 1 and _same(await read_spec(tx, newest), _as_first_released(spec)):
        await _write(tx, spec, 2)


def _as_first_released(spec: WorkflowSpec) -> WorkflowSpec:
    """Without effects, requirements, and ways that are not for staff."""
    states = tuple(replace(state, effect=StateEffect.NONE, brief_locked=False) for state in spec.states)
    ways = tuple(replace(one, requires=()) for one in spec.transitions if one.who == ActorKind.STAFF)
    return replace(spec, states=states, transitions=ways)


async def create(tx: Tx, spec: WorkflowSpec, actor: Actor) -> UUID:
    workflow_id = await _write(tx, spec, 1)
    if workflow_id is None:
        raise ValidationFailed(f"There is a workflow {spec.code!r}.", path=("code",))
    await audit.record(tx, actor, "workflowCreate", f"workflow:{workflow_id}", audit.changed({}, _told(spec, 1)))
    return workflow_id


_NEWEST: Final = (
    select(Workflow)
    .where(Workflow.code == bindparam("code"))
    .order_by(Workflow.version.desc())
    .limit(1)
    .with_for_update(key_share=True)
)


async def change(tx: Tx, spec: WorkflowSpec, if_version: int | None, actor: Actor) -> UUID:
    """Makes the next version; the one that there is, if nothing of it is another."""
    newest = await tx.first(_NEWEST, code=spec.code)
    if newest is None:
        raise NotFound(f"There is no workflow {spec.code!r}.", path=("code",))
    before = await read_spec(tx, newest)
    made = None
    if if_version in {None, newest.version}:
        made = newest.id if _same(before, spec) else await _write(tx, spec, newest.version + 1)
    if made is None:  # somebody else was faster, or had been
        now = newest.version + (if_version in {None, newest.version})
        raise VersionConflict(f"The workflow is at version {now}.", path=("if_version",), current_version=now)
    difference = audit.changed(_told(before, newest.version), _told(spec, newest.version + (made != newest.id)))
    await audit.record(tx, actor, "workflowUpdate", f"workflow:{made}", difference)
    return made


def _same(one: WorkflowSpec, other: WorkflowSpec) -> bool:
    return (one.name, one.states, set(one.transitions)) == (other.name, other.states, set(other.transitions))


def _told(spec: WorkflowSpec, version: int) -> dict[str, Any]:
    ways = [f"{t.from_state} → {t.to_state} by {t.who}: {', '.join(t.requires)}" for t in spec.transitions]
    states = [
        f"{s.code} ({s.kind}): {s.name}; {s.initial_for or '-'}, {s.sla_minutes or '-'}, {s.effect}, {s.brief_locked}"
        for s in spec.states
    ]
    return {"code": spec.code, "version": version, "name": spec.name, "states": states, "transitions": sorted(ways)}


async def _write(tx: Tx, spec: WorkflowSpec, version: int) -> UUID | None:
    """Null if this version of it is there."""
    workflow_id = new_id()
    row = {"id": workflow_id, "code": spec.code, "version": version, "name": spec.name.strip()}
    if not await tx.run(insert(Workflow).values(**row).on_conflict_do_nothing(index_elements=["code", "version"])):
        return None
    states = (
        {
            "workflow_id": workflow_id,
            "code": state.code,
            "name": state.name.strip(),
            "kind": state.kind,
            "position": position,
            "initial_for": state.initial_for,
            "sla_minutes": state.sla_minutes,
            "effect": state.effect,
            "brief_locked": state.brief_locked,
        }
        for position, state in enumerate(spec.states)
    )
    await tx.insert(WorkflowState, states)
    await tx.insert(
        WorkflowTransition,
        (
            {
                "workflow_id": workflow_id,
                "from_state": one.from_state,
                "to_state": one.to_state,
                "who": one.who,
                "requires": list(dict.fromkeys(one.requires)),
            }
            for one in spec.transitions
        ),
    )
    return workflow_id


async def read_spec(read: Read, row: Workflow) -> WorkflowSpec:
    """What a version is made of. Those of earlier releases may lack what is asked for now, so it is not checked."""
    of_it = WorkflowState.workflow_id == row.id
    states = await read.all(select(WorkflowState).where(of_it).order_by(WorkflowState.position))
    ways = await read.all(select(WorkflowTransition).where(WorkflowTransition.workflow_id == row.id))
    spec = object.__new__(WorkflowSpec)
    for name, value in (
        ("code", row.code),
        ("name", row.name),
        ("states", tuple(_state_spec(state) for state in states)),
        ("transitions", tuple(_transition_spec(way) for way in ways)),
    ):
        object.__setattr__(spec, name, value)
    return spec


def _state_spec(row: WorkflowState) -> StateSpec:
    initial = None if row.initial_for is None else InitialFor(row.initial_for)
    kind, effect = StateKind(row.kind), StateEffect(row.effect)
    return StateSpec(row.code, row.name, kind, initial, row.sla_minutes, effect, row.brief_locked)


def _transition_spec(row: WorkflowTransition) -> TransitionSpec:
    requires = tuple(TransitionRequirement(one) for one in row.requires)
    return TransitionSpec(row.from_state, row.to_state, ActorKind(row.who), requires)


async def initial_states(read: Read, workflows: Sequence[UUID]) -> dict[tuple[UUID, InitialFor], WorkflowState]:
    rows = await read.all(
        select(WorkflowState)
        .where(WorkflowState.workflow_id == any_(list(workflows)))  # pyright: ignore[reportArgumentType]
        .where(WorkflowState.initial_for.is_not(None))
    )
    return {(s.workflow_id, InitialFor(s.initial_for)): s for s in rows if s.initial_for}


_OF_STATE: Final = (WorkflowState.workflow_id == WorkflowTransition.workflow_id) & (
    WorkflowState.code == WorkflowTransition.to_state
)
_TRANSITIONS: Final = (
    select(*WorkflowState.__table__.c, WorkflowTransition.requires)
    .join(WorkflowTransition, _OF_STATE)
    .where(
        WorkflowTransition.workflow_id == bindparam("workflow_id", type_=Uuid),
        WorkflowTransition.from_state == bindparam("state"),
        WorkflowTransition.who == bindparam("who"),
    )
    .order_by(WorkflowState.position)
)
_CANCELLED: Final = (
    select(WorkflowState)
    .where(WorkflowState.workflow_id == bindparam("workflow_id", type_=Uuid))
    .where(WorkflowState.kind == StateKind.CANCELLED)
    .order_by(WorkflowState.position)
    .limit(1)
)


async def transitions(read: Read, workflow_id: UUID, state: str, who: ActorKind) -> list[Any]:
    """The states that `who` may take a ticket to, with what that `requires`, in the order of the board."""
    return await read.records(_TRANSITIONS, workflow_id=workflow_id, state=state, who=who)


async def cancelled_state(read: Read, workflow_id: UUID) -> WorkflowState:
    return await read.one(_CANCELLED, workflow_id=workflow_id)
