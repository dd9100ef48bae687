"""Paying with gift cards: alone, several, together with a provider, and when something goes wrong on the way."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain import checkout
from domain.actor import SYSTEM
from domain.balance import BalanceChanged
from domain.idempotency import InProgress
from domain.money import Money
from domain.payment import PaymentDeclined
from domain.payment_operation import AmountNotAvailable, RefundOrder
from domain.payment_provider import Absent, Declined
from domain.processes.complete_cart import complete_cart
from domain.processes.operate_payment import refund_order
from domain.processes.shop import Shop
from domain.processes.sweep_payments import sweep
from tests import carts, given
from tests.api import Api
from tests.balances import OVER, amounts, applied, card, entries, holds, shown, use
from tests.completion import (
    NO_ANSWER,
    Bank,
    attempts,
    captured,
    command,
    complete,
    nothing_was_begun,
    paid,
    paid_by,
    refusal,
    status,
    ten_cups,
    two_cups,
)
from tests.given import Cart, Sold
from tests.invariants import levels, violations
from tests.payments import pay, session

ORDER = """order { id paymentStatus total { gross { amount } } amountDue { amount }
  balancePayments { kind lastCharacters amount { amount currency } givenBack { amount } } } cart { status }"""


@pytest_asyncio.fixture
async def cup(shop: Shop) -> Sold:
    return await ten_cups(shop)


@pytest_asyncio.fixture
async def cart(api: Api, cup: Sold) -> Cart:
    """Two cups, 20.00."""
    return await two_cups(api, cup)


async def provider_and_balances_pay_the_total(shop: Shop, promised: int) -> None:
    assert await shop.read.value(text("SELECT coalesce(sum(authorised + captured), 0) FROM payment")) == promised
    assert await violations(shop.read) == []


async def test_a_gift_card_that_covers_it_pays_at_once_and_keeps_the_rest(shop: Shop, api: Api, cart: Cart) -> None:
    """No provider is asked; the total that is agreed to is the one before gift cards."""
    fifty = await card(shop)
    await use(api, cart, fifty)
    wrong = {**cart.completion(), "expectedTotal": {"amount": "0.00", "currency": "EUR"}}
    payload = await api.do("cartComplete", wrong, "order { id }")
    assert [error["__typename"] for error in payload["userErrors"]] == ["PriceChanged"]
    placed = await api.done("cartComplete", cart.completion(), ORDER)
    assert placed["order"] == {
        "id": placed["order"]["id"],
        "paymentStatus": "PAID",
        "total": {"gross": {"amount": "20.00"}},
        "amountDue": {"amount": "0.00"},
        "balancePayments": [
            {
                "kind": "GIFT_CARD",
                "lastCharacters": fifty.end,
                "amount": {"amount": "20.00", "currency": "EUR"},
                "givenBack": {"amount": "0.00"},
            }
        ],
    }
    assert placed["cart"] == {"status": "COMPLETED"}
    assert await amounts(shop) == [(3000, 0)]
    assert await entries(shop) == [(5000, "issued"), (-2000, "spent")]
    assert await attempts(shop) == []
    again = await api.done("cartComplete", cart.completion(), ORDER)
    assert again == placed
    assert await amounts(shop) == [(3000, 0)]
    await provider_and_balances_pay_the_total(shop, 0)


async def test_the_provider_is_asked_for_what_two_gift_cards_leave(shop: Shop, api: Api, cart: Cart) -> None:
    one, other, bank = await card(shop, 300), await card(shop, 500), Bank([paid])
    assert applied(await use(api, cart, other, one)) == ["5.00", "3.00", "12.00"]
    await complete_cart(paid_by(shop, bank), command(cart))
    assert [charge.amount for charge in bank.asked] == [1200]
    assert await attempts(shop) == [(1, "succeeded", 1200)]
    assert await amounts(shop) == [(0, 0), (0, 0)]
    assert await holds(shop) == [(500, "spent"), (300, "spent")]
    await provider_and_balances_pay_the_total(shop, 1200)


async def test_a_declined_payment_gives_the_gift_card_back_and_another_try_takes_it_again(
    shop: Shop, api: Api, cart: Cart
) -> None:
    five, bank = await card(shop, 500), Bank([Declined("No."), paid])
    await use(api, cart, five)
    with pytest.raises(PaymentDeclined):
        await complete_cart(paid_by(shop, bank), command(cart))
    assert await amounts(shop) == [(500, 0)]
    assert await holds(shop) == [(500, "released")]
    assert await entries(shop) == [(500, "issued")]
    assert applied(await shown(api, cart)) == ["5.00", "15.00"]
    assert await violations(shop.read) == []
    await complete_cart(paid_by(shop, bank), command(cart, "key-2"))
    assert await holds(shop) == [(500, "released"), (500, "spent")]
    assert await amounts(shop) == [(0, 0)]
    await provider_and_balances_pay_the_total(shop, 1500)


async def test_while_the_outcome_is_unknown_the_hold_stays_whatever_becomes_of_the_card(
    shop: Shop, api: Api, cart: Cart
) -> None:
    """Nobody else gets it, staff cannot take it away, and the card may expire meanwhile."""
    five, bank = await card(shop, 500), Bank([NO_ANSWER, paid])
    await use(api, cart, five)
    with pytest.raises(InProgress):
        await complete_cart(paid_by(shop, bank), command(cart))
    assert await amounts(shop) == [(500, 500)]
    assert applied(await shown(api, cart)) == ["5.00", "15.00"]
    told = await api.do("cartSetGiftCards", {**cart.key, "codes": []}, "cart { id }")
    assert [error["__typename"] for error in told["userErrors"]] == ["CartPaying"]
    await carts.execute(shop, "UPDATE balance SET expires_at = :over, disabled_at = now()", over=OVER)
    assert await violations(shop.read) == []
    await complete_cart(paid_by(shop, bank), command(cart))
    assert await amounts(shop) == [(0, 0)]
    await provider_and_balances_pay_the_total(shop, 1500)


@pytest.mark.parametrize("word", [paid, Absent()])
async def test_what_a_killed_process_held_is_spent_or_given_back_with_the_provider_s_word(
    shop: Shop, api: Api, cart: Cart, word: Any
) -> None:
    """PREPARE is committed, and then there is nobody any more."""
    five, bank = await card(shop, 500), Bank([paid], cancels=[NO_ANSWER, word])
    await use(api, cart, five)
    async with shop.tx() as tx:
        await checkout.prepare(tx, command(cart))
    swept = paid_by(shop, bank)
    assert await sweep(swept) == 0
    assert await amounts(shop) == [(500, 500)]
    assert await status(api, cart) == "PAYING"
    assert await sweep(swept) == 1
    assert await amounts(shop) == [(0, 0) if word is paid else (500, 0)]
    assert await holds(shop) == [(500, "spent" if word is paid else "released")]
    assert await status(api, cart) == ("COMPLETED" if word is paid else "OPEN")
    await provider_and_balances_pay_the_total(shop, 1500 if word is paid else 0)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE balance SET disabled_at = now()",
        "UPDATE balance SET expires_at = created_at",
        "UPDATE balance SET amount = 0",
        "UPDATE balance SET currency = 'USD'",
    ],
)
async def test_nobody_is_charged_for_what_a_gift_card_was_to_pay(shop: Shop, api: Api, cart: Cart, damage: str) -> None:
    bank = Bank([paid])
    await use(api, cart, await card(shop))
    await carts.execute(shop, damage)
    told = refusal(await complete(api, cart))
    assert (told["__typename"], told["code"], told["path"]) == ("BalanceChanged", "BALANCE_CHANGED", ["cartId"])
    with pytest.raises(BalanceChanged):
        await complete_cart(paid_by(shop, bank), command(cart))
    assert bank.asked == []
    assert await holds(shop) == []
    counts = 'SELECT (SELECT count(*) FROM "order"), (SELECT count(*) FROM idempotency_key WHERE mutation = :m)'
    found = await shop.read.records(text(counts), m="cartComplete")
    assert [tuple(row) for row in found] == [(0, 0)]
    await use(api, cart)
    await complete_cart(paid_by(shop, bank), command(cart))
    assert [charge.amount for charge in bank.asked] == [2000]


async def test_a_gift_card_holds_nothing_for_what_cannot_be_had(shop: Shop, api: Api, cup: Sold, cart: Cart) -> None:
    await use(api, cart, await card(shop))
    await carts.execute(shop, "UPDATE stock_level SET allocated = 9")
    payload = await complete(api, cart)
    assert [error["__typename"] for error in payload["userErrors"]] == ["InsufficientStock"]
    assert await amounts(shop) == [(5000, 0)]
    assert await holds(shop) == []
    await carts.execute(shop, "UPDATE stock_level SET allocated = 0")
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 0)]


async def test_of_two_carts_with_one_card_at_once_the_second_is_told(shop: Shop, api: Api, cup: Sold) -> None:
    """The second waits for the first one's transaction, and then sees what is left."""
    twenty = await card(shop, 2000)
    first, second = [await two_cups(api, cup) for _ in range(2)]
    for each in (first, second):
        await use(api, each, twenty)
    async with shop.tx() as tx:
        await checkout.prepare(tx, command(first))
        waiting = asyncio.create_task(complete(api, second))
        await given.until(lambda: is_waiting(shop))
    assert refusal(await waiting)["__typename"] == "BalanceChanged"
    assert await amounts(shop) == [(0, 0)]
    assert await holds(shop) == [(2000, "spent")]
    assert await violations(shop.read) == []


