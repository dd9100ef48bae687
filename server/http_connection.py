"""HTTP below ASGI: uvicorn's protocol, which lets an answer cut off a client that does not read it."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.event_stream import CUT


class HttpConnection(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"now": self.transport.abort}}
