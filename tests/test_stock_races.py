"""Many at once on the same shelves, each a way in which peers sold what was not there, or waited for ever."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest_asyncio
from sqlalchemy import text

from db.connection import Database, connect
from domain import reservation, shipment, stock_level
from domain.cart_line import AddLine
from domain.processes.shop import Shop
from domain.stock_level import Ledger, Setting, Spot, StockChanged, Transfer
from tests import given
from tests.api import Api, Server
from tests.completion import many_carts
from tests.given import Sold
from tests.invariants import levels, violations
from tests.stocked import KEEPER, Shelf, keeper, pending, shelf, shortages, was_done
from tests.test_checkout_races import all_at_once, is_sound
from tests.test_stock import made_of
from tests.test_stock_shipment import SUMS, placed, template


@pytest_asyncio.fixture
async def shop_api(start_server: Callable[..., Server]) -> AsyncIterator[Api]:
    """Two web processes behind one port, which must not have failed in any way when the test is over."""
    server = start_server("--workers", "2", "--no-worker")
    async with server.api() as api:
        yield api
    assert "ERROR" not in server.log.read_text()


@pytest_asyncio.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """A pool in which forty are served at the same moment."""
    database = await connect(database_url, max_size=40)
    yield database
    await database.close()


def one(sold: Sold, quantity: int = 1) -> AddLine:
    return AddLine(sold.keys[0], quantity)


def two_lines(sold: Sold) -> list[AddLine]:
    return [AddLine(sold.keys[0], 1, {"print_text": said}) for said in ("Hello", "World")]


async def test_the_last_unit_is_sold_once_by_whatever_way_it_is_asked_for(shop: Shop, shop_api: Api, api: Api) -> None:
    """By two carts, by two lines of one cart, through bundles, and while it is counted: against two processes."""
    await given.regions(shop)
    brief = {"type": "object", "properties": {"print_text": {"type": "string"}}}
    staff = shop_api.signed_in((await keeper(shop, api)).headers["authorization"].removeprefix("Bearer "))
    for round_ in range(4):
        last = await given.product(shop, f"last-{round_}", stock=1, brief_schema=brief)
        pair, box = (
            await given.product(shop, f"pair-{round_}", stock=0),
            await given.product(shop, f"box-{round_}", stock=0),
        )
        await made_of(shop, pair, (last, 2))
        await made_of(shop, box, (last, 1))
        shelf_ = await shelf(shop, f"LAST-{round_}-1")
        baskets = [[one(last)], [one(last)], two_lines(last), [one(box)], [one(pair)], [one(last), one(box)]]
        again = {"rows": [{**shelf_.named, "onHand": 1, "changeFrom": 1}], "idempotencyKey": f"{round_}"}
        counting = staff.done("stockSet", again, "stockLevels { onHand }")
        (orders, refusals), _ = await asyncio.gather(all_at_once(shop_api, await many_carts(shop, *baskets)), counting)
        assert len(orders) == 1
        assert {error["__typename"] for error in refusals} == {"InsufficientStock"}
        assert {error["availableQuantity"] for error in refusals} <= {0, 1}
        assert f"LAST-{round_}-1" in {title for title, _, _, _, allocated in await levels(shop.read) if allocated == 1}
    sums = await shop.read.records(text("SELECT sum(allocated) AS sold, max(reserved) AS held FROM stock_level"))
    assert [tuple(row) for row in sums] == [(4, 0)]
    assert [line for line in await violations(shop.read) if "recipe" in line] == []


async def test_a_count_below_what_is_promised_while_buyers_buy_is_a_shortage_and_never_more_sales(
    shop: Shop, shop_api: Api, api: Api
) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=40)
    spot = await shelf(shop, "CUP-1")
    staff = shop_api.signed_in((await keeper(shop, api)).headers["authorization"].removeprefix("Bearer "))

    async def count() -> int:
        """There turn out to be ten only."""
        await asyncio.sleep(0.15)
        rows = [{**spot.named, "onHand": 10, "changeFrom": 40}]
        payload = await staff.done(
            "stockSet", {"rows": rows, "idempotencyKey": "a"}, "stockLevels { allocated reserved shortage }"
        )
        (level,) = payload["stockLevels"]
        assert level["shortage"] == max(0, level["allocated"] + level["reserved"] - 10)
        return level["shortage"]

    carts = await many_carts(shop, *[[one(cup)]] * 60)
    (orders, refusals), shortage = await asyncio.gather(all_at_once(shop_api, carts), count())
    assert len(orders) + len(refusals) == 60
    ((_, _, on_hand, reserved, allocated),) = await levels(shop.read)
    assert (on_hand, reserved, allocated) == (10, 0, len(orders))
    assert len(orders) == max(10, 10 + shortage)
    assert await shortages(shop) == ([(spot.level, shortage)] if shortage else [])
    await is_sound(shop)


ATTEMPT = """
WITH taken AS (
    UPDATE stock_level SET reserved = reserved + 1
    WHERE id = $1 AND on_hand + backorder_limit - reserved - allocated >= 1 RETURNING id
)
INSERT INTO stock_reservation (id, order_id, order_line_id, stock_level_id, quantity, state)
SELECT gen_random_uuid(), $2, $3, id, 1, 'held' FROM taken
"""


async def test_ten_thousand_attempts_at_a_hundred_units_sell_exactly_a_hundred(
    shop: Shop, api: Api, crowd: Database
) -> None:
    """Fault 26, at the level of SQL: as hold does it, and past every function by the CHECK alone."""
    await template(shop, api)
    cup = await given.product(shop, "cup", stock=100)
    async with shop.tx() as tx:
        order_id, needs = await pending(tx, (cup.keys[0], 1))
    level, line = (await shelf(shop, "CUP-1")).level, needs[0].order_line_id

    async def buy(attempts: int) -> int:
        sold = 0
        async with crowd.pool.acquire() as connection:
            for _ in range(attempts):
                sold += (await connection.execute(ATTEMPT, level, order_id, line)) == "INSERT 0 1"
        return sold

    assert sum(await asyncio.gather(*(buy(250) for _ in range(40)))) == 100
    assert await levels(shop.read) == [("CUP-1", "main", 100, 100, 0)]

    async def blindly(sold: Counter[bool]) -> None:
        async with crowd.pool.acquire() as connection:
            for _ in range(10):
                try:
                    await connection.execute("UPDATE stock_level SET allocated = allocated + 1 WHERE id = $1", level)
                    sold[True] += 1
                except asyncpg.CheckViolationError:
                    sold[False] += 1

    await shop.database.pool.execute("UPDATE stock_level SET on_hand = 150 WHERE id = $1", level)
    sold = Counter[bool]()
    await asyncio.gather(*(blindly(sold) for _ in range(40)))
    assert sold == {True: 50, False: 350}


async def test_domain_functions_that_are_called_past_every_lock_sell_no_more_than_there_is(
    shop: Shop, api: Api, crowd: Database
) -> None:
    """Fault 29: no cart, no order is locked; 25 and 25 in two places, alone and in lines of two."""
    await template(shop, api)
    cup, lid = await given.product(shop, "cup", stock=25), await given.product(shop, "lid", stock=30)
    await given.counted(shop, cup.keys[0], "other", 25, priority=2)
    wants = [[(cup.keys[0], 1)]] * 60 + [[(lid.keys[0], 1)]] * 40 + [[(lid.keys[0], 1), (cup.keys[0], 1)]] * 20
    random.Random(4).shuffle(wants)

    async def buy(lines: list[tuple[UUID, int]]) -> bool:
        async with shop.tx() as tx:
            order_id, needs = await pending(tx, *lines)
        held = await was_done(crowd, lambda tx: reservation.hold(tx, order_id, needs))
        return held and await was_done(crowd, lambda tx: reservation.allocate(tx, order_id))

    sold = await asyncio.gather(*(buy(lines) for lines in wants))
    taken = Counter(variant for lines, done in zip(wants, sold, strict=True) if done for variant, _ in lines)
    assert taken == {cup.keys[0]: 50, lid.keys[0]: 30}
    assert await levels(shop.read) == [
        ("CUP-1", "main", 25, 0, 25),
        ("CUP-1", "other", 25, 0, 25),
        ("LID-1", "main", 30, 0, 30),
    ]


async def test_two_hundred_carts_of_several_lines_never_wait_for_each_other_in_a_circle(
    shop: Shop, api: Api, crowd: Database
) -> None:
    """Whether an item lies in one place or in two, held, placed, released, sent and moved about meanwhile."""
    await template(shop, api)
    sold = [await given.product(shop, f"cup-{i}", stock=100) for i in range(6)]
    for two_places in sold[::2]:
        await given.counted(shop, two_places.keys[0], "other", 100, priority=2)
    spots = [
        Spot(each.item, each.place)
        for i in (0, 2, 4)
        for each in [await shelf(shop, f"CUP-{i}-1"), await shelf(shop, f"CUP-{i}-1", "other")]
    ]
    dice = random.Random(7)
    outcomes = Counter[str]()

    async def order(lines: list[tuple[UUID, int]], ending: str) -> None:
        async with shop.tx() as tx:
            order_id, needs = await pending(tx, *lines)
        if not await was_done(crowd, lambda tx: reservation.hold(tx, order_id, needs)):
            outcomes["short"] += 1
            return
        async with crowd.tx() as tx:
            await (reservation.release if ending == "release" else reservation.allocate)(tx, order_id)
        if ending == "ship":
            for need in needs:
                async with crowd.tx() as tx:
                    await shipment.ship(tx, need.order_line_id, need.units, KEEPER)
        outcomes[ending] += 1

    async def move() -> None:
        rows = [
            Transfer(
                a.item_id,
                *((a.location_id, b.location_id) if dice.random() < 0.5 else (b.location_id, a.location_id)),
                1,
            )
            for a, b in zip(spots[::2], spots[1::2], strict=True)
        ]
        dice.shuffle(rows)
        moved = await was_done(crowd, lambda tx: stock_level.transfer(tx, rows, "", KEEPER))
        outcomes["moved" if moved else "nothing to move"] += 1

    async with asyncio.timeout(60):
        await asyncio.gather(
            *(
                order(
                    [(one.keys[0], dice.randint(1, 3)) for one in dice.sample(sold, 4)],
                    dice.choice(["ship", "release"]),
                )
                for _ in range(200)
            ),
            *(move() for _ in range(30)),
        )
    assert sum(outcomes.values()) == 230
    assert outcomes["ship"] > 20
    for row in await shop.read.records(SUMS):
        assert (row.on_hand, row.reserved, row.allocated) == (row.moved, row.held, row.placed)


async def test_of_twenty_who_set_what_they_saw_one_wins(shop: Shop, crowd: Database) -> None:
    await given.product(shop, "cup", stock=10)
    shelf_ = await shelf(shop, "CUP-1")
    spot, told = Spot(shelf_.item, shelf_.place), list[int]()

    async def count(on_hand: int) -> bool:
        try:
            async with crowd.tx() as tx:
                await stock_level.set_on_hand(tx, [Setting(spot, on_hand, 10)], Ledger(), KEEPER)
        except StockChanged as changed:
            told.append(changed.current_on_hand)
            return False
        return True

    won = await asyncio.gather(*(count(on_hand) for on_hand in range(100, 120)))
    assert won.count(True) == 1
    assert await levels(shop.read) == [("CUP-1", "main", 100 + won.index(True), 0, 0)]
    assert told == [100 + won.index(True)] * 19
    assert await shop.read.value(text("SELECT count(*) FROM stock_movement")) == 2


async def test_what_is_moved_both_ways_at_once_stays_as_much(shop: Shop, crowd: Database) -> None:
    cup = await given.product(shop, "cup", stock=30)
    await given.counted(shop, cup.keys[0], "other", 30, priority=2)
    here, there = await shelf(shop, "CUP-1"), await shelf(shop, "CUP-1", "other")

    async def move(from_: Shelf, to: Shelf, quantity: int) -> None:
        rows = [Transfer(from_.item, from_.place, to.place, quantity)]
        await was_done(crowd, lambda tx: stock_level.transfer(tx, rows, "", KEEPER))

    await asyncio.gather(*(move(*pair, n % 7 + 1) for n in range(40) for pair in ((here, there), (there, here))))
    assert sum(row[2] for row in await levels(shop.read)) == 60
    for row in await shop.read.records(SUMS):
        assert row.on_hand == row.moved >= 0


async def test_a_line_is_sent_called_off_and_returned_no_more_often_than_it_was_bought(
    shop: Shop, api: Api, crowd: Database
) -> None:
    await template(shop, api)
    cup = await given.product(shop, "cup", stock=10)
    (line,) = await placed(shop, (cup.keys[0], 6))

    async def do(what: Callable[..., Any], *arguments: Any) -> bool:
        return await was_done(crowd, lambda tx: what(tx, line, 1, *arguments))

    gone = await asyncio.gather(
        *(do(shipment.ship, KEEPER) for _ in range(10)), *(do(shipment.cancel) for _ in range(10))
    )
    assert sum(gone) == 6
    sent = sum(gone[:10])
    back = await asyncio.gather(*(do(shipment.restock, KEEPER) for _ in range(10)))
    assert sum(back) == sent
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 0)]
    for row in await shop.read.records(SUMS):
        assert (row.on_hand, row.reserved, row.allocated) == (row.moved, row.held, row.placed)


async def test_a_location_is_not_given_up_while_something_arrives(shop: Shop, api: Api) -> None:
    """Either it is archived and nothing came, or something came and it stays open; in whatever order they meet."""
    await given.product(shop, "cup", stock=1)
    staff = await keeper(shop, api)
    item = (await shelf(shop, "CUP-1")).named["stockItemId"]
    outcomes = Counter[tuple[bool, bool]]()
    for i in range(12):
        new = {"code": f"van-{i}", "name": "Van", "priority": 9, "idempotencyKey": f"{i}"}
        made = await staff.done("stockLocationCreate", new, "stockLocation { id }")
        place = {"stockLocationId": made["stockLocation"]["id"]}
        row = {**place, "stockItemId": item, "delta": 1}
        arrives = {"rows": [row], "reason": "RECEIPT", "idempotencyKey": f"{i}"}
        both = [
            staff.do("stockLocationArchive", {**place, "idempotencyKey": f"{i}"}, "__typename"),
            staff.do("stockAdjust", arrives, "__typename"),
        ]
        archived, arrived = await asyncio.gather(*(both if i % 2 else both[::-1]))
        outcomes[archived["userErrors"] == [], arrived["userErrors"] == []] += 1
    assert sum(outcomes.values()) == 12
    assert outcomes[True, True] == outcomes[False, False] == 0
    lost = """SELECT count(*) FROM stock_level AS level JOIN stock_location AS place ON place.id = location_id
        WHERE archived_at IS NOT NULL AND on_hand > 0"""
    assert await shop.read.value(text(lost)) == 0
