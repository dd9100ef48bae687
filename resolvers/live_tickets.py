"""Many tickets, live: a customer's own, and the board of staff."""

from collections.abc import AsyncGenerator
from typing import Any, Final

from sqlalchemy import Uuid, bindparam, literal, select, true

from db import Order, Ticket
from db.ticket import Visibility
from domain.event_log import GENERATION, OF_CUSTOMER, OF_TICKETS, SEEN, Told, between
from resolvers import ticket_board
from resolvers.context import Ctx
from resolvers.feed import CUSTOMER, TICKETS
from resolvers.live import followed, resync, watched
from resolvers.request_error import BadUserInput
from resolvers.ticket import event_item

MOST: Final = 100
ADOPTED: Final = "OrdersAdopted"
_NEWEST: Final = (
    select(Ticket)
    .join(Order, Order.id == Ticket.order_id)
    .where(Order.customer_id == bindparam("customer_id", type_=Uuid))
    .order_by(Ticket.id.desc())
    .limit(MOST)
    .subquery()
)
_ONE: Final = select(literal(1).label("one")).subquery()
_MINE: Final = select(SEEN, GENERATION, _NEWEST).select_from(_ONE.outerjoin(_NEWEST, true())).order_by(_NEWEST.c.id)


async def my_tickets(ctx: Ctx, after: str | None) -> AsyncGenerator[dict[str, Any]]:
    """Of the customer who has signed in. That older orders became theirs begins the stream anew."""
    customer_id = ctx.actor.customer_id
    watch = watched(ctx, None, "")

    async def catch_up(cursor: Any, until: int) -> list[Any]:
        return await between(ctx.read, OF_CUSTOMER, cursor, until, customer_id=customer_id)

    async with followed(ctx, f"{CUSTOMER}{customer_id}", catch_up, watch) as stream:
        if after is None:
            rows = await ctx.read.records(_MINE, customer_id=customer_id)
            cursor = stream.begun(rows[0])
            yield {"__typename": "TicketsSnapshot", "cursor": cursor, "tickets": [r for r in rows if r.id is not None]}
            del rows  # a stream that waits does not hold what it has told
        elif not await stream.goes_on(after):
            yield resync()
            return
        async for event in stream.events():
            if event.name == ADOPTED:
                yield resync()
                return
            if event.happened.visibility == Visibility.PUBLIC and event.customer_id == customer_id:
                yield stream.item(event, "mine", lambda cursor, event=event: _change("TicketsChange", event, cursor))


async def board_changes(
    ctx: Ctx, workflow: str, filter_: Any, per_column: int, after: str | None
) -> AsyncGenerator[dict[str, Any]]:
    """Of all tickets of the workflow: a change says whether the ticket is among those that were asked for now."""
    watch = watched(ctx, "tickets:read", "Tickets may no longer be read.")

    async def catch_up(cursor: Any, until: int) -> list[Any]:
        return await between(ctx.read, OF_TICKETS, cursor, until)

    async with followed(ctx, TICKETS, catch_up, watch) as stream:
        board = await ticket_board.live_board(ctx, workflow, filter_, per_column)
        if board is None:
            raise BadUserInput("There is no workflow of this code.", "workflow")
        if after is None:
            yield {"__typename": "TicketBoardSnapshot", "cursor": stream.begun(board["read"]), "board": board}
            del board  # a stream that waits does not hold what it has told
        elif not await stream.goes_on(after):
            yield resync()
            return
        wanted = ticket_board.asked_for(ctx, workflow, filter_)
        async for event in stream.events():
            if event.workflow != workflow or wanted["order_id"] not in {None, event.order_id}:
                continue
            fits = await ticket_board.fits(ctx, event.happened.ticket_id, wanted)

            def change(cursor: str, event: Told = event, fits: bool = fits) -> dict[str, Any]:
                return {**_change("TicketBoardChange", event, cursor), "fits": fits}

            yield stream.item(event, ("board", fits), change)


def _change(kind: str, event: Told, cursor: str) -> dict[str, Any]:
    happened = event.happened
    return {
        "__typename": kind,
        "cursor": cursor,
        "ticket_id": happened.ticket_id,
        "event": event_item(happened),
    }
