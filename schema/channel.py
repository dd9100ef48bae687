"""Sales channels, and from when until when products are published in them."""

from datetime import datetime

import strawberry

from db import Channel as Row
from db import ProductChannel
from resolvers import channel, ids
from schema.build import column, derived, given, input_type, loads, required, view
from schema.errors import Payload
from schema.node import Node, public_id

BY_DEFAULT = "Without it, the default one."


@view(Row)
class Channel(Node):
    """A way in which the shop sells. Choose one by `@inContext(channel:)`; a publishable API key chooses its own.

    What is not published in a channel is not seen there. That is no secret: whoever knows its id may choose it.
    """

    id: strawberry.ID = public_id("Channel")
    code: str = column("Short name, unique: `web-eu`.")
    name: str = column("For people.")
    is_default: bool = column("Used when nothing else is asked for.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("Since when nothing is sold there any more.")


@view(ProductChannel)
class ProductPublication:
    """That a product is in a sales channel. It is seen there within the window, while its status is published."""

    product_id: strawberry.ID = derived(lambda row: ids.encode("Product", row["product_id"]), "The product.")
    channel: Channel = loads(channel.channel_by_id, "channel_id", "Where.")
    published_from: datetime | None = column("From when on; null: since ever.")
    published_until: datetime | None = column("Until when, that moment not included; null: for ever.")


@input_type
class ChannelCreateInput:
    """A new sales channel. Products are in it once they are published there."""

    code: str = required("Unique: small letters, digits and hyphens. It stays.")
    name: str = required("For people, at most 100 characters.")


@input_type
class ChannelUpdateInput:
    """A sales channel that is to be another; what is left out stays."""

    id: strawberry.ID = required("Which one.")
    name: str | None = given("For people, at most 100 characters.")
    is_default: bool | None = given("`true`: it becomes the default one, in place of that which is.")


@input_type
class ChannelArchiveInput:
    """A sales channel in which nothing shall be sold any more."""

    id: strawberry.ID = required("Which one; never the default one.")


@input_type
class ProductPublishInput:
    """A product for a sales channel, or another window for one that is there."""

    product_id: strawberry.ID = required("Which product.")
    channel_id: strawberry.ID | None = given(f"Where. {BY_DEFAULT}")
    published_from: datetime | None = given("From when on. Without it, at once.")
    published_until: datetime | None = given("Until when, that moment not included. Without it, for ever.")


@input_type
class ProductUnpublishInput:
    """A product that is to be in a sales channel no more."""

    product_id: strawberry.ID = required("Which product.")
    channel_id: strawberry.ID | None = given(f"Where. {BY_DEFAULT}")


@view()
class ChannelCreatePayload(Payload):
    """A new channel."""

    channel: Channel | None = strawberry.field(description="The channel.")


@view()
class ChannelUpdatePayload(Payload):
    """A channel as it is now."""

    channel: Channel | None = strawberry.field(description="The channel.")


@view()
class ChannelArchivePayload(Payload):
    """A channel as it was last."""

    channel: Channel | None = strawberry.field(description="The channel.")


@view()
class ProductPublishPayload(Payload):
    """Where and when the product is for sale."""

    publication: ProductPublication | None = strawberry.field(description="The channel with the window.")


@view()
class ProductUnpublishPayload(Payload):
    """The product is not in the channel."""

    product_id: strawberry.ID | None = strawberry.field(description="Which product.")
