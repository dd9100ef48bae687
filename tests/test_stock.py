"""Stock: what lies on the shelves is promised once, by whatever way it is asked for, and never twice."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID, uuid4

import pytest
from asyncpg import CheckViolationError
from hypothesis import given as given_examples
from hypothesis import strategies as st
from sqlalchemy import text

from domain.allocation import Demand, InsufficientStock, Level, Need, plan
from domain.processes.complete_cart import complete_cart
from domain.processes.shop import Shop
from domain.processes.sweep_payments import sweep
from domain.refusal import refusals_of
from tests import given
from tests.api import Api
from tests.completion import NO_ANSWER, Bank, command, complete, lines_of, paid_by, refusal, short
from tests.given import BRIEF, Sold, counted
from tests.invariants import levels, violations


async def made_of(shop: Shop, sold: Sold, *parts: tuple[Sold, int]) -> None:
    """Makes a variant a bundle of others' stock items: it has none of its own any more."""
    async with shop.tx() as tx:
        await tx.run(text("DELETE FROM variant_stock_item WHERE variant_id = :v").bindparams(v=sold.keys[0]))
        for part, quantity in parts:
            recipe = text(
                """
                INSERT INTO variant_stock_item (variant_id, stock_item_id, quantity)
                SELECT CAST(:bundle AS uuid), stock_item_id, :quantity FROM variant_stock_item WHERE variant_id = :part
                """
            )
            await tx.run(recipe.bindparams(bundle=sold.keys[0], part=part.keys[0], quantity=quantity))


async def uncounted(shop: Shop, handle: str) -> Sold:
    """A product whose stock counts, but that nobody has counted yet."""
    sold = await given.product(shop, handle, stock=None)
    await shop.database.pool.execute("UPDATE variant SET manage_stock = true WHERE id = $1", sold.keys[0])
    return sold


async def buy(api: Api, sold: Sold, quantity: int, key: str = "key-1") -> dict[str, Any]:
    return await complete(api, await given.cart(api, {"variantId": sold.variant, "quantity": quantity}), key)


async def test_two_lines_of_one_variant_with_other_briefs_share_its_stock(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    banner = await given.product(shop, "banner", stock=5, brief_schema=BRIEF)
    line = {"variantId": banner.variant, "quantity": 3}
    prints = [{**line, "brief": {"print_text": wanted}} for wanted in ("Hello", "World")]
    cart = await given.cart(api, *prints)
    lines = await lines_of(api, cart)
    assert refusal(await complete(api, cart)) == short(2, banner.variant, lines[1])
    assert await levels(shop.read) == [("BANNER-1", "main", 5, 0, 0)]
    fewer = {"lineId": lines[1], "quantity": 2}
    await api.done("cartUpdateLines", {**cart.key, "lines": [fewer]}, "cart { id }")
    payload = await complete(api, cart, expectedTotal={"amount": "50.00", "currency": "EUR"})
    assert payload["order"]["status"] == "PLACED"
    assert await levels(shop.read) == [("BANNER-1", "main", 5, 0, 5)]
    assert await violations(shop.read) == []


async def test_a_pack_takes_as_many_of_its_item_as_it_holds(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=5)
    pack = await uncounted(shop, "pack")
    await made_of(shop, pack, (cup, 2))
    cart = await given.cart(api, {"variantId": pack.variant, "quantity": 3})
    assert refusal(await complete(api, cart)) == short(2, pack.variant, (await lines_of(api, cart))[0])
    assert (await buy(api, pack, 2))["userErrors"] == []
    assert await levels(shop.read) == [("CUP-1", "main", 5, 0, 4)]
    assert refusal(await complete(api, cart))["availableQuantity"] == 0
    assert (await buy(api, cup, 1))["userErrors"] == []
    assert await levels(shop.read) == [("CUP-1", "main", 5, 0, 5)]
    assert await violations(shop.read) == []


async def test_a_pack_and_single_units_in_one_cart_share_the_item(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=5)
    pack = await given.product(shop, "pack", stock=0)
    await made_of(shop, pack, (cup, 2))
    wanted = [{"variantId": cup.variant, "quantity": 2}, {"variantId": pack.variant, "quantity": 2}]
    cart = await given.cart(api, *wanted)
    assert refusal(await complete(api, cart)) == short(1, pack.variant, (await lines_of(api, cart))[1])
    assert await levels(shop.read) == [("CUP-1", "main", 5, 0, 0), ("PACK-1", "main", 0, 0, 0)]


async def test_a_set_can_be_had_as_often_as_its_scarcest_item_allows(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, lid = await given.product(shop, "cup", stock=8), await given.product(shop, "lid", stock=3)
    box = await given.product(shop, "box", stock=0)
    await made_of(shop, box, (cup, 2), (lid, 1))
    for wanted in (4, 5):  # 5 lack cups as well as lids
        cart = await given.cart(api, {"variantId": box.variant, "quantity": wanted})
        assert refusal(await complete(api, cart)) == short(3, box.variant, (await lines_of(api, cart))[0])
    assert (await buy(api, box, 3))["userErrors"] == []
    assert await levels(shop.read) == [
        ("BOX-1", "main", 0, 0, 0),
        ("CUP-1", "main", 8, 0, 6),
        ("LID-1", "main", 3, 0, 3),
    ]
    assert await violations(shop.read) == []


async def test_the_location_of_the_first_priority_is_emptied_before_the_next(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await uncounted(shop, "cup")
    await counted(shop, cup.keys[0], "far", 10, priority=2)  # the older row, which sorts first by id
    await counted(shop, cup.keys[0], "near", 5, priority=1)
    assert (await buy(api, cup, 3))["userErrors"] == []
    assert await levels(shop.read) == [("CUP-1", "near", 5, 0, 3), ("CUP-1", "far", 10, 0, 0)]
    assert (await buy(api, cup, 4))["userErrors"] == []
    assert await levels(shop.read) == [("CUP-1", "near", 5, 0, 5), ("CUP-1", "far", 10, 0, 2)]
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 9})
    assert refusal(await complete(api, cart)) == short(8, cup.variant, (await lines_of(api, cart))[0])
    assert (await buy(api, cup, 8))["userErrors"] == []
    assert await levels(shop.read) == [("CUP-1", "near", 5, 0, 5), ("CUP-1", "far", 10, 0, 10)]
    assert await violations(shop.read) == []


async def test_backorders_are_promised_up_to_their_limit(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=1)
    await counted(shop, cup.keys[0], "main", 1, backorder=2)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 4})
    assert refusal(await complete(api, cart)) == short(3, cup.variant, (await lines_of(api, cart))[0])
    assert (await buy(api, cup, 3))["userErrors"] == []
    assert await levels(shop.read) == [("CUP-1", "main", 1, 0, 3)]
    assert refusal(await buy(api, cup, 1))["availableQuantity"] == 0
    assert await violations(shop.read) == []


