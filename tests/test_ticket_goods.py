"""What is sent, has arrived, is split off or called off: lines, stock and tickets always say the same."""

import asyncio
from typing import Any

from sqlalchemy import text

from db.ticket import ProofDecision
from domain.processes.shop import Shop
from domain.ticket_opening import reconcile
from resolvers import ids
from tests import given
from tests.api import Api
from tests.invariants import levels
from tests.ticketing import kinds, make_order_of, problems, proofed, refused, row, staff_of

ORDER = """query ($id: ID!, $token: String) { order(by: { id: $id }, accessToken: $token) {
  fulfillmentStatus workStatus lines { quantity cancelled shipped delivered }
  fulfilments { id carrier trackingNumber trackingUrl deliveredAt lines { quantity ticketId line { position } } }
  tickets { id quantity shipped delivered splitNumber state { code } } } }"""


async def line_of(shop: Shop, ticket: given.Ticket) -> str:
    (found,) = await shop.read.records(text("SELECT order_line_id FROM ticket WHERE id = :id"), id=ticket.key)
    return ids.encode("OrderLine", found.order_line_id)


async def order_of(api: Api, ticket: given.Ticket) -> Any:
    order = {"id": ids.encode("Order", ticket.order), "token": ticket.access_token}
    return (await api(ORDER, order))["order"]


async def fulfilling(shop: Shop, ticket: given.Ticket) -> None:
    await proofed(shop, ticket.key, ProofDecision.APPROVE)
    async with shop.tx() as tx:
        await tx.run(text("UPDATE ticket SET state = 'fulfilling' WHERE id = :id"), id=ticket.key)


async def test_a_ticket_that_is_delivered_books_that_its_goods_were_sent_and_have_arrived(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 3)
    staff = await staff_of(shop, api)
    await fulfilling(shop, ticket)
    await staff.done("ticketMove", {"ticketId": ticket.id, "toState": "delivered"}, "ticket { id }")
    order = await order_of(api, ticket)
    assert (order["fulfillmentStatus"], order["workStatus"]) == ("DELIVERED", "DONE")
    assert order["lines"] == [{"quantity": 3, "cancelled": 0, "shipped": 3, "delivered": 3}]
    (sent,) = order["fulfilments"]
    assert sent["lines"] == [{"quantity": 3, "ticketId": ticket.id, "line": {"position": 1}}]
    assert sent["deliveredAt"] is not None
    assert (await kinds(shop, ticket.key))[-3:] == ["shipped", "delivered", "moved"]
    assert [level[2:] for level in await levels(shop.read)] == [(997, 0, 0)]
    assert await problems(shop.read) == []


async def test_tickets_follow_what_was_sent_and_has_arrived(shop: Shop, api: Api) -> None:
    one, two = await make_order_of(shop, api, 3, 2)
    staff = await staff_of(shop, api, "orders:fulfil")
    await fulfilling(shop, one)
    tracking = {"carrier": "Post", "trackingNumber": "1Z", "trackingUrl": "https://post.example/1Z"}
    lines = [
        {"orderLineId": await line_of(shop, one), "quantity": 3},
        {"orderLineId": await line_of(shop, two), "quantity": 1, "ticketId": two.id},
    ]
    parcel = {"orderId": ids.encode("Order", one.order), "lines": lines, **tracking}
    sent = (await staff.done("fulfilmentCreate", parcel, "fulfilment { id }"))["fulfilment"]["id"]
    order = await order_of(api, one)
    assert order["fulfillmentStatus"] == "PARTIAL"
    assert [ticket["shipped"] for ticket in order["tickets"]] == [3, 1]
    (shown,) = order["fulfilments"]
    assert {name: shown[name] for name in tracking} == tracking
    assert [ticket["state"]["code"] for ticket in order["tickets"]] == ["fulfilling", "brief_received"]
    for _ in range(2):
        await staff.done("fulfilmentDeliver", {"fulfilmentId": sent}, "fulfilment { id }")
    order = await order_of(api, one)
    assert [ticket["state"]["code"] for ticket in order["tickets"]] == ["delivered", "brief_received"]
    assert (await kinds(shop, one.key))[-3:] == ["shipped", "delivered", "moved"]
    query = """query ($id: ID!, $token: String) { ticket(id: $id, accessToken: $token) { history { actor
        ... on TicketShipped { carrier trackingNumber fulfilmentId } ... on TicketMoved { toState } } } }"""
    history = (await api(query, {"id": one.id, "token": one.access_token}))["ticket"]["history"]
    assert history[-3]["carrier"] == "Post"
    assert history[-3]["fulfilmentId"] == sent
    assert history[-1] == {"actor": "SYSTEM", "toState": "delivered"}
    rest = {"orderId": parcel["orderId"], "lines": [{"orderLineId": await line_of(shop, two), "quantity": 1}]}
    await staff.done("fulfilmentCreate", rest, "fulfilment { id }")
    assert (await order_of(api, one))["fulfillmentStatus"] == "FULFILLED"
    assert await problems(shop.read) == []


