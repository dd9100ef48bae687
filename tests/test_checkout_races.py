"""Many buyers at once, against real server processes: what there is, is sold; nobody waits in vain."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest_asyncio
from sqlalchemy import text

from domain.cart_line import AddLine
from domain.processes.shop import Shop
from tests import given
from tests.api import Api, Server
from tests.completion import FACTS, many_carts
from tests.given import ORDER, Cart, Sold, counted
from tests.invariants import levels, undecided, violations

DOCUMENT = f"""mutation Complete($input: CartCompleteInput!) {{
    cartComplete(input: $input) {{ {ORDER} {FACTS} }} }}"""
Answers = list[dict[str, Any]]


@pytest_asyncio.fixture
async def shop_api(start_server: Callable[..., Server]) -> AsyncIterator[Api]:
    """Two web processes behind one port, which must not have failed in any way when the test is over."""
    server = start_server("--workers", "2", "--no-worker")
    async with server.api() as api:
        yield api
    assert "ERROR" not in server.log.read_text()


async def payload(api: Api, cart: Cart, key: str = "key-1") -> dict[str, Any]:
    answer = await api.raw(DOCUMENT, {"input": cart.completion(key)})
    assert answer.status_code == 200, answer.text
    assert "errors" not in answer.json(), answer.text
    return answer.json()["data"]["cartComplete"]


async def all_at_once(api: Api, carts: Sequence[Cart]) -> tuple[Answers, Answers]:
    """Completes all carts at the same moment: the orders, and the refusals."""
    payloads = await asyncio.gather(*(payload(api, cart) for cart in carts))
    orders = [p["order"] for p in payloads if not p["userErrors"]]
    return orders, [error for p in payloads for error in p["userErrors"]]


def one(sold: Sold, quantity: int = 1) -> AddLine:
    return AddLine(sold.keys[0], quantity)


async def is_sound(shop: Shop) -> None:
    assert await violations(shop.read) == []
    assert await undecided(shop.read) == 0


async def test_two_hundred_buyers_of_fifty_units_get_fifty_orders(shop: Shop, shop_api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=50)
    carts = await many_carts(shop, *[[one(cup)]] * 200)
    orders, refusals = await all_at_once(shop_api, carts)
    assert Counter(order["status"] for order in orders) == {"PLACED": 50}
    assert len({order["number"] for order in orders}) == 50
    told = Counter((e["__typename"], e["availableQuantity"], e["variantId"]) for e in refusals)
    assert told == {("InsufficientStock", 0, cup.variant): 150}
    assert await levels(shop.read) == [("CUP-1", "main", 50, 0, 50)]
    held = "SELECT state, count(*), sum(quantity) FROM stock_reservation GROUP BY 1"
    assert [tuple(row) for row in await shop.read.records(text(held))] == [("allocated", 50, 50)]
    statuses = "SELECT status, count(*) FROM cart GROUP BY 1 ORDER BY 1"
    assert [tuple(row) for row in await shop.read.records(text(statuses))] == [("completed", 50), ("open", 150)]
    await is_sound(shop)


async def test_fifty_buyers_get_the_units_of_both_locations(shop: Shop, shop_api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=25)
    await counted(shop, cup.keys[0], "other", 25, priority=2)
    carts = await many_carts(shop, *[[one(cup)]] * 55)
    orders, refusals = await all_at_once(shop_api, carts)
    assert (len(orders), len(refusals)) == (50, 5)
    assert {error["__typename"] for error in refusals} == {"InsufficientStock"}
    assert await levels(shop.read) == [("CUP-1", "main", 25, 0, 25), ("CUP-1", "other", 25, 0, 25)]
    await is_sound(shop)


async def test_carts_with_the_same_lines_in_another_order_do_not_wait_for_each_other(shop: Shop, shop_api: Api) -> None:
    await given.regions(shop)
    sold = [await given.product(shop, name, stock=40) for name in ("box", "cup", "lid")]
    await counted(shop, sold[1].keys[0], "other", 40, priority=2)
    forwards = [one(each, 2) for each in sold]
    carts = await many_carts(shop, *[forwards, forwards[::-1]] * 30)
    orders, refusals = await all_at_once(shop_api, carts)
    assert (len(orders), len(refusals)) == (20, 40 * 2)
    assert {error["availableQuantity"] for error in refusals} == {0}
    assert Counter(error["variantId"] for error in refusals) == {sold[0].variant: 40, sold[2].variant: 40}
    assert [(row[0], row[1], row[4]) for row in await levels(shop.read)] == [
        ("BOX-1", "main", 40),
        ("CUP-1", "main", 40),
        ("CUP-1", "other", 0),
        ("LID-1", "main", 40),
    ]
    await is_sound(shop)


async def test_a_double_click_with_two_keys_is_one_order(shop: Shop, shop_api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=40)
    carts = await many_carts(shop, *[[one(cup)]] * 20)
    clicks = await asyncio.gather(*(payload(shop_api, cart, key) for cart in carts for key in ("left", "right")))
    for first, second in zip(clicks[::2], clicks[1::2], strict=True):
        assert sorted(p["order"] is not None for p in (first, second)) == [False, True]
        (error,) = [*first["userErrors"], *second["userErrors"]]
        assert error["__typename"] in {"CartPaying", "AlreadyCompleted"}
    assert await levels(shop.read) == [("CUP-1", "main", 40, 0, 20)]
    await is_sound(shop)


async def test_the_last_unit_is_sold_once(shop: Shop, shop_api: Api) -> None:
    await given.regions(shop)
    for round_ in range(10):
        last = await given.product(shop, f"last-{round_}", stock=1)
        orders, refusals = await all_at_once(shop_api, await many_carts(shop, [one(last)], [one(last)]))
        assert (len(orders), len(refusals)) == (1, 1)
        assert (refusals[0]["__typename"], refusals[0]["availableQuantity"]) == ("InsufficientStock", 0)
    await is_sound(shop)
