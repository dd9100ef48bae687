"""Money that comes after an attempt was given up: it is always recorded, and buys the cart or goes back in full."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain import checkout
from domain.actor import SYSTEM
from domain.checkout import Placed
from domain.idempotency import InProgress
from domain.mail import Mail, Post
from domain.money import Money
from domain.notification import NotificationQueued
from domain.payment import PaymentDeclined
from domain.payment_ledger import LateMoney
from domain.payment_operation import ChangePayment, MoneyReturned
from domain.payment_provider import Declined, Refused
from domain.processes.complete_cart import complete_cart
from domain.processes.deliver_notification import deliver_notification
from domain.processes.notify import tell_customer
from domain.processes.operate_payment import change_payment
from domain.processes.settle_late_money import settle_late_money
from domain.processes.shop import Shop
from domain.processes.sweep_payments import sweep
from plugins.notify_email import EmailChannel
from tests import given
from tests.api import Api
from tests.carts import execute
from tests.completion import (
    NO_ANSWER,
    Answer,
    Bank,
    attempts,
    captured,
    command,
    it_was_ordered,
    nothing_was_ordered,
    paid,
    paid_by,
    status,
    ten_cups,
    two_cups,
)
from tests.given import Cart, Sold
from tests.invariants import levels, unreturned, violations
from tests.payments import counters, money
from tests.test_worker import until


@pytest_asyncio.fixture
async def cup(shop: Shop) -> Sold:
    return await ten_cups(shop)


@pytest_asyncio.fixture
async def cart(api: Api, cup: Sold) -> Cart:
    return await two_cups(api, cup)


async def late(shop: Shop, api: Api, cart: Cart, answer: Answer = paid, **bank: Any) -> tuple[Shop, Bank, LateMoney]:
    """The sweeper gives an attempt up while the provider is at it, and the money is told after that."""
    slow = Bank([answer], silent=True, **bank)
    paying = paid_by(shop, slow)
    waiting = asyncio.create_task(complete_cart(paying, command(cart)))
    await until(lambda: len(slow.asked) == 1)
    assert await sweep(paying) == 1
    await nothing_was_ordered(shop, api, cart)
    slow.spoke.set()
    with pytest.raises(InProgress):
        await waiting
    slow.silent = False
    return paying, slow, LateMoney(slow.asked[0].attempt_id)


async def announced(shop: Shop, name: str) -> int:
    rows = await shop.read.records(text("SELECT count(*) AS n FROM event WHERE name = :name"), name=name)
    return rows[0].n


async def test_late_money_is_recorded_and_holds_up_a_second_try(shop: Shop, api: Api, cart: Cart) -> None:
    paying, bank, _ = await late(shop, api, cart)
    assert await counters(shop) == [(2000, 0, 0, 0, 0, 0)]
    assert await announced(shop, "LateMoney") == 1
    with pytest.raises(InProgress, match="earlier try"):
        await complete_cart(paying, command(cart))
    assert len(bank.asked) == 1
    assert await unreturned(shop.read) == 1
    await nothing_was_ordered(shop, api, cart)


@pytest.mark.parametrize(("answer", "due"), [(paid, ("authorised", 2000)), (captured, ("paid", 0))])
async def test_late_money_places_the_order_when_the_cart_is_as_it_was(
    shop: Shop, api: Api, cart: Cart, answer: Answer, due: tuple[str, int]
) -> None:
    paying, bank, event = await late(shop, api, cart, answer)
    for _ in range(2):
        await settle_late_money(paying, event)
    assert bank.done == []
    assert await attempts(shop) == [(1, "succeeded", 2000)]
    assert await money(shop) == [due]
    await it_was_ordered(shop, api, cart)
    placed = await complete_cart(paying, command(cart))  # who asks again under the key is told of the order
    assert isinstance(placed, Placed)
    assert placed.order.number == 1001
    assert len(bank.asked) == 1


async def changed(api: Api, cart: Cart, cup: Sold) -> None:
    await api.done("cartAddLines", {**cart.key, "lines": [{"variantId": cup.variant}]}, "cart { id }")


@pytest.mark.parametrize(
    ("answer", "kind", "sums"),
    [(paid, "void", (2000, 2000, 0, 0, 0, 0)), (captured, "refund", (0, 0, 2000, 2000, 0, 0))],
)
async def test_late_money_for_a_cart_that_changed_goes_back_in_full(
    shop: Shop, api: Api, cart: Cart, cup: Sold, answer: Answer, kind: str, sums: tuple[int, ...]
) -> None:
    paying, bank, event = await late(shop, api, cart, answer)
    await changed(api, cart, cup)
    for _ in range(2):
        await settle_late_money(paying, event)
    assert [(done, operation.amount) for done, operation in bank.done] == [(kind, 2000)]
    assert await counters(shop) == [sums]
    assert await unreturned(shop.read) == 0
    assert await announced(shop, "MoneyReturned") == 1
    assert await attempts(shop) == [(1, "cancelled", 2000)]
    await nothing_was_ordered(shop, api, cart)
    assert await violations(shop.read) == []


async def test_late_money_goes_back_when_the_last_units_were_sold_meanwhile(shop: Shop, api: Api, cup: Sold) -> None:
    cart = await two_cups(api, cup)
    paying, bank, event = await late(shop, api, cart, captured)
    others = await given.cart(api, {"variantId": cup.variant, "quantity": 9})
    await api.done("cartComplete", others.completion(), "order { id }")
    await settle_late_money(paying, event)
    assert [(done, operation.amount) for done, operation in bank.done] == [("refund", 2000)]
    assert await counters(shop) == [(0, 0, 2000, 2000, 0, 0), (9000, 0, 0, 0, 0, 0)]
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 9)]
    assert await status(api, cart) == "OPEN"
    assert await violations(shop.read) == []


async def test_late_money_goes_back_when_another_card_has_paid(shop: Shop, api: Api, cart: Cart) -> None:
    _, bank, event = await late(shop, api, cart, captured)
    other = Bank([paid], name="other")
    both = paid_by(shop, bank, other)
    await complete_cart(both, command(cart, "key-2", provider="other"))
    await settle_late_money(both, event)
    assert [(done, operation.amount) for done, operation in bank.done] == [("refund", 2000)]
    assert await attempts(shop) == [(1, "cancelled", 2000), (2, "succeeded", 2000)]
    assert await money(shop) == [("authorised", 2000)]  # of the order nothing came and nothing went
    await it_was_ordered(shop, api, cart)


async def test_a_price_that_changed_meanwhile_sends_late_money_back(shop: Shop, api: Api, cart: Cart) -> None:
    paying, bank, event = await late(shop, api, cart)
    await execute(shop, "UPDATE price SET amount = amount + 1")
    await settle_late_money(paying, event)
    assert [done for done, _ in bank.done] == ["void"]
    assert await status(api, cart) == "OPEN"
    assert await violations(shop.read) == []


async def test_a_cart_that_changed_but_costs_the_same_is_another_cart(shop: Shop, api: Api, cart: Cart) -> None:
    paying, bank, event = await late(shop, api, cart)
    moved = {**given.ADDRESS, "city": "Utrecht"}
    await api.done("cartSetAddresses", {**cart.key, "shippingAddress": moved}, "cart { id }")
    await settle_late_money(paying, event)
    assert [done for done, _ in bank.done] == ["void"]
    await nothing_was_ordered(shop, api, cart)


async def test_what_cannot_be_sent_back_at_once_is_sent_back_by_the_sweeper(
    shop: Shop, api: Api, cart: Cart, cup: Sold
) -> None:
    paying, bank, event = await late(shop, api, cart, captured, does=[NO_ANSWER])
    await changed(api, cart, cup)
    await settle_late_money(paying, event)
    assert await counters(shop) == [(0, 0, 2000, 0, 2000, 0)]
    bank.does = []
    assert await sweep(paying) == 1
    assert len({operation.operation_id for _, operation in bank.done}) == 1
    assert await counters(shop) == [(0, 0, 2000, 2000, 0, 0)]
    assert await violations(shop.read) == []


async def test_staff_see_what_could_not_be_sent_back(shop: Shop, api: Api, cart: Cart, cup: Sold) -> None:
    paying, _, event = await late(shop, api, cart, captured, does=[Refused("The card is gone.")])
    await changed(api, cart, cup)
    await settle_late_money(paying, event)
    staff = await given.caller(shop, api, "staff", "payments:read")
    query = """{ paymentsToReview { operations { kind state problem amount { amount } }
        latePayments { attemptState captured { amount } refunded { amount } } } }"""
    shown = (await staff(query))["paymentsToReview"]
    told = {"kind": "REFUND", "state": "FAILED", "problem": "The card is gone.", "amount": {"amount": "20.00"}}
    assert shown["operations"] == [told]
    sums = {"captured": {"amount": "20.00"}, "refunded": {"amount": "0.00"}}
    assert shown["latePayments"] == [{"attemptState": "CANCELLED", **sums}]
    assert await unreturned(shop.read) == 1


async def test_late_money_that_staff_are_just_capturing_goes_back_once_it_has_come(
    shop: Shop, api: Api, cart: Cart, cup: Sold
) -> None:
    paying, bank, event = await late(shop, api, cart, does=[NO_ANSWER])
    await changed(api, cart, cup)
    payment_id = await shop.read.value(text("SELECT id FROM payment"))
    await change_payment(paying, ChangePayment(payment_id, "key", Money(2000, "EUR")), SYSTEM)
    await settle_late_money(paying, event)  # nobody knows yet what there is to be given up or sent back
    assert [kind for kind, _ in bank.done] == ["capture"]
    bank.does = []
    assert await sweep(paying) == 1
    assert await counters(shop) == [(2000, 0, 2000, 0, 0, 0)]
    assert await announced(shop, "LateMoney") == 2
    for _ in range(2):
        await settle_late_money(paying, event)
    assert [kind for kind, _ in bank.done] == ["capture", "capture", "refund"]
    assert await counters(shop) == [(2000, 0, 2000, 2000, 0, 0)]
    assert await unreturned(shop.read) == 0
    await nothing_was_ordered(shop, api, cart)
    assert await violations(shop.read) == []


async def test_money_after_a_decline_is_late_money_too(shop: Shop, api: Api, cart: Cart) -> None:
    from_bank = Bank([Declined("No.")])
    paying = paid_by(shop, from_bank)
    with pytest.raises(PaymentDeclined):
        await complete_cart(paying, command(cart))
    async with shop.tx() as tx:
        outcome = await checkout.finalise(tx, from_bank.asked[0].attempt_id, paid(from_bank.asked[0]))
    assert outcome == checkout.Late()
    await settle_late_money(paying, LateMoney(from_bank.asked[0].attempt_id))
    await it_was_ordered(shop, api, cart)


class Box:
    """Keeps what it should send."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)


async def test_the_customer_is_told_that_it_goes_back(shop: Shop, api: Api, cart: Cart, cup: Sold) -> None:
    paying, _, event = await late(shop, api, cart)
    await changed(api, cart, cup)
    await settle_late_money(paying, event)
    payment = await shop.read.value(text("SELECT id FROM payment"))
    box = Box()
    nobody: Any = None
    post = Post(box, nobody, "https://shop.example", "")
    telling = replace(paying, post=post, channels=(EmailChannel(box),))
    for _ in range(2):
        await tell_customer(telling, MoneyReturned(payment))
        for row in await shop.read.records(text("SELECT id FROM notification")):
            await deliver_notification(telling, NotificationQueued(row.id))
    (mail,) = box.mails
    assert (mail.template, mail.to) == ("payment_returned", "sam@shop.example")
    assert mail.facts == {"link": "https://shop.example", "amount": "20.00 EUR"}
