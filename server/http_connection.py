"""HTTP below ASGI: uvicorn's protocol, which lets an answer cut off a client that does not read it.

What a connection holds while an answer goes on for hours is small: see server/waiting.py.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.event_stream import CUT
from server.waiting import Flag, Pipeline


class Flow(FlowControl):
    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_writable_event = cast(Any, Flag(is_set=True))


class HttpConnection(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self.flow = Flow(transport)
        self.pipeline = cast(Any, Pipeline())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"now": self.transport.abort}}

    def on_headers_complete(self) -> None:
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # its task has not begun yet
            self.cycle.message_event = cast(Any, Flag())

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self.parser = cast(Any, None)  # which would keep itself and all of this until garbage is collected
