"""Canned replies."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from db import CannedReply
from domain import ticket_reply
from domain.ticket_reply import ReplyDraft
from resolvers import ids
from resolvers.batches import one
from resolvers.context import Ctx

reply_by_id = one(select(CannedReply), CannedReply.id)
_ALL: Final = select(CannedReply).order_by(CannedReply.code)


async def replies(ctx: Ctx) -> Any:
    return await ctx.read.all(_ALL)


async def find(ctx: Ctx, key: UUID) -> Any:
    """For staff who see tickets."""
    return await ctx.load(reply_by_id, key) if ctx.actor.may("tickets:read") else None


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    draft = ReplyDraft(given.code, given.title, given.body)
    async with ctx.shop.tx() as tx:
        key = await ticket_reply.create(tx, draft, ctx.actor)
    return {"reply": await ctx.load(reply_by_id, key)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, draft = ids.decode("CannedReply", given.reply_id, "reply_id"), ReplyDraft(given.code, given.title, given.body)
    async with ctx.shop.tx() as tx:
        await ticket_reply.change(tx, key, draft, ctx.actor)
    return {"reply": await ctx.load(reply_by_id, key)}


async def remove(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("CannedReply", given.reply_id, "reply_id")
    async with ctx.shop.tx() as tx:
        await ticket_reply.remove(tx, key, ctx.actor)
    return {"deleted_reply_id": given.reply_id}
