"""Trusted documents: registered before they are asked for, by ids; a shop can run these and no others."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from db.connection import connect
from domain import document
from domain.document import RegisterDocument
from domain.processes.shop import Shop
from domain.refusal import Refusal, refusals_of
from server import document as requested
from server.document import TrustedDocuments
from server.question import question
from tests import carts, given
from tests.api import Api, running_app
from tests.documents import (
    BEGIN,
    BROWSE,
    EVENTS,
    INTROSPECTION,
    WATCH,
    by_hash,
    distrust,
    hash_of,
    not_known,
    persisted,
    refused,
    trust,
)

EMPTY = {"products": {"nodes": []}}
CUSTOM = "b50c8d0d54bc44e0a3e8a4b9d3d3a8f0"
"""An MD5, as Relay gives."""


@pytest.fixture
async def strict(shop: Shop, database_url: str) -> AsyncIterator[Api]:
    """A running shop that accepts nothing but trusted documents; nothing is trusted yet."""
    await given.regions(shop)
    async with running_app(database_url, COUNTERFOIL_DOCUMENTS="trusted") as api:
        yield api


async def post(api: Api, body: dict[str, Any], **headers: str) -> Any:
    return await api.http.post("/graphql", json=body, headers=headers)


async def get(api: Api, parameters: dict[str, Any], **headers: str) -> Any:
    written = {name: v if isinstance(v, str) else json.dumps(v) for name, v in parameters.items()}
    return await api.http.get("/graphql", params=written, headers=headers)


def named(id_: str) -> list[dict[str, Any]]:
    """Every way in which clients give an id."""
    return [{"documentId": id_}, {"doc_id": id_}, persisted(id_)]


def not_trusted(answer: Any) -> None:
    assert "runs trusted documents only" in refused(answer, 403, "DOCUMENT_NOT_TRUSTED")


@pytest.mark.parametrize("mode", ["any", "trusted"])
async def test_a_trusted_document_is_asked_for_by_its_id(shop: Shop, database_url: str, mode: str) -> None:
    await given.regions(shop)
    await trust(shop, **{CUSTOM: BROWSE, f"sha256:{hash_of(BEGIN)}": BEGIN})
    async with running_app(database_url, COUNTERFOIL_DOCUMENTS=mode) as api:
        by_sha = [*named(hash_of(BROWSE)), *named(f"sha256:{hash_of(BROWSE)}")]
        for name in (*named(CUSTOM), *by_sha, {"documentId": CUSTOM, "query": None, "extensions": {}}):
            assert (await post(api, name)).json()["data"] == EMPTY
            for accept in ("*/*", "text/html", "application/json"):  # not the page of GraphiQL
                answer = await get(api, {k: v for k, v in name.items() if v is not None}, accept=accept)
                assert answer.json()["data"] == EMPTY
        for name in (*named(hash_of(BEGIN)), *named(f"sha256:{hash_of(BEGIN)}")):
            refused(await get(api, name), 400, "BAD_REQUEST")
            assert await carts.stored(shop) == []
        await post(api, {"documentId": hash_of(BEGIN), "operationName": "Begin"})
        assert len(await carts.stored(shop)) == 1


async def test_an_unknown_id_is_told_so(api: Api) -> None:
    for name in ({"documentId": CUSTOM}, {"doc_id": CUSTOM}, {"documentId": hash_of(BROWSE)}):
        refused(await post(api, name), 404, "DOCUMENT_NOT_FOUND")
        refused(await get(api, name, accept="text/html"), 404, "DOCUMENT_NOT_FOUND")
        refused(await post(api, name, **EVENTS), 404, "DOCUMENT_NOT_FOUND")
    not_known(await post(api, by_hash(BROWSE)))
    refused(await post(api, persisted(CUSTOM)), 400, "BAD_REQUEST")


async def test_what_one_client_sent_is_no_trusted_document_for_another(api: Api) -> None:
    await post(api, {"query": "{ __typename }"})
    refused(await post(api, {"documentId": hash_of("{ __typename }")}), 404, "DOCUMENT_NOT_FOUND")


async def test_a_shop_that_trusts_refuses_every_other_text(shop: Shop, strict: Api) -> None:
    await trust(shop, **{CUSTOM: BROWSE})
    for text in (BEGIN, INTROSPECTION, "{ __typename }", f"{BROWSE} ", "not GraphQL", WATCH):
        for body in ({"query": text}, {"query": text, **by_hash(text)}, {"query": text, "documentId": CUSTOM}):
            not_trusted(await post(strict, body))
            not_trusted(await post(strict, body, **EVENTS))
            not_trusted(await get(strict, body))
        for name in (*named(hash_of(text)), *named("unknown")):
            not_trusted(await post(strict, name))
            not_trusted(await post(strict, name, **EVENTS))
            not_trusted(await get(strict, name))
    assert await carts.stored(shop) == []
    assert (await post(strict, {})).status_code == 400
    for body in ({"query": BROWSE}, {"query": BROWSE, **by_hash(BROWSE)}, {"query": BROWSE, "documentId": "other"}):
        assert (await post(strict, body)).json()["data"] == EMPTY
        assert (await get(strict, body)).json()["data"] == EMPTY
        assert '"nodes":[]' in (await post(strict, body, **EVENTS)).text


async def test_a_registration_counts_at_once_in_a_running_shop(shop: Shop, strict: Api) -> None:
    not_trusted(await post(strict, {"documentId": CUSTOM}))
    await trust(shop, **{CUSTOM: BROWSE})
    assert (await post(strict, {"documentId": CUSTOM})).json()["data"] == EMPTY
    assert (await post(strict, {"query": BROWSE})).json()["data"] == EMPTY


@pytest.mark.parametrize("body", [{"documentId": CUSTOM}, by_hash(BROWSE), {"query": BROWSE}])
async def test_a_removed_document_stops_working_within_seconds(
    shop: Shop, strict: Api, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    await trust(shop, **{CUSTOM: BROWSE})
    monkeypatch.setattr(requested, "RECHECK_SECONDS", 0.5)
    assert (await post(strict, body)).json()["data"] == EMPTY
    await distrust(shop, CUSTOM)

    async def is_refused() -> bool:
        answer = await post(strict, body)
        return answer.status_code == 403

    await given.until(is_refused)
    not_trusted(await post(strict, body))
    await trust(shop, **{CUSTOM: BROWSE})
    assert (await post(strict, body)).json()["data"] == EMPTY


async def test_a_known_document_costs_no_statement_and_an_unknown_one_a_single_one(shop: Shop, strict: Api) -> None:
    await trust(shop, **{CUSTOM: "{ __typename }"})
    assert strict.database
    await post(strict, {"documentId": CUSTOM})
    before = strict.database.statements
    for _ in range(20):
        await post(strict, {"documentId": CUSTOM})
    assert strict.database.statements == before
    for number in range(20):
        await post(strict, {"documentId": f"unknown-{number}"})
        await post(strict, {"query": f"{{ a{number} }}"})
        await post(strict, by_hash(f"{{ a{number} }}"))
    assert strict.database.statements == before + 60


async def test_a_flood_of_unknown_ids_takes_no_memory(shop: Shop) -> None:
    await trust(shop, **{CUSTOM: BROWSE})
    trusted = TrustedDocuments(shop.read)
    for number in range(500):
        assert await trusted.text(f"unknown-{number}") is None
    assert len(trusted._held) == 0
    for _ in range(3):
        assert await trusted.text(CUSTOM) == BROWSE
    assert len(trusted._held) == 1


async def test_twenty_who_register_the_same_at_once_register_it_once(shop: Shop, database_url: str) -> None:
    commands = [RegisterDocument(f"id-{n}", f"{{ a{n}: __typename }}", ("query",)) for n in range(2_000)]
    database = await connect(database_url, min_size=20, max_size=20)

    async def register(seed: int) -> int:
        async with database.tx() as tx:
            return await document.register(tx, random.Random(seed).sample(commands, len(commands)))

    new = await asyncio.gather(*(register(seed) for seed in range(20)))
    await database.close()
    assert sorted(new) == [0] * 19 + [2_000]
    rows = await document.registered(shop.read)
    assert {row.id: (row.text, row.sha256, row.operations) for row in rows} == {
        command.id: (command.text, hash_of(command.text), ["query"]) for command in commands
    }


async def test_of_twenty_texts_for_one_id_one_wins_and_the_others_are_refused_whole(
    shop: Shop, database_url: str
) -> None:
    database = await connect(database_url, min_size=20, max_size=20)

    async def register(number: int) -> object:
        commands = [RegisterDocument("same", f"{{ a{number}: __typename }}"), RegisterDocument(f"own-{number}", BROWSE)]
        try:
            async with database.tx() as tx:
                await document.register(tx, commands)
        except Refusal as refusal:
            return *refusal.path, refusal.message
        return number

    told = await asyncio.gather(*(register(number) for number in range(20)))
    await database.close()
    (winner,) = [number for number in told if isinstance(number, int)]
    assert set(told) == {winner, ("same", "There is another document with this id.")}
    rows = {row.id: row.text for row in await document.registered(shop.read)}
    assert rows == {"same": f"{{ a{winner}: __typename }}", f"own-{winner}": BROWSE}


async def test_of_several_ids_all_are_removed_or_none(shop: Shop) -> None:
    await trust(shop, first=BROWSE, second=BEGIN)
    with pytest.raises(ExceptionGroup) as refused_:
        await distrust(shop, "first", "other", "second", "third", "other")
    assert [refusal.path for refusal in refusals_of(refused_.value)] == [("other",), ("third",)]
    assert len(await document.registered(shop.read)) == 2
    await distrust(shop, "first", "second", "first")
    assert await document.registered(shop.read) == []


@pytest.mark.parametrize(
    ("id_", "text", "path"),
    [
        ("", BROWSE, "id"),
        ("a b", BROWSE, "id"),
        ("x" * 201, BROWSE, "id"),
        ("a\n", BROWSE, "id"),
        ("sha256:", BROWSE, "id"),
        (f"sha256:{hash_of(BEGIN)}", BROWSE, "id"),
        (f"sha256:{hash_of(BROWSE).upper()}", BROWSE, "id"),
        ("a", "", "text"),
        ("a", "x" * (100 * 1024 + 1), "text"),
        ("a", "ä" * (50 * 1024 + 1), "text"),
        ("a", "{ __typename } # \0", "text"),
    ],
)
def test_a_document_that_cannot_be_is_refused(id_: str, text: str, path: str) -> None:
    with pytest.raises(Refusal) as refused_:
        RegisterDocument(id_, text)
    assert refused_.value.path == (path,)
    assert RegisterDocument("x" * 200, "x" * 100 * 1024).sha256 == hash_of("x" * 100 * 1024)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answers_of_a_shop_that_runs_anything_are_not_taken_over_and_none_outlives_its_document(method: str) -> None:
    raw = b"query=%7B%20__typename%20%7D" if method == "GET" else b'{"query": "{ __typename }"}'
    anything, trusted = question(raw, (method,)), question(raw, (method,), trusted_only=True)
    assert anything is not None
    assert trusted is not None
    assert anything.key != trusted.key
    assert (anything.seconds, trusted.seconds) == (300.0, 5.0)