async def test_more_than_is_left_cannot_be_sent_and_nothing_of_a_parcel_is(shop: Shop, api: Api) -> None:
    one, two = await make_order_of(shop, api, 3, 2)
    staff = await staff_of(shop, api, "orders:fulfil")
    order, first, second = ids.encode("Order", one.order), await line_of(shop, one), await line_of(shop, two)
    good = {"orderLineId": first, "quantity": 3}
    nothing = ids.encode("OrderLine", given.new_id())
    for lines, error in (
        ([good, {"orderLineId": second, "quantity": 3}], ("ValidationFailed", ["lines", "1", "quantity"])),
        ([good, {"orderLineId": first, "quantity": 1}], ("ValidationFailed", ["lines", "1", "quantity"])),
        ([{"orderLineId": first, "quantity": 0}], ("ValidationFailed", ["lines", "0", "quantity"])),
        ([good, {"orderLineId": second, "quantity": -1}], ("ValidationFailed", ["lines", "1", "quantity"])),
        ([{"orderLineId": nothing, "quantity": 1}], ("NotFound", ["lines", "0", "orderLineId"])),
        ([{**good, "ticketId": two.id}], ("NotFound", ["lines", "0", "ticketId"])),
        ([], ("ValidationFailed", ["lines"])),
    ):
        given_ = {"orderId": order, "lines": lines}
        assert await refused(shop, staff, "fulfilmentCreate", given_) == [error]
    for url in ("javascript:alert(1)", "post.example", "https://", "https://a b", "x" * 3000):
        given_ = {"orderId": order, "lines": [good], "trackingUrl": url}
        assert await refused(shop, staff, "fulfilmentCreate", given_) == [("ValidationFailed", ["trackingUrl"])]
    async with shop.tx() as tx:
        await tx.run(text("UPDATE stock_level SET on_hand = 1, shortage = greatest(0, allocated - 1)"))
    given_ = {"orderId": order, "lines": [good]}
    assert [error[0] for error in await refused(shop, staff, "fulfilmentCreate", given_)] == ["InsufficientStock"]


async def test_tracking_is_changed_and_what_is_null_stays(shop: Shop, api: Api) -> None:
    (one,) = await make_order_of(shop, api, 2)
    staff = await staff_of(shop, api, "orders:fulfil")
    lines = [{"orderLineId": await line_of(shop, one), "quantity": 2}]
    parcel = {"orderId": ids.encode("Order", one.order), "lines": lines, "carrier": "Post"}
    shown = "fulfilment { id carrier trackingNumber trackingUrl }"
    sent = (await staff.done("fulfilmentCreate", parcel, shown))["fulfilment"]
    change = {"fulfilmentId": sent["id"], "carrier": None, "trackingNumber": "7"}
    assert (await staff.done("fulfilmentUpdate", change, shown))["fulfilment"] == {**sent, "trackingNumber": "7"}
    bad = {"fulfilmentId": sent["id"], "trackingUrl": "ftp://x"}
    assert await refused(shop, staff, "fulfilmentUpdate", bad) == [("ValidationFailed", ["trackingUrl"])]
    for mutation in ("fulfilmentUpdate", "fulfilmentDeliver"):
        nothing = {"fulfilmentId": ids.encode("Fulfilment", given.new_id())}
        assert await refused(shop, staff, mutation, nothing) == [("NotFound", ["fulfilmentId"])]


