"""What a payment provider tells by itself: believed when it is signed, applied once, and only where it fits."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.processes.shop import Shop
from resolvers import ids
from server.webhooks import LARGEST
from tests import given
from tests.api import Api
from tests.completion import attempts, it_was_ordered, nothing_was_ordered, status, ten_cups, two_cups
from tests.given import Cart
from tests.invariants import violations
from tests.payments import (
    attempt_of,
    counters,
    errors,
    events,
    money,
    pay,
    session,
    signed,
    tell,
    told,
)

OTHER_SECRET = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCBvZiAzMiBieXRlcw=="


@pytest_asyncio.fixture
async def cart(shop: Shop, paying_api: Api) -> Cart:
    return await two_cups(paying_api, await ten_cups(shop))


async def undecided(shop: Shop, api: Api, cart: Cart) -> str:
    """An attempt whose customer has something to do; its key."""
    await pay(api, cart, await session(api, cart, "action"))
    return await attempt_of(shop)


STORED = """SELECT (SELECT jsonb_agg(e ORDER BY id) FROM payment_event AS e), (SELECT jsonb_agg(p) FROM payment AS p),
    (SELECT jsonb_agg(a ORDER BY n) FROM payment_attempt AS a), (SELECT jsonb_agg(o) FROM "order" AS o),
    (SELECT count(*) FROM event)"""


async def stored(shop: Shop) -> Any:
    return [tuple(row) for row in await shop.read.records(text(STORED))]


async def test_a_webhook_alone_places_the_order(shop: Shop, paying_api: Api, cart: Cart) -> None:
    attempt = await undecided(shop, paying_api, cart)
    assert await tell(paying_api, told(attempt)) == 200
    assert await counters(shop) == [(2000, 0, 0, 0, 0, 0)]
    assert await money(shop) == [("authorised", 2000)]
    await it_was_ordered(shop, paying_api, cart)


async def test_what_is_told_ten_times_happens_once(shop: Shop, paying_api: Api, cart: Cart) -> None:
    attempt = await undecided(shop, paying_api, cart)
    assert await tell(paying_api, told(attempt)) == 200
    before = await stored(shop)
    assert set(await asyncio.gather(*(tell(paying_api, told(attempt)) for _ in range(10)))) == {200}
    assert await stored(shop) == before
    await it_was_ordered(shop, paying_api, cart)


async def test_an_answer_and_the_webhook_of_it_are_one_event(shop: Shop, paying_api: Api, cart: Cart) -> None:
    await pay(paying_api, cart, await session(paying_api, cart))
    before = await stored(shop)
    assert await tell(paying_api, told(await attempt_of(shop))) == 200
    assert await stored(shop) == before
    assert await events(shop) == [("authorised", 2000, "EUR", None)]


@pytest.mark.parametrize(
    "forged",
    [
        lambda body: signed(body, OTHER_SECRET),
        lambda body: signed(body + " "),
        lambda body: signed(body, at=datetime.now(UTC) - timedelta(minutes=6)),
        lambda body: signed(body, at=datetime.now(UTC) + timedelta(minutes=6)),
        lambda body: {**signed(body), "webhook-timestamp": "soon"},
        lambda body: {**signed(body), "webhook-timestamp": "1" * 400},
        lambda body: {**signed(body), "webhook-id": "another"},
        lambda body: {**signed(body), "webhook-signature": ""},
        lambda body: {**signed(body), "webhook-signature": "v1,"},
        lambda body: {**signed(body), "webhook-signature": "v1"},
        lambda body: {**signed(body), "webhook-signature": "v1,a,b"},
        lambda body: {**signed(body), "webhook-signature": "v2," + signed(body)["webhook-signature"][3:]},
        lambda _body: {},
    ],
)
async def test_a_webhook_that_is_not_signed_as_it_must_be_leaves_no_trace(
    shop: Shop, paying_api: Api, cart: Cart, forged: Any
) -> None:
    body = orjson.dumps(told(await undecided(shop, paying_api, cart))).decode()
    before = await stored(shop)
    answer = await paying_api.http.post("/webhooks/payments/test", content=body, headers=forged(body))
    assert (answer.status_code, answer.json()) == (401, {"error": "the signature does not fit"})
    assert await stored(shop) == before
    assert await status(paying_api, cart) == "PAYING"


async def test_what_is_signed_but_no_report_is_refused_as_well(shop: Shop, paying_api: Api, cart: Cart) -> None:
    attempt = await undecided(shop, paying_api, cart)
    before = await stored(shop)
    nonsense: list[Any] = [
        [],
        None,
        "authorised",
        {},
        told(attempt, kind="enriched"),
        told(attempt, amount="2000"),
        told(attempt, amount=20.0),
        told(attempt, amount=True),
        told(attempt, amount=2**60),
        told(attempt, currency="EURO"),
        told(attempt, reference="nul\0"),
        told(attempt, "declined", message="nul\0"),
        told(attempt, reference=""),
        told(attempt, reference="r" * 256),
        told("not-an-id"),
    ]
    for event in nonsense:
        body = orjson.dumps(event)
        answer = await paying_api.http.post("/webhooks/payments/test", content=body, headers=signed(body))
        assert answer.status_code == 401, event
    for body in (b"\xff", b'{"a": ' * 5000):
        headers = signed(body.decode("latin-1"))
        assert (await paying_api.http.post("/webhooks/payments/test", content=body, headers=headers)).status_code == 401
    assert await stored(shop) == before


async def test_only_providers_that_there_are_are_listened_to(shop: Shop, paying_api: Api, cart: Cart) -> None:
    event = told(await undecided(shop, paying_api, cart))
    before = await stored(shop)
    assert await tell(paying_api, event, provider="unknown") == 404
    assert await tell(paying_api, event, provider="manual") == 401
    assert (await paying_api.http.get("/webhooks/payments/test")).status_code == 405
    large = b" " * (LARGEST + 1)
    answer = await paying_api.http.post("/webhooks/payments/test", content=large, headers=signed(large))
    assert answer.status_code == 413
    assert await stored(shop) == before


async def test_another_amount_or_currency_is_recorded_and_no_success(shop: Shop, paying_api: Api, cart: Cart) -> None:
    attempt = await undecided(shop, paying_api, cart)
    for wrong in ({"amount": 1999}, {"amount": 2001}, {"amount": 0}, {"amount": -2000}, {"currency": "USD"}):
        for _ in range(2):
            assert await tell(paying_api, told(attempt, **wrong)) == 200
    assert [event[3] for event in await events(shop)] == ["amount"] * 4 + ["currency"]
    assert await counters(shop) == []
    assert await status(paying_api, cart) == "PAYING"
    assert await violations(shop.read) == []
    assert await tell(paying_api, told(attempt)) == 200  # the wrong ones stand in nobody's way
    await it_was_ordered(shop, paying_api, cart)


async def test_what_is_about_nothing_here_is_kept_for_staff(shop: Shop, paying_api: Api, cart: Cart) -> None:
    unknown = "0192d3b0-0000-7000-8000-000000000000"
    for _ in range(2):
        assert await tell(paying_api, told(unknown)) == 200
    manual = await paying_api.done("cartComplete", cart.completion(), "order { id }")
    assert manual["order"]
    of_another_provider = await attempt_of(shop)
    assert await tell(paying_api, told(of_another_provider, "captured")) == 200
    assert [event[0::3] for event in await events(shop)] == [
        ("authorised", "unmatched"),
        ("authorised", None),
        ("captured", "unmatched"),
    ]
    assert await money(shop) == [("authorised", 2000)]


async def test_reports_come_in_any_order(shop: Shop, paying_api: Api, cart: Cart) -> None:
    attempt = await undecided(shop, paying_api, cart)
    refund = told(attempt, "refunded", 500, reference="refund-1")
    capture = told(attempt, "captured")
    for event in (refund, capture, told(attempt), refund, capture):
        assert await tell(paying_api, event) == 200
    assert await counters(shop) == [(2000, 0, 2000, 500, 0, 0)]
    assert await money(shop) == [("partially_refunded", 0)]
    assert await attempts(shop) == [(1, "succeeded", 2000)]


async def test_a_decline_opens_the_cart_again(shop: Shop, paying_api: Api, cart: Cart) -> None:
    session_id = await session(paying_api, cart, "action")
    await pay(paying_api, cart, session_id)
    for _ in range(2):
        assert await tell(paying_api, told(await attempt_of(shop), "declined", message="No money.")) == 200
    payload = await pay(paying_api, cart, session_id)
    assert [(e["__typename"], e["message"]) for e in payload["userErrors"]] == [("PaymentDeclined", "No money.")]
    await nothing_was_ordered(shop, paying_api, cart)


async def test_a_decline_after_the_money_came_changes_nothing(shop: Shop, paying_api: Api, cart: Cart) -> None:
    attempt = await undecided(shop, paying_api, cart)
    for kind in ("authorised", "declined"):
        assert await tell(paying_api, told(attempt, kind)) == 200
    assert [event[0::3] for event in await events(shop)] == [("authorised", None), ("declined", "contradiction")]
    await it_was_ordered(shop, paying_api, cart)


async def test_a_dispute_is_shown_and_announced_once(shop: Shop, paying_api: Api, cart: Cart) -> None:
    attempt = await undecided(shop, paying_api, cart)
    steps = {"captured": ("paid", 0), "dispute_opened": ("disputed", 0), "dispute_lost": ("refunded", 0)}
    for kind, expected in steps.items():
        for _ in range(2):
            assert await tell(paying_api, told(attempt, kind)) == 200
        assert await money(shop) == [expected]
    assert await counters(shop) == [(0, 0, 2000, 2000, 0, 0)]
    disputes = "SELECT count(*) FROM event WHERE name = 'PaymentDisputed'"
    assert await shop.read.value(text(disputes)) == 1


async def test_client_and_webhook_at_once_place_one_order(shop: Shop, paying_api: Api, cart: Cart) -> None:
    session_id = await session(paying_api, cart, "action")
    await pay(paying_api, cart, session_id)
    attempt = await attempt_of(shop)
    clients = [pay(paying_api, cart, session_id) for _ in range(5)]
    hooks = [tell(paying_api, told(attempt)) for _ in range(5)]
    await asyncio.gather(*clients, *hooks)
    assert errors(await pay(paying_api, cart, session_id)) == []
    assert await events(shop) == [("authorised", 2000, "EUR", None)]
    await it_was_ordered(shop, paying_api, cart)


async def test_one_payment_at_the_provider_pays_for_one_cart(shop: Shop, paying_api: Api, cart: Cart) -> None:
    first = await undecided(shop, paying_api, cart)
    assert await tell(paying_api, told(first, reference="the same")) == 200
    other = await given.cart(paying_api, {"variantId": await cup_of(shop), "quantity": 2})
    await pay(paying_api, other, await session(paying_api, other, "action"))
    second = await attempt_of(shop)
    for _ in range(2):
        assert await tell(paying_api, told(second, reference="the same")) == 200
    assert await events(shop) == [("authorised", 2000, "EUR", None), ("authorised", 2000, "EUR", "contradiction")]
    assert await counters(shop) == [(2000, 0, 0, 0, 0, 0)]
    assert await status(paying_api, other) == "PAYING"
    assert await violations(shop.read) == []
    assert await tell(paying_api, told(second)) == 200  # its own money
    assert await status(paying_api, other) == "COMPLETED"
    assert await violations(shop.read) == []


async def cup_of(shop: Shop) -> str:
    return ids.encode("Variant", await shop.read.value(text("SELECT id FROM variant")))
