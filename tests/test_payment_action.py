"""Paying by a session: what the customer has to do first, the same call after it, and changing one's mind."""

from dataclasses import replace
from typing import Any

import pytest_asyncio
from sqlalchemy import text

from db.payment import AttemptState
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api
from tests.carts import execute
from tests.completion import FACTS, attempts, it_was_ordered, nothing_was_ordered, refusal, status, ten_cups, two_cups
from tests.given import Cart, Sold
from tests.invariants import levels, violations
from tests.payments import PAID, Provider, attempt_of, counters, errors, events, money, pay, session


@pytest_asyncio.fixture
async def cup(shop: Shop) -> Sold:
    return await ten_cups(shop)


@pytest_asyncio.fixture
async def cart(paying_api: Api, cup: Sold) -> Cart:
    return await two_cups(paying_api, cup)


async def test_a_cart_is_paid_by_a_session(shop: Shop, paying_api: Api, cart: Cart, provider: Provider) -> None:
    payload = await pay(paying_api, cart, await session(paying_api, cart))
    assert payload["order"]["paymentStatus"] == "AUTHORISED"
    assert payload["nextAction"] is None
    assert provider.operations(await attempt_of(shop)) == [("authorise", 2000, "done")]
    assert await counters(shop) == [(2000, 0, 0, 0, 0, 0)]
    await it_was_ordered(shop, paying_api, cart)


async def test_money_that_came_at_once_leaves_nothing_due(shop: Shop, paying_api: Api, cart: Cart) -> None:
    payload = await pay(paying_api, cart, await session(paying_api, cart, "captured"))
    assert payload["order"]["paymentStatus"] == "PAID"
    assert payload["order"]["amountDue"] == {"amount": "0.00"}
    assert await counters(shop) == [(0, 0, 2000, 0, 0, 0)]
    await it_was_ordered(shop, paying_api, cart)


async def test_the_customer_is_sent_to_confirm_and_the_same_call_places_the_order(
    shop: Shop, paying_api: Api, cart: Cart, provider: Provider
) -> None:
    session_id = await session(paying_api, cart, "action")
    asked = await pay(paying_api, cart, session_id)
    attempt = await attempt_of(shop, AttemptState.ACTION_REQUIRED)
    assert asked["userErrors"] == []
    assert asked["order"] is asked["accessToken"] is None
    assert asked["cart"]["status"] == "PAYING"
    action = asked["nextAction"]
    assert (action["kind"], action["url"]) == ("REDIRECT", f"{provider.url}/attempts/{attempt}")
    assert action["expiresAt"]
    again = await pay(paying_api, cart, session_id)
    assert again["nextAction"] == action
    assert await attempts(shop) == [(1, "action_required", 2000)]
    provider.customer(attempt, "confirm")
    only_number = await pay(paying_api, cart, session_id, select="accessToken cart { status } order { number }")
    assert only_number["order"] == {"number": "1001"}
    placed = await pay(paying_api, cart, session_id)
    assert (placed["order"]["status"], placed["nextAction"]) == ("PLACED", None)
    assert provider.operations(attempt) == [("authorise", 2000, "done")]
    await it_was_ordered(shop, paying_api, cart)


async def test_the_browser_may_be_asked_to_confirm_by_itself(
    shop: Shop, paying_api: Api, cart: Cart, provider: Provider
) -> None:
    session_id = await session(paying_api, cart, "client_action")
    action = (await pay(paying_api, cart, session_id))["nextAction"]
    attempt = await attempt_of(shop)
    assert (action["kind"], action["url"], action["clientData"]) == ("CLIENT_CONFIRM", None, {"key": attempt})
    provider.customer(attempt, "confirm")
    assert (await pay(paying_api, cart, session_id))["order"]["number"] == "1001"


async def test_who_refuses_to_confirm_has_their_cart_back_and_may_take_another_card(
    shop: Shop, paying_api: Api, cart: Cart, provider: Provider
) -> None:
    session_id = await session(paying_api, cart, "action")
    await pay(paying_api, cart, session_id)
    provider.customer(await attempt_of(shop), "refuse")
    for _ in range(2):
        refused = refusal(await pay(paying_api, cart, session_id))
        assert (refused["__typename"], refused["retryable"]) == ("PaymentDeclined", True)
    await nothing_was_ordered(shop, paying_api, cart)
    other = await pay(paying_api, cart, await session(paying_api, cart), "key-2")
    assert other["order"]["status"] == "PLACED"
    assert await attempts(shop) == [(1, "failed", 2000), (2, "succeeded", 2000)]
    await it_was_ordered(shop, paying_api, cart)


