"""Whether a variant can be bought now: what lies there, less what is promised, by the scarcest of its parts."""

from typing import Any

from sqlalchemy import insert, select, update

from db import StockLevel, VariantStockItem
from db.catalog import ProductStatus
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from tests import given
from tests.api import Api
from tests.given import Sold

QUERY = "{ products { nodes { handle variants { nodes { availability { status quantity } } } } } }"
NONE = {"status": "OUT_OF_STOCK", "quantity": 0}
UNTRACKED = {"status": "NOT_TRACKED", "quantity": None}


def some(quantity: int) -> dict[str, Any]:
    return {"status": "IN_STOCK", "quantity": quantity}


def to_come(quantity: int) -> dict[str, Any]:
    return {"status": "BACKORDER", "quantity": quantity}


async def available(api: Api) -> dict[str, Any]:
    """By the product's handle; all have one variant here."""
    nodes = (await api(QUERY))["products"]["nodes"]
    return {node["handle"]: node["variants"]["nodes"][0]["availability"] for node in nodes}


async def test_what_is_counted_can_be_bought_as_far_as_it_goes(shop: Shop, api: Api) -> None:
    for handle, stock in {"none": 0, "one": 1, "ten": 10, "thousand": 1000, "endless": None}.items():
        await given.product(shop, handle, stock=stock)
    never_counted = ProductDraft(handle="never-counted", title="Never counted", status=ProductStatus.PUBLISHED)
    await given.products(shop, never_counted)
    assert await available(api) == {
        "none": NONE,
        "one": some(1),
        "ten": some(10),
        "thousand": some(10),
        "endless": UNTRACKED,
        "never-counted": NONE,
    }


async def test_what_is_not_counted_sells_without_limit_whatever_was_counted_before(shop: Shop, api: Api) -> None:
    await given.product(shop, "cup", stock=0)
    variants = (VariantDraft(sku="CUP-1", manage_stock=False),)
    await given.products(
        shop, ProductDraft(handle="cup", title="Cup", status=ProductStatus.PUBLISHED, variants=variants)
    )
    assert await available(api) == {"cup": UNTRACKED}


async def test_what_is_promised_to_others_cannot_be_bought(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=10)
    await given.order(api, {"variantId": cup.variant, "quantity": 3})
    assert await available(api) == {"cup": some(7)}
    async with shop.tx() as tx:
        await tx.run(update(StockLevel).values(reserved=5))
    assert await available(api) == {"cup": some(2)}
    async with shop.tx() as tx:
        await tx.run(update(StockLevel).values(reserved=7))
    assert await available(api) == {"cup": NONE}


async def test_places_add_up_and_one_that_owes_takes_nothing_from_another(shop: Shop, api: Api) -> None:
    cup = await given.product(shop, "cup", stock=0)
    await given.counted(shop, cup.keys[0], "north", 4)
    await given.counted(shop, cup.keys[0], "south", 5)
    assert await available(api) == {"cup": some(9)}
    async with shop.tx() as tx:
        await tx.run(update(StockLevel).where(StockLevel.on_hand == 4).values(allocated=4))
    await given.counted(shop, cup.keys[0], "north", 1)
    assert await available(api) == {"cup": some(5)}


async def test_what_may_be_owed_can_be_bought_too(shop: Shop, api: Api) -> None:
    cup = await given.product(shop, "cup", stock=0)
    await given.counted(shop, cup.keys[0], "main", 0, backorder=3)
    assert await available(api) == {"cup": to_come(3)}
    await given.counted(shop, cup.keys[0], "main", 2, backorder=3)
    assert await available(api) == {"cup": some(5)}
    async with shop.tx() as tx:
        await tx.run(update(StockLevel).values(allocated=2))
    assert await available(api) == {"cup": to_come(3)}
    async with shop.tx() as tx:
        await tx.run(update(StockLevel).values(allocated=5))
    assert await available(api) == {"cup": NONE}
    await given.counted(shop, cup.keys[0], "south", 1)
    assert await available(api) == {"cup": some(1)}


async def test_a_bundle_of_which_a_part_has_yet_to_come_has_yet_to_come(shop: Shop, api: Api) -> None:
    cup, lid = await given.product(shop, "cup", stock=3), await given.product(shop, "lid", stock=9)
    bundle = await bundle_of(shop, (cup, 2), (lid, 1))
    assert (await available(api))[bundle] == some(1)
    await given.counted(shop, cup.keys[0], "main", 1, backorder=4)
    assert (await available(api))[bundle] == to_come(2)
    await given.counted(shop, lid.keys[0], "main", 0, backorder=1)
    assert (await available(api))[bundle] == to_come(1)


async def test_shoppers_are_told_of_no_more_than_the_shop_says(shop: Shop, api: Api) -> None:
    await given.product(shop, "cup", stock=1000)
    await given.product(shop, "lid", stock=3)
    keeper = await given.caller(shop, api, "staff", "stock:write", "stock:read")
    assert (await keeper("{ stockSettings { shownQuantity } }")) == {"stockSettings": {"shownQuantity": 10}}
    for shown, cups, lids in ((1, 1, 1), (50, 50, 3), (1_000_000, 1000, 3)):
        change = {"shownQuantity": shown, "idempotencyKey": f"show {shown}"}
        payload = await keeper.done("stockSettingsUpdate", change, "stockSettings { shownQuantity }")
        assert payload["stockSettings"] == {"shownQuantity": shown}
        assert await available(api) == {"cup": some(cups), "lid": some(lids)}
    for shown in (0, -1, 1_000_001):
        change = {"shownQuantity": shown, "idempotencyKey": f"show {shown}"}
        payload = await keeper.do("stockSettingsUpdate", change, "stockSettings { shownQuantity }")
        assert payload["stockSettings"] is None
        assert [(e["code"], e["path"]) for e in payload["userErrors"]] == [("VALIDATION_FAILED", ["shownQuantity"])]
    assert await available(api) == {"cup": some(1000), "lid": some(3)}


async def bundle_of(shop: Shop, *parts: tuple[Sold, int]) -> str:
    """The handle of a new bundle."""
    (bundle,) = await given.products(
        shop, ProductDraft(handle="bundle", title="Two cups and a lid", status=ProductStatus.PUBLISHED)
    )
    items = {row.variant_id: row.stock_item_id for row in await shop.read.all(select(VariantStockItem))}
    async with shop.tx() as tx:
        for part, quantity in parts:
            row = {"variant_id": bundle.keys[0], "stock_item_id": items[part.keys[0]], "quantity": quantity}
            await tx.run(insert(VariantStockItem).values(**row))
    return "bundle"


async def test_a_bundle_is_as_available_as_the_scarcest_of_its_parts(shop: Shop, api: Api) -> None:
    cup, lid = await given.product(shop, "cup", stock=0), await given.product(shop, "lid", stock=0)
    await bundle_of(shop, (cup, 2), (lid, 1))
    for cups, lids, bundles in (
        ((5, 0), 10, some(2)),
        ((5, 0), 1, some(1)),
        ((5, 0), 0, NONE),
        ((1, 0), 10, NONE),
        ((1, 1), 10, some(1)),
        ((3, 4), 10, some(3)),
        ((999, 0), 999, some(10)),
    ):
        for place, on_hand in zip(("north", "south"), cups, strict=True):
            await given.counted(shop, cup.keys[0], place, on_hand)
        await given.counted(shop, lid.keys[0], "north", lids)
        found = await available(api)
        assert found["bundle"] == bundles, (cups, lids)
        assert found["cup"] == (some(min(sum(cups), 10)) if any(cups) else NONE)
