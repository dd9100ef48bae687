"""WebSocket frames below ASGI: uvicorn's protocol, ended so that clients learn why, and kept from growing.

It closes the TCP connection together with what it says last. Whatever the client was still sending is then answered
by a reset, and the reset overtakes the reason. Here it stops writing, and reads on until the client has closed.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.protocol import Protocol

from server.waiting import Flag, Line

LARGEST_MESSAGE: Final = 100 * 1024
MOST_FRAGMENTS: Final = 1_024
"""Of one message: each costs memory, also one of nothing."""
CLOSING_SECONDS: Final = 5.0
"""For so long a client may take to answer that the connection is closed."""


class WebSocketFrames(WebSocketsSansIOProtocol):
    failed = False
    """The client broke the protocol: nothing that it sends is looked at any more."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.queue, self.writable = cast(Any, Line()), cast(Any, Flag(is_set=True))

    def handle_connect(self, event: Request) -> None:
        """What was asked is in the scope; the parser, which is between two messages, would hold it for ever."""
        super().handle_connect(event)
        del self.request
        if not (self.close_sent or self.conn.reader.buffer):
            self.conn.parser = Protocol.parse(self.conn)
            next(self.conn.parser)

    def data_received(self, data: bytes) -> None:
        if not self.failed:
            super().data_received(data)

    def handle_ping(self) -> None:
        """Whoever does not read the pongs gets no more of them; uvicorn would hold them all."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MOST_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._fail(CloseCode.MESSAGE_TOO_BIG)

    def send_receive_event_to_app(self) -> None:
        """uvicorn would log a traceback for text that is none."""
        try:
            if self.curr_msg_data_type == "text":
                b"".join(self.frames).decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA)
        else:
            super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """The client has been told by a close frame, which is not sent yet."""
        self.failed = True
        if self.close_sent:
            return
        said = self.conn.close_sent
        code, reason = (said.code, said.reason) if said is not None else (CloseCode.ABNORMAL_CLOSURE, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.stop_keepalive()
        self.close_sent = True
        if self.transport.is_closing():
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        if self.read_paused:
            self.transport.resume_reading()
        self.close_timer = self._let_go_later()

    async def send(self, message: ASGISendEvent) -> None:
        """A close frame does not wait for a client that does not read: it is what that client finds at the end."""
        closes = message["type"] == "websocket.close"
        if closes:
            self.writable.set()
        await super().send(message)
        if message["type"] == "websocket.accept" and self.handshake_complete:
            del self.response
        if closes and self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self._let_go_later()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.close_timer = self._let_go_later()

    def _fail(self, code: CloseCode) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.fail(code)
            self.handle_parser_exception()

    def _let_go_later(self) -> asyncio.TimerHandle:
        """Not only closed: that would wait for the client to read."""
        return self.loop.call_later(CLOSING_SECONDS, self.transport.abort)
