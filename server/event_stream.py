"""An answer of server-sent events: written as they come, with signs of life, until one side has had enough.

Two tasks for each stream, one that tells and one that notices that the client has gone; no queue between them. Whoever
has the next event waits until the client has read enough of those before, and a client that reads nothing for long
is cut off: so it holds one event, and what its connection holds, for some seconds.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HEARTBEAT_SECONDS: Final = 15.0
HEARTBEAT: Final = b": ping\n\n"
COMPLETE: Final = b"event: complete\ndata: \n\n"
"""Browsers pass over events without data."""
CUT: Final = "counterfoil.cut"
"""What the server offers in the scope to end a connection at once, with all that was not read."""


def next_event(json: bytes) -> bytes:
    """Lines end with a line feed alone: urql finds no event else, and the standard allows it."""
    return b"event: next\ndata: " + json + b"\n\n"


class NotRead(Exception):
    """The client has not taken anything for as long as it may."""


class EventStream(Response):
    def __init__(
        self, events: AsyncGenerator[bytes], status: int, headers: Mapping[str, str], seconds_to_read: float
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        del self.headers["content-length"]
        self._events, self._seconds_to_read = events, seconds_to_read
        self._waiting: asyncio.Timeout | None = None
        self._writing = False
        self._broken_off = False

    def break_off(self) -> None:
        """Ends without saying that it is complete: so its client knows that there is more."""
        self._broken_off = True
        self._wake()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.begin(send)
        await self.tell(scope, receive, send)

    async def begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        telling = asyncio.create_task(self._tell(send))
        telling.add_done_callback(lambda _: self._wake())
        try:
            there = await self._until_over(receive, send, telling)
            if telling.done():
                telling.result()
            if there:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except NotRead:
            if (cut := scope.get("extensions", {}).get(CUT)) is not None:
                cut["now"]()
        finally:
            if not telling.done():
                telling.cancel()
                await asyncio.wait({telling})

    async def _until_over(self, receive: Receive, send: Send, telling: "asyncio.Task[None]") -> bool:
        """Whether there is still somebody."""
        while not (telling.done() or self._broken_off):
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS) as self._waiting:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    return False
            except TimeoutError:
                pass
            finally:
                self._waiting = None
            if not (telling.done() or self._broken_off or self._writing):
                await self._write(send, HEARTBEAT)
        return True

    async def _tell(self, send: Send) -> None:
        async with aclosing(self._events):
            async for event in self._events:
                await self._write(send, event)
                del event  # a stream that waits does not hold what it has told

    async def _write(self, send: Send, event: bytes) -> None:
        self._writing = True
        try:
            async with asyncio.timeout(self._seconds_to_read):
                await send({"type": "http.response.body", "body": event, "more_body": True})
        except TimeoutError:
            raise NotRead from None
        finally:
            self._writing = False

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.reschedule(0)
            self._waiting = None
