"""Streams over several tickets: a state with its cursor, then every later change once and in order, from any cursor."""

import asyncio
import random

import pytest

from domain.event_log import Cursor
from server.app import signed_tokens
from server.settings import read_settings
from tests import given
from tests.api import SECRET, Api
from tests.live import Live, live_fixture, post  # noqa: F401 - the fixture `live`
from tests.streams import (
    ORDER_UPDATED,
    SNAPSHOTS,
    STREAMS,
    TICKET_BOARD,
    bodies,
    of_board,
    of_customer,
    of_order,
    subscribed,
)

SIGNED = signed_tokens(read_settings({"JWT_SECRET": SECRET}))
every_stream = pytest.mark.parametrize("name", STREAMS)


def cursor_of(sealed: str) -> Cursor:
    plain = SIGNED.unseal(sealed)
    assert plain is not None
    return Cursor.read(plain.removeprefix("log:"))


def sealed(cursor: Cursor) -> str:
    return SIGNED.seal(f"log:{cursor}")


@every_stream
async def test_a_stream_begins_with_a_state_and_every_cursor_leads_on(live: Live, name: str) -> None:
    watched = await STREAMS[name](live)
    await watched.post("before")
    async with watched.stream() as stream:
        first = await stream.item()
        assert first["__typename"] in SNAPSHOTS
        assert "'lastSeq': 2" in str(first) or first["__typename"] == "OrderSnapshot"
        await watched.post("one", "two", "three")
        told = await stream.items(3)
        assert bodies(told) == ["one", "two", "three"]
        assert [item["ticket"]["id"] for item in told] == [watched.ticket.id] * 3
    for n, item in enumerate((first, *told)):
        async with watched.stream(item["cursor"]) as resumed:
            assert bodies(await resumed.items(3 - n)) == ["one", "two", "three"][n:]
            await watched.post(f"new {n}")
            assert bodies(await resumed.items(1 + n))[n:] == [f"new {n}"]
        assert item["cursor"].isascii()


async def test_the_order_itself_its_tickets_and_its_parcels_are_told_of(live: Live) -> None:
    placed = await given.order(live.api, {"variantId": live.variant, "quantity": 1})
    async with subscribed(
        live.api, ORDER_UPDATED, order=placed["id"], token=placed["accessToken"], after=None
    ) as stream:
        first = await stream.item()
        assert (first["order"]["id"], first["order"]["status"]) == (placed["id"], "PLACED")
        (ticket,) = await given.tickets(live.shop, placed)
        opened = await stream.items(3)
        assert sorted(item["kind"] for item in opened) == ["ORDER", "TICKET", "TICKETS_OPENED"]
        assert {item["order"]["workStatus"] for item in opened} == {"IN_PROGRESS"}
        seller = await given.caller(live.shop, live.api, "staff", "orders:fulfil", "tickets:write", "tickets:read")
        line = await live.shop.read.scalar(
            given.select(given.OrderLine.id).where(given.OrderLine.order_id == ticket.order)
        )
        lines = [{"orderLineId": given.ids.encode("OrderLine", line), "quantity": 1}]
        await seller.done("fulfilmentCreate", {"orderId": placed["id"], "lines": lines}, "fulfilment { id }")
        kinds: list[str] = []
        while "SHIPPED" not in kinds or "ORDER" not in kinds or "TICKET" not in kinds:
            kinds.append((await stream.item())["kind"])


@every_stream
async def test_many_writers_and_a_client_that_is_cut_again_and_again(live: Live, name: str) -> None:
    watched = await STREAMS[name](live)
    async with watched.stream() as stream:
        last = (await stream.item())["cursor"]
    chance = random.Random(20_260_101)
    seen: list[str] = []

    async def read() -> None:
        nonlocal last
        while len(seen) < 120:
            async with watched.stream(last) as stream:
                for _ in range(chance.choice((1, 3, 20, 40))):
                    item = await stream.item()
                    seen.append(item["event"]["body"])
                    last = item["cursor"]
                    if len(seen) == 120:
                        break

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        for writer in range(6):
            tasks.create_task(watched.post(*(f"{writer}-{n}" for n in range(20))))
    assert sorted(seen) == sorted(f"{writer}-{n}" for writer in range(6) for n in range(20))
    for writer in range(6):
        assert [body for body in seen if body.startswith(f"{writer}-")] == [f"{writer}-{n}" for n in range(20)]


