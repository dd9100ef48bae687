"""In front of the endpoint: answers that are kept already, and what HTTP is told about keeping the others.

A kept answer costs a look into a dictionary and two sends. The endpoint is asked for everything else.
"""

import asyncio
import logging
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from typing import Final, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.context import Ctx
from server.kept import Answer, KeptAnswers, Position, tags_of
from server.question import Question, asked_by, question, whole_body
from server.relay import Relay
from server.shared_answers import SharedAnswers

PATH: Final = "/graphql"
IDLE_SECONDS: Final = 30.0
NOT_KEPT: Final = (b"cache-control", b"private, no-store")
VARY: Final = (b"vary", b"Authorization, Cookie, X-Api-Key, X-Shop-Context, Accept, Accept-Encoding")
"""Whoever signs in by a cookie may have prices of their own: what a browser or a proxy holds is not for them then."""
MOST_DOCUMENTS: Final = 10_000
Headers = list[tuple[bytes, bytes]]
_log = logging.getLogger(__name__)


class AnswersFirst:
    """The middleware. What it asks is made when the application starts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await cast(Answers, scope["state"]["answers"]).respond(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Answers:
    """One per process. Without `kept` nothing is, without `shared` there is no Redis."""

    def __init__(
        self,
        relay: Relay,
        kept: KeptAnswers | None,
        shared: SharedAnswers | None,
        max_age: int,
        *,
        trusted_only: bool = False,
    ) -> None:
        self._relay, self._kept, self._shared = relay, kept, shared
        self._trusted_only = trusted_only
        """Documents may be taken away then, so their answers are kept for seconds only."""
        self._public: Headers = [(b"cache-control", b"public, max-age=%d" % max_age), VARY]
        self._asked_at = 0.0
        self._following: asyncio.Task[None] | None = None
        self._running: dict[bytes, asyncio.Event] = {}
        """By key: what is being executed."""
        self._keeps: OrderedDict[bytes, bool] = OrderedDict()
        """By document: whether its last answer could be kept."""

    async def respond(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        asked = asked_by(scope)
        if asked is None:
            await app(scope, receive, _Private(send))
            return
        read: list[Message] = []
        raw = scope["query_string"] if asked[0] == "GET" else await whole_body(receive, read)
        if self._kept is not None:
            answer = self._kept.find((raw, asked))
            if answer is not None:
                self._asked_at = time.monotonic()
                await _send(answer, scope, send)
                return
        receive = _replayed(read, receive)
        asked_for = question(raw, asked, trusted_only=self._trusted_only) if raw else None
        if asked_for is None:
            await app(scope, receive, _Private(send))
            return
        answer = await self._find(asked_for)
        if answer is not None:
            self._asked_at = time.monotonic()
            await _send(answer, scope, send)
        else:
            await self._execute(asked_for, app, scope, receive, send)

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        if self._shared is not None:
            await self._shared.close()

    async def _find(self, asked: Question) -> Answer | None:
        """It may be known by its meaning, be executed just now for somebody else, or be known to another process."""
        if self._kept is None or self._kept.position is None:
            return None
        answer = self._kept.find_key(asked)
        keeps = self._keeps.get(asked.document)
        if answer is not None or keeps is False:
            return answer
        running = self._running.get(asked.key)
        if keeps and running is not None:
            await running.wait()
            return self._kept.find_key(asked)
        found = await self._shared.find(asked.key) if self._shared is not None else None
        if found is None or not self._kept.keep_of_other(found, asked):
            return None
        self._remember(asked, keeps=True)
        return self._kept.find_key(asked)

    async def _execute(self, asked: Question, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        over = self._running.setdefault(asked.key, asyncio.Event())
        read_from = self._kept.position if self._kept is not None else None

        async def finish(start: Message, body: bytes) -> None:
            answer = self._answer(asked, scope, start, body, read_from)
            over.set()
            if answer is not None:
                await _send(answer, scope, send)
            else:
                await _Private(send)(start)
                await send({"type": "http.response.body", "body": body})

        try:
            await app(scope, receive, _Whole(send, finish))
        finally:
            over.set()
            if self._running.get(asked.key) is over:
                del self._running[asked.key]

    def _answer(
        self, asked: Question, scope: Scope, start: Message, body: bytes, read_from: Position | None
    ) -> Answer | None:
        """What was just executed, if it is the same for everybody; kept if it can be."""
        ctx = cast("Ctx | None", scope["state"].get("ctx"))
        kind = dict(cast(Headers, start["headers"])).get(b"content-type", b"")
        keeps = ctx is not None and ctx.shared and start["status"] == 200 and kind.startswith(b"application/")
        self._remember(asked, keeps=keeps)
        if ctx is None or not keeps:
            return None
        self._follow()
        etag = b'"' + b64encode(sha256(body).digest()[:18]) + b'"'
        about: Headers = [(b"etag", etag), *self._public] if scope["method"] == "GET" else [NOT_KEPT]
        answer = Answer(
            key=asked.key,
            body=body,
            headers=[(b"content-type", kind), (b"content-length", b"%d" % len(body)), *about],
            tags=tags_of(ctx.reads),
            horizon=0 if read_from is None else read_from.horizon,
            until=time.time() + asked.seconds,
        )
        kept = self._kept is not None and read_from is not None and self._kept.keep(answer, read_from, asked)
        if kept and self._shared is not None:
            self._shared.put(answer)
        return answer

    def _remember(self, asked: Question, *, keeps: bool) -> None:
        """Who asks the same later need not wait for another, nor ask Redis, if it is in vain."""
        self._keeps[asked.document] = keeps
        self._keeps.move_to_end(asked.document)
        if len(self._keeps) > MOST_DOCUMENTS:
            self._keeps.popitem(last=False)

    def _follow(self) -> None:
        """Changes are followed while anybody asks for what can be kept; the first answers are not kept yet."""
        self._asked_at = time.monotonic()
        if self._kept is not None and (self._following is None or self._following.done()):
            self._following = asyncio.create_task(self._run())

    async def _run(self) -> None:
        kept = cast(KeptAnswers, self._kept)
        try:
            if self._shared is not None:
                await self._shared.begin()
            async with self._relay.observe(kept):
                while True:
                    left = self._asked_at + IDLE_SECONDS - time.monotonic()
                    if left <= 0:
                        break
                    await asyncio.sleep(left)
        except Exception:
            _log.warning("changes cannot be followed, so no answers are kept; trying again", exc_info=True)
        finally:
            kept.forget()


class _Private:
    """Sends what is for the caller alone."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Headers = [header for header in message["headers"] if header[0] != b"cache-control"]
            message = {**message, "headers": [*headers, NOT_KEPT]}
        await self._send(message)


class _Whole:
    """Holds an answer back until it is whole, and then finishes it; a stream is sent on as it comes."""

    def __init__(self, send: Send, finish: Callable[[Message, bytes], Awaitable[None]]) -> None:
        self._send, self._finish = _Private(send), finish
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif self._start is None:
            await self._send(message)
        elif message.get("more_body"):
            start, self._start = self._start, None
            await self._send(start)
            await self._send(message)
        else:
            await self._finish(self._start, message.get("body", b""))


def _replayed(read: Iterable[Message], receive: Receive) -> Receive:
    """What was read already, and then what comes."""
    again = iter(read)

    async def replayed() -> Message:
        for message in again:
            return message
        return await receive()

    return replayed


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    if scope["method"] == "GET" and _has(answer, scope):
        headers = [header for header in answer.headers if not header[0].startswith(b"content-")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})


def _has(answer: Answer, scope: Scope) -> bool:
    """The client says that it has this very answer."""
    etag = dict(answer.headers)[b"etag"]
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    return bool(given) and any(one.strip().removeprefix(b"W/") in {etag, b"*"} for one in given.split(b","))
