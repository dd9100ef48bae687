"""Answers of server-sent events below GraphQL: signs of life, ends, and clients that hang up or do not read."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest

from server import event_stream
from server.event_stream import COMPLETE, CUT, HEARTBEAT, EventStream, next_event
from tests import given
from tests.live import TICKET_EVENTS, post, watching
from tests.sockets import Watched, watched_fixture  # noqa: F401 - the fixture `watched`

KILOBYTES = "text " * 1_900


class Client:
    """The other side of an answer; `hung_up` and `reads` are up to the test."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.over = self.cut = False
        self.hung_up, self.reads = asyncio.Event(), asyncio.Event()
        self.reads.set()

    async def receive(self) -> dict[str, Any]:
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            await self.reads.wait()
            self.told += [message["body"]] if message["body"] else []
            self.over = not message["more_body"]

    def now(self) -> None:
        self.cut = True

    async def asks(self, stream: EventStream) -> None:
        await stream({"type": "http", "extensions": {CUT: {"now": self.now}}}, self.receive, self.send)


class Events:
    """What is told; `closed` once nobody wants more and all was given back."""

    def __init__(self, *events: bytes, goes_on: bool = True) -> None:
        self.events, self.goes_on, self.closed = events, goes_on, False

    async def __call__(self) -> AsyncGenerator[bytes]:
        try:
            for event in self.events:
                yield event
            while self.goes_on:
                await asyncio.Event().wait()
        finally:
            for _ in range(3):  # as giving a connection back takes more than one turn
                await asyncio.shield(asyncio.sleep(0.001))
            self.closed = True


def stream_of(events: Events, seconds_to_read: float = 20.0) -> EventStream:
    return EventStream(events(), 200, {"content-type": "text/event-stream"}, seconds_to_read)


async def test_a_stream_that_is_complete_ends_the_answer() -> None:
    client, events = Client(), Events(next_event(b"1"), COMPLETE, goes_on=False)
    await client.asks(stream_of(events))
    assert (client.told, client.over, events.closed) == ([b"event: next\ndata: 1\n\n", COMPLETE], True, True)


async def test_a_stream_whose_client_hangs_up_is_closed_to_its_end() -> None:
    client, events = Client(), Events(b"first")
    asking = asyncio.create_task(client.asks(stream_of(events)))
    await given.until(lambda: client.told == [b"first"])
    client.hung_up.set()
    await asking
    assert (client.told, client.over, client.cut, events.closed) == ([b"first"], False, False, True)


async def test_a_server_that_ends_breaks_off_without_saying_that_it_was_all() -> None:
    client, events = Client(), Events(b"first")
    stream = stream_of(events)
    asking = asyncio.create_task(client.asks(stream))
    await given.until(lambda: client.told == [b"first"])
    stream.break_off()
    await asking
    assert (client.told, client.over, events.closed) == ([b"first"], True, True)


async def test_a_quiet_stream_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
    client, events = Client(), Events(b"first")
    asking = asyncio.create_task(client.asks(stream_of(events)))
    await given.until(lambda: len(client.told) >= 4)
    client.hung_up.set()
    await asking
    assert client.told[0] == b"first"
    assert set(client.told[1:]) == {HEARTBEAT}


async def test_a_client_that_does_not_read_is_cut_off_and_everything_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)  # nor are signs of life heaped up meanwhile
    client, events = Client(), Events(b"first", b"second")
    client.reads.clear()
    await asyncio.wait_for(client.asks(stream_of(events, 0.1)), 10)
    assert (client.told, client.over, client.cut, events.closed) == ([], False, True, True)


async def test_an_error_of_ours_ends_the_answer_and_is_not_hidden() -> None:
    async def broken() -> AsyncGenerator[bytes]:
        yield b"first"
        raise ZeroDivisionError

    client = Client()
    with pytest.raises(ZeroDivisionError):
        await client.asks(EventStream(broken(), 200, {}, 20.0))
    assert (client.told, client.over) == ([b"first"], False)


async def test_a_reader_that_stalls_is_let_go_and_delays_nobody(watched: Watched) -> None:
    """Over real sockets: nothing of it is left, while others were told everything meanwhile."""
    ticket = await watched.ticket()
    watched.served.limit(seconds_to_read=1.0)
    peer = asyncio.Protocol()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: peer, "127.0.0.1", int(watched.served.url.rsplit(":", 1)[1]))
    try:
        transport.pause_reading()
        body = given_body(ticket)
        lines = ["POST /graphql HTTP/1.1", "Host: x", "Content-Type: application/json", "Accept: text/event-stream"]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        transport.write(head.encode() + body)
        await given.until(lambda: len(watched.served.endpoint._streams) == 1)
        async with watching(watched.api, ticket, 1) as other:
            seq = 1
            while len(watched.served.endpoint._streams) == 2:
                await post(watched.api, ticket, KILOBYTES)
                seq += 1
                assert (await other.item())["seq"] == seq
    finally:
        watched.served.limit(seconds_to_read=15.0)
        transport.abort()
    await watched.served.nothing_is_left()


def given_body(ticket: given.Ticket) -> bytes:
    variables = {"ticket": ticket.id, "token": ticket.access_token, "after": None}
    return orjson.dumps({"query": TICKET_EVENTS, "variables": variables})
