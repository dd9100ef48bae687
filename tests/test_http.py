"""The transport: which requests are operations at all, and what the process says about itself."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from db.workflow import ActorKind
from domain.processes.shop import Shop
from tests import carts, customers, given
from tests.api import Api

JSON = {"content-type": "application/json"}
LARGEST = 100 * 1024
WRITE = {"query": "mutation { cartCreate(input: {}) { token } }"}
TWO = "query A { __typename } query B { regions { id } }"
NOT_REQUESTS: dict[str, bytes] = {
    "text": b'"x"',
    "a number": b"5",
    "null": b"null",
    "true": b"true",
    "an empty batch": b"[]",
    "a batch": json.dumps([WRITE, WRITE]).encode(),
    "nothing": b"",
    "no JSON": b"{",
    "two values": b'{"query": "{ __typename }"} {}',
    "not UTF-8": b'{"query": "\xff"}',
    "UTF-16": json.dumps(WRITE).encode("utf-16"),
    "raw controls": b'{"query": "{ __typename }\x00"}',
    "half a surrogate pair": b'{"query": "\\ud800"}',
    "deep lists": b"[" * 50_000,
    "deep objects": b'{"a":' * 20_000,
    "a deep variable": b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
    "a huge number": b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
    "not a number": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "no query": b"{}",
    "a null query": b'{"query": null}',
    "an empty query": b'{"query": ""}',
    "a query that is a number": b'{"query": 5}',
    "a query that is a list": b'{"query": ["{ __typename }"]}',
    "variables that are a list": b'{"query": "{ __typename }", "variables": []}',
    "variables that are text": b'{"query": "{ __typename }", "variables": "{}"}',
    "extensions that are a number": b'{"query": "{ __typename }", "extensions": 1}',
    "a name that is a number": b'{"query": "{ __typename }", "operationName": 1}',
    "a name that is an object": b'{"query": "{ __typename }", "operationName": {}}',
    "an unknown name": b'{"query": "{ __typename }", "operationName": "Other"}',
    "an empty name": b'{"query": "{ __typename }", "operationName": ""}',
    "no operation": b'{"query": "fragment F on Query { __typename }"}',
}


def refused(answer: httpx.Response, status: int = 400, code: str = "BAD_REQUEST") -> None:
    """An error that is typed, carries the request's id, and comes with no data."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    (error,) = answer.json()["errors"]
    assert error["message"]
    assert error["extensions"] == {"code": code, "requestId": answer.headers["x-request-id"]}
    assert "data" not in answer.json()


@pytest.fixture
async def graphql(shop: Shop, api: Api) -> Any:
    """Sends to the endpoint in a shop that could begin carts."""
    await given.regions(shop)

    async def send(method: str = "POST", **request: Any) -> httpx.Response:
        return await api.http.request(method, "/graphql", **request)

    return send


async def test_a_body_that_is_no_request_is_refused(shop: Shop, graphql: Any) -> None:
    for why, body in NOT_REQUESTS.items():
        answer = await graphql(content=body, headers=JSON)
        assert answer.status_code == 400, (why, answer.text)
        refused(answer)
    assert await carts.stored(shop) == []


async def test_unknown_and_repeated_keys_of_a_request_do_no_harm(graphql: Any) -> None:
    known = b'"query": "{", "query": "{ __typename }", "variables": null, "extensions": null, "operationName": null'
    body = b'{"id": 5, "doc_id": "x", ' + known + b"}"
    answer = await graphql(content=body, headers=JSON)
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_a_request_has_at_most_100_kibibytes(shop: Shop, graphql: Any) -> None:
    write = json.dumps(WRITE).encode()

    async def pieces(size: int) -> AsyncIterator[bytes]:
        yield write
        yield b" " * (size - len(write))

    for size, accepted in ((LARGEST, True), (LARGEST + 1, False), (5 * LARGEST, False)):
        for content in (write.ljust(size), pieces(size)):
            answer = await graphql(content=content, headers=JSON)
            if accepted:
                assert answer.status_code == 200
            else:
                refused(answer, 413, "PAYLOAD_TOO_LARGE")
    assert len(await carts.stored(shop)) == 2


