"""The ledger behind gift cards and store credit: what orders hold, spend and get back of it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given as for_all
from hypothesis import strategies as st
from sqlalchemy import text

from db.connection import Tx
from domain import balance
from domain.balance import BalanceChanged, Taking, spread_over
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.api import Api
from tests.balances import OVER, amounts, card, entries, holds

AMOUNTS = st.integers(0, 10**15)


@for_all(AMOUNTS, st.lists(AMOUNTS, max_size=11))
def test_balances_pay_one_after_another_and_never_more_than_there_is_or_is_due(total: int, free: list[int]) -> None:
    parts = spread_over(total, free)
    assert sum(parts) == min(total, sum(free))
    assert all(0 <= part <= has for part, has in zip(parts, free, strict=True))
    for i, part in enumerate(parts):
        assert part == free[i] or not any(parts[i + 1 :])


@pytest.mark.parametrize(
    ("total", "free", "parts"),
    [
        (5000, [5000], [5000]),
        (5000, [3000, 5000], [3000, 2000]),
        (5000, [0, 7000, 1], [0, 5000, 0]),
        (5000, [1000, 1000], [1000, 1000]),
        (1, [500], [1]),
        (0, [5000], [0]),
        (5000, [], []),
    ],
)
def test_what_each_balance_pays(total: int, free: list[int], parts: list[int]) -> None:
    assert spread_over(total, free) == parts


@pytest_asyncio.fixture
async def order(shop: Shop, api: Api) -> UUID:
    """One that has paid for itself; the ledger is told of it by hand."""
    await given.regions(shop)
    cup = await given.product(shop, "cup")
    return ids.decode("Order", (await given.order(api, {"variantId": cup.variant}))["id"])


async def done(shop: Shop, step: Callable[[Tx], Coroutine[Any, Any, Any]]) -> Any:
    async with shop.tx() as tx:
        return await step(tx)


async def test_holding_spending_and_giving_back_count_once_however_often_they_are_done(shop: Shop, order: UUID) -> None:
    one, other = await card(shop, 3000), await card(shop, 5000)
    takings = [Taking(other.key, 2000), Taking(one.key, 3000)]
    for _ in range(2):
        await done(shop, lambda tx: balance.hold(tx, order, takings))
        assert await amounts(shop) == [(3000, 3000), (5000, 2000)]
    for _ in range(2):
        await done(shop, lambda tx: balance.spend(tx, order))
        assert await amounts(shop) == [(0, 0), (3000, 0)]
    await done(shop, lambda tx: balance.release(tx, order))
    assert await amounts(shop) == [(0, 0), (3000, 0)]
    assert sorted((await entries(shop))[2:]) == [(-3000, "spent"), (-2000, "spent")]
    assert await holds(shop) == [(2000, "spent"), (3000, "spent")]


async def test_what_is_released_is_free_again_and_can_be_held_again(shop: Shop, order: UUID) -> None:
    fifty = await card(shop)
    for _ in range(2):
        await done(shop, lambda tx: balance.hold(tx, order, [Taking(fifty.key, 5000)]))
        assert await amounts(shop) == [(5000, 5000)]
        for _ in range(2):
            await done(shop, lambda tx: balance.release(tx, order))
            assert await amounts(shop) == [(5000, 0)]
    assert await entries(shop) == [(5000, "issued")]


async def test_all_of_it_is_held_or_nothing(shop: Shop, order: UUID) -> None:
    one, other = await card(shop, 3000), await card(shop, 5000)
    for broken in (
        "UPDATE balance SET held = 1 WHERE initial_amount = 3000",
        "UPDATE balance SET held = 0, disabled_at = now() WHERE initial_amount = 3000",
        f"UPDATE balance SET disabled_at = NULL, expires_at = '{OVER.isoformat()}' WHERE initial_amount = 3000",
    ):
        await carts.execute(shop, broken.replace(":", r"\:"))
        before = await amounts(shop)
        with pytest.raises(BalanceChanged):
            await done(shop, lambda tx: balance.hold(tx, order, [Taking(other.key, 5000), Taking(one.key, 3000)]))
        assert await amounts(shop) == before
        assert await holds(shop) == []


async def test_a_refund_goes_back_to_what_was_spent_last_first_and_never_more_than_was_spent(
    shop: Shop, order: UUID
) -> None:
    one, other = await card(shop, 3000), await card(shop, 5000)
    await done(shop, lambda tx: balance.hold(tx, order, [Taking(one.key, 3000), Taking(other.key, 2000)]))
    assert await done(shop, lambda tx: balance.give_back(tx, order, 100)) == []
    await done(shop, lambda tx: balance.spend(tx, order))
    first = await done(shop, lambda tx: balance.give_back(tx, order, 500))
    assert first == [Taking(other.key, 500)]
    second = await done(shop, lambda tx: balance.give_back(tx, order, 2000))
    assert second == [Taking(other.key, 1500), Taking(one.key, 500)]
    assert await done(shop, lambda tx: balance.give_back(tx, order, 0)) == []
    assert await done(shop, lambda tx: balance.give_back(tx, order, 9999)) == [Taking(one.key, 2500)]
    assert await done(shop, lambda tx: balance.give_back(tx, order, 1)) == []
    assert await amounts(shop) == [(3000, 0), (5000, 0)]
    back = [delta for delta, reason in await entries(shop) if reason == "refunded"]
    assert sorted(back) == [500, 500, 1500, 2500]


async def test_twenty_refunds_at_once_give_back_what_was_spent(shop: Shop, order: UUID) -> None:
    fifty = await card(shop)
    await done(shop, lambda tx: balance.hold(tx, order, [Taking(fifty.key, 5000)]))
    await done(shop, lambda tx: balance.spend(tx, order))
    parts = await asyncio.gather(*(done(shop, lambda tx: balance.give_back(tx, order, 400)) for _ in range(20)))
    assert sum(taking.amount for part in parts for taking in part) == 5000
    assert await amounts(shop) == [(5000, 0)]


async def test_the_ledger_is_only_ever_added_to(shop: Shop) -> None:
    await card(shop)
    before = await shop.read.records(text("SELECT * FROM balance_entry"))
    for statement in (
        "UPDATE balance_entry SET delta = 1",
        "UPDATE balance_entry SET note = 'x'",
        "UPDATE balance_entry SET note = NULL, delta = 1",
        "DELETE FROM balance_entry",
        "TRUNCATE balance_entry",
    ):
        with pytest.raises(asyncpg.PostgresError, match="only ever added to"):
            await carts.execute(shop, statement)
    assert await shop.read.records(text("SELECT * FROM balance_entry")) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE balance SET held = amount + 1",
        "UPDATE balance SET held = -1",
        "UPDATE balance SET amount = -1",
        "UPDATE balance SET kind = 'store_credit'",
        "UPDATE balance SET code_hash = NULL",
    ],
)
async def test_no_balance_is_below_zero_or_below_what_is_held_or_without_an_owner(shop: Shop, statement: str) -> None:
    await card(shop)
    with pytest.raises(asyncpg.CheckViolationError):
        await carts.execute(shop, statement)
