"""Lists of tickets: the board of staff with its columns, filtered pages, and the tickets of a customer."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Integer,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db import Order, OrderLine, Ticket, TicketEvent, TicketStaffRead, Workflow, WorkflowState
from db.connection import Read
from db.ticket import TicketEventKind, TicketPriority
from db.workflow import StateKind
from domain.event_log import GENERATION, SEEN
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import connected
from resolvers.context import Ctx
from resolvers.customer import shown_to
from resolvers.page import Listed, Page, PageArgs, Sort, page_of
from resolvers.request_error import BadUserInput

MOST_IN_COLUMN: Final = 100
ENDED_SINCE: Final = text("clock_timestamp() - make_interval(days => 14)")
"""What was done or cancelled before is not on the board; lists have it."""
NOW: Final = text("clock_timestamp()")


class TicketSort(StrEnum):
    OLDEST = "oldest"
    RANK = "rank"


SORTS: Final = {
    TicketSort.OLDEST: Sort("ticket.id", (Ticket.id,)),
    TicketSort.RANK: Sort("ticket.rank", (Ticket.rank,)),
}
RUNNING: Final = (WorkflowState.kind == StateKind.OPEN) | (WorkflowState.kind == StateKind.WAITING_CUSTOMER)
LATE: Final = RUNNING & ((Ticket.state_due_at <= NOW).is_(True) | (Ticket.due_at <= NOW).is_(True))
_UNREAD: Final = (
    select(TicketEvent.seq)
    .outerjoin(
        TicketStaffRead,
        (TicketStaffRead.ticket_id == TicketEvent.ticket_id)
        & (TicketStaffRead.staff_id == bindparam("me", type_=Uuid)),
    )
    .where(
        TicketEvent.ticket_id == Ticket.id,
        TicketEvent.seq > func.coalesce(TicketStaffRead.seq, 0),
        TicketEvent.kind != TicketEventKind.OPENED,
        TicketEvent.kind != TicketEventKind.RANKED,
        TicketEvent.actor_id.is_distinct_from(bindparam("me", type_=Uuid)),
    )
    .exists()
)


def _unless(name: str, type_: Any, condition: Any) -> Any:
    """The condition, where the parameter is given."""
    return cast(bindparam(name, type_=type_), type_).is_(None) | condition


def _given(name: str, type_: Any) -> Any:
    return cast(bindparam(name, type_=type_), type_)


def _found() -> Any:
    words = _given("search", Text())
    return or_(
        cast(Order.number, Text) == words,
        Order.email.op("^@", is_comparison=True)(func.lower(words)),
        func.strpos(func.lower(OrderLine.title), func.lower(words), type_=Integer) > 0,
    )


_CONDITIONS: Final = (
    _unless("workflow", Text(), Workflow.code == _given("workflow", Text())),
    _unless("state", Text(), Ticket.state == _given("state", Text())),
    _unless("assignee", Uuid(), Ticket.assignee_id == _given("assignee", Uuid())),
    _unless("unassigned", Boolean(), Ticket.assignee_id.is_(None) == _given("unassigned", Boolean())),
    _unless("priority", Text(), Ticket.priority == _given("priority", Text())),
    _unless("overdue", Boolean(), _given("overdue", Boolean()) == LATE),
    _unless("waiting", Boolean(), (WorkflowState.kind == StateKind.WAITING_CUSTOMER) == _given("waiting", Boolean())),
    _unless("unread", Boolean(), _given("unread", Boolean()) == _UNREAD),
    _unless("order_id", Uuid(), Ticket.order_id == _given("order_id", Uuid())),
    _unless("search", Text(), _found()),
)
_JOINED: Final = (
    select(Ticket)
    .join(WorkflowState, (WorkflowState.workflow_id == Ticket.workflow_id) & (WorkflowState.code == Ticket.state))
    .join(Workflow, Workflow.id == Ticket.workflow_id)
    .join(Order, Order.id == Ticket.order_id)
    .join(OrderLine, OrderLine.id == Ticket.order_line_id)
    .where(*_CONDITIONS)
)
_plain: Final = {sort: Listed(select(Ticket), by) for sort, by in SORTS.items()}
_in_state: Final = {
    sort: Listed(select(Ticket).where(Ticket.state == bindparam("state")), by) for sort, by in SORTS.items()
}
_filtered: Final = {sort: Listed(_JOINED, by) for sort, by in SORTS.items()}
NAMES: Final = (
    "workflow",
    "state",
    "assignee",
    "unassigned",
    "priority",
    "overdue",
    "waiting",
    "unread",
    "order_id",
    "search",
)


async def tickets(ctx: Ctx, args: PageArgs, state: str | None, filter_: Any, sort: TicketSort) -> Page:
    """The filter's statement is asked for only where there is one, as most pages are of everything."""
    if filter_ is not None:
        return await _filtered[sort].page(ctx, args, **_parameters(ctx, filter_, state))
    if state is not None:
        return await _in_state[sort].page(ctx, args, state=state)
    return await _plain[sort].page(ctx, args)