async def test_who_has_permissions_sends_up_to_four_mebibytes(shop: Shop, api: Api, graphql: Any) -> None:
    write, much = json.dumps(WRITE).encode(), 4 * 1024 * 1024
    staff = (await customers.staff(shop, api, "products:write")).headers
    without = (await customers.staff(shop, api)).headers
    customer = api.signed_in(await given.access_token(shop, ActorKind.CUSTOMER, await given.customer(shop))).headers
    refused(await graphql(content=write.ljust(LARGEST + 1), headers={**JSON, **customer}), 413, "PAYLOAD_TOO_LARGE")
    refused(await graphql(content=write.ljust(LARGEST + 1), headers={**JSON, **without}), 413, "PAYLOAD_TOO_LARGE")
    forged = {**JSON, "authorization": "Bearer forged"}
    refused(await graphql(content=write.ljust(LARGEST + 1), headers=forged), 401, "UNAUTHENTICATED")
    refused(await graphql(content=write.ljust(much + 1), headers={**JSON, **staff}), 413, "PAYLOAD_TOO_LARGE")
    assert await carts.stored(shop) == []
    assert (await graphql(content=write.ljust(much), headers={**JSON, **staff})).status_code == 200
    assert len(await carts.stored(shop)) == 1


async def test_a_post_that_a_form_of_another_site_could_send_is_refused(shop: Shop, graphql: Any) -> None:
    """A browser sends these without asking first: with them any page could act as its visitor."""
    body = json.dumps(WRITE)
    simple = (
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    )
    for content_type in simple:
        refused(await graphql(content=body, headers={"content-type": content_type}), 403, "FORBIDDEN")
    refused(await graphql(content=body), 403, "FORBIDDEN")
    refused(await graphql(data=WRITE), 403, "FORBIDDEN")
    refused(await graphql(data={"operations": body, "map": "{}"}, files={"0": b"x"}), 403, "FORBIDDEN")
    refused(await graphql(params=WRITE), 403, "FORBIDDEN")
    assert await carts.stored(shop) == []
    for content_type in ("application/json", "application/json; charset=utf-8"):
        assert (await graphql(content=body, headers={"content-type": content_type})).status_code == 200, content_type


async def test_get_reads(graphql: Any) -> None:
    query = "query One($h: String!) { product(by: { handle: $h }) { id } } query Two { __typename }"
    params = {"query": query, "operationName": "One", "variables": '{"h": "nothing"}'}
    assert (await graphql("GET", params=params)).json() == {"data": {"product": None}}


async def test_get_does_not_write(shop: Shop, graphql: Any) -> None:
    refused(await graphql("GET", params=WRITE))
    refused(await graphql("GET", params={"query": "query A { __typename } " + WRITE["query"], "operationName": ""}))
    named = {"query": "query A { __typename } mutation B { cartCreate(input: {}) { token } }", "operationName": "B"}
    refused(await graphql("GET", params=named))
    assert await carts.stored(shop) == []


async def test_variables_may_have_any_names_by_get_too(graphql: Any) -> None:
    """Also those of parameters: a number is no operationName, and may be a variable of this name."""
    query = (
        "query ($operationName: Int, $query: Int) { products(first: $operationName, last: $query) { nodes { id } } }"
    )
    answer = await graphql("GET", params={"query": query, "variables": '{"operationName": 1, "query": null}'})
    assert answer.json()["data"] == {"products": {"nodes": []}}


