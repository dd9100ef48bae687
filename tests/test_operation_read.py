"""A query reads on one connection, and keeps it from nobody when it is over, idle, failed or cancelled."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from db.connection import Database, connect
from db.operation import OperationRead
from server.settings import read_settings
from tests import given
from tests.api import Api

PID = text("SELECT pg_backend_pid()")


@pytest_asyncio.fixture
async def narrow(database_url: str) -> AsyncIterator[Database]:
    """A database with one connection for everybody."""
    database = await connect(database_url, max_size=1)
    yield database
    await database.close()


async def is_free(database: Database) -> bool:
    return database.pool.get_idle_size() == database.pool.get_size() > 0


async def test_what_is_read_at_once_is_read_one_after_another_on_one_connection(database_url: str) -> None:
    database = await connect(database_url, max_size=5)
    read = OperationRead(database)
    assert len(set(await asyncio.gather(*(read.value(PID) for _ in range(5))))) == 1
    assert database.pool.get_size() == 1
    await read.close()
    await database.close()


async def test_a_query_that_is_over_has_given_its_connection_back(narrow: Database) -> None:
    read = OperationRead(narrow)
    pid = await read.value(PID)
    assert not await is_free(narrow)
    await read.close()
    assert await is_free(narrow)
    assert await read.value(PID) == pid  # it may even go on
    await read.close()


async def test_who_waits_for_something_else_lets_others_read(narrow: Database) -> None:
    idle = OperationRead(narrow)
    await idle.value(PID)
    assert await asyncio.wait_for(narrow.read.value(PID), 10)
    async with narrow.tx() as tx:
        assert await tx.value(PID)
    await idle.close()


@pytest.mark.parametrize("wrong", ["SELECT 1 / 0", "SELECT nothing"])
async def test_a_statement_that_fails_keeps_nothing(narrow: Database, wrong: str) -> None:
    read = OperationRead(narrow)
    with pytest.raises(asyncpg.PostgresError):
        await read.value(text(wrong))
    assert await is_free(narrow)
    assert await read.value(PID)
    await read.close()


async def test_a_statement_that_is_cancelled_leaves_no_answer_for_the_next(narrow: Database) -> None:
    read = OperationRead(narrow)
    slow = asyncio.ensure_future(read.value(text("SELECT 'late' FROM pg_sleep(5)")))
    waiting = asyncio.ensure_future(read.value(text("SELECT 'next'")))
    await asyncio.sleep(0.1)
    slow.cancel()
    assert (await asyncio.gather(slow, waiting, return_exceptions=True))[1] == "next"
    assert slow.cancelled()
    await read.close()
    await given.until(lambda: is_free(narrow))


async def test_a_query_that_is_known_reads_on_one_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    lent: list[Any] = []
    acquire = asyncpg.Pool.acquire
    monkeypatch.setattr(asyncpg.Pool, "acquire", lambda pool, **more: lent.append(pool) or acquire(pool, **more))
    for _ in range(2):
        lent.clear()
        await api("{ a: products { nodes { id } } b: products(first: 1) { nodes { id } } regions { name } }")
    assert len(lent) == (1 if read_settings(dict(os.environ)).breadth_first else 3)
