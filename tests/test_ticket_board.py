"""The board: columns by state in an order of their own, filters, and moves of one or many, however many at once."""

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import text

from domain import ticket_board
from domain.processes.shop import Shop
from domain.ticket_board import Place
from resolvers import ids
from tests import given
from tests.api import Api
from tests.ticketing import WORKER, kinds, make_order_of, problems, proofed, refused, staff_of, stored

BOARD = """query ($workflow: String! = "default", $filter: TicketFilter, $per: Int! = 50) {
  ticketBoard(workflow: $workflow, filter: $filter, perColumn: $per) { workflow columns {
    count overdueCount state { code } tickets { id desk { rank priority overdue assignee { id name } } } } } }"""
LIST = """query ($filter: TicketFilter, $sort: TicketSort! = RANK, $state: String, $first: Int, $after: String) {
  tickets(filter: $filter, sort: $sort, state: $state, first: $first, after: $after) {
    nodes { id } totalCount pageInfo { hasNextPage endCursor } } }"""


async def columns(api: Api, tickets: list[given.Ticket], **variables: Any) -> dict[str, list[int]]:
    """Which of the tickets lie where, by their numbers from 1; without empty columns."""
    number = {ticket.id: n for n, ticket in enumerate(tickets, 1)}
    board = (await api(BOARD, variables))["ticketBoard"]
    shown = {c["state"]["code"]: [number[t["id"]] for t in c["tickets"]] for c in board["columns"]}
    return {code: listed for code, listed in shown.items() if listed}


async def test_a_ticket_goes_to_the_place_it_is_put(shop: Shop, api: Api) -> None:
    tickets = await make_order_of(shop, api, 1, 1, 1, 1)
    one, two, three, four = tickets
    staff = await staff_of(shop, api)
    assert await columns(staff, tickets) == {"brief_received": [1, 2, 3, 4]}

    async def put(ticket: given.Ticket, **place: Any) -> list[int]:
        moved = await staff.done("ticketMove", {"ticketId": ticket.id, **place}, "ticket { version }")
        assert moved["ticket"]["version"] == 1
        return (await columns(staff, tickets))["brief_received"]

    assert await put(four, beforeId=two.id) == [1, 4, 2, 3]
    assert await put(one, behindId=two.id) == [4, 2, 1, 3]
    assert await put(three, end="TOP") == [3, 4, 2, 1]
    assert await put(three, end="BOTTOM") == [4, 2, 1, 3]
    assert await put(two, end="TOP") == [2, 4, 1, 3]
    assert await put(two, beforeId=four.id) == [2, 4, 1, 3]
    both = {"ticketId": one.id, "toState": "designing_artwork", "ifVersion": 1, "end": "TOP"}
    await staff.done("ticketMove", both, "ticket { id }")
    assert await columns(staff, tickets) == {"brief_received": [2, 4, 3], "designing_artwork": [1]}
    assert await kinds(shop, one.key) == ["opened", "ranked", "moved", "ranked"]
    for place in (
        {"beforeId": one.id},
        {"behindId": two.id},
        {"beforeId": ids.encode("Ticket", given.new_id())},
    ):
        assert await refused(shop, staff, "ticketMove", {"ticketId": two.id, **place}) == [("NotFound", [*place])]
    two_places = {"ticketId": two.id, "beforeId": four.id, "end": "TOP"}
    assert await refused(shop, staff, "ticketMove", two_places) == [("ValidationFailed", [])]
    for nothing in ({}, {"toState": None, "beforeId": None, "behindId": None, "end": None}):
        assert await refused(shop, staff, "ticketMove", {"ticketId": two.id, **nothing}) == [
            ("ValidationFailed", ["toState"])
        ]


async def test_twenty_parallel_moves_end_in_twenty_places(shop: Shop, api: Api) -> None:
    tickets = await make_order_of(shop, api, 1, 1)
    more = [await given.tickets(shop, await _another(shop, api, tickets)) for _ in range(6)]
    everything = [*tickets, *(ticket for listed in more for ticket in listed)]
    staff = await staff_of(shop, api)
    places = [{"end": "TOP"}, {"beforeId": everything[0].id}, {"behindId": everything[0].id}, {"end": "BOTTOM"}]
    wanted = [{"ticketId": ticket.id, **place} for ticket in everything[1:] for place in places][:20]
    done = await asyncio.gather(*(staff.do("ticketMove", one, "ticket { id }") for one in wanted))
    assert [payload["userErrors"] for payload in done] == [[]] * 20
    rows = await shop.read.records(text("SELECT rank FROM ticket"))
    assert len({row.rank for row in rows}) == len(everything) == 8
    shown = (await columns(staff, everything))["brief_received"]
    assert sorted(shown) == list(range(1, 9))
    assert await problems(shop.read) == []