async def test_a_ticket_that_is_called_off_gives_its_units_and_their_stock_back(shop: Shop, api: Api) -> None:
    one, two = await make_order_of(shop, api, 3, 2)
    staff = await staff_of(shop, api)
    assert sorted(level[4] for level in await levels(shop.read)) == [2, 3]
    await staff.done("ticketMove", {"ticketId": one.id, "toState": "cancelled"}, "ticket { id }")
    assert sorted(level[4] for level in await levels(shop.read)) == [0, 2]
    order = await order_of(api, one)
    assert [line["cancelled"] for line in order["lines"]] == [3, 0]
    assert await problems(shop.read) == []
    await fulfilling(shop, two)
    await staff.done("ticketMove", {"ticketId": two.id, "toState": "delivered"}, "ticket { id }")
    assert (await order_of(api, one))["fulfillmentStatus"] == "DELIVERED"
    assert await problems(shop.read) == []


async def test_what_was_sent_cannot_be_called_off_but_what_was_not_can_be_split_off_first(shop: Shop, api: Api) -> None:
    (one,) = await make_order_of(shop, api, 5)
    staff = await staff_of(shop, api, "orders:fulfil")
    parcel = {
        "orderId": ids.encode("Order", one.order),
        "lines": [{"orderLineId": await line_of(shop, one), "quantity": 2}],
    }
    await staff.done("fulfilmentCreate", parcel, "fulfilment { id }")
    cancel = {"ticketId": one.id, "toState": "cancelled"}
    assert await refused(shop, staff, "ticketMove", cancel) == [("AlreadyShipped", ["toState"])]
    for quantity in (0, 4, 5, -1):
        given_ = {"ticketId": one.id, "quantity": quantity}
        assert await refused(shop, staff, "ticketSplit", given_) == [("ValidationFailed", ["quantity"])]
    split = await staff.done("ticketSplit", {"ticketId": one.id, "quantity": 3}, "newTicket { id quantity }")
    await staff.done("ticketMove", {"ticketId": split["newTicket"]["id"], "toState": "cancelled"}, "ticket { id }")
    order = await order_of(api, one)
    assert order["lines"] == [{"quantity": 5, "cancelled": 3, "shipped": 2, "delivered": 0}]
    assert order["fulfillmentStatus"] == "FULFILLED"
    assert await problems(shop.read) == []


