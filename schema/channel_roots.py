"""What staff read and write about sales channels."""

from typing import Any

import strawberry

from resolvers import channel
from resolvers.context import Ctx
from resolvers.page import Page
from schema import channel as types
from schema.build import arg, mutation, query, view
from schema.node import PAGE_ARGS, Connection, page_args


async def _channels(ctx: Ctx, **args: Any) -> Page:
    return await channel.list_channels(ctx, page_args(**args))


@view()
class ChannelQuery:
    """Reads."""

    channels: Connection[types.Channel] = query(
        _channels, "channels:read", "All sales channels, oldest first. Needs `channels:read`.", **PAGE_ARGS
    )
    product_publications: list[types.ProductPublication] = query(
        channel.publications,
        "channels:read",
        "The sales channels that a product is in, whatever its status. Needs `channels:read`.",
        product_id=arg(strawberry.ID, "Which product."),
    )


@view()
class ChannelMutation:
    """Writes."""

    channel_create: types.ChannelCreatePayload = mutation(
        types.ChannelCreateInput, channel.create, "channels:write", "Makes a sales channel. Needs `channels:write`."
    )
    channel_update: types.ChannelUpdatePayload = mutation(
        types.ChannelUpdateInput, channel.update, "channels:write", "Changes a sales channel. Needs `channels:write`."
    )
    channel_archive: types.ChannelArchivePayload = mutation(
        types.ChannelArchiveInput,
        channel.archive,
        "channels:write",
        "Closes a sales channel for good: nothing is for sale there any more. Needs `channels:write`.",
    )
    product_publish: types.ProductPublishPayload = mutation(
        types.ProductPublishInput,
        channel.publish,
        "products:publish",
        "Publishes a product in a sales channel, for a while or for ever. Needs `products:publish`.",
    )
    product_unpublish: types.ProductUnpublishPayload = mutation(
        types.ProductUnpublishInput,
        channel.unpublish,
        "products:publish",
        "Takes a product out of a sales channel. Needs `products:publish`.",
    )
