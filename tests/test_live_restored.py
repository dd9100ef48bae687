"""After a dump and restore, what clients hold is of another log: they are told, and the restored one goes on."""

import io
from collections.abc import Callable

from sqlalchemy import text

from db.connection import connect
from domain import event_log
from domain.processes.shop import Shop
from server.migrate import recognise_log
from tests import given
from tests.api import Server
from tests.live import Live, watching
from tests.streams import STREAMS, Watched, bodies

ELSEWHERE = 10**9
"""Transactions that the server from which the dump came was ahead."""
DUMP = """
    SELECT id, (xid::text::bigint + {ahead})::text::xid8 AS xid, name, topic, data, at, entity,
           (follows::text::bigint + {ahead})::text::xid8 AS follows FROM event ORDER BY id"""


async def restore(shop: Shop) -> None:
    """The log as it comes back on a server that has seen fewer transactions; of the last message it knows nothing."""
    dump = io.BytesIO()
    async with shop.database.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "DELETE FROM event WHERE id = (SELECT max(id) FROM event WHERE name = 'TicketChanged')"
        )
        await connection.copy_from_query(DUMP.format(ahead=ELSEWHERE), output=dump, format="binary")
        await connection.execute("TRUNCATE event; ALTER TABLE event DISABLE TRIGGER event_placed")
        dump.seek(0)
        columns = ["id", "xid", "name", "topic", "data", "at", "entity", "follows"]
        await connection.copy_to_table("event", source=dump, columns=columns, format="binary")
        await connection.execute("ALTER TABLE event ENABLE TRIGGER event_placed")
        await connection.execute(
            "DELETE FROM ticket_event WHERE seq = 3; UPDATE ticket SET last_seq = 2 WHERE last_seq = 3"
        )


async def generation(shop: Shop) -> int:
    return await shop.read.value(text("SELECT generation FROM log_state"))


async def test_cursors_of_a_log_that_was_restored_elsewhere_are_told_to_begin_anew(
    shop: Shop, start_server: Callable[..., Server]
) -> None:
    await given.regions(shop)
    variant = (await given.product(shop, "banner", stock=None)).variant
    server = start_server("--no-worker")
    held: dict[str, tuple[Watched, str]] = {}
    async with server.api() as api:
        live = Live(shop, api, server.url, variant)
        for name, make in STREAMS.items():
            watched = await make(live)
            async with watched.stream() as stream:
                await stream.item()
                await watched.post("kept", "lost")
                held[name] = watched, (await stream.items(2))[1]["cursor"]
    server.stop()
    before = await generation(shop)
    await restore(shop)
    server = start_server("--no-worker")
    assert await generation(shop) == before + 1
    async with server.api() as api:
        live = Live(shop, api, server.url, variant)
        for watched, cursor in held.values():
            again = Watched(
                watched.name,
                api.signed_in(watched.api.headers.get("authorization", " ").split(" ")[1] or None),
                watched.document,
                watched.variables,
                watched.ticket,
                live,
            )
            async with again.stream(cursor) as stream:
                assert await stream.item() == {"__typename": "ResyncRequired", "seq": 0}
                await stream.ends()
            async with again.stream() as stream:
                first = await stream.item()
                await again.post("new")
                assert bodies(await stream.items(1)) == ["new"]
            async with again.stream(first["cursor"]) as stream:
                assert bodies(await stream.items(1)) == ["new"]
            async with watching(api, again.ticket, 9) as stream:
                assert await stream.item() == {"__typename": "ResyncRequired", "seq": 3}
                await stream.ends()


async def test_the_same_log_stays_of_its_generation_and_a_copy_of_the_database_is_another(
    shop: Shop, database_url: str
) -> None:
    first = await generation(shop)
    await recognise_log(shop.database)  # made of a template, it is another database than that
    second = await generation(shop)
    await recognise_log(shop.database)
    assert (second, await generation(shop)) == (first + 1, second)
    await shop.database.pool.execute("UPDATE log_state SET identity = 'another server'")
    other = await connect(database_url)
    await recognise_log(other)
    await other.close()
    assert await generation(shop) == second + 1


async def test_what_is_older_than_the_log_is_kept_cannot_be_resumed(shop: Shop) -> None:
    async with shop.tx() as tx:
        await tx.run(text("INSERT INTO event (name, topic, data) VALUES ('A', 'order:x', '{}')"))
    cursor = event_log.Cursor.of_state((await shop.read.records(STATE))[0])
    async with shop.tx() as tx:
        await tx.run(text("INSERT INTO event (name, topic, data) VALUES ('B', 'order:x', '{}')"))
    assert await event_log.goes_on(shop.read, cursor)
    async with shop.tx() as tx:
        assert await event_log.prune(tx) == 0
    await shop.database.pool.execute("UPDATE event SET at = now() - interval '31 days'")
    await given.until(lambda: pruned(shop))
    assert not await event_log.goes_on(shop.read, cursor)
    assert await event_log.goes_on(shop.read, event_log.Cursor.of_state((await shop.read.records(STATE))[0]))


STATE = text(
    "SELECT CAST(pg_current_snapshot() AS text) AS log_seen, (SELECT generation FROM log_state) AS log_generation"
)


async def pruned(shop: Shop) -> bool:
    """Transactions of other databases hold the horizon for a moment."""
    async with shop.tx() as tx:
        await event_log.prune(tx)
    return await shop.read.value(text("SELECT count(*) FROM event")) == 0
