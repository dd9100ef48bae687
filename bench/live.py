"""Live fan-out: many subscribers of one ticket, messages at a steady pace, and when each arrived at each."""

import asyncio
import re
import time
from contextlib import suppress
from typing import Any, Final

import orjson

from bench import documents as d
from bench.client import HOST, Client, ask, head
from bench.processes import Server
from bench.workloads import place_order

PER_SECOND: Final = 5
PATIENCE: Final = 30
SENT_AT: Final = re.compile(rb"sent at (\d+)")


class Subscriber:
    """A stream over SSE; `delays` has the seconds from posting to arrival of each message."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.ready = asyncio.Event()

    async def watch(self, port: int, body: bytes) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(head("/graphql", len(body), accept="text/event-stream") + body)
        try:
            while line := await reader.readline():
                now = time.perf_counter_ns()
                if b"TicketSnapshot" in line:
                    self.ready.set()
                elif line.startswith(b"data:") and (sent := SENT_AT.search(line)):
                    self.delays.append((now - int(sent[1])) / 1e9)
        finally:
            writer.close()


async def ticket_of_new_order(client: Client, variant: str) -> dict[str, Any]:
    """Its id and the token that opens it; a worker must be running."""
    order = await place_order(client, [variant])
    async with asyncio.timeout(PATIENCE):
        while not (tickets := (await ask(client, d.TICKETS, **order))["order"]["tickets"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return {"id": tickets[0]["id"], "token": order["token"]}


async def fan_out(server: Server, variant: str, count: int, seconds: float) -> dict[str, Any]:
    client = await Client.connect(server.port)
    ticket = await ticket_of_new_order(client, variant)
    body = orjson.dumps({"query": d.WATCH, "variables": ticket})
    subscribers = [Subscriber() for _ in range(count)]
    tasks = [asyncio.create_task(one.watch(server.port, body)) for one in subscribers]
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(one.ready.wait() for one in subscribers))
        cpu = server.cpu()
        posted = await _post(client, ticket, seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while any(len(one.delays) < posted for one in subscribers):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        used, memory = server.cpu() - cpu, server.rss()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()
    delays = sorted(delay for one in subscribers for delay in one.delays)
    return {
        "subscribers": count,
        "messages": posted,
        "missed": posted * count - len(delays),
        "p50_ms": round(delays[len(delays) // 2] * 1e3, 1),
        "p99_ms": round(delays[len(delays) * 99 // 100] * 1e3, 1),
        "cpu_ms_per_delivery": round(used / len(delays) * 1e3, 3),
        "rss_mib": round(memory, 1),
    }


async def _post(client: Client, ticket: dict[str, Any], seconds: float) -> int:
    posted = max(1, int(seconds * PER_SECOND))
    begun = time.perf_counter()
    for i in range(posted):
        await asyncio.sleep(max(0.0, begun + i / PER_SECOND - time.perf_counter()))
        given = {"ticketId": ticket["id"], "accessToken": ticket["token"]}
        await ask(client, d.POST_MESSAGE, input={**given, "body": f"sent at {time.perf_counter_ns()}"})
    return posted
