"""Tickets: an order splits into them, one per line that wants one, and they always add up to what was ordered."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from db import Event, Order, OrderLine, Ticket, TicketEvent
from db.connection import Row
from domain import ticket_message, ticket_move, ticket_opening
from domain.actor import GUEST, SYSTEM, OrderAccess
from domain.processes.shop import Shop
from domain.ticket_message import PostMessage
from domain.ticket_move import Move
from resolvers import ids
from tests import given
from tests.api import Api, Server
from tests.ticketing import problems

BRIEF = {"print_text": "Ada"}


async def opened(shop: Shop, order: UUID) -> list[Row]:
    """What each ticket is about: line, split number, quantity, state, brief."""
    return await shop.read.records(
        select(OrderLine.position, Ticket.split_number, Ticket.quantity, Ticket.state, Ticket.brief, Ticket.last_seq)
        .join(OrderLine, OrderLine.id == Ticket.order_line_id)
        .where(Ticket.order_id == order)
        .order_by(OrderLine.position, Ticket.split_number)
    )


async def splits(shop: Shop, order: UUID) -> list[tuple[int, int, int, str]]:
    return [(r.position, r.split_number, r.quantity, r.state) for r in await opened(shop, order)]


async def announced(shop: Shop, *names: str) -> list[tuple[str, str, dict[str, Any]]]:
    rows = await shop.read.all(select(Event).order_by(Event.id))
    return [(row.name, row.topic, row.data) for row in rows if row.name in names]


async def order_row(shop: Shop, order: UUID) -> Order:
    return await shop.read.one(select(Order).where(Order.id == order))


async def reconcile(shop: Shop, order: UUID) -> None:
    async with shop.tx() as tx:
        await ticket_opening.reconcile(tx, order)


async def placed(shop: Shop, api: Api, quantity: int = 1, **columns: Any) -> UUID:
    """An order of one product that wants a ticket, which is not opened yet."""
    await given.regions(shop)
    banner = await given.product(shop, "banner", **columns)
    order = await given.order(api, {"variantId": banner.variant, "quantity": quantity})
    return ids.decode("Order", order["id"])


async def move(shop: Shop, ticket: UUID, to: str) -> None:
    async with shop.tx() as tx:
        await ticket_move.move(tx, Move(ticket, to), given.STAFF)


async def test_each_line_that_wants_work_gets_one_ticket_and_no_other_line_does(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    banner = await given.product(shop, "banner", brief_schema=given.BRIEF)
    stickers = await given.product(shop, "stickers", brief_schema=given.BRIEF)
    flyer = await given.product(shop, "flyer")
    cup = await given.product(shop, "cup", workflow_code=None)
    order = await given.order(
        api,
        {"variantId": banner.variant, "quantity": 2, "brief": BRIEF},
        {"variantId": stickers.variant, "quantity": 500},
        {"variantId": cup.variant, "quantity": 7},
        {"variantId": flyer.variant, "quantity": 1},
    )
    await given.tickets(shop, order)
    rows = await opened(shop, ids.decode("Order", order["id"]))
    assert [(r.position, r.split_number, r.quantity, r.state, r.brief) for r in rows] == [
        (1, 1, 2, "brief_received", BRIEF),
        (2, 1, 500, "awaiting_brief", None),
        (4, 1, 1, "brief_received", None),
    ]
    found = await api(
        """query ($id: ID!, $token: String) { order(by: { id: $id }, accessToken: $token) { workStatus tickets {
             line { title } quantity version lastSeq brief splitNumber state { code name kind position }
             history { __typename seq actor visibility ... on TicketOpened { state } } } } }""",
        {"id": order["id"], "token": order["accessToken"]},
    )
    assert found["order"]["workStatus"] == "WAITING_CUSTOMER"
    assert [ticket["line"]["title"] for ticket in found["order"]["tickets"]] == ["Banner", "Stickers", "Flyer"]
    assert found["order"]["tickets"][1] == {
        "line": {"title": "Stickers"},
        "quantity": 500,
        "version": 1,
        "lastSeq": 1,
        "brief": None,
        "splitNumber": 1,
        "state": {"code": "awaiting_brief", "name": "Awaiting brief", "kind": "WAITING_CUSTOMER", "position": 0},
        "history": [
            {
                "__typename": "TicketOpened",
                "seq": 1,
                "actor": "SYSTEM",
                "visibility": "PUBLIC",
                "state": "awaiting_brief",
            }
        ],
    }


async def test_an_order_without_custom_work_gets_no_ticket(shop: Shop, api: Api) -> None:
    order = await placed(shop, api, workflow_code=None)
    before = await order_row(shop, order)
    await reconcile(shop, order)
    assert await opened(shop, order) == []
    assert await order_row(shop, order) == before
    assert before.work_status == "none"
    assert await announced(shop, "TicketsOpened", "TicketChanged") == []


async def test_a_second_reconciliation_opens_nothing(shop: Shop, api: Api) -> None:
    order = await placed(shop, api, quantity=3)
    await reconcile(shop, order)
    before = await opened(shop, order), await order_row(shop, order), await announced(shop, "TicketsOpened")
    await reconcile(shop, order)
    assert (await opened(shop, order), await order_row(shop, order), await announced(shop, "TicketsOpened")) == before
    assert await splits(shop, order) == [(1, 1, 3, "brief_received")]
    await reconcile(shop, given.new_id())  # of an order that does not exist
    assert len(await shop.read.all(select(Ticket))) == 1


async def test_parallel_reconciliations_open_nothing_twice(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    handles = ("banner", "flyer", "poster")
    lines = [{"variantId": (await given.product(shop, h)).variant, "quantity": 4} for h in handles]
    order = ids.decode("Order", (await given.order(api, *lines))["id"])
    await asyncio.gather(*(reconcile(shop, order) for _ in range(8)))
    assert await splits(shop, order) == [(n, 1, 4, "brief_received") for n in (1, 2, 3)]
    assert await announced(shop, "TicketsOpened") == [
        ("TicketsOpened", f"order:{order}", {"order_id": str(order), "count": 3})
    ]


async def test_a_ticket_that_staff_cancel_is_not_replaced_as_its_units_are_no_longer_wanted(
    shop: Shop, api: Api
) -> None:
    order = await placed(shop, api, quantity=5)
    await reconcile(shop, order)
    await move(shop, (await shop.read.scalars(select(Ticket.id)))[0], "cancelled")
    assert (await order_row(shop, order)).work_status == "none"
    assert [line.cancelled for line in await shop.read.all(select(OrderLine))] == [5]
    ((_, _, told),) = await announced(shop, "OrderLinesCancelled")
    assert (told["order_id"], told["quantity"]) == (str(order), 5)
    await reconcile(shop, order)
    assert await splits(shop, order) == [(1, 1, 5, "cancelled")]
    assert await problems(shop.read) == []


async def test_tickets_add_up_to_what_was_ordered_and_not_cancelled(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    line = {"variantId": (await given.product(shop)).variant, "quantity": 5}
    for covered, cancelled, quantities in (
        (5, 0, [5]),
        (2, 0, [2, 3]),
        (2, 1, [2, 2]),
        (2, 3, [2]),
        (4, 3, [2]),
        (1, 5, [1]),  # which is cancelled then
    ):
        (ticket,) = await given.tickets(shop, await given.order(api, line))
        async with shop.tx() as tx:
            await tx.run(update(Ticket).where(Ticket.id == ticket.key).values(quantity=covered))
            await tx.run(update(OrderLine).where(OrderLine.order_id == ticket.order).values(cancelled=cancelled))
        await reconcile(shop, ticket.order)
        assert [quantity for _, _, quantity, _ in await splits(shop, ticket.order)] == quantities
        assert ("cancelled" in {state for _, _, _, state in await splits(shop, ticket.order)}) == (cancelled == 5)


async def test_undoing_removes_only_tickets_that_nobody_has_touched(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    handles = ("banner", "flyer", "poster")
    lines = [{"variantId": (await given.product(shop, h)).variant, "quantity": 1} for h in handles]
    untouched, moved, written = await given.tickets(shop, await given.order(api, *lines))
    await move(shop, moved.key, "designing_artwork")
    async with shop.tx() as tx:
        access = OrderAccess(written.order, 1)
        await ticket_message.post_message(tx, PostMessage(written.key, "Hello"), GUEST, access)
    for _ in range(2):
        async with shop.tx() as tx:
            await ticket_opening.withdraw(tx, untouched.order)
        assert await splits(shop, untouched.order) == [(2, 1, 1, "designing_artwork"), (3, 1, 1, "brief_received")]
    assert len(await shop.read.all(select(TicketEvent))) == 4
    await reconcile(shop, untouched.order)
    assert [(line, split) for line, split, _, _ in await splits(shop, untouched.order)] == [(1, 1), (2, 1), (3, 1)]


async def test_undoing_all_of_an_order_leaves_it_as_if_nothing_was_opened(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    assert (await order_row(shop, ticket.order)).work_status == "in_progress"
    async with shop.tx() as tx:
        await ticket_opening.withdraw(tx, ticket.order)
    assert await opened(shop, ticket.order) == []
    assert (await order_row(shop, ticket.order)).work_status == "none"


async def test_what_happens_to_a_ticket_is_announced_in_the_same_commit(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    topic, data = f"ticket:{ticket.key}", {"ticket_id": str(ticket.key), "order_id": str(ticket.order)}
    both = "TicketsOpened", "TicketChanged"
    expected = [
        ("TicketChanged", topic, {**data, "seq": 1}),
        ("TicketsOpened", f"order:{ticket.order}", {"order_id": str(ticket.order), "count": 1}),
    ]
    assert await announced(shop, *both) == expected
    async with shop.tx() as tx:
        await ticket_move.move(tx, Move(ticket.key, "designing_artwork"), given.STAFF)
        await ticket_message.post_message(tx, PostMessage(ticket.key, "Begun"), SYSTEM, None)
        assert await announced(shop, *both) == expected  # seen by nobody before the commit
    expected += [("TicketChanged", topic, {**data, "seq": seq}) for seq in (2, 3)]
    assert await announced(shop, *both) == expected


async def test_a_change_that_is_rolled_back_leaves_nothing_behind(shop: Shop, api: Api) -> None:
    order = await placed(shop, api)
    before = await order_row(shop, order)
    told: list[Any] = []
    shop.database.after_commit = told.append

    async def fail_after_opening() -> None:
        async with shop.tx() as tx:
            await ticket_opening.reconcile(tx, order)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_opening()
    assert await opened(shop, order) == []
    assert await shop.read.all(select(TicketEvent)) == []
    assert await announced(shop, "TicketsOpened", "TicketChanged") == []
    assert await order_row(shop, order) == before
    assert told == []
    await reconcile(shop, order)
    assert [[type(event).__name__ for event in events] for events in told] == [["TicketChanged", "TicketsOpened"]]


async def test_the_worker_opens_the_tickets_of_a_placed_order_once(
    shop: Shop, start_server: Callable[..., Server]
) -> None:
    await given.regions(shop)
    banner = await given.product(shop, "banner", brief_schema=given.BRIEF)
    async with start_server().api() as api:
        orders = [await given.order(api, {"variantId": banner.variant, "quantity": n}) for n in (1, 2, 3)]
        await given.until(lambda: _has_ended(shop, "open_tickets", 3))
    for number, order in enumerate(orders, 1):
        assert await splits(shop, ids.decode("Order", order["id"])) == [(1, 1, number, "awaiting_brief")]
    assert len(await announced(shop, "TicketsOpened")) == 3


async def _has_ended(shop: Shop, reaction: str, times: int) -> bool:
    rows = await shop.database.pool.fetch("SELECT name, status FROM dbos.workflow_status WHERE name = $1", reaction)
    return [tuple(row) for row in rows] == [(reaction, "SUCCESS")] * times


async def test_staff_page_through_all_tickets_or_those_of_one_state(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    lines = [{"variantId": (await given.product(shop, f"banner-{n}")).variant, "quantity": n} for n in (1, 2, 3, 4, 5)]
    opened_ = await given.tickets(shop, await given.order(api, *lines))
    await move(shop, opened_[1].key, "designing_artwork")
    staff = await given.caller(shop, api, "staff", "tickets:read")
    query = """query ($state: String, $after: String) { tickets(state: $state, first: 2, after: $after) {
                 nodes { id } totalCount totalCountCapped pageInfo { hasNextPage endCursor } } }"""

    async def pages(state: str | None) -> list[list[int]]:
        found: list[list[int]] = []
        cursor, more = None, True
        while more:
            page = (await staff(query, {"state": state, "after": cursor}))["tickets"]
            assert not page["totalCountCapped"]
            numbers = {ticket.id: n for n, ticket in enumerate(opened_, 1)}
            found.append([page["totalCount"], *(numbers[node["id"]] for node in page["nodes"])])
            cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        return found

    assert await pages(None) == [[5, 1, 2], [5, 3, 4], [5, 5]]
    assert await pages("brief_received") == [[4, 1, 3], [4, 4, 5]]
    assert await pages("designing_artwork") == [[1, 2]]
    assert await pages("no such state") == [[0]]


async def test_the_list_of_tickets_is_for_staff_with_the_permission(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    for who, code in (("nobody", "UNAUTHENTICATED"), ("customer", "FORBIDDEN"), ("staff", "FORBIDDEN")):
        caller = await given.caller(shop, api, who, "tickets:write", "orders:read")
        caller.headers["x-access-token"] = ticket.access_token
        answer = await caller.answer("{ tickets { nodes { id } } }")
        assert answer["data"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
