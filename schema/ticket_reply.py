"""Canned replies."""

from datetime import datetime

import strawberry

from db import CannedReply as ReplyRow
from schema.build import column, given, input_type, required, view
from schema.errors import Payload
from schema.node import Node, public_id


@view(ReplyRow)
class CannedReply(Node):
    """What staff say often, kept to be said again."""

    id: strawberry.ID = public_id("CannedReply")
    code: str = column("What staff type to find it.")
    title: str = column("What it is about.")
    body: str = column("What is said.")
    updated_at: datetime = column("When it was last changed.")


@input_type
class CannedReplyCreateInput:
    """A new one."""

    code: str = required("Small letters, digits, _ and -, at most 50; unique.")
    title: str = required("At most 100 characters.")
    body: str = required("Up to 10,000 characters.")


@input_type
class CannedReplyUpdateInput:
    """What is null or left out stays as it is."""

    reply_id: strawberry.ID = required("Which one.")
    code: str | None = given("Another code.")
    title: str | None = given("Another title.")
    body: str | None = given("Other words.")


@input_type
class CannedReplyDeleteInput:
    """One that is not said any more."""

    reply_id: strawberry.ID = required("Which one.")


@view()
class CannedReplyCreatePayload(Payload):
    """The reply."""

    reply: CannedReply | None = strawberry.field(description="The reply.")


@view()
class CannedReplyUpdatePayload(Payload):
    """The reply as it is now."""

    reply: CannedReply | None = strawberry.field(description="The reply.")


@view()
class CannedReplyDeletePayload(Payload):
    """What is gone."""

    deleted_reply_id: strawberry.ID | None = strawberry.field(description="Of the reply that is gone.")
