"""The access matrix: carts' ways of delivery, and what else is done to a cart."""

from typing import Any, Final

from domain.delivery_option import Tier
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, deliveries

OPTION: Final = {"code": "express", "name": "Express", "tiers": [{"amount": {"amount": "9.00", "currency": "EUR"}}]}


async def free_delivery(shop: Shop) -> str:
    """A way that costs nothing; the carts that are there have it, so that they still lack nothing."""
    option = await deliveries.option(shop, "eu", "free", tiers=(Tier(0, 0),), days_min=1, days_max=3)
    key = ids.decode("DeliveryOption", option)
    region = "(SELECT id FROM region WHERE code = 'eu')"
    change = f"UPDATE cart SET delivery_option_id = :key WHERE status = 'open' AND region_id = {region}"
    await carts.execute(shop, change, key=key)
    return option


QUERIES: Final[dict[str, Any]] = {
    "deliveryOptions": {"": lambda world, _: {"regionId": world.things["Region"]}},
}
MUTATIONS: Final[dict[str, Any]] = {
    "cartCreateFromOrder": lambda _, who: {"orderId": who.bought.order},
    "cartMerge": lambda _, who: {"cartId": who.bare.id, "intoCartId": who.cart.id},
    "cartSetBrief": lambda _, who: {"cartId": who.cart.id, "lineId": who.things["CartLine"], "brief": None},
    "cartSetContext": lambda _, who: {"cartId": who.cart.id, "to": {"country": "US"}},
    "cartSetDelivery": lambda world, who: {"cartId": who.cart.id, "optionId": world.things["DeliveryOption"]},
    "cartSetMetadata": lambda _, who: {"cartId": who.cart.id, "metadata": {"gift": True}},
    "deliveryOptionArchive": lambda world, _: {"optionId": world.things["DeliveryOption"]},
    "deliveryOptionCreate": lambda world, _: {"regionId": world.things["Region"], "option": OPTION},
    "deliveryOptionUpdate": lambda world, _: {"optionId": world.things["DeliveryOption"], "option": OPTION},
}