async def is_waiting(shop: Shop) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return await shop.read.value(text(waiting)) == 1


async def test_two_carts_name_the_same_two_cards_in_other_orders_without_a_deadlock(
    shop: Shop, api: Api, cup: Sold
) -> None:
    one, other = await card(shop, 3000), await card(shop, 3000)
    pairs = [await two_cups(api, cup) for _ in range(3)]
    for number, each in enumerate(pairs):
        await use(api, each, *((one, other) if number % 2 else (other, one)))
    payloads = await asyncio.gather(*(complete(api, each) for each in pairs))
    told = sorted(error["__typename"] for payload in payloads for error in payload["userErrors"])
    assert told in ([], ["BalanceChanged"])
    spent = sum(2000 for payload in payloads if not payload["userErrors"])
    assert sum(amount for amount, _ in await amounts(shop)) == 6000 - spent
    assert await violations(shop.read) == []


async def test_nothing_is_held_before_the_cart_is_completed(shop: Shop, api: Api, cart: Cart) -> None:
    await use(api, cart, await card(shop))
    assert await amounts(shop) == [(5000, 0)]
    await carts.execute(shop, "DELETE FROM idempotency_key")
    await nothing_was_begun(shop)


async def test_a_refund_goes_back_to_the_provider_first_then_to_what_was_spent_last(
    shop: Shop, api: Api, cart: Cart
) -> None:
    """Of an order of 20.00 by two cards of 3.00 and 5.00 and 12.00 by a bank."""
    one, other, bank = await card(shop, 300), await card(shop, 500), Bank([captured])
    await use(api, cart, one, other)
    placed = await complete_cart(paid_by(shop, bank), command(cart))
    paying = paid_by(shop, bank)
    order = placed.order.id

    def refund(amount: int, key: str) -> RefundOrder:
        return RefundOrder(order, Money(amount, "EUR"), "Sorry", key)

    await refund_order(paying, refund(1000, "a"), SYSTEM)
    assert await amounts(shop) == [(0, 0), (0, 0)]
    for key, amount in (("b", 600), ("a", 1000), ("b", 600)):
        await refund_order(paying, refund(amount, key), SYSTEM)
        assert await amounts(shop) == [(0, 0), (400, 0)]
    with pytest.raises(AmountNotAvailable) as refused:
        await refund_order(paying, refund(401, "c"), SYSTEM)
    assert refused.value.available == Money(400, "EUR")
    assert await shop.read.value(text('SELECT payment_status FROM "order"')) == "partially_refunded"
    await refund_order(paying, refund(400, "c"), SYSTEM)
    assert await amounts(shop) == [(300, 0), (500, 0)]
    assert await shop.read.value(text('SELECT payment_status FROM "order"')) == "refunded"
    assert [operation.amount for kind, operation in bank.done if kind == "refund"] == [1000, 200]
    assert await violations(shop.read) == []


