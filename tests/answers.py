"""A shop whose answers are kept, and clients that see whether an answer was a kept one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx
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
            more = ", rank" if kind == "collection" else ""
            await connection.execute(
                f"INSERT INTO product_{kind} (product_id, {kind}_id{more}) VALUES ($1, $2{', 1' if more else ''})",
                product,
                made,
            )