def _parameters(ctx: Ctx, filter_: Any, state: str | None) -> dict[str, Any]:
    """What the filter says; null of what it does not."""
    none: dict[str, Any] = {**dict.fromkeys(NAMES), "me": ctx.actor.id, "state": state}
    if filter_ is None:
        return none
    words = filter_.search.strip() if filter_.search else None
    return {
        **none,
        "workflow": filter_.workflow,
        "assignee": _key("Staff", filter_.assignee_id, "assignee_id"),
        "unassigned": filter_.unassigned,
        "priority": None if filter_.priority is None else TicketPriority(filter_.priority),
        "overdue": filter_.overdue,
        "waiting": filter_.requires_action,
        "unread": filter_.unread,
        "order_id": _key("Order", filter_.order_id, "order_id"),
        "search": words or None,
    }


def _key(kind: str, public: str | None, name: str) -> UUID | None:
    return None if public is None else ids.decode(kind, public, "filter", name)


_COLUMNS: Final = text(
    """
    SELECT state.*, newest.version = newest.latest AS is_current FROM (
        SELECT DISTINCT ON (state.code) state.workflow_id, state.code, workflow.version,
            max(workflow.version) OVER () AS latest
        FROM workflow JOIN workflow_state AS state ON state.workflow_id = workflow.id
        WHERE workflow.code = :workflow ORDER BY state.code, workflow.version DESC
    ) AS newest
    JOIN workflow_state AS state ON state.workflow_id = newest.workflow_id AND state.code = newest.code
    ORDER BY newest.version < newest.latest, state.position, state.code
    """
)
_ON_BOARD: Final = (
    _JOINED.with_only_columns(
        *Ticket.__table__.c,
        func.row_number().over(partition_by=Ticket.state, order_by=Ticket.rank).label("place"),
        func.count().over(partition_by=Ticket.state).label("in_column"),
        func.count().filter(LATE).over(partition_by=Ticket.state).label("late_in_column"),
    )
    .where(RUNNING | (Ticket.state_since > ENDED_SINCE))
    .subquery()
)
_BOARD: Final = (
    select(_ON_BOARD)
    .where(_ON_BOARD.c.place <= bindparam("per_column", type_=Integer))
    .order_by(_ON_BOARD.c.state, _ON_BOARD.c.place)
)


# One row at least, so that what else was asked for is there when no ticket is.
_ONE: Final = select(literal(1).label("one")).subquery()
_SHOWN: Final = _BOARD.subquery()
_LIVE: Final = (
    select(SEEN, GENERATION, _SHOWN)
    .select_from(_ONE.outerjoin(_SHOWN, true()))
    .order_by(_SHOWN.c.state, _SHOWN.c.place)
)


async def board(ctx: Ctx, workflow: str, filter_: Any, per_column: int) -> dict[str, Any] | None:
    """Null without such a workflow. States of earlier versions are shown while tickets are in them."""
    return await _board(ctx, _BOARD, workflow, filter_, per_column)


async def live_board(ctx: Ctx, workflow: str, filter_: Any, per_column: int) -> dict[str, Any] | None:
    """The same, with a row (`read`) that says what the reading of its tickets saw."""
    return await _board(ctx, _LIVE, workflow, filter_, per_column)


