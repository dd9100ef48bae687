"""Automatic persisted queries: a client sends a hash, and the text to a server that does not know it."""

import json
from typing import Any

import pytest
from strawberry.schema import schema as strawberry_schema

from domain.processes.shop import Shop
from engine import documents
from engine.documents import Documents
from engine.limits import Cost
from engine.recent import Recent
from tests import carts, given
from tests.api import Api, Server
from tests.documents import BEGIN, BROWSE, EVENTS, Ask, by_hash, hash_of, not_known, persisted, refused

SHOWN = {"data": {"products": {"nodes": [{"handle": "mug"}]}}}
SHA = "a" * 64
NONSENSE: list[Any] = [
    5,
    "x",
    [],
    True,
    {"persistedQuery": 5},
    {"persistedQuery": []},
    {"persistedQuery": "x"},
    {"persistedQuery": {}},
    {"persistedQuery": {"version": 1}},
    {"persistedQuery": {"sha256Hash": SHA}},
    {"persistedQuery": {"version": 2, "sha256Hash": SHA}},
    {"persistedQuery": {"version": "1", "sha256Hash": SHA}},
    {"persistedQuery": {"version": True, "sha256Hash": SHA}},
    {"persistedQuery": {"version": None, "sha256Hash": SHA}},
    {"persistedQuery": {"version": 1, "sha256Hash": None}},
    {"persistedQuery": {"version": 1, "sha256Hash": 5}},
    {"persistedQuery": {"version": 1, "sha256Hash": [SHA]}},
    {"persistedQuery": {"version": 1, "sha256Hash": ""}},
    {"persistedQuery": {"version": 1, "sha256Hash": "x" * 201}},
    {"persistedQuery": {"version": 1, "sha256Hash": "a" * 30_000}},
    {"persistedQuery": {"version": 1, "sha256Hash": f"{SHA} "}},
    {"persistedQuery": {"version": 1, "sha256Hash": f"{SHA}\n"}},
    {"persistedQuery": {"version": 1, "sha256Hash": "a\x00"}},
    {"persistedQuery": {"version": 1, "sha256Hash": "ä" * 64}},
    {"persistedQuery": {"version": 1, "sha256Hash": "g" * 64}},
    {"persistedQuery": {"version": 1, "sha256Hash": SHA[:40]}},
    {"persistedQuery": {"version": 1, "sha256Hash": SHA.upper()}},
]


@pytest.fixture
async def ask(shop: Shop, api: Api) -> Ask:
    """Sends to a shop that sells mugs."""
    await given.regions(shop)
    await given.product(shop, "mug")

    async def send(method: str = "POST", **request: Any) -> Any:
        if method == "GET":
            parameters = {k: v if isinstance(v, str) else json.dumps(v) for k, v in request.pop("params").items()}
            return await api.http.get("/graphql", params=parameters, **request)
        return await api.http.post("/graphql", **request)

    return send


def data(answer: Any) -> Any:
    """Without the extensions, which say the region."""
    assert answer.status_code == 200, answer.text
    assert "errors" not in answer.json(), answer.text
    return {"data": answer.json()["data"]}


async def test_a_hash_is_known_once_its_text_was_sent(ask: Ask) -> None:
    not_known(await ask(json=by_hash(BROWSE)))
    not_known(await ask("GET", params=by_hash(BROWSE)))
    assert data(await ask(json={"query": BROWSE, **by_hash(BROWSE)})) == SHOWN
    for empty in ({}, {"query": None}, {"query": ""}):
        assert data(await ask(json={**empty, **by_hash(BROWSE)})) == SHOWN
    assert data(await ask("GET", params=by_hash(BROWSE))) == SHOWN
    none = {**by_hash(BROWSE), "variables": {"first": 0}, "operationName": "Browse"}
    assert data(await ask(json=none)) == data(await ask("GET", params=none)) == {"data": {"products": {"nodes": []}}}


async def test_the_hash_can_come_with_the_prefix_that_code_generators_give_it(ask: Ask) -> None:
    prefixed = persisted(f"sha256:{hash_of(BROWSE)}")
    not_known(await ask(json=prefixed))
    assert data(await ask(json={"query": BROWSE, **prefixed})) == SHOWN
    assert data(await ask(json=prefixed)) == SHOWN


