"""What prices were: never overwritten, whatever way they change; and the lowest of the month before a reduction."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy import text

from db.price import PriceListKind
from domain.price import PriceDraft
from domain.price_history import Spell, prior_lowest
from domain.processes.shop import Shop
from tests import carts, given
from tests.api import Api
from tests.pricing import DAY, NOW, group, price_list

PRICE = "price { amount { amount } priorLowestPrice { amount currency } }"
CUP = f'{{ product(by: {{ handle: "paper-cup" }}) {{ variants {{ nodes {{ {PRICE} }} }} }} }}'
PAST = """
    SELECT amount, CAST(extract(day FROM now() - lower(valid)) AS int) AS since,
           CAST(extract(day FROM now() - upper(valid)) AS int) AS until
    FROM price_history ORDER BY lower(valid), id
"""


async def prior(api: Api) -> Any:
    (variant,) = (await api(CUP))["product"]["variants"]["nodes"]
    return variant["price"]["priorLowestPrice"]


async def was(shop: Shop, variant: UUID, amount: int, since: int, until: int, **more: Any) -> None:
    """A base price from so many days ago until so many days ago."""
    statement = """
        INSERT INTO price_history (variant_id, currency, min_quantity, amount, compare_at, price_list_id, valid)
        VALUES (:variant, 'EUR', :min_quantity, :amount, :compare_at, :price_list_id,
                tstzrange(now() - :since * CAST('1 day' AS interval), now() - :until * CAST('1 day' AS interval)))
    """
    values = {"min_quantity": 1, "compare_at": None, "price_list_id": None, **more}
    await carts.execute(shop, statement, variant=variant, amount=amount, since=since, until=until, **values)


async def aged(shop: Shop, days: int) -> None:
    """What is now has been so for so many days."""
    await carts.execute(shop, "UPDATE price SET valid_from = now() - :days * CAST('1 day' AS interval)", days=days)


async def test_no_way_of_writing_forgets_what_a_price_was(shop: Shop) -> None:
    await given.regions(shop)
    (variant,) = (await given.product(shop, prices={"EUR": 1000})).keys
    await aged(shop, 9)
    await given.prices(shop, PriceDraft(variant, "EUR", 1000))  # as it was: nothing ends
    assert await shop.read.records(text(PAST)) == []
    await given.prices(shop, PriceDraft(variant, "EUR", 900))
    await aged(shop, 4)
    await carts.execute(shop, "UPDATE price SET amount = 800")
    await aged(shop, 2)
    await given.prices(shop, PriceDraft(variant, "EUR", None))
    assert [tuple(row) for row in await shop.read.records(text(PAST))] == [(1000, 9, 0), (900, 4, 0), (800, 2, 0)]
    await given.prices(shop, PriceDraft(variant, "EUR", 700))
    overlapping = "SELECT count(*) FROM price AS p JOIN price_history AS h ON h.valid @> p.valid_from"
    assert await shop.read.value(text(overlapping)) == 0
    await carts.execute(shop, "DELETE FROM variant_stock_item")
    await carts.execute(shop, "DELETE FROM variant")
    assert await shop.read.records(text(PAST)) == []


async def test_the_lowest_price_of_the_month_before_the_present_reduction_is_shown(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    (variant,) = (await given.product(shop, prices={"EUR": 1000})).keys
    await aged(shop, 20)
    await was(shop, variant, 950, 34, 20)
    await was(shop, variant, 500, 90, 45)
    await was(shop, variant, 10, 90, 0, min_quantity=5)
    assert await prior(api) is None  # it is not reduced
    sale = await price_list(shop, "sale", PriceDraft(variant, "EUR", 800), starts_at=NOW - 5 * DAY)
    await price_list(shop, "sale", PriceDraft(variant, "EUR", 1), groups=[await group(shop, "Trade")])
    assert await prior(api) == {"amount": "9.50", "currency": "EUR"}  # the sale was not there before it was made
    await carts.execute(shop, "UPDATE price_list SET valid_from = now() - CAST('9 days' AS interval)")
    await carts.execute(shop, "UPDATE price SET valid_from = now() - CAST('9 days' AS interval) WHERE amount = 800")
    assert await prior(api) == {"amount": "9.50", "currency": "EUR"}
    await given.prices(shop, PriceDraft(variant, "EUR", 700, price_list_id=sale))  # lower still, without a pause
    assert await prior(api) == {"amount": "9.50", "currency": "EUR"}
    await carts.execute(shop, "UPDATE price_list SET status = 'draft' WHERE id = :id", id=sale)
    assert await prior(api) is None
    await carts.execute(shop, "UPDATE price_list SET status = 'active' WHERE id = :id", id=sale)
    assert await prior(api) == {"amount": "7.00", "currency": "EUR"}  # of the sale that was interrupted


async def test_a_price_that_stands_beside_a_higher_one_is_a_reduction_too(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    (variant,) = (await given.product(shop, prices={"EUR": 900})).keys
    await given.prices(shop, PriceDraft(variant, "EUR", 800, 1000))
    await was(shop, variant, 1000, 8, 2)
    since = "UPDATE price_history SET valid = tstzrange(now() - CAST('2 days' AS interval), upper(valid))"
    await carts.execute(shop, since + " WHERE amount = 900")
    assert await prior(api) == {"amount": "9.00", "currency": "EUR"}
    await carts.execute(shop, "DELETE FROM price_history")
    assert await prior(api) is None


@st.composite
def histories(draw: st.DrawFn) -> list[Spell]:
    """Up to three lists and base, each with rows that follow one another."""
    spells: list[Spell] = []
    for list_id, kind in ((None, None), (uuid4(), PriceListKind.SALE), (uuid4(), PriceListKind.OVERRIDE)):
        for own in (False, True):
            days = sorted(draw(st.sets(st.integers(0, 80), max_size=4)), reverse=True)
            for i, day in enumerate(days):
                end = draw(
                    st.sampled_from([None, *days[i + 1 : i + 2]]) if i + 1 == len(days) else st.just(days[i + 1])
                )
                until = None if end is None else NOW - end * DAY
                compared = draw(st.sampled_from([None, None, 7]))
                amount = draw(st.integers(1, 9))
                spells.append(Spell(amount, compared, own, NOW - day * DAY, until, list_id, kind, 1))
    return spells


def by_the_day(spells: list[Spell]) -> int | None:
    """The same read day by day: each spell begins and ends at the same time of a day."""

    def on(day: int) -> tuple[int, bool] | None:
        at = NOW - day * DAY
        there = [s for s in spells if s.start <= at and (s.end is None or at < s.end)]
        of = {kind: [s for s in there if s.kind == kind] for kind in (None, *PriceListKind)}
        rows = {kind: next((s for s in found if s.own), found[0] if found else None) for kind, found in of.items()}
        regular = rows[PriceListKind.OVERRIDE] or rows[None]
        if regular is None:
            return None
        sale = rows[PriceListKind.SALE]
        lowered = sale is not None and sale.amount < regular.amount
        amount = sale.amount if sale and lowered else regular.amount
        return amount, lowered or (regular.compare_at or 0) > regular.amount

    began = 0
    while (shown := on(began)) is not None and shown[1]:
        began += 1
    if began == 0:
        return None
    before = [shown[0] for day in range(began, began + 30) if (shown := on(day)) is not None]
    return min(before, default=None)


@settings(max_examples=300)
@given_any(histories())
def test_the_lowest_price_before_is_what_reading_day_by_day_gives(spells: list[Spell]) -> None:
    assert prior_lowest(spells, NOW + timedelta(hours=1)) == by_the_day(spells)


def test_thirty_days_before_the_reduction_count_and_not_a_moment_more() -> None:
    began, moment = NOW - DAY, timedelta(seconds=1)
    sale = Spell(9, None, False, began, None, uuid4(), PriceListKind.SALE, 1)
    for ended, lowest in ((began - 30 * DAY, 50), (began - 30 * DAY + moment, 20)):
        before = Spell(20, None, False, began - 60 * DAY, ended)
        after = Spell(50, None, False, ended)
        assert prior_lowest([before, after, sale], NOW) == lowest
