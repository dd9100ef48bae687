"""Workflows: their newest versions, any version, and the editor."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import aliased

from db import Workflow, WorkflowState, WorkflowTransition
from db.workflow import ActorKind, InitialFor, StateEffect, StateKind, TransitionRequirement
from domain import workflow as workflows_
from domain.workflow import StateSpec, TransitionSpec, WorkflowSpec
from resolvers.batches import many, one
from resolvers.context import Ctx

states_of_workflow = many(select(WorkflowState).order_by(WorkflowState.position), WorkflowState.workflow_id)
transitions_of_workflow = many(
    select(WorkflowTransition).order_by(
        WorkflowTransition.from_state, WorkflowTransition.to_state, WorkflowTransition.who
    ),
    WorkflowTransition.workflow_id,
)
workflow_by_id = one(select(Workflow), Workflow.id)
_LATER: Final = aliased(Workflow)
_NEWEST: Final = (
    select(Workflow)
    .where(~select(_LATER.id).where(_LATER.code == Workflow.code, _LATER.version > Workflow.version).exists())
    .order_by(Workflow.code)
)
_ONE: Final = select(Workflow).where(Workflow.code == bindparam("code")).order_by(Workflow.version.desc()).limit(1)
_VERSION: Final = select(Workflow).where(Workflow.code == bindparam("code"), Workflow.version == bindparam("version"))


async def workflows(ctx: Ctx) -> Any:
    return await ctx.read.all(_NEWEST)


async def workflow(ctx: Ctx, code: str, version: int | None) -> Any:
    if version is None:
        return await ctx.read.first(_ONE, code=code)
    return await ctx.read.first(_VERSION, code=code, version=version)


async def find(ctx: Ctx, key: UUID) -> Any:
    """For staff who see tickets."""
    return await ctx.load(workflow_by_id, key) if ctx.actor.may("tickets:read") else None


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    spec = _spec(given)
    async with ctx.shop.tx() as tx:
        key = await workflows_.create(tx, spec, ctx.actor)
    return {"workflow": await ctx.load(workflow_by_id, key)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    spec = _spec(given)
    async with ctx.shop.tx() as tx:
        key = await workflows_.change(tx, spec, given.if_version, ctx.actor)
    return {"workflow": await ctx.load(workflow_by_id, key)}


def _spec(given: Any) -> WorkflowSpec:
    states = tuple(_state(state) for state in given.states)
    ways = tuple(
        TransitionSpec(
            way.from_state,
            way.to_state,
            ActorKind(way.who),
            tuple(dict.fromkeys(map(TransitionRequirement, way.requires))),
        )
        for way in given.transitions
    )
    return WorkflowSpec(given.code, given.name, states, ways)


def _state(state: Any) -> StateSpec:
    initial = None if state.initial_for is None else InitialFor(state.initial_for)
    kind, effect = StateKind(state.kind), StateEffect(state.effect)
    return StateSpec(state.code, state.name, kind, initial, state.sla_minutes, effect, state.brief_locked)
