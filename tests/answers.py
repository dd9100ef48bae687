"""A shop whose answers are kept, and clients that see whether an answer was a kept one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx
import psycopg
import pytest

from domain.processes.shop import Shop
from server.answers import Answers
from server.kept import KeptAnswers
from tests import given
from tests.api import Api, running_app

SHOWN = """title variants { nodes { price { amount { amount } } availability { status quantity } image { url } } }
    options { values { name } } media { url }"""
QUERIES = {
    "list": f"{{ products {{ nodes {{ {SHOWN} categories {{ name }} collections {{ title }} }} totalCount }} }}",
    "cup": f'{{ product(by: {{handle: "paper-cup"}}) {{ {SHOWN} }} }}',
    "box": '{ product(by: {handle: "pizza-box"}) { title categories { name } collections { title } } }',
    "nothing": '{ product(by: {handle: "nothing"}) { title } }',
    "regions": "{ regions { name } }",
}

KEEPING = {"COUNTERFOIL_ENGINE": "breadth-first", "ANSWER_CACHE_MIB": "8"}
"""Settings with which answers are kept: without plans none is."""


@dataclass
class Keeping:
    """`executed` counts the requests that were not answered by what was kept."""

    api: Api
    executed: int = 0

    @property
    def kept(self) -> KeptAnswers:
        return cast(KeptAnswers, cast(Answers, self.api.answers)._kept)

    async def get(self, query: str, *, headers: dict[str, str] | None = None, **more: str) -> httpx.Response:
        return await self.api.http.get("/graphql", params={"query": query, **more}, headers=headers or {})

    async def post(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.api.http.post("/graphql", json={"query": query, "variables": variables or {}}, headers=named)

    async def was_kept(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> bool:
        """Whether the answer was there before it was asked for."""
        before = self.executed
        assert (await self.post(query, variables, **headers)).status_code == 200
        return self.executed == before

    async def followed(self) -> None:
        """Begins to keep: the first one who asks is executed, whoever it is."""
        await self.post("{ regions { id } }")
        await given.until(lambda: self.kept.position is not None)

    async def told(self) -> None:
        """Whatever is committed by now has been told."""
        await self.followed()
        look = self.kept._looks
        await given.until(lambda: self.kept._looks >= look + 2)


@asynccontextmanager
async def keeping_app(database_url: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> AsyncIterator[Keeping]:
    async with running_app(database_url, **KEEPING | environment) as api:
        keeping = Keeping(api)
        answers = cast(Answers, api.answers)
        execute = answers._execute

        async def counted(*arguments: Any) -> None:
            keeping.executed += 1
            await execute(*arguments)

        monkeypatch.setattr(answers, "_execute", counted)
        yield keeping


async def every_write_drops(
    api: Api,
    keeping: Keeping,
    database_url: str,
    queries: Mapping[str, str],
    writes: Mapping[str, tuple[str, set[str]]],
) -> None:
    """What each write concerns, and nothing else; afterwards the answers are as without any that are kept."""
    await keeping.told()
    for query in queries.values():
        await keeping.post(query)
    for what, (statements, concerned) in writes.items():
        for name, query in queries.items():
            assert await keeping.was_kept(query), (what, name)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(statements.encode())
        await keeping.told()
        dropped = {name for name, query in queries.items() if not await keeping.was_kept(query)}
        assert dropped == concerned, what
        for query in queries.values():
            assert (await keeping.post(query)).json() == await api.answer(query), what


async def catalogue(shop: Shop) -> None:
    await given.regions(shop)
    await given.product(shop, "paper-cup")
    box = await given.product(shop, "pizza-box", stock=3)
    async with shop.tx() as tx:
        connection = tx._connection
        product = await connection.fetchval("SELECT product_id FROM variant WHERE id = $1", box.keys[0])
        for kind, column in (("category", "name"), ("collection", "title")):
            rank = ", rank" if kind == "category" else ""
            made = await connection.fetchval(
                f"INSERT INTO {kind} (id, handle, {column}{rank}) "
                f"VALUES (gen_random_uuid(), 'boxes', 'Boxes'{', 1' if rank else ''}) RETURNING id"
            )
            if kind == "collection":
                await connection.execute(
                    "INSERT INTO collection_channel (channel_id, collection_id) "
                    "SELECT id, $1 FROM channel WHERE is_default",
                    made,
                )
            more = ", rank" if kind == "collection" else ""
            await connection.execute(
                f"INSERT INTO product_{kind} (product_id, {kind}_id{more}) VALUES ($1, $2"
                + (", 'a1')" if more else ")"),
                product,
                made,
            )
