"""Paying for an order that was placed before: by whoever it belongs to, what is due and no more."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.actor import SYSTEM
from domain.money import Money
from domain.payment_ledger import LateMoney
from domain.payment_operation import ChangePayment
from domain.processes.operate_payment import change_payment
from domain.processes.settle_late_money import settle_late_money
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api
from tests.completion import Bank, attempts, paid, paid_by, ten_cups, two_cups
from tests.invariants import violations
from tests.payments import ACTION, Provider, attempt_of, counters, errors, events, money, tell, told

PAID = f"accessToken order {{ id paymentStatus amountDue {{ amount }} }} {ACTION}"


@pytest_asyncio.fixture
async def order(shop: Shop, paying_api: Api) -> dict[str, str]:
    """An order of 20.00, placed to be paid by a transfer that has not come; with its access token."""
    cart = await two_cups(paying_api, await ten_cups(shop))
    made = await paying_api.done("cartComplete", cart.completion(), "accessToken order { id }")
    return {"orderId": made["order"]["id"], "accessToken": made["accessToken"]}


async def session(api: Api, order: dict[str, str], token: str = "captured") -> dict[str, Any]:
    given_ = {**order, "provider": "test", "clientData": {"token": token}}
    return (await api.done("orderPaymentSessionCreate", given_, "session { id amount { amount currency } }"))["session"]


async def pay(api: Api, order: dict[str, str], made: dict[str, Any], key: str = "k", **changes: Any) -> dict[str, Any]:
    given_ = {**order, "paymentSessionId": made["id"], "expectedAmount": made["amount"], "idempotencyKey": key}
    return await api.do("orderPay", {**given_, **changes}, PAID)


async def test_what_is_due_is_paid_once(shop: Shop, paying_api: Api, order: dict[str, str]) -> None:
    made = await session(paying_api, order)
    assert made["amount"] == {"amount": "20.00", "currency": "EUR"}
    payloads = await asyncio.gather(*(pay(paying_api, order, made) for _ in range(5)))
    assert {tuple(errors(payload)) for payload in payloads} <= {(), ("InProgress",)}
    payload = await pay(paying_api, order, made)
    assert payload["order"]["paymentStatus"] == "PAID"
    assert payload["order"]["amountDue"] == {"amount": "0.00"}
    assert await counters(shop) == [(2000, 0, 0, 0, 0, 0), (0, 0, 2000, 0, 0, 0)]
    other = await pay(paying_api, order, made, "another key")
    assert [(e["__typename"], e["path"]) for e in other["userErrors"]] == [("AmountDueChanged", ["expectedAmount"])]
    refused = await paying_api.do("orderPaymentSessionCreate", {**order, "provider": "test"}, "session { id }")
    assert [(e["__typename"], e["path"]) for e in refused["userErrors"]] == [("ValidationFailed", ["orderId"])]
    assert await violations(shop.read) == []


async def test_what_arrived_meanwhile_is_not_paid_again(shop: Shop, paying_api: Api, order: dict[str, str]) -> None:
    made = await session(paying_api, order)
    payment = await shop.read.value(text("SELECT id FROM payment"))
    await change_payment(shop, ChangePayment(payment, "c", Money(1500, "EUR")), SYSTEM)
    payload = await pay(paying_api, order, made)
    assert errors(payload) == ["AmountDueChanged"]
    five = {"amount": "5.00", "currency": "EUR"}
    assert errors(await pay(paying_api, order, made, expectedAmount=five)) == ["PaymentSessionStale"]
    rest = await session(paying_api, order)
    assert rest["amount"] == five
    assert (await pay(paying_api, order, rest))["order"]["paymentStatus"] == "PAID"
    assert await counters(shop) == [(2000, 0, 1500, 0, 0, 0), (0, 0, 500, 0, 0, 0)]


async def test_promised_by_a_card_nothing_is_left_to_be_paid(
    shop: Shop, paying_api: Api, order: dict[str, str]
) -> None:
    assert errors(await pay(paying_api, order, await session(paying_api, order, "success"))) == []
    refused = await paying_api.do("orderPaymentSessionCreate", {**order, "provider": "test"}, "session { id }")
    assert errors(refused) == ["ValidationFailed"]
    assert await money(shop) == [("authorised", 2000)]


async def test_a_decline_leaves_the_order_as_it_was(shop: Shop, paying_api: Api, order: dict[str, str]) -> None:
    before = await money(shop)
    declined = await session(paying_api, order, "decline")
    for _ in range(2):
        assert errors(await pay(paying_api, order, declined)) == ["PaymentDeclined"]
    assert await money(shop) == before
    other = await pay(paying_api, order, await session(paying_api, order), "another card")
    assert other["order"]["paymentStatus"] == "PAID"
    assert await violations(shop.read) == []


async def test_the_customer_may_have_to_confirm_first(
    shop: Shop, paying_api: Api, order: dict[str, str], provider: Provider
) -> None:
    made = await session(paying_api, order, "action")
    asked = await pay(paying_api, order, made)
    attempt = await attempt_of(shop)
    assert asked["order"] is None
    assert asked["nextAction"]["url"] == f"{provider.url}/attempts/{attempt}"
    assert errors(await pay(paying_api, order, made, "second tab")) == ["InProgress"]
    assert await tell(paying_api, told(attempt)) == 200
    assert (await pay(paying_api, order, made))["order"]["paymentStatus"] == "AUTHORISED"
    assert [event[0] for event in await events(shop)] == ["authorised", "authorised"]


async def test_nobody_pays_an_order_that_is_not_theirs(
    shop: Shop, paying_api: Api, order: dict[str, str], provider: Provider
) -> None:
    made = await session(paying_api, order)
    foreign = {
        "orderId": ids.encode("Order", await shop.read.value(text("SELECT gen_random_uuid()"))),
        "accessToken": order["accessToken"],
    }
    before, asked_before = await money(shop), provider.ledger()
    for who, permissions in (("nobody", ()), ("customer", ()), ("staff", ("orders:write", "orders:read"))):
        caller = await given.caller(shop, paying_api, who, *permissions)
        for key in ({"orderId": order["orderId"]}, {"orderId": order["orderId"], "accessToken": "wrong"}, foreign):
            made_by = await caller.do("orderPaymentSessionCreate", {**key, "provider": "test"}, "session { id }")
            for payload in (made_by, await pay(caller, key, made)):
                assert [(e["__typename"], e["path"]) for e in payload["userErrors"]] == [("NotFound", ["orderId"])]
    assert provider.ledger() == asked_before
    assert await money(shop) == before
    assert await shop.read.value(text("SELECT count(*) FROM payment_attempt")) == 1


async def test_a_session_of_another_order_pays_nothing(shop: Shop, paying_api: Api, order: dict[str, str]) -> None:
    cup = await given.product(shop, "lid", stock=10)
    cart = await two_cups(paying_api, cup)
    other = await paying_api.done("cartComplete", cart.completion(), "accessToken order { id }")
    theirs = {"orderId": other["order"]["id"], "accessToken": other["accessToken"]}
    foreign = await pay(paying_api, order, await session(paying_api, theirs))
    assert [(e["__typename"], e["path"]) for e in foreign["userErrors"]] == [("NotFound", ["paymentSessionId"])]


async def given_up(shop: Shop, api: Api, order: dict[str, str]) -> str:
    """The attempt by a card that was declined, as the provider knows it."""
    await pay(api, order, await session(api, order, "action"), "first")
    attempt = await attempt_of(shop)
    assert await tell(api, told(attempt, "declined")) == 200
    return attempt


async def test_late_money_pays_an_order_that_still_waits_for_it(
    shop: Shop, paying_api: Api, order: dict[str, str]
) -> None:
    attempt, bank = await given_up(shop, paying_api, order), Bank([paid], name="test")
    assert await tell(paying_api, told(attempt, "captured")) == 200
    await settle_late_money(paid_by(shop, bank), LateMoney(UUID(attempt)))
    assert bank.done == []
    assert await money(shop) == [("paid", 0)]
    assert await attempts(shop) == [(1, "succeeded", 2000), (2, "succeeded", 2000)]


@pytest.mark.parametrize(("token", "second"), [("success", "succeeded"), ("action", "action_required")])
async def test_late_money_goes_back_where_another_card_has_promised_it_or_is_about_to(
    shop: Shop, paying_api: Api, order: dict[str, str], token: str, second: str
) -> None:
    attempt, bank = await given_up(shop, paying_api, order), Bank([paid], name="test")
    assert errors(await pay(paying_api, order, await session(paying_api, order, token), "second")) == []
    assert await tell(paying_api, told(attempt, "captured")) == 200
    await settle_late_money(paid_by(shop, bank), LateMoney(UUID(attempt)))
    assert [(done, operation.amount) for done, operation in bank.done] == [("refund", 2000)]
    assert await attempts(shop) == [(1, "succeeded", 2000), (2, "failed", 2000), (3, second, 2000)]
    assert (0, 0, 2000, 2000, 0, 0) in await counters(shop)
    assert await money(shop) == [("authorised", 2000)]
    assert await violations(shop.read) == []


async def test_the_cart_that_became_an_order_ends_no_payment_of_it(
    shop: Shop, paying_api: Api, provider: Provider
) -> None:
    cart = await two_cups(paying_api, await ten_cups(shop))
    made = await paying_api.done("cartComplete", cart.completion(), "accessToken order { id }")
    order = {"orderId": made["order"]["id"], "accessToken": made["accessToken"]}
    await pay(paying_api, order, await session(paying_api, order, "action"))
    before = provider.operations(await attempt_of(shop))
    refused = await paying_api.do("cartCancelPayment", cart.key, "cart { id }")
    assert errors(refused) == ["AlreadyCompleted"]
    assert await attempts(shop) == [(1, "succeeded", 2000), (2, "action_required", 2000)]
    assert provider.operations(await attempt_of(shop)) == before
