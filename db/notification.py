"""What people are told of by themselves: each row one event, told to one receiver over one channel."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, CreatedAt, Id, one_of

LOCALE: Final = "~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$'"
"""Of columns with a locale: BCP 47 as far as anybody uses it."""
RECIPIENT: Final = "recipient ~ '^(customer|order|staff|erased):[0-9a-f-]{36}$'"


class NotificationKind(StrEnum):
    ORDER_PLACED = "order_placed"
    TICKETS_OPENED = "tickets_opened"
    ACTION_REQUIRED = "action_required"
    PROOF_READY = "proof_ready"
    MESSAGE_POSTED = "message_posted"
    DELIVERED = "delivered"
    PAYMENT_RETURNED = "payment_returned"
    OVERDUE = "overdue"


class NotificationState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    """Its last try failed; another may follow."""
    SUPPRESSED = "suppressed"
    """It is not sent: `reason` says why."""


class Notification(Base):
    """Neither an address nor what is said stands here: both are read when it is sent."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("event", "kind", "recipient", "channel"),
        one_of("kind", NotificationKind),
        one_of("state", NotificationState),
        CheckConstraint(RECIPIENT, name="recipient"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at"),
        CheckConstraint("state IN ('queued', 'sent') OR reason <> ''", name="reason"),
        Index("ix_notification_state", "state", "id"),
        Index("ix_notification_order_id", "order_id", "id"),
        Index("ix_notification_ticket_id", "ticket_id"),
        Index("ix_notification_recipient", "recipient"),
    )

    id: Mapped[Id]
    event: Mapped[str]
    """What it tells of: `order:<id>`, `tickets:<id of the first>`, `ticket:<id>:<seq>`, `fulfilment:<id>`,
    `payment:<id>`. The same for the same thing, however often it is announced.
    """
    kind: Mapped[NotificationKind] = mapped_column(Text)
    recipient: Mapped[str]
    """`staff:<id>`, or `order:<id>`: whoever's it is, so that the same is not told twice when a customer adopts the
    order of a guest. Once they are erased `erased:<its own id>`.
    """
    channel: Mapped[str]
    """What carries it, by name: `email`."""
    order_id: Mapped[UUID] = mapped_column(ForeignKey("order.id"))
    ticket_id: Mapped[UUID | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"))
    token_id: Mapped[UUID | None]
    """The single-use token of its link, so that a second try has the same one. The token itself is stored nowhere."""
    state: Mapped[NotificationState] = mapped_column(Text, server_default="queued")
    reason: Mapped[str] = mapped_column(server_default="")
    """Why it failed or is not sent; without addresses."""
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    claimed_until: Mapped[datetime | None]
    """Somebody is sending it; nobody else begins before this."""
    claimed_by: Mapped[UUID | None]
    """The run that began last: when its worker has died, it is run anew by another and need not wait for itself."""
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[datetime | None]


class NotificationOptOut(Base):
    """Somebody does not want to be told of a kind over a channel. What nobody said anything about is wanted."""

    __tablename__ = "notification_opt_out"
    __table_args__ = (
        one_of("kind", NotificationKind),
        CheckConstraint("kind NOT IN ('order_placed', 'payment_returned')", name="required"),
        CheckConstraint(RECIPIENT, name="recipient"),
    )

    recipient: Mapped[str] = mapped_column(primary_key=True)
    """`customer:<id>`, `staff:<id>`; `order:<id>` for all that is told of one order."""
    kind: Mapped[NotificationKind] = mapped_column(Text, primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[CreatedAt]
