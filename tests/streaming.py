"""A client of an app in this process that is answered piece by piece: httpx's own waits for the end of an answer, and
some streams have none.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx

from tests.api import Api


@dataclass
class _Parts(httpx.AsyncByteStream):
    """`None` is the end. Who closes it has gone away."""

    queue: "asyncio.Queue[bytes | None]"
    gone: asyncio.Event
    serving: "asyncio.Future[None]"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (part := await self.queue.get()) is not None:
            yield part

    async def aclose(self) -> None:
        self.gone.set()
        await self.serving


class Streaming(httpx.AsyncBaseTransport):
    def __init__(self, app: Any) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        waiting = [{"type": "http.request", "body": await request.aread(), "more_body": False}]
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        gone, started = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.set_result(message)
                return
            queue.put_nowait(message.get("body", b""))
            if not message.get("more_body"):
                queue.put_nowait(None)

        url = request.url
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw], "scheme": url.scheme,
            "path": url.path, "raw_path": url.raw_path, "query_string": url.query, "root_path": "",
            "server": (url.host, url.port), "client": ("127.0.0.1", 123),
        }  # fmt: skip
        serving = asyncio.ensure_future(self._app(scope, receive, send))
        await asyncio.wait({started, serving}, return_when=asyncio.FIRST_COMPLETED)
        begun = started.result() if started.done() else await serving
        return httpx.Response(begun["status"], headers=begun["headers"], stream=_Parts(queue, gone, serving))


@asynccontextmanager
async def streaming(api: Api) -> AsyncGenerator[Api]:
    """The same caller of the same app."""
    app = cast(Any, api.http)._transport.app
    async with httpx.AsyncClient(transport=Streaming(app), base_url=api.http.base_url) as http:
        yield replace(api, http=http)
