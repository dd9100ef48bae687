"""Tickets: reading, moving, writing on them, and watching one live."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import any_, bindparam, select

from db import Ticket, TicketEvent, WorkflowState, WorkflowTransition
from db.ticket import Visibility
from db.workflow import ActorKind
from domain import ticket as tickets_
from domain.actor import OrderAccess
from domain.ticket import Move, PostMessage
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import grouped, many, one
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort
from resolvers.request_error import BadUserInput, Unauthenticated
from resolvers.session import check_still, seconds_left

BY_ID = Sort("ticket.id", (Ticket.id,))
CHECK_EVERY = 5.0
"""Seconds after which a stream looks by itself whether it may still be read."""
AT_ONCE = 100
"""How many events a stream holds in memory: it reads the next ones when its client has taken these."""

all_tickets = Listed(select(Ticket), BY_ID)
tickets_in = Listed(select(Ticket).where(Ticket.state == bindparam("state")), BY_ID)
ticket_by_id = one(select(Ticket), Ticket.id)
all_tickets_of_order = many(select(Ticket).order_by(Ticket.id), Ticket.order_id)


async def _tickets_of_order(ctx: Ctx, keys: list[UUID]) -> list[Any]:
    """Who may see an order sees its tickets; staff need the permission for tickets too."""
    if ctx.actor.kind == ActorKind.STAFF and not ctx.actor.may("tickets:read"):
        return [[] for _ in keys]
    return await ctx.loaded.load_many(all_tickets_of_order, keys)


tickets_of_order = Batch("tickets of order", _tickets_of_order)


async def _states(ctx: Ctx, keys: list[tuple[UUID, str]]) -> list[Any]:
    """Keys are (workflow, state code)."""
    rows = await ctx.read.all(
        select(WorkflowState).where(WorkflowState.workflow_id == any_(cast(Any, [k[0] for k in keys])))
    )
    by_key = {(row.workflow_id, row.code): row for row in rows}
    return [by_key[k] for k in keys]


async def _next_states(ctx: Ctx, keys: list[tuple[UUID, str]]) -> list[Any]:
    """Where the caller may move tickets of (workflow, state) to; nowhere, for most."""
    if not ctx.actor.may("tickets:write"):
        return [[] for _ in keys]
    of_state = (WorkflowState.workflow_id == WorkflowTransition.workflow_id) & (
        WorkflowState.code == WorkflowTransition.to_state
    )
    rows = await ctx.read.records(
        select(WorkflowTransition.from_state, *WorkflowState.__table__.c)
        .join(WorkflowState, of_state)
        .where(WorkflowTransition.workflow_id == any_(cast(Any, [k[0] for k in keys])))
        .where(WorkflowTransition.who == ctx.actor.kind)
        .order_by(WorkflowState.position)
    )
    return [[row for row in rows if (row.workflow_id, row.from_state) == key] for key in keys]


async def _events(ctx: Ctx, keys: list[tuple[UUID, int]]) -> list[Any]:
    """Histories; keys are (ticket, after)."""
    least = min(after for _, after in keys)
    ticket_ids = [ticket_id for ticket_id, _ in keys]
    statement = select(TicketEvent).where(TicketEvent.ticket_id == any_(cast(Any, ticket_ids)), TicketEvent.seq > least)
    if not sees_internal(ctx):
        statement = statement.where(TicketEvent.visibility == Visibility.PUBLIC)
    rows = await ctx.read.records(statement.order_by(TicketEvent.ticket_id, TicketEvent.seq))
    histories = grouped([event_item(row) for row in rows], "ticket_id", ticket_ids)
    return [[e for e in history if e["seq"] > after] for history, (_, after) in zip(histories, keys, strict=True)]


state_of_ticket = Batch("state of ticket", _states)
next_states = Batch("next states", _next_states)
history_of_ticket = Batch("history of ticket", _events)


def sees_internal(ctx: Ctx) -> bool:
    return ctx.actor.may("tickets:read")


EVENT_TYPES = {"opened": "TicketOpened", "moved": "TicketMoved", "message": "TicketMessagePosted"}


def event_item(row: Any) -> dict[str, Any]:
    """An event of a history, told apart by its kind."""
    return {"__typename": EVENT_TYPES[row.kind], **row, **{f"data_{name}": value for name, value in row.data.items()}}


async def ticket(ctx: Ctx, ticket_id: str, access_token: str | None) -> Ticket | None:
    return await tickets_.find(
        ctx.read, ids.decode("Ticket", ticket_id, "id"), ctx.actor, ctx.order_access(access_token)
    )


async def tickets(ctx: Ctx, args: PageArgs, state: str | None) -> Page:
    return await all_tickets.page(ctx, args) if state is None else await tickets_in.page(ctx, args, state=state)


async def move(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = Move(ids.decode("Ticket", given.ticket_id, "ticket_id"), given.to_state, given.if_version)
    async with ctx.shop.tx() as tx:
        await tickets_.move(tx, command, ctx.actor)
    return {"ticket": await ctx.load(ticket_by_id, command.ticket_id)}


async def post_message(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = PostMessage(ids.decode("Ticket", given.ticket_id, "ticket_id"), given.body, given.visibility)
    async with ctx.shop.tx() as tx:
        await tickets_.post_message(tx, command, ctx.actor, ctx.order_access(given.access_token))
    return {"ticket": await ctx.load(ticket_by_id, command.ticket_id)}


async def ticket_events(
    ctx: Ctx, ticket_id: str, access_token: str | None, after_seq: int | None
) -> AsyncGenerator[dict[str, Any]]:
    """The state now (unless the caller says what it has seen), then every change once and in order."""
    key, access = ids.decode("Ticket", ticket_id, "ticketId"), ctx.order_access(access_token)
    async with ctx.live.listen(f"ticket:{key}") as wakes:
        found = await tickets_.find(ctx.read, key, ctx.actor, access)
        if found is None:
            raise BadUserInput("There is no such ticket, or it is not yours.", "ticketId")
        if after_seq is not None and not 0 <= after_seq <= found.last_seq:
            yield {"__typename": "ResyncRequired", "seq": found.last_seq}
            return
        seen = after_seq
        if seen is None:
            seen = found.last_seq
            yield {"__typename": "TicketSnapshot", "seq": seen, "ticket": found}
        while True:
            changes = await _changes(ctx, key, access, seen)
            for event in changes:
                seconds_left(ctx)
                ctx.loaded.clear()
                seen = event.seq
                yield {"__typename": "TicketChange", "seq": seen, "event": event_item(event), "ticket_id": key}
            if len(changes) < AT_ONCE:
                await wakes.wait(min(CHECK_EVERY, seconds_left(ctx)))


async def _changes(ctx: Ctx, key: UUID, access: OrderAccess | None, seen: int) -> Sequence[TicketEvent]:
    """The next of what came after `seen`; asks anew each time whether the caller may still read the ticket."""
    await check_still(ctx)
    now = await tickets_.find(ctx.read, key, ctx.actor, access)
    if now is None:
        raise Unauthenticated("This ticket may no longer be read.")
    if now.last_seq == seen:
        return ()
    return await tickets_.history(ctx.read, key, seen, internal=sees_internal(ctx), most=AT_ONCE)