async def test_a_decline_says_whether_another_try_may_succeed(shop: Shop, paying_api: Api, cart: Cart) -> None:
    for key, token, retryable in (("one", "decline", True), ("two", "decline_final", False)):
        session_id = await session(paying_api, cart, token)
        for _ in range(2):
            refused = refusal(await pay(paying_api, cart, session_id, key))
            assert (refused["__typename"], refused["retryable"]) == ("PaymentDeclined", retryable)
    await nothing_was_ordered(shop, paying_api, cart)


async def test_while_the_customer_confirms_the_cart_stays_as_it_is(
    shop: Shop, paying_api: Api, cart: Cart, cup: Sold
) -> None:
    session_id = await session(paying_api, cart, "action")
    await pay(paying_api, cart, session_id)
    lines = [{"variantId": cup.variant}]
    second_tab = {"cartAddLines": {"lines": lines}, "cartSetCustomer": {"email": "kim@shop.example"}}
    for mutation, values in second_tab.items():
        assert errors(await paying_api.do(mutation, {**cart.key, **values}, "cart { id }")) == ["CartPaying"]
    new = {**cart.key, "provider": "test"}
    facts = "session { id } userErrors { __typename path ... on CartPaying { attemptId } }"
    (paying,) = (await paying_api.do("paymentSessionCreate", new, facts))["userErrors"]
    assert (paying["__typename"], paying["path"]) == ("CartPaying", ["cartId"])
    assert paying["attemptId"].startswith("attempt_")
    assert errors(await pay(paying_api, cart, session_id, "key-2")) == ["CartPaying"]
    assert await levels(shop.read) == [("CUP-1", "main", 10, 2, 0)]
    assert await violations(shop.read) == []


async def cancel(api: Api, cart: Cart, **changes: Any) -> dict[str, Any]:
    return await api.do("cartCancelPayment", {**cart.key, **changes}, "cart { status version }")


async def test_a_payment_that_is_cancelled_gives_everything_back(
    shop: Shop, paying_api: Api, cart: Cart, provider: Provider
) -> None:
    session_id = await session(paying_api, cart, "action")
    await pay(paying_api, cart, session_id)
    attempt = await attempt_of(shop)
    for _ in range(2):
        assert (await cancel(paying_api, cart))["cart"]["status"] == "OPEN"
    await nothing_was_ordered(shop, paying_api, cart)
    provider.customer(attempt, "confirm")
    assert provider.operations(attempt) == []
    assert (await pay(paying_api, cart, session_id))["cart"]["status"] == "PAYING"  # the key is free again
    assert await attempts(shop) == [(1, "cancelled", 2000), (2, "action_required", 2000)]


async def test_after_cancelling_the_key_is_good_for_another_request(
    shop: Shop, paying_api: Api, cart: Cart, cup: Sold
) -> None:
    await pay(paying_api, cart, await session(paying_api, cart, "action"))
    await cancel(paying_api, cart)
    await paying_api.done("cartAddLines", {**cart.key, "lines": [{"variantId": cup.variant}]}, "cart { id }")
    dearer = replace(cart, total={"amount": "30.00", "currency": "EUR"})
    payload = await pay(paying_api, dearer, await session(paying_api, dearer))
    assert payload["order"]["status"] == "PLACED"
    reused = await pay(paying_api, cart, await session_of(shop))
    assert errors(reused) == ["IdempotencyKeyReused"]
    await it_was_ordered(shop, paying_api, cart, units=3)


async def session_of(shop: Shop) -> str:
    return ids.encode(
        "PaymentSession", await shop.read.value(text("SELECT id FROM payment_session ORDER BY id LIMIT 1"))
    )


async def test_who_cancels_after_the_money_came_is_told_that_there_is_an_order(
    shop: Shop, paying_api: Api, cart: Cart, provider: Provider
) -> None:
    await pay(paying_api, cart, await session(paying_api, cart, "action"))
    provider.customer(await attempt_of(shop), "confirm")
    for _ in range(2):
        payload = await cancel(paying_api, cart)
        assert payload["cart"] is None
        assert errors(payload) == ["AlreadyCompleted"]
    query = "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { order { number accessToken } } }"
    shown = await paying_api(query, {"id": cart.id, "token": cart.token})
    assert shown["cart"]["order"]["number"] == "1001"
    await it_was_ordered(shop, paying_api, cart)


async def test_nobody_else_cancels_a_payment(shop: Shop, paying_api: Api, cart: Cart) -> None:
    await pay(paying_api, cart, await session(paying_api, cart, "action"))
    for token in ("wrong", None):
        assert errors(await cancel(paying_api, cart, token=token)) == ["NotFound"]
    assert await status(paying_api, cart) == "PAYING"


