"""Collections by rule follow the catalogue: every write that a rule sees, whoever makes it, whatever is killed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from db import CollectionDue, Region
from domain import collection, collection_membership
from domain.collection import UpdateCollection
from domain.collection_rule import Condition, InRegion, RuleField, RuleMatch, RuleOperator, Rules
from domain.processes.refresh_collections import refresh_collections
from domain.processes.shop import Shop
from tests import customers, given, taxonomy
from tests.api import Server

F, Op = RuleField, RuleOperator


def rule(field: RuleField, operator: RuleOperator, value: Any, key: str | None = None) -> Rules:
    return Rules(RuleMatch.ALL, (Condition(field, operator, value, key),))


OF_CUP = "(SELECT id FROM product WHERE handle = 'cup')"
VARIANTS_OF_CUP = f"(SELECT id FROM variant WHERE product_id = {OF_CUP})"
WRITES: dict[str, tuple[Callable[[dict[str, Any]], Rules], list[str]]] = {
    "the title": (lambda _: rule(F.TITLE, Op.EQUALS, "new"), ["UPDATE product SET title = 'New' WHERE handle = 'cup'"]),
    "the tags": (lambda _: rule(F.TAG, Op.EQUALS, "hot"), ["UPDATE product SET tags = '{hot}' WHERE handle = 'cup'"]),
    "a category": (
        lambda at: rule(F.CATEGORY, Op.EQUALS, at["below"]),
        [f"INSERT INTO product_category SELECT {OF_CUP}, id FROM category WHERE name = 'Below'"],
    ),
    "the tree": (
        lambda at: rule(F.CATEGORY, Op.EQUALS, at["top"]),
        [
            f"INSERT INTO product_category SELECT {OF_CUP}, id FROM category WHERE name = 'Below'",
            "UPDATE category SET parent_id = (SELECT id FROM category WHERE name = 'Top') WHERE name = 'Below'",
        ],
    ),
    "a price": (
        lambda at: rule(F.PRICE, Op.LESS_THAN, InRegion(at["eu"], "EUR", 500)),
        [f"UPDATE price SET amount = 499 WHERE currency = 'EUR' AND variant_id IN {VARIANTS_OF_CUP}"],
    ),
    "stock that goes": (
        lambda _: rule(F.AVAILABLE, Op.EQUALS, False),
        [
            "UPDATE stock_level SET allocated = on_hand WHERE stock_item_id IN "
            f"(SELECT stock_item_id FROM variant_stock_item WHERE variant_id IN {VARIANTS_OF_CUP})"
        ],
    ),
    "a bundle": (
        lambda _: rule(F.AVAILABLE, Op.EQUALS, False),
        [f"UPDATE variant_stock_item SET quantity = 1001 WHERE variant_id IN {VARIANTS_OF_CUP}"],
    ),
    "the name of a value": (
        lambda _: rule(F.OPTION, Op.EQUALS, "XL", "Size"),
        [f"UPDATE option_value SET name = 'XL' WHERE id IN "
         f"(SELECT value_id FROM variant_option_value WHERE variant_id IN {VARIANTS_OF_CUP})"],
    ),
    "the name of an option": (
        lambda _: rule(F.OPTION, Op.EQUALS, "Large", "Girth"),
        [f"UPDATE product_option SET name = 'Girth' WHERE product_id = {OF_CUP}"],
    ),
    "an archived variant": (
        lambda _: rule(F.OPTION, Op.NOT_EQUALS, "Large", "Size"),
        [f"UPDATE variant SET archived_at = now() WHERE product_id = {OF_CUP}"],
    ),
    "metadata": (
        lambda _: rule(F.METADATA, Op.EQUALS, "x", "k"),
        ["""UPDATE product SET metadata = '{"k": "x"}' WHERE handle = 'cup'"""],
    ),
}  # fmt: skip


async def catalogue(shop: Shop) -> dict[str, Any]:
    await given.regions(shop)
    await given.product(shop, "cup", options={"Size": ("Large",)})
    await given.product(shop, "mug", options={"Size": ("Large",)})
    at: dict[str, Any] = {name: await taxonomy.made_category(shop, name.title()) for name in ("top", "below")}
    return {**at, "eu": await shop.read.one_scalar(select(Region.id).where(Region.code == "eu"))}


@pytest.mark.parametrize("what", WRITES)
async def test_a_product_joins_and_leaves_when_what_the_rule_sees_changes(shop: Shop, what: str) -> None:
    """Written by whoever writes SQL; what the last write did not touch is not looked at again."""
    at = await catalogue(shop)
    wanted, statements = WRITES[what]
    found = await taxonomy.made_collection(shop, "By rule", rules=wanted(at))
    await refresh_collections(shop)
    assert await taxonomy.members(shop, found) == set()
    for statement in statements[:-1]:
        await customers.execute(shop, statement)
    await refresh_collections(shop)
    assert await taxonomy.members(shop, found) == set()
    async with shop.tx() as tx:
        await tx.records(text(statements[-1]))
        (due,) = await tx.records(text("SELECT count(DISTINCT product_id) AS products FROM collection_due"))
    assert due.products == 1
    await refresh_collections(shop)
    assert await taxonomy.members(shop, found) == {"cup"}
    assert await shop.read.all(select(CollectionDue)) == []


async def test_another_rule_finds_other_products_and_a_product_leaves_as_it_came(shop: Shop) -> None:
    await catalogue(shop)
    found = await taxonomy.made_collection(shop, "By rule", rules=rule(F.TITLE, Op.CONTAINS, "u"))
    await refresh_collections(shop)
    assert await taxonomy.members(shop, found) == {"cup", "mug"}
    async with shop.tx() as tx:
        command = UpdateCollection(found, {}, rule(F.TITLE, Op.EQUALS, "mug"))
        await collection.change(tx, command, given.ADMINISTRATOR)
    await refresh_collections(shop)
    assert await taxonomy.members(shop, found) == {"mug"}
    await customers.execute(shop, "UPDATE product SET title = 'Pot' WHERE handle = 'mug'")
    await refresh_collections(shop)
    assert await taxonomy.members(shop, found) == set()


async def test_sales_of_what_there_is_enough_of_leave_nothing_to_look_at(shop: Shop) -> None:
    await catalogue(shop)
    await refresh_collections(shop)
    await customers.execute(shop, "UPDATE stock_level SET allocated = on_hand - 1")
    assert await shop.read.all(select(CollectionDue)) == []
    await customers.execute(shop, "UPDATE stock_level SET allocated = on_hand")
    assert len(await shop.read.all(select(CollectionDue))) == 2


async def test_one_looks_at_a_time_and_what_it_had_begun_is_still_there_when_it_dies(shop: Shop) -> None:
    await catalogue(shop)
    found = await taxonomy.made_collection(shop, "By rule", rules=rule(F.TITLE, Op.EQUALS, "cup"))

    class Killed(Exception):
        pass

    async def dies() -> None:
        async with shop.tx() as tx:
            assert await collection_membership.refresh(tx) > 0
            assert await refresh_collections(shop) == 0
            raise Killed

    with pytest.raises(Killed):
        await dies()
    assert await taxonomy.members(shop, found) == set()
    await refresh_collections(shop)
    assert await taxonomy.members(shop, found) == {"cup"}


async def test_who_looks_while_others_write_never_has_the_last_word_with_what_was(shop: Shop) -> None:
    """Two workers, and writers that make products cheap and dear again: in the end the collection is what the rule
    finds.
    """
    at = await catalogue(shop)
    rules = rule(F.PRICE, Op.LESS_THAN, InRegion(at["eu"], "EUR", 500))
    found = await taxonomy.made_collection(shop, "Cheap", rules=rules)
    writing = True

    async def work() -> None:
        while writing:
            await refresh_collections(shop)

    async def write(handle: str) -> None:
        for amount in (400, 600) * 20 + ((400,) if handle == "cup" else ()):
            statement = (
                "UPDATE price SET amount = :amount WHERE currency = 'EUR' AND variant_id IN "
                "(SELECT v.id FROM variant v JOIN product p ON p.id = v.product_id WHERE p.handle = :handle)"
            )
            await customers.execute(shop, statement, amount=amount, handle=handle)

    working = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.gather(write("cup"), write("mug"))
    writing = False
    await asyncio.gather(*working)
    await refresh_collections(shop)
    assert await taxonomy.members(shop, found) == {"cup"}


async def test_the_worker_follows(shop: Shop, start_server: Callable[..., Server]) -> None:
    await catalogue(shop)
    found = await taxonomy.made_collection(shop, "By rule", rules=rule(F.TAG, Op.EQUALS, "hot"))
    tagged = "UPDATE product SET tags = '{hot}' WHERE handle = :handle"
    await customers.execute(shop, tagged, handle="cup")
    start_server()

    async def has(expected: set[str]) -> bool:
        return await taxonomy.members(shop, found) == expected

    await given.until(lambda: has({"cup"}), within=60)
    await customers.execute(shop, tagged, handle="mug")
    await given.until(lambda: has({"cup", "mug"}), within=60)
    await given.product(shop, "pot")
    await customers.execute(shop, tagged, handle="pot")
    await given.until(lambda: has({"cup", "mug", "pot"}), within=60)
