"""An order, live: as it is, then each thing that happens to it and to its tickets, once and in order."""

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from db import Order
from db.ticket import Visibility
from db.workflow import ActorKind
from domain import order as orders
from domain.event_log import GENERATION, OF_ENTITY, SEEN, Told, between
from resolvers import ids
from resolvers.batches import one
from resolvers.context import Ctx
from resolvers.live import followed, resync, watched
from resolvers.request_error import BadUserInput
from resolvers.ticket import event_item

NOT_READ: Final = "This order may no longer be read."
order_by_id = one(select(Order), Order.id)
_STATE: Final[Any] = select(*Order.__table__.c, SEEN, GENERATION)


class OrderChangeKind(StrEnum):
    ORDER = "OrderChanged"
    LINES_CANCELLED = "OrderLinesCancelled"
    TICKETS_OPENED = "TicketsOpened"
    TICKET = "TicketChanged"
    SHIPPED = "FulfilmentShipped"
    DELIVERED = "FulfilmentDelivered"


TOLD: Final = {kind.value for kind in OrderChangeKind}
OF_WORK: Final = {OrderChangeKind.TICKET, OrderChangeKind.TICKETS_OPENED}


async def order_updated(
    ctx: Ctx, order_id: str, access_token: str | None, after: str | None
) -> AsyncGenerator[dict[str, Any]]:
    key, access = ids.decode("Order", order_id, "order_id"), ctx.order_access(access_token)
    watch = watched(ctx, "orders:read", NOT_READ, key, access)

    async def catch_up(cursor: Any, until: int) -> list[Any]:
        return await between(ctx.read, OF_ENTITY, cursor, until, entity=f"order:{key}")

    async with followed(ctx, f"order:{key}", catch_up, watch) as stream:
        found: Any = await ctx.read.first(_STATE.where(Order.id == key, orders.visible_to(ctx.actor, access)))
        if found is None:
            raise BadUserInput("There is no such order, or it is not yours.", "orderId")
        if after is None:
            yield {"__typename": "OrderSnapshot", "cursor": stream.begun(found), "order": found}
            del found  # a stream that waits does not hold what it has told
        elif not await stream.goes_on(after):
            yield resync()
            return
        async for event in stream.events():
            if is_shown(ctx, event):
                yield stream.item(event, "order", lambda cursor, event=event: _change(key, event, cursor))


def is_shown(ctx: Ctx, event: Told) -> bool:
    """Staff need the permission for tickets to hear of them, and nobody else hears what is internal."""
    if event.name not in TOLD:
        return False
    if event.name in OF_WORK and ctx.actor.kind == ActorKind.STAFF and not ctx.actor.may("tickets:read"):
        return False
    internal = event.happened is not None and event.happened.visibility != Visibility.PUBLIC
    return not internal or ctx.actor.may("tickets:read")


def _change(key: UUID, event: Told, cursor: str) -> dict[str, Any]:
    return {
        "__typename": "OrderChange",
        "cursor": cursor,
        "kind": OrderChangeKind(event.name),
        "order_id": key,
        "ticket_id": event.happened and event.happened.ticket_id,
        "event": event.happened and event_item(event.happened),
    }
