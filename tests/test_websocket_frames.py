"""What is no message, or no WebSocket at all: said and closed, without a traceback and without harm to others."""

import asyncio
import json
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Any

import psutil
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

from server.websocket import PROTOCOL
from server.websocket_frames import LARGEST_MESSAGE, MOST_FRAGMENTS
from tests.api import running_server
from tests.live import own_database
from tests.sockets import BEGIN, TYPENAME, begun, connected

SUBSCRIBE: dict[str, Any] = {"type": "subscribe", "id": "1", "payload": {"query": TYPENAME}}
NO_MESSAGES: dict[str, Any] = {
    "a list": "[]",
    "a batch": json.dumps([SUBSCRIBE]),
    "null": "null",
    "a number": "5",
    "text": '"subscribe"',
    "nothing": "",
    "no JSON": "{",
    "two messages": json.dumps(SUBSCRIBE) * 2,
    "binary": json.dumps(SUBSCRIBE).encode(),
    "half a surrogate pair": '{"type": "\\ud800"}',
    "not a number": '{"type": "ping", "payload": {"a": NaN}}',
    "a huge number": '{"type": "ping", "payload": {"a": ' + "9" * 5_000 + "}}",
    "deep lists": "[" * 50_000,
    "deep objects": '{"a":' * 20_000,
    "a deep payload": '{"type": "ping", "payload": ' + '{"a":' * 10_000 + "1" + "}" * 10_001,
    "no type": {"id": "1", "payload": {"query": TYPENAME}},
    "a type that is null": {**SUBSCRIBE, "type": None},
    "a type that is a list": {**SUBSCRIBE, "type": ["subscribe"]},
    "a type that is an object": {**SUBSCRIBE, "type": {}},
    "an unknown type": {**SUBSCRIBE, "type": "query"},
    "a type of the server's": {"type": "next", "id": "1", "payload": {"data": None}},
    "the old protocol's end": {"type": "connection_terminate"},
    "no id": {"type": "subscribe", "payload": {"query": TYPENAME}},
    "an empty id": {**SUBSCRIBE, "id": ""},
    "an id that is null": {**SUBSCRIBE, "id": None},
    "an id that is a number": {**SUBSCRIBE, "id": 1},
    "an id that is a list": {**SUBSCRIBE, "id": ["1"]},
    "no payload": {"type": "subscribe", "id": "1"},
    "a payload that is null": {**SUBSCRIBE, "payload": None},
    "a payload that is text": {**SUBSCRIBE, "payload": TYPENAME},
    "a payload that is a list": {**SUBSCRIBE, "payload": [TYPENAME]},
    "an end of nothing": {"type": "complete"},
    "an end of a number": {"type": "complete", "id": 1},
    "a sign of life that is text": {"type": "ping", "payload": "x"},
    "an answer that is a list": {"type": "pong", "payload": []},
}
NO_BEGINNINGS: dict[str, Any] = {
    **{why: NO_MESSAGES[why] for why in ("a list", "null", "no JSON", "binary", "deep lists", "an unknown type")},
    "a payload that is text": {"type": "connection_init", "payload": "Bearer x"},
    "a payload that is a list": {"type": "connection_init", "payload": []},
    "a payload that is false": {"type": "connection_init", "payload": False},
    "a context that is none": {"type": "connection_init", "payload": {"x-shop-context": "Germany"}},
}


@dataclass(frozen=True)
class Process:
    url: str
    log: Path
    pid: int


@pytest_asyncio.fixture(scope="module", name="server")
async def server_fixture(postgres: str, template: str) -> AsyncIterator[Process]:
    """As it is run, with its log: which has to stay free of tracebacks whatever is sent."""
    async with own_database(postgres, template) as (url, _, _):
        with running_server(url) as start:
            server = start("--no-worker")
            yield Process(server.url, server.log, server.process.pid)
            assert len(server.log.read_text().splitlines()) == 1, server.log.read_text()


async def still_serves(server: Process) -> None:
    async with begun(server.url) as socket:
        assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("why", NO_MESSAGES)
async def test_what_is_no_message_closes_the_connection_and_says_why(server: Process, why: str) -> None:
    async with begun(server.url) as socket:
        await socket.send(NO_MESSAGES[why])
        code, reason = await socket.closed()
        assert code == 4400
        assert reason
    await still_serves(server)


@pytest.mark.parametrize("why", NO_BEGINNINGS)
async def test_what_is_no_beginning_closes_the_connection_and_says_why(server: Process, why: str) -> None:
    async with connected(server.url) as socket:
        await socket.send(NO_BEGINNINGS[why])
        code, reason = await socket.closed()
        assert code == 4400
        assert reason


async def test_whoever_leaves_without_a_word_is_no_failure(server: Process) -> None:
    """Before it has begun, while it begins, and with something under way."""
    for abrupt in (False, True):
        for messages in ([], [BEGIN], [BEGIN, SUBSCRIBE], [BEGIN, {**SUBSCRIBE, "payload": {"query": "{"}}]):
            async with connected(server.url) as socket:
                for message in messages:
                    await socket.send(message)
                if abrupt:
                    socket.connection.transport.abort()
    await still_serves(server)


