"""Orders are opened by links that were mailed, never by what people tell each other: numbers, ids, addresses.

Published faults: WooCommerce CVE-2025-15033 (order data by number or e-mail alone), Shopware CVE-2026-31887 (arguments
widened what a guest's link opened), Saleor CVE-2026-35407 (a token was good for another purpose, and again).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import select, text

from db import AuditEntry, Event, Order, SingleUseToken
from db.session import Purpose
from domain.actor import OrderAccess
from domain.mail import Mail, NotSent, Post
from domain.notification import NotificationQueued
from domain.order import OrderPlaced
from domain.processes.deliver_notification import deliver_notification
from domain.processes.mail_token import mail_token
from domain.processes.notify import send_order_link
from domain.processes.shop import Shop
from domain.single_use import TokenIssued
from resolvers import ids
from resolvers.order_access import SEND_LINK
from server.tokens import SignedTokens
from tests import carts, customers, given, notices
from tests.access import World, counted, random, world
from tests.api import SECRET, Api, Server

SIGNED = SignedTokens(SECRET)
SEND = """mutation ($number: BigInt!, $email: String!) {
          orderSendAccessLink(input: { orderNumber: $number, email: $email }) {
            userErrors { __typename code message path } warnings { code } } }"""
SENT = {"orderSendAccessLink": {"userErrors": [], "warnings": []}}
EXCHANGE = "order { id email tickets { id } } accessToken expiresIn"
ORDER = "query ($id: ID!, $token: String) { order(by: { id: $id }, accessToken: $token) { id email } }"
INVALID = [("TokenInvalid", "TOKEN_INVALID", ["token"])]


@dataclass
class Letterbox:
    """What would have been mailed."""

    mails: list[Mail] = field(default_factory=list[Mail])

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)

    @property
    def tokens(self) -> list[str]:
        return [mail.facts["link"].partition("?token=")[2] for mail in self.mails]


async def delivered(shop: Shop) -> Letterbox:
    """All that was issued, mailed as the worker would."""
    box = Letterbox()
    posting = replace(shop, post=Post(box, SIGNED, "https://shop.example", "https://admin.example"))
    issued = await shop.read.all(select(Event).where(Event.name == "TokenIssued").order_by(Event.id))
    for event in issued:
        await mail_token(posting, TokenIssued.read(event.data))
    return box


async def errors(api: Api, mutation: str, given_: dict[str, Any], select_: str) -> list[Any]:
    payload = await api.do(mutation, given_, select_)
    return [(e["__typename"], e["code"], e["path"]) for e in payload["userErrors"]]


async def tokens(shop: Shop) -> list[SingleUseToken]:
    found = select(SingleUseToken).where(SingleUseToken.purpose == Purpose.ORDER_ACCESS)
    return await shop.read.all(found.order_by(SingleUseToken.id))


async def link(shop: Shop, order: str) -> str:
    """The token of a link to the order, as it was mailed when it was placed."""
    (mail,) = await confirmed(shop, order)
    return Letterbox([mail]).tokens[0]


async def confirmed(shop: Shop, order: str, times: int = 1) -> list[Mail]:
    """What is mailed when the reaction to its placing is run, so many times at once."""
    box = Letterbox()
    telling = notices.telling(shop, box)
    placed = OrderPlaced(ids.decode("Order", order))
    await asyncio.gather(*(send_order_link(telling, placed) for _ in range(times)))
    for row in await customers.rows(shop, "SELECT id FROM notification WHERE state = 'queued'"):
        await asyncio.gather(*(suppressed(telling, row["id"]) for _ in range(times)))
    return box.mails


async def suppressed(telling: Shop, notification: Any) -> None:
    """Of several that send it at once the others say so, and would be run again."""
    with suppress(NotSent):
        await deliver_notification(telling, NotificationQueued(notification))


async def test_a_link_is_mailed_to_the_address_of_the_order_and_opens_it(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    answer = await api.raw(SEND, {"number": there.guests.number, "email": "KIM@shop.example"})
    assert answer.json()["data"] == SENT
    box = await delivered(shop)
    (mail,) = box.mails
    assert (mail.template, mail.to) == ("order_access", "kim@shop.example")
    assert mail.facts["order_number"] == there.guests.number
    assert mail.facts["link"].startswith("https://shop.example/")
    assert box.tokens[0] not in answer.text
    opened = await api.done("accessLinkExchange", {"token": box.tokens[0]}, EXCHANGE)
    assert opened["order"] == {
        "id": there.guests.order,
        "email": "kim@shop.example",
        "tickets": [{"id": there.guests.ticket}],
    }
    assert opened["accessToken"] != there.guests.access_token
    assert opened["expiresIn"] == 24 * 3600
    past = SIGNED.order_token(OrderAccess(ids.decode("Order", there.guests.order), 1), -1)
    assert (await api(ORDER, {"id": there.guests.order, "token": past}))["order"] is None
    shown = await api(ORDER, {"id": there.guests.order, "token": opened["accessToken"]})
    assert shown["order"] == {"id": there.guests.order, "email": "kim@shop.example"}


async def test_asking_for_a_link_tells_nobody_whether_there_is_such_an_order(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    asked = [
        (there.guests.number, "kim@shop.example"),
        (there.guests.number, "sam@shop.example"),
        (there.guests.number, "nobody@shop.example"),
        ("999999", "kim@shop.example"),
        ("-1", "nobody@shop.example"),
    ]
    told = []
    for number, email in asked:
        await carts.execute(shop, "DELETE FROM attempts")
        told.append(await counted(api, SEND, {"number": number, "email": email}))
    assert told == [({"data": SENT}, told[0][1])] * len(asked)
    sizes = [len((await api.raw(SEND, {"number": n, "email": e})).content) for n, e in asked]
    assert len(set(sizes)) == 1
    assert [mail.to for mail in (await delivered(shop)).mails] == ["kim@shop.example"]


async def test_links_are_asked_for_a_few_times_only_whether_or_not_there_is_such_an_order(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    limited = {"__typename": "TooManyAttempts", "code": "TOO_MANY_ATTEMPTS", "path": []}
    for email in ("kim@shop.example", "nobody@shop.example"):
        asked = {"number": there.guests.number, "email": email}
        for _ in range(SEND_LINK.account.most):
            assert await api(SEND, asked) == SENT
        before = await tokens(shop)
        (error,) = (await api(SEND, asked))["orderSendAccessLink"]["userErrors"]
        assert {name: error[name] for name in limited} == limited
        assert await tokens(shop) == before
    assert await api(SEND, {"number": there.guests.number, "email": "sam@shop.example"}) == SENT


async def test_links_are_asked_for_from_one_address_a_limited_number_of_times(shop: Shop, api: Api) -> None:
    for n in range(SEND_LINK.address.most):
        assert await api(SEND, {"number": "1", "email": f"someone{n}@shop.example"}) == SENT
    (error,) = (await api(SEND, {"number": "1", "email": "you@shop.example"}))["orderSendAccessLink"]["userErrors"]
    assert error["code"] == "TOO_MANY_ATTEMPTS"
    assert len(await tokens(shop)) == SEND_LINK.address.most


@pytest.mark.parametrize("email", ["", "kim", "kim@shop.example\nbcc: all@shop.example"])
async def test_what_is_no_address_is_told(shop: Shop, api: Api, email: str) -> None:
    (error,) = (await api(SEND, {"number": "1001", "email": email}))["orderSendAccessLink"]["userErrors"]
    assert (error["code"], error["path"]) == ("VALIDATION_FAILED", ["email"])
    assert await tokens(shop) == []


async def test_a_link_is_good_once_even_for_ten_at_the_same_time(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    token = await link(shop, there.guests.order)
    tries = [api.do("accessLinkExchange", {"token": token}, EXCHANGE) for _ in range(10)]
    payloads = await asyncio.gather(*tries)
    opened = [payload for payload in payloads if not payload["userErrors"]]
    assert [payload["order"]["id"] for payload in opened] == [there.guests.order]
    assert all(p["order"] is p["accessToken"] is None for p in payloads if p not in opened)
    assert await errors(api, "accessLinkExchange", {"token": token}, EXCHANGE) == INVALID


async def test_only_the_newest_link_of_an_order_is_good(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    first = await link(shop, there.guests.order)
    other = await link(shop, there.sams.order)
    await api(SEND, {"number": there.guests.number, "email": "kim@shop.example"})
    second = (await delivered(shop)).tokens[-1]
    assert await errors(api, "accessLinkExchange", {"token": first}, EXCHANGE) == INVALID
    assert await errors(api, "accessLinkExchange", {"token": second}, EXCHANGE) == []
    assert await errors(api, "accessLinkExchange", {"token": other}, EXCHANGE) == []


async def test_a_link_is_good_for_nothing_but_its_exchange(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    token = await link(shop, there.guests.order)
    for header in ("x-access-token", "x-cart-token"):
        holder = there.having(header, token)
        assert (await holder(ORDER, {"id": there.guests.order}))["order"] is None
    for header in ("authorization", "x-api-key"):
        value = f"Bearer {token}" if header == "authorization" else token
        assert (await there.having(header, value).raw("{ __typename }")).status_code == 401
    assert await errors(api, "accessLinkExchange", {"token": token}, EXCHANGE) == []


async def test_tokens_for_something_else_and_of_somebody_else_open_no_order(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    good = await link(shop, there.guests.order)
    (row,) = await tokens(shop)
    key = ids.decode("Order", there.guests.order)
    wrong = [
        *(SIGNED.single_use_token(purpose, row.id) for purpose in Purpose if purpose != Purpose.ORDER_ACCESS),
        SIGNED.single_use_token(Purpose.ORDER_ACCESS, key),
        SignedTokens("another secret, which is not ours at all").single_use_token(Purpose.ORDER_ACCESS, row.id),
        SIGNED.order_token(OrderAccess(key, 1)),
        there.tokens["sam"],
        there.guests.cart.token,
        good[:-2],
        "",
        "nonsense",
    ]
    for token in wrong:
        assert await errors(api, "accessLinkExchange", {"token": token}, EXCHANGE) == INVALID, token
    await carts.execute(shop, "UPDATE single_use_token SET expires_at = now()")
    assert await errors(api, "accessLinkExchange", {"token": good}, EXCHANGE) == INVALID
    assert [token.used_at for token in await tokens(shop)] == [None]
    purpose = "UPDATE single_use_token SET expires_at = now() + interval '1 hour', purpose = 'reset_password'"
    await carts.execute(shop, purpose)
    assert await errors(api, "accessLinkExchange", {"token": good}, EXCHANGE) == INVALID


async def test_a_placed_order_is_confirmed_by_one_mail_with_its_link(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    (mail,) = await confirmed(shop, there.guests.order, times=5)
    assert (mail.template, mail.to) == ("order_placed", "kim@shop.example")
    (token,) = await tokens(shop)
    key = ids.decode("Order", there.guests.order)
    assert (token.subject_id, token.data) == (key, {"because": "order_placed"})
    await api.done("accessLinkExchange", {"token": Letterbox([mail]).tokens[0]}, EXCHANGE)
    assert await confirmed(shop, there.guests.order) == []
    assert len(await tokens(shop)) == 1


async def test_the_worker_issues_the_link_of_a_placed_order(shop: Shop, start_server: Callable[..., Server]) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    async with start_server().api() as api:
        order = await given.order(api, {"variantId": cup.variant, "quantity": 1})

        async def issued() -> bool:
            return bool(await tokens(shop))

        await given.until(issued)
    (token,) = await tokens(shop)
    assert ids.encode("Order", token.subject_id) == order["id"]


async def accesses(there: World) -> list[str]:
    """Who still gets into Kim's order: by the token of the order, of its cart, of a link."""
    bought = there.guests
    opened = []
    if (await there.api(ORDER, {"id": bought.order, "token": bought.access_token}))["order"]:
        opened.append("the order's token")
    cart = "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { order { accessToken } } }"
    if (await there.api(cart, {"id": bought.cart.id, "token": bought.cart.token}))["cart"]:
        opened.append("the cart's token")
    again = await there.api.do("cartComplete", bought.cart.completion(), "accessToken")
    if again["accessToken"]:
        opened.append("completing the cart again")
    return opened


