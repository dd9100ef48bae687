"""How staff organise the work: who, until when, how urgent; what is unread; what is late; what they say often."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from domain.processes.overdue_tickets import tell_of_overdue
from domain.processes.shop import Shop
from resolvers import ids
from tests import given, people
from tests.api import Api
from tests.ticketing import kinds, make_order_of, refused, row, staff_of

DESK = "ticket { version unreadCount desk { assignee { id name } priority dueAt overdue stateDueAt } }"


async def test_a_ticket_is_given_to_somebody_and_taken_away_again(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    staff = await staff_of(shop, api)
    toni = await people.member(shop, api, "tickets:read", email="toni@shop.example")
    left = await given.staff(shop, email="left@shop.example")
    async with shop.tx() as tx:
        await tx.run(text("UPDATE staff SET active = false WHERE id = :id"), id=left)
    for _ in range(2):
        given_ = {"ticketId": ticket.id, "assigneeId": toni.id}
        shown = (await staff.done("ticketAssign", given_, DESK))["ticket"]
        assert shown["desk"]["assignee"] == {"id": toni.id, "name": "Toni"}
        assert shown["version"] == 1
    for nobody in (ids.encode("Staff", left), ids.encode("Staff", given.new_id())):
        given_ = {"ticketId": ticket.id, "assigneeId": nobody}
        assert await refused(shop, staff, "ticketAssign", given_) == [("NotFound", ["assigneeId"])]
    for nobody in ({"assigneeId": None}, {}):
        shown = (await staff.done("ticketAssign", {"ticketId": ticket.id, **nobody}, DESK))["ticket"]
        assert shown["desk"]["assignee"] is None
    assert await kinds(shop, ticket.key) == ["opened", "assigned", "assigned"]
    query = """query ($id: ID!) { ticket(id: $id) { history { visibility actorName
        ... on TicketAssigned { fromStaffId toStaffId } } } }"""
    history = (await staff(query, {"id": ticket.id}))["ticket"]["history"]
    assert history[1:] == [
        {"visibility": "INTERNAL", "actorName": "Toni", "fromStaffId": None, "toStaffId": toni.id},
        {"visibility": "INTERNAL", "actorName": "Toni", "fromStaffId": toni.id, "toStaffId": None},
    ]


async def test_dates_and_priorities_are_told_to_staff_alone(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    staff = await staff_of(shop, api)
    due = {"ticketId": ticket.id, "dueAt": "2040-05-01T10:00:00+02:00"}
    shown = (await staff.done("ticketSetDue", due, DESK))["ticket"]["desk"]
    assert (shown["dueAt"], shown["overdue"]) == ("2040-05-01T08:00:00+00:00", False)
    await staff.done("ticketSetPriority", {"ticketId": ticket.id, "priority": "URGENT"}, DESK)
    await staff.done("ticketSetPriority", {"ticketId": ticket.id, "priority": "URGENT"}, DESK)
    shown = (await staff.done("ticketSetDue", {"ticketId": ticket.id, "dueAt": None}, DESK))["ticket"]["desk"]
    assert (shown["dueAt"], shown["priority"]) == (None, "URGENT")
    query = """query ($id: ID!) { ticket(id: $id) { desk { priority } unreadCount history { seq
        ... on TicketDueSet { fromDueAt toDueAt } ... on TicketPrioritySet { fromPriority toPriority } } } }"""
    history = (await staff(query, {"id": ticket.id}))["ticket"]["history"]
    assert history[1:] == [
        {"seq": 2, "fromDueAt": None, "toDueAt": "2040-05-01T08:00:00+00:00"},
        {"seq": 3, "fromPriority": "NORMAL", "toPriority": "URGENT"},
        {"seq": 4, "fromDueAt": "2040-05-01T08:00:00+00:00", "toDueAt": None},
    ]
    owner = Api(api.http, {"x-access-token": ticket.access_token})
    assert (await owner(query, {"id": ticket.id}))["ticket"] == {
        "desk": None,
        "unreadCount": 0,
        "history": [{"seq": 1}],
    }
    naive = {"ticketId": ticket.id, "dueAt": "2040-05-01T10:00:00"}
    assert await refused(shop, staff, "ticketSetDue", naive) == [("ValidationFailed", ["dueAt"])]


async def test_each_reader_has_their_own_unread_events(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    sam = await given.customer(shop)
    async with shop.tx() as tx:
        await tx.run(text('UPDATE "order" SET customer_id = :sam'), sam=sam)
    as_sam = api.signed_in(await given.access_token(shop, given.ActorKind.CUSTOMER, sam))
    ada = await people.member(shop, api, "tickets:read", "tickets:write", email="ada@shop.example")
    bea = await people.member(shop, api, "tickets:read", "tickets:write", email="bea@shop.example")

    async def unread() -> list[int]:
        query = "query ($id: ID!) { ticket(id: $id) { unreadCount } }"
        callers = (as_sam, ada.api, bea.api)
        counts = [(await caller(query, {"id": ticket.id}))["ticket"]["unreadCount"] for caller in callers]
        assert (await as_sam("{ me { unreadCount } }"))["me"]["unreadCount"] == counts[0]
        return counts

    async def say(caller: Api, **more: Any) -> None:
        await caller.done("ticketPostMessage", {"ticketId": ticket.id, "body": "Hello", **more}, "ticket { id }")

    async def read(caller: Api, seq: int) -> None:
        await caller.done("ticketMarkRead", {"ticketId": ticket.id, "seq": seq}, "ticket { unreadCount }")

    assert await unread() == [0, 0, 0]
    await say(ada.api)
    await say(as_sam)
    await say(bea.api, visibility="INTERNAL")
    assert await unread() == [1, 2, 2]
    await read(as_sam, 2)
    assert await unread() == [0, 2, 2]
    await read(ada.api, 3)
    assert await unread() == [0, 1, 2]
    await read(ada.api, 2)  # what was read stays read
    await read(bea.api, 1_000_000)
    assert await unread() == [0, 1, 0]
    await say(ada.api)
    assert await unread() == [1, 1, 1]
    before = await row(shop, ticket.key)
    await asyncio.gather(*(read(as_sam, seq) for seq in (3, 5, 1, 4)))
    after = await row(shop, ticket.key)
    assert (after.customer_read_seq, after.last_seq, after.version) == (5, before.last_seq, before.version)
    assert await refused(shop, as_sam, "ticketMarkRead", {"ticketId": ticket.id, "seq": -1}) == [
        ("ValidationFailed", ["seq"])
    ]
    kim = await given.caller(shop, api, "customer")
    for caller in (kim, api, await given.caller(shop, api, "staff", "orders:read")):
        given_ = {"ticketId": ticket.id, "seq": 1}
        assert await refused(shop, caller, "ticketMarkRead", given_) == [("NotFound", ["ticketId"])]


async def test_a_customer_pages_through_their_tickets_and_those_that_wait_for_them(shop: Shop, api: Api) -> None:
    tickets = await make_order_of(shop, api, 1, 1, 1, brief_schema=given.BRIEF)
    sam, kim = await given.customer(shop), await given.customer(shop, "kim@shop.example")
    async with shop.tx() as tx:
        await tx.run(text('UPDATE "order" SET customer_id = :sam'), sam=sam)
    brief = {"ticketId": tickets[1].id, "brief": {"print_text": "A"}, "accessToken": tickets[1].access_token}
    await api.done("ticketSubmitBrief", brief, "ticket { id }")
    query = """query ($wanted: Boolean, $first: Int) { me { tickets(requiresAction: $wanted, first: $first) {
        totalCount nodes { id requiredAction { kind } } } } }"""
    shown: dict[str, list[Any]] = {}
    for name, who in (("sam", sam), ("kim", kim)):
        caller = api.signed_in(await given.access_token(shop, given.ActorKind.CUSTOMER, who))
        for wanted in (None, True, False):
            page = (await caller(query, {"wanted": wanted, "first": 1}))["me"]["tickets"]
            shown[name] = [*shown.get(name, []), (page["totalCount"], [node["id"] for node in page["nodes"]])]
    one, two, _ = (ticket.id for ticket in tickets)
    assert shown == {"sam": [(3, [one]), (2, [one]), (1, [two])], "kim": [(0, [])] * 3}
    reader = await given.caller(shop, api, "staff", "customers:read")
    other = "query ($id: ID!) { customer(id: $id) { unreadCount tickets { totalCount nodes { id } } } }"
    answer = await reader(other, {"id": ids.encode("Customer", sam)})
    assert answer["customer"] == {"unreadCount": 0, "tickets": {"totalCount": 0, "nodes": []}}


async def overdue(shop: Shop) -> list[tuple[str, str]]:
    rows = await shop.read.records(text("SELECT topic, data FROM event WHERE name = 'TicketOverdue' ORDER BY id"))
    return [(found.topic, found.data["what"]) for found in rows]


async def test_late_tickets_are_told_of_once_for_each_stay_and_each_date(shop: Shop, api: Api) -> None:
    async with shop.tx() as tx:
        await tx.run(text("UPDATE workflow_state SET sla_minutes = 60 WHERE kind IN ('open', 'waiting_customer')"))
    one, two = await make_order_of(shop, api, 1, 1)
    staff = await staff_of(shop, api)
    assert (await row(shop, one.key)).state_due_at is not None
    assert await tell_of_overdue(shop) == 0

    async def late(column: str) -> None:
        async with shop.tx() as tx:
            sql = text(f"UPDATE ticket SET {column} = now() - interval '1 second' WHERE {column} IS NOT NULL")
            await tx.run(sql)

    await late("state_due_at")
    assert sum(await asyncio.gather(*(tell_of_overdue(shop) for _ in range(3)))) == 2
    assert await tell_of_overdue(shop) == 0
    topics = [f"ticket:{one.key}", f"ticket:{two.key}"]
    assert sorted(await overdue(shop)) == [(topic, "state") for topic in topics]
    assert await kinds(shop, one.key) == ["opened", "overdue"]
    await staff.done("ticketMove", {"ticketId": one.id, "toState": "designing_artwork"}, "ticket { id }")
    assert await tell_of_overdue(shop) == 0
    await late("state_due_at")
    assert await tell_of_overdue(shop) == 1
    for _ in range(2):
        await staff.done("ticketSetDue", {"ticketId": two.id, "dueAt": "2020-01-01T00:00:00Z"}, "ticket { id }")
        await tell_of_overdue(shop)
    await staff.done("ticketSetDue", {"ticketId": two.id, "dueAt": "2020-01-02T00:00:00Z"}, "ticket { id }")
    assert await tell_of_overdue(shop) == 1
    assert (await overdue(shop))[2:] == [(topics[0], "state"), (topics[1], "due"), (topics[1], "due")]
    await staff.done("ticketMove", {"ticketId": two.id, "toState": "cancelled"}, "ticket { id }")
    await staff.done("ticketSetDue", {"ticketId": two.id, "dueAt": "2020-01-03T00:00:00Z"}, "ticket { id }")
    assert await tell_of_overdue(shop) == 0
    query = """query ($id: ID!) { ticket(id: $id) { desk { overdue }
        history { ... on TicketBecameOverdue { state byDueDate } } } }"""
    shown = (await staff(query, {"id": one.id}))["ticket"]
    assert shown["desk"] == {"overdue": True}
    assert shown["history"][1] == {"state": "brief_received", "byDueDate": False}
    assert (await staff(query, {"id": two.id}))["ticket"]["desk"] == {"overdue": False}


REPLY = "reply { id code title body }"


async def test_staff_keep_what_they_say_often(shop: Shop, api: Api) -> None:
    staff = await staff_of(shop, api)
    thanks = {"code": "thanks", "title": "Thanks", "body": "Thank you!"}
    made = (await staff.done("cannedReplyCreate", thanks, REPLY))["reply"]
    assert {**made, "id": None} == {**thanks, "id": None}
    late = (await staff.done("cannedReplyCreate", {"code": "late", "title": "L", "body": "Sorry."}, REPLY))["reply"]
    change = {"replyId": made["id"], "title": "Many thanks", "body": None, "code": None}
    assert (await staff.done("cannedReplyUpdate", change, REPLY))["reply"] == {**made, "title": "Many thanks"}
    assert await staff("{ cannedReplies { code } }") == {"cannedReplies": [{"code": "late"}, {"code": "thanks"}]}
    for given_, path in (
        ({**thanks, "code": "late"}, ["code"]),
        ({**thanks, "code": "Not So"}, ["code"]),
        ({**thanks, "code": "x", "title": " "}, ["title"]),
        ({**thanks, "code": "x", "body": ""}, ["body"]),
    ):
        assert await refused(shop, staff, "cannedReplyCreate", given_) == [("ValidationFailed", path)]
        update = {"replyId": made["id"], **given_}
        assert await refused(shop, staff, "cannedReplyUpdate", update) == [("ValidationFailed", path)]
    same = [{"replyId": reply["id"], "code": "sorry"} for reply in (made, late)]
    done = await asyncio.gather(*(staff.do("cannedReplyUpdate", one, REPLY) for one in same))
    assert sorted([(e["__typename"], e["path"]) for e in payload["userErrors"]] for payload in done) == [
        *([], [("ValidationFailed", ["code"])])
    ]
    await staff.done("cannedReplyDelete", {"replyId": late["id"]}, "deletedReplyId")
    for mutation in ("cannedReplyDelete", "cannedReplyUpdate"):
        assert await refused(shop, staff, mutation, {"replyId": late["id"]}) == [("NotFound", ["replyId"])]
    assert [entry[0] for entry in await people.audited(shop)] == [
        *("cannedReplyCreate", "cannedReplyCreate", "cannedReplyUpdate", "cannedReplyUpdate", "cannedReplyDelete"),
    ]


@pytest.mark.parametrize("who", ["nobody", "customer", "staff"])
async def test_what_staff_do_with_tickets_is_for_staff_with_the_permission(shop: Shop, api: Api, who: str) -> None:
    (ticket,) = await make_order_of(shop, api, 1)
    caller = await given.caller(shop, api, who, "tickets:read", "orders:read")
    caller.headers["x-access-token"] = ticket.access_token
    tid = {"ticketId": ticket.id}
    for mutation, given_ in (
        ("ticketsMove", {"ticketIds": [ticket.id], "toState": "cancelled"}),
        ("ticketAssign", tid),
        ("ticketSetDue", tid),
        ("ticketSetPriority", {**tid, "priority": "LOW"}),
        ("ticketSplit", {**tid, "quantity": 1}),
        ("ticketUploadProof", {**tid, "fileId": ids.encode("File", given.new_id())}),
        ("cannedReplyCreate", {"code": "a", "title": "a", "body": "a"}),
        ("fulfilmentCreate", {"orderId": ids.encode("Order", ticket.order), "lines": []}),
    ):
        kind = mutation[0].upper() + mutation[1:]
        document = f"mutation ($i: {kind}Input!) {{ {mutation}(input: $i) {{ __typename }} }}"
        answer = await caller.answer(document, {"i": given_})
        code = "UNAUTHENTICATED" if who == "nobody" else "FORBIDDEN"
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code], mutation
    assert await kinds(shop, ticket.key) == ["opened"]
