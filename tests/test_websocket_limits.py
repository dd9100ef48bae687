"""What one caller may take over WebSocket, and that everything comes back: operations, connections, memory, time."""

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed

from server.places import NoPlace, Places
from tests import given
from tests.api import Api, running_server
from tests.live import TICKET_EVENTS, post
from tests.sockets import (
    TYPENAME,
    Watched,
    begun,
    connected,
    refused,
    serving,
    watched_fixture,  # noqa: F401 - the fixture `watched`
)
from tests.test_live import LONG_HISTORY

OPERATIONS = 100
CONNECTIONS = 50
FULL = ("TOO_MANY_REQUESTS", "A connection has at most 100 operations at once; complete some first.")


async def test_of_a_hundred_and_one_streams_of_a_connection_one_is_refused(watched: Watched) -> None:
    """Fault 44."""
    ticket = await watched.ticket()
    async with begun(watched.served.url) as socket:
        ids = [await socket.watch(ticket) for _ in range(OPERATIONS)]
        assert {(await socket.message())["id"] for _ in ids} == set(ids)
        for _ in range(2):
            assert await socket.error(await socket.watch(ticket)) == FULL
        assert await socket.error(await socket.subscribe(TYPENAME)) == FULL
        await socket.send({"type": "complete", "id": ids[0]})
        assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}
        async with begun(watched.served.url) as other:  # which has a hundred of its own
            assert (await other.item(await other.watch(ticket)))["seq"] == 1
        await post(watched.api, ticket, "to all that are left")
        told = [await socket.message() for _ in ids[1:]]
        assert {message["id"] for message in told} == set(ids[1:])
    await watched.served.nothing_is_left()


async def test_operations_that_have_ended_have_given_their_place_back(watched: Watched) -> None:
    """Fault 45, for each way to end: five hundred, one after another, on a connection of a hundred."""
    ticket = await watched.ticket()
    async with begun(watched.served.url) as socket:
        for _ in range(125):
            resync = await socket.watch(ticket, 1_000)
            assert (await socket.item(resync))["__typename"] == "ResyncRequired"
            await socket.completes(resync)
            assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}
            await socket.error(await socket.subscribe("{ nonsense }"))
            left = await socket.watch(ticket)
            await socket.item(left)
            await socket.send({"type": "complete", "id": left})
    await watched.served.nothing_is_left()


async def test_a_page_that_changes_all_its_streams_at_once_is_not_refused(watched: Watched) -> None:
    """Those that it has just ended are not over yet when the next ones come."""
    ticket = await watched.ticket()
    async with begun(watched.served.url) as socket:
        ids = [await socket.watch(ticket) for _ in range(OPERATIONS)]
        for _ in ids:
            await socket.message()
        for _ in range(3):
            for id_ in ids:
                await socket.send({"type": "complete", "id": id_})
            ids = [await socket.watch(ticket) for _ in range(OPERATIONS)]
            assert {(await socket.message())["type"] for _ in ids} == {"next"}
    await watched.served.nothing_is_left()


async def test_an_address_has_fifty_connections(watched: Watched) -> None:
    """Fault 44. Also for those who only connect, and never say who they are."""
    async with AsyncExitStack() as stack:
        first = [await stack.enter_async_context(connected(watched.served.url)) for _ in range(CONNECTIONS - 1)]
        last = await stack.enter_async_context(begun(watched.served.url))
        assert await refused(watched.served.url) == (429, "TOO_MANY_REQUESTS")
        assert await refused(watched.served.url, {"x-forwarded-for": "203.0.113.7"}) == (429, "TOO_MANY_REQUESTS")
        assert await last.asked(TYPENAME) == {"data": {"__typename": "Query"}}
        assert await watched.api("{ __typename }")  # over HTTP it is served as ever
        first[0].connection.transport.abort()

        async def again() -> bool:
            try:
                async with begun(watched.served.url):
                    return True
            except Exception:
                return False

        await given.until(again)
    await watched.served.nothing_is_left()