async def test_where_it_has_become_narrow_tickets_move_apart_unless_somebody_is_at_work_there(
    shop: Shop, api: Api
) -> None:
    """Always into the same gap a rank would grow until no index takes it."""
    tickets = await make_order_of(shop, api, 1, 1, 1, 1)
    below, moved, above, elsewhere = tickets
    staff = await staff_of(shop, api)
    narrow = {below: "a4" + "z" * 150 + "V", above: "a5", moved: "a6", elsewhere: "a1"}
    set_rank = text("UPDATE ticket SET rank = :rank, state = :state WHERE id = :id")
    async with shop.tx() as tx:
        for one, rank in narrow.items():
            state = "designing_artwork" if one is elsewhere else "brief_received"
            await tx.run(set_rank, id=one.key, rank=rank, state=state)
    ranks = text("SELECT rank FROM ticket ORDER BY array_position(CAST(:ids AS uuid[]), id)")
    place = {"ticketId": moved.id, "beforeId": above.id}
    async with shop.tx() as tx:
        await tx.run(text("UPDATE ticket SET priority = 'high' WHERE id = :id"), id=above.key)
        await staff.done("ticketMove", place, "ticket { id }")
        found = [row.rank for row in await shop.read.records(ranks, ids=[one.key for one in tickets])]
        assert (found[0], found[2], found[3]) == (narrow[below], narrow[above], "a1")
        assert found[0] < found[1] < found[2]
    await staff.done("ticketMove", place, "ticket { id }")
    found = [row.rank for row in await shop.read.records(ranks, ids=[one.key for one in tickets])]
    assert found[:3] == sorted(set(found[:3]))
    assert [len(rank) for rank in found] == [2, 2, 2, 2]
    assert len(set(found)) == 4
    assert [(await kinds(shop, one.key))[-1] for one in tickets] == ["ranked", "ranked", "ranked", "opened"]
    assert (await columns(staff, tickets))["brief_received"] == [1, 2, 3]
    assert await problems(shop.read) == []


async def test_wherever_they_are_put_tickets_stay_in_order_and_their_ranks_short(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticket_board, "LONGEST", 3)
    monkeypatch.setattr(ticket_board, "AROUND", 2)
    order = [ticket.key for ticket in await make_order_of(shop, api, *[1] * 7)]
    chance = random.Random(6)
    for _ in range(40):
        moved, before = chance.sample(order, 2)
        order.remove(moved)
        order.insert(order.index(before), moved)
        async with shop.tx() as tx:
            await ticket_board.move(tx, None, moved, Place(before=before), WORKER)
        rows = await shop.read.records(text("SELECT id, rank FROM ticket ORDER BY rank"))
        assert [row.id for row in rows] == order
    assert max(len(row.rank) for row in rows) < 12


async def _another(shop: Shop, api: Api, tickets: list[given.Ticket]) -> dict[str, Any]:
    (row,) = await shop.read.records(
        text("SELECT variant_id FROM order_line WHERE order_id = :order LIMIT 1"), order=tickets[0].order
    )
    return await given.order(api, {"variantId": ids.encode("Variant", row.variant_id), "quantity": 1})


