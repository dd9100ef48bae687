"""Two processes under a storm of writes and reads: no answer is older than one second after its write is visible."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from tests import given
from tests.api import Api, Server, wait_until_ready
from tests.redis_server import RedisServer, redis_server_fixture  # noqa: F401 - the fixture `redis_server`

SECONDS = 6.0
LATEST = 1.0
PRODUCTS = 4
READERS = 6
ENGINE = {"COUNTERFOIL_ENGINE": "breadth-first"}
NODE = "handle title variants { nodes { price { amount { minorUnits } } } }"
LIST = f"{{ products {{ nodes {{ {NODE} }} }} }}"
DETAIL = f"query ($handle: String!) {{ product(by: {{handle: $handle}}) {{ {NODE} }} }}"
WRITES = (
    "UPDATE product SET title = $2::int::text WHERE handle = $1 AND $2 > 0",
    "UPDATE price SET amount = $2::int WHERE currency = 'EUR' AND variant_id IN "
    "(SELECT variant.id FROM variant JOIN product ON product.id = product_id WHERE handle = $1)",
)
"""The values that are shown of a product, each by who writes it."""


@dataclass
class Written:
    """The values of one place in their order, and when each was surely visible."""

    times: list[float] = field(default_factory=lambda: [0.0])

    def must_be(self, asked_at: float) -> int:
        """The oldest value that may be shown to who asks then."""
        return max(value for value, at in enumerate(self.times) if at <= asked_at - LATEST)


@dataclass
class Storm:
    places: dict[tuple[str, int], Written]
    end: float
    answers: int = 0
    behind: int = 0
    """Values that were shown although newer ones were visible: kept ones."""

    async def write(self, url: str, handle: str, kind: int) -> None:
        written, luck = self.places[handle, kind], random.Random(f"{handle} {kind}")
        connection = await asyncpg.connect(url)
        while time.monotonic() < self.end:
            async with connection.transaction():
                await connection.execute(WRITES[kind], handle, len(written.times))
                await asyncio.sleep(luck.choice((0, 0, 0.02, 0.3)))
            written.times.append(time.monotonic())
            await asyncio.sleep(luck.choice((0, 0.05, 0.4, 1.2)))
        await connection.close()

    async def read(self, api: Api, number: int) -> None:
        luck = random.Random(number)
        while time.monotonic() < self.end:
            handle = luck.choice([None, *{handle for handle, _ in self.places}])
            asked_at = time.monotonic()
            data = await api(LIST) if handle is None else await api(DETAIL, {"handle": handle})
            self.check(data["products"]["nodes"] if handle is None else [data["product"]], asked_at)
            await asyncio.sleep(luck.choice((0, 0.005, 0.02)))

    def check(self, nodes: list[Any], asked_at: float) -> None:
        for node in nodes:
            (variant,) = node["variants"]["nodes"]
            shown = int(node["title"]), int(variant["price"]["amount"]["minorUnits"])
            for kind, value in enumerate(shown):
                written = self.places[node["handle"], kind]
                assert value >= written.must_be(asked_at), (node["handle"], kind, value, asked_at, written.times)
                self.answers += 1
                self.behind += any(at <= asked_at for at in written.times[value + 1 :])


async def storm(
    shop: Shop, url: str, servers: list[Server], disturbed: Callable[[], Awaitable[None]] | None = None
) -> Storm:
    """All at once against all servers, while Redis is `disturbed`."""
    for server in servers:
        wait_until_ready(server.process, server.url, server.log)
    places = {(f"cup-{n}", kind): Written() for n in range(PRODUCTS) for kind in range(len(WRITES))}
    running = Storm(places, time.monotonic() + SECONDS)
    async with AsyncExitStack() as stack:
        apis = [await stack.enter_async_context(server.api()) for server in servers]
        async with asyncio.TaskGroup() as tasks:
            for handle, kind in places:
                tasks.create_task(running.write(url, handle, kind))
            for number in range(READERS):
                tasks.create_task(running.read(apis[number % len(apis)], number))
            if disturbed is not None:
                tasks.create_task(disturbed())
    return running


@pytest.fixture
async def sold(shop: Shop) -> None:
    await given.regions(shop)
    for n in range(PRODUCTS):
        await given.product(shop, f"cup-{n}", prices={"EUR": 0})
    await shop.read.records(text("UPDATE product SET title = '0' RETURNING id"))


@pytest.mark.usefixtures("sold")
async def test_no_answer_is_late_in_any_of_two_processes(
    shop: Shop, database_url: str, start_server: Callable[..., Server]
) -> None:
    servers = [start_server("--no-worker", ready=False, **ENGINE) for _ in range(2)]
    ran = await storm(shop, database_url, servers)
    assert ran.answers > 100
    assert ran.behind > 0  # else nothing was kept, and nothing was tested


@pytest.mark.usefixtures("sold")
async def test_no_answer_is_late_whatever_redis_does(
    shop: Shop, database_url: str, start_server: Callable[..., Server], redis_server: RedisServer
) -> None:
    """It hangs with what it has, goes on with that, and loses its connections."""
    servers = [
        start_server("--no-worker", ready=False, COUNTERFOIL_ENGINE="breadth-first", REDIS_URL=redis_server.url)
        for _ in range(2)
    ]

    async def disturbed() -> None:
        await asyncio.sleep(SECONDS * 0.25)
        await asyncio.to_thread(redis_server.hang)
        await asyncio.sleep(SECONDS * 0.25)
        await asyncio.to_thread(redis_server.go_on)
        await asyncio.sleep(SECONDS * 0.25)
        await asyncio.to_thread(redis_server.drop_connections)

    ran = await storm(shop, database_url, servers, disturbed)
    assert ran.answers > 100
    assert ran.behind > 0
