"""The tickets of an order are all there in the end, once, whatever happened meanwhile."""

import asyncio
import time
from collections.abc import Callable

import asyncpg
import psycopg
import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from domain.ticket_opening import reconcile
from resolvers import ids
from tests import given
from tests.api import Server
from tests.conftest import execute
from tests.invariants import without_tickets
from tests.ticketing import problems

OUTAGE = 10.0
FAILING = """
    CREATE SEQUENCE tries;
    CREATE TABLE broken ();
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM nextval('tries');
        IF EXISTS (SELECT FROM pg_class WHERE relname = 'broken') THEN RAISE 'broken'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER fail BEFORE INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION fail();
"""


async def run(shop: Shop, script: str) -> None:
    async with shop.database.pool.acquire() as connection:
        await connection.execute(script)


async def tries(shop: Shop) -> int:
    return await shop.read.value(text("SELECT last_value FROM tries"))


@pytest.mark.timeout(120)
async def test_tickets_come_in_spite_of_a_failing_step_a_killed_worker_and_an_outage(
    shop: Shop, start_server: Callable[..., Server], postgres: str, database_url: str
) -> None:
    await given.regions(shop)
    banner = await given.product(shop, "banner")
    await run(shop, FAILING)
    server = start_server()
    async with server.api() as api:
        order = await given.order(api, {"variantId": banner.variant, "quantity": 3})

        async def failed_twice() -> bool:
            return await tries(shop) >= 2

        await given.until(failed_twice, 30)
    assert await without_tickets(shop.read) == 1
    server.kill()
    start_server()
    name = database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(database_url) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    execute(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    begun = time.monotonic()
    while time.monotonic() < begun + OUTAGE:
        execute(postgres, ended)
        await asyncio.sleep(0.5)
    execute(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    async def is_there() -> bool:
        try:
            await run(shop, "DROP TABLE IF EXISTS broken")
        except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
            return False
        return await without_tickets(shop.read) == 0

    await given.until(is_there, 60)
    assert await problems(shop.read) == []
    opened = text("SELECT count(*) FROM event WHERE name = 'TicketsOpened'")
    assert await shop.read.value(opened) == 1
    for _ in range(2):  # as when the reaction runs again
        async with shop.tx() as tx:
            await reconcile(tx, ids.decode("Order", order["id"]))
    assert await shop.read.value(opened) == 1
    assert await problems(shop.read) == []
