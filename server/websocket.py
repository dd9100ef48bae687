"""GraphQL over WebSocket (`graphql-transport-ws`): the handshake, and who may have a connection.

What a connection may not do differently from HTTP and SSE, it does by the same code: see server/operation.py.
Why the protocol is written here: docs/decisions/0010-websocket.md.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState
from uuid_utils import uuid7

from resolvers.context import Ctx
from resolvers.request_error import Forbidden, RequestError, Unauthenticated
from resolvers.session import network
from server.cookies import SessionCookies
from server.errors import failed_request, refused_request
from server.lasting import goes_on
from server.operation import Asked, Contexts
from server.places import NoPlace, Places, SocketLimits, person
from server.websocket_messages import BAD_REQUEST, Close, Closed, Messages
from server.websocket_operations import Operations, Runs

PROTOCOL: Final = "graphql-transport-ws"
BELIEVED: Final = frozenset(
    {"authorization", "x-access-token", "x-api-key", "x-cart-token", "x-debug", "x-shop-context"}
)
"""Headers that `connection_init` may say instead of the handshake: scripts of a page cannot set those."""
FORBIDDEN: Final = 4403
SUBPROTOCOL_NOT_ACCEPTABLE: Final = 4406
INITIALISATION_TIMEOUT: Final = 4408
TRY_AGAIN_LATER: Final = 1013
INTERNAL_ERROR: Final = 1011
_log = logging.getLogger(__name__)


class Sockets:
    """One per process. Each connection has what it needs and nothing of another's."""

    def __init__(self, contexts: Contexts, runs: Runs, limits: SocketLimits) -> None:
        self._contexts, self._runs, self._limits = contexts, runs, limits
        self._of_address, self._of_caller = Places(limits.connections), Places(limits.connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        await socket.receive()
        peer = socket.client.host if socket.client else ""
        if not self._contexts.cookies.lets_connect(socket):
            await _refuse(socket, "A page of this origin may not connect: STORE_CORS and ADMIN_CORS list those.", 403)
            return
        with ExitStack() as places:
            try:
                places.enter_context(self._of_address.taken(network(peer) or None))
            except NoPlace:
                await _refuse(socket, "There are too many connections from this address.", 429)
                return
            await socket.accept(PROTOCOL if PROTOCOL in scope["subprotocols"] else None)
            goes_on(scope, partial(self._serve, scope, peer, places.pop_all()))

    async def _serve(self, scope: Scope, peer: str, places: ExitStack, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        socket.client_state = socket.application_state = WebSocketState.CONNECTED
        with places:
            await self._follow(socket, peer, places)

    async def _follow(self, socket: WebSocket, peer: str, places: ExitStack) -> None:
        messages = Messages(socket, self._limits.seconds_to_read)
        try:
            if PROTOCOL not in socket.scope["subprotocols"]:
                raise Close(SUBPROTOCOL_NOT_ACCEPTABLE, f"Only {PROTOCOL} is spoken here")
            caller = await self._begin(socket, messages, peer, places)
            async with Operations(messages, caller, self._runs, self._limits.operations) as operations:
                await operations.follow()
        except Closed:
            return
        except Close as close:
            await messages.close(close)
        except Exception:
            _log.exception("a WebSocket failed")
            await messages.close(Close(INTERNAL_ERROR, "Something went wrong on our side"))

    async def _begin(self, socket: WebSocket, messages: Messages, peer: str, places: ExitStack) -> "Caller":
        """Until it is known who is there."""
        try:
            async with asyncio.timeout(self._limits.seconds_to_begin):
                payload = await messages.initialisation()
        except TimeoutError:
            raise Close(INITIALISATION_TIMEOUT, "Connection initialisation timeout") from None
        caller = Caller(socket, {**socket.headers, **believed(payload)}, peer, self._contexts)
        ctx = await _checked(caller)
        await ctx.close()
        try:
            places.enter_context(self._of_caller.taken(person(ctx.actor)))
        except NoPlace:
            raise Close(TRY_AGAIN_LATER, "You have too many connections") from None
        await messages.send({"type": "connection_ack"})
        return caller


@dataclass(frozen=True)
class Caller:
    """What a connection was begun with. Whether it is still good is found out for each operation."""

    socket: HTTPConnection
    headers: Mapping[str, str]
    peer: str
    contexts: Contexts

    async def context(self, request_id: str) -> Ctx:
        cookies = SessionCookies(self.socket, self.contexts.cookies, self.contexts.tokens)
        return await self.contexts.make(Asked(self.headers, self.peer, cookies, request_id, sets_cookies=False))


def believed(payload: Mapping[str, Any]) -> dict[str, str]:
    """The headers that `connection_init` says. Only text is one: an object claims what it cannot prove."""
    headers: dict[str, str] = {}
    for name, value in payload.items():
        if value is None:
            continue
        if not isinstance(value, str):
            raise Close(FORBIDDEN, "Forbidden: connection_init takes headers, whose values are strings")
        header = name.lower()
        if header in headers:
            raise Close(FORBIDDEN, "Forbidden: connection_init says one header twice")
        if header in BELIEVED:
            headers[header] = value
    return headers


async def _checked(caller: Caller) -> Ctx:
    """Whoever proves something that is not good is told now and not with the first operation."""
    request_id = str(uuid7())
    try:
        return await caller.context(request_id)
    except (Unauthenticated, Forbidden) as error:
        raise Close(FORBIDDEN, f"Forbidden: {error.message}") from None
    except RequestError as error:
        raise Close(BAD_REQUEST, error.message) from None
    except Exception as error:
        answer, status = failed_request(error, request_id)
        code = TRY_AGAIN_LATER if status == 503 else INTERNAL_ERROR
        raise Close(code, answer["errors"][0]["message"]) from None


async def _refuse(socket: WebSocket, message: str, status: int) -> None:
    code = "FORBIDDEN" if status == 403 else "TOO_MANY_REQUESTS"
    answer = refused_request(message, code, socket.state.request_id)
    await socket.send_denial_response(JSONResponse(answer, status))
