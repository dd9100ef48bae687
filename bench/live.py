"""Streams under load: many that are idle, many updates to few readers each, one update to many, some that stall.

Updates are made by the shop's own operations in another process, or in the measured one where the case says so, and
each carries the moment in which it was begun. So a delay is from before the mutation to the arrival at a reader.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice, repeat
from typing import Any, Final

import psutil

from bench import documents as d
from bench.client import Client, ask
from bench.processes import Server
from bench.streams import TRANSPORTS, Asking, OverWebSocket, Subscriber, begun, stalled
from bench.workloads import place_order

PER_SECOND: Final = 5
PATIENCE: Final = 30
WRITERS: Final = 8
STALLED: Final = 100
LONG: Final = "text " * 1_900
"""So that what a connection holds for those who do not read is full after a while."""

Ticket = dict[str, Any]
"""Its id and the token that opens it."""


async def ticket_of_new_order(client: Client, variant: str) -> Ticket:
    """A worker must be running."""
    order = await place_order(client, [variant])
    async with asyncio.timeout(PATIENCE):
        while not (tickets := (await ask(client, d.TICKETS, **order))["order"]["tickets"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return {"id": tickets[0]["id"], "token": order["token"]}


def watching(tickets: Sequence[Ticket], count: int) -> list[Asking]:
    """So many readers, taking turns."""
    turns = (ticket for all_ in repeat(tickets) for ticket in all_)
    return [Asking(d.WATCH, ticket) for ticket in islice(turns, count)]


def boards(token: str, count: int) -> list[Asking]:
    return [Asking(d.WATCH_BOARD, {}, token)] * count


async def idle(server: Server, tickets: Sequence[Ticket], count: int, transport: str) -> dict[str, Any]:
    """What streams cost on which nothing happens, and what queries take beside them."""
    before = server.rss()
    subscribers = await begun(TRANSPORTS[transport], server.port, watching(tickets, count))
    client = await Client.connect(server.port)
    try:
        cpu, began = server.cpu(), time.perf_counter()
        queries = await _queries(client, 200)
        await asyncio.sleep(max(0.0, 5 - (time.perf_counter() - began)))
        used = (server.cpu() - cpu) / (time.perf_counter() - began)
        rss = server.rss()
        lost = sum(one.lost for one in subscribers)
    finally:
        await _closed(subscribers, client)
    return {
        "streams": count,
        "lost": lost,
        "rss_mib": round(rss, 1),
        "kib_each": round((rss - before) * 1024 / count, 1),
        "query_p99_ms": _ms(_percentile(queries, 99)),
        "cpu_percent": round(used * 100, 1),
    }


async def _queries(client: Client, count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        await ask(client, "{ regions { id } }")
        times.append(time.perf_counter() - began)
    return times


async def fan_out(  # noqa: PLR0917
    server: Server, writer: Server, asked: Sequence[Asking], ticket: Ticket, transport: str, seconds: float
) -> dict[str, Any]:
    """One update after the other, each to all of many readers."""
    subscribers = await begun(TRANSPORTS[transport], server.port, asked)
    client = await Client.connect(writer.port)
    try:
        cpu = server.cpu()
        last = await _spread(client, ticket, subscribers, max(3, round(seconds * PER_SECOND / 5)))
        used = server.cpu() - cpu
    finally:
        await _closed(subscribers, client)
    delays = [delay for one in subscribers for delay in one.delays]
    return {
        "readers": len(asked),
        "missed": len(last) * len(asked) - len(delays),
        "p50_ms": _ms(_percentile(delays, 50)),
        "p99_ms": _ms(_percentile(delays, 99)),
        "last_ms": _ms(statistics.median(last)),
        "cpu_ms_per_delivery": round(used / len(delays) * 1e3, 3),
    }


async def _spread(client: Client, ticket: Ticket, subscribers: Sequence[Subscriber], updates: int) -> list[float]:
    """For each update after how long the last reader had it."""
    last: list[float] = []
    for number in range(1, updates + 1):
        await post(client, ticket)
        await _arrived(subscribers, number)
        last.append(max(one.delays[-1] for one in subscribers if one.delays))
        await asyncio.sleep(0.2)
    return last


async def updates(  # noqa: PLR0917
    server: Server, writer: Server, tickets: Sequence[Ticket], readers: int, per_second: int, seconds: float
) -> dict[str, Any]:
    """Many updates a second, each to the few who read that ticket."""
    asked = watching(tickets, readers * len(tickets))
    subscribers = await begun(OverWebSocket, server.port, asked)
    clients = [await Client.connect(writer.port) for _ in range(WRITERS)]
    count = round(per_second * seconds)
    try:
        began, behind = time.perf_counter(), 0.0

        async def write(own: int) -> None:
            nonlocal behind
            for number in range(own, count, WRITERS):
                due = began + number / per_second
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                behind = max(behind, time.perf_counter() - due)
                await post(clients[own], tickets[number % len(tickets)])

        await asyncio.gather(*(write(own) for own in range(WRITERS)))
        took = time.perf_counter() - began
        await _arrived(subscribers, count // len(tickets))
    finally:
        await _closed(subscribers, *clients)
    delays = [delay for one in subscribers for delay in one.delays]
    return {
        "per_second": round(count / took),
        "readers_each": readers,
        "missed": readers * count - len(delays),
        "writers_behind_ms": _ms(behind),
        "p50_ms": _ms(_percentile(delays, 50)),
        "p99_ms": _ms(_percentile(delays, 99)),
    }


async def beside_stalled(
    server: Server, ticket: Ticket, readers: int, transport: str, seconds: float
) -> dict[str, Any]:
    """What readers that stall cost the others of their ticket, and when they are gone."""
    kind = TRANSPORTS[transport]
    subscribers = await begun(kind, server.port, watching([ticket], readers))
    client = await Client.connect(server.port)
    number = max(5, round(seconds * PER_SECOND))
    asleep: list[Subscriber] = []
    try:
        before = await _long_ones(client, ticket, subscribers, number)
        memory = server.rss()
        asleep = await stalled(kind, server.port, watching([ticket], STALLED))
        going = asyncio.create_task(_gone(server, _connections(server) - STALLED))
        beside = await _long_ones(client, ticket, subscribers, 6 * number)
        grown = server.rss() - memory
        while not going.done():
            await post(client, ticket, LONG)
            await asyncio.sleep(0.2)
        gone = await going
    finally:
        await _closed([*subscribers, *asleep], client)
    return {
        "readers": readers,
        "stalled": STALLED,
        "p50_ms": _ms(_percentile(before, 50)),
        "p50_beside_ms": _ms(_percentile(beside, 50)),
        "times": round(_percentile(beside, 50) / _percentile(before, 50), 2),
        "gone_s": gone and round(gone, 1),
        "grown_mib": round(grown, 1),
    }


async def _gone(server: Server, connections: int) -> float | None:
    """After how many seconds there are no more than so many."""
    began = time.perf_counter()
    while (waited := time.perf_counter() - began) < 2 * PATIENCE:
        if _connections(server) <= connections:
            return waited
        await asyncio.sleep(0.2)
    return None


async def _long_ones(client: Client, ticket: Ticket, subscribers: Sequence[Subscriber], count: int) -> list[float]:
    for one in subscribers:
        one.delays.clear()
    for number in range(1, count + 1):
        await post(client, ticket, LONG)
        await _arrived(subscribers, number)
    return [delay for one in subscribers for delay in one.delays]


def _connections(server: Server) -> int:
    return sum(one.status == psutil.CONN_ESTABLISHED for one in server.process.net_connections("tcp"))


async def post(client: Client, ticket: Ticket, more: str = "") -> None:
    given = {"ticketId": ticket["id"], "accessToken": ticket["token"]}
    await ask(client, d.POST_MESSAGE, input={**given, "body": f"sent at {time.perf_counter_ns()} {more}".strip()})


async def _arrived(subscribers: Sequence[Subscriber], number: int) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while any(len(one.delays) < number for one in subscribers):
                if any(one.lost for one in subscribers):
                    raise ConnectionError("a reader was let go")
                await asyncio.sleep(0.005)


async def _closed(subscribers: Sequence[Subscriber], *clients: Client) -> None:
    for one in subscribers:
        one.close()
    for client in clients:
        await client.close()
    await asyncio.sleep(0.5)


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)
