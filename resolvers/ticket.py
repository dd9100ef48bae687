"""Tickets: reading them, and watching one live."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import any_, bindparam, select, text

from db import Staff, Ticket, TicketBrief, TicketEvent, TicketProof, WorkflowState, WorkflowTransition
from db.connection import Read
from db.ticket import Visibility
from db.workflow import ActorKind, StateKind
from domain import ticket as tickets_
from domain.ticket_requirement import RequiredAction
from domain.ticket_unread import reads_as_staff
from engine.batch import Batch
from resolvers import file, ids
from resolvers.audience import SharedItem
from resolvers.batches import grouped, many, one
from resolvers.context import Ctx
from resolvers.request_error import BadUserInput
from resolvers.watch import Watch

AT_ONCE = 100
"""How many events a stream holds in memory: it reads the next ones when its client has taken these."""

ticket_by_id = one(select(Ticket), Ticket.id)
all_tickets_of_order = many(select(Ticket).order_by(Ticket.id), Ticket.order_id)
proofs_of_ticket = many(select(TicketProof).order_by(TicketProof.version), TicketProof.ticket_id)
proof_by_id = one(select(TicketProof), TicketProof.id)
briefs_of_ticket = many(select(TicketBrief).order_by(TicketBrief.version), TicketBrief.ticket_id)
_staff_by_id = one(select(Staff.id, Staff.name), Staff.id)


async def _names(ctx: Ctx, keys: list[UUID]) -> list[Any]:
    return [None if row is None else row["name"] for row in await ctx.loaded.load_many(_staff_by_id, keys)]


name_of_staff = Batch("name of staff", _names)
colleague_by_id = _staff_by_id


async def _files(ctx: Ctx, keys: list[tuple[str, ...]]) -> list[Any]:
    """Files of messages; keys are their ids as JSON has them."""
    wanted = list(dict.fromkeys(UUID(key) for listed in keys for key in listed))
    rows = await ctx.loaded.load_many(file.file_by_id, wanted) if wanted else []
    by_id = dict(zip(wanted, rows, strict=True))
    return [[row for key in listed if (row := by_id[UUID(key)]) is not None] for listed in keys]


files_by_ids = Batch("files by ids", _files)


async def _files_of_ticket(ctx: Ctx, keys: list[UUID]) -> list[Any]:
    found = await ctx.loaded.load_many(file.files_of_ticket, keys)
    if sees_internal(ctx):
        return found
    return [[row for row in rows if row["visibility"] == Visibility.PUBLIC] for rows in found]


files_of_ticket = Batch("files of ticket for the caller", _files_of_ticket)


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


_WAITING: Final = text(
    """
    SELECT ticket.id, ticket.brief_complete, proof.id AS proof_id, proof.decision
    FROM ticket JOIN workflow_state AS state ON state.workflow_id = ticket.workflow_id AND state.code = ticket.state
    LEFT JOIN LATERAL (
        SELECT id, decision FROM ticket_proof WHERE ticket_id = ticket.id ORDER BY version DESC LIMIT 1
    ) AS proof ON true
    WHERE ticket.id = ANY(:keys) AND state.kind = 'waiting_customer'
    """
)


async def _required_actions(ctx: Ctx, keys: list[UUID]) -> list[Any]:
    found = {row.id: _required(row) for row in await ctx.read.records(_WAITING, keys=keys)}
    return [found.get(key) for key in keys]


def _required(row: Any) -> dict[str, Any]:
    if not row.brief_complete:
        return {"kind": RequiredAction.SUBMIT_BRIEF, "proof_id": None}
    if row.proof_id is not None and row.decision is None:
        return {"kind": RequiredAction.DECIDE_PROOF, "proof_id": row.proof_id}
    return {"kind": RequiredAction.REPLY, "proof_id": None}


required_action = Batch("required action", _required_actions)
_UNREAD_BY_CUSTOMER: Final = text(
    """
    SELECT ticket.id, count(*) AS unread FROM ticket JOIN ticket_event AS event ON event.ticket_id = ticket.id
    WHERE ticket.id = ANY(:keys) AND event.seq > ticket.customer_read_seq AND event.visibility = 'public'
      AND event.actor_kind <> 'customer' AND event.kind <> 'opened'
    GROUP BY ticket.id
    """
)
_UNREAD_BY_STAFF: Final = text(
    """
    SELECT event.ticket_id AS id, count(*) AS unread
    FROM ticket_event AS event
    LEFT JOIN ticket_staff_read AS done ON done.ticket_id = event.ticket_id AND done.staff_id = :me
    WHERE event.ticket_id = ANY(:keys) AND event.seq > coalesce(done.seq, 0)
      AND event.kind NOT IN ('opened', 'ranked') AND event.actor_id IS DISTINCT FROM :me
    GROUP BY event.ticket_id
    """
)


async def _unread(ctx: Ctx, keys: list[UUID]) -> list[int]:
    """By who asks: a member of staff for themselves, a customer; programs read nothing."""
    if reads_as_staff(ctx.actor):
        rows = await ctx.read.records(_UNREAD_BY_STAFF, keys=keys, me=ctx.actor.id)
    elif ctx.actor.kind == ActorKind.CUSTOMER:
        rows = await ctx.read.records(_UNREAD_BY_CUSTOMER, keys=keys)
    else:
        rows = []
    found = {row.id: row.unread for row in rows}
    return [found.get(key, 0) for key in keys]


unread_of_ticket = Batch("unread of ticket", _unread)
_DESK: Final = select(
    *Ticket.__table__.c,
    (
        ((WorkflowState.kind == StateKind.OPEN) | (WorkflowState.kind == StateKind.WAITING_CUSTOMER))
        & (
            (Ticket.state_due_at <= text("clock_timestamp()")).is_(True)
            | (Ticket.due_at <= text("clock_timestamp()")).is_(True)
        )
    ).label("overdue"),
).join(WorkflowState, (WorkflowState.workflow_id == Ticket.workflow_id) & (WorkflowState.code == Ticket.state))
_desk_by_id = one(_DESK, Ticket.id)


async def _desk(ctx: Ctx, keys: list[UUID]) -> list[Any]:
    """What staff organise among themselves; nothing for anybody else."""
    if not (ctx.actor.may("tickets:read") or ctx.actor.may("tickets:write")):
        return [None for _ in keys]
    return await ctx.loaded.load_many(_desk_by_id, keys)


desk_of_ticket = Batch("desk of ticket", _desk)
EVENT_TYPES: Final = {
    "opened": "TicketOpened",
    "moved": "TicketMoved",
    "message": "TicketMessagePosted",
    "brief": "TicketBriefSubmitted",
    "proof_uploaded": "TicketProofUploaded",
    "proof_decided": "TicketProofDecided",
    "approval_withdrawn": "TicketApprovalWithdrawn",
    "assigned": "TicketAssigned",
    "due": "TicketDueSet",
    "priority": "TicketPrioritySet",
    "ranked": "TicketRanked",
    "split": "TicketSplit",
    "quantity": "TicketQuantityChanged",
    "shipped": "TicketShipped",
    "delivered": "TicketDelivered",
    "overdue": "TicketBecameOverdue",
}


def event_item(row: Any) -> dict[str, Any]:
    """An event of a history, told apart by its kind."""
    return {"__typename": EVENT_TYPES[row.kind], **row, **{f"data_{name}": value for name, value in row.data.items()}}


async def ticket(ctx: Ctx, ticket_id: str, access_token: str | None) -> Ticket | None:
    return await tickets_.find(
        ctx.read, ids.decode("Ticket", ticket_id, "id"), ctx.actor, ctx.order_access(access_token)
    )


_OF_PROOF: Final = (
    select(TicketProof).join(Ticket, Ticket.id == TicketProof.ticket_id).where(TicketProof.id == bindparam("proof_id"))
)


async def find_proof(ctx: Ctx, key: UUID) -> TicketProof | None:
    theirs = tickets_.visible_to(ctx.actor, ctx.order_access(None))
    return await ctx.read.first(_OF_PROOF.where(theirs), proof_id=key)


NOT_READ: Final = "This ticket may no longer be read."


async def ticket_events(
    ctx: Ctx, ticket_id: str, access_token: str | None, after_seq: int | None
) -> AsyncGenerator[dict[str, Any]]:
    """The state now (unless the caller says what it has seen), then every change once and in order."""
    key, access = ids.decode("Ticket", ticket_id, "ticketId"), ctx.order_access(access_token)
    watch = Watch(ctx, resume="seq")
    async with ctx.live.listen(f"ticket:{key}", watch), ctx.live.watches.watching(watch):
        found = await tickets_.find(ctx.read, key, ctx.actor, access)
        if found is None:
            raise BadUserInput("There is no such ticket, or it is not yours.", "ticketId")
        watch.of("tickets:read", found.order_id, access, NOT_READ)
        if after_seq is not None and not 0 <= after_seq <= found.last_seq:
            yield {"__typename": "ResyncRequired", "seq": found.last_seq}
            return
        seen = after_seq
        if seen is None:
            seen = found.last_seq
            yield {"__typename": "TicketSnapshot", "seq": seen, "ticket": found}
        del found  # a stream that waits does not hold what it has told
        while True:
            permissions = ctx.actor.permissions
            changes = await _changes(ctx, key, seen)
            if not changes:
                await ctx.live.watches.still(watch)
            for change in changes:
                # After the reading: what was written since they lost access would else be told.
                await ctx.live.watches.still(watch)
                if ctx.actor.permissions != permissions:
                    break  # they may see more or less of it now: it is read anew
                ctx.loaded.clear()
                seen = change["seq"]
                yield change
                del change
            is_behind = len(changes) == AT_ONCE or ctx.actor.permissions != permissions
            del changes
            if not is_behind:
                await watch.wait()


async def _changes(ctx: Ctx, key: UUID, seen: int) -> Sequence[SharedItem]:
    """The next of what came after `seq`: one reading, and one item each, for all who ask for them at this moment."""

    async def load(read: Read, asked: list[tuple[UUID, int, bool]]) -> dict[Any, Any]:
        keys = {"tickets": [one for one, _, _ in asked], "seqs": [seq for _, seq, _ in asked]}
        rows = await read.records(_AFTER, **keys, internal=[internal for _, _, internal in asked], most=AT_ONCE)
        found: dict[Any, list[SharedItem]] = {}
        for row in rows:
            found.setdefault(asked[row.n - 1], []).append(_change(row))
        return found

    return await ctx.live.asked("events of tickets", load)((key, seen, sees_internal(ctx))) or ()


def _change(row: Any) -> SharedItem:
    event = event_item(row)
    return SharedItem({"__typename": "TicketChange", "seq": row.seq, "event": event, "ticket_id": row.ticket_id})


_AFTER: Final = text(
    """
    SELECT key.n, event.* FROM unnest(CAST(:tickets AS uuid[]), CAST(:seqs AS int[]), CAST(:internal AS boolean[]))
        WITH ORDINALITY AS key (ticket_id, seq, internal, n)
    CROSS JOIN LATERAL (
        SELECT * FROM ticket_event WHERE ticket_id = key.ticket_id AND seq > key.seq
          AND (key.internal OR visibility = 'public')
        ORDER BY seq LIMIT :most
    ) AS event ORDER BY key.n, event.seq
    """
)