async def test_a_message_has_at_most_100_kibibytes(server: Process) -> None:
    message = json.dumps(SUBSCRIBE)
    async with begun(server.url) as socket:
        await socket.send(message.ljust(LARGEST_MESSAGE))
        assert (await socket.next("1"))["data"] == {"__typename": "Query"}
    for size in (LARGEST_MESSAGE + 1, 20 * LARGEST_MESSAGE):
        async with begun(server.url) as socket:
            sending = asyncio.create_task(socket.send(message.ljust(size)))
            assert (await socket.closed())[0] == 1009
            await asyncio.wait([sending])
            sending.exception()
    async with begun(server.url) as socket:  # in pieces, each of which is small enough
        pieces = [message, " " * (LARGEST_MESSAGE // 2), " " * (LARGEST_MESSAGE // 2)]
        await socket.connection.send(pieces)
        assert (await socket.closed())[0] == 1009
    await still_serves(server)


def write(connection: ClientConnection, *frames: bytes) -> None:
    """As they are, whether or not they make sense."""
    connection.transport.write(b"".join(frames))


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def test_a_message_of_endless_empty_pieces_is_too_large_as_well(server: Process) -> None:
    async with begun(server.url) as socket:
        write(socket.connection, frame(Opcode.TEXT, b"{", fin=False))
        write(socket.connection, *[frame(Opcode.CONT, b"", fin=False)] * (MOST_FRAGMENTS * 4))
        assert (await socket.closed())[0] == 1009


NO_WEBSOCKETS: dict[str, tuple[bytes, int]] = {
    "text that is not UTF-8": (frame(Opcode.TEXT, b'{"type": "\xff"}'), 1007),
    "half a character": (frame(Opcode.TEXT, b'{"type": "\xc3'), 1007),
    "a piece of nothing": (frame(Opcode.CONT, b"x"), 1002),
    "a message within another": (frame(Opcode.TEXT, b"{", fin=False) + frame(Opcode.TEXT, b"{}"), 1002),
    "a frame that is not masked": (b"\x81\x02{}", 1002),
    "an unknown frame": (frame(Opcode.TEXT, b"{}").replace(b"\x81", b"\x83", 1), 1002),
    "a compressed frame": (frame(Opcode.TEXT, b"{}").replace(b"\x81", b"\xc1", 1), 1002),
    "a ping that is too long": (b"\x89\xfe" + struct.pack("!H", 126) + b"\0" * 130, 1002),
}


@pytest.mark.parametrize("why", NO_WEBSOCKETS)
async def test_what_is_no_websocket_is_told_so(server: Process, why: str) -> None:
    """And whatever follows, the reason arrives: it is not overtaken by the end of the connection."""
    frames, code = NO_WEBSOCKETS[why]
    for after in (b"", frames * 1_000):
        async with begun(server.url) as socket:
            write(socket.connection, frames, after)
            assert (await socket.closed())[0] == code
    async with begun(server.url) as socket:
        write(socket.connection, frames, b"\x88\x80\0\0\0\0")  # and goodbye
        assert (await socket.closed())[0] in {code, 1005}
    await still_serves(server)


async def test_pings_without_end_that_nobody_reads_the_answers_of_cost_nothing(server: Process) -> None:
    async with begun(server.url) as socket, begun(server.url) as other:
        transport = socket.connection.transport
        transport.pause_reading()
        for _ in range(4):  # until the buffers of the network are full
            write(socket.connection, frame(Opcode.PING, b"x" * 125) * 20_000)
            while transport.get_write_buffer_size():
                await asyncio.sleep(0.01)
        before = psutil.Process(server.pid).memory_info().rss
        for _ in range(4):
            write(socket.connection, frame(Opcode.PING, b"x" * 125) * 20_000)
            while transport.get_write_buffer_size():
                await asyncio.sleep(0.01)
        assert await other.asked(TYPENAME) == {"data": {"__typename": "Query"}}
        assert psutil.Process(server.pid).memory_info().rss - before < 4 * 2**20  # of 10 MiB
        transport.abort()


def say_too_much(url: str, handshake: bytes) -> bytes:
    """What the server says to a client that goes on with a message that is too large, and reads only then."""
    host, _, port = url.removeprefix("http://").partition(":")
    with create_connection((host, int(port)), 10) as client:
        client.sendall(handshake)
        while b"\r\n\r\n" not in client.recv(4_096):
            pass
        client.sendall(b"\x81\xff" + struct.pack("!Q", 2**20) + b"\0" * 4)
        for _ in range(10):
            time.sleep(0.02)
            client.sendall(b"x" * 20_000)
        return client.recv(4_096)


async def test_who_is_still_saying_what_is_too_large_learns_that_it_is(server: Process) -> None:
    """Closed together with the reason, the connection would be reset before it is read (1006)."""
    handshake = (
        "GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
    )
    said = await asyncio.to_thread(say_too_much, server.url, handshake.encode())
    assert (said[0], struct.unpack("!H", said[2:4])) == (0x88, (1009,))


async def test_a_handshake_that_is_none_is_refused(server: Process) -> None:
    async with asyncio.timeout(60):
        for headers, status in (
            (b"Sec-WebSocket-Version: 13\r\n", b"400"),
            (b"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"4"),
            (b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n", b"400"),
        ):
            host, _, port = server.url.removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + headers
                + f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n".encode()
            )
            assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)
            writer.close()
    await still_serves(server)
