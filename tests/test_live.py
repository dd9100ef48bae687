"""A ticket, live: its state first, then every change once and in order, over real HTTP and SSE."""

import asyncio
import random

from sqlalchemy import text

from resolvers.watch import CHECK_EVERY
from tests import given
from tests.live import Live, live_fixture, post, watching  # noqa: F401 - the fixture `live`

MESSAGES = 200
WRITERS = 8


async def test_a_stream_begins_with_the_ticket_as_it_is_and_tells_each_change_once(live: Live) -> None:
    ticket = await live.ticket()
    staff = await live.staff()
    await post(live.api, ticket, "before")
    async with watching(live.api, ticket) as stream:
        assert await stream.item() == {
            "__typename": "TicketSnapshot",
            "seq": 2,
            "ticket": {"id": ticket.id, "lastSeq": 2, "version": 1, "state": {"code": "brief_received"}},
        }
        await staff.done("ticketMove", {"ticketId": ticket.id, "toState": "designing_artwork"}, "ticket { id }")
        moved = {"id": ticket.id, "lastSeq": 3, "version": 2, "state": {"code": "designing_artwork"}}
        assert await stream.item() == {
            "__typename": "TicketChange",
            "seq": 3,
            "ticket": moved,
            "event": {
                "__typename": "TicketMoved",
                "seq": 3,
                "actor": "STAFF",
                "visibility": "PUBLIC",
                "fromState": "brief_received",
                "toState": "designing_artwork",
            },
        }
        await post(live.api, ticket, "thanks")
        item = await stream.item()
        assert (item["seq"], item["ticket"]) == (4, {**moved, "lastSeq": 4})
        assert (item["event"]["actor"], item["event"]["body"]) == ("CUSTOMER", "thanks")
        await post(staff, ticket, *map(str, range(5, 15)))
        assert await stream.messages(10) == [(n, str(n)) for n in range(5, 15)]


async def test_with_the_last_seq_there_is_no_snapshot_but_at_once_what_was_missed(live: Live) -> None:
    ticket = await live.ticket()
    await post(live.api, ticket, "two", "three", "four")
    everything = [(2, "two"), (3, "three"), (4, "four")]
    for after in (1, 2, 3):
        async with watching(live.api, ticket, after) as stream:
            assert await stream.messages(4 - after) == everything[after - 1 :]
    async with watching(live.api, ticket, 0) as stream:
        assert (await stream.item())["event"]["__typename"] == "TicketOpened"
        assert await stream.messages(3) == everything
    async with watching(live.api, ticket, 4) as up_to_date, watching(live.api, ticket, None) as new:
        assert (await new.item())["__typename"] == "TicketSnapshot"
        await post(live.api, ticket, "five")
        assert await up_to_date.messages(1) == await new.messages(1) == [(5, "five")]


async def test_a_seq_of_another_time_gets_one_resync_and_the_end(live: Live) -> None:
    ticket = await live.ticket()
    for after in (2, 10**9, -1):
        async with watching(live.api, ticket, after) as stream:
            assert await stream.item() == {"__typename": "ResyncRequired", "seq": 1}
            await stream.ends()


async def watch_with_cuts(live: Live, ticket: given.Ticket, until: int, chance: random.Random) -> list[tuple[int, str]]:
    """A client whose connection breaks again and again: it resumes with the last seq that it has seen."""
    seen: list[tuple[int, str]] = []
    last = 1
    while last < until:
        async with watching(live.api, ticket, last) as stream:
            for _ in range(chance.choice((1, 2, 5, 20, 60))):
                seen += await stream.messages(1)
                last = seen[-1][0]
                if last == until:
                    break
    return seen


