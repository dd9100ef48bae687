"""Kept answers shared by Redis: one process reads, the others need not; whatever Redis has or does, none is old."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio
import redis

from domain.processes.shop import Shop
from server.answers import Answers
from server.kept import LEASE_SECONDS
from server.relay import Relay
from server.shared_answers import TIMEOUT_SECONDS, SharedAnswers
from tests import given
from tests.answers import Keeping, keeping_app
from tests.redis_server import RedisServer, redis_server_fixture  # noqa: F401 - the fixture `redis_server`

CUP = '{ product(by: {handle: "paper-cup"}) { title } }'
PREFIX = "counterfoil:answer:"


@pytest.fixture
def client(redis_server: RedisServer) -> Any:
    return redis.Redis.from_url(redis_server.url, socket_timeout=5)


@pytest_asyncio.fixture
async def two(
    shop: Shop, database_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Keeping, Keeping]]:
    """Two processes, as far as keeping is concerned, that both follow the changes."""
    await given.product(shop, "paper-cup")
    async with (
        keeping_app(database_url, monkeypatch, REDIS_URL=redis_server.url) as one,
        keeping_app(database_url, monkeypatch, REDIS_URL=redis_server.url) as other,
    ):
        for keeping in (one, other):
            await keeping.told()
        yield one, other


def shared(keeping: Keeping) -> SharedAnswers:
    return cast(SharedAnswers, cast(Answers, keeping.api.answers)._shared)


async def sent(keeping: Keeping, client: Any, query: str = CUP) -> bytes:
    """Asks, and waits until Redis has the answer; its key there."""
    before = set(client.scan_iter(f"{PREFIX}*"))
    await keeping.post(query)
    await given.until(lambda: len(set(client.scan_iter(f"{PREFIX}*")) - before) == 1)
    return (set(client.scan_iter(f"{PREFIX}*")) - before).pop()


async def title(keeping: Keeping) -> str:
    return (await keeping.post(CUP)).json()["data"]["product"]["title"]


async def test_what_one_has_read_another_need_not_read(two: tuple[Keeping, Keeping], client: Any) -> None:
    one, other = two
    key = await sent(one, client)
    assert 0 < client.ttl(key) <= 300
    assert await other.was_kept(CUP)
    assert (await other.post(CUP)).content == (await one.post(CUP)).content


async def test_what_changed_since_is_not_taken_over(shop: Shop, two: tuple[Keeping, Keeping], client: Any) -> None:
    one, other = two
    key = await sent(one, client)
    old = client.get(key)
    await shop.database.pool.execute("UPDATE product SET title = 'New'")
    for keeping in two:
        await keeping.told()
    assert client.get(key) == old  # nothing is deleted there
    assert not await other.was_kept(CUP)
    assert await title(other) == "New"
    for keeping in two:
        keeping.kept._drop_all(list(keeping.kept._answers.values()))
        await given.until(lambda: client.get(key) != old)  # what was sent last has arrived
        client.set(key, old)
        assert not await keeping.was_kept(CUP)
        assert await title(keeping) == "New"


async def test_who_has_not_followed_so_long_takes_nothing_over(
    shop: Shop,
    two: tuple[Keeping, Keeping],
    client: Any,
    database_url: str,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = await sent(two[0], client)
    old = client.get(key)
    await shop.database.pool.execute("UPDATE product SET title = 'New'")
    async with keeping_app(database_url, monkeypatch, REDIS_URL=redis_server.url) as late:
        await late.told()
        client.set(key, old)
        assert not await late.was_kept(CUP)
        assert await title(late) == "New"


async def test_without_news_nothing_is_taken_over(
    two: tuple[Keeping, Keeping], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    await sent(one, client)

    async def silent(_relay: Relay) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Relay, "_look", silent)
    await asyncio.sleep(LEASE_SECONDS + 0.2)
    assert not await other.was_kept(CUP)


async def test_another_database_has_other_answers(two: tuple[Keeping, Keeping], client: Any) -> None:
    one, other = two
    assert shared(one)._prefix == shared(other)._prefix
    await sent(one, client)
    shared(other)._prefix = f"{PREFIX}another:"
    assert not await other.was_kept(CUP)


@pytest.mark.parametrize("nonsense", [b"", b"{", b"{}\n", b"[]\nx", b"\xff" * 100, b'{"tags": 5, "headers": []}\n'])
async def test_nonsense_in_redis_is_no_answer(two: tuple[Keeping, Keeping], client: Any, nonsense: bytes) -> None:
    one, other = two
    client.set(await sent(one, client), nonsense)
    assert await title(other) == "Paper Cup"
    assert shared(other)._there


async def test_a_redis_that_hangs_costs_one_short_wait_and_is_used_again_later(
    two: tuple[Keeping, Keeping], client: Any, redis_server: RedisServer
) -> None:
    _, other = two
    redis_server.hang()
    try:
        waits: list[float] = []
        for n in range(10):
            began = time.monotonic()
            await other.post(f"{CUP} # {n}")
            waits.append(time.monotonic() - began)
        assert not shared(other)._there
        assert sum(wait >= TIMEOUT_SECONDS for wait in waits[1:]) <= 1
    finally:
        redis_server.go_on()
    await given.until(lambda: shared(other)._there)
    await sent(other, client, f"{CUP} # afterwards")


async def test_a_redis_that_is_not_there_changes_nothing(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given.product(shop, "paper-cup")
    async with keeping_app(database_url, monkeypatch, REDIS_URL="redis://127.0.0.1:1/0") as keeping:
        await keeping.told()
        assert not await keeping.was_kept(CUP)
        assert await keeping.was_kept(CUP)
        await shop.database.pool.execute("UPDATE product SET title = 'New'")
        await keeping.told()
        assert await title(keeping) == "New"
