"""Paying for a cart when the provider declines, is slow, is silent, or says so too late."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from sqlalchemy import text

from db import PaymentAttempt
from db.connection import connect
from domain import checkout
from domain.cart import CartPaying
from domain.checkout import Placed
from domain.idempotency import InProgress
from domain.payment import PaymentDeclined
from domain.payment_provider import Absent, Charge, Declined
from domain.processes.complete_cart import complete_cart
from domain.processes.shop import Shop
from domain.processes.sweep_payments import sweep
from tests import given
from tests.api import Api
from tests.completion import (
    NO_ANSWER,
    Bank,
    attempts,
    command,
    complete,
    it_was_ordered,
    nothing_was_ordered,
    paid,
    paid_by,
    refusal,
    status,
    ten_cups,
    two_cups,
)
from tests.given import Sold
from tests.invariants import levels, undecided, violations
from tests.test_worker import until


@pytest_asyncio.fixture
async def cup(shop: Shop) -> Sold:
    return await ten_cups(shop)


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
    assert (await complete_cart(paying, command(dearer, "key-2"))).order.id == pending
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


@pytest_asyncio.fixture
async def narrow(database_url: str, shop: Shop) -> AsyncIterator[Shop]:
    """The shop over two connections."""
    database = await connect(database_url, reactions=shop.database.reactions, max_size=2)
    yield replace(shop, database=database)
    await database.close()


async def test_slow_payments_hold_up_nobody_else(narrow: Shop, shop: Shop, api: Api, cup: Sold) -> None:
    *slow, other = [await given.cart(api, {"variantId": cup.variant}) for _ in range(7)]
    bank, prompt = Bank([paid], silent=True), Bank([paid], name="prompt")
    paying = paid_by(narrow, bank, prompt)
    payments = [asyncio.create_task(complete_cart(paying, command(cart))) for cart in slow]
    await until(lambda: len(bank.asked) == 6)
    assert narrow.database.pool.get_idle_size() == narrow.database.pool.get_size() > 0
    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    in_transaction = f"SELECT count(*) FROM pg_stat_activity WHERE {mine} AND state LIKE 'idle in transaction%'"
    assert await shop.read.value(text(in_transaction)) == 0
    locks = (
        f"SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {mine} AND locktype = 'transactionid'"
    )
    assert await shop.read.value(text(locks)) == 0
    await asyncio.wait_for(complete_cart(paying, command(other, provider="prompt")), 5)
    assert await levels(shop.read) == [("CUP-1", "main", 10, 6, 1)]
    assert await violations(shop.read) == []
    bank.spoke.set()
    assert len({placed.order.id for placed in await asyncio.gather(*payments)}) == 6
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 7)]
    assert await violations(shop.read) == []


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


async def test_money_that_is_not_what_was_asked_for_places_no_order(shop: Shop, api: Api, cup: Sold) -> None:
    cart = await two_cups(api, cup)
    for wrong in (
        lambda charge: replace(paid(charge), amount=charge.amount - 1),
        lambda charge: replace(paid(charge), currency="USD"),
    ):
        bank = Bank([wrong], cancels=[wrong, Absent()])
        with pytest.raises(InProgress):
            await complete_cart(paid_by(shop, bank), command(cart))
        assert await sweep(paid_by(shop, bank)) == 0
        assert await status(api, cart) == "PAYING"
        assert await sweep(paid_by(shop, bank)) == 1
        assert await status(api, cart) == "OPEN"
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 0)]
    assert await violations(shop.read) == []


@pytest.mark.parametrize(
    ("held", "free"), [("cart", ('"order"', "payment_attempt")), ('"order"', ("payment_attempt",))]
)
async def test_placing_locks_the_cart_then_the_order_then_the_attempt(
    shop: Shop, api: Api, cup: Sold, held: str, free: tuple[str, ...]
) -> None:
    cart = await two_cups(api, cup)
    async with shop.tx() as tx:
        charge = charge_of((await checkout.prepare(tx, command(cart, provider="manual"))).attempt)
    async with shop.tx() as holder:
        await holder.run(text(f"SELECT FROM {held} FOR UPDATE"))
        placing = asyncio.create_task(place(shop, charge))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        await until(lambda: one_of_them(shop, waiting))
        for table in free:
            assert await one_of_them(shop, f"SELECT count(*) FROM (SELECT FROM {table} FOR UPDATE NOWAIT) AS locked")
    placed = await placing
    assert isinstance(placed, Placed)
    assert (placed.order.status, placed.order.number, placed.cart.status) == ("placed", 1001, "completed")
    await it_was_ordered(shop, api, cart)


def charge_of(attempt: PaymentAttempt | None) -> Charge:
    assert attempt is not None
    return Charge(attempt.id, attempt.amount, attempt.currency)


async def place(shop: Shop, charge: Charge) -> object:
    async with shop.tx() as tx:
        return await checkout.finalise(tx, charge.attempt_id, paid(charge))


async def one_of_them(shop: Shop, counted: str) -> bool:
    return await shop.read.value(text(counted)) == 1