async def test_a_session_is_good_for_the_cart_as_it_was_and_for_nothing_else(
    shop: Shop, paying_api: Api, cart: Cart, cup: Sold
) -> None:
    old = await session(paying_api, cart)
    await paying_api.done("cartAddLines", {**cart.key, "lines": [{"variantId": cup.variant}]}, "cart { id }")
    dearer = replace(cart, total={"amount": "30.00", "currency": "EUR"})
    payload = await pay(paying_api, dearer, old)
    assert errors(payload) == ["PaymentSessionStale"]
    assert payload["userErrors"][0]["path"] == ["paymentSessionId"]
    lines = "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { lines { id } } }"
    found = await paying_api(lines, {"id": cart.id, "token": cart.token})
    line = {"lineId": found["cart"]["lines"][0]["id"], "quantity": 2}
    await paying_api.done("cartUpdateLines", {**cart.key, "lines": [line]}, "cart { id }")
    assert errors(await pay(paying_api, cart, old)) == ["PaymentSessionStale"]  # the same amount of another version
    other = await two_cups(paying_api, cup)
    assert errors(await pay(paying_api, other, old)) == ["NotFound"]
    assert await attempts(shop) == []
    assert (await pay(paying_api, cart, await session(paying_api, cart)))["order"]["number"] == "1001"


async def test_a_session_whose_amount_is_not_the_carts_pays_nothing(shop: Shop, paying_api: Api, cart: Cart) -> None:
    session_id = await session(paying_api, cart)
    for change in ("amount = amount - 1", "currency = 'USD'", "cart_version = cart_version - 1"):
        await execute(shop, f"UPDATE payment_session SET {change}")
        assert errors(await pay(paying_api, cart, session_id)) == ["PaymentSessionStale"]
        await execute(shop, "UPDATE payment_session SET amount = 2000, currency = 'EUR'")
    assert await attempts(shop) == []


async def test_a_provider_that_needs_a_session_is_not_paid_without_one(shop: Shop, paying_api: Api, cart: Cart) -> None:
    select = f"{PAID} {FACTS}"
    payload = await paying_api.do("cartComplete", {**cart.completion(), "paymentProvider": "test"}, select)
    assert [(e["__typename"], e["path"]) for e in payload["userErrors"]] == [("ValidationFailed", ["paymentSessionId"])]
    payload = await paying_api.do("cartComplete", {**cart.completion(), "paymentSessionId": None}, select)
    assert payload["order"]["paymentStatus"] == "AUTHORISED"  # `manual`, as nothing else was said


async def test_no_session_is_made_where_none_can_be(shop: Shop, paying_api: Api, cart: Cart) -> None:
    given_ = {**cart.key, "provider": "test"}
    refused = {
        ("NotFound", ("cartId",)): {"token": "wrong"},
        ("ValidationFailed", ("provider",)): {"provider": "manual"},
        ("ValidationFailed", ("clientData",)): {"clientData": {"token": "nonsense"}},
    }
    for (kind, path), change in refused.items():
        payload = await paying_api.do("paymentSessionCreate", {**given_, **change}, "session { id }")
        assert [(e["__typename"], tuple(e["path"])) for e in payload["userErrors"]] == [(kind, path)]
    await execute(shop, "UPDATE price SET amount = 0")
    payload = await paying_api.do("paymentSessionCreate", given_, "session { id }")
    assert errors(payload) == ["ValidationFailed"]
    free = replace(cart, total={"amount": "0.00", "currency": "EUR"})
    done = await paying_api.done("cartComplete", free.completion(), PAID)
    assert done["order"]["paymentStatus"] == "NOT_REQUIRED"
    assert await money(shop) == [("not_required", 0)]


async def test_what_is_not_what_was_asked_for_is_recorded_and_places_no_order(
    shop: Shop, paying_api: Api, cart: Cart
) -> None:
    await pay_wrongly(shop, paying_api, cart, "wrong_amount", ("authorised", 2001, "EUR", "amount"))


async def test_another_currency_places_no_order_either(shop: Shop, paying_api: Api, cart: Cart) -> None:
    await pay_wrongly(shop, paying_api, cart, "wrong_currency", ("authorised", 2000, "XTS", "currency"))


async def pay_wrongly(shop: Shop, api: Api, cart: Cart, token: str, event: tuple[Any, ...]) -> None:
    session_id = await session(api, cart, token)
    for _ in range(2):
        assert errors(await pay(api, cart, session_id)) == ["InProgress"]
    assert await events(shop) == [event]
    assert await counters(shop) == []
    staff = await given.caller(shop, api, "staff", "payments:read")
    query = "{ paymentsToReview { events { problem amount { amount } reportedAmount reportedCurrency } } }"
    (listed,) = (await staff(query))["paymentsToReview"]["events"]
    known = {"amount": "20.01"} if event[2] == "EUR" else None
    assert listed == {
        "problem": event[3].upper(),
        "amount": known,
        "reportedAmount": str(event[1]),
        "reportedCurrency": event[2],
    }
    assert await status(api, cart) == "PAYING"
    assert await levels(shop.read) == [("CUP-1", "main", 10, 2, 0)]
    assert await violations(shop.read) == []