async def test_a_variant_that_is_not_counted_sells_without_limit(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    course = await given.product(shop, "course", stock=None)
    assert (await buy(api, course, 1_000_000))["order"]["status"] == "PLACED"
    assert await shop.read.value(text("SELECT count(*) FROM stock_reservation")) == 0
    assert await violations(shop.read) == []


async def test_a_counted_variant_that_nobody_has_counted_yet_is_out_of_stock(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await uncounted(shop, "cup")
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 1})
    assert refusal(await complete(api, cart)) == short(0, cup.variant, (await lines_of(api, cart))[0])
    assert await violations(shop.read) == []


async def test_what_is_owed_too_much_is_never_sold(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=5)
    assert (await buy(api, cup, 4))["userErrors"] == []
    await counted(shop, cup.keys[0], "main", 2)
    assert await shop.read.value(text("SELECT shortage FROM stock_level")) == 2
    assert refusal(await buy(api, cup, 1))["availableQuantity"] == 0
    await counted(shop, cup.keys[0], "other", 3, priority=2)  # what lies elsewhere makes nothing up to it
    assert refusal(await buy(api, cup, 4))["availableQuantity"] == 3
    await counted(shop, cup.keys[0], "main", 6)
    assert (await buy(api, cup, 5))["userErrors"] == []
    assert await levels(shop.read) == [("CUP-1", "main", 6, 0, 6), ("CUP-1", "other", 3, 0, 3)]
    assert await violations(shop.read) == []


async def test_when_one_line_is_short_none_is_held(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, lid = await given.product(shop, "cup", stock=5), await given.product(shop, "lid", stock=1)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 5}, {"variantId": lid.variant, "quantity": 2})
    assert refusal(await complete(api, cart)) == short(1, lid.variant, (await lines_of(api, cart))[1])
    assert await levels(shop.read) == [("CUP-1", "main", 5, 0, 0), ("LID-1", "main", 1, 0, 0)]
    rows = 'SELECT (SELECT count(*) FROM "order") + (SELECT count(*) FROM stock_reservation) + '
    assert await shop.read.value(text(rows + "(SELECT count(*) FROM idempotency_key)")) == 0
    assert (await buy(api, cup, 5))["userErrors"] == []