async def test_a_part_takes_over_what_holds_for_the_whole_and_both_histories_name_the_other(
    shop: Shop, api: Api
) -> None:
    await given.regions(shop)
    banner = await given.product(shop, "banner", brief_schema=given.BRIEF)
    line = {"variantId": banner.variant, "quantity": 10, "brief": {"print_text": "Ada"}}
    (ticket,) = await given.tickets(shop, await given.order(api, line))
    staff = await staff_of(shop, api)
    await proofed(shop, ticket.key, ProofDecision.REQUEST_CHANGES)
    await proofed(shop, ticket.key, ProofDecision.APPROVE)
    await staff.done("ticketSetPriority", {"ticketId": ticket.id, "priority": "HIGH"}, "ticket { id }")
    shown = """{ id quantity splitNumber brief briefVersion briefComplete state { code } desk { priority }
        proofs { version decision comment } }"""
    split = {"ticketId": ticket.id, "quantity": 4, "ifVersion": (await row(shop, ticket.key)).version}
    done = await staff.done("ticketSplit", split, f"ticket {shown} newTicket {shown}")
    old, new = done["ticket"], done["newTicket"]
    assert (old["quantity"], new["quantity"], old["splitNumber"], new["splitNumber"]) == (6, 4, 1, 2)
    differing = {"id", "quantity", "splitNumber"}
    assert {k: v for k, v in old.items() if k not in differing} == {k: v for k, v in new.items() if k not in differing}
    assert [proof["decision"] for proof in new["proofs"]] == ["REQUEST_CHANGES", "APPROVE"]
    query = """query ($id: ID!, $token: String) { ticket(id: $id, accessToken: $token) { history(after: 1) {
        ... on TicketSplit { otherTicketId splitQuantity isNew } } } }"""
    for ticket_id, other, is_new in ((old["id"], new["id"], False), (new["id"], old["id"], True)):
        history = (await api(query, {"id": ticket_id, "token": ticket.access_token}))["ticket"]["history"]
        assert history[-1] == {"otherTicketId": other, "splitQuantity": 4, "isNew": is_new}
    assert await refused(shop, staff, "ticketSplit", split) == [("VersionConflict", ["ifVersion"])]
    await staff.done("ticketMove", {"ticketId": new["id"], "toState": "cancelled"}, "ticket { id }")
    ended = {"ticketId": new["id"], "quantity": 1}
    assert await refused(shop, staff, "ticketSplit", ended) == [("TicketEnded", ["ticketId"])]
    assert await problems(shop.read) == []


async def test_what_is_left_of_a_ticket_follows_what_was_sent_of_it_before(shop: Shop, api: Api) -> None:
    one, two = await make_order_of(shop, api, 5, 4)
    staff = await staff_of(shop, api, "orders:fulfil")
    lines = [{"orderLineId": await line_of(shop, ticket), "quantity": 3} for ticket in (one, two)]
    parcel = {"orderId": ids.encode("Order", one.order), "lines": lines}
    for ticket in (one, two):
        await fulfilling(shop, ticket)
    sent = (await staff.done("fulfilmentCreate", parcel, "fulfilment { id }"))["fulfilment"]["id"]
    await staff.done("fulfilmentDeliver", {"fulfilmentId": sent}, "fulfilment { id }")
    rest = (await staff.done("ticketSplit", {"ticketId": one.id, "quantity": 2}, "newTicket { id }"))["newTicket"]["id"]
    async with shop.tx() as tx:
        await tx.run(text("UPDATE order_line SET cancelled = 1 WHERE quantity = 4"))
        await reconcile(tx, one.order)
    states = {ticket["id"]: ticket["state"]["code"] for ticket in (await order_of(api, one))["tickets"]}
    assert states == {one.id: "delivered", two.id: "delivered", rest: "fulfilling"}
    assert (await kinds(shop, one.key))[-2:] == ["split", "moved"]
    assert (await kinds(shop, two.key))[-2:] == ["quantity", "moved"]


async def test_parallel_splits_and_cancellations_always_add_up(shop: Shop, api: Api) -> None:
    (ticket,) = await make_order_of(shop, api, 8)
    staff = await staff_of(shop, api)
    splits = [staff.do("ticketSplit", {"ticketId": ticket.id, "quantity": 2}, "newTicket { id }") for _ in range(6)]
    cancel = staff.do("ticketMove", {"ticketId": ticket.id, "toState": "cancelled"}, "ticket { id }")
    done = await asyncio.gather(*splits, cancel)
    assert sum(not payload["userErrors"] for payload in done[:-1]) <= 3
    rows = await shop.read.records(text("SELECT quantity, split_number FROM ticket ORDER BY split_number"))
    assert sum(found.quantity for found in rows) == 8
    assert [found.split_number for found in rows] == list(range(1, len(rows) + 1))
    assert await problems(shop.read) == []


