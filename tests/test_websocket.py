"""GraphQL over WebSocket: what may be asked over one connection, and how it is answered."""

import asyncio
from typing import Any

import pytest
from asyncpg.exceptions import TooManyConnectionsError

from server.operation import Contexts
from server.websocket import PROTOCOL
from server.websocket_operations import Runs
from tests import given
from tests.carts import stored
from tests.live import post
from tests.sockets import (
    BEGIN,
    TYPENAME,
    Socket,
    Watched,
    begun,
    connected,
    watched_fixture,  # noqa: F401 - the fixture `watched`
)


async def test_a_ticket_is_watched_over_a_websocket_as_over_a_stream(watched: Watched) -> None:
    ticket = await watched.ticket()
    staff = await watched.staff()
    async with begun(watched.served.url) as socket:
        id_ = await socket.watch(ticket)
        assert await socket.item(id_) == {
            "__typename": "TicketSnapshot",
            "seq": 1,
            "ticket": {"id": ticket.id, "lastSeq": 1, "version": 1, "state": {"code": "brief_received"}},
        }
        await staff.done("ticketMove", {"ticketId": ticket.id, "toState": "designing_artwork"}, "ticket { id }")
        item = await socket.item(id_)
        assert (item["seq"], item["event"]["toState"]) == (2, "designing_artwork")
        assert item["ticket"]["state"] == {"code": "designing_artwork"}
    await watched.served.nothing_is_left()
    await post(watched.api, ticket, "three", "four")
    async with begun(watched.served.url) as socket:  # back after a while, with the last seq
        id_ = await socket.watch(ticket, 2)
        assert [(await socket.item(id_))["event"]["body"] for _ in range(2)] == ["three", "four"]
        id_ = await socket.watch(ticket, 1_000)
        assert await socket.item(id_) == {"__typename": "ResyncRequired", "seq": 4}
        await socket.completes(id_)


async def test_several_operations_share_a_connection_and_keep_apart(watched: Watched) -> None:
    first, second = await watched.ticket(), await watched.ticket()
    async with begun(watched.served.url) as socket:
        one, two = await socket.watch(first), await socket.watch(second, 1)
        assert (await socket.item(one))["ticket"]["id"] == first.id
        assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}
        await post(watched.api, second, "to the second")
        assert (await socket.item(two))["ticket"]["id"] == second.id
        await socket.send({"type": "complete", "id": one})
        await socket.send({"type": "complete", "id": one})
        await socket.send({"type": "complete", "id": "nobody's"})
        await post(watched.api, first, "to nobody")
        await post(watched.api, second, "to the second again")
        assert (await socket.item(two))["event"]["body"] == "to the second again"
        await socket.send({"type": "subscribe", "id": one, "payload": {"query": TYPENAME}})  # the id is free again
        assert await socket.next(one) == {"data": {"__typename": "Query"}}
        await socket.completes(one)


async def test_queries_get_their_context_variables_and_names(watched: Watched) -> None:
    query = "query A { __typename } query B($first: Int) { products(first: $first) { nodes { title } } }"
    async with begun(watched.served.url, **{"X-Shop-Context": "country=US"}) as socket:
        answer = await socket.asked(query, {"first": 1}, operationName="B", extensions=None)
        assert answer["data"]["products"] == {"nodes": [{"title": "Banner"}]}
        price = "{ products(first: 1) { nodes { variants(first: 1) { nodes { price { amount { currency } } } } } } }"
        answer = await socket.asked(price)
        assert answer["extensions"]["context"]["country"] == "US"
        answer = await socket.asked("query @inContext(country: DE) " + price)
        assert answer["extensions"]["context"]["country"] == "DE"
        answer = await socket.asked(price)
        assert answer["extensions"]["context"]["country"] == "US"  # nothing of the operation before is left


