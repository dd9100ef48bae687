"""Stock that leaves and comes back: sent, called off and returned as it was reserved, whatever happens in between."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as given_examples
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from db import StockLocation
from db.connection import Tx
from db.stock import StockMovementReason
from domain import reservation, shipment, stock_level
from domain.allocation import InsufficientStock, Need
from domain.processes.shop import Shop
from domain.refusal import Refusal, ValidationFailed
from domain.stock_level import Adjustment, Ledger, Limit, Setting, Spot, Transfer
from tests import given
from tests.api import Api
from tests.invariants import levels
from tests.stocked import KEEPER, movements, pending, shelf, unseen
from tests.test_stock import made_of

SUMS = text(
    """
    SELECT level.id, level.on_hand, level.reserved, level.allocated, level.backorder_limit, level.shortage,
        (SELECT coalesce(sum(delta), 0) FROM stock_movement WHERE stock_level_id = level.id) AS moved,
        (SELECT coalesce(sum(quantity), 0) FROM stock_reservation
            WHERE stock_level_id = level.id AND state = 'held') AS held,
        (SELECT coalesce(sum(quantity), 0) FROM stock_reservation
            WHERE stock_level_id = level.id AND state = 'allocated') AS placed
    FROM stock_level AS level ORDER BY level.id
    """
)
RESERVED = text("SELECT state, quantity, restocked FROM stock_reservation ORDER BY state, quantity")


async def template(shop: Shop, api: Api) -> None:
    """A placed order, of which others are copies."""
    await given.regions(shop)
    free = await given.product(shop, "free", stock=None)
    await given.order(api, {"variantId": free.variant, "quantity": 1})


async def placed(shop: Shop, *lines: tuple[UUID, int]) -> list[UUID]:
    """The lines of a new order, with all that they need allocated."""
    async with shop.tx() as tx:
        order_id, needs = await pending(tx, *lines)
        await reservation.hold(tx, order_id, needs)
        await reservation.allocate(tx, order_id)
    return [need.order_line_id for need in needs]


async def reserved(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await shop.read.records(RESERVED)]


async def test_a_line_is_sent_in_parts_from_where_it_is_promised(shop: Shop, api: Api) -> None:
    await template(shop, api)
    cup = await given.product(shop, "cup", stock=4)
    await given.counted(shop, cup.keys[0], "other", 10, priority=2)
    (line,) = await placed(shop, (cup.keys[0], 7))
    assert await levels(shop.read) == [("CUP-1", "main", 4, 0, 4), ("CUP-1", "other", 10, 0, 3)]
    async with shop.tx() as tx:
        await shipment.ship(tx, line, 3, KEEPER)
    assert await levels(shop.read) == [("CUP-1", "main", 1, 0, 1), ("CUP-1", "other", 10, 0, 3)]
    other = await shop.read.one_scalar(select(StockLocation.id).where(StockLocation.code == "other"))
    async with shop.tx() as tx:
        await shipment.ship(tx, line, 2, KEEPER, other)
    assert await levels(shop.read) == [("CUP-1", "main", 1, 0, 1), ("CUP-1", "other", 8, 0, 1)]
    assert await reserved(shop) == [("allocated", 1, 0), ("allocated", 1, 0), ("shipped", 2, 0), ("shipped", 3, 0)]
    with pytest.raises(ValidationFailed, match="1 to 1 units can be shipped"):
        async with shop.tx() as tx:
            await shipment.ship(tx, line, 2, KEEPER, other)
    async with shop.tx() as tx:
        await shipment.ship(tx, line, 2, KEEPER)
    for units in (1, 0, -1):
        with pytest.raises(ValidationFailed, match="can be shipped"):
            async with shop.tx() as tx:
                await shipment.ship(tx, line, units, KEEPER)
    assert await levels(shop.read) == [("CUP-1", "main", 0, 0, 0), ("CUP-1", "other", 7, 0, 0)]
    assert [move for move in await movements(shop) if move[3] == "shipment"] == [
        ("CUP-1", "main", -3, "shipment"),
        ("CUP-1", "other", -2, "shipment"),
        *sorted([("CUP-1", "main", -1, "shipment"), ("CUP-1", "other", -1, "shipment")]),
    ]
    of_orders = "SELECT count(DISTINCT order_id) FROM stock_movement WHERE reason = 'shipment' AND actor_kind = 'staff'"
    assert await shop.read.value(text(of_orders)) == 1


async def test_what_has_yet_to_come_cannot_be_sent(shop: Shop, api: Api) -> None:
    await template(shop, api)
    cup = await given.product(shop, "cup", stock=2)
    await given.counted(shop, cup.keys[0], "main", 2, backorder=5)
    (line,) = await placed(shop, (cup.keys[0], 5))
    with pytest.raises(InsufficientStock) as raised:
        async with shop.tx() as tx:
            await shipment.ship(tx, line, 3, KEEPER)
    assert raised.value.available_quantity == 2
    assert await levels(shop.read) == [("CUP-1", "main", 2, 0, 5)]
    async with shop.tx() as tx:
        await shipment.ship(tx, line, 2, KEEPER)
    assert await levels(shop.read) == [("CUP-1", "main", 0, 0, 3)]


async def test_a_bundle_is_sent_by_the_recipe_of_when_it_was_bought(shop: Shop, api: Api) -> None:
    await template(shop, api)
    cup, lid = await given.product(shop, "cup", stock=20), await given.product(shop, "lid", stock=20)
    box = await given.product(shop, "box", stock=0)
    await made_of(shop, box, (cup, 2), (lid, 1))
    (line,) = await placed(shop, (box.keys[0], 4))
    await made_of(shop, box, (lid, 5))
    async with shop.tx() as tx:
        await shipment.ship(tx, line, 3, KEEPER)
        await shipment.cancel(tx, line, 1)
    expected = [("BOX-1", 0, 0, 0), ("CUP-1", 14, 0, 0), ("LID-1", 17, 0, 0)]
    assert [(row[0], *row[2:]) for row in await levels(shop.read)] == expected
    async with shop.tx() as tx:
        await shipment.restock(tx, line, 2, KEEPER)
    expected = [("BOX-1", 0, 0, 0), ("CUP-1", 18, 0, 0), ("LID-1", 19, 0, 0)]
    assert [(row[0], *row[2:]) for row in await levels(shop.read)] == expected
    assert [move[2:] for move in (await movements(shop))[-2:]] in (
        [(4, "return"), (2, "return")],
        [(2, "return"), (4, "return")],
    )
    with pytest.raises(ValidationFailed, match="1 to 1 units can be returned"):
        async with shop.tx() as tx:
            await shipment.restock(tx, line, 2, KEEPER)


async def test_what_comes_back_lies_where_it_is_put(shop: Shop, api: Api) -> None:
    await template(shop, api)
    cup = await given.product(shop, "cup", stock=5)
    lid = await given.product(shop, "lid", stock=5)
    await given.counted(shop, lid.keys[0], "other", 0, priority=2)
    other = (await shelf(shop, "LID-1", "other")).place
    (line,) = await placed(shop, (cup.keys[0], 3))
    async with shop.tx() as tx:
        await shipment.ship(tx, line, 3, KEEPER)
        await shipment.restock(tx, line, 2, KEEPER, other)
        await shipment.restock(tx, line, 1, KEEPER)
    assert (await levels(shop.read))[:2] == [("CUP-1", "main", 3, 0, 0), ("CUP-1", "other", 2, 0, 0)]
    await shop.database.pool.execute("UPDATE stock_location SET archived_at = now() WHERE id = $1", other)
    (line,) = await placed(shop, (cup.keys[0], 1))
    async with shop.tx() as tx:
        await shipment.ship(tx, line, 1, KEEPER)
    with pytest.raises(ValidationFailed, match="name another location"):
        async with shop.tx() as tx:
            await shipment.restock(tx, line, 1, KEEPER, other)
    assert (await levels(shop.read))[0] == ("CUP-1", "main", 2, 0, 0)


async def test_what_is_called_off_first_is_what_is_owed_too_much(shop: Shop, api: Api) -> None:
    await template(shop, api)
    cup = await given.product(shop, "cup", stock=3)
    await given.counted(shop, cup.keys[0], "other", 3, priority=2)
    (line,) = await placed(shop, (cup.keys[0], 6))
    await given.counted(shop, cup.keys[0], "main", 1)
    short = "SELECT shortage FROM stock_level ORDER BY id"
    assert await shop.read.scalars(text(short)) == [2, 0]  # pyright: ignore[reportArgumentType]
    async with shop.tx() as tx:
        await shipment.cancel(tx, line, 2)
    assert await levels(shop.read) == [("CUP-1", "main", 1, 0, 1), ("CUP-1", "other", 3, 0, 3)]
    assert await shop.read.scalars(text(short)) == [0, 0]  # pyright: ignore[reportArgumentType]
    async with shop.tx() as tx:
        await shipment.cancel(tx, line, 2)
    assert await levels(shop.read) == [("CUP-1", "main", 1, 0, 1), ("CUP-1", "other", 3, 0, 1)]
    with pytest.raises(ValidationFailed, match="1 to 2 units can be cancelled"):
        async with shop.tx() as tx:
            await shipment.cancel(tx, line, 3)


async def test_a_line_of_what_is_not_counted_needs_nothing(shop: Shop, api: Api) -> None:
    await template(shop, api)
    line = await shop.read.value(text("SELECT id FROM order_line"))
    async with shop.tx() as tx:
        await shipment.ship(tx, line, 1, KEEPER)
        await shipment.cancel(tx, line, 1)
        await shipment.restock(tx, line, 1, KEEPER)
    assert await reserved(shop) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["hold", "allocate", "release", "ship", "ship", "cancel", "restock", "count", "adjust", "limit", "transfer"]
        ),
        st.integers(0, 7),
        st.integers(1, 9),
    ),
    min_size=3,
    max_size=25,
)


class Story:
    """Whatever may happen to two items in two places, one thing after another."""

    def __init__(self, tx: Tx, variants: list[UUID], spots: list[Spot]) -> None:
        self.tx, self.variants, self.spots = tx, variants, spots
        self.orders: list[tuple[UUID, list[Need]]] = []

    async def step(self, what: str, which: int, units: int) -> None:
        spot = self.spots[which % len(self.spots)]
        if what == "hold":
            lines = [(v, units) for i, v in enumerate(self.variants) if (which % 7 + 1) >> i & 1]
            order = await pending(self.tx, *lines)
            await reservation.hold(self.tx, *order)
            self.orders.append(order)
        elif what in {"count", "adjust", "limit", "transfer"}:
            await self.staff(what, spot, units if which % 2 else -units)
        elif self.orders:
            order_id, needs = self.orders[which % len(self.orders)]
            line = needs[units % len(needs)].order_line_id
            steps: dict[str, Callable[[], Any]] = {
                "allocate": lambda: reservation.allocate(self.tx, order_id),
                "release": lambda: reservation.release(self.tx, order_id),
                "ship": lambda: shipment.ship(self.tx, line, units, KEEPER),
                "cancel": lambda: shipment.cancel(self.tx, line, units),
                "restock": lambda: shipment.restock(self.tx, line, units, KEEPER),
            }
            await steps[what]()

    async def staff(self, what: str, spot: Spot, units: int) -> None:
        (level,) = await self.tx.records(
            text("SELECT * FROM stock_level WHERE stock_item_id = :item AND location_id = :place"),
            item=spot.item_id,
            place=spot.location_id,
        )
        if what == "count":
            rows = [Setting(spot, max(0, level.on_hand + units), level.on_hand)]
            await stock_level.set_on_hand(self.tx, rows, Ledger(), KEEPER)
        elif what == "adjust":
            reason = StockMovementReason.ADJUSTMENT if abs(units) % 2 else StockMovementReason.COUNT
            await stock_level.adjust(self.tx, [Adjustment(spot, units)], Ledger(reason), KEEPER)
        elif what == "limit":
            await stock_level.set_limits(self.tx, [Limit(spot, max(0, units))], KEEPER)
        else:
            (other,) = (s.location_id for s in self.spots if s.item_id == spot.item_id and s != spot)
            await stock_level.transfer(
                self.tx, [Transfer(spot.item_id, spot.location_id, other, abs(units))], "", KEEPER
            )

    async def check(self) -> None:
        for row in await self.tx.records(SUMS):
            assert (row.on_hand, row.reserved, row.allocated) == (row.moved, row.held, row.placed)
            assert row.shortage == max(0, row.reserved + row.allocated - row.on_hand - row.backorder_limit)
        for _, needs in self.orders:
            for need in needs:
                rows = await self.tx.records(
                    text("SELECT sum(quantity) AS sum FROM stock_reservation WHERE order_line_id = :l"),
                    l=need.order_line_id,
                )
                assert rows[0].sum is None or rows[0].sum % need.units == 0


async def test_the_sums_hold_whatever_happens_in_whatever_order(shop: Shop, api: Api) -> None:
    await template(shop, api)
    cup, lid = await given.product(shop, "cup", stock=12), await given.product(shop, "lid", stock=12)
    for one in (cup, lid):
        await given.counted(shop, one.keys[0], "other", 6, priority=2)
    box = await given.product(shop, "box", stock=0)
    await made_of(shop, box, (cup, 2), (lid, 1))
    shelves = [await shelf(shop, name, place) for name in ("CUP-1", "LID-1") for place in ("main", "other")]
    spots = [Spot(each.item, each.place) for each in shelves]
    variants = [cup.keys[0], lid.keys[0], box.keys[0]]
    stories: list[list[tuple[str, int, int]]] = []

    @settings(max_examples=60, derandomize=True, deadline=None, database=None)
    @given_examples(STEPS)
    def collect(steps: list[tuple[str, int, int]]) -> None:
        stories.append(steps)

    collect()
    done: set[str] = set()
    for steps in stories:
        async with unseen(shop) as (tx, connection):
            story = Story(tx, variants, spots)
            for what, which, units in steps:
                try:
                    async with connection.transaction():
                        await story.step(what, which, units)
                    done.add(what)
                except* Refusal:
                    pass
                await story.check()
    assert done == {"hold", "allocate", "release", "ship", "cancel", "restock", "count", "adjust", "limit", "transfer"}


async def test_a_hold_that_is_given_back_makes_a_shortage_smaller(shop: Shop, api: Api) -> None:
    await template(shop, api)
    cup = await given.product(shop, "cup", stock=5)
    held: list[UUID] = []
    for units in (3, 2):
        async with shop.tx() as tx:
            order_id, needs = await pending(tx, (cup.keys[0], units))
            await reservation.hold(tx, order_id, needs)
        held.append(order_id)
    await given.counted(shop, cup.keys[0], "main", 1)
    for order_id, reserved_, shortage in ((held[0], 2, 1), (held[0], 2, 1), (held[1], 0, 0)):
        async with shop.tx() as tx:
            await reservation.release(tx, order_id)
        assert await levels(shop.read) == [("CUP-1", "main", 1, reserved_, 0)]
        assert await shop.read.value(text("SELECT shortage FROM stock_level")) == shortage
