"""Readers whose connections break again and again while everything is killed: each has to be told everything once.

What one of them has received is counted: every change of every ticket in its order, nothing twice, and the same
sequence for all who watch the same.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import orjson
from sqlalchemy import text

from db.connection import new_id
from db.workflow import ActorKind
from domain.processes.shop import Shop
from domain.ticket_message import PostMessage, post_message
from resolvers import ids
from tests import given
from tests.api import Api
from tests.live import TICKET_EVENTS
from tests.streams import MY_TICKETS, ORDER_UPDATED, TICKET_BOARD

WRITERS: Final = 4
CUT: Final = 0.1
"""Of the readers, whenever some are cut."""
SNAPSHOTS: Final = {"TicketSnapshot", "OrderSnapshot", "TicketsSnapshot", "TicketBoardSnapshot"}


_HISTORY: Final = text("SELECT ticket_id, seq FROM ticket_event WHERE ticket_id = ANY(:tickets) AND seq > 1")


@dataclass(frozen=True)
class Asking:
    """A stream: what is asked, by whom, and whether it resumes by `seq` or by `cursor`."""

    name: str
    document: str
    variables: dict[str, Any]
    headers: dict[str, str]
    resumes_by: str = "cursor"


@dataclass
class Reader:
    asking: Asking
    urls: Callable[[], Sequence[str]]
    """Where the shop is answered just now."""
    chance: random.Random
    told: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Ids of tickets and the number of what happened to them."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    strange: list[str] = field(default_factory=list[str])
    _after: Any = None
    _writer: asyncio.StreamWriter | None = None

    async def read(self) -> None:
        """Until it is cancelled; after every end it begins again where it was."""
        while True:
            with suppress(OSError, EOFError, ValueError):
                await self._read()
            await asyncio.sleep(self.chance.uniform(0.01, 0.2))

    def cut(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def _read(self) -> None:
        async with aclosing(self._answers()) as answers:
            async for answer in answers:
                if "errors" in answer:
                    return  # what it depends on is away just now
                self._hear(answer["data"]["item"])

    def _hear(self, item: dict[str, Any]) -> None:
        kind = item["__typename"]
        if kind in SNAPSHOTS and self._after is None:
            self.begun.set()
        elif kind in SNAPSHOTS or kind == "ResyncRequired":
            self.strange.append(f"{self.asking.name} got {kind} after {self._after}")
        elif item.get("event"):
            self.told.append((item["ticket"]["id"], item["event"]["seq"]))
        self._after = item[self.asking.resumes_by]

    async def _answers(self) -> AsyncGenerator[dict[str, Any]]:
        where = urlsplit(self.chance.choice(self.urls()))
        body = orjson.dumps(
            {"query": self.asking.document, "variables": {**self.asking.variables, "after": self._after}}
        )
        begin = {"Host": "shop", "Content-Type": "application/json", "Accept": "text/event-stream"}
        headers = {**begin, "Content-Length": str(len(body)), **self.asking.headers}
        reader, self._writer = await asyncio.open_connection(where.hostname, where.port, limit=2**20)
        self.connections += 1
        try:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            self._writer.write(f"POST /graphql HTTP/1.1\r\n{lines}\r\n".encode() + body)
            while line := await reader.readline():
                if line.startswith(b"data: {"):
                    yield orjson.loads(line[6:])
        finally:
            self._writer.transport.abort()


@dataclass
class Churn:
    shop: Shop
    tickets: list[given.Ticket]
    readers: list[Reader]
    chance: random.Random
    written: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    async def run(
        self, updates: int, meanwhile: Callable[[], Awaitable[bool]], patience: float, pause: float = 0.0
    ) -> None:
        """Writes so many updates, each writer with a pause after each, while `meanwhile` happens again and again until
        it is false; then all have to have arrived.
        """
        tasks = [asyncio.create_task(reader.read()) for reader in self.readers]
        try:
            async with asyncio.timeout(patience):
                await asyncio.gather(*(reader.begun.wait() for reader in self.readers))
            await asyncio.gather(self._write(updates, pause), self._disturb(meanwhile))
            self.written = await self._written()
            end = time.monotonic() + patience
            while time.monotonic() < end and any(len(r.told) < len(self._expected(r)) for r in self.readers):
                await asyncio.sleep(0.2)
            await asyncio.sleep(0.5)  # what comes twice comes now
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, updates: int, pause: float) -> None:
        async def write(writer: int) -> None:
            for number in range(writer, updates, WRITERS):
                await self._post(self.tickets[number % len(self.tickets)], str(number))
                await asyncio.sleep(pause)

        await asyncio.gather(*(write(writer) for writer in range(WRITERS)))

    async def _post(self, ticket: given.Ticket, body: str) -> None:
        """Until it is said to be written. That it was already, and only its answer lost, is another update then."""
        while True:
            try:
                async with self.shop.tx() as tx:
                    await post_message(tx, PostMessage(ticket.key, body), given.STAFF, None)
                return
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.2)

    async def _disturb(self, meanwhile: Callable[[], Awaitable[bool]]) -> None:
        while await meanwhile():
            for reader in self.chance.sample(self.readers, max(1, round(CUT * len(self.readers)))):
                reader.cut()

    async def _written(self) -> list[tuple[str, int]]:
        """What happened to the tickets since they were opened, as their histories have it."""
        of = {ticket.key: ticket.id for ticket in self.tickets}
        rows = await self.shop.read.records(_HISTORY, tickets=list(of))
        return sorted((of[row.ticket_id], row.seq) for row in rows)

    def _expected(self, reader: Reader) -> list[tuple[str, int]]:
        watched = {ticket.id for ticket in self.tickets if watches(reader.asking, ticket)}
        return [happened for happened in self.written if happened[0] in watched]

    def wrongs(self) -> list[str]:
        """Whatever is missing, double or out of order."""
        found = [strange for reader in self.readers for strange in reader.strange]
        same: defaultdict[str, list[Reader]] = defaultdict(list)
        for reader in self.readers:
            same[reader.asking.name].append(reader)
            expected, told = self._expected(reader), reader.told
            if sorted(told) != expected:
                missing, double = len(set(expected) - set(told)), len(told) - len(set(told))
                found.append(f"{reader.asking.name}: {missing} missing and {double} double of {len(expected)}")
            for ticket in {ticket for ticket, _ in told}:
                seqs = [seq for one, seq in told if one == ticket]
                if seqs != sorted(seqs):
                    found.append(f"{reader.asking.name}: out of order")
        return found + [f"{n}: not in the same order for all" for n, some in same.items() if not _agree(some)]


def _agree(readers: Sequence[Reader]) -> bool:
    return all(reader.told == readers[0].told for reader in readers)


def watches(asking: Asking, ticket: given.Ticket) -> bool:
    """By the ticket or the order that it names, or else all."""
    named = asking.variables
    return named.get("ticket", ticket.id) == ticket.id and named.get("order", None) in {
        None,
        ids.encode("Order", ticket.order),
    }


async def scene(
    shop: Shop, api: Api, variant: str, count: int, seconds: float
) -> tuple[list[given.Ticket], list[Asking]]:
    """So many tickets of one customer, and a stream of each kind over some of them or all."""
    key = await given.customer(shop, f"{new_id()}@shop.example")
    customer = api.signed_in(await given.access_token(shop, ActorKind.CUSTOMER, key, seconds))
    placed = [await given.order(customer, {"variantId": variant, "quantity": 1}) for _ in range(count)]
    tickets = [ticket for order in placed for ticket in await given.tickets(shop, order)]
    by = await given.staff(shop, "tickets:read", email=f"{new_id()}@shop.example")
    staff = api.signed_in(await given.access_token(shop, ActorKind.STAFF, by, seconds))
    first = tickets[0]
    order, token = ids.encode("Order", first.order), {"token": first.access_token}
    return tickets, [
        Asking("ticketEvents", TICKET_EVENTS, {"ticket": first.id, **token}, {}, "seq"),
        Asking("orderUpdated", ORDER_UPDATED, {"order": order, **token}, {}),
        Asking("myTickets", MY_TICKETS, {}, customer.headers),
        Asking("ticketBoard", TICKET_BOARD, {}, staff.headers),
    ]