async def test_ending_access_ends_every_token_and_link_of_the_order(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    staff = await given.caller(shop, api, "staff", "orders:read", "orders:write")
    token = await link(shop, there.guests.order)
    assert await accesses(there) == ["the order's token", "the cart's token", "completing the cart again"]
    ended = await staff.done("orderEndAccess", {"orderId": there.guests.order}, "order { id version }")
    assert ended["order"]["id"] == there.guests.order
    assert await accesses(there) == []
    assert await errors(api, "accessLinkExchange", {"token": token}, EXCHANGE) == INVALID
    sams = await api(ORDER, {"id": there.sams.order, "token": there.sams.access_token})
    assert sams["order"]["id"] == there.sams.order
    await api(SEND, {"number": there.guests.number, "email": "kim@shop.example"})
    new = (await delivered(shop)).tokens[-1]
    opened = await api.done("accessLinkExchange", {"token": new}, EXCHANGE)
    assert (await api(ORDER, {"id": there.guests.order, "token": opened["accessToken"]}))["order"]


async def test_ending_access_is_for_the_customer_and_for_staff_who_may_and_is_audited(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    writer = await given.caller(shop, api, "staff", "orders:write")
    callers = {**there.callers(there.sams), "writer": writer}
    before = await shop.read.all(select(Order).order_by(Order.id))
    not_found = [("NotFound", "NOT_FOUND", ["orderId"])]
    for name in callers.keys() - {"sam", "writer"}:
        for order in (there.sams.order, random("Order")):
            assert await errors(callers[name], "orderEndAccess", {"orderId": order}, "order { id }") == not_found, name
    assert await errors(callers["sam"], "orderEndAccess", {"orderId": there.guests.order}, "order { id }") == not_found
    assert await shop.read.all(select(Order).order_by(Order.id)) == before
    assert (await callers["sam"].done("orderEndAccess", {"orderId": there.sams.order}, "order { id }"))["order"] == {
        "id": there.sams.order
    }
    assert (await writer.done("orderEndAccess", {"orderId": there.sams.order}, "order { id }"))["order"] is None
    entries = select(AuditEntry).where(AuditEntry.action == "orderEndAccess").order_by(AuditEntry.id)
    first, second = await shop.read.all(entries)
    subject = f"order:{ids.decode('Order', there.sams.order)}"
    assert (first.actor_kind, first.subject, first.difference) == ("customer", subject, {"access_version": [1, 2]})
    assert (second.actor_kind, second.subject, second.difference) == ("staff", subject, {"access_version": [2, 3]})
    assert second.staff_id is not None


async def test_an_order_that_is_not_placed_has_no_link_and_no_access_to_end(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    token = await link(shop, there.guests.order)
    await carts.execute(shop, "UPDATE \"order\" SET status = 'pending', number = NULL, placed_at = NULL")
    assert await errors(api, "accessLinkExchange", {"token": token}, EXCHANGE) == INVALID
    sam = there.everybody["sam"]
    assert await errors(sam, "orderEndAccess", {"orderId": there.sams.order}, "order { id }") == [
        ("NotFound", "NOT_FOUND", ["orderId"])
    ]


async def test_number_and_address_without_the_secret_give_no_data(shop: Shop, api: Api) -> None:
    """Numbers rise, so everybody knows them; ids do not lead from one order to the next."""
    there = await world(shop, api)
    query = "query ($number: BigInt!, $token: String) { order(by: { number: $number }, accessToken: $token) { id } }"
    kim = there.everybody["kim"]  # signs in with the address that the guest gave, and has not confirmed it
    for caller in (api, kim, there.having("x-access-token", there.sams.access_token)):
        for token in (None, "kim@shop.example", there.guests.number, there.guests.cart.token):
            told = [
                await counted(caller, query, {"number": number, "token": token})
                for number in (there.guests.number, "999999")
            ]
            assert told[0] == told[1]
            assert told[0][0]["data"] == {"order": None}
    keys = [ids.decode("Order", one.order).int for one in (there.sams, there.guests)]
    assert (keys[0] ^ keys[1]) % 2**62 > 2**40  # the part that is no time


async def test_no_argument_widens_what_the_token_of_one_order_opens(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    mine, other = there.guests, there.sams
    holder = there.having("x-access-token", mine.access_token)
    for by in (f'id: "{other.order}"', f'number: "{other.number}"'):
        for token in ("", f', accessToken: "{mine.access_token}"'):
            assert await holder(f"{{ order(by: {{ {by} }}{token}) {{ id }} }}") == {"order": None}
    assert await holder(f'{{ ticket(id: "{other.ticket}") {{ id }} }}') == {"ticket": None}
    listed = [mine.order, other.order, mine.line, other.line, mine.ticket, other.ticket, other.cart.id, mine.cart.id]
    found = await holder("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": listed})
    shown = [node and node["id"] for node in found["nodes"]]
    assert shown == [mine.order, None, mine.line, None, mine.ticket, None, None, None]
    for after in (-(2**31), -1, 0, 2**31 - 1):
        query = f'{{ order(by: {{ id: "{mine.order}" }}) {{ tickets {{ id history(after: {after}) {{ seq }} }} }} }}'
        (ticket,) = (await holder(query))["order"]["tickets"]
        assert ticket["id"] == mine.ticket
        assert ticket["history"] == ([{"seq": 1}] if after < 1 else [])
    for arguments in ("", "(first: 100)", '(state: "awaiting_brief")', '(state: "brief_received", last: 5)'):
        answer = await holder.answer(f"{{ tickets{arguments} {{ nodes {{ id }} }} }}")
        assert answer["data"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


async def test_guests_orders_are_nobodys_without_their_token(shop: Shop, api: Api) -> None:
    """Their owner is null, as is the customer of whoever is not signed in: nobody is not somebody."""
    there = await world(shop, api)
    count = text('SELECT count(*) FROM "order" WHERE customer_id IS NULL')
    assert await shop.read.value(count) == 1
    node = "query ($id: ID!) { node(id: $id) { id } }"
    outsiders = {name: there.everybody[name] for name in ("anonymous", "sam", "kim", "staff")}
    for name, caller in outsiders.items():
        for public_id in (there.guests.order, there.guests.line, there.guests.ticket, there.guests.cart.id):
            assert await caller(node, {"id": public_id}) == {"node": None}, name
        assert (await caller(ORDER, {"id": there.guests.order}))["order"] is None
