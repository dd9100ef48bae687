"""A proxy that loses answers: the request has had its whole effect, and the client never hears of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import httpx

PASSED_ON: Final = frozenset({"accept", "authorization", "content-type"})


class LosingProxy:
    """Passes requests on to `target`, and hangs up in place of its answer where `loses(body)` says so."""

    def __init__(self, target: str, loses: Callable[[bytes], bool]) -> None:
        self._target, self._loses = target, loses
        self.lost = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        """Its address, while it runs."""
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self._target, timeout=60, limits=limits) as http:

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    writer.write(await self._pass_on(http, reader))
                    await writer.drain()
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            async with server:
                yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _pass_on(self, http: httpx.AsyncClient, reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip()
        first, *rest = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        kept = {name: value for name, value in headers.items() if name in PASSED_ON}
        answer = await http.request(method, path, content=body, headers=kept)
        if self._loses(body):
            self.lost += 1
            return b""
        about = f"Content-Type: application/json\r\nContent-Length: {len(answer.content)}\r\nConnection: close"
        return f"HTTP/1.1 {answer.status_code} OK\r\n{about}\r\n\r\n".encode() + answer.content
