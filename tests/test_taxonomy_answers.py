"""Kept answers about categories and collections are dropped by what they tell of, and by nothing else."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.processes.shop import Shop
from tests.answers import QUERIES, Keeping, catalogue, every_write_drops, keeping_app
from tests.api import Api

ASKED = {
    "tree": "{ categories { nodes { name productCount children { name } } } }",
    "named": '{ category(by: {handle: "boxes"}) { name ancestors { name } } }',
    "gifts": "{ collections { nodes { title productCount products { nodes { handle } } } } }",
    "box": QUERIES["box"],
}
OF_BOX = "(SELECT id FROM product WHERE handle = 'pizza-box')"
TREE, LISTS = {"tree", "named", "box"}, {"tree", "gifts"}
WRITES = {
    "a name": ("UPDATE category SET name = 'Crates'", TREE),
    "another category": (
        "INSERT INTO category (id, handle, name, rank) VALUES (gen_random_uuid(), 'top', 'Top', 2)",
        TREE,
    ),
    "a move": (
        "UPDATE category SET parent_id = (SELECT id FROM category WHERE handle = 'top') WHERE handle = 'boxes'",
        TREE,
    ),
    "a former handle": ("UPDATE category SET handle = 'crates' WHERE handle = 'boxes'", TREE),
    "what stands in a category": (
        f"INSERT INTO product_category SELECT {OF_BOX}, id FROM category WHERE handle = 'top'",
        {*LISTS, "box"},
    ),
    "a title": ("UPDATE collection SET title = 'Gifts'", {"gifts", "box"}),
    "a window": ("UPDATE collection_channel SET published_until = now() + interval '1 day'", {"gifts", "box"}),
    "what is in a collection": (
        "INSERT INTO product_collection (product_id, collection_id, rank) "
        "SELECT p.id, c.id, 'a9' FROM product AS p, collection AS c WHERE p.handle = 'paper-cup'",
        LISTS,
    ),
    "the order of a collection": ("UPDATE product_collection SET rank = 'a0' WHERE rank = 'a9'", LISTS),
    "a product that is not for sale any more": (
        "UPDATE product SET status = 'draft' WHERE handle = 'paper-cup'",
        LISTS,
    ),
    "what is noted for a rule": ("DELETE FROM collection_due", set[str]()),
}


@pytest_asyncio.fixture
async def keeping(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeping]:
    async with keeping_app(database_url, monkeypatch) as running:
        yield running


async def test_every_write_drops_what_it_concerns_and_nothing_else(
    shop: Shop, api: Api, keeping: Keeping, database_url: str
) -> None:
    await catalogue(shop)
    await every_write_drops(api, keeping, database_url, ASKED, WRITES)


async def test_a_window_that_opens_is_told_although_nobody_writes(shop: Shop, api: Api, keeping: Keeping) -> None:
    await catalogue(shop)
    async with shop.tx() as tx:
        await tx.run(_SOON)
    await keeping.told()
    shown = (await keeping.post(ASKED["gifts"])).json()
    assert shown["data"]["collections"]["nodes"] == []
    for _ in range(100):
        await keeping.told()
        shown = (await keeping.post(ASKED["gifts"])).json()
        if shown["data"]["collections"]["nodes"]:
            break
    assert shown == await api.answer(ASKED["gifts"])
    assert len(shown["data"]["collections"]["nodes"]) == 1


_SOON = text("UPDATE collection_channel SET published_from = clock_timestamp() + interval '1.5 seconds'")
