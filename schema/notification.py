"""What people are told by themselves, for staff; and what everybody wants to be told, for everybody."""

from datetime import datetime

import strawberry

from db import Notification as NotificationRow
from db.notification import NotificationKind, NotificationState
from resolvers import ids
from resolvers.notification import RecipientKind, recipient_kind, staff_id
from schema.build import column, derived, enum, given, input_type, partial_input, required, view
from schema.errors import Payload
from schema.node import Node, public_id

enum(
    NotificationKind,
    "What somebody is told of.",
    ORDER_PLACED="Their order is placed, with a link that opens it.",
    TICKETS_OPENED="The work on their order has begun.",
    ACTION_REQUIRED="A ticket waits for them.",
    PROOF_READY="There is a proof to decide on.",
    MESSAGE_POSTED="The other side has written.",
    DELIVERED="Something has arrived.",
    PAYMENT_RETURNED="Money that came too late goes back.",
    OVERDUE="A ticket is late; for staff.",
)
enum(
    NotificationState,
    "What has become of a notification.",
    QUEUED="It is to be sent.",
    SENT="It was handed over to who carries it.",
    FAILED="The last try failed. It is tried again for a day, unless nobody is reached there.",
    SUPPRESSED="It is not sent; `reason` says why.",
)
enum(
    RecipientKind,
    "Who is told.",
    CUSTOMER="Whoever's order it is, with an account or without.",
    STAFF="A member of staff.",
    ERASED="Somebody who was erased since.",
)


@view(NotificationRow)
class Notification(Node):
    """One event, told to one receiver over one channel. The same is never there twice."""

    id: strawberry.ID = public_id("Notification")
    kind: NotificationKind = column("What it tells of.")
    channel: str = column("What carries it: `email`.")
    state: NotificationState = column("What has become of it.")
    reason: str = column("Why it failed or is not sent; empty otherwise.")
    tries: int = column("How often sending it was begun.")
    recipient_kind: RecipientKind = derived(recipient_kind, "Who is told.")
    staff_id: strawberry.ID | None = derived(staff_id, "The member of staff who is told; null for customers.")
    order_id: strawberry.ID = derived(lambda row: ids.encode("Order", row["order_id"]), "The order that it is about.")
    ticket_id: strawberry.ID | None = derived(
        lambda row: ids.encode("Ticket", row["ticket_id"]) if row["ticket_id"] else None,
        "The ticket, if it is about one.",
    )
    created_at: datetime = column("When it was queued.")
    sent_at: datetime | None = column("When it was sent.")


@input_type
class NotificationFilter:
    """Which notifications. All that is said must be so; what is left out or null says nothing."""

    state: NotificationState | None = given("In this state.")
    kind: NotificationKind | None = given("Of this kind.")
    order_id: strawberry.ID | None = given("About this order.")
    ticket_id: strawberry.ID | None = given("About this ticket.")


@view()
class NotificationPreference:
    """Whether somebody wants to be told of something over a channel."""

    kind: NotificationKind = strawberry.field(description="Of what.")
    channel: str = strawberry.field(description="Over what.")
    enabled: bool = strawberry.field(description="They want it. What nobody said anything about is wanted.")
    required: bool = strawberry.field(description="It is told in any case: it cannot be switched off.")


@view()
class NotificationPreferences:
    """What somebody wants to be told of, and in which language."""

    locale: str | None = strawberry.field(description="BCP 47; null: that of each order, or of the shop.")
    preferences: list[NotificationPreference] = strawberry.field(description="All kinds over all channels.")


@input_type
class NotificationRetryInput:
    """A notification that is to be tried again."""

    notification_id: strawberry.ID = required("One that failed.")


@view()
class NotificationRetryPayload(Payload):
    """A notification that is tried again."""

    notification: Notification | None = strawberry.field(description="As it is now.")


@input_type
class NotificationPreferenceInput:
    """Whether to be told of something over a channel."""

    kind: NotificationKind = required("Of what.")
    channel: str = required("Over what: `email`.")
    enabled: bool = required("Whether it is wanted.")


@partial_input
class NotificationPreferencesSetInput:
    """What is to change; what is left out stays."""

    preferences: list[NotificationPreferenceInput] | None = given("At most 100, each kind and channel once.")
    locale: str | None = given("BCP 47, for example `de` or `de-AT`; null: that of each order, or of the shop.")


@view()
class NotificationPreferencesSetPayload(Payload):
    """What somebody wants to be told of from now on."""

    notification_preferences: NotificationPreferences | None = strawberry.field(description="All that there is.")