async def _board(ctx: Ctx, statement: Any, workflow: str, filter_: Any, per_column: int) -> dict[str, Any] | None:
    if not 1 <= per_column <= MOST_IN_COLUMN:
        raise BadUserInput(f"A column shows 1 to {MOST_IN_COLUMN} tickets.", "perColumn")
    states = await ctx.read.records(_COLUMNS, workflow=workflow)
    if not states:
        return None
    given = {**_parameters(ctx, filter_, None), "workflow": workflow, "per_column": per_column}
    shown: dict[str, list[Any]] = {}
    rows = await ctx.read.records(statement, **given)
    for row in rows:
        if row.id is not None:
            shown.setdefault(row.state, []).append(row)
    columns = [_column(state, shown.get(state.code, [])) for state in states if state.is_current or state.code in shown]
    return {"workflow": workflow, "columns": columns, "read": rows[0] if rows else None}


_FITTING: Final = _JOINED.with_only_columns(Ticket.id).where(
    Ticket.id == any_(bindparam("tickets", type_=ARRAY(Uuid))), RUNNING | (Ticket.state_since > ENDED_SINCE)
)


def asked_for(ctx: Ctx, workflow: str, filter_: Any) -> dict[str, Any]:
    """What a board is of, as `fits` takes it."""
    return {**_parameters(ctx, filter_, None), "workflow": workflow}


async def fits(ctx: Ctx, ticket_id: UUID, wanted: Mapping[str, Any]) -> bool:
    """Whether the ticket is on such a board now; asked together with all streams that ask at this moment.

    What is unread is so for somebody; all else is the same for whoever asks for it.
    """
    of_whom = wanted["me"] if wanted["unread"] is not None else None
    key = tuple({**wanted, "me": of_whom}.items())

    async def load(read: Read, asked: list[tuple[Any, UUID]]) -> dict[Any, bool]:
        found: dict[Any, bool] = {}
        for given in {given for given, _ in asked}:
            tickets = [one for of, one in asked if of == given]
            on_it = await read.scalars(_FITTING, tickets=tickets, **dict(given))
            found |= {(given, one): True for one in on_it}
        return found

    return bool(await ctx.live.asked("tickets on a board", load)((key, ticket_id)))


def _column(state: Any, rows: list[Any]) -> dict[str, Any]:
    counts = (rows[0].in_column, rows[0].late_in_column) if rows else (0, 0)
    return {"state": state, "tickets": rows, "count": counts[0], "overdue_count": counts[1]}


_OWNED: Final = (
    select(*Ticket.__table__.c, Order.customer_id)
    .join(Order, Order.id == Ticket.order_id)
    .join(WorkflowState, (WorkflowState.workflow_id == Ticket.workflow_id) & (WorkflowState.code == Ticket.state))
)
_WAITING: Final = WorkflowState.kind == StateKind.WAITING_CUSTOMER
_owned: Final = {
    wanted: connected(_OWNED.where(condition), Order.customer_id, SORTS[TicketSort.OLDEST])
    for wanted, condition in ((None, true()), (True, _WAITING), (False, ~_WAITING))
}


async def _of_customers(ctx: Ctx, keys: list[tuple[UUID, PageArgs, bool | None]]) -> list[Page]:
    pages: dict[Any, Page] = {}
    for wanted, batch in _owned.items():
        asked = [key for key in keys if key[2] is wanted]
        if asked:
            found = await batch.load(ctx, [(owner, args) for owner, args, _ in asked])
            pages |= dict(zip(asked, found, strict=True))
    return [pages[key] for key in keys]


async def _nothing() -> int:
    return 0


tickets_of_customer = shown_to(
    "tickets:read",
    Batch("tickets of customer", _of_customers),
    owner=lambda key: key[0],
    none=lambda: page_of([], SORTS[TicketSort.OLDEST], PageArgs(), _nothing),
)
_UNREAD_OF_CUSTOMERS: Final = text(
    """
    SELECT "order".customer_id AS id, count(*) AS unread
    FROM "order" JOIN ticket ON ticket.order_id = "order".id
    JOIN ticket_event AS event ON event.ticket_id = ticket.id
    WHERE "order".customer_id = ANY(:keys) AND event.seq > ticket.customer_read_seq AND event.visibility = 'public'
      AND event.actor_kind <> 'customer' AND event.kind <> 'opened'
    GROUP BY "order".customer_id
    """
)


async def _unread_of_customers(ctx: Ctx, keys: list[UUID]) -> list[int]:
    found = {row.id: row.unread for row in await ctx.read.records(_UNREAD_OF_CUSTOMERS, keys=keys)}
    return [found.get(key, 0) for key in keys]


unread_of_customer = shown_to("tickets:read", Batch("unread of customer", _unread_of_customers), none=lambda: 0)
