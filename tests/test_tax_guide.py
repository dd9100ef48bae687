"""The operations of docs/tax.md do what it says."""

import re

from domain.processes.shop import Shop
from tests import given
from tests.api import ROOT, Api
from tests.taxing import by_rate, taxman, to
from tests.test_readme import blocks

GUIDE = (ROOT / "docs" / "tax.md").read_text()
OPERATIONS = {found[1]: text for text in blocks("graphql", GUIDE) if (found := re.match(r"\w+ (\w+)", text))}
"""By its name each operation of the guide."""


async def test_the_operations_of_the_guide_do_what_it_says(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    staff = await taxman(shop, api)
    assert (await staff(OPERATIONS["Books"]))["taxClassCreate"]["userErrors"] == []
    made = await staff(OPERATIONS["Rates"])
    assert [(alias, told["userErrors"]) for alias, told in made.items()] == [
        (alias, []) for alias in ("vat", "state", "city", "island")
    ]
    region = (await api("{ regions { id } }"))["regions"][0]["id"]
    preview = (await staff(OPERATIONS["Preview"], {"region": region}))["taxPreview"]
    assert (preview["total"]["gross"]["amount"], preview["taxes"], preview["isOutside"]) == ("100.00", [], True)
    cup = await given.product(shop, "cup")
    european = await given.cart(api, {"variantId": cup.variant, "quantity": 1})
    helgoland = {"country": "DE", "postalCode": "27498"}
    assert by_rate(await to(api, european, helgoland)) == {"Helgoland 0": "0.00"}
    there = api.in_country("US")
    american = await given.cart(there, {"variantId": cup.variant, "quantity": 1})
    california = {"country": "US", "province": "California", "postalCode": "90210-1234"}
    assert by_rate(await to(there, american, california)).keys() == {"Sales tax 0.0825", "State 0.0725", "City 0.005"}
