"""The relay wakes whoever listens after every commit, in whatever order transactions begin and end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy

from db.connection import Database, connect
from server import relay as relay_
from server.relay import Listener, Relay
from tests import given
from tests.conftest import execute

ENOUGH = 10.0
"""Seconds within which a wake arrives on any machine; only a test that fails takes them."""


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await connect(database_url, max_size=12)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def relay(database: Database) -> AsyncIterator[Relay]:
    running = Relay(database)
    yield running
    await running.close()


async def log(connection: Any, topic: str) -> None:
    await connection.execute("INSERT INTO event (name, topic, data) VALUES ('Happened', $1, '{}')", topic)


@asynccontextmanager
async def writing(database: Database, *topics: str) -> AsyncIterator[None]:
    """A transaction that has written its events and is still open; commits when the block ends."""
    async with database.pool.acquire() as connection, connection.transaction():
        for topic in topics:
            await log(connection, topic)
        yield


async def woken(listener: Listener) -> None:
    await asyncio.wait_for(listener.wait(2 * ENOUGH), ENOUGH)


async def sleeps(listener: Listener) -> bool:
    """Nothing wakes it during several polls."""
    try:
        await asyncio.wait_for(listener.wait(2 * ENOUGH), 3 * relay_.POLL_SECONDS)
    except TimeoutError:
        return True
    return False


async def test_transactions_that_commit_in_another_order_than_they_began_are_all_noticed(
    database: Database, relay: Relay
) -> None:
    async with AsyncExitStack() as listening:
        first, second, third = [
            await listening.enter_async_context(relay.listen(topic)) for topic in ("first", "second", "third")
        ]
        async with writing(database, "first"):
            async with writing(database, "second"):
                await log(database.pool, "third")
                await woken(third)
                assert await sleeps(first)
                assert await sleeps(second)
            await woken(second)
            assert await sleeps(first)
        await woken(first)
        for listener in (first, second, third):
            assert await sleeps(listener)  # each event woke once


async def test_what_began_before_anybody_listened_and_is_committed_afterwards_is_noticed(
    database: Database, relay: Relay
) -> None:
    async with AsyncExitStack() as listening:
        async with writing(database, "slow"):
            listener = await listening.enter_async_context(relay.listen("slow"))
            assert await sleeps(listener)
        await woken(listener)
        assert await sleeps(listener)


async def test_a_transaction_that_stays_open_holds_up_no_others_wakes(database: Database, relay: Relay) -> None:
    async with relay.listen("quick") as quick, relay.listen("open") as open_:
        async with writing(database, "open"):
            for _ in range(20):
                await log(database.pool, "quick")
                relay.poke()
                await woken(quick)
            assert await sleeps(quick)
            assert await sleeps(open_)
        await woken(open_)
        assert await sleeps(quick)  # the horizon moves on over what was noticed already


async def test_a_transaction_that_is_rolled_back_wakes_nobody(database: Database, relay: Relay) -> None:
    async with relay.listen("topic") as listener:
        with pytest.raises(ZeroDivisionError):
            async with writing(database, "topic"):
                raise ZeroDivisionError
        assert await sleeps(listener)


async def test_of_500_events_by_8_connections_at_once_none_is_missed(database: Database, relay: Relay) -> None:
    topics = [f"topic {n}" for n in range(500)]

    async def write(mine: list[str]) -> None:
        for i in range(0, len(mine), 5):
            async with writing(database, *mine[i : i + 5]):
                await asyncio.sleep(0)

    async with AsyncExitStack() as listening:
        listeners = [await listening.enter_async_context(relay.listen(topic)) for topic in topics]
        await asyncio.gather(*(write(topics[n::8]) for n in range(8)))
        await asyncio.gather(*map(woken, listeners))


async def test_all_who_listen_to_a_topic_are_woken_and_nobody_else(database: Database, relay: Relay) -> None:
    async with AsyncExitStack() as listening:
        several = [await listening.enter_async_context(relay.listen("ticket:1")) for _ in range(5)]
        other = await listening.enter_async_context(relay.listen("ticket:11"))
        await log(database.pool, "ticket:1")
        await asyncio.gather(*map(woken, several))
        assert await sleeps(other)


async def test_nobody_listening_means_no_polling_and_the_next_listener_misses_nothing(
    database: Database, relay: Relay
) -> None:
    for _ in range(2):
        async with relay.listen("topic") as listener:
            await log(database.pool, "topic")
            await woken(listener)
        assert dict(relay._listeners) == {}
        await given.until(lambda: relay._following is not None and relay._following.done())
        before = database.statements
        await log(database.pool, "topic")  # not for the one who listens next
        await asyncio.sleep(3 * relay_.POLL_SECONDS)
        assert database.statements == before
        async with relay.listen("topic") as listener:
            assert await sleeps(listener)


async def test_a_poke_is_quicker_than_the_poll(
    database: Database, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_, "POLL_SECONDS", 3 * ENOUGH)
    async with relay.listen("topic") as listener:
        for _ in range(3):
            await log(database.pool, "topic")
            relay.poke()
            await woken(listener)


def _end_all_sessions(server: str, url: str, *, closed: bool) -> None:
    """As a restart of PostgreSQL looks from outside; while closed, nobody can connect."""
    name = sqlalchemy.make_url(url).database
    execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS {not closed}")
    execute(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


async def test_the_relay_goes_on_after_a_restart_of_the_database(
    database: Database, database_url: str, postgres: str, relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    async with relay.listen("topic") as listener:
        _end_all_sessions(postgres, database_url, closed=True)
        await given.until(lambda: "the event log could not be read" in caplog.text)
        assert await sleeps(listener)
        _end_all_sessions(postgres, database_url, closed=False)
        await given.until(lambda: _logged(database))
        await woken(listener)
        assert len(relay._listeners["topic"]) == 1


async def _logged(database: Database) -> bool:
    """A pool whose connections were closed may have to try more than once."""
    try:
        await log(database.pool, "topic")
    except (OSError, asyncpg.PostgresConnectionError):
        return False
    return True


async def test_one_lost_connection_delays_a_wake_and_loses_none(database: Database, relay: Relay) -> None:
    async with relay.listen("topic") as listener:
        for _ in range(5):
            await log(database.pool, "topic")
            await database.pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await woken(listener)


async def test_a_listener_waits_no_longer_than_it_is_told() -> None:
    listener = Listener()
    begin = time.monotonic()
    await listener.wait(0.05)
    assert time.monotonic() - begin >= 0.05
    listener.wake()
    listener.wake()
    await asyncio.wait_for(listener.wait(2 * ENOUGH), ENOUGH)
    with pytest.raises(TimeoutError):  # two wakes are one look
        await asyncio.wait_for(listener.wait(2 * ENOUGH), 0.05)
