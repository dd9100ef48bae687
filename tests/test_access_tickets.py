"""Who sees which ticket, who moves it and who writes on it."""

from typing import Any

from sqlalchemy import select

from db import Ticket, TicketEvent
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts
from tests.access import Bought, World, random, seen, world
from tests.api import Api

TICKET = "query ($id: ID!, $token: String) { shown: ticket(id: $id, accessToken: $token) { id line { title } } }"
NODE = "query ($id: ID!) { shown: node(id: $id) { id ... on Ticket { line { title } } } }"
MOVE = """mutation ($id: ID!) { shown: ticketMove(input: { ticketId: $id, toState: "designing_artwork" }) {
          ticket { state { code } } userErrors { __typename code path } } }"""
POST = """mutation ($id: ID!, $token: String, $visibility: Visibility = PUBLIC) {
          shown: ticketPostMessage(input: {
            ticketId: $id, accessToken: $token, body: "Hello", visibility: $visibility }) {
          ticket { id } userErrors { __typename code path } } }"""
HISTORY = """query ($id: ID!, $token: String) { shown: ticket(id: $id, accessToken: $token) {
             history { visibility ... on TicketMessagePosted { body } } } }"""
EVENTS = """subscription ($id: ID!, $token: String) {
            ticketEvents(ticketId: $id, accessToken: $token, afterSeq: 1000) { __typename } }"""
NOT_FOUND = {"ticket": None, "userErrors": [{"__typename": "NotFound", "code": "NOT_FOUND", "path": ["ticketId"]}]}
OWNERS = ((True, {"sam", "its token"}), (False, {"its token"}))
"""Who has Sam's ticket and who has the guest's, besides staff."""


def subjects(there: World) -> list[tuple[Bought, set[str]]]:
    return [(there.sams if is_sams else there.guests, owners) for is_sams, owners in OWNERS]


async def recorded(shop: Shop) -> list[dict[str, Any]]:
    """All that is known of tickets."""
    rows = [
        *await shop.read.records(select(Ticket.__table__).order_by(Ticket.id)),
        *await shop.read.records(select(TicketEvent.__table__).order_by(TicketEvent.ticket_id, TicketEvent.seq)),
    ]
    return [dict(row) for row in rows]


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer.get("errors", [])]


