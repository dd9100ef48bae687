"""What a request for a query means, as far as its answer may depend on it."""

from collections.abc import MutableSequence
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import orjson
from starlette.types import Message, Receive, Scope

from domain.document import hash_in
from engine.documents import hash_of
from resolvers.request_error import RequestError
from server.cookies import MARK
from server.document import RECHECK_SECONDS, persisted_query
from server.kept import LONGEST_SECONDS
from server.view import LARGEST_BODY

PERSONAL: Final = frozenset({b"authorization", b"x-api-key", b"x-debug"})
"""Requests with one of these headers are answered for themselves alone."""
DECISIVE: Final = frozenset({b"accept", b"content-type", b"x-shop-context"})
"""The other headers that an answer may depend on. Secrets are not among them: what is kept reads none."""
OVERHEAD: Final = 300
"""What a spelling takes besides its bytes, roughly."""
Asked = tuple[Any, ...]


@dataclass(frozen=True)
class Question:
    """`spelling` is what was sent, byte by byte, `key` what it means; `document` is the same with any variables."""

    spelling: Any
    size: int
    key: bytes
    document: bytes
    seconds: float
    """How long its answer may be kept."""


def asked_by(scope: Scope) -> Asked | None:
    """The method and the decisive headers, as they were sent; nothing if the answer is for the caller alone."""
    method = scope["method"]
    if method not in {"GET", "POST"}:
        return None
    asked = [method]
    for header in scope["headers"]:
        name, value = header
        if name in DECISIVE:
            if name == b"accept" and b"event-stream" in value.lower():
                return None
            asked.append(header)
        elif name in PERSONAL or (name == b"cookie" and MARK.encode() in value):
            return None
    return tuple(asked)


async def whole_body(receive: Receive, read: MutableSequence[Message]) -> bytes:
    """The body, or nothing if it does not come as a whole or is too large. What was read is in `read`."""
    size = 0
    while True:
        message = await receive()
        read.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or size > LARGEST_BODY:
            return b""
        if not message.get("more_body"):
            return message["body"] if len(read) == 1 else b"".join(one["body"] for one in read)


def question(raw: bytes, asked: Asked, *, trusted_only: bool = False) -> Question | None:
    """Nothing if it is none, or one that the endpoint has to refuse."""
    try:
        return _question(raw, asked, trusted_only=trusted_only)
    except (RequestError, AttributeError, TypeError, ValueError, RecursionError):
        return None


def _question(raw: bytes, asked: Asked, *, trusted_only: bool) -> Question:
    given = _parameters(raw) if asked[0] == "GET" else orjson.loads(raw)
    extensions, variables = _object(given.get("extensions")), given.get("variables")
    name = persisted_query(extensions)
    text_hash = _text_hash(given.get("query"), name)
    others = {name: value for name, value in extensions.items() if name != "persistedQuery"}
    listed = {"query", "variables", "extensions"}
    named = {name: value for name, value in given.items() if value is not None and name not in listed}
    document = [text_hash or ["id", name], named, others, trusted_only]
    meaning = raw.decode("latin-1") if asked[0] == "GET" else [*document, _object(variables)]
    return Question(
        spelling=(raw, asked),
        size=len(raw) + sum(len(value) for _, value in asked[1:]) + OVERHEAD,
        key=_digest(
            [asked[0], [repr(header) for header in sorted(asked[1:], key=itemgetter(0))], meaning, trusted_only]
        ),
        document=_digest(document),
        seconds=RECHECK_SECONDS if text_hash is None or trusted_only else LONGEST_SECONDS,
    )


def _object(value: Any) -> dict[str, Any]:
    """Null means the same as an empty one. An empty list or a zero does not: the endpoint refuses them."""
    if not isinstance(value, dict | None):
        raise TypeError(value)
    return cast("dict[str, Any]", value or {})


def _parameters(query_string: bytes) -> dict[str, Any]:
    given: dict[str, Any] = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    return {**given, "extensions": orjson.loads(given.get("extensions", "null"))}


def _text_hash(text: Any, name: str | None) -> str | None:
    """That of the text to run; nothing if it is named otherwise, so that its name may come to mean another."""
    named = None if name is None else hash_in(name)
    if not isinstance(text, str | None):
        raise TypeError(text)
    if not text:
        return named
    if name is not None and named != hash_of(text):
        raise ValueError(name)
    return hash_of(text)


def _digest(meaning: list[Any]) -> bytes:
    return sha256(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)).digest()
