"""What is said on a ticket: both sides write, only staff see internal notes, and nothing gets out of order."""

import asyncio
from typing import Any

from sqlalchemy import select

from db import Event, Order, Ticket, TicketEvent
from db.connection import new_id
from domain import ticket_message, ticket_move
from domain.actor import GUEST, OrderAccess
from domain.processes.shop import Shop
from domain.ticket_message import LONGEST_MESSAGE, PostMessage
from domain.ticket_move import Move
from resolvers import ids
from tests import given
from tests.api import Api

HISTORY = """query ($id: ID!, $token: String, $after: Int! = 0) { ticket(id: $id, accessToken: $token) {
  lastSeq history(after: $after) { __typename seq actor visibility
    ... on TicketMessagePosted { body } ... on TicketMoved { fromState toState } } } }"""


async def stored(shop: Shop) -> list[Any]:
    return [await shop.read.all(select(table)) for table in (Ticket, TicketEvent, Event, Order)]


async def said(api: Api, ticket: given.Ticket, token: str | None = None) -> list[tuple[int, str]]:
    """Seq and text of the messages that the caller sees."""
    history = (await api(HISTORY, {"id": ticket.id, "token": token}))["ticket"]["history"]
    return [(event["seq"], event["body"]) for event in history if event["__typename"] == "TicketMessagePosted"]


async def post(api: Api, ticket: given.Ticket, body: str, **more: Any) -> dict[str, Any]:
    return await api.do(
        "ticketPostMessage", {"ticketId": ticket.id, "body": body, **more}, "ticket { lastSeq version }"
    )


async def staff_of(shop: Shop, api: Api) -> Api:
    return await given.caller(shop, api, "staff", "tickets:read", "tickets:write")


