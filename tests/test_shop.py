"""What a storefront begins with: every field says what the rest of the shop does, and nothing of what is hidden."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, channels, customers, given, taxonomy
from tests.api import Api, running_app

START = """{ shop { name region { code currency } regions { code countries } currencies channelId locales
    paymentOptions { provider needsSession } limits { pageSize cartLines lineQuantity uploadSize } } }"""


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with running_app(database_url, MAIL_FROM="Paper & Co <shop@example.com>", UPLOAD_MAX_MIB="7") as running:
        yield running


async def begun(api: Api, context: str = "") -> dict[str, Any]:
    return (await api(f"query {context} {START}"))["shop"]


async def test_a_storefront_is_told_where_and_how_the_shop_sells(shop: Shop, api: Api) -> None:
    channel = (await customers.rows(shop, "SELECT id FROM channel WHERE is_default"))[0]["id"]
    nowhere = await begun(api)
    assert (nowhere["region"], nowhere["regions"], nowhere["currencies"]) == (None, [], [])
    assert (nowhere["channelId"], nowhere["paymentOptions"]) == (ids.encode("Channel", channel), [])
    await given.regions(shop)
    listed = (await api("{ regions { code currency countries isDefault } }"))["regions"]
    told = await begun(api)
    assert told["name"] == "Paper & Co"
    assert told["region"]["code"] == next(one["code"] for one in listed if one["isDefault"])
    assert [one["code"] for one in told["regions"]] == [one["code"] for one in listed]
    assert [one["countries"] for one in told["regions"]] == [one["countries"] for one in listed]
    assert told["currencies"] == list(dict.fromkeys(one["currency"] for one in listed))
    assert told["limits"] == {
        "pageSize": 100, "cartLines": 500, "lineQuantity": 1_000_000, "uploadSize": str(7 * 2**20)
    }  # fmt: skip
    assert (await api.answer("{ products(first: 101) { nodes { id } } }"))["errors"]
    assert [one["provider"] for one in told["paymentOptions"]] == ["manual", "test"]
    other = next(one for one in listed if one["code"] != told["region"]["code"])
    await carts.execute(shop, "UPDATE region SET payment_providers = '{}' WHERE code = :code", code=other["code"])
    there = await begun(api, f"@inContext(country: {other['countries'][0]})")
    assert (there["region"]["code"], there["paymentOptions"]) == (other["code"], [])
    till = await channels.made(shop)
    assert (await begun(channels.within(api, till)))["channelId"] == till


async def test_locales_are_those_of_what_is_shown_in_the_channel(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, lid = await given.product(shop, "cup"), await given.product(shop, "lid")
    await taxonomy.made_category(shop, "Cups")
    await taxonomy.made_collection(shop, "Hidden")
    assert (await begun(api))["locales"] == []
    for table, key, locale in (
        ("product", "handle = 'cup'", "de"),
        ("product", "handle = 'lid'", "fr"),
        ("category", "handle = 'cups'", "nl"),
        ("collection", "handle = 'hidden'", "it"),
        ("region", "is_default", "pt-BR"),
    ):
        texts = f"""'{{"{locale}": {{"title": "x", "name": "x"}}}}'"""
        await carts.execute(shop, f"UPDATE {table} SET translations = {texts} WHERE {key}")
    await carts.execute(shop, "UPDATE product SET status = 'draft' WHERE handle = 'lid'")
    await carts.execute(shop, "UPDATE collection SET status = 'draft'")
    assert (await begun(api))["locales"] == ["de", "nl", "pt-BR"]
    assert (await begun(channels.within(api, await channels.made(shop))))["locales"] == ["nl", "pt-BR"]
    await carts.execute(shop, "UPDATE product SET status = 'published' WHERE handle = 'lid'")
    await carts.execute(shop, "UPDATE product SET archived_at = now() WHERE handle = 'cup'")
    assert (await begun(api))["locales"] == ["fr", "nl", "pt-BR"]
    assert cup.product != lid.product
