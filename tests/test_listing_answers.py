"""Kept answers of lists and of the search are dropped by what they are ordered, filtered and found by, once that is
made anew; and until then they say of each product what is true.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from tests import carts, given
from tests.answers import Keeping, catalogue, keeping_app
from tests.api import Api

ASKED = {
    "price": "{ products(sort: PRICE_ASC) { nodes { handle } totalCount } }",
    "search": '{ search(query: "cup") { products { nodes { handle } } facets { name values { value count } } } }',
    "cheap": '{ products(filter: {price: {maximum: {amount: "5", currency: EUR}}}) { nodes { handle } } }',
    "boxes": '{ category(by: {handle: "boxes"}) { products(sort: PRICE_ASC) { nodes { handle } } } }',
    "titles": "{ products(sort: TITLE) { nodes { handle } } }",
}
CUP = "(SELECT id FROM product WHERE handle = 'paper-cup')"
WRITES = {
    "a price": (
        f"UPDATE price SET amount = 100 WHERE variant_id IN (SELECT id FROM variant WHERE product_id = {CUP})",
        {"price", "search", "cheap", "boxes"},
    ),
    "words that are found": (
        "UPDATE product SET description = 'like a cup' WHERE handle = 'pizza-box'",
        {"price", "search", "cheap", "boxes"},
    ),
    "the name of a value": (
        "UPDATE option_value SET name = 'Tiny'",
        {"price", "search", "cheap", "boxes"},
    ),
    "nothing that lists look at": (
        f"INSERT INTO media (id, product_id, url, rank) VALUES (gen_random_uuid(), {CUP}, 'https://i.example/c', 1)",
        set[str](),
    ),
}
"""By what each write concerns when its rows have been made anew; `titles` look at none of them."""


@pytest_asyncio.fixture
async def keeping(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeping]:
    async with keeping_app(database_url, monkeypatch) as running:
        yield running


async def test_a_kept_list_by_price_and_a_kept_search_are_dropped_by_the_refresh(
    shop: Shop, api: Api, keeping: Keeping
) -> None:
    await catalogue(shop)
    await given.product(shop, "lid", options={"Size": ("S",)})
    await refresh_listing(shop)
    await keeping.told()
    for query in ASKED.values():
        await keeping.post(query)
    for what, (statement, concerned) in WRITES.items():
        await carts.execute(shop, statement)
        await keeping.told()
        for query in ASKED.values():
            await keeping.post(query)
        assert [name for name, query in ASKED.items() if not await keeping.was_kept(query)] == [], what
        await refresh_listing(shop)
        await keeping.told()
        assert {name for name, query in ASKED.items() if not await keeping.was_kept(query)} == concerned, what
        for query in ASKED.values():
            assert (await keeping.post(query)).json() == await api.answer(query), what
    first = (await api(ASKED["price"]))["products"]["nodes"][0]
    assert first == {"handle": "paper-cup"}, "it is the cheapest now"
    found = (await api(ASKED["search"]))["search"]["products"]["nodes"]
    assert {"handle": "pizza-box"} in found
