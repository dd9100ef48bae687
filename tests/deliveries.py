"""Ways of delivery in tests, and a provider that asks for prices of its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from db import Region
from domain import delivery_option
from domain.delivery import Offer, QuoteRequest
from domain.delivery_option import DeliveryDraft, Tier
from domain.processes.shop import Shop
from resolvers import ids
from tests.api import Api
from tests.given import ADMINISTRATOR, Cart

PRICE = "net { amount } tax { amount } gross { amount currency }"
CHOICE = f"optionId code name price {{ {PRICE} }} estimatedDays {{ minimum maximum }} isChosen isFallback"
DELIVERY = f"""id version delivery {{ {CHOICE} }} requirements {{ code step mutation path }}
  totals {{ subtotal {{ amount }} shipping {{ {PRICE} }} taxes {{ name rate amount {{ amount }} }}
            total {{ {PRICE} }} }} """
FLAT = (Tier(0, 500),)


async def option(shop: Shop, region: str = "eu", code: str = "standard", **changes: Any) -> str:
    """A way of delivery; the public id. By default it costs 5.00 as the region shows prices."""
    given: dict[str, Any] = {"name": code.title(), "tiers": FLAT, **changes}
    async with shop.tx() as tx:
        region_id = await tx.one_scalar(select(Region.id).where(Region.code == region))
        made = await delivery_option.create(tx, region_id, DeliveryDraft(code=code, **given), ADMINISTRATOR)
    return ids.encode("DeliveryOption", made.id)


async def offered(api: Api, cart: Cart) -> dict[str, str]:
    """By its code what each delivery costs, with tax."""
    query = (
        f"""query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{ deliveryOptions {{ {CHOICE} }} }} }}"""
    )
    found = await api(query, {"id": cart.id, "token": cart.token})
    return {one["code"]: one["price"]["gross"]["amount"] for one in found["cart"]["deliveryOptions"]}


async def choose(api: Api, cart: Cart, option_id: str) -> dict[str, Any]:
    """The cart, after this delivery was chosen."""
    return (await api.done("cartSetDelivery", {**cart.key, "optionId": option_id}, f"cart {{ {DELIVERY} }}"))["cart"]


async def seen(api: Api, cart: Cart, select_: str = DELIVERY) -> dict[str, Any]:
    query = f"query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{ {select_} }} }}"
    return (await api(query, {"id": cart.id, "token": cart.token}))["cart"]


@dataclass
class Courier:
    """A provider of delivery, an outside party: offers what the test says, and keeps what it was asked."""

    offers: Sequence[Offer] | Exception = (Offer("courier", 1200),)
    name: str = "courier"
    asked: list[QuoteRequest] = field(default_factory=list)
    silent: bool = False
    spoke: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to end the silence."""

    async def quote(self, request: QuoteRequest) -> Sequence[Offer]:
        self.asked.append(request)
        if self.silent:
            await self.spoke.wait()
        if isinstance(self.offers, Exception):
            raise self.offers.with_traceback(None)
        return self.offers


def delivered_by(shop: Shop, *couriers: Courier, within: float = 5.0) -> Shop:
    return replace(shop, deliveries={one.name: one for one in couriers}, quote_within=within)