async def test_parameters_of_get_that_are_nonsense_are_refused(graphql: Any) -> None:
    for name in ("variables", "extensions"):
        for value in ("[]", "5", '"x"', "{", "\x00", "[" * 5_000):
            params = {"query": "{ __typename }", name: value}
            refused(answer := await graphql("GET", params=params))
            assert f"`{name}`" in answer.json()["errors"][0]["message"]
        answer = await graphql("GET", params={"query": "{ __typename }", name: "null"})
        assert answer.json() == {"data": {"__typename": "Query"}}
    refused(await graphql("GET", params={"query": ""}, headers={"accept": "application/json"}))
    refused(await graphql("GET", headers={"accept": "application/json"}))


async def test_other_methods_are_refused(shop: Shop, graphql: Any) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        refused(await graphql(method, json=WRITE), 405)
    assert (await graphql("HEAD")).status_code == 405
    assert await carts.stored(shop) == []


async def test_which_of_several_operations_is_meant_must_be_said(shop: Shop, graphql: Any) -> None:
    for query in (TWO, "{ __typename } query B { __typename }", TWO.replace("query B", "mutation B"), TWO * 2):
        for request in ({"query": query}, {"query": query, "operationName": None}):
            refused(await graphql(json=request))
        refused(await graphql("GET", params={"query": query}))
    answer = await graphql(json={"query": TWO, "operationName": "A"})
    assert answer.json() == {"data": {"__typename": "Query"}}
    answer = await graphql(json={"query": TWO, "operationName": "B"})
    assert len(answer.json()["data"]["regions"]) == 3
    assert (await graphql(json={"query": "query A { __typename } fragment F on Query { a: __typename }"})).is_success
    assert await carts.stored(shop) == []


async def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """What a stream that has ended consisted of."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    read = [(name.removeprefix("event: "), data.removeprefix("data:").strip()) for name, data in blocks]
    return [(name, json.loads(data) if data else None) for name, data in read]


async def test_a_write_is_not_made_over_a_stream(shop: Shop, graphql: Any) -> None:
    """A closed connection would cut it off midway."""
    named = {"query": f"query A {{ __typename }} {WRITE['query'].replace('mutation', 'mutation B')}"}
    for request in (
        WRITE,
        {**named, "operationName": "B"},
        named,
        {},
        {"query": "{ __typename }", "operationName": "X"},
    ):
        answer = await graphql(json=request, headers={"accept": "text/event-stream"})
        (first, item), last = await events(answer)
        assert (first, last) == ("next", ("complete", None))
        assert item["data"] is None
        (error,) = item["errors"]
        assert error["extensions"] == {"code": "BAD_REQUEST", "requestId": answer.headers["x-request-id"]}, request
    assert await carts.stored(shop) == []


async def test_a_query_may_be_streamed(graphql: Any) -> None:
    answer = await graphql(json={"query": "{ __typename }"}, headers={"accept": "text/event-stream"})
    assert await events(answer) == [("next", {"data": {"__typename": "Query"}}), ("complete", None)]


async def test_who_takes_json_and_streams_gets_json(shop: Shop, graphql: Any) -> None:
    """urql asks like this; over a stream its writes would be refused."""
    urql = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream"
    answer = await graphql(json=WRITE, headers={"accept": f"{urql}, multipart/mixed"})
    assert answer.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert answer.json()["data"]["cartCreate"]["token"]
    assert len(await carts.stored(shop)) == 1


async def test_a_subscription_is_a_stream_or_nothing(graphql: Any) -> None:
    query = 'subscription { ticketEvents(ticketId: "x") { __typename } }'
    for accept in ("*/*", "application/json", "multipart/mixed", "text/html"):
        refused(await graphql(json={"query": query}, headers={"accept": accept}))
    refused(await graphql("GET", params={"query": query}))


async def test_a_batch_is_refused_over_a_stream_as_well(shop: Shop, graphql: Any) -> None:
    refused(await graphql(json=[WRITE], headers={"accept": "text/event-stream"}))
    assert await carts.stored(shop) == []
