"""Taxes in tests: classes and rates made over the API, carts that go somewhere, and a provider that counts."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from domain.processes.shop import Shop
from domain.tax_provider import ItemTax, TaxRequest
from domain.totals import TaxAmount
from tests import carts, deliveries, given
from tests.api import Api
from tests.given import Cart

CLASS = "id code name isDefault archivedAt"
RATE = "id country subdivision postcodeFrom postcodeTo taxClassCode name rate replaces"
TAXES = f"""lines {{ taxes {{ name rate amount {{ amount }} }} total {{ {deliveries.PRICE} }} }}
  requirements {{ code step }} warnings {{ __typename path }} {deliveries.DELIVERY} """
CALIFORNIA = {"country": "US", "province": "California", "postalCode": "90210", "city": "Beverly Hills"}
BERLIN = {"country": "DE", "postalCode": "10115", "city": "Berlin"}
ZURICH = {"country": "CH", "postalCode": "8001", "city": "Zürich"}


async def taxman(shop: Shop, api: Api) -> Api:
    return await given.caller(shop, api, "staff", "tax:read", "tax:write", "products:write", "products:read")


async def tax_class(staff: Api, code: str, **more: Any) -> str:
    made = await staff.done("taxClassCreate", {"code": code, "name": code.title(), **more}, f"taxClass {{ {CLASS} }}")
    return made["taxClass"]["id"]


async def rate(staff: Api, country: str, name: str, fraction: str, **more: Any) -> str:
    input_ = {"country": country, "name": name, "rate": fraction, **more}
    return (await staff.done("taxRateCreate", input_, f"taxRate {{ {RATE} }}"))["taxRate"]["id"]


async def of_class(shop: Shop, variant_key: Any, code: str) -> None:
    """The product of this variant is of the class."""
    change = """UPDATE product SET tax_class_code = :code
        WHERE id = (SELECT product_id FROM variant WHERE id = :variant)"""
    await carts.execute(shop, change, code=code, variant=variant_key)


async def to(api: Api, cart: Cart, place: dict[str, Any]) -> dict[str, Any]:
    """The cart, sent to this place."""
    address = {**given.ADDRESS, **place}
    payload = await api.done("cartSetAddresses", {**cart.key, "shippingAddress": address}, f"cart {{ {TAXES} }}")
    return payload["cart"]


def by_rate(cart: dict[str, Any]) -> dict[str, str]:
    return {
        f"{tax['name']} {Decimal(tax['rate']).normalize():f}": tax["amount"]["amount"]
        for tax in cart["totals"]["taxes"]
    }


def total(cart: dict[str, Any]) -> list[str]:
    """Net, tax and gross."""
    return [cart["totals"]["total"][part]["amount"] for part in ("net", "tax", "gross")]


def tenth(request: TaxRequest) -> Sequence[ItemTax]:
    """A tenth of everything, rounded down."""
    return [ItemTax(item.key, (TaxAmount("Toll", Decimal("0.1"), item.amount // 10),)) for item in request.items]


@dataclass
class Assessor:
    """A provider of taxes, an outside party: answers what the test says, and keeps what it was asked."""

    answer: Callable[[TaxRequest], Any] = tenth
    name: str = "assessor"
    asked: list[TaxRequest] = field(default_factory=list[TaxRequest])
    silent: bool = False
    spoke: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to end the silence."""

    async def quote(self, request: TaxRequest) -> Sequence[ItemTax]:
        self.asked.append(request)
        if self.silent:
            await self.spoke.wait()
        return self.answer(request)


def taxed_by(shop: Shop, *assessors: Assessor, within: float = 5.0, **more: Any) -> Shop:
    return replace(shop, taxes={one.name: one for one in assessors}, quote_within=within, **more)
