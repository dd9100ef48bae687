"""Clients over WebSocket, and one shop with a server in this process for all tests of a module."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.app import create_app
from server.relay import Relay
from server.serve import web_config
from server.settings import read_settings
from server.view import GraphQLEndpoint
from server.websocket import PROTOCOL, Sockets
from tests import given
from tests.api import ENGINE, SECRET, Api, free_port
from tests.browser import SITES
from tests.live import PATIENCE, TICKET_EVENTS, Live, own_database

BEGIN = {"type": "connection_init"}
TYPENAME = "{ __typename }"


@dataclass
class Socket:
    connection: ClientConnection
    _ids: Any

    async def send(self, message: Any) -> None:
        """Objects as JSON, text and bytes as they are."""
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def message(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.connection.recv())

    async def begin(self, **payload: Any) -> None:
        await self.send({**BEGIN, "payload": payload} if payload else BEGIN)
        assert await self.message() == {"type": "connection_ack"}

    async def subscribe(self, query: str | None = None, variables: dict[str, Any] | None = None, **more: Any) -> str:
        id_ = str(next(self._ids))
        payload = {"query": query, "variables": variables, **more}
        await self.send({"type": "subscribe", "id": id_, "payload": payload})
        return id_

    async def watch(self, ticket: given.Ticket, after: int | None = None, *, with_token: bool = True) -> str:
        token = ticket.access_token if with_token else None
        return await self.subscribe(TICKET_EVENTS, {"ticket": ticket.id, "after": after, "token": token})

    async def next(self, id_: str) -> dict[str, Any]:
        """The next answer of this operation, which has to be the next message."""
        message = await self.message()
        assert (message["type"], message["id"]) == ("next", id_), message
        return message["payload"]

    async def item(self, id_: str) -> dict[str, Any]:
        payload = await self.next(id_)
        assert "errors" not in payload, payload
        return payload["data"]["item"]

    async def completes(self, id_: str) -> None:
        assert await self.message() == {"type": "complete", "id": id_}

    async def errors(self, id_: str) -> list[dict[str, Any]]:
        """Those with which the operation ended."""
        message = await self.message()
        assert (message["type"], message["id"]) == ("error", id_), message
        return message["payload"]

    async def error(self, id_: str) -> tuple[str, str]:
        (error,) = await self.errors(id_)
        return error["extensions"]["code"], error["message"]

    async def asked(self, query: str, variables: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """The whole answer to a query."""
        id_ = await self.subscribe(query, variables, **more)
        answer = await self.next(id_)
        await self.completes(id_)
        return answer

    async def closed(self) -> tuple[int, str]:
        """The code and the reason with which the server closes, without saying anything before."""
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(PATIENCE):
                await self.connection.recv()
        said = closed.value.rcvd
        assert said is not None, "cut off without a close frame (1006)"
        return said.code, said.reason


@asynccontextmanager
async def connected(
    url: str, headers: dict[str, str] | None = None, *, protocols: tuple[str, ...] = (PROTOCOL,), **more: Any
) -> AsyncIterator[Socket]:
    """To a server at http://…; leaving the block closes in order."""
    settings: dict[str, Any] = {"compression": None, "proxy": None, "open_timeout": PATIENCE, **more}
    async with connect(
        url.replace("http", "ws", 1) + "/graphql",
        subprotocols=[*protocols] or None,  # pyright: ignore[reportArgumentType] - which are only names
        additional_headers=headers,
        **settings,
    ) as connection:
        yield Socket(connection, count(1))


@asynccontextmanager
async def begun(url: str, headers: dict[str, str] | None = None, **payload: Any) -> AsyncIterator[Socket]:
    async with connected(url, headers) as socket:
        await socket.begin(**payload)
        yield socket


async def refused(url: str, headers: dict[str, str] | None = None, **more: Any) -> tuple[int, str]:
    """The status and the code with which the handshake was refused."""
    with pytest.raises(InvalidStatus) as status:
        async with connected(url, headers, **more):
            pass
    answer = status.value.response
    (error,) = json.loads(answer.body or b"")["errors"]
    assert error["extensions"]["requestId"] == answer.headers["x-request-id"]
    return answer.status_code, error["extensions"]["code"]


@dataclass(frozen=True)
class Served:
    url: str
    api: Api
    relay: Relay
    sockets: Sockets
    endpoint: GraphQLEndpoint

    def limit(self, **limits: Any) -> None:
        """For connections from now on."""
        self.sockets._limits = replace(self.sockets._limits, **limits)
        self.endpoint._seconds_to_read = self.sockets._limits.seconds_to_read

    async def nothing_is_left(self) -> None:
        """No stream listens, and no connection has a place, after a moment."""
        await given.until(self._quiet)

    async def _quiet(self) -> bool:
        listening = {topic for topic in self.relay._listeners if topic.startswith("ticket:")}
        return not (listening or self.sockets._of_address._taken or self.sockets._of_caller._taken)


@asynccontextmanager
async def serving(database_url: str, **environment: str) -> AsyncIterator[Served]:
    """The application behind uvicorn as `counterfoil serve` runs it, in this process: so a test sees into it."""
    own = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "ANSWER_CACHE_MIB": "0"}
    settings = read_settings({**ENGINE, **own, **SITES, **environment})
    config = web_config(lambda: create_app(settings), settings.trusted_proxies)
    config.port = free_port()
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{config.port}"
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as http:
            sockets, endpoint = (server.lifespan.state[part] for part in ("sockets", "endpoint"))
            yield Served(url, Api(http), sockets._contexts.live._log, sockets, endpoint)
    finally:
        server.should_exit = True
        await task


@dataclass(frozen=True)
class Watched(Live):
    served: Served


@pytest_asyncio.fixture(scope="module", name="watched")
async def watched_fixture(postgres: str, template: str) -> AsyncIterator[Watched]:
    async with own_database(postgres, template) as (url, shop, variant), serving(url) as served:
        yield Watched(shop, served.api, url, variant, served)
