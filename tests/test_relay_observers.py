"""Who keeps answers is told of every change of the catalogue once, and how far the log has been told."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from db.connection import Database, connect
from server.relay import CATALOGUE, Look, Relay
from tests import given


class Notes:
    def __init__(self) -> None:
        self.looks: list[Look] = []

    def looked(self, look: Look) -> None:
        self.looks.append(look)

    @property
    def told(self) -> list[str]:
        return [tag for look in self.looks for change in look.changes for tag in change.tags]

    async def after(self, looks: int = 2) -> None:
        enough = len(self.looks) + looks
        await given.until(lambda: len(self.looks) >= enough)


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


async def change(connection: Any, *tags: str) -> None:
    await connection.execute("SELECT log_catalogue_change($1)", list(tags))


async def begun(database_url: str, *tags: str) -> tuple[asyncpg.Connection, Any]:
    """A transaction that has changed something and is still open."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    await change(connection, *tags)
    return connection, transaction


async def test_each_change_is_told_once_in_whatever_order_transactions_end(
    database: Database, database_url: str, relay: Relay
) -> None:
    notes = Notes()
    async with relay.observe(notes):
        first, opened = await begun(database_url, "first")
        await change(database.pool, "second", "third")
        await notes.after(3)
        assert notes.told == ["second", "third"]
        await opened.commit()
        await notes.after(3)
        assert notes.told == ["second", "third", "first"]
    await first.close()
    told = len(notes.looks)
    async with relay.listen("something"):
        await asyncio.sleep(0.3)
    assert len(notes.looks) == told


async def test_what_is_below_the_horizon_has_been_told(database: Database, database_url: str, relay: Relay) -> None:
    notes = Notes()
    async with relay.observe(notes):
        connection, opened = await begun(database_url, "open")
        own = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
        await change(database.pool, "closed")
        await notes.after(3)
        assert notes.looks[-1].horizon == own
        assert {change.xid > own for look in notes.looks for change in look.changes} == {True}
        await opened.commit()
        await notes.after(2)
        assert notes.looks[-1].horizon > own
        began = time.monotonic()
        await notes.after(2)
        assert began - 1 < notes.looks[-1].began < time.monotonic()
    await connection.close()


async def test_who_joins_is_told_what_others_were_told_since_the_oldest_transaction_began(
    database: Database, database_url: str, relay: Relay
) -> None:
    """Else it would take over an answer that was read before a change that it never heard of."""
    notes, late = Notes(), Notes()
    connection, opened = await begun(database_url, "open")
    async with relay.observe(notes), relay.listen(CATALOGUE):
        await change(database.pool, "early")
        await notes.after(3)
        async with relay.observe(late):
            await late.after(3)
            assert late.told == ["early"]
            assert late.looks[0].since <= late.looks[0].changes[0].xid
            await opened.commit()
            await late.after(3)
            assert late.told == ["early", "open"]
    await connection.close()


async def test_a_look_that_an_observer_fails_at_is_made_again(
    database: Database, relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Notes):
        def looked(self, look: Look) -> None:
            super().looked(look)
            if look.changes and len(self.told) == 1:
                raise ValueError("once")

    notes = Failing()
    async with relay.observe(notes):
        await notes.after(1)
        await change(database.pool, "changed")
        await given.until(lambda: notes.told == ["changed", "changed"])
    assert "could not be read" in caplog.text
