"""`counterfoil documents`: what the tools of clients write is checked, registered, listed and removed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from domain import document
from domain.processes.shop import Shop
from tests import given
from tests.api import Api, Server
from tests.documents import BEGIN, BROWSE, EVENTS, WATCH, by_hash, hash_of, trust
from tests.live import post
from tests.test_cli import counterfoil

SHA1 = "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"
OTHER = "{ __typename }"
TWO = (OTHER, BROWSE)


def manifest(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def of_apollo(**bodies: str) -> dict[str, Any]:
    """As @apollo/generate-persisted-query-manifest writes it."""
    operations = [{"id": id_, "name": "Name", "type": "query", "body": body} for id_, body in bodies.items()]
    return {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}


WRONG: list[tuple[object, str]] = [
    ({"good": OTHER, "bad": "{ nothing }"}, "bad: 1:3: Cannot query field 'nothing' on type 'Query'."),
    ({"good": OTHER, "bad": "{ products"}, "bad: 1:11: Syntax Error: Expected Name, found <EOF>."),
    ({"good": OTHER, "bad": "fragment F on Query { __typename }"}, "bad: 1:1: Fragment 'F' is never used."),
    ({"good": OTHER, "bad": "type Query { a: Int }"}, "bad: 1:1: The 'Query' definition is not executable."),
    ({"good": OTHER, "bad": "{a" * 5_000}, "bad: "),
    ({"good": OTHER, "bad id": OTHER}, "bad id: An id has 1 to 200 letters, digits and -._~: only."),
    ({"good": OTHER, f"sha256:{'0' * 64}": OTHER}, f"sha256:{'0' * 64}: The id is not the SHA-256 of the text."),
    ({"good": OTHER, "bad": ""}, "bad: 1:1: Syntax Error: Unexpected <EOF>."),
    ({"good": OTHER, "bad": f"{OTHER} # \0"}, "bad: "),
    ({"good": OTHER, "bad": 5}, "bad must be an id with the text of a document."),
    ({"good": OTHER, "bad": None}, "bad must be an id with the text of a document."),
    ({}, "A manifest is a JSON object with an id and a text for each document."),
    ([], "A manifest is a JSON object"),
    ("{", "The file is not JSON: "),
    ("", "The file is not JSON: "),
    ('{"a": "\\ud800"}', "The file is not JSON: "),
    (of_apollo() | {"version": 2}, "A manifest with a format has the format apollo-persisted-query-manifest"),
    (of_apollo() | {"format": "other"}, "A manifest with a format has the format"),
    (of_apollo() | {"operations": 5}, "operations must be a list of objects with an id and a body."),
    (of_apollo() | {"operations": [{"id": "a"}]}, "operations must be a list of objects with an id and a body."),
    (of_apollo(a=OTHER, bad="{ nothing }"), "bad: 1:3: Cannot query field 'nothing'"),
]
"""What is wrong, and what is said of it."""


async def texts(shop: Shop) -> dict[str, str]:
    return {row.id: row.text for row in await document.registered(shop.read)}


async def test_the_manifests_of_all_tools_are_registered_together(
    shop: Shop, database_url: str, tmp_path: Path
) -> None:
    files = [
        manifest(tmp_path / "persisted-documents.json", {SHA1: BROWSE, f"sha256:{hash_of(BEGIN)}": BEGIN}),
        manifest(tmp_path / "persisted-query-manifest.json", of_apollo(**{hash_of(WATCH): WATCH})),
        manifest(tmp_path / "persisted_queries.json", {"5d41402abc4b2a76b9719d911017c592": BROWSE}),
        manifest(tmp_path / "type.graphql", f"{OTHER}\n"),
        manifest(tmp_path / "again.gql", f"\ufeff{OTHER}\n"),
    ]
    done = counterfoil(database_url, "documents", "register", *files)
    assert (done.returncode, done.stdout) == (0, "Documents: 5 registered, 0 were there already.\n"), done.stderr
    there = {
        SHA1: BROWSE,
        f"sha256:{hash_of(BEGIN)}": BEGIN,
        hash_of(WATCH): WATCH,
        "5d41402abc4b2a76b9719d911017c592": BROWSE,
        f"sha256:{hash_of(OTHER + chr(10))}": f"{OTHER}\n",
    }
    assert await texts(shop) == there
    again = counterfoil(database_url, "documents", "register", *files)
    assert (again.returncode, again.stdout) == (0, "Documents: 0 registered, 5 were there already.\n")
    assert await texts(shop) == there
    listed = counterfoil(database_url, "documents", "list").stdout.splitlines()
    operations = {line.split("\t")[0]: line.split("\t")[1] for line in listed}
    assert operations[SHA1] == "query Browse"
    assert operations[hash_of(WATCH)] == "subscription Watch"
    assert operations.keys() == there.keys()


async def test_of_files_with_something_wrong_nothing_is_registered_and_everything_is_told(
    shop: Shop, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "not-text.graphql").write_bytes(b"\xff\xfe")
    wrong = [manifest(tmp_path / f"{number}.json", content) for number, (content, _) in enumerate(WRONG)]
    files = [manifest(tmp_path / "good.json", {"fine": BROWSE}), *wrong, str(tmp_path / "not-text.graphql")]
    ended = counterfoil(database_url, "documents", "register", *files)
    assert (ended.returncode, ended.stdout) == (1, "")
    expected = [f"{file}: {said}" for file, (_, said) in zip(wrong, WRONG, strict=True)]
    expected += [f"{files[-1]}: The file is not UTF-8.", "Nothing was registered."]
    for told, begins in zip(ended.stderr.splitlines(), expected, strict=True):
        assert told.startswith(begins)
    assert await texts(shop) == {}


async def test_an_id_that_has_another_text_is_refused_by_file_and_id(
    shop: Shop, database_url: str, tmp_path: Path
) -> None:
    await trust(shop, there=BROWSE, same=OTHER)
    fine = manifest(tmp_path / "fine.json", {"new": BROWSE, "same": OTHER})
    other = manifest(tmp_path / "other.json", {"newer": BROWSE, "there": f"{BROWSE} "})
    ended = counterfoil(database_url, "documents", "register", fine, other)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"{other}: there: There is another document with this id.\nNothing was registered.\n"
    twice = manifest(tmp_path / "twice.json", of_apollo() | {"operations": [{"id": "a", "body": b} for b in TWO]})
    ended = counterfoil(database_url, "documents", "register", twice)
    assert ended.stderr == f"{twice}: a: There is another document with this id.\nNothing was registered.\n"
    assert await texts(shop) == {"there": BROWSE, "same": OTHER}


async def test_documents_are_removed_by_their_ids(shop: Shop, database_url: str) -> None:
    await trust(shop, one=BROWSE, two=OTHER, three=OTHER)
    wrong = counterfoil(database_url, "documents", "remove", "one", "four")
    assert (wrong.returncode, wrong.stderr) == (2, "four: There is no trusted document with this id.\n")
    assert len(await texts(shop)) == 3
    assert counterfoil(database_url, "documents", "remove", "one", "two").stdout == "Documents: 2 removed.\n"
    assert await texts(shop) == {"three": OTHER}


@asynccontextmanager
async def items(api: Api, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """What a subscription tells, while it is open."""
    async with api.http.stream("POST", "/graphql", json=body, headers=EVENTS) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), await answer.aread()
        lines = answer.aiter_lines()
        yield (json.loads(line[6:])["data"]["item"] async for line in lines if line.startswith("data: "))


async def test_all_processes_of_a_strict_shop_learn_of_a_document_and_of_its_end(
    shop: Shop, api: Api, database_url: str, start_server: Any, tmp_path: Path
) -> None:
    ticket = await given.ticket(shop, api)
    server: Server = start_server("--workers", "2", "--no-worker", COUNTERFOIL_DOCUMENTS="trusted")
    variables = {"ticket": ticket.id, "token": ticket.access_token}
    names: list[dict[str, Any]] = [{"documentId": SHA1}, {"doc_id": SHA1}, by_hash(WATCH), {"query": WATCH}]

    async def answers() -> set[tuple[int, str]]:
        """Of both processes, most likely: each request has a connection of its own."""
        seen: set[tuple[int, str]] = set()
        for name in names * 5:
            async with server.api() as client:
                answer = await client.http.post("/graphql", json=name)
                seen.add((answer.status_code, answer.json()["errors"][0]["extensions"]["code"]))
        return seen

    assert await answers() == {(403, "DOCUMENT_NOT_TRUSTED")}
    file = manifest(tmp_path / "persisted-documents.json", {SHA1: WATCH})
    assert counterfoil(database_url, "documents", "register", file).returncode == 0
    assert await answers() == {(400, "BAD_REQUEST")}, "a subscription is a stream or nothing"
    for number, name in enumerate(names):
        async with server.api() as client, items(client, {**name, "variables": variables}) as told:
            assert await anext(told) == {"__typename": "TicketSnapshot"}
            await post(api, ticket, f"Message {number}")
            assert (await anext(told))["event"] == {"body": f"Message {number}"}
    assert counterfoil(database_url, "documents", "remove", SHA1).returncode == 0

    async def all_refuse() -> bool:
        return await answers() == {(403, "DOCUMENT_NOT_TRUSTED")}

    await given.until(all_refuse, within=60)