@every_stream
async def test_a_cursor_of_another_time_gets_one_resync_and_the_end(live: Live, name: str) -> None:
    watched = await STREAMS[name](live)
    async with watched.stream() as stream:
        cursor = cursor_of((await stream.item())["cursor"])
    foreign = (
        Cursor(cursor.generation + 1, cursor.follows, cursor.id),
        Cursor(cursor.generation - 1, cursor.follows, cursor.id),
        Cursor(cursor.generation, cursor.follows + 10**9, 0),
    )
    for other in foreign:
        async with watched.stream(sealed(other)) as stream:
            assert await stream.item() == {"__typename": "ResyncRequired", "seq": 0}
            await stream.ends()
    for nonsense in ("", "nonsense", SIGNED.seal("something else")):
        async with watched.stream(nonsense) as stream:
            error = await stream.error()
            assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "after")


@every_stream
async def test_nobody_else_is_told_anything(live: Live, name: str) -> None:
    watched = await STREAMS[name](live)
    customer = await given.caller(live.shop, live.api, "customer")
    clerk = await given.caller(live.shop, live.api, "staff", "stock:read")
    for stranger in (Api(live.api.http), customer, clerk):
        variables = {key: value for key, value in watched.variables.items() if key != "token"}
        async with subscribed(stranger, watched.document, **variables, after=None) as stream:
            answer = await stream.answer()
            if "errors" in answer:
                assert answer["errors"][0]["extensions"]["code"] in {"BAD_USER_INPUT", "UNAUTHENTICATED", "FORBIDDEN"}
            else:
                assert (stranger, answer["data"]["item"]["tickets"]) == (customer, [])
                await watched.post("secret")
                async with watched.stream() as own:
                    await own.item()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(stream.answer(), 0.5)


async def test_internal_notes_reach_staff_alone(live: Live) -> None:
    outside, inside, mine = await of_order(live), await of_board(live), await of_customer(live)
    staff = await live.staff()
    pairs = ((outside, await given.caller(live.shop, live.api, "staff", "tickets:read", "orders:read")), (mine, None))
    for watched, colleague in pairs:
        async with watched.stream() as stream:
            await stream.item()
            await post(staff, watched.ticket, "internal", visibility="INTERNAL")
            await watched.post("public")
            assert bodies(await stream.items(1)) == ["public"]
        if colleague is not None:
            async with watched.by(colleague).stream() as stream:
                await stream.item()
                await post(staff, watched.ticket, "internal too", visibility="INTERNAL")
                assert bodies(await stream.items(1)) == ["internal too"]
    async with inside.stream() as stream:
        await stream.item()
        await post(staff, inside.ticket, "note", visibility="INTERNAL")
        assert bodies(await stream.items(1)) == ["note"]


async def test_the_board_says_whether_a_ticket_still_fits(live: Live) -> None:
    watched = await of_board(live)
    filter_ = {**watched.variables["filter"], "priority": "URGENT"}
    staff = await live.staff()
    async with subscribed(staff, TICKET_BOARD, filter=filter_, after=None) as stream:
        first = await stream.item()
        assert [column["tickets"] for column in first["board"]["columns"] if column["tickets"]] == []
        for priority, fits in (("URGENT", True), ("LOW", False)):
            await staff.done(
                "ticketSetPriority", {"ticketId": watched.ticket.id, "priority": priority}, "warnings { code }"
            )
            item = await stream.item()
            assert (item["ticketId"], item["fits"], item["event"]["__typename"]) == (
                watched.ticket.id,
                fits,
                "TicketPrioritySet",
            )
