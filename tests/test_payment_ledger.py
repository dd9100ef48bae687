"""The sums of payments and orders: those of what was reported, in whatever order, and the status that follows."""

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text

from db.payment import EventSource, PaymentEventKind
from domain import payment as payments
from domain import payment_ledger as ledger
from domain.payment_ledger import Report
from domain.processes.shop import Shop
from tests.api import Api
from tests.completion import complete, ten_cups, two_cups
from tests.payments import attempt_of, counters, money

STATUSES: list[tuple[dict[str, int], str, int]] = [
    ({}, "authorised", 2000),
    ({"captured": 500}, "partially_paid", 1500),
    ({"captured": 2000}, "paid", 0),
    ({"captured": 2500}, "paid", -500),
    ({"captured": 2500, "refunded": 500}, "partially_refunded", 0),
    ({"captured": 2500, "refunded": 200}, "partially_refunded", -300),
    ({"captured": 2000, "refunded": 700}, "partially_refunded", 0),
    ({"captured": 2000, "refunded": 2000}, "refunded", 0),
    ({"captured": 500, "refunded": 500}, "refunded", 1500),
    ({"voided": 2000}, "pending", 2000),
    ({"captured": 500, "voided": 1500}, "partially_paid", 1500),
    ({"captured": 2000, "dispute_opened": 2000}, "disputed", 0),
    ({"captured": 2000, "dispute_opened": 2000, "dispute_won": 2000}, "paid", 0),
    ({"captured": 2000, "dispute_opened": 2000, "dispute_lost": 2000}, "refunded", 0),
]
"""Of an order of 20.00 that was promised: what is reported then, and what follows."""


async def ordered(shop: Shop, api: Api) -> Any:
    await complete(api, await two_cups(api, await ten_cups(shop)))
    return await attempt_of(shop)


async def report(shop: Shop, attempt_id: Any, kind: str, amount: int) -> None:
    async with shop.tx() as tx:
        _, attempt = await payments.lock_attempt(tx, attempt_id)
        told = Report(PaymentEventKind(kind), f"{kind}-{amount}", amount, "EUR", EventSource.WEBHOOK)
        await ledger.record(tx, attempt, told)


@pytest.mark.parametrize(("reported", "status", "due"), STATUSES)
async def test_the_status_follows_from_the_money(
    shop: Shop, api: Api, reported: dict[str, int], status: str, due: int
) -> None:
    attempt = await ordered(shop, api)
    for kind, amount in reported.items():
        await report(shop, attempt, kind, amount)
    assert await money(shop) == [(status, due)]


async def test_the_order_of_arrival_does_not_matter(shop: Shop, api: Api) -> None:
    attempt = await ordered(shop, api)
    facts = [("captured", 1500), ("refunded", 400), ("voided", 500), ("captured", 100)]
    outcomes: set[Any] = set()
    for order in permutations(facts):
        async with shop.tx() as tx:
            await tx.run(text("DELETE FROM payment_event WHERE kind <> 'authorised'"))
        for kind, amount in [*order, *order]:
            await report(shop, attempt, kind, amount)
        outcomes.add((*await counters(shop), *await money(shop)))
    assert outcomes == {((2000, 500, 1600, 400, 0, 0), ("partially_refunded", 400))}


async def test_an_order_that_did_not_change_keeps_its_version(shop: Shop, api: Api) -> None:
    attempt = await ordered(shop, api)
    await report(shop, attempt, "captured", 2000)
    version = await shop.read.value(text('SELECT version FROM "order"'))
    await report(shop, attempt, "captured", 2000)
    assert await shop.read.value(text('SELECT version FROM "order"')) == version
