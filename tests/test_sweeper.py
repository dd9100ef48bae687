"""The sweeper ends payments that nobody waits for any more, with the provider's word and never without it."""

from dataclasses import replace

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain import payment
from domain.idempotency import InProgress
from domain.payment_provider import Absent
from domain.processes.complete_cart import complete_cart
from domain.processes.shop import Shop
from domain.processes.sweep_payments import sweep
from tests.api import Api
from tests.completion import (
    NO_ANSWER,
    Bank,
    attempts,
    command,
    it_was_ordered,
    nothing_was_ordered,
    paid,
    paid_by,
    status,
    ten_cups,
    two_cups,
)
from tests.given import Sold
from tests.invariants import levels, violations


@pytest_asyncio.fixture
async def cup(shop: Shop) -> Sold:
    return await ten_cups(shop)


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
    assert (await complete_cart(paying, command(cart))).order.id == order
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
    seen = {attempt.id for _ in range(60) for attempt in await payment.abandoned(shop.read, 0, most=1)}
    assert len(seen) == 2


async def test_a_provider_that_never_answers_does_not_stop_the_sweeper(shop: Shop, api: Api, cup: Sold) -> None:
    stuck, other = await two_cups(api, cup), await two_cups(api, cup)
    silent, bank = Bank([NO_ANSWER], silent_on_cancel=True, name="silent"), Bank([NO_ANSWER])
    hurried = replace(paid_by(shop, silent, bank), answer_within=0.05)
    for cart, provider in ((stuck, "silent"), (other, "bank")):
        with pytest.raises(InProgress):
            await complete_cart(hurried, command(cart, provider=provider))
    assert await sweep(hurried) == 1
    assert [await status(api, cart) for cart in (stuck, other)] == ["PAYING", "OPEN"]