async def test_what_was_run_by_its_text_is_found_by_its_hash_and_not_parsed_again(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    parse, validate = strawberry_schema.parse, documents.validate
    monkeypatch.setattr(strawberry_schema, "parse", lambda text, **more: parsed.append(text) or parse(text, **more))
    validated: list[Any] = []
    monkeypatch.setattr(documents, "validate", lambda *of, **more: validated.append(of) or validate(*of, **more))
    assert data(await ask(json={"query": BROWSE})) == SHOWN
    assert data(await ask(json=by_hash(BROWSE))) == SHOWN
    assert data(await ask("GET", params=by_hash(BROWSE))) == SHOWN
    assert data(await ask("GET", params={"query": BROWSE, **by_hash(BROWSE)})) == SHOWN
    assert (parsed, len(validated)) == ([BROWSE], 1)


async def test_a_hash_of_another_text_is_refused_and_nothing_is_remembered(shop: Shop, ask: Ask) -> None:
    for wrong in (hash_of(BROWSE), "not-a-hash", hash_of(BEGIN).upper(), hash_of(BEGIN)[:40]):
        answer = await ask(json={"query": BEGIN, **persisted(wrong)})
        assert "is not the SHA-256 of the query" in refused(answer, 400, "BAD_REQUEST")
    assert await carts.stored(shop) == []
    not_known(await ask(json=by_hash(BROWSE)))
    not_known(await ask(json=by_hash(BEGIN)))


async def test_a_document_that_is_not_valid_is_not_remembered(ask: Ask) -> None:
    for wrong in ("{ nothing }", "{ products", "query ($id: ID!) { __typename }"):
        answer = await ask(json={"query": wrong, **by_hash(wrong)})
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        not_known(await ask(json=by_hash(wrong)))


async def test_a_write_by_its_hash_is_made_by_post_alone(shop: Shop, ask: Ask) -> None:
    assert data(await ask(json={"query": BEGIN, **by_hash(BEGIN)}))["data"]["cartCreate"]["token"]
    assert data(await ask(json=by_hash(BEGIN)))["data"]["cartCreate"]["token"]
    assert len(await carts.stored(shop)) == 2
    refused(await ask("GET", params=by_hash(BEGIN)), 400, "BAD_REQUEST")
    streamed = await ask(json=by_hash(BEGIN), headers=EVENTS)
    assert '"code":"BAD_REQUEST"' in streamed.text
    assert len(await carts.stored(shop)) == 2


async def test_extensions_that_cannot_be_right_are_refused_with_one_error(shop: Shop, ask: Ask) -> None:
    for extensions in NONSENSE:
        for query in ({}, {"query": BEGIN}):
            refused(await ask(json={**query, "extensions": extensions}), 400, "BAD_REQUEST")
            refused(await ask("GET", params={**query, "extensions": json.dumps(extensions)}), 400, "BAD_REQUEST")
    assert await carts.stored(shop) == []


async def test_an_id_that_cannot_be_right_is_refused_with_one_error(ask: Ask) -> None:
    for name in ("documentId", "doc_id"):
        for wrong in (5, True, [], {}, "", "a b", "a\x00", "'", "x" * 201, "ä"):
            message = refused(await ask(json={name: wrong}), 400, "BAD_REQUEST")
            assert message.startswith(f"{name} must be the id of a document")
        refused(await ask("GET", params={name: "a b"}), 400, "BAD_REQUEST")


async def test_an_unknown_hash_costs_one_statement_at_most(api: Api, ask: Ask) -> None:
    assert api.database
    before = api.database.statements
    for number in range(50):
        not_known(await ask(json=by_hash(str(number))))
    assert api.database.statements - before == 50
    await ask(json={"query": "{ __typename }"})
    before = api.database.statements
    assert data(await ask(json=by_hash("{ __typename }"))) == {"data": {"__typename": "Query"}}
    assert api.database.statements == before


def test_what_was_not_used_for_longest_makes_room_by_number_and_by_size() -> None:
    kept: Recent[str] = Recent(3, 100)
    for key in "abc":
        kept.put(key, key, 10)
    assert kept.get("a") == "a"
    kept.put("d", "d", 10)
    assert [kept.get(key) for key in "abcd"] == ["a", None, "c", "d"]
    kept.put("e", "e", 85)
    assert [kept.get(key) for key in "acde"] == [None, None, "d", "e"]
    for _ in range(100):
        kept.put("e", "again", 85)
    assert [kept.get(key) for key in "de"] == ["d", "again"]
    kept.put("f", "f", 101)
    assert len(kept) == 0
    kept.drop("f")
    kept.put("g", "g", 100)
    assert kept.get("g") == "g"


async def test_many_large_documents_do_not_fill_the_memory(api: Api, ask: Ask) -> None:
    """Parsed, a document takes a hundred times its size: a few hundred of the largest would be gigabytes."""
    documents = Documents(most=1_000, most_characters=10_000)
    text = "{ __typename }".ljust(1_000)
    texts = [f"{text}#{number}" for number in range(100)]
    for each in texts:
        documents.keep(each, strawberry_schema.parse(each), {None: Cost(1)})
    assert [documents.text_of(hash_of(each)) is not None for each in texts] == [False] * 91 + [True] * 9
    large = [f"{{ __typename }} #{number}".ljust(99_000) for number in range(8)]
    for each in large:
        data(await ask(json={"query": each}))
    known = [(await ask(json=by_hash(each))).json() for each in large]
    assert ["data" in answer for answer in known] == [False] * 3 + [True] * 5


async def test_each_process_learns_a_document_once(shop: Shop, start_server: Any) -> None:
    """Whatever process a client ends up with, it sends the text at most once to each."""
    await given.regions(shop)
    server: Server = start_server("--workers", "2", "--no-worker")
    missed = 0
    for _ in range(40):
        async with server.api() as client:  # a connection of its own, so one of the processes
            answer = await client.http.post("/graphql", json=by_hash(BROWSE))
            if "errors" in answer.json():
                not_known(answer)
                missed += 1
                answer = await client.http.post("/graphql", json={"query": BROWSE, **by_hash(BROWSE)})
            assert data(answer) == {"data": {"products": {"nodes": []}}}
    assert 1 <= missed <= 2