async def test_a_field_that_fails_has_its_place_in_the_answer(watched: Watched) -> None:
    async with begun(watched.served.url) as socket:
        answer = await socket.asked("{ a: __typename tickets { totalCount } }")
        assert answer["data"] is None
        assert [(e["path"], e["extensions"]["code"]) for e in answer["errors"]] == [(["tickets"], "UNAUTHENTICATED")]


async def test_a_write_is_not_made_over_a_websocket(watched: Watched) -> None:
    before = await stored(watched.shop)
    write = "mutation Write { cartCreate(input: {}) { token } }"
    named: dict[str, Any] = {"operationName": "Write"}
    async with begun(watched.served.url) as socket:
        for query, more in ((write, {}), ("query A { __typename } " + write, named)):
            id_ = await socket.subscribe(query, **more)
            code, message = await socket.error(id_)
            assert code == "BAD_REQUEST"
            assert "send them by POST" in message
        assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}
    assert await stored(watched.shop) == before


async def test_an_operation_that_cannot_run_ends_by_itself_and_not_the_connection(watched: Watched) -> None:
    ticket = await watched.ticket()
    async with begun(watched.served.url) as socket:
        for query, code in (
            ("{", "BAD_USER_INPUT"),
            ("{ nonsense }", "BAD_USER_INPUT"),
            ("", "BAD_REQUEST"),
            (None, "BAD_REQUEST"),
            ("query A { __typename } query B { __typename }", "BAD_REQUEST"),
            ("query ($a: Int!) { __typename products(first: $a) { totalCount } }", "BAD_USER_INPUT"),
        ):
            assert (await socket.error(await socket.subscribe(query)))[0] == code, query
        foreign = await socket.watch(ticket, with_token=False)
        assert await socket.error(foreign) == (
            "BAD_USER_INPUT",
            "There is no such ticket, or it is not yours.",
        )


async def test_both_sides_may_ask_whether_the_other_is_there(watched: Watched) -> None:
    async with connected(watched.served.url) as socket:
        await socket.send({"type": "ping"})
        assert await socket.message() == {"type": "pong"}
        await socket.send({"type": "pong", "payload": {"any": "thing"}})
        await socket.begin()
        await socket.send({"type": "ping", "payload": {"sent": 5}})
        assert await socket.message() == {"type": "pong", "payload": {"sent": 5}}
        await (await socket.connection.ping())
        assert socket.connection.subprotocol == PROTOCOL
        assert socket.connection.response is not None
        assert socket.connection.response.headers["x-request-id"]
        assert "sec-websocket-extensions" not in socket.connection.response.headers


async def test_nothing_is_compressed_even_if_a_client_would_like_it(watched: Watched) -> None:
    async with connected(watched.served.url, compression="deflate") as socket:
        assert socket.connection.response is not None
        assert "sec-websocket-extensions" not in socket.connection.response.headers
        await socket.begin()


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("graphql-ws", "soap"), ("Graphql-Transport-WS",)])
async def test_the_old_protocol_is_not_spoken(watched: Watched, protocols: tuple[str, ...]) -> None:
    """Fault 43: in it, an operation that came before connection_init was run without asking who wants it."""
    async with connected(watched.served.url, protocols=protocols) as socket:
        assert socket.connection.subprotocol is None
        assert await socket.closed() == (4406, f"Only {PROTOCOL} is spoken here")
    await watched.served.nothing_is_left()


async def test_the_new_protocol_is_spoken_beside_any_other(watched: Watched) -> None:
    async with connected(watched.served.url, protocols=("graphql-ws", PROTOCOL)) as socket:
        assert socket.connection.subprotocol == PROTOCOL


async def test_nothing_runs_before_the_connection_has_begun(watched: Watched) -> None:
    """Fault 43, by the name that the old protocol had for it as well."""
    payload = {"query": TYPENAME}
    async with connected(watched.served.url) as socket:
        await socket.send({"type": "subscribe", "id": "1", "payload": payload})
        assert (await socket.closed())[0] == 4401
    async with connected(watched.served.url) as socket:
        await socket.send({"type": "start", "id": "1", "payload": payload})
        assert (await socket.closed())[0] == 4400