async def test_a_client_that_reconnects_with_its_last_seq_misses_nothing_and_gets_nothing_twice(live: Live) -> None:
    ticket = await live.ticket()
    chance = random.Random(20_260_101)
    end = 1 + MESSAGES

    async def write(writer: int) -> None:
        await post(live.api, ticket, *(f"{writer}-{n}" for n in range(MESSAGES // WRITERS)))

    async with asyncio.TaskGroup() as tasks:
        watchers = [tasks.create_task(watch_with_cuts(live, ticket, end, chance)) for _ in range(3)]
        for writer in range(WRITERS):
            tasks.create_task(write(writer))
    first, *others = (watcher.result() for watcher in watchers)
    assert [seq for seq, _ in first] == list(range(2, end + 1))
    assert sorted(body for _, body in first) == sorted(
        f"{writer}-{n}" for writer in range(WRITERS) for n in range(MESSAGES // WRITERS)
    )
    assert others == [first, first]
    for writer in range(WRITERS):  # what one writer says stays in its order
        assert [body for _, body in first if body.startswith(f"{writer}-")] == [
            f"{writer}-{n}" for n in range(MESSAGES // WRITERS)
        ]


async def test_fifty_who_watch_one_ticket_all_get_everything(live: Live) -> None:
    ticket = await live.ticket()
    connected = asyncio.Barrier(51)

    async def watch() -> list[tuple[int, str]]:
        async with watching(live.api, ticket) as stream:
            assert (await stream.item())["seq"] == 1
            await connected.wait()
            return await stream.messages(10)

    async with asyncio.TaskGroup() as tasks:
        watchers = [tasks.create_task(watch()) for _ in range(50)]
        await connected.wait()
        await post(live.api, ticket, *map(str, range(2, 12)))
    assert [watcher.result() for watcher in watchers] == [[(n, str(n)) for n in range(2, 12)]] * 50


async def newest_poll(live: Live) -> object:
    """When the server last looked into the event log."""
    return await live.shop.read.value(
        text(
            "SELECT max(query_start) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query LIKE '%e.follows >=%'"
        )
    )


async def polls(live: Live) -> bool:
    """Half a second, which is several polls, shows whether the server still follows the log."""
    seen = set()
    for _ in range(25):
        seen.add(await newest_poll(live))
        await asyncio.sleep(0.02)
    return len(seen) > 1


async def quiet(live: Live) -> bool:
    return not await polls(live)


LONG_HISTORY = """
    INSERT INTO ticket_event (ticket_id, seq, kind, visibility, actor_kind, data)
    SELECT '{key}', seq, 'message', CASE WHEN seq % 7 = 0 THEN 'internal' ELSE 'public' END, 'staff',
           jsonb_build_object('body', {body})
    FROM generate_series(2, {last}) AS seq;
    UPDATE ticket SET last_seq = {last} WHERE id = '{key}'"""


async def test_a_long_history_is_told_in_full(live: Live) -> None:
    ticket = await live.ticket()
    await live.shop.database.pool.execute(LONG_HISTORY.format(key=ticket.key, last=401, body="'message ' || seq"))
    public = [(seq, f"message {seq}") for seq in range(2, 402) if seq % 7]
    for after in (1, 2, 99, 301):
        expected = [(seq, body) for seq, body in public if seq > after]
        async with asyncio.timeout(2 * CHECK_EVERY), watching(live.api, ticket, after) as stream:
            assert await stream.messages(len(expected)) == expected  # no page of it waits for the next look
            await post(live.api, ticket, f"new after {after}")
            assert [body for _, body in await stream.messages(1)] == [f"new after {after}"]
        await live.shop.database.pool.execute(
            f"DELETE FROM ticket_event WHERE ticket_id = '{ticket.key}' AND seq > 401"
        )
        await live.shop.database.pool.execute(f"UPDATE ticket SET last_seq = 401 WHERE id = '{ticket.key}'")


async def test_a_reader_that_does_not_read_delays_nobody_and_misses_nothing(live: Live) -> None:
    ticket = await live.ticket()
    megabytes = LONG_HISTORY.format(key=ticket.key, last=41, body="repeat('x', 1000000)")  # more than sockets hold
    await live.shop.database.pool.execute(megabytes)
    async with watching(live.api, ticket, 1) as stalled, watching(live.api, ticket, 41) as other:
        await stalled.item()
        for n in range(42, 62):
            await post(live.api, ticket, str(n))
            assert await other.messages(1) == [(n, str(n))]
        assert await polls(live)
        assert [item["seq"] for item in await stalled.items(9)] == [3, 4, 5, 6, 8, 9, 10, 11, 12]
        assert await polls(live)  # by now the server waits for its client again, and is cut while it does
    await given.until(lambda: quiet(live))


async def test_clients_that_disconnect_leave_nothing_running(live: Live) -> None:
    ticket = await live.ticket()

    async def connect_and_read() -> None:
        async with watching(live.api, ticket) as stream:
            while True:
                await stream.item()

    async with watching(live.api, ticket) as idle, watching(live.api, ticket, 0) as lagging:
        await idle.item()
        await lagging.item()
        assert await polls(live)
        await post(live.api, ticket, *map(str, range(2, 32)))  # which nobody reads
    for milliseconds in range(0, 40, 4):  # cut before, while and after the server answers
        client = asyncio.create_task(connect_and_read())
        await asyncio.sleep(milliseconds / 1000)
        client.cancel()
        await asyncio.wait([client])
    await given.until(lambda: quiet(live))
    async with watching(live.api, ticket, 31) as stream:  # and whoever comes next is served as ever
        await post(live.api, ticket, "again")
        assert await stream.messages(1) == [(32, "again")]
