"""Carts that are written by many at once: nothing is lost, nothing is counted twice, nobody waits for ever."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from sqlalchemy import select, text, update

from db import Cart as CartRow
from db import CartLine
from db.cart import CartStatus
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.api import Api

BLOCKED = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


async def payloads(*calls: Awaitable[dict[str, Any]]) -> list[list[str]]:
    """The codes of the refusals of calls that run at the same time."""
    answers = await asyncio.wait_for(asyncio.gather(*calls), 60)
    return [[error["code"] for error in answer["userErrors"]] for answer in answers]


async def test_twenty_additions_at_once_are_all_kept(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sold = [await given.product(shop, f"cup-{n}") for n in range(20)]
    cart = await carts.bare(api)
    calls = [
        api.do("cartAddLines", {**cart.key, "lines": [{"variantId": cup.variant, "quantity": n}]}, "cart { id }")
        for n, cup in enumerate(sold, 1)
    ]
    assert await payloads(*calls) == [[]] * 20
    shown = await carts.add(api, cart)
    assert {line["variant"]["id"]: line["quantity"] for line in shown["lines"]} == {
        cup.variant: n for n, cup in enumerate(sold, 1)
    }
    assert shown["version"] == 21


async def test_twenty_additions_of_one_variant_add_up(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await carts.bare(api)
    one = {**cart.key, "lines": [{"variantId": cup.variant, "quantity": 3}]}
    assert await payloads(*(api.do("cartAddLines", one, "cart { id }") for _ in range(20))) == [[]] * 20
    assert await carts.quantities(api, cart) == [60]


async def test_of_additions_that_together_are_too_many_as_many_are_kept_as_fit(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await carts.bare(api)
    some = {**cart.key, "lines": [{"variantId": cup.variant, "quantity": 300_000}]}
    refused = await payloads(*(api.do("cartAddLines", some, "cart { id }") for _ in range(8)))
    assert sorted(refused) == [[]] * 3 + [["VALIDATION_FAILED"]] * 5
    assert await carts.quantities(api, cart) == [900_000]


async def test_adding_changing_and_removing_at_once_leaves_what_some_order_of_them_would(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, mug = await given.product(shop), await given.product(shop, "mug")
    for _ in range(5):
        cart = await carts.bare(api)
        (line,) = (await carts.add(api, cart, {"variantId": cup.variant}))["lines"]
        change = {**cart.key, "lines": [{"lineId": line["id"], "quantity": 10}]}
        remove = {**cart.key, "lineIds": [line["id"]]}
        add = {**cart.key, "lines": [{"variantId": cup.variant, "quantity": 5}, {"variantId": mug.variant}]}
        changed, removed, added = await payloads(
            api.do("cartUpdateLines", change, "cart { id }"),
            api.do("cartRemoveLines", remove, "cart { id }"),
            api.do("cartAddLines", add, "cart { id }"),
        )
        shown = await carts.add(api, cart)
        left = {line["variant"]["id"]: line["quantity"] for line in shown["lines"]}
        # What is added before the removal goes with its line, and a change after it finds none.
        assert (removed, added) == ([], [])
        assert left in ({mug.variant: 1}, {cup.variant: 5, mug.variant: 1})
        assert changed in ([], ["NOT_FOUND"])
        assert shown["version"] == 4 + (changed == [])


async def test_the_version_counts_every_write_whoever_wins(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api)
    emails = [f"sam{n}@shop.example" for n in range(15)]
    calls = [api.done("cartSetCustomer", {**cart.key, "email": email}, "cart { version email }") for email in emails]
    answers = await asyncio.gather(*calls)
    row = await shop.read.one(select(CartRow))
    assert row.version == 16
    assert row.email in emails
    assert max(answer["cart"]["version"] for answer in answers) == 16


async def test_two_carts_with_the_same_variants_in_opposite_order_do_not_wait_for_each_other(
    shop: Shop, api: Api
) -> None:
    await given.regions(shop)
    sold = [await given.product(shop, f"cup-{n}") for n in range(8)]
    lines = [{"variantId": cup.variant} for cup in sold]
    first, second = await carts.bare(api), await carts.bare(api)
    calls = [
        api.do("cartAddLines", {**cart.key, "lines": listed}, "cart { id }")
        for _ in range(10)
        for cart, listed in ((first, lines), (second, lines[::-1]))
    ]
    assert await payloads(*calls) == [[]] * 20
    for cart in (first, second):
        assert await carts.quantities(api, cart) == [10] * 8


async def test_one_cart_whose_lines_are_changed_in_opposite_orders_does_not_deadlock(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sold = [await given.product(shop, f"cup-{n}") for n in range(6)]
    cart = await carts.bare(api)
    lines = (await carts.add(api, cart, *({"variantId": cup.variant} for cup in sold)))["lines"]
    changes = [{"lineId": line["id"], "quantity": 2} for line in lines]
    calls = [
        api.do("cartUpdateLines", {**cart.key, "lines": listed}, "cart { id }")
        for _ in range(8)
        for listed in (changes, changes[::-1])
    ]
    assert await payloads(*calls) == [[]] * 16
    assert await carts.quantities(api, cart) == [2] * 6


async def test_a_write_waits_for_another_one_and_sees_what_it_did(shop: Shop, api: Api) -> None:
    """The cart is locked before its status is looked at: nothing slips in while a payment begins."""
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await carts.bare(api)
    adding = {**cart.key, "lines": [{"variantId": cup.variant}]}
    async with shop.tx() as tx:
        key = ids.decode("Cart", cart.id)
        await tx.run(update(CartRow).where(CartRow.id == key).values(status=CartStatus.PAYING))
        waiting = asyncio.create_task(api.do("cartAddLines", adding, "cart { id }"))
        async with asyncio.timeout(60):
            while not await shop.read.value(BLOCKED):
                await asyncio.sleep(0.01)
        assert not waiting.done()
    assert [error["code"] for error in (await waiting)["userErrors"]] == ["CART_PAYING"]
    assert await shop.read.all(select(CartLine)) == []