async def test_the_board_shows_what_its_filter_lets_through(shop: Shop, api: Api) -> None:
    tickets = await make_order_of(shop, api, 1, 1, 1, brief_schema=given.BRIEF)
    one, two, three = tickets
    staff = await staff_of(shop, api)
    toni = await given.staff(shop, email="someone@shop.example")
    await staff.done("ticketAssign", {"ticketId": one.id, "assigneeId": ids.encode("Staff", toni)}, "ticket { id }")
    await staff.done("ticketSetPriority", {"ticketId": two.id, "priority": "URGENT"}, "ticket { id }")
    await staff.done("ticketSetDue", {"ticketId": three.id, "dueAt": "2020-01-01T00:00:00Z"}, "ticket { id }")
    await staff.done("ticketSubmitBrief", {"ticketId": one.id, "brief": {"print_text": "A"}}, "ticket { id }")
    (order,) = await shop.read.records(text('SELECT number, email FROM "order"'))
    for filter_, shown in (
        ({}, {1, 2, 3}),
        ({"workflow": "default"}, {1, 2, 3}),
        ({"assigneeId": ids.encode("Staff", toni)}, {1}),
        ({"assigneeId": None, "priority": None, "overdue": None, "search": None}, {1, 2, 3}),
        ({"unassigned": True}, {2, 3}),
        ({"unassigned": False}, {1}),
        ({"priority": "URGENT"}, {2}),
        ({"overdue": True}, {3}),
        ({"overdue": False}, {1, 2}),
        ({"requiresAction": True}, {2, 3}),
        ({"requiresAction": False}, {1}),
        ({"unread": False}, {1, 2, 3}),  # it was all done by who asks
        ({"unread": True}, set()),
        ({"orderId": ids.encode("Order", one.order)}, {1, 2, 3}),
        ({"orderId": ids.encode("Order", given.new_id())}, set()),
        ({"search": str(order.number)}, {1, 2, 3}),
        ({"search": order.email[:4].upper()}, {1, 2, 3}),
        ({"search": "banner 2"}, {2}),
        ({"search": "%"}, set()),
        ({"search": "  "}, {1, 2, 3}),
        ({"unassigned": True, "overdue": True}, {3}),
    ):
        on_board = await columns(staff, tickets, filter=filter_)
        listed = (await staff(LIST, {"filter": filter_}))["tickets"]
        numbers = {ticket.id: n for n, ticket in enumerate(tickets, 1)}
        found = {numbers[node["id"]] for node in listed["nodes"]}
        assert found == shown, filter_
        assert {n for column in on_board.values() for n in column} == shown, filter_
        assert listed["totalCount"] == len(shown)
    board = (await staff(BOARD, {"per": 1}))["ticketBoard"]
    waiting = board["columns"][0]
    assert (waiting["state"]["code"], waiting["count"], waiting["overdueCount"]) == ("awaiting_brief", 2, 1)
    assert [t["id"] for t in waiting["tickets"]] == [two.id]
    assert waiting["tickets"][0]["desk"]["priority"] == "URGENT"
    assert (await staff(BOARD, {"workflow": "nothing"}))["ticketBoard"] is None
    for wrong, argument in (
        ({"per": 0}, "perColumn"),
        ({"filter": {"orderId": "x"}}, "filter.orderId"),
        ({"filter": {"orderId": ""}}, "filter.orderId"),
        ({"filter": {"assigneeId": ""}}, "filter.assigneeId"),
    ):
        answer = await staff.answer(BOARD, wrong)
        assert [e["extensions"]["argument"] for e in answer["errors"]] == [argument]


async def test_lists_go_on_in_the_order_of_the_board(shop: Shop, api: Api) -> None:
    tickets = await make_order_of(shop, api, 1, 1, 1)
    staff = await staff_of(shop, api)
    await staff.done("ticketMove", {"ticketId": tickets[2].id, "end": "TOP"}, "ticket { id }")
    seen: list[str] = []
    for filter_ in (None, {"workflow": "default"}):
        for state in (None, "brief_received"):
            cursor, seen = None, []
            for _ in range(3):
                given_ = {"first": 1, "after": cursor, "filter": filter_, "state": state}
                page = (await staff(LIST, given_))["tickets"]
                seen += [node["id"] for node in page["nodes"]]
                cursor = page["pageInfo"]["endCursor"]
            assert seen == [tickets[2].id, tickets[0].id, tickets[1].id]
            assert not page["pageInfo"]["hasNextPage"]
    oldest = (await staff(LIST, {"sort": "OLDEST"}))["tickets"]["nodes"]
    assert [node["id"] for node in oldest] == [ticket.id for ticket in tickets]


