"""Messages of `graphql-transport-ws`, read and written: what is none of them closes the connection, and why is said."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

BAD_REQUEST: Final = 4400
UNAUTHORISED: Final = 4401
TOO_MANY_INITIALISATIONS: Final = 4429
DOES_NOT_READ: Final = 1013
LONGEST_REASON: Final = 123
"""Bytes: what fits into a close frame."""
Message = dict[str, Any]


class Close(Exception):
    """Ends the connection and says why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")


class Closed(Exception):
    """The connection has ended; there is nobody to say anything to."""


class Messages:
    """Of one connection.

    One message is written at a time, and whoever has the next one waits: so a client that does not read holds one
    item of each of its operations in memory and nothing else, and is let go after a while.
    """

    def __init__(self, socket: WebSocket, seconds_to_read: float) -> None:
        self._socket = socket
        self._seconds_to_read = seconds_to_read
        self._writing = asyncio.Lock()
        self._closed = False

    async def send(self, message: Mapping[str, Any]) -> None:
        text = orjson.dumps(message).decode()
        async with self._writing:
            if self._closed:
                raise Closed
            try:
                async with asyncio.timeout(self._seconds_to_read):
                    await self._socket.send_text(text)
            except TimeoutError:
                await self.close(Close(DOES_NOT_READ, "You do not read what you are sent; connect again and resume"))
                raise Closed from None
            except WebSocketDisconnect:
                self._closed = True
                raise Closed from None

    async def close(self, close: Close) -> None:
        """Whoever waits for a message of the client learns it too, since the server then says that it has gone."""
        if not self._closed:
            self._closed = True
            try:
                await self._socket.close(close.code, close.reason)
            except WebSocketDisconnect:
                return

    async def initialisation(self) -> Message:
        """What `connection_init` carries, which is what has to come first."""
        while True:
            message = await self.next()
            if message["type"] == "connection_init":
                return _object(message, "payload", required=False)
            if message["type"] == "subscribe":
                raise Close(UNAUTHORISED, "Unauthorized: connection_init comes first")

    async def next(self) -> Message:
        """The next one that is not only a sign of life."""
        while True:
            message = _read(await self._received())
            if message["type"] == "ping":
                payload = _object(message, "payload", required=False)
                await self.send({"type": "pong", **({"payload": payload} if payload else {})})
            elif message["type"] == "pong":
                _object(message, "payload", required=False)
            else:
                return message

    async def _received(self) -> Message:
        received = cast(Message, await self._socket.receive())
        if self._closed or received["type"] == "websocket.disconnect":
            self._closed = True
            raise Closed
        return received


def subscribed(message: Message) -> tuple[str, Message]:
    return operation_id(message), _object(message, "payload", required=True)


def operation_id(message: Message) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not found:
        raise Close(BAD_REQUEST, f"{message['type']} has an id, which is a string")
    return found


def _read(received: Message) -> Message:
    text = received.get("text")
    if text is None:
        raise Close(BAD_REQUEST, "Messages are text")
    try:
        message: object = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        raise Close(BAD_REQUEST, "Messages are JSON") from None
    known = cast(Message, message) if isinstance(message, dict) else {}
    if known.get("type") not in _TYPES:
        raise Close(BAD_REQUEST, f"Messages are objects, with one of these types: {', '.join(_TYPES)}")
    return known


_TYPES: Final = ("connection_init", "ping", "pong", "subscribe", "complete")


def _object(message: Message, name: str, *, required: bool) -> Message:
    found = message.get(name)
    if found is None and not required:
        return {}
    if not isinstance(found, dict):
        raise Close(BAD_REQUEST, f"The {name} of {message['type']} is an object")
    return cast(Message, found)
