"""The access matrix: regions, price lists and prices."""

from typing import Any, Final

from sqlalchemy import text

from domain.price import PriceDraft
from domain.processes.shop import Shop
from resolvers import ids
from tests.pricing import price_list, public_id, region


async def things(shop: Shop, variant: str, group: str) -> dict[str, str]:
    """A list of a group that does nobody any good: what carts come to stays."""
    dear = PriceDraft(ids.decode("Variant", variant), "EUR", 99_999)
    listed = await price_list(shop, "sale", dear, groups=[ids.decode("CustomerGroup", group)], name="Internal sale")
    found = await shop.read.value(text("SELECT id FROM price WHERE price_list_id IS NOT NULL"))
    return {
        "PriceList": public_id(listed),
        "PriceRow": ids.encode("PriceRow", found),
    }


async def nobodys_region(world: Any, _who: Any) -> dict[str, Any]:
    """One that no cart is in."""
    return {"id": ids.encode("Region", await region(world.shop, "jp"))}


async def renamed_region(world: Any, who: Any) -> dict[str, Any]:
    return {**await nobodys_region(world, who), "name": "Nippon"}


QUERIES: Final[dict[str, Any]] = {
    "priceExplain": {"": lambda world, _: {"variantId": world.things["Variant"]}},
    "priceList": {"": lambda world, _: {"id": world.things["PriceList"]}},
    "region": {"": lambda world, _: {"id": world.things["Region"]}},
}
MUTATIONS: Final[dict[str, Any]] = {
    "priceListArchive": lambda world, _: {"id": world.things["PriceList"]},
    "priceListCreate": lambda *_: {"name": "Summer", "kind": "SALE"},
    "priceListSetGroups": lambda world, _: {"id": world.things["PriceList"], "customerGroupIds": []},
    "priceListUpdate": lambda world, _: {"id": world.things["PriceList"], "priority": 7},
    "pricesUpsert": lambda world, _: {
        "rows": [{"variantId": world.things["Variant"], "currency": "GBP", "amount": "7.00"}]
    },
    "regionArchive": nobodys_region,
    "regionCreate": lambda *_: {
        "code": "uk", "name": "Kingdom", "currency": "GBP", "taxInclusive": True, "countries": ["GB"],
    },
    "regionUpdate": renamed_region,
}  # fmt: skip