async def test_what_ended_long_ago_is_not_on_the_board(shop: Shop, api: Api) -> None:
    tickets = await make_order_of(shop, api, 1, 1)
    staff = await staff_of(shop, api)
    given_ = {"ticketIds": [ticket.id for ticket in tickets], "toState": "cancelled"}
    moved = await staff.done("ticketsMove", given_, "tickets { id state { code } }")
    assert moved["tickets"] == [{"id": ticket.id, "state": {"code": "cancelled"}} for ticket in tickets]
    async with shop.tx() as tx:
        sql = text("UPDATE ticket SET state_since = now() - interval '15 days' WHERE id = :id")
        await tx.run(sql, id=tickets[0].key)
    assert await columns(staff, tickets) == {"cancelled": [2]}
    assert len((await staff(LIST, {"state": "cancelled"}))["tickets"]["nodes"]) == 2


async def test_many_tickets_move_together_or_not_at_all(shop: Shop, api: Api) -> None:
    tickets = await make_order_of(shop, api, 1, 1, 1)
    one, two, three = tickets
    staff = await staff_of(shop, api)
    given_ = {"ticketIds": [one.id, two.id], "toState": "designing_artwork", "note": "Begin, all of you."}
    await staff.done("ticketsMove", given_, "tickets { id }")
    assert await kinds(shop, one.key) == await kinds(shop, two.key) == ["opened", "message", "moved"]
    nobody = ids.encode("Ticket", given.new_id())
    given_ = {"ticketIds": [three.id, nobody, one.id, two.id], "toState": "proof_sent"}
    assert (
        await refused(shop, staff, "ticketsMove", given_)
        == [
            ("InvalidTransition", ["ticketIds", "0"]),
            ("NotFound", ["ticketIds", "1"]),
        ]
        or set(await refused(shop, staff, "ticketsMove", given_)) == set()
    )
    for wrong in ([], [one.id, one.id], [nobody] * 101):
        given_ = {"ticketIds": wrong, "toState": "proof_sent"}
        assert await refused(shop, staff, "ticketsMove", given_) == [("ValidationFailed", ["ticketIds"])]
    given_ = {"ticketIds": ["x"], "toState": "proof_sent"}
    assert await refused(shop, staff, "ticketsMove", given_) == [("ValidationFailed", ["ticketIds", "0"])]


async def test_parallel_moves_of_the_same_tickets_neither_lose_one_nor_wait_for_each_other_for_ever(
    shop: Shop, api: Api
) -> None:
    tickets = await make_order_of(shop, api, 1, 1, 1)
    staff = await staff_of(shop, api)
    orders = [[t.id for t in tickets], [t.id for t in reversed(tickets)]] * 3
    moves = ({"ticketIds": listed, "toState": "designing_artwork"} for listed in orders)
    done = await asyncio.gather(*(staff.do("ticketsMove", one, "tickets { id }") for one in moves))
    assert sorted(len(payload["userErrors"]) for payload in done) == [0, 3, 3, 3, 3, 3]
    for ticket in tickets:
        assert await kinds(shop, ticket.key) == ["opened", "moved"]
    assert await problems(shop.read) == []


async def test_a_move_says_what_is_missing_and_a_note_can_be_asked_for(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    staff = await staff_of(shop, api)
    async with shop.tx() as tx:
        sql = """UPDATE workflow_transition SET requires = '{note,approved_proof,brief_complete}'
                 WHERE from_state = 'brief_received' AND to_state = 'designing_artwork'"""
        await tx.run(text(sql))
    move = """mutation ($input: TicketMoveInput!) { ticketMove(input: $input) { userErrors { path
        ... on InvalidTransition { fromState toState allowed missing } } } }"""
    told: list[list[str]] = []
    for note, decision in ((None, None), ("Because", None), ("Because", "APPROVE")):
        if decision:
            await proofed(shop, ticket.key, "approve")  # type: ignore[arg-type]
        before = await stored(shop)
        given_ = {"ticketId": ticket.id, "toState": "designing_artwork", "note": note}
        for error in (await staff(move, {"input": given_}))["ticketMove"]["userErrors"]:
            told.append(error["missing"])
            assert error["allowed"] == ["designing_artwork", "cancelled"]
            assert await stored(shop) == before
    assert told == [["approved_proof", "note"], ["approved_proof"]]
    assert (await kinds(shop, ticket.key))[-2:] == ["message", "moved"]
    blank = {"ticketId": ticket.id, "toState": "cancelled", "note": " "}
    assert await refused(shop, staff, "ticketMove", blank) == [("ValidationFailed", ["note"])]