async def test_a_ticket_is_seen_by_whose_order_it_is_and_by_staff_with_the_permission(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    for subject, owners in subjects(there):
        for query in (TICKET, NODE):
            found = {
                name
                for name, caller in there.callers(subject).items()
                if await seen(caller, query, subject.ticket, "Ticket")
            }
            assert found == {*owners, "staff with tickets:read"}
        assert await seen(api, TICKET, subject.ticket, "Ticket", token=subject.access_token)
        assert await seen(there.callers(subject)["its token"], TICKET, subject.ticket, "Ticket", token="") is None


async def test_an_orders_tickets_are_seen_with_the_order_but_not_by_staff_for_orders_alone(
    shop: Shop, api: Api
) -> None:
    there = await world(shop, api)
    query = "query ($id: ID!) { shown: order(by: { id: $id }) { tickets { id } } }"
    tickets = [{"id": there.sams.ticket}]
    for name, shown in (("sam", tickets), ("its token", tickets), ("staff with orders:read", [])):
        caller = there.callers(there.sams)[name]
        assert await seen(caller, query, there.sams.order, "Order") == {"tickets": shown}, name


async def test_all_tickets_are_listed_for_staff_with_the_permission_alone(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    for name, caller in there.callers(there.guests).items():
        answer = await caller.answer("{ tickets { nodes { id } } }")
        if name == "staff with tickets:read":
            assert [t["id"] for t in answer["data"]["tickets"]["nodes"]] == [there.sams.ticket, there.guests.ticket]
        else:
            signed_in = name in there.people
            assert codes(answer) == ["FORBIDDEN" if signed_in else "UNAUTHENTICATED"], name
            assert answer["data"] is None


async def test_a_ticket_is_moved_by_staff_with_the_permission_alone(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    before = await recorded(shop)
    for subject in (there.sams, there.guests):
        for name, caller in there.callers(subject).items():
            if name != "staff with tickets:write":
                for ticket in (subject.ticket, random("Ticket"), "nonsense"):
                    answer = await caller.answer(MOVE, {"id": ticket})
                    assert codes(answer) == ["FORBIDDEN" if name in there.people else "UNAUTHENTICATED"], name
                    assert answer["data"] is None
    assert await recorded(shop) == before
    mover = there.everybody["staff with tickets:write"]
    assert (await mover(MOVE, {"id": random("Ticket")}))["shown"] == NOT_FOUND
    assert await recorded(shop) == before
    moved = await mover(MOVE, {"id": there.guests.ticket})
    assert moved["shown"] == {"ticket": {"state": {"code": "designing_artwork"}}, "userErrors": []}


async def test_on_a_ticket_writes_whose_order_it_is_and_staff_with_the_permission(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    for subject, owners in subjects(there):
        for name, caller in there.callers(subject).items():
            before = await recorded(shop)
            answer = (await caller(POST, {"id": subject.ticket}))["shown"]
            if name in {*owners, "staff with tickets:write"}:
                assert answer == {"ticket": {"id": subject.ticket}, "userErrors": []}, name
                assert len(await recorded(shop)) == len(before) + 1
            else:
                assert answer == NOT_FOUND, name
                assert await recorded(shop) == before
            assert (await caller(POST, {"id": random("Ticket")}))["shown"] == NOT_FOUND, name


async def test_internal_notes_are_written_and_read_by_staff_alone(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    subject = there.sams
    note = {"id": subject.ticket, "visibility": "INTERNAL"}
    before = await recorded(shop)
    refused = [{"__typename": "ValidationFailed", "code": "VALIDATION_FAILED", "path": ["visibility"]}]
    for name in ("sam", "kim", "anonymous", "its token"):
        caller = there.callers(subject)[name]
        for ticket in (subject.ticket, random("Ticket")):
            answer = await caller(POST, {**note, "id": ticket})
            assert answer["shown"] == {"ticket": None, "userErrors": refused}
    assert await recorded(shop) == before
    await there.everybody["staff with tickets:write"](POST, note)
    internal = {"visibility": "INTERNAL", "body": "Hello"}
    for name, sees in (("staff with tickets:read", True), ("sam", False), ("its token", False)):
        shown = await seen(there.callers(subject)[name], HISTORY, subject.ticket, "Ticket")
        assert (internal in shown["history"]) == sees, name


async def test_a_ticket_is_watched_by_those_who_see_it(shop: Shop, api: Api) -> None:
    """A cursor from the future ends the stream at once, for those who may watch at all."""
    there = await world(shop, api)

    async def watch(caller: Api, ticket: str) -> dict[str, Any]:
        (item,) = [item async for item in caller.events(EVENTS, {"id": ticket})]
        for error in item.get("errors", []):
            del error["extensions"]["requestId"]
        return item

    for subject, owners in subjects(there):
        for name, caller in there.callers(subject).items():
            item = await watch(caller, subject.ticket)
            if name in {*owners, "staff with tickets:read"}:
                assert item == {"data": {"ticketEvents": {"__typename": "ResyncRequired"}}}, name
            else:
                assert item["data"] is None
                assert codes(item) == ["BAD_USER_INPUT"], name
                assert item == await watch(caller, random("Ticket"))


async def test_raising_the_access_version_closes_the_tickets_to_old_tokens(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    subject = there.guests
    holder = there.callers(subject)["its token"]
    key = ids.decode("Order", subject.order)
    await carts.execute(shop, 'UPDATE "order" SET access_version = 2 WHERE id = :key', key=key)
    before = await recorded(shop)
    assert await seen(holder, TICKET, subject.ticket, "Ticket") is None
    assert (await holder(POST, {"id": subject.ticket}))["shown"] == NOT_FOUND
    assert await recorded(shop) == before


async def test_tickets_of_an_order_that_is_not_placed_are_seen_by_staff_alone(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    await carts.execute(shop, "UPDATE \"order\" SET status = 'pending', number = NULL, placed_at = NULL")
    for subject, owners in subjects(there):
        for name in owners:
            caller = there.callers(subject)[name]
            assert await seen(caller, TICKET, subject.ticket, "Ticket") is None
            assert (await caller(POST, {"id": subject.ticket}))["shown"] == NOT_FOUND
        reader = there.everybody["staff with tickets:read"]
        assert await seen(reader, TICKET, subject.ticket, "Ticket")