async def test_both_sides_write_and_read_the_same_history(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    staff = await staff_of(shop, api)
    payload = await post(api, ticket, "  In green, please.\n", accessToken=ticket.access_token)
    assert payload == {"ticket": {"lastSeq": 2, "version": 1}, "userErrors": [], "warnings": []}
    assert (await post(staff, ticket, "Green it is."))["ticket"] == {"lastSeq": 3, "version": 1}
    await staff.done("ticketMove", {"ticketId": ticket.id, "toState": "designing_artwork"}, "ticket { id }")
    message = {"__typename": "TicketMessagePosted", "visibility": "PUBLIC"}
    expected = {
        "lastSeq": 4,
        "history": [
            {"__typename": "TicketOpened", "seq": 1, "actor": "SYSTEM", "visibility": "PUBLIC"},
            {**message, "seq": 2, "actor": "CUSTOMER", "body": "In green, please."},
            {**message, "seq": 3, "actor": "STAFF", "body": "Green it is."},
            {
                "__typename": "TicketMoved",
                "seq": 4,
                "actor": "STAFF",
                "visibility": "PUBLIC",
                "fromState": "brief_received",
                "toState": "designing_artwork",
            },
        ],
    }
    assert (await api(HISTORY, {"id": ticket.id, "token": ticket.access_token}))["ticket"] == expected
    assert (await staff(HISTORY, {"id": ticket.id}))["ticket"] == expected


async def test_internal_notes_are_seen_by_staff_alone_and_leave_gaps_for_others(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    staff = await staff_of(shop, api)
    for body, visibility in (("one", "PUBLIC"), ("two", "INTERNAL"), ("three", "PUBLIC")):
        assert (await post(staff, ticket, body, visibility=visibility))["userErrors"] == []
    assert await said(staff, ticket) == [(2, "one"), (3, "two"), (4, "three")]
    assert await said(api, ticket, ticket.access_token) == [(2, "one"), (4, "three")]
    nested = """query ($id: ID!, $token: String) { order(by: { id: $id }, accessToken: $token) {
                  tickets { history(after: 1) { seq visibility } } } }"""
    shown = await api(nested, {"id": ids.encode("Order", ticket.order), "token": ticket.access_token})
    assert [event["seq"] for event in shown["order"]["tickets"][0]["history"]] == [2, 4]


async def test_customers_cannot_write_internal_notes(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    reader = await given.caller(shop, api, "staff", "tickets:read", "orders:read")
    before = await stored(shop)
    for caller in (api, await given.caller(shop, api, "customer"), reader):
        payload = await post(caller, ticket, "Hidden", visibility="INTERNAL", accessToken=ticket.access_token)
        assert payload["ticket"] is None
        (error,) = payload["userErrors"]
        assert (error["__typename"], error["path"]) == ("ValidationFailed", ["visibility"])
        assert error["message"] == "Only staff write internal notes."
    assert await stored(shop) == before


async def test_a_message_that_says_nothing_or_too_much_is_refused(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    before = await stored(shop)
    for body in ("", "  \n\t ", "x" * (LONGEST_MESSAGE + 1), "a\0b"):
        payload = await post(api, ticket, body, accessToken=ticket.access_token)
        assert payload["ticket"] is None
        (error,) = payload["userErrors"]
        assert (error["__typename"], error["code"], error["path"]) == (
            "ValidationFailed",
            "VALIDATION_FAILED",
            ["body"],
        )
    assert await stored(shop) == before


async def test_the_longest_message_is_kept_to_the_letter(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    for body in ("ü" * LONGEST_MESSAGE, "'; DROP TABLE ticket; -- \\u0041 \\ \u202e <b>&amp;</b> \U0001f9fe\n\nEnd"):
        assert (await post(api, ticket, body, accessToken=ticket.access_token))["userErrors"] == []
        assert (await said(api, ticket, ticket.access_token))[-1][1] == body


async def test_a_ticket_opens_with_the_orders_token_in_the_input_or_in_the_header(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    with_header = Api(api.http, {"x-access-token": ticket.access_token})
    assert (await post(api, ticket, "input", accessToken=ticket.access_token))["userErrors"] == []
    assert (await post(with_header, ticket, "header"))["userErrors"] == []
    assert (await post(with_header, ticket, "null", accessToken=None))["userErrors"] == []
    everything = [(2, "input"), (3, "header"), (4, "null")]
    assert await said(api, ticket, ticket.access_token) == await said(with_header, ticket) == everything


async def strangers(shop: Shop, api: Api, other: given.Ticket) -> list[Api]:
    """Callers to whom a ticket must not exist."""
    return [
        api,
        Api(api.http, {"x-access-token": other.access_token}),
        Api(api.http, {"x-access-token": "nonsense"}),
        await given.caller(shop, api, "customer"),
        await given.caller(shop, api, "staff", "orders:read", "orders:write"),
    ]


async def test_a_foreign_ticket_does_not_exist(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    flyer = await given.product(shop, "flyer")
    (other,) = await given.tickets(shop, await given.order(api, {"variantId": flyer.variant, "quantity": 1}))
    callers = await strangers(shop, api, other)
    before = await stored(shop)
    for caller in callers:
        missing = given.Ticket(ids.encode("Ticket", new_id()), new_id(), new_id(), "")
        payloads = [await post(caller, asked, "Hello?") for asked in (ticket, missing)]
        assert payloads[0] == payloads[1]
        assert payloads[0]["userErrors"] == [
            {
                "__typename": "NotFound",
                "code": "NOT_FOUND",
                "message": "There is no such ticket, or it is not yours.",
                "path": ["ticketId"],
            }
        ]
        assert await caller(HISTORY, {"id": ticket.id}) == {"ticket": None}
    assert await stored(shop) == before


async def test_customers_open_the_tickets_of_their_own_orders_without_a_token(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    banner = await given.product(shop, "banner")
    ada = await given.caller(shop, api, "customer")
    (ticket,) = await given.tickets(shop, await given.order(ada, {"variantId": banner.variant, "quantity": 1}))
    assert (await post(ada, ticket, "It is me."))["userErrors"] == []
    assert await said(ada, ticket) == [(2, "It is me.")]
    row = (await shop.read.all(select(TicketEvent).order_by(TicketEvent.seq)))[-1]
    owner = (await shop.read.one(select(Order))).customer_id
    assert (row.actor_kind, row.actor_id) == ("customer", owner)
    assert owner is not None


async def test_the_history_after_a_seq_is_what_came_later(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    for body in ("two", "three", "four"):
        await post(api, ticket, body, accessToken=ticket.access_token)
    query = """query ($id: ID!) { ticket(id: $id) { all: history { seq } from_0: history(after: 0) { seq }
      below: history(after: -5) { seq } later: history(after: 2) { seq } none: history(after: 9) { seq } } }"""
    staff = await staff_of(shop, api)
    found = (await staff(query, {"id": ticket.id}))["ticket"]
    assert {name: [event["seq"] for event in events] for name, events in found.items()} == {
        "all": [1, 2, 3, 4],
        "from_0": [1, 2, 3, 4],
        "below": [1, 2, 3, 4],
        "later": [3, 4],
        "none": [],
    }


async def test_what_happens_to_a_ticket_at_once_is_still_one_gapless_history(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    access = OrderAccess(ticket.order, 1)

    async def post_one(n: int) -> None:
        async with shop.tx() as tx:
            await ticket_message.post_message(tx, PostMessage(ticket.key, f"message {n}"), GUEST, access)

    async def move_there_and_back(to: str) -> None:
        async with shop.tx() as tx:
            await ticket_move.move(tx, Move(ticket.key, to), given.STAFF)

    await move_there_and_back("designing_artwork")
    moves = (move_there_and_back(to) for to in ("proof_sent", "cancelled"))
    outcomes = await asyncio.gather(*map(post_one, range(40)), *moves, return_exceptions=True)
    done = 40 + sum(outcome is None for outcome in outcomes[40:])
    rows = await shop.read.all(select(TicketEvent).order_by(TicketEvent.seq))
    assert [row.seq for row in rows] == list(range(1, 2 + 1 + done))
    assert {row.data["body"] for row in rows if row.kind == "message"} == {f"message {n}" for n in range(40)}
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    places = [row.data for row in rows if row.kind == "moved"]
    assert [place["from"] for place in places[1:]] == [place["to"] for place in places[:-1]]
    row = await shop.read.one(select(Ticket))
    assert (row.last_seq, row.version, row.state) == (2 + done, 1 + len(places), "cancelled")
    log = await shop.read.all(select(Event).where(Event.topic == f"ticket:{ticket.key}"))
    assert sorted(event.data["seq"] for event in log) == list(range(1, 3 + done))
