"""Clients that watch tickets over SSE, and one shop with a server process for all tests of a module."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from db.connection import connect
from domain.durable import by_event
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.manual_payment import ManualPayment
from tests import given
from tests.api import Api, running_server
from tests.conftest import copy_of

PATIENCE = 60
"""Seconds until a test gives up waiting for an item; only a test that fails takes them."""

TICKET_EVENTS = """subscription ($ticket: ID!, $token: String, $after: Int) {
  item: ticketEvents(ticketId: $ticket, accessToken: $token, afterSeq: $after) {
    __typename
    ... on TicketSnapshot { seq ticket { id lastSeq version state { code } } }
    ... on TicketChange {
      seq
      ticket { id lastSeq version state { code } }
      event { __typename seq actor visibility
              ... on TicketOpened { state }
              ... on TicketMoved { fromState toState }
              ... on TicketMessagePosted { body } }
    }
    ... on ResyncRequired { seq }
  }
}"""


class Ended(Exception):
    """The server has completed the stream."""


@dataclass
class Stream:
    _answers: AsyncGenerator[dict[str, Any], None]

    async def answer(self) -> dict[str, Any]:
        """The next answer as it is."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await anext(self._answers)
            except StopAsyncIteration:
                raise Ended from None

    async def item(self) -> dict[str, Any]:
        answer = await self.answer()
        assert "errors" not in answer, answer
        return answer["data"]["item"]

    async def items(self, count: int) -> list[dict[str, Any]]:
        return [await self.item() for _ in range(count)]

    async def messages(self, count: int) -> list[tuple[int, str]]:
        """Seq and text of the next changes, which must be messages."""
        return [(item["seq"], item["event"]["body"]) for item in await self.items(count)]

    async def error(self) -> dict[str, Any]:
        """The one error with which the stream ends."""
        answer = await self.answer()
        assert answer["data"] is None
        (error,) = answer["errors"]
        await self.ends()
        return error

    async def ends(self) -> None:
        with pytest.raises(Ended):
            await self.answer()


@asynccontextmanager
async def watching(
    api: Api, ticket: given.Ticket, after: int | None = None, *, with_token: bool = True
) -> AsyncIterator[Stream]:
    """A connected stream, with the order's access token unless told otherwise; leaving the block cuts it."""
    variables = {"ticket": ticket.id, "after": after, "token": ticket.access_token if with_token else None}
    async with aclosing(api.events(TICKET_EVENTS, variables)) as answers:
        yield Stream(answers)


async def post(api: Api, ticket: given.Ticket, *bodies: str, **more: Any) -> None:
    for body in bodies:
        await api.done(
            "ticketPostMessage",
            {"ticketId": ticket.id, "body": body, "accessToken": ticket.access_token, **more},
            "ticket { id }",
        )


@dataclass(frozen=True)
class Live:
    """A shop and a server process over the same database. What a test changes besides tickets it puts back."""

    shop: Shop
    api: Api
    url: str
    variant: str

    async def ticket(self) -> given.Ticket:
        order = await given.order(self.api, {"variantId": self.variant, "quantity": 1})
        (opened,) = await given.tickets(self.shop, order)
        return opened

    async def staff(self) -> Api:
        return await given.caller(self.shop, self.api, "staff", "tickets:read", "tickets:write")


@asynccontextmanager
async def own_database(postgres: str, template: str) -> AsyncIterator[tuple[str, Shop, str]]:
    """For the tests of one module: the address, the shop, and a variant that wants a ticket and is never short."""
    with copy_of(postgres, template) as url:
        database = await connect(url, reactions=by_event(REACTIONS))
        try:
            shop = Shop(database, {"manual": ManualPayment()})
            await given.regions(shop)
            yield url, shop, (await given.product(shop, "banner", stock=None)).variant
        finally:
            await database.close()


@pytest_asyncio.fixture(scope="module", name="live")
async def live_fixture(postgres: str, template: str) -> AsyncIterator[Live]:
    async with own_database(postgres, template) as (url, shop, variant):
        with running_server(url) as start:
            async with start("--no-worker", SOCKET_CONNECTIONS="1000").api() as api:
                yield Live(shop, api, url, variant)
