"""What is done to tickets: each is one short transaction around one function of the domain."""

from typing import Any
from uuid import UUID

from domain import (
    ticket_board,
    ticket_brief,
    ticket_desk,
    ticket_message,
    ticket_move,
    ticket_proof,
    ticket_split,
    ticket_unread,
)
from domain.refusal import ValidationFailed
from domain.ticket_board import Place
from domain.ticket_brief import SubmitBrief
from domain.ticket_message import Point, PostMessage
from domain.ticket_move import Move, MoveMany
from domain.ticket_proof import DecideProof, UploadProof
from domain.ticket_split import Split
from resolvers import ids
from resolvers.context import Ctx
from resolvers.ticket import proof_by_id, ticket_by_id


def _key(given: Any) -> UUID:
    return ids.decode("Ticket", given.ticket_id, "ticket_id")


async def _shown(ctx: Ctx, key: UUID) -> dict[str, Any]:
    return {"ticket": await ctx.load(ticket_by_id, key)}


async def move(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, command, place = _key(given), None, _place(given)
    if given.to_state is not None:
        command = Move(key, given.to_state, given.if_version, given.note, given.note_visibility)
    elif place is None:
        raise ValidationFailed("Say which state or which place it goes to.", path=("to_state",))
    elif given.note is not None or given.if_version is not None:
        raise ValidationFailed("A place on the board has neither note nor version.", path=("to_state",))
    async with ctx.shop.tx() as tx:
        await ticket_board.move(tx, command, key, place, ctx.actor)
    return await _shown(ctx, key)


def _place(given: Any) -> Place | None:
    before = None if given.before_id is None else ids.decode("Ticket", given.before_id, "before_id")
    behind = None if given.behind_id is None else ids.decode("Ticket", given.behind_id, "behind_id")
    return None if before is None and behind is None and given.end is None else Place(before, behind, given.end)


async def move_many(ctx: Ctx, given: Any) -> dict[str, Any]:
    keys = tuple(ids.decode("Ticket", one, "ticket_ids", str(i)) for i, one in enumerate(given.ticket_ids))
    command = MoveMany(keys, given.to_state, given.note, given.note_visibility)
    async with ctx.shop.tx() as tx:
        await ticket_move.move_many(tx, command, ctx.actor)
    return {"tickets": await ctx.loaded.load_many(ticket_by_id, list(keys))}


async def post_message(ctx: Ctx, given: Any) -> dict[str, Any]:
    files = tuple(ids.decode("File", one, "file_ids", str(i)) for i, one in enumerate(given.file_ids))
    command = PostMessage(_key(given), given.body, given.visibility, files, _point(given.annotates))
    async with ctx.shop.tx() as tx:
        await ticket_message.post_message(tx, command, ctx.actor, ctx.order_access(given.access_token))
    return await _shown(ctx, command.ticket_id)


def _point(given: Any) -> Point | None:
    if given is None:
        return None
    return Point(ids.decode("TicketProof", given.proof_id, "annotates", "proof_id"), given.x, given.y, given.page)


async def submit_brief(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = SubmitBrief(_key(given), given.brief, given.if_version)
    async with ctx.shop.tx() as tx:
        await ticket_brief.submit(tx, command, ctx.actor, ctx.order_access(given.access_token))
    return await _shown(ctx, command.ticket_id)


async def upload_proof(ctx: Ctx, given: Any) -> dict[str, Any]:
    file_id = ids.decode("File", given.file_id, "file_id")
    command = UploadProof(_key(given), file_id, given.note, given.if_version)
    async with ctx.shop.tx() as tx:
        proof_id = await ticket_proof.upload(tx, command, ctx.actor)
    return {**await _shown(ctx, command.ticket_id), "proof": await ctx.load(proof_by_id, proof_id)}


async def decide_proof(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = DecideProof(ids.decode("TicketProof", given.proof_id, "proof_id"), given.decision, given.comment)
    async with ctx.shop.tx() as tx:
        key = await ticket_proof.decide(tx, command, ctx.actor, ctx.order_access(given.access_token))
    return {**await _shown(ctx, key), "proof": await ctx.load(proof_by_id, command.proof_id)}


async def mark_read(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = _key(given)
    async with ctx.shop.tx() as tx:
        await ticket_unread.mark_read(tx, key, given.seq, ctx.actor, ctx.order_access(given.access_token))
    return await _shown(ctx, key)


async def assign(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = _key(given)
    staff_id = None if given.assignee_id is None else ids.decode("Staff", given.assignee_id, "assignee_id")
    async with ctx.shop.tx() as tx:
        await ticket_desk.assign(tx, key, staff_id, ctx.actor)
    return await _shown(ctx, key)


async def set_due(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = _key(given)
    async with ctx.shop.tx() as tx:
        await ticket_desk.set_due(tx, key, given.due_at, ctx.actor)
    return await _shown(ctx, key)


async def set_priority(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = _key(given)
    async with ctx.shop.tx() as tx:
        await ticket_desk.set_priority(tx, key, given.priority, ctx.actor)
    return await _shown(ctx, key)


async def split(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = Split(_key(given), given.quantity, given.if_version)
    async with ctx.shop.tx() as tx:
        made = await ticket_split.split(tx, command, ctx.actor)
    return {**await _shown(ctx, command.ticket_id), "new_ticket": await ctx.load(ticket_by_id, made)}
