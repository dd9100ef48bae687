"""What carts and orders are taxed by: the rates of where they go, for the class of what is in them."""

from typing import Any

import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from tests import carts, deliveries, given, taxing
from tests.api import Api
from tests.completion import complete
from tests.invariants import violations
from tests.taxing import BERLIN, CALIFORNIA, ZURICH, by_rate, rate, taxman, to, total


async def mug_and_book(shop: Shop, api: Api, country: str = "NL") -> tuple[Api, given.Cart]:
    """A taxed mug and a book of the class `books`, 10.00 each, in a cart that goes nowhere yet; and who may tax it."""
    await given.regions(shop)
    staff = await taxman(shop, api)
    await taxing.tax_class(staff, "books")
    mug, book = await given.product(shop, "mug"), await given.product(shop, "book")
    await taxing.of_class(shop, book.keys[0], "books")
    lines = [{"variantId": mug.variant, "quantity": 1}, {"variantId": book.variant, "quantity": 1}]
    return staff, await carts.bare(api.in_country(country), *lines)


async def test_each_class_is_taxed_by_its_own_rates_and_one_without_any_is_not_taxed(shop: Shop, api: Api) -> None:
    staff, cart = await mug_and_book(shop, api)
    sent = await to(api, cart, {})
    assert by_rate(sent) == {"VAT 0.21": "1.74"}
    assert total(sent) == ["18.26", "1.74", "20.00"]
    await rate(staff, "NL", "Low VAT", "0.09", taxClassCode="books")
    sent = await to(api, cart, {})
    assert by_rate(sent) == {"VAT 0.21": "1.74", "Low VAT 0.09": "0.83"}
    assert [[(tax["name"], tax["amount"]["amount"]) for tax in line["taxes"]] for line in sent["lines"]] == [
        [("VAT", "1.74")],
        [("Low VAT", "0.83")],
    ]
    assert total(sent) == ["17.43", "2.57", "20.00"]


async def test_before_anybody_said_where_it_goes_the_home_of_the_region_counts(shop: Shop, api: Api) -> None:
    staff, cart = await mug_and_book(shop, api)
    region = (await api("{ regions { id code } }"))["regions"][0]["id"]
    await carts.execute(shop, "UPDATE tax_rate SET rate = 0.19 WHERE country = 'DE'")

    async def bare_total() -> list[str]:
        return total(await deliveries.seen(api, cart))

    assert await bare_total() == ["18.26", "1.74", "20.00"]
    told = "regionTax { homeCountry taxProvider region { code } }"
    set_ = await staff.done("regionSetTax", {"regionId": region, "homeCountry": "DE"}, told)
    assert set_["regionTax"] == {"homeCountry": "DE", "taxProvider": "local", "region": {"code": "eu"}}
    assert await bare_total() == ["18.40", "1.60", "20.00"]
    assert total(await to(api, cart, {})) == ["18.26", "1.74", "20.00"]
    assert total(await to(api, cart, BERLIN)) == ["18.40", "1.60", "20.00"]
    set_ = await staff.done("regionSetTax", {"regionId": region}, told)
    assert set_["regionTax"]["homeCountry"] == "DE"  # the first by its code


async def test_rates_of_country_state_and_postcodes_add_up_and_a_replacing_one_takes_their_place(
    shop: Shop, api: Api
) -> None:
    staff, cart = await mug_and_book(shop, api, "US")
    await carts.execute(shop, "DELETE FROM tax_rate WHERE country = 'US'")
    await rate(staff, "US", "State", "0.0725", subdivision="US-CA")
    await rate(staff, "US", "County", "0.01", subdivision="CA", postcodeFrom="90000", postcodeTo="90899")
    await rate(staff, "US", "City", "0.005", postcodeFrom="902")
    await rate(staff, "US", "Oregon", "0.3", subdivision="OR")
    sent = await to(api, cart, CALIFORNIA)
    assert by_rate(sent) == {"State 0.0725": "0.80", "County 0.01": "0.11", "City 0.005": "0.05"}
    assert total(sent) == ["22.00", "0.96", "22.96"]
    for place, found in (
        ({"postalCode": "90210-1234"}, {"State 0.0725", "County 0.01", "City 0.005"}),
        ({"postalCode": "90899"}, {"State 0.0725", "County 0.01"}),
        ({"postalCode": "90900"}, {"State 0.0725"}),
        ({"postalCode": "905"}, {"State 0.0725"}),
        ({"province": "ca", "postalCode": ""}, {"State 0.0725"}),
        ({"province": "Oregon", "postalCode": "90210"}, {"Oregon 0.3", "City 0.005"}),
        ({"province": "Atlantis", "postalCode": ""}, set()),
    ):
        assert by_rate(await to(api, cart, {**CALIFORNIA, **place})).keys() == found, place
    await rate(staff, "US", "Free port", "0", postcodeFrom="90210", replaces=True)
    assert by_rate(await to(api, cart, CALIFORNIA)) == {
        "City 0.005": "0.06",
        "County 0.01": "0.11",
        "Free port 0": "0.00",
    }
    assert total(await to(api, cart, {**CALIFORNIA, "postalCode": "90211"})) == ["22.00", "0.96", "22.96"]


