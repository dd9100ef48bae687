"""API keys: made, rotated, revoked and listed by those who may."""

from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from db import ApiKey, Channel
from domain import api_key as api_keys
from domain.api_key import CreateApiKey, Made, RotateApiKey
from domain.refusal import gathered
from engine.batch import Batch
from resolvers import ids
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort


async def _channels(ctx: Ctx, keys: list[tuple[UUID, ...]]) -> list[Any]:
    named = sorted({channel for channels in keys for channel in channels})
    by_id = {row.id: row for row in await ctx.read.all(_CHANNELS, channels=named)}
    return [[by_id[channel] for channel in channels] for channels in keys]


_CHANNELS = select(Channel).where(Channel.id == any_(bindparam("channels", type_=ARRAY(Uuid))))
channels_of_key = Batch("channels of key", _channels)
all_keys = Listed(select(ApiKey), Sort("api_key.id", (ApiKey.id,)))


async def keys(ctx: Ctx, args: PageArgs) -> Page:
    return await all_keys.page(ctx, args)


async def find(ctx: Ctx, key_id: UUID) -> ApiKey | None:
    """For those who may see all."""
    visible = true() if ctx.actor.may("api_keys:read") else ~true()
    return await ctx.read.first(select(ApiKey).where(ApiKey.id == key_id, visible))


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    channels = [
        (("channel_ids", str(i)), lambda public_id=public_id: ids.decode("Channel", public_id))
        for i, public_id in enumerate(given.channel_ids)
    ]
    command = CreateApiKey(given.kind, given.name, tuple(given.scopes), given.expires_at, tuple(gathered(channels)))
    async with ctx.shop.tx() as tx:
        return _shown_once(await api_keys.create(tx, command, ctx.actor))


async def rotate(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = RotateApiKey(ids.decode("ApiKey", given.id, "id"), given.overlap_hours)
    async with ctx.shop.tx() as tx:
        return _shown_once(await api_keys.rotate(tx, command, ctx.actor))


async def revoke(ctx: Ctx, given: Any) -> dict[str, Any]:
    key_id = ids.decode("ApiKey", given.id, "id")
    async with ctx.shop.tx() as tx:
        return {"api_key": await api_keys.revoke(tx, key_id, ctx.actor)}


def _shown_once(made: Made) -> dict[str, Any]:
    return {"api_key": made.row, "key": made.key}
