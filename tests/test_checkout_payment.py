"""Paying for a cart when the provider declines, is slow, is silent, or says so too late."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, text

from db import PaymentAttempt, PaymentEvent
from db.connection import connect
from domain import checkout
from domain.cart import CartPaying
from domain.payment import Absent, Declined, PaymentDeclined
from domain.processes.complete_cart import InProgress, complete_cart, sweep
from domain.processes.shop import Shop
from tests import given
from tests.api import Api
from tests.completion import NO_ANSWER, Bank, command, complete, paid, paid_by, refusal
from tests.given import Cart, Sold
from tests.invariants import levels, undecided, violations
from tests.test_worker import until


@pytest_asyncio.fixture
async def cup(shop: Shop) -> Sold:
    """Ten cups at 10.00."""
    await given.regions(shop)
    return await given.product(shop, "cup", stock=10)


async def two_cups(api: Api, cup: Sold) -> Cart:
    return await given.cart(api, {"variantId": cup.variant, "quantity": 2})


async def status(api: Api, cart: Cart) -> str:
    query = "query C($id: ID!, $token: String) { cart(id: $id, token: $token) { status } }"
    return (await api(query, {"id": cart.id, "token": cart.token}))["cart"]["status"]


async def attempts(shop: Shop) -> list[tuple[Any, ...]]:
    rows = await shop.read.all(select(PaymentAttempt).order_by(PaymentAttempt.created_at))
    return [(row.n, row.state, row.amount) for row in rows]


async def orders(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await shop.read.records(text('SELECT status, total, number FROM "order"'))]


async def nothing_was_ordered(shop: Shop, api: Api, cart: Cart) -> None:
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 0)]
    assert [row[0] for row in await orders(shop)] == ["pending"]
    assert await status(api, cart) == "OPEN"
    assert await violations(shop.read) == []


async def it_was_ordered(shop: Shop, api: Api, cart: Cart, units: int = 2) -> None:
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, units)]
    assert await orders(shop) == [("placed", units * 1000, 1001)]
    assert await status(api, cart) == "COMPLETED"
    assert await violations(shop.read) == []


async def test_a_declined_payment_gives_the_stock_back_and_opens_the_cart(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([Declined("Card stolen.", retryable=False)])
    paying = paid_by(shop, bank)
    with pytest.raises(PaymentDeclined, match="Card stolen") as declined:
        await complete_cart(paying, command(cart))
    assert declined.value.retryable is False
    assert await attempts(shop) == [(1, "failed", 2000)]
    await nothing_was_ordered(shop, api, cart)
    with pytest.raises(PaymentDeclined):  # the same try again is the same answer, and no second charge
        await complete_cart(paying, command(cart))
    assert len(bank.asked) == 1
    query = "query C($id: ID!, $token: String) { cart(id: $id, token: $token) { order { id } } }"
    assert await api(query, {"id": cart.id, "token": cart.token}) == {"cart": {"order": None}}


async def test_after_a_decline_another_card_buys_what_the_cart_has_by_then(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([Declined("No."), paid])
    paying = paid_by(shop, bank)
    with pytest.raises(PaymentDeclined):
        await complete_cart(paying, command(cart))
    pending = await shop.read.value(text('SELECT id FROM "order"'))
    await api.done("cartAddLines", {**cart.key, "lines": [{"variantId": cup.variant}]}, "cart { id }")
    moved = {**given.ADDRESS, "city": "Utrecht"}
    await api.done("cartSetAddresses", {**cart.key, "shippingAddress": moved}, "cart { id }")
    dearer = replace(cart, total={"amount": "30.00", "currency": "EUR"})
    assert await complete_cart(paying, command(dearer, "key-2")) == pending
    assert await attempts(shop) == [(1, "failed", 2000), (2, "succeeded", 3000)]
    assert [charge.amount for charge in bank.asked] == [2000, 3000]
    await it_was_ordered(shop, api, cart, units=3)
    lines = (
        "SELECT quantity, gross, o.shipping_address ->> 'city' FROM order_line JOIN \"order\" AS o ON o.id = order_id"
    )
    assert [tuple(row) for row in await shop.read.records(text(lines))] == [(3, 3000, "Utrecht")]
    with pytest.raises(PaymentDeclined):  # what the first key came to does not change any more
        await complete_cart(paying, command(cart))


async def test_while_the_outcome_is_unknown_the_cart_is_paying_and_refuses_writes(
    shop: Shop, api: Api, cup: Sold
) -> None:
    cart, bank = await two_cups(api, cup), Bank([NO_ANSWER])
    with pytest.raises(InProgress) as unknown:
        await complete_cart(paid_by(shop, bank), command(cart))
    assert unknown.value.retry_after == 2
    line = {"lines": [{"variantId": cup.variant}]}
    writes = {
        "cartAddLines": line,
        "cartSetCustomer": {"email": "kim@shop.example"},
        "cartSetAddresses": {"shippingAddress": given.ADDRESS},
    }
    for mutation, values in writes.items():
        refused = await api.do(mutation, {**cart.key, **values}, "cart { id }")
        assert [error["__typename"] for error in refused["userErrors"]] == ["CartPaying"]
        assert refused["cart"] is None
    other_key = refusal(await complete(api, cart, "key-2"))
    assert (other_key["__typename"], other_key["path"]) == ("CartPaying", ["cartId"])
    assert other_key["attemptId"].startswith("attempt_")
    assert other_key["since"]
    assert await status(api, cart) == "PAYING"
    assert await levels(shop.read) == [("CUP-1", "main", 10, 2, 0)]
    assert await violations(shop.read) == []


async def test_the_same_key_goes_on_with_the_same_charge(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([NO_ANSWER, NO_ANSWER, paid])
    for _ in range(2):
        with pytest.raises(InProgress):
            await complete_cart(paid_by(shop, bank), command(cart))
    await complete_cart(paid_by(shop, bank), command(cart))
    assert len(bank.asked) == 3
    assert len(set(bank.asked)) == 1
    assert await attempts(shop) == [(1, "succeeded", 2000)]
    await it_was_ordered(shop, api, cart)


async def test_the_sweeper_gives_back_what_the_provider_never_heard_of(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([NO_ANSWER, paid])
    paying = paid_by(shop, bank)
    with pytest.raises(InProgress):
        await complete_cart(paying, command(cart))
    assert await sweep(paying) == 1
    assert bank.cancelled == bank.asked
    assert await attempts(shop) == [(1, "cancelled", 2000)]
    await nothing_was_ordered(shop, api, cart)
    assert await sweep(paying) == 0
    await complete_cart(paying, command(cart))  # nothing came of the key, so it may be used again
    assert await attempts(shop) == [(1, "cancelled", 2000), (2, "succeeded", 2000)]
    await it_was_ordered(shop, api, cart)


async def test_the_sweeper_places_the_order_when_the_money_was_promised(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([NO_ANSWER], cancels=[paid])
    paying = paid_by(shop, bank)
    with pytest.raises(InProgress):
        await complete_cart(paying, command(cart))
    assert await sweep(paying) == 1
    await it_was_ordered(shop, api, cart)
    order = await shop.read.value(text('SELECT id FROM "order"'))
    assert await complete_cart(paying, command(cart)) == order
    assert len(bank.asked) == 1


async def test_an_unknown_outcome_stays_unknown_until_the_provider_answers(shop: Shop, api: Api, cup: Sold) -> None:
    stuck, other = await two_cups(api, cup), await two_cups(api, cup)
    silent, bank = Bank([NO_ANSWER], cancels=[NO_ANSWER, Absent()], name="silent"), Bank([NO_ANSWER])
    paying = paid_by(shop, silent, bank)
    for cart, provider in ((stuck, "silent"), (other, "bank")):
        with pytest.raises(InProgress):
            await complete_cart(paying, command(cart, provider=provider))
    assert await sweep(paying) == 1
    assert [await status(api, cart) for cart in (stuck, other)] == ["PAYING", "OPEN"]
    assert await levels(shop.read) == [("CUP-1", "main", 10, 2, 0)]
    assert await violations(shop.read) == []
    assert await sweep(paying) == 1
    assert await status(api, stuck) == "OPEN"
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 0)]


async def test_the_sweeper_leaves_alone_what_somebody_may_still_wait_for(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([NO_ANSWER])
    paying = paid_by(shop, bank, sweep_after=60)
    with pytest.raises(InProgress):
        await complete_cart(paying, command(cart))
    assert await sweep(paying) == 0
    assert bank.cancelled == []
    assert await status(api, cart) == "PAYING"
    async with shop.tx() as tx:
        await tx.run(text("UPDATE payment_attempt SET created_at = now() - interval '61 seconds'"))
    assert await sweep(paying) == 1


async def test_many_stuck_payments_do_not_keep_the_others_from_being_swept(shop: Shop, api: Api, cup: Sold) -> None:
    for _ in range(2):
        with pytest.raises(InProgress):
            await complete_cart(paid_by(shop, Bank([NO_ANSWER])), command(await two_cups(api, cup)))
    seen = {attempt.id for _ in range(60) for attempt in await checkout.abandoned(shop.read, 0, most=1)}
    assert len(seen) == 2


async def test_a_provider_that_never_answers_is_an_unknown_outcome(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([paid], silent=True)
    hurried = replace(paid_by(shop, bank), answer_within=0.05)
    with pytest.raises(InProgress):
        await complete_cart(hurried, command(cart))
    assert await status(api, cart) == "PAYING"
    bank.silent = False
    await complete_cart(hurried, command(cart))
    assert bank.asked[0] == bank.asked[1]
    await it_was_ordered(shop, api, cart)


async def test_a_provider_that_never_answers_does_not_stop_the_sweeper(shop: Shop, api: Api, cup: Sold) -> None:
    stuck, other = await two_cups(api, cup), await two_cups(api, cup)
    silent, bank = Bank([NO_ANSWER], silent_on_cancel=True, name="silent"), Bank([NO_ANSWER])
    hurried = replace(paid_by(shop, silent, bank), answer_within=0.05)
    for cart, provider in ((stuck, "silent"), (other, "bank")):
        with pytest.raises(InProgress):
            await complete_cart(hurried, command(cart, provider=provider))
    assert await sweep(hurried) == 1
    assert [await status(api, cart) for cart in (stuck, other)] == ["PAYING", "OPEN"]


async def test_slow_payments_hold_up_nobody_else(database_url: str, shop: Shop, api: Api, cup: Sold) -> None:
    slow = [await given.cart(api, {"variantId": cup.variant, "quantity": 1}) for _ in range(6)]
    other = await given.cart(api, {"variantId": cup.variant, "quantity": 1})
    bank, prompt = Bank([paid], silent=True), Bank([paid], name="prompt")
    database = await connect(database_url, reactions=shop.database.reactions, max_size=2)
    paying = paid_by(replace(shop, database=database), bank, prompt)
    payments = [asyncio.create_task(complete_cart(paying, command(cart))) for cart in slow]
    await until(lambda: len(bank.asked) == 6)
    assert database.pool.get_idle_size() == database.pool.get_size()
    busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start < query_start"
    locks = "SELECT count(*) FROM pg_locks WHERE mode LIKE '%Exclusive%' AND relation = 'cart'::regclass"
    assert [await shop.read.value(text(sql)) for sql in (busy, locks)] == [0, 0]
    await asyncio.wait_for(complete_cart(paying, command(other, provider="prompt")), 5)
    assert await levels(shop.read) == [("CUP-1", "main", 10, 6, 1)]
    assert await violations(shop.read) == []
    bank.spoke.set()
    assert len(set(await asyncio.gather(*payments))) == 6
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 7)]
    assert await violations(shop.read) == []
    await database.close()


async def late_success(shop: Shop, api: Api, cart: Cart, bank: Bank) -> None:
    """The sweeper releases an attempt while the provider is at it, and the money is promised after that."""
    paying = paid_by(shop, bank)
    payment = asyncio.create_task(complete_cart(paying, command(cart)))
    await until(lambda: len(bank.asked) == 1)
    assert await sweep(paying) == 1
    await nothing_was_ordered(shop, api, cart)
    bank.spoke.set()
    with pytest.raises(PaymentDeclined, match="nothing was ordered"):
        await payment


async def test_money_that_comes_after_the_release_is_recorded_and_sent_back(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([paid], silent=True)
    await late_success(shop, api, cart, bank)
    assert bank.cancelled == bank.asked * 2
    events = await shop.read.all(select(PaymentEvent))
    told = [(e.attempt_id, e.provider, e.kind, e.reference, e.amount, e.currency) for e in events]
    attempt = bank.asked[0].attempt_id
    assert told == [(attempt, "bank", "authorised", f"bank:{attempt}", 2000, "EUR")]
    assert await shop.read.value(text("SELECT count(*) FROM payment")) == 0
    assert await attempts(shop) == [(1, "cancelled", 2000)]
    await nothing_was_ordered(shop, api, cart)


async def test_late_money_that_cannot_be_sent_back_at_once_is_still_no_order(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([paid], cancels=[Absent(), NO_ANSWER], silent=True)
    await late_success(shop, api, cart, bank)
    assert await shop.read.value(text("SELECT count(*) FROM payment_event")) == 1
    await nothing_was_ordered(shop, api, cart)


async def test_two_requests_with_one_key_pay_once(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([paid], silent=True)
    payments = [asyncio.create_task(complete_cart(paid_by(shop, bank), command(cart))) for _ in range(2)]
    await until(lambda: len(bank.asked) == 2)
    bank.spoke.set()
    first, second = await asyncio.gather(*payments)
    assert first == second
    assert bank.asked[0] == bank.asked[1]
    assert await attempts(shop) == [(1, "succeeded", 2000)]
    await it_was_ordered(shop, api, cart)


async def test_another_key_while_a_payment_is_under_way_is_refused(shop: Shop, api: Api, cup: Sold) -> None:
    cart, bank = await two_cups(api, cup), Bank([paid], silent=True)
    payment = asyncio.create_task(complete_cart(paid_by(shop, bank), command(cart)))
    await until(lambda: len(bank.asked) == 1)
    with pytest.raises(CartPaying) as paying:
        await complete_cart(paid_by(shop, bank), command(cart, "key-2"))
    assert paying.value.attempt_id == bank.asked[0].attempt_id
    bank.spoke.set()
    await payment
    assert await undecided(shop.read) == 0
    await it_was_ordered(shop, api, cart)