async def test_a_caller_has_fifty_connections_wherever_they_come_from(watched: Watched) -> None:
    customer = await given.caller(watched.shop, watched.api, "customer")
    other = await given.caller(watched.shop, watched.api, "customer")
    async with serving(watched.url, SOCKET_CONNECTIONS="3", TRUSTED_PROXIES="127.0.0.1") as served:
        proof = {"Authorization": customer.headers["authorization"]}
        async with AsyncExitStack() as stack:
            for n in range(3):
                await stack.enter_async_context(begun(served.url, {"x-forwarded-for": f"203.0.113.{n}"}, **proof))
            async with connected(served.url, {"x-forwarded-for": "203.0.113.9"}) as fourth:
                await fourth.send({"type": "connection_init", "payload": proof})
                assert await fourth.closed() == (1013, "You have too many connections")
            for more in ({}, {"Authorization": other.headers["authorization"]}):
                await stack.enter_async_context(begun(served.url, {"x-forwarded-for": "203.0.113.9"}, **more))
            await stack.enter_async_context(begun(served.url, {"x-forwarded-for": "203.0.113.9"}))
            assert (await refused(served.url, {"x-forwarded-for": "203.0.113.9"}))[0] == 429
        async with begun(served.url, {"x-forwarded-for": "203.0.113.9"}, **proof):
            pass


def test_a_place_is_given_back_whatever_happens() -> None:
    places = Places(2)
    with places.taken("a"), pytest.raises(ZeroDivisionError), places.taken("a"):
        raise ZeroDivisionError
    with places.taken("a"), places.taken("a"), places.taken("b"), places.taken(None), places.taken(None):
        with pytest.raises(NoPlace), places.taken("a"):
            pass
        with pytest.raises(NoPlace), places.taken("a"):
            pass
    assert not places._taken


async def test_a_client_that_does_not_read_is_let_go_and_delays_nobody(watched: Watched) -> None:
    ticket = await watched.ticket()
    megabytes = LONG_HISTORY.format(key=ticket.key, last=41, body="repeat('x', 1000000)")  # more than sockets hold
    await watched.shop.database.pool.execute(megabytes)
    watched.served.limit(seconds_to_read=1.0)
    try:
        async with begun(watched.served.url) as stalled, begun(watched.served.url) as other:
            for _ in range(10):
                await stalled.watch(ticket, 1)
            stalled.connection.transport.pause_reading()
            id_ = await other.watch(ticket, 41)
            for n in range(42, 62):
                await post(watched.api, ticket, str(n))
                assert (await other.item(id_))["seq"] == n
            await other.send({"type": "complete", "id": id_})
            topic = f"ticket:{ticket.key}"

            async def freed() -> bool:
                return topic not in watched.served.relay._listeners

            await given.until(freed)  # its operations have ended although it is still connected
            stalled.connection.transport.resume_reading()
            while stalled.connection.close_code is None:
                with suppress(ConnectionClosed):
                    await stalled.message()
            assert stalled.connection.close_code == 1013
        async with begun(watched.served.url) as stalled:  # one that never reads again is cut off
            await stalled.watch(ticket, 1)
            stalled.connection.transport.pause_reading()
            await watched.served.nothing_is_left()
            stalled.connection.transport.abort()
    finally:
        watched.served.limit(seconds_to_read=15.0)


async def read_to_the_end(api: Api, ticket: given.Ticket, after: int | None, told: asyncio.Event) -> str:
    """All that a stream consisted of, which has to end in order. Without `after` it tells something at once."""
    variables = {"ticket": ticket.id, "after": after, "token": ticket.access_token}
    body = {"query": TICKET_EVENTS, "variables": variables}
    read = ""
    async with api.http.stream("POST", "/graphql", json=body, headers={"accept": "text/event-stream"}) as answer:
        if after is not None:
            told.set()
        async for text in answer.aiter_text():
            read += text
            told.set()
    return read


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_server_that_is_told_to_end_says_so_and_ends_at_once(watched: Watched, workers: str) -> None:
    """Those who watch go on elsewhere, with the last seq; nobody is told that it was all."""
    ticket = await watched.ticket()
    with running_server(watched.url) as start:
        server = start("--no-worker", "--workers", workers)
        async with server.api() as api, begun(server.url) as socket, begun(server.url) as idle:
            await socket.item(await socket.watch(ticket))
            connected_ = [asyncio.Event(), asyncio.Event()]
            new, quiet = (
                asyncio.create_task(read_to_the_end(api, ticket, after, told))
                for after, told in zip((None, 1), connected_, strict=True)
            )
            for told in connected_:
                await told.wait()
            await asyncio.sleep(0.2)
            server.process.terminate()
            assert (await socket.closed())[0] == (await idle.closed())[0] == 1012
            assert (await new).count("event:") == (await new).count("TicketSnapshot") == 1
            assert await quiet == ""
            await asyncio.to_thread(server.process.wait, 20)
        # Nor does it wait for its grace to be over, which it would say.
        assert len(server.log.read_text().splitlines()) == 1, server.log.read_text()
