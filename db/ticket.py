"""Tickets, one per order line that wants one: their history, briefs, proofs and readers."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, one_of
from db.workflow import ActorKind


class Visibility(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"
    """Staff only."""


class TicketEventKind(StrEnum):
    OPENED = "opened"
    MOVED = "moved"
    MESSAGE = "message"
    BRIEF = "brief"
    PROOF_UPLOADED = "proof_uploaded"
    PROOF_DECIDED = "proof_decided"
    APPROVAL_WITHDRAWN = "approval_withdrawn"
    ASSIGNED = "assigned"
    DUE = "due"
    PRIORITY = "priority"
    RANKED = "ranked"
    SPLIT = "split"
    QUANTITY = "quantity"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    OVERDUE = "overdue"


class TicketPriority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class ProofDecision(StrEnum):
    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"


class Ticket(Base):
    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("order_line_id", "split_number"),
        UniqueConstraint("rank"),
        ForeignKeyConstraint(["order_line_id", "order_id"], ["order_line.id", "order_line.order_id"]),
        ForeignKeyConstraint(["workflow_id", "state"], ["workflow_state.workflow_id", "workflow_state.code"]),
        one_of("priority", TicketPriority),
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="quantity"),
        CheckConstraint("0 <= delivered AND delivered <= shipped AND shipped <= quantity", name="shipped"),
        CheckConstraint("rank ~ '^[A-Za-z][0-9A-Za-z]*$'", name="rank"),
        Index("ix_ticket_order_id", "order_id"),
        Index("ix_ticket_state", "state", "id"),
        Index("ix_ticket_board", "state", "rank"),
        Index("ix_ticket_assignee_id", "assignee_id", "id"),
        Index("ix_ticket_due", "due_at", postgresql_where=text("due_told_at IS NULL")),
        Index("ix_ticket_state_due", "state_due_at", postgresql_where=text("state_due_told_at IS NULL")),
    )

    id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"))
    order_line_id: Mapped[UUID]
    split_number: Mapped[int]
    quantity: Mapped[int]
    shipped: Mapped[int] = mapped_column(server_default=text("0"))
    delivered: Mapped[int] = mapped_column(server_default=text("0"))
    """How many of its units were sent and have arrived; never more than its order line says of all its tickets."""
    workflow_id: Mapped[UUID]
    state: Mapped[str]
    state_since: Mapped[CreatedAt]
    state_due_at: Mapped[datetime | None]
    """Until when it may stay in its state without being overdue, by the state's SLA."""
    state_due_told_at: Mapped[datetime | None]
    """When it was told that this is over: once for each stay in a state."""
    due_at: Mapped[datetime | None]
    """Until when staff want it done."""
    due_told_at: Mapped[datetime | None]
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="SET NULL"))
    priority: Mapped[TicketPriority] = mapped_column(Text, server_default="normal")
    rank: Mapped[str] = mapped_column(Text(collation="C"))
    """Its place on the board: compared as bytes, between any two there is always room for another."""
    brief: Mapped[dict[str, Any] | None]
    brief_version: Mapped[int] = mapped_column(server_default=text("0"))
    """How often a brief was given; 0: never."""
    brief_complete: Mapped[bool] = mapped_column(server_default=text("false"))
    brief_schema: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The product's when the ticket was opened; null: it takes no brief."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Rises with state, brief, quantity and proof only."""
    last_seq: Mapped[int] = mapped_column(server_default=text("0"))
    """The seq of its newest event; the next one is given under this row's lock."""
    customer_read_seq: Mapped[int] = mapped_column(server_default=text("0"))
    """Up to where its customer has read, whoever of them reads."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class TicketEvent(Base):
    """What happened to a ticket. `seq` is the cursor by which a stream resumes; kept for ever."""

    __tablename__ = "ticket_event"
    __table_args__ = (
        one_of("kind", TicketEventKind),
        one_of("visibility", Visibility),
        one_of("actor_kind", ActorKind),
    )

    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TicketEventKind] = mapped_column(Text)
    visibility: Mapped[Visibility] = mapped_column(Text)
    actor_kind: Mapped[ActorKind] = mapped_column(Text)
    actor_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any]]
    """opened: `{"state"}`; moved: `{"from", "to"}`; message: `{"body", "file_ids"}`; those of the other kinds are read
    by the types of schema/ticket_event.py."""
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """Rises with `seq`, as `now()` would not: a transaction may wait for the ticket after it has begun."""


class TicketBrief(Base):
    """Every version of a brief, as it was given."""

    __tablename__ = "ticket_brief"
    __table_args__ = (one_of("actor_kind", ActorKind), CheckConstraint("version >= 1", name="version"))

    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    brief: Mapped[dict[str, Any] | None]
    """Null once its customer was erased."""
    actor_kind: Mapped[ActorKind] = mapped_column(Text)
    actor_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]


class TicketProof(Base):
    """What the customer is to decide on. The one with the highest version counts, the others are superseded."""

    __tablename__ = "ticket_proof"
    __table_args__ = (
        UniqueConstraint("ticket_id", "version"),
        one_of("decision", ProofDecision),
        one_of("decided_by_kind", ActorKind),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("(decision IS NULL) = (decided_by_kind IS NULL)", name="decided_by"),
        Index("ix_ticket_proof_file_id", "file_id"),
    )

    id: Mapped[Id]
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"))
    version: Mapped[int]
    file_id: Mapped[UUID] = mapped_column(ForeignKey("file.id"))
    note: Mapped[str] = mapped_column(server_default="")
    """What staff say about it."""
    brief_version: Mapped[int]
    """Of the brief that it was made for."""
    created_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    decision: Mapped[ProofDecision | None] = mapped_column(Text)
    """Null: it waits for one, or a changed brief has withdrawn it."""
    comment: Mapped[str] = mapped_column(server_default="")
    """What was said with the decision."""
    decided_by_kind: Mapped[ActorKind | None] = mapped_column(Text)
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]


class TicketStaffRead(Base):
    """Up to where a member of staff has read a ticket."""

    __tablename__ = "ticket_staff_read"
    __table_args__ = (Index("ix_ticket_staff_read_staff_id", "staff_id"),)

    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int]


class CannedReply(Base):
    """What staff say often."""

    __tablename__ = "canned_reply"

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    """What staff type to find it."""
    title: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
