"""Tickets, one per order line that wants one, and their history."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, func, text
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


class Ticket(Base):
    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("order_line_id", "split_number"),
        ForeignKeyConstraint(["order_line_id", "order_id"], ["order_line.id", "order_line.order_id"]),
        ForeignKeyConstraint(["workflow_id", "state"], ["workflow_state.workflow_id", "workflow_state.code"]),
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="quantity"),
        Index("ix_ticket_order_id", "order_id"),
        Index("ix_ticket_state", "state", "id"),
    )

    id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"))
    order_line_id: Mapped[UUID]
    split_number: Mapped[int]
    quantity: Mapped[int]
    workflow_id: Mapped[UUID]
    state: Mapped[str]
    brief: Mapped[dict[str, Any] | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Rises with state, brief, quantity and proof only."""
    last_seq: Mapped[int] = mapped_column(server_default=text("0"))
    """The seq of its newest event; the next one is given under this row's lock."""
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
    """opened: `{"state"}`; moved: `{"from", "to"}`; message: `{"body"}`."""
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """Rises with `seq`, as `now()` would not: a transaction may wait for the ticket after it has begun."""