async def test_every_line_that_is_short_is_told_at_once(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sold = {name: await given.product(shop, name, stock=stock) for name, stock in (("cup", 5), ("lid", 1), ("box", 0))}
    wanted = [{"variantId": one.variant, "quantity": 2} for one in sold.values()]
    cart = await given.cart(api, *wanted)
    lines = await lines_of(api, cart)
    payload = await complete(api, cart)
    assert payload["order"] is None
    told = [{name: value for name, value in error.items() if name != "message"} for error in payload["userErrors"]]
    assert told == [short(1, sold["lid"].variant, lines[1]), short(0, sold["box"].variant, lines[2])]
    assert [row[3:] for row in await levels(shop.read)] == [(0, 0)] * 3
    assert await violations(shop.read) == []


async def test_what_was_held_is_given_back_whatever_the_recipe_says_by_then(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, lid = await given.product(shop, "cup", stock=8), await given.product(shop, "lid", stock=3)
    pack = await given.product(shop, "pack", stock=0)
    await made_of(shop, pack, (cup, 2))
    cart = await given.cart(api, {"variantId": pack.variant, "quantity": 3})
    paying = paid_by(shop, Bank([NO_ANSWER]))
    with pytest.raises(Exception, match="not answered"):
        await complete_cart(paying, command(cart))
    await made_of(shop, pack, (lid, 1))
    assert (await levels(shop.read))[0] == ("CUP-1", "main", 8, 6, 0)
    assert await sweep(paying) == 1
    assert (await levels(shop.read))[:2] == [("CUP-1", "main", 8, 0, 0), ("LID-1", "main", 3, 0, 0)]


@pytest.mark.parametrize(
    "change",
    ["allocated = on_hand + 1", "reserved = on_hand + 1", "reserved = 3, allocated = 3", "on_hand = 0, allocated = 1"],
)
async def test_the_database_itself_refuses_to_promise_more_than_there_is(shop: Shop, change: str) -> None:
    await given.product(shop, "cup", stock=5)
    with pytest.raises(CheckViolationError, match="ck_stock_level_promised"):
        await shop.database.pool.execute(f"UPDATE stock_level SET {change}")
    with pytest.raises(CheckViolationError):
        await shop.database.pool.execute("UPDATE stock_level SET reserved = -1")
    assert await levels(shop.read) == [("CUP-1", "main", 5, 0, 0)]


ITEMS = [UUID(int=number) for number in range(1, 4)]
RECIPES = st.dictionaries(st.sampled_from(ITEMS), st.integers(1, 4), min_size=1)
LINES = st.lists(st.tuples(st.integers(1, 20), RECIPES), max_size=5)
SHELVES = st.lists(st.tuples(st.sampled_from(ITEMS), st.integers(0, 60)), max_size=8)


@given_examples(LINES, SHELVES)
def test_a_plan_takes_exactly_what_is_needed_or_says_how_many_can_be_had(
    lines: list[tuple[int, dict[UUID, int]]], shelves: list[tuple[UUID, int]]
) -> None:
    needs = [Need(uuid4(), uuid4(), uuid4(), units) for units, _ in lines]
    recipes = [recipe for _, recipe in lines]
    demands = [Demand(n, item, per) for n, r in zip(needs, recipes, strict=True) for item, per in r.items()]
    there, left = {uuid4(): shelf for shelf in shelves}, Counter[UUID]()
    for item, free in shelves:
        left[item] += free
    refused: list[tuple[int, UUID, UUID]] = []
    for need, recipe in zip(needs, recipes, strict=True):
        can_be_had = min(left[item] // per for item, per in recipe.items())
        if can_be_had < need.units:
            refused.append((can_be_had, need.variant_id, need.cart_line_id))
        left.subtract({item: per * min(can_be_had, need.units) for item, per in recipe.items()})
    candidates = [Level(key, item, free) for key, (item, free) in there.items()]
    if refused:
        with pytest.raises((InsufficientStock, ExceptionGroup)) as raised:
            plan(demands, candidates)
        short_ = [one for one in refusals_of(raised.value) if isinstance(one, InsufficientStock)]
        assert [(one.available_quantity, one.variant_id, one.line_id) for one in short_] == refused
        return
    taken, by_line = Counter[UUID](), defaultdict[tuple[UUID, UUID], int](int)
    for taking in plan(demands, candidates):
        assert taking.quantity > 0
        taken[taking.level_id] += taking.quantity
        by_line[taking.order_line_id, there[taking.level_id][0]] += taking.quantity
    assert by_line == {(d.need.order_line_id, d.item_id): d.quantity for d in demands}
    for item in ITEMS:  # each level is emptied before the next one is touched
        used = [(taken[key], free) for key, (of, free) in there.items() if of == item]
        touched = [index for index, (units, _) in enumerate(used) if units]
        assert all(units == free for units, free in used[: max(touched, default=0)])
        assert all(units <= free for units, free in used)
