"""The bytes of files over HTTP: taken by PUT with a token, given out by GET with a token, and pictures of products.

Whoever has an address may use it until it expires, so it names one file and one thing to do. Nothing but pictures that
were decoded by us is ever shown inline; browsers are told to save the rest, to guess no types and to run nothing.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db import File
from domain import file as files
from domain import storage
from domain.content import SHOWN_INLINE, THUMBNAIL_TYPE
from domain.processes.receive_file import WrongBytes, files_of, receive_file
from domain.processes.shop import Shop
from domain.refusal import NotFound
from server.errors import failed_request, refused_request
from server.tokens import SignedTokens

SILENCE: Final = 30.0
"""Seconds within which an upload must go on."""
HEX: Final = re.compile(r"[0-9a-f]{32}")
ONE_RANGE: Final = re.compile(r"bytes=([0-9]{0,12})-([0-9]{0,12})")
SAFE: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
}
"""Even where somebody opens it as a page, or takes it for something else, nothing runs."""
FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asked:
    """A file with what is asked of it: itself, or its thumbnail of some width."""

    file: File
    width: int | None
    cache_control: str

    @property
    def key(self) -> str:
        if self.width is None:
            return storage.original(self.file.id)
        return storage.thumbnail(self.file.id, self.width)

    @property
    def headers(self) -> dict[str, str]:
        kind = THUMBNAIL_TYPE if self.width is not None else self.file.content_type or ""
        how = "inline" if kind in SHOWN_INLINE else "attachment"
        name = quote(self.file.name if self.width is None else f"{self.width}.webp", safe="")
        return {
            **SAFE,
            "content-type": kind,
            "content-disposition": f"{how}; filename*=UTF-8''{name}",
            "cache-control": self.cache_control,
            "etag": f'"{self.file.sha256[:32]}{"" if self.width is None else f"-{self.width}"}"',
            "accept-ranges": "bytes",
        }


class FileServer:
    """One per process. Every address that leads nowhere is answered alike."""

    def __init__(self, shop: Shop, tokens: SignedTokens) -> None:
        self._shop, self._tokens = shop, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            if scope["method"] == "PUT":
                response = await self._put(request)
            else:
                response = await self._get(request)
        except NotFound:
            response = _refused(request, 404, "NOT_FOUND", "There is nothing here, or not any more.")
        except ClientDisconnect:
            return
        except Exception as error:
            answer, status = failed_request(error, request.state.request_id)
            response = _json(answer, status)
        await response(scope, receive, send)

    async def _put(self, request: Request) -> Response:
        found = self._tokens.read_upload_token(request.path_params["token"])
        if found is None:
            raise NotFound
        file_id, until = found
        file = await files.expected(self._shop.read, file_id)
        if file is None:
            raise NotFound
        if "content-encoding" in request.headers:
            return _refused(request, 415, "BAD_REQUEST", "Send the bytes as they are, without an encoding.")
        told = request.headers.get("content-length", "")
        if told.isascii() and told.isdigit() and int(told[:20]) != file.size:
            return _wrong(request, too_many=int(told[:20]) > file.size)
        seconds = (until - datetime.now(UTC)).total_seconds()
        try:
            async with asyncio.timeout(seconds), aclosing(_arriving(request)) as arriving:
                await receive_file(self._shop, file_id, arriving)
        except TimeoutError:
            return _refused(request, 408, "UPLOAD_TOO_SLOW", "The bytes came too slowly; send them again.")
        except WrongBytes as wrong:
            return _wrong(request, too_many=wrong.too_many)
        return Response(status_code=204)

    async def _get(self, request: Request) -> Response:
        asked = await (self._private(request) if "token" in request.path_params else self._media(request))
        headers = asked.headers
        if headers["etag"] in request.headers.get("if-none-match", "")[:1000].split(", "):
            return Response(status_code=304, headers=headers)
        kept = files_of(self._shop).storage
        size = asked.file.size if asked.width is None else await kept.size(asked.key)
        if size is None:
            raise NotFound
        first, last = _range(request.headers, headers["etag"], size)
        if first > last:
            response = _refused(request, 416, "RANGE_NOT_SATISFIABLE", "The file has fewer bytes.")
            response.headers["content-range"] = f"bytes */{size}"
            return response
        headers["content-length"] = str(last - first + 1)
        status = 200
        if last - first + 1 < size:
            status, headers["content-range"] = 206, f"bytes {first}-{last}/{size}"
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        parts = kept.read(asked.key, first, last - first + 1)
        beginning = await anext(parts, b"")
        if not beginning:
            raise NotFound
        return _Bytes(status, headers, beginning, parts)

    async def _private(self, request: Request) -> Asked:
        found = self._tokens.read_file_token(request.path_params["token"])
        if found is None:
            raise NotFound
        file_id, width, until = found
        seconds = max(int((until - datetime.now(UTC)).total_seconds()), 0)
        file = await files.to_serve(self._shop.read, file_id, width)
        return Asked(file, width, f"private, max-age={seconds}")

    async def _media(self, request: Request) -> Asked:
        given = request.path_params
        if not HEX.fullmatch(given["file_id"]):
            raise NotFound
        width: int | None = given.get("width")
        file = await files.media_to_serve(self._shop.read, UUID(given["file_id"]), given["hash"], width)
        return Asked(file, width, FOR_EVER)


class _Bytes(Response):
    """Sends what comes from a storage, no faster than it is taken. What ends too early is cut off."""

    def __init__(self, status: int, headers: dict[str, str], beginning: bytes, parts: AsyncGenerator[bytes]) -> None:
        super().__init__(status_code=status)
        self._beginning, self._parts = beginning, parts
        self._start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        async with aclosing(self._parts) as parts:
            await send(self._start)
            await send({"type": "http.response.body", "body": self._beginning, "more_body": True})
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _arriving(request: Request) -> AsyncGenerator[bytes]:
    """The body as it comes; one that pauses for long is given up."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                part = await anext(stream)
        except StopAsyncIteration:
            return
        yield part


def _range(headers: Any, etag: str, size: int) -> tuple[int, int]:
    """First and last byte that are asked for; the whole where nothing, or no single plain range, is. Empty: none fits.

    Several ranges at once are answered with the whole: reading them is work, and no client of files needs them.
    """
    whole = 0, size - 1
    given = ONE_RANGE.fullmatch(headers.get("range", "")[:64])
    if given is None or headers.get("if-range", etag) != etag or given[0] == "bytes=-":
        return whole
    first, last = given[1], given[2]
    if not first:
        return max(size - int(last), 0), size - 1
    if last and int(last) < int(first):
        return whole
    return int(first), min(int(last), size - 1) if last else size - 1


def _wrong(request: Request, *, too_many: bool) -> Response:
    if too_many:
        return _refused(request, 413, "PAYLOAD_TOO_LARGE", "These are more bytes than were announced.")
    return _refused(request, 422, "CHECKSUM_MISMATCH", "These are not the bytes that were announced; nothing was kept.")


def _refused(request: Request, status: int, code: str, message: str) -> Response:
    response = _json(refused_request(message, code, request.state.request_id), status)
    response.headers["cache-control"] = "no-store"
    if request.method == "PUT":
        response.headers["connection"] = "close"  # what else is on its way is not read
    return response


def _json(answer: dict[str, Any], status: int) -> Response:
    return Response(orjson.dumps(answer), status, headers=SAFE, media_type="application/json")
