"""Handles are made of titles, are each one's own, and stay known when they are given up."""

import asyncio

import pytest
from sqlalchemy import delete, select, update

from db import Category, Collection, HandleHistory, Product
from domain import handle
from domain.handle import handle_of
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Blaues T-Shirt, Größe M", "blaues-t-shirt-grosse-m"),
        ("Crème brûlée & friends", "creme-brulee-friends"),
        ("紙コップ", "zhi-kotuhu"),
        ("  --  ", "product"),
        ("🥤", "product"),
        ("../../etc/passwd", "etc-passwd"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_handle_is_what_can_be_written_of_a_title(title: str, expected: str) -> None:
    assert handle_of(title) == expected
    assert handle.is_handle(expected)


@pytest.mark.parametrize("wanted", ["café-crème", "紙コップ", "Größe_M.2~b", "می\u200cخواهم", "x" * 255, "rock+roll"])
def test_a_handle_may_be_written_in_any_script(wanted: str) -> None:
    assert handle.is_handle(wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        "javascript:alert(1)", "a\u202eb", "a\u2066b", "a\u200eb", "\u200c", "a\xa0b", "a\u2028b", "a\x7fb", "a\u0085b",
        "a\ufeffb", "a\ud800b", "a:b", "a?b", "a#b", "a%20b", "a\\b", "a<b", 'a"b', "a'b", "..", ".", "",
    ],
)  # fmt: skip
def test_nothing_is_a_handle_that_ends_a_part_of_an_address_or_cannot_be_seen(wanted: str) -> None:
    assert not handle.is_handle(wanted)


async def made(shop: Shop, title: str, wanted: str | None = None) -> Product:
    async with shop.tx() as tx:
        return await handle.made(tx, Product, {"title": title}, wanted, title)


async def test_things_of_one_title_made_at_once_each_get_a_handle(shop: Shop) -> None:
    both = await asyncio.gather(*(made(shop, "Paper cup") for _ in range(8)))
    assert {one.handle for one in both} == {"paper-cup", *(f"paper-cup-{i}" for i in range(2, 9))}


async def test_a_handle_that_somebody_asks_for_is_theirs_or_refused(shop: Shop) -> None:
    assert (await made(shop, "Cup", "becher")).handle == "becher"
    for wanted in ("becher", "a b", "a/b", "", "x" * 256):
        with pytest.raises(ValidationFailed) as refused:
            await made(shop, "Another", wanted)
        assert refused.value.path == ("handle",)
    assert await shop.read.scalars(select(Product.handle)) == ["becher"]


async def renamed(shop: Shop, row: Product, to: str) -> None:
    async with shop.tx() as tx:
        await tx.run(update(Product).where(Product.id == row.id).values(handle=to))


async def test_a_handle_that_was_given_up_leads_to_who_had_it_last_unless_it_is_anothers_now(shop: Shop) -> None:
    first, second = await made(shop, "Cup"), await made(shop, "Mug")
    await renamed(shop, first, "beaker")
    assert await handle.holder(shop.read, Product, "cup") == first.id
    assert await handle.free(shop.read, Product, "cup") == "cup-2", "what is made next leaves old addresses alone"
    await renamed(shop, second, "cup")
    assert await handle.holder(shop.read, Product, "cup") == second.id
    await renamed(shop, second, "mug")
    assert await handle.holder(shop.read, Product, "cup") == second.id, "who had it last"
    await renamed(shop, first, "cup")
    assert await handle.holder(shop.read, Product, "cup") == first.id
    assert await handle.holder(shop.read, Product, "beaker") == first.id
    assert await handle.holder(shop.read, Product, "nobody") is None
    kept = await shop.read.records(select(HandleHistory.handle, HandleHistory.entity_id).order_by("handle"))
    assert [tuple(row) for row in kept] == [("beaker", first.id), ("cup", second.id)]


async def test_what_is_deleted_is_forgotten_and_each_kind_has_its_own_handles(shop: Shop) -> None:
    product = await made(shop, "Cup")
    await renamed(shop, product, "beaker")
    async with shop.tx() as tx:
        category = await handle.made(tx, Category, {"name": "Cup", "rank": 1}, None, "Cup")
        collection = await handle.made(tx, Collection, {"title": "Cup"}, None, "Cup")
        assert (category.handle, collection.handle) == ("cup", "cup")
        await tx.run(update(Category).values(handle="cups"))
        assert await handle.holder(tx, Category, "cup") == category.id
        await tx.run(delete(Category))
        await tx.run(delete(Product))
        assert await tx.all(select(HandleHistory)) == []
