"""The access matrix: tax classes and rates, and how regions count taxes."""

from typing import Any, Final

from db import TaxClass, TaxRate
from db.connection import new_id
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts

PREVIEW: Final = {"address": {"country": "NL"}, "amount": {"amount": "1.00", "currency": "EUR"}}


async def things(shop: Shop) -> dict[str, str]:
    """A class with a rate of some postcodes, and one that nobody can choose any more."""
    tax_class, rate = new_id(), new_id()
    of_class = {"country": "DE", "tax_class_code": "reduced", "name": "Low VAT", "rate": "0.1"}
    place = {"subdivision": "BY", "postcode_from": "80", "postcode_to": "81"}
    async with shop.tx() as tx:
        await tx.insert(TaxClass, [{"id": tax_class, "code": "reduced", "name": "Reduced"}])
        await tx.insert(TaxClass, [{"id": new_id(), "code": "old", "name": "Old"}])
        await tx.insert(TaxRate, [{"id": rate, **of_class, **place}])
    await carts.execute(shop, "UPDATE tax_class SET archived_at = now() WHERE code = 'old'")
    return {"TaxClass": ids.encode("TaxClass", tax_class), "TaxRate": ids.encode("TaxRate", rate)}


QUERIES: Final[dict[str, Any]] = {
    "regionTax": {"": lambda world, _: {"regionId": world.things["Region"]}},
    "taxPreview": {"": lambda world, _: {"regionId": world.things["Region"], **PREVIEW}},
}
MUTATIONS: Final[dict[str, Any]] = {
    "regionSetTax": lambda world, _: {"regionId": world.things["Region"], "homeCountry": "DE"},
    "taxClassArchive": lambda world, _: {"id": world.things["TaxClass"]},
    "taxClassCreate": lambda *_: {"code": "books", "name": "Books"},
    "taxClassUpdate": lambda world, _: {"id": world.things["TaxClass"], "name": "Older"},
    "taxRateCreate": lambda *_: {"country": "NL", "name": "Toll", "rate": "0.01"},
    "taxRateRemove": lambda world, _: {"id": world.things["TaxRate"]},
    "taxRateUpdate": lambda world, _: {"id": world.things["TaxRate"], "rate": "0.02"},
}
