"""A small HTTP/1.1 client for load: keep-alive, no redirects, bodies with Content-Length only."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Protocol

import orjson

HOST = "127.0.0.1"


class WrongAnswer(Exception):
    """The server answered, but not what is to be measured."""


class Asks(Protocol):
    """Sends one request and returns the body of its answer."""

    async def post(self, path: str, body: bytes) -> bytes: ...


Operation = Callable[[Asks], Awaitable[None]]
"""What is counted and timed as one: some requests over one connection."""


def head(path: str, length: int, *, accept: str = "application/json") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection(HOST, port, limit=1 << 20))

    async def post(self, path: str, body: bytes) -> bytes:
        self._writer.write(head(path, len(body)) + body)
        received = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        start = received.index(b"content-length:") + 15
        answer = await self._reader.readexactly(int(received[start : received.index(b"\r\n", start)]))
        if received[9:12] != b"200":
            raise WrongAnswer(answer[:500].decode())
        return answer

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def ask(client: Asks, document: str, **variables: Any) -> Any:
    """The data of one GraphQL answer; a refusal is a wrong answer."""
    raw = await client.post("/graphql", orjson.dumps({"query": document, "variables": variables}))
    answer: dict[str, Any] = orjson.loads(raw)
    data: dict[str, Any] = answer["data"] or {}
    payload: dict[str, Any] = data.get("payload") or {}
    if "errors" in answer or payload.get("userErrors"):
        raise WrongAnswer(raw[:500].decode())
    return data


def reading(path: str, document: str, **variables: Any) -> Operation:
    """One request that is always the same; only looked at for errors."""
    body = orjson.dumps({"query": document, "variables": variables})

    async def operate(client: Asks) -> None:
        answer = await client.post(path, body)
        if b'"errors":' in answer:
            raise WrongAnswer(answer[:500].decode())

    return operate


def reading_in_turn(path: str, document: str, listed: Sequence[Mapping[str, Any]]) -> Operation:
    """One request, with the next of these variables each time."""
    operations = cycle([reading(path, document, **variables) for variables in listed])

    async def operate(client: Asks) -> None:
        await next(operations)(client)

    return operate


@dataclass
class Load:
    """What was done in how many seconds; times are of whole operations, in seconds."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list[float])


async def load(port: int, operation: Operation, seconds: float, concurrency: int) -> Load:
    """Keeps `concurrency` operations going for so many seconds."""
    done = Load()
    clients = [await Client.connect(port) for _ in range(concurrency)]
    began = time.perf_counter()
    end = began + seconds

    async def go_on(client: Client) -> None:
        while (start := time.perf_counter()) < end:
            await operation(client)
            done.times.append(time.perf_counter() - start)

    await asyncio.gather(*(go_on(client) for client in clients))
    done.seconds = time.perf_counter() - began
    for client in clients:
        await client.close()
    return done
