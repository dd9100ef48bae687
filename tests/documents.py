"""Documents as clients name them: by text, by hash, by id."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import httpx

from domain import document
from domain.document import RegisterDocument
from domain.processes.shop import Shop

BROWSE = "query Browse($first: Int) { products(first: $first) { nodes { handle } } }"
BEGIN = "mutation Begin { cartCreate(input: {}) { token cart { id } } }"
WATCH = """subscription Watch($ticket: ID!, $token: String) {
  item: ticketEvents(ticketId: $ticket, accessToken: $token) {
    __typename ... on TicketChange { event { ... on TicketMessagePosted { body } } }
  }
}"""
INTROSPECTION = "{ __schema { queryType { name } } }"
EVENTS = {"accept": "text/event-stream"}

Ask = Callable[..., Awaitable[httpx.Response]]


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def persisted(name: str) -> dict[str, Any]:
    """What clients of automatic persisted queries send beside a text, or in its place."""
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": name}}}


def by_hash(text: str) -> dict[str, Any]:
    return persisted(hash_of(text))


async def trust(shop: Shop, **texts: str) -> None:
    async with shop.tx() as tx:
        await document.register(tx, [RegisterDocument(id_, text) for id_, text in texts.items()])


async def distrust(shop: Shop, *ids: str) -> None:
    async with shop.tx() as tx:
        await document.remove(tx, ids)


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """The message of the one error, which comes with its code and no data, and which no cache keeps."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-store"
    assert list(answer.json()) == ["errors"]
    (error,) = answer.json()["errors"]
    assert error["extensions"] == {"code": code, "requestId": answer.headers["x-request-id"]}
    return error["message"]


def not_known(answer: httpx.Response) -> None:
    """What Apollo's clients and urql's take as the invitation to send the text."""
    assert refused(answer, 200, "PERSISTED_QUERY_NOT_FOUND") == "PersistedQueryNotFound"
