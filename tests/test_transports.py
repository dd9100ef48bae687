"""Fault 49: whatever is refused over one transport is refused over every other, with the same error."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from engine.documents import hash_of
from tests import carts, documents
from tests.live import own_database
from tests.sockets import Served, begun, connected, serving

POST, GET, SSE, WEBSOCKET = TRANSPORTS = ("POST", "GET", "SSE", "WebSocket")
STREAMS = (GET, SSE, WEBSOCKET)
QUERY = "{ __typename }"
WRITE = "mutation A { cartCreate(input: {}) { token } }"
BOTH = "query B { __typename } " + WRITE
PAGE = "{ products(first: $a) { totalCount } }"
TWO = "query A { __typename } query B { regions { code } }"
EVENTS = 'subscription { ticketEvents(ticketId: "x") { __typename } }'
Told = list[tuple[str, str]]
"""Code and message of each error."""


@dataclass(frozen=True)
class Refused:
    """What is sent, and over which transports it can be; `code` is what all of them answer."""

    request: dict[str, Any]
    code: str
    over: tuple[str, ...] = TRANSPORTS
    headers: dict[str, str] = field(default_factory=dict[str, str])


def persisted(hash_: object, version: object = 1) -> dict[str, Any]:
    return {"persistedQuery": {"version": version, "sha256Hash": hash_}}


MANY = " ".join(f"a{n}: __typename" for n in range(16))
IN_JSON = (POST, SSE, WEBSOCKET)
"""In an address everything is text."""
CASES: dict[str, Refused] = {
    "no query": Refused({}, "BAD_REQUEST", IN_JSON),
    "a null query": Refused({"query": None}, "BAD_REQUEST", IN_JSON),
    "an empty query": Refused({"query": ""}, "BAD_REQUEST", IN_JSON),
    "a query that is a number": Refused({"query": 5}, "BAD_REQUEST", IN_JSON),
    "a query that is a list": Refused({"query": [QUERY]}, "BAD_REQUEST", IN_JSON),
    "variables that are a list": Refused({"query": QUERY, "variables": []}, "BAD_REQUEST", IN_JSON),
    "variables that are text": Refused({"query": QUERY, "variables": "{}"}, "BAD_REQUEST", IN_JSON),
    "extensions that are a number": Refused({"query": QUERY, "extensions": 1}, "BAD_REQUEST", IN_JSON),
    "a name that is a number": Refused({"query": QUERY, "operationName": 1}, "BAD_REQUEST", IN_JSON),
    "a name that is an object": Refused({"query": QUERY, "operationName": {}}, "BAD_REQUEST", IN_JSON),
    "an unknown name": Refused({"query": QUERY, "operationName": "Other"}, "BAD_REQUEST"),
    "two operations and no name": Refused({"query": TWO}, "BAD_REQUEST"),
    "no operation": Refused({"query": "fragment F on Query { __typename }"}, "BAD_REQUEST"),
    "no GraphQL": Refused({"query": "{"}, "BAD_USER_INPUT"),
    "comments alone": Refused({"query": "# nothing"}, "BAD_USER_INPUT"),
    "an unknown field": Refused({"query": "{ regionz { id } }"}, "BAD_USER_INPUT"),
    "an unknown directive": Refused({"query": "{ __typename @defer_ }"}, "BAD_USER_INPUT"),
    "two unknown fields": Refused({"query": "{ a b }"}, "BAD_USER_INPUT"),
    "fragments in circles": Refused({"query": "{ ...A } fragment A on Query { ...A }"}, "BAD_USER_INPUT"),
    "a deep selection": Refused({"query": "{ " + "a { " * 2_000 + "b" + " }" * 2_001}, "BAD_USER_INPUT"),
    "a variable that is missing": Refused({"query": f"query ($a: Int!) {PAGE}"}, "BAD_USER_INPUT"),
    "a variable of another kind": Refused(
        {"query": f"query ($a: Int) {PAGE}", "variables": {"a": "x"}}, "BAD_USER_INPUT"
    ),
    "more than may be asked for": Refused({"query": f"{{ {MANY} }}"}, "LIMIT_EXCEEDED"),
    "a page that is too large": Refused({"query": "{ products(first: 1000) { totalCount } }"}, "BAD_USER_INPUT"),
    "another text than the hash": Refused({"query": QUERY, "extensions": persisted("0" * 64)}, "BAD_REQUEST"),
    "an unknown hash": Refused({"extensions": persisted("0" * 64)}, "PERSISTED_QUERY_NOT_FOUND"),
    "a hash that is none": Refused({"extensions": persisted("not_one")}, "BAD_REQUEST"),
    "a hash that is a number": Refused({"extensions": persisted(5)}, "BAD_REQUEST"),
    "another version of hashes": Refused({"extensions": persisted("0" * 64, 2)}, "BAD_REQUEST"),
    "hashes that are a list": Refused({"extensions": {"persistedQuery": []}}, "BAD_REQUEST"),
    "an unknown document": Refused({"documentId": "nothing.of.this.name"}, "DOCUMENT_NOT_FOUND"),
    "a document that is a sentence": Refused({"documentId": "no id"}, "BAD_REQUEST"),
    "a write": Refused({"query": WRITE}, "BAD_REQUEST", STREAMS),
    "a write beside a read": Refused({"query": BOTH, "operationName": "A"}, "BAD_REQUEST", STREAMS),
    "a write by its hash": Refused({"query": WRITE, "extensions": persisted(hash_of(WRITE))}, "BAD_REQUEST", STREAMS),
    "a stream without one": Refused({"query": EVENTS}, "BAD_REQUEST", (POST, GET)),
    "what needs a permission": Refused({"query": "{ tickets { totalCount } }"}, "UNAUTHENTICATED"),
    "a token that is none": Refused({"query": QUERY}, "UNAUTHENTICATED", headers={"authorization": "Bearer x"}),
    "a key that is none": Refused({"query": QUERY}, "UNAUTHENTICATED", headers={"x-api-key": "x"}),
    "a context that is none": Refused({"query": QUERY}, "BAD_REQUEST", headers={"x-shop-context": "Germany"}),
}  # fmt: skip
ON_A_SOCKET_BEFORE = {"a token that is none", "a key that is none", "a context that is none"}
"""A WebSocket does not even begin."""


async def over_http(served: Served, transport: str, case: Refused) -> Told:
    accept = {"accept": "text/event-stream" if transport == SSE else "application/json"}
    headers = {**case.headers, **accept}
    if transport == GET:
        parameters = {name: v if isinstance(v, str) else json.dumps(v) for name, v in case.request.items()}
        answer = await served.api.http.get("/graphql", params=parameters, headers=headers)
    else:
        answer = await served.api.http.post("/graphql", json=case.request, headers=headers)
    if answer.headers["content-type"].startswith("text/event-stream"):
        first, last = answer.text.strip().split("\n\n")
        assert last == "event: complete\ndata:", answer.text
        told = json.loads(first.removeprefix("event: next\ndata: "))
    else:
        told = answer.json()
    assert told.get("data") is None
    return shown(told["errors"])


def shown(errors: list[dict[str, Any]]) -> Told:
    return [(error["extensions"]["code"], error["message"]) for error in errors]


async def over_websocket(served: Served, case: Refused, why: str) -> Told:
    if why in ON_A_SOCKET_BEFORE:
        async with connected(served.url, case.headers) as socket:
            await socket.send({"type": "connection_init"})
            code, reason = await socket.closed()
            assert code == (4400 if case.code == "BAD_REQUEST" else 4403)
            return [(case.code, reason.removeprefix("Forbidden: "))]
    async with begun(served.url, case.headers) as socket:
        await socket.send({"type": "subscribe", "id": "1", "payload": case.request})
        message = await socket.message()
        if message["type"] == "next":
            assert message["payload"]["data"] is None
            await socket.completes("1")
            return shown(message["payload"]["errors"])
        assert message["type"] == "error", message
        return shown(message["payload"])


async def told_by_all(served: Served, case: Refused, why: str) -> dict[str, Told]:
    told = {each: await over_http(served, each, case) for each in case.over if each != WEBSOCKET}
    return told | ({WEBSOCKET: await over_websocket(served, case, why)} if WEBSOCKET in case.over else {})


@pytest_asyncio.fixture(scope="module", name="served")
async def served_fixture(postgres: str, template: str) -> AsyncIterator[Any]:
    async with own_database(postgres, template) as (url, shop, _), serving(url) as served:
        yield served, shop


@pytest.mark.parametrize("why", CASES)
async def test_what_one_transport_refuses_every_other_refuses_alike(served: Any, why: str) -> None:
    there, shop = served
    case = CASES[why]
    told = await told_by_all(there, case, why)
    first = told[case.over[0]]
    assert {code for code, _ in first} == {case.code}
    if why.startswith("a write"):  # GET says which method it was
        told.pop(GET)
        first = told[SSE]
    assert told == dict.fromkeys(told, first)
    assert await carts.stored(shop) == []


async def test_where_documents_have_to_be_registered_they_have_to_be_over_every_transport(
    postgres: str, template: str
) -> None:
    trusted = "query Trusted { __typename }"
    async with (
        own_database(postgres, template) as (url, shop, _),
        serving(url, COUNTERFOIL_DOCUMENTS="trusted") as served,
    ):
        await documents.trust(shop, trusted=trusted)
        for why, request in {
            "a text": {"query": QUERY},
            "an id": {"documentId": "other"},
            "a hash": {"extensions": persisted(hash_of(QUERY))},
            "the text of a write": {"query": WRITE},
        }.items():
            told = await told_by_all(served, Refused(request, "DOCUMENT_NOT_TRUSTED"), why)
            assert {code for errors in told.values() for code, _ in errors} == {"DOCUMENT_NOT_TRUSTED"}, why
            assert told == dict.fromkeys(TRANSPORTS, told[POST])
        async with begun(served.url) as socket:
            for request in ({"query": trusted}, {"documentId": "trusted"}, {"extensions": persisted(hash_of(trusted))}):
                assert await socket.asked(**{"query": None, **request}) == {"data": {"__typename": "Query"}}


async def test_what_is_too_large_is_too_large_over_every_transport(served: Any) -> None:
    there, _ = served
    large = QUERY + "#" * 100 * 1024
    for accept in ("application/json", "text/event-stream"):
        answer = await there.api.http.post("/graphql", json={"query": large}, headers={"accept": accept})
        assert (answer.status_code, shown(answer.json()["errors"])[0][0]) == (413, "PAYLOAD_TOO_LARGE")
    async with begun(there.url) as socket:
        await socket.subscribe(large)
        assert (await socket.closed())[0] == 1009


async def test_a_batch_is_one_over_no_transport(served: Any) -> None:
    there, shop = served
    batch = [{"query": QUERY}, {"query": WRITE}]
    for accept in ("application/json", "text/event-stream"):
        answer = await there.api.http.post("/graphql", json=batch, headers={"accept": accept})
        assert (answer.status_code, shown(answer.json()["errors"])[0][0]) == (400, "BAD_REQUEST")
    async with begun(there.url) as socket:
        await socket.send({"type": "subscribe", "id": "1", "payload": batch})
        assert (await socket.closed())[0] == 4400
    async with begun(there.url) as socket:
        await socket.send([{"type": "subscribe", "id": "1", "payload": one} for one in batch])
        assert (await socket.closed())[0] == 4400
    assert await carts.stored(shop) == []