async def test_outside_of_the_region_home_tax_comes_off_and_is_warned_of(shop: Shop, api: Api) -> None:
    staff, cart = await mug_and_book(shop, api)
    await rate(staff, "NL", "Low VAT", "0.09", taxClassCode="books")
    option = await deliveries.option(shop)
    sent = await to(api, cart, ZURICH)
    # 8.26 and 9.17 without the taxes of the Netherlands; nothing is known to be taken in Switzerland.
    assert (by_rate(sent), total(sent)) == ({}, ["17.43", "0.00", "17.43"])
    assert [warning["__typename"] for warning in sent["warnings"]] == ["OutsideRegion"]
    await rate(staff, "CH", "MWST", "0.081")
    sent = await to(api, cart, ZURICH)
    assert (by_rate(sent), total(sent)) == ({"MWST 0.081": "0.67"}, ["17.43", "0.67", "18.10"])
    chosen = await deliveries.choose(api, cart, option)
    assert chosen["totals"]["shipping"]["gross"]["amount"] == "4.46"  # 5.00 - 0.87 + 0.33
    assert (chosen["totals"]["subtotal"]["amount"], total(chosen)) == ("18.10", ["21.56", "1.00", "22.56"])


@pytest.mark.parametrize(
    ("treatment", "code", "price", "taxes"),
    [
        ("region", None, ["4.13", "0.87", "5.00"], {"VAT 0.21": "2.61", "Low VAT 0.09": "0.83"}),
        ("region", "books", ["4.59", "0.41", "5.00"], {"VAT 0.21": "1.74", "Low VAT 0.09": "1.24"}),
        ("proportional", None, ["4.36", "0.64", "5.00"], {"VAT 0.21": "2.17", "Low VAT 0.09": "1.04"}),
    ],
)
async def test_a_delivery_has_a_tax_class_or_is_taxed_as_the_lines_are(
    shop: Shop, api: Api, treatment: str, code: str | None, price: list[str], taxes: dict[str, str]
) -> None:
    staff, cart = await mug_and_book(shop, api)
    await rate(staff, "NL", "Low VAT", "0.09", taxClassCode="books")
    await to(api, cart, {})
    option = await deliveries.option(shop, tax_treatment=treatment, tax_class_code=code)
    chosen = await deliveries.choose(api, cart, option)
    assert [chosen["delivery"]["price"][part]["amount"] for part in ("net", "tax", "gross")] == price
    assert by_rate(chosen) == taxes
    await api.done("cartSetCustomer", {**cart.key, "email": "sam@shop.example"}, "__typename")
    ready = given.Cart(cart.id, cart.token, {"amount": "25.00", "currency": "EUR"})
    assert (await complete(api, ready))["userErrors"] == []
    kept = await shop.read.value(text("SELECT delivery ->> 'tax_class' FROM \"order\""))
    assert kept == (code or "standard" if treatment == "region" else None)
    assert await violations(shop.read) == []


async def test_an_order_keeps_its_taxes_whatever_becomes_of_the_rates(shop: Shop, api: Api) -> None:
    staff, cart = await mug_and_book(shop, api)
    await carts.execute(shop, "UPDATE variant SET taxable = false WHERE sku = 'BOOK-1'")
    low = await rate(staff, "NL", "Low VAT", "0.09", taxClassCode="books")
    await rate(staff, "NL", "Levy", "0.01")
    await to(api, cart, {})
    await api.done("cartSetCustomer", {**cart.key, "email": "sam@shop.example"}, "__typename")
    ready = given.Cart(cart.id, cart.token, {"amount": "20.00", "currency": "EUR"})
    placed = await complete(api, ready)
    shown = """lines { taxClassCode taxes { name rate amount { amount } } } taxes { name amount { amount } }"""
    order = f"query ($id: ID!, $token: String) {{ order(by: {{ id: $id }}, accessToken: $token) {{ {shown} }} }}"

    async def seen() -> dict[str, Any]:
        variables = {"id": placed["order"]["id"], "token": placed["accessToken"]}
        return (await api(order, variables))["order"]

    before = await seen()
    assert before["lines"][0] == {
        "taxClassCode": "standard",
        "taxes": [
            {"name": "Levy", "rate": "0.010000", "amount": {"amount": "0.08"}},
            {"name": "VAT", "rate": "0.210000", "amount": {"amount": "1.72"}},
        ],
    }
    assert before["lines"][1] == {"taxClassCode": None, "taxes": []}
    await staff.done("taxRateRemove", {"id": low}, "__typename")
    await carts.execute(shop, "UPDATE tax_rate SET rate = 0.5")
    assert await seen() == before
    assert await violations(shop.read) == []


async def test_a_price_says_whether_tax_is_in_it(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop, "mug")
    price = "{ products { nodes { variants { nodes { price { taxIncluded } } } } } }"
    for country, included in (("NL", True), ("US", False)):
        found = (await api.in_country(country)(price))["products"]["nodes"][0]["variants"]["nodes"][0]
        assert found == {"price": {"taxIncluded": included}}
