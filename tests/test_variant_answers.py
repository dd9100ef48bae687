"""Kept answers about one variant, and of lists by the prices of a country, are dropped by what they tell of alone."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from tests.answers import Keeping, catalogue, every_write_drops, keeping_app
from tests.api import Api

ASKED = {
    "plain": "{ products { nodes { handle } } }",
    "cheap": "{ products(sort: PRICE_ASC) { nodes { handle } } }",
    "boxes": "{ collections { nodes { products { nodes { handle } } } } }",
    "one": '{ variant(by: {sku: "PAPER-CUP-1"}) { sku } }',
    "none": '{ variant(by: {sku: "OTHER-1"}) { sku } }',
}
OF_CUP = "(SELECT id FROM product WHERE handle = 'paper-cup')"
BY_PRICE = {"cheap", "boxes"}
WRITES = {
    "an order by prices": ("UPDATE collection SET product_order = 'price'", {"boxes"}),
    "a country that belongs elsewhere": (
        "UPDATE region_country SET region_id = (SELECT id FROM region WHERE code = 'us'), is_home = false"
        " WHERE country = 'NL'",
        BY_PRICE,
    ),
    "what lists know of a price": (f"UPDATE product_listing SET minimum = 1 WHERE product_id = {OF_CUP}", BY_PRICE),
    "a number that a variant gets": (
        f"UPDATE variant SET sku = 'OTHER-1' WHERE product_id = {OF_CUP}",
        {"one", "none"},
    ),
    "a variant that is not sold any more": (
        f"UPDATE variant SET archived_at = now() WHERE product_id = {OF_CUP}",
        {"one", "none"},
    ),
    "one that is sold again": (
        f"UPDATE variant SET archived_at = NULL WHERE product_id = {OF_CUP}",
        {"one", "none"},
    ),
    "a product that is not sold any more": (
        "UPDATE product SET status = 'draft' WHERE handle = 'paper-cup'",
        {*BY_PRICE, "plain", "one", "none"},
    ),
}


@pytest_asyncio.fixture
async def keeping(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeping]:
    async with keeping_app(database_url, monkeypatch) as running:
        yield running


async def test_every_write_drops_what_it_concerns_and_nothing_else(
    shop: Shop, api: Api, keeping: Keeping, database_url: str
) -> None:
    await catalogue(shop)
    await refresh_listing(shop)
    await every_write_drops(api, keeping, database_url, ASKED, WRITES)
