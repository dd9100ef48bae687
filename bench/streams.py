"""Many subscribers in one process, over WebSocket or SSE: just enough of both to count what arrives and when.

A client that understood everything would use the processor that PostgreSQL needs. What is understood here: events of
SSE and frames of WebSocket whole or in pieces, a snapshot, the moment of posting inside a message, pings.
"""

import asyncio
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson

from bench.client import HOST, head

SENT_AT: Final = re.compile(rb"sent at (\d+)")
PATIENCE: Final = 600
AT_ONCE: Final = 50
"""Streams that are being begun at the same time."""
UPGRADE: Final = (
    f"GET /graphql HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
).encode()
TEXT, PING, PONG = 0x81, 0x89, 0x8A


@dataclass(frozen=True)
class Asking:
    """What a stream is begun with."""

    query: str
    variables: dict[str, Any]
    token: str | None = None
    """Of whoever has signed in."""


@dataclass
class Subscriber(asyncio.Protocol):
    """One stream; `delays` has the seconds from posting to arrival of each message."""

    asking: Asking
    delays: list[float] = field(default_factory=list[float])
    begun: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    lost: bool = False
    _transport: asyncio.Transport | None = None
    _rest: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.connected()

    def connected(self) -> None:
        raise NotImplementedError

    def taken(self, received: bytes) -> int:
        """Looks at what is complete; how many bytes that was."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        received = self._rest + data if self._rest else data
        self._rest = received[self.taken(received) :]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.begun.done():
            self.begun.set_exception(ConnectionError("closed before anything was told"))

    def told(self, message: bytes) -> None:
        if sent := SENT_AT.search(message):
            self.delays.append((time.perf_counter_ns() - int(sent[1])) / 1e9)
        elif b"Snapshot" in message and not self.begun.done():
            self.begun.set_result(None)
        elif b'"errors"' in message and not self.begun.done():
            self.begun.set_exception(RuntimeError(message[:500].decode()))

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class OverSse(Subscriber):
    def connected(self) -> None:
        body = orjson.dumps({"query": self.asking.query, "variables": self.asking.variables})
        begin = head("/graphql", len(body), accept="text/event-stream").decode()
        if self.asking.token is not None:
            begin = begin.replace("\r\n\r\n", f"\r\nAuthorization: Bearer {self.asking.token}\r\n\r\n")
        self.write(begin.encode() + body)

    def taken(self, received: bytes) -> int:
        *events, rest = received.split(b"\n\n")
        for event in events:
            self.told(event)
        return len(received) - len(rest)


class OverWebSocket(Subscriber):
    _upgraded = False

    def connected(self) -> None:
        self.write(UPGRADE)

    def taken(self, received: bytes) -> int:
        at = 0
        if not self._upgraded:
            if (end := received.find(b"\r\n\r\n")) < 0:
                return 0
            self._upgraded, at = True, end + 4
            self._say(
                "connection_init", payload={"authorization": f"Bearer {self.asking.token}"} if self.asking.token else {}
            )
        while (frame := _frame(received, at)) is not None:
            kind, begin, at = frame
            if kind == PING:
                self._send(PONG, received[begin:at])
            elif kind == TEXT:
                self._heard(received[begin:at])
        return at

    def _heard(self, message: bytes) -> None:
        if b'"connection_ack"' in message:
            payload = {"query": self.asking.query, "variables": self.asking.variables}
            self._say("subscribe", id="1", payload=payload)
        else:
            self.told(message)

    def _say(self, kind: str, **more: Any) -> None:
        self._send(TEXT, orjson.dumps({"type": kind, **more}))

    def _send(self, kind: int, payload: bytes) -> None:
        """Masked by zeros, which changes nothing."""
        length = len(payload)
        size = bytes([0x80 | length]) if length < 126 else bytes([0x80 | 126]) + length.to_bytes(2)
        self.write(bytes([kind]) + size + bytes(4) + payload)


def _frame(received: bytes, at: int) -> tuple[int, int, int] | None:
    """Kind, begin and end of the payload of the frame there, if it is complete."""
    if len(received) < at + 2:
        return None
    length, begin = received[at + 1], at + 2
    if length >= 126:
        begin += 2 if length == 126 else 8
        if len(received) < begin:
            return None
        length = int.from_bytes(received[at + 2 : begin])
    return None if len(received) < begin + length else (received[at], begin, begin + length)


TRANSPORTS: Final[dict[str, type[Subscriber]]] = {"WebSocket": OverWebSocket, "SSE": OverSse}


async def begun(kind: type[Subscriber], port: int, asked: Sequence[Asking]) -> list[Subscriber]:
    """All of them, each with its snapshot."""
    loop = asyncio.get_running_loop()
    subscribers: list[Subscriber] = []
    async with asyncio.timeout(PATIENCE):
        for start in range(0, len(asked), AT_ONCE):
            some = [kind(asking) for asking in asked[start : start + AT_ONCE]]
            for one in some:
                await loop.create_connection(lambda one=one: one, HOST, port)
            await asyncio.gather(*(one.begun for one in some))
            subscribers += some
    return subscribers


async def stalled(kind: type[Subscriber], port: int, asked: Sequence[Asking]) -> list[Subscriber]:
    """Streams that begin, and of which nothing is read from then on."""
    subscribers: list[Subscriber] = []
    async with asyncio.timeout(PATIENCE):
        for asking in asked:
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            plain.connect((HOST, port))
            plain.setblocking(False)
            one = kind(asking)
            transport, _ = await asyncio.get_running_loop().create_connection(lambda one=one: one, sock=plain)
            await one.begun
            transport.pause_reading()
            subscribers.append(one)
    return subscribers
