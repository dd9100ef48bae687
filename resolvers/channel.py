"""Sales channels and what is published in them, for staff."""

from typing import Any
from uuid import UUID

from sqlalchemy import false, select, true

from db import Channel, ProductChannel
from domain import channel as channels
from domain.channel import CreateChannel, UpdateChannel
from domain.publication import PRODUCTS
from domain.publishing import Window
from resolvers import ids
from resolvers.batches import one
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort

all_channels = Listed(select(Channel), Sort("channel.id", (Channel.id,)))
channel_by_id = one(select(Channel), Channel.id)
_OF_PRODUCT = select(ProductChannel).join(Channel).order_by(Channel.is_default.desc(), Channel.id)


async def list_channels(ctx: Ctx, args: PageArgs) -> Page:
    return await all_channels.page(ctx, args)


async def find(ctx: Ctx, channel_id: UUID) -> Channel | None:
    """For those who may see all."""
    seen = true() if ctx.actor.may("channels:read") else false()
    return await ctx.read.first(select(Channel).where(Channel.id == channel_id, seen))


async def publications(ctx: Ctx, product_id: str) -> list[ProductChannel]:
    key = ids.decode("Product", product_id, "product_id")
    return await ctx.read.all(_OF_PRODUCT.where(ProductChannel.product_id == key))


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = CreateChannel(given.code, given.name)
    async with ctx.shop.tx() as tx:
        return {"channel": await channels.create(tx, command, ctx.actor)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = UpdateChannel(ids.decode("Channel", given.id, "id"), given.name, given.is_default)
    async with ctx.shop.tx() as tx:
        return {"channel": await channels.change(tx, command, ctx.actor)}


async def archive(ctx: Ctx, given: Any) -> dict[str, Any]:
    channel_id = ids.decode("Channel", given.id, "id")
    async with ctx.shop.tx() as tx:
        return {"channel": await channels.archive(tx, channel_id, ctx.actor)}


async def publish(ctx: Ctx, given: Any) -> dict[str, Any]:
    product_id, channel_id = _named(given)
    window = Window(channel_id, given.published_from, given.published_until)
    async with ctx.shop.tx() as tx:
        return {"publication": await PRODUCTS.publish(tx, product_id, window, ctx.actor)}


async def unpublish(ctx: Ctx, given: Any) -> dict[str, Any]:
    product_id, channel_id = _named(given)
    async with ctx.shop.tx() as tx:
        await PRODUCTS.unpublish(tx, product_id, channel_id, ctx.actor)
    return {"product_id": given.product_id}


def _named(given: Any) -> tuple[UUID, UUID | None]:
    """The product, and the channel; null: the default one."""
    product_id = ids.decode("Product", given.product_id, "product_id")
    return product_id, None if given.channel_id is None else ids.decode("Channel", given.channel_id, "channel_id")
