"""The states a ticket can be in, as data. Code relies on the kind of a state, never on its name."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, one_of


class StateKind(StrEnum):
    OPEN = "open"
    WAITING_CUSTOMER = "waiting_customer"
    DONE = "done"
    CANCELLED = "cancelled"


class InitialFor(StrEnum):
    COMPLETE_BRIEF = "complete_brief"
    INCOMPLETE_BRIEF = "incomplete_brief"


class ActorKind(StrEnum):
    STAFF = "staff"
    CUSTOMER = "customer"
    SYSTEM = "system"


class StateEffect(StrEnum):
    """What entering a state does to the goods of a ticket."""

    NONE = "none"
    SHIP = "ship"
    DELIVER = "deliver"


class TransitionRequirement(StrEnum):
    """What must be so before a ticket takes a transition."""

    BRIEF_COMPLETE = "brief_complete"
    UNDECIDED_PROOF = "undecided_proof"
    APPROVED_PROOF = "approved_proof"
    CHANGES_REQUESTED = "changes_requested"
    NOTE = "note"
    """Whoever moves it says why."""


REQUIREMENTS = ", ".join(f"'{requirement}'" for requirement in TransitionRequirement)


class Workflow(Base):
    """A version of a workflow. A running ticket stays on the version it began with."""

    __tablename__ = "workflow"
    __table_args__ = (UniqueConstraint("code", "version"),)

    id: Mapped[Id]
    code: Mapped[str]
    version: Mapped[int]
    name: Mapped[str]
    created_at: Mapped[CreatedAt]


class WorkflowState(Base):
    __tablename__ = "workflow_state"
    __table_args__ = (
        one_of("kind", StateKind),
        one_of("initial_for", InitialFor),
        one_of("effect", StateEffect),
        CheckConstraint("sla_minutes BETWEEN 1 AND 5256000", name="sla_minutes"),
        Index(
            "uq_workflow_state_initial",
            "workflow_id",
            "initial_for",
            unique=True,
            postgresql_where=text("initial_for IS NOT NULL"),
        ),
    )

    workflow_id: Mapped[UUID] = mapped_column(ForeignKey("workflow.id"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[StateKind] = mapped_column(Text)
    position: Mapped[int]
    initial_for: Mapped[InitialFor | None] = mapped_column(Text)
    sla_minutes: Mapped[int | None]
    """How long a ticket may stay in it before it is overdue; null: as long as it takes."""
    effect: Mapped[StateEffect] = mapped_column(Text, server_default="none")
    brief_locked: Mapped[bool] = mapped_column(server_default=text("false"))
    """From here on customers do not change the brief any more; staff do."""


class WorkflowTransition(Base):
    __tablename__ = "workflow_transition"
    __table_args__ = (
        one_of("who", ActorKind),
        CheckConstraint(f"requires <@ ARRAY[{REQUIREMENTS}]::text[]", name="requires"),
        ForeignKeyConstraint(
            ["workflow_id", "from_state"],
            ["workflow_state.workflow_id", "workflow_state.code"],
            name="fk_from",
        ),
        ForeignKeyConstraint(
            ["workflow_id", "to_state"], ["workflow_state.workflow_id", "workflow_state.code"], name="fk_to"
        ),
    )

    workflow_id: Mapped[UUID] = mapped_column(primary_key=True)
    from_state: Mapped[str] = mapped_column(primary_key=True)
    to_state: Mapped[str] = mapped_column(primary_key=True)
    who: Mapped[ActorKind] = mapped_column(Text, primary_key=True)
    requires: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    """Of `TransitionRequirement`; all of them."""