async def test_a_connection_begins_once_and_soon(watched: Watched) -> None:
    async with begun(watched.served.url) as socket:
        await socket.send(BEGIN)
        assert await socket.closed() == (4429, "Too many initialisation requests")
    watched.served.limit(seconds_to_begin=0.2)
    try:
        async with connected(watched.served.url) as silent, connected(watched.served.url) as talking:
            await talking.send({"type": "ping"})
            assert await talking.message() == {"type": "pong"}
            assert await silent.closed() == await talking.closed() == (4408, "Connection initialisation timeout")
        async with begun(watched.served.url) as socket:
            await asyncio.sleep(0.3)
            assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}
    finally:
        watched.served.limit(seconds_to_begin=10.0)
    await watched.served.nothing_is_left()


async def test_an_id_names_one_operation(watched: Watched) -> None:
    ticket = await watched.ticket()
    async with begun(watched.served.url) as socket:
        id_ = await socket.watch(ticket)
        await socket.item(id_)
        await socket.send({"type": "subscribe", "id": id_, "payload": {"query": TYPENAME}})
        assert await socket.closed() == (4409, f"Subscriber for {id_} already exists")
    await watched.served.nothing_is_left()


async def test_the_end_of_a_connection_is_the_end_of_its_operations(watched: Watched) -> None:
    """However it ends, and whatever they are at."""
    tickets = [await watched.ticket() for _ in range(3)]

    async def connect_and_read(socket: Socket) -> None:
        for ticket in tickets:
            await socket.watch(ticket, 0)
            await socket.subscribe("{ regions { code } products(first: 5) { nodes { title } } }")
        while True:
            await socket.message()

    async with begun(watched.served.url) as open_:
        id_ = await open_.watch(tickets[0])
        await open_.item(id_)
        for milliseconds in range(0, 40, 4):  # before, while and after the server answers
            async with begun(watched.served.url) as socket:
                reading = asyncio.create_task(connect_and_read(socket))
                await asyncio.sleep(milliseconds / 1000)
                reading.cancel()
                await asyncio.wait([reading])
                if milliseconds % 8:
                    socket.connection.transport.abort()
        listening = watched.served.relay._listeners

        async def alone() -> bool:
            return sum(len(those) for topic, those in listening.items() if topic.startswith("ticket:")) == 1

        await given.until(alone)
        await post(watched.api, tickets[0], "still there")
        assert (await open_.item(id_))["event"]["body"] == "still there"
    await watched.served.nothing_is_left()


async def test_a_crash_is_masked_and_found_in_the_log_by_its_id(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(*_: Any) -> Any:
        raise ValueError("postgresql://secret@database")

    async with begun(watched.served.url) as socket:
        with monkeypatch.context() as broken:
            broken.setattr(Runs, "results", crash)
            (error,) = await socket.errors(await socket.subscribe(TYPENAME))
        assert error["message"] == "Something went wrong on our side."
        assert error["extensions"]["code"] == "INTERNAL"
        assert f"request {error['extensions']['requestId']} failed" in caplog.text
        assert await socket.asked(TYPENAME) == {"data": {"__typename": "Query"}}
    assert await reason_while(watched, monkeypatch, ValueError("secret")) == (1011, "Something went wrong on our side.")
    await watched.served.nothing_is_left()


async def test_whoever_comes_while_the_database_is_away_is_told_to_come_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "The shop cannot answer this right now; try again."
    assert await reason_while(watched, monkeypatch, TooManyConnectionsError("no more")) == (1013, said)


async def reason_while(watched: Watched, monkeypatch: pytest.MonkeyPatch, error: Exception) -> tuple[int, str]:
    async def fails(*_: Any) -> Any:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(Contexts, "make", fails)
        async with connected(watched.served.url) as socket:
            await socket.send(BEGIN)
            return await socket.closed()
