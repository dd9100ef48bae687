"""Workflows as data, and their editor."""

from datetime import datetime

import strawberry

from db import Workflow as WorkflowRow
from db import WorkflowState as StateRow
from db import WorkflowTransition as TransitionRow
from db.workflow import InitialFor, StateEffect, StateKind, TransitionRequirement
from resolvers import workflow
from schema.actor import ActorKind
from schema.build import column, enum, given, input_type, loads, required, view
from schema.errors import Payload
from schema.node import Node, public_id

enum(
    InitialFor,
    "Which new tickets begin in a state.",
    COMPLETE_BRIEF="Those of which is known what is to be made.",
    INCOMPLETE_BRIEF="Those that lack a brief.",
)
enum(
    StateEffect,
    "What entering a state does to the goods of a ticket.",
    NONE="Nothing.",
    SHIP="Those that were not sent yet are booked as sent.",
    DELIVER="They are booked as sent and as arrived.",
)
enum(
    TransitionRequirement,
    "What must be so before a ticket goes a way.",
    BRIEF_COMPLETE="There is a brief, and nothing is missing in it.",
    UNDECIDED_PROOF="The newest proof waits for a decision.",
    APPROVED_PROOF="The newest proof is approved.",
    CHANGES_REQUESTED="The newest proof is to be changed.",
    NOTE="Whoever moves it says why.",
)


@view(StateRow)
class WorkflowState:
    """A state, as its editor sees it."""

    code: str = column("For programs.")
    name: str = column("For people.")
    kind: StateKind = column("What it means.")
    position: int = column("Its place on the board, from 0.")
    initial_for: InitialFor | None = column("Which tickets begin here.")
    sla_minutes: int | None = column("How long a ticket may stay here; null: as long as it takes.")
    effect: StateEffect = column("What coming here does to the goods.")
    brief_locked: bool = column("Customers do not change the brief any more.")


@view(TransitionRow)
class WorkflowTransition:
    """A way from one state to another."""

    from_state: str = column("Code of the state it leaves.")
    to_state: str = column("Code of the state it leads to.")
    who: ActorKind = column(
        "Who goes it. Tickets follow ways of customers after what their customer did, and those of the shop by itself."
    )
    requires: list[TransitionRequirement] = column("All of this must be so.")


@view(WorkflowRow)
class Workflow(Node):
    """A version of a workflow. It never changes; running tickets stay on theirs."""

    id: strawberry.ID = public_id("Workflow")
    code: str = column("Names it, over all versions.")
    version: int = column("1 was the first.")
    name: str = column("For people.")
    states: list[WorkflowState] = loads(workflow.states_of_workflow, "id", "In the order of the board.")
    transitions: list[WorkflowTransition] = loads(workflow.transitions_of_workflow, "id", "All ways.")
    created_at: datetime = column("When this version was made.")


@input_type
class WorkflowStateInput:
    """A state; its place in the list is its place on the board."""

    code: str = required("Small letters, digits and _, at most 50.")
    name: str = required("For people, at most 100 characters.")
    kind: StateKind = required("What it means.")
    initial_for: InitialFor | None = given("Which tickets begin here; each kind begins in one state.")
    sla_minutes: int | None = given("How long a ticket may stay here; null: as long as it takes.")
    effect: StateEffect = given("What coming here does to the goods.", StateEffect.NONE)
    brief_locked: bool = given("Customers do not change the brief any more.", False)


@input_type
class WorkflowTransitionInput:
    """A way from one state to another. From every state that is not an end staff may cancel; this need not be said."""

    from_state: str = required("Code of the state it leaves.")
    to_state: str = required("Code of the state it leads to.")
    who: ActorKind = given("Who goes it.", ActorKind.STAFF)
    requires: list[TransitionRequirement] = strawberry.field(
        description="All of this must be so.", default_factory=list
    )


@input_type
class WorkflowCreateInput:
    """A new workflow, as a whole."""

    code: str = required("Names it; products name their workflow by this.")
    name: str = required("For people.")
    states: list[WorkflowStateInput] = required("In the order of the board, at most 50.")
    transitions: list[WorkflowTransitionInput] = required("All ways, at most 1,000.")


@input_type
class WorkflowUpdateInput:
    """A workflow as it is to be, as a whole: its next version."""

    code: str = required("Which workflow.")
    if_version: int | None = given("Only if its newest version is still this one.")
    name: str = required("For people.")
    states: list[WorkflowStateInput] = required("In the order of the board, at most 50.")
    transitions: list[WorkflowTransitionInput] = required("All ways, at most 1,000.")


@view()
class WorkflowCreatePayload(Payload):
    """Its first version."""

    workflow: Workflow | None = strawberry.field(description="The workflow.")


@view()
class WorkflowUpdatePayload(Payload):
    """Its newest version; the one that there was, if nothing was to change."""

    workflow: Workflow | None = strawberry.field(description="The workflow.")