async def test_a_payment_is_never_larger_than_what_the_customer_was_shown(shop: Shop, api: Api, cart: Cart) -> None:
    """Part of the card was spent elsewhere meanwhile; the total is the same."""
    one = await card(shop, 1500)
    due = (await use(api, cart, one))["totals"]["amountDue"]
    assert due == {"amount": "5.00", "currency": "EUR"}
    await carts.execute(shop, "UPDATE balance SET held = 1000")
    for wrong in (due, {"amount": "15.01", "currency": "EUR"}, {"amount": "15.00", "currency": "USD"}):
        told = refusal(await complete(api, cart, expectedAmountDue=wrong))
        assert (told["__typename"], told["path"]) == ("BalanceChanged", ["expectedAmountDue"])
        assert await holds(shop) == []
    told = refusal(await complete(api, cart, expectedAmountDue={"amount": "0.001", "currency": "EUR"}))
    assert (told["__typename"], told["path"]) == ("ValidationFailed", ["expectedAmountDue", "amount"])
    assert applied(await shown(api, cart)) == ["5.00", "15.00"]
    right = (await shown(api, cart))["totals"]["amountDue"]
    payload = await complete(api, cart, expectedAmountDue=right)
    assert payload["order"]["status"] == "PLACED"
    reused = await complete(api, cart, expectedAmountDue=due)
    assert [error["__typename"] for error in reused["userErrors"]] == ["IdempotencyKeyReused"]
    assert await attempts(shop) == [(1, "succeeded", 1500)]


async def test_while_a_cart_is_paid_nothing_below_zero_is_due_of_it_whatever_prices_do(
    shop: Shop, paying_api: Api, cart: Cart
) -> None:
    fifteen = await card(shop, 1500)
    await use(paying_api, cart, fifteen)
    await pay(paying_api, cart, await session(paying_api, cart, "action"))
    assert applied(await shown(paying_api, cart)) == ["15.00", "5.00"]
    await carts.execute(shop, "UPDATE price SET amount = amount / 2")
    assert applied(await shown(paying_api, cart)) == ["15.00", "0.00"]