async def test_two_orders_of_the_same_goods_sent_at_once_do_not_wait_for_each_other_for_ever(
    shop: Shop, api: Api
) -> None:
    await given.regions(shop)
    goods = [(await given.product(shop, handle)).variant for handle in ("a", "b", "c")]
    both = [goods, list(reversed(goods))] * 3
    orders = [await given.order(api, *({"variantId": v, "quantity": 1} for v in listed)) for listed in both]
    tickets = [await given.tickets(shop, order) for order in orders]
    staff = await staff_of(shop, api, "orders:fulfil")
    parcels = [
        {
            "orderId": ids.encode("Order", listed[0].order),
            "lines": [{"orderLineId": await line_of(shop, ticket), "quantity": 1} for ticket in listed],
        }
        for listed in tickets
    ]
    cancelled = [{"ticketIds": [t.id for t in listed], "toState": "cancelled"} for listed in tickets]
    sending = [staff.do("fulfilmentCreate", one, "fulfilment { id }") for one in parcels]
    calling_off = [staff.do("ticketsMove", one, "tickets { id }") for one in cancelled]
    done = await asyncio.gather(*sending, *calling_off)
    for sent, called_off in zip(done[:6], done[6:], strict=True):
        assert bool(sent["userErrors"]) != bool(called_off["userErrors"])
    assert await problems(shop.read) == []


async def test_lines_without_tickets_are_sent_too_and_no_more_than_is_left(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", workflow_code=None)
    order = await given.order(api, {"variantId": cup.variant, "quantity": 4})
    staff = await staff_of(shop, api, "orders:fulfil")
    (line,) = await shop.read.records(text("SELECT id FROM order_line"))

    def parcel(quantity: int) -> dict[str, Any]:
        lines = [{"orderLineId": ids.encode("OrderLine", line.id), "quantity": quantity}]
        return {"orderId": order["id"], "lines": lines}

    assert await refused(shop, staff, "fulfilmentCreate", parcel(5)) == [
        ("ValidationFailed", ["lines", "0", "quantity"])
    ]
    sent = await staff.done("fulfilmentCreate", parcel(3), "fulfilment { id lines { ticketId quantity } }")
    assert sent["fulfilment"]["lines"] == [{"ticketId": None, "quantity": 3}]
    assert await refused(shop, staff, "fulfilmentCreate", parcel(2)) == [
        ("ValidationFailed", ["lines", "0", "quantity"])
    ]
    done = await asyncio.gather(*(staff.do("fulfilmentCreate", parcel(1), "fulfilment { id }") for _ in range(4)))
    assert sorted(len(payload["userErrors"]) for payload in done) == [0, 1, 1, 1]
    assert await problems(shop.read) == []


async def test_units_that_are_cancelled_elsewhere_are_taken_of_tickets_that_were_not_sent(shop: Shop, api: Api) -> None:
    (one,) = await make_order_of(shop, api, 7, stock=None)
    staff = await staff_of(shop, api, "orders:fulfil")
    made = await staff.done("ticketSplit", {"ticketId": one.id, "quantity": 2}, "newTicket { id }")
    split = made["newTicket"]["id"]
    lines = [{"orderLineId": await line_of(shop, one), "quantity": 2, "ticketId": split}]
    await staff.done("fulfilmentCreate", {"orderId": ids.encode("Order", one.order), "lines": lines}, "__typename")
    for cancelled, state, quantity in ((1, "brief_received", 4), (3, "brief_received", 2), (5, "cancelled", 2)):
        async with shop.tx() as tx:
            await tx.run(text("UPDATE order_line SET cancelled = :cancelled"), cancelled=cancelled)
            await reconcile(tx, one.order)
        shown = {ticket["id"]: ticket for ticket in (await order_of(api, one))["tickets"]}
        assert (shown[one.id]["quantity"], shown[one.id]["state"]["code"]) == (quantity, state)
        assert (shown[split]["quantity"], shown[split]["state"]["code"]) == (2, "brief_received")
    assert (await kinds(shop, one.key))[-3:] == ["quantity", "quantity", "moved"]
    assert [problem for problem in await problems(shop.read) if "tickets do not add up" in problem] == []
