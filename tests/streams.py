"""Streams over several things, as a table: how each is asked for, by whom, and what makes it tell something."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests import given
from tests.api import Api
from tests.live import Live, Stream, post

EVENT = "event { __typename seq ... on TicketMessagePosted { body } }"
ORDER_UPDATED = f"""subscription ($order: ID!, $token: String, $after: String) {{
  item: orderUpdated(orderId: $order, accessToken: $token, after: $after) {{
    __typename
    ... on OrderSnapshot {{ cursor order {{ id version status workStatus }} }}
    ... on OrderChange {{ cursor kind order {{ id version status workStatus }} ticket {{ id lastSeq }} {EVENT} }}
    ... on ResyncRequired {{ seq }}
  }}
}}"""
MY_TICKETS = f"""subscription ($after: String) {{
  item: myTickets(after: $after) {{
    __typename
    ... on TicketsSnapshot {{ cursor tickets {{ id lastSeq }} }}
    ... on TicketsChange {{ cursor ticket {{ id lastSeq }} {EVENT} }}
    ... on ResyncRequired {{ seq }}
  }}
}}"""
TICKET_BOARD = f"""subscription ($filter: TicketFilter, $after: String) {{
  item: ticketBoard(filter: $filter, after: $after) {{
    __typename
    ... on TicketBoardSnapshot {{ cursor board {{ columns {{ state {{ code }} tickets {{ id lastSeq }} }} }} }}
    ... on TicketBoardChange {{ cursor ticketId fits ticket {{ id lastSeq }} {EVENT} }}
    ... on ResyncRequired {{ seq }}
  }}
}}"""
CART_UPDATED = """subscription ($cart: ID!, $token: String) {
  item: cartUpdated(cartId: $cart, token: $token) {
    __typename
    ... on CartState { version cart { status lines { quantity } order { id accessToken } } }
  }
}"""
AVAILABILITY = """subscription ($ids: [ID!]!) {
  item: variantAvailability(ids: $ids) {
    __typename
    ... on AvailabilityState { variants { variantId availability { status quantity } } }
  }
}"""
SNAPSHOTS = {"OrderSnapshot", "TicketsSnapshot", "TicketBoardSnapshot"}


@asynccontextmanager
async def subscribed(api: Api, document: str, **variables: Any) -> AsyncIterator[Stream]:
    async with aclosing(api.events(document, variables)) as answers:
        yield Stream(answers)


@dataclass(frozen=True)
class Watched:
    """A stream by cursors, over one ticket at least: what is posted there is told to `api`."""

    name: str
    api: Api
    document: str
    variables: dict[str, Any]
    ticket: given.Ticket
    live: Live

    def stream(self, after: str | None = None) -> Any:
        return subscribed(self.api, self.document, **self.variables, after=after)

    async def post(self, *bodies: str, **more: Any) -> None:
        await post(self.live.api, self.ticket, *bodies, **more)

    def by(self, api: Api) -> "Watched":
        return replace(self, api=api)


async def of_order(live: Live) -> Watched:
    ticket = await live.ticket()
    variables = {"order": given.ids.encode("Order", ticket.order), "token": ticket.access_token}
    return Watched("orderUpdated", live.api, ORDER_UPDATED, variables, ticket, live)


async def of_customer(live: Live) -> Watched:
    customer = await given.caller(live.shop, live.api, "customer")
    placed = await given.order(customer, {"variantId": live.variant, "quantity": 1})
    (ticket,) = await given.tickets(live.shop, placed)
    return Watched("myTickets", customer, MY_TICKETS, {}, ticket, live)


async def of_board(live: Live) -> Watched:
    """Of one order, as other tests use the shop too."""
    ticket = await live.ticket()
    variables = {"filter": {"orderId": given.ids.encode("Order", ticket.order)}}
    return Watched("ticketBoard", await live.staff(), TICKET_BOARD, variables, ticket, live)


STREAMS: dict[str, Callable[[Live], Awaitable[Watched]]] = {
    "orderUpdated": of_order,
    "myTickets": of_customer,
    "ticketBoard": of_board,
}


def bodies(items: list[dict[str, Any]]) -> list[str]:
    return [item["event"]["body"] for item in items]
