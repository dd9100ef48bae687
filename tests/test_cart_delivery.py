"""How a cart is delivered: what is offered for what it costs, and that the choice is part of everything it comes to."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from db.delivery import DeliveryKind, DeliveryTax
from domain.delivery_option import Tier
from domain.processes.shop import Shop
from tests import carts, deliveries, given
from tests.api import Api
from tests.completion import complete, nothing_was_begun, refusal

ORDER = f"""order {{ id delivery {{ code name price {{ {deliveries.PRICE} }} taxes {{ name rate amount {{ amount }} }}
  estimatedDays {{ minimum maximum }} }} shipping {{ {deliveries.PRICE} }} subtotal {{ amount }}
  taxes {{ name rate amount {{ amount }} }} total {{ {deliveries.PRICE} }} }}"""


def money(net: str, tax: str, gross: str, currency: str = "EUR") -> dict[str, Any]:
    return {"net": {"amount": net}, "tax": {"amount": tax}, "gross": {"amount": gross, "currency": currency}}


async def cup_and_cart(shop: Shop, api: Api, quantity: int = 2, **columns: Any) -> given.Cart:
    await given.regions(shop)
    cup = await given.product(shop, "cup", **columns)
    return await given.cart(api, {"variantId": cup.variant, "quantity": quantity})


async def weigh(shop: Shop, grams: int) -> None:
    await carts.execute(shop, "UPDATE variant SET weight_grams = :grams", grams=grams)


async def test_a_delivery_is_required_where_the_region_has_some_and_is_part_of_the_order(shop: Shop, api: Api) -> None:
    cart = await cup_and_cart(shop, api)
    assert (await deliveries.seen(api, cart))["requirements"] == []
    standard = await deliveries.option(shop, days_min=2, days_max=4)
    before = await deliveries.seen(api, cart)
    assert before["requirements"] == [
        {"code": "DELIVERY", "step": "DELIVERY", "mutation": "cartSetDelivery", "path": ["optionId"]}
    ]
    assert (before["delivery"], before["totals"]["shipping"]) == (None, money("0.00", "0.00", "0.00"))
    assert refusal(await complete(api, cart))["requirements"][0]["code"] == "DELIVERY"
    await nothing_was_begun(shop)

    chosen = await deliveries.choose(api, cart, standard)
    assert chosen["requirements"] == []
    assert chosen["version"] == before["version"] + 1
    price = money("4.13", "0.87", "5.00")
    assert chosen["delivery"] == {
        "optionId": standard,
        "code": "standard",
        "name": "Standard",
        "price": price,
        "estimatedDays": {"minimum": 2, "maximum": 4},
        "isChosen": True,
        "isFallback": False,
    }
    vat = {"name": "VAT", "rate": "0.210000", "amount": {"amount": "4.34"}}
    assert chosen["totals"] == {
        "subtotal": {"amount": "20.00"},
        "shipping": price,
        "taxes": [vat],
        "total": money("20.66", "4.34", "25.00"),
    }
    total = {"amount": "25.00", "currency": "EUR"}
    placed = await api.done("cartComplete", {**cart.completion(), "expectedTotal": total}, ORDER)
    assert placed["order"]["delivery"] == {
        "code": "standard",
        "name": "Standard",
        "price": price,
        "taxes": [{"name": "VAT", "rate": "0.210000", "amount": {"amount": "0.87"}}],
        "estimatedDays": {"minimum": 2, "maximum": 4},
    }
    assert placed["order"]["shipping"] == price
    assert placed["order"]["total"] == chosen["totals"]["total"]
    assert placed["order"]["taxes"] == [vat]
    await carts.execute(shop, "UPDATE delivery_option SET name = 'Else', tiers = '[{\"from\": 0, \"amount\": 1}]'")
    again = await api.done("cartComplete", {**cart.completion(), "expectedTotal": total}, f"accessToken {ORDER}")
    assert again["order"] == placed["order"]
    by = "order(by: {id: $id}, accessToken: $token)"
    read = await api(
        f"query ($id: ID!, $token: String) {{ {ORDER.replace('order', by, 1)} }}",
        {"id": placed["order"]["id"], "token": again["accessToken"]},
    )
    assert read["order"] == placed["order"]


async def test_the_total_that_was_agreed_is_that_with_delivery(shop: Shop, api: Api) -> None:
    cart = await cup_and_cart(shop, api)
    await deliveries.choose(api, cart, await deliveries.option(shop))
    refused = refusal(await complete(api, cart))
    assert refused["__typename"] == "PriceChanged"
    assert (refused["expected"]["amount"], refused["current"]["amount"]) == ("20.00", "25.00")
    await nothing_was_begun(shop)


async def test_what_it_costs_goes_by_one_price_by_weight_or_by_subtotal(shop: Shop, api: Api) -> None:
    cart = await cup_and_cart(shop, api, quantity=3)
    await weigh(shop, 400)
    await deliveries.option(shop, code="flat")
    weight = (Tier(0, 300), Tier(1000, 600), Tier(1201, 900))
    await deliveries.option(shop, code="weight", kind=DeliveryKind.BY_WEIGHT, tiers=weight, position=1)
    worth = (Tier(0, 700), Tier(3000, 250), Tier(3001, 100))
    await deliveries.option(shop, code="worth", kind=DeliveryKind.BY_SUBTOTAL, tiers=worth, position=2)
    heavy = (Tier(0, 100), Tier(1200, None))
    await deliveries.option(shop, code="letter", kind=DeliveryKind.BY_WEIGHT, tiers=heavy, position=3)
    assert await deliveries.offered(api, cart) == {"flat": "5.00", "weight": "6.00", "worth": "2.50"}
    await weigh(shop, 401)
    assert await deliveries.offered(api, cart) == {"flat": "5.00", "weight": "9.00", "worth": "2.50"}
    await weigh(shop, 399)
    assert await deliveries.offered(api, cart) == {"flat": "5.00", "weight": "6.00", "worth": "2.50", "letter": "1.00"}


async def test_above_a_subtotal_it_is_free_and_below_it_is_not_again(shop: Shop, api: Api) -> None:
    cart = await cup_and_cart(shop, api, quantity=2)
    standard = await deliveries.option(shop, free_from=3000)
    assert (await deliveries.choose(api, cart, standard))["totals"]["total"]["gross"]["amount"] == "25.00"
    line = (await deliveries.seen(api, cart, "lines { id }"))["lines"][0]["id"]
    for quantity, shipping in ((3, "0.00"), (2, "5.00")):
        change = {**cart.key, "lines": [{"lineId": line, "quantity": quantity}]}
        changed = await api.done("cartUpdateLines", change, f"cart {{ {deliveries.DELIVERY} }}")
        assert changed["cart"]["totals"]["shipping"]["gross"]["amount"] == shipping
        assert changed["cart"]["requirements"] == []


async def test_a_choice_that_no_longer_applies_is_required_anew(shop: Shop, api: Api) -> None:
    cart = await cup_and_cart(shop, api)
    inland = await deliveries.option(shop, code="inland", countries=("NL",))
    await deliveries.option(shop, code="abroad", countries=("DE", "NL"), position=1)
    assert (await deliveries.choose(api, cart, inland))["requirements"] == []
    german = {**given.ADDRESS, "country": "DE"}
    moved = await api.done(
        "cartSetAddresses", {**cart.key, "shippingAddress": german}, f"cart {{ {deliveries.DELIVERY} }}"
    )
    assert moved["cart"]["delivery"] is None
    assert moved["cart"]["totals"]["shipping"] == money("0.00", "0.00", "0.00")
    assert [(r["code"], r["mutation"]) for r in moved["cart"]["requirements"]] == [("DELIVERY", "cartSetDelivery")]
    assert await deliveries.offered(api, cart) == {"abroad": "5.00"}
    await carts.execute(shop, "UPDATE delivery_option SET active = false WHERE code = 'abroad'")
    stranded = await deliveries.seen(api, cart)
    assert [(r["code"], r["mutation"], r["path"]) for r in stranded["requirements"]] == [
        ("DELIVERY", "cartSetAddresses", ["shippingAddress"])
    ]
    back = await api.done(
        "cartSetAddresses", {**cart.key, "shippingAddress": given.ADDRESS}, f"cart {{ {deliveries.DELIVERY} }}"
    )
    assert back["cart"]["requirements"] == []


async def test_what_cannot_be_had_is_not_chosen(shop: Shop, api: Api) -> None:
    cart = await cup_and_cart(shop, api)
    elsewhere = await deliveries.option(shop, "us", "usps")
    german = await deliveries.option(shop, code="german", countries=("DE",))
    closed = await deliveries.option(shop, code="closed", active=False)
    heavy = await deliveries.option(shop, code="none", kind=DeliveryKind.BY_SUBTOTAL, tiers=(Tier(0, 1), Tier(1, None)))
    for option_id, error in (
        (elsewhere, ("NotFound", "NOT_FOUND", ["optionId"])),
        (closed, ("NotFound", "NOT_FOUND", ["optionId"])),
        (given.ids.encode("DeliveryOption", given.new_id()), ("NotFound", "NOT_FOUND", ["optionId"])),
        (cart.id, carts.invalid("optionId")),
        (german, carts.invalid("optionId")),
        (heavy, carts.invalid("optionId")),
    ):
        assert await carts.refused(shop, api, "cartSetDelivery", {**cart.key, "optionId": option_id}) == [error]


async def test_nothing_is_delivered_of_what_is_no_thing(shop: Shop, api: Api) -> None:
    cart = await cup_and_cart(shop, api)
    standard = await deliveries.option(shop)
    await deliveries.choose(api, cart, standard)
    await carts.execute(shop, "UPDATE variant SET requires_shipping = false")
    seen = await deliveries.seen(api, cart)
    assert (seen["requirements"], seen["delivery"]) == ([], None)
    assert seen["totals"]["total"]["gross"]["amount"] == "20.00"
    assert await deliveries.offered(api, cart) == {}


@pytest.mark.parametrize(
    ("changes", "price", "taxes"),
    [
        ({}, money("4.13", "0.87", "5.00"), {"VAT 0.210000": "8.36"}),
        (
            {"tax_treatment": DeliveryTax.OWN, "tax_rates": (("Low", Decimal("0.09")),)},
            money("4.59", "0.41", "5.00"),
            {"VAT 0.210000": "7.49", "Low 0.09": "0.41"},
        ),
        ({"tax_treatment": DeliveryTax.OWN}, money("5.00", "0.00", "5.00"), {"VAT 0.210000": "7.49"}),
        # 43.14 of 57.14 is taxed, so 3.77 of 5.00: 0.65 tax.
        ({"tax_treatment": DeliveryTax.PROPORTIONAL}, money("4.35", "0.65", "5.00"), {"VAT 0.210000": "8.14"}),
    ],
)
async def test_it_is_taxed_by_the_region_by_rates_of_its_own_or_as_the_lines_are(
    shop: Shop, api: Api, changes: dict[str, Any], price: dict[str, Any], taxes: dict[str, str]
) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", prices={"EUR": 4314})
    book = await given.product(shop, "book", prices={"EUR": 1400})
    await carts.execute(shop, "UPDATE variant SET taxable = false WHERE sku = 'BOOK-1'")
    cart = await given.cart(api, {"variantId": cup.variant}, {"variantId": book.variant})
    chosen = await deliveries.choose(api, cart, await deliveries.option(shop, **changes))
    assert chosen["totals"]["shipping"] == price
    assert {f"{tax['name']} {tax['rate']}": tax["amount"]["amount"] for tax in chosen["totals"]["taxes"]} == taxes
    total = chosen["totals"]["total"]
    assert total["gross"]["amount"] == "62.14"
    assert Decimal(total["tax"]["amount"]) == sum(map(Decimal, taxes.values()))
    assert Decimal(total["net"]["amount"]) + Decimal(total["tax"]["amount"]) == Decimal("62.14")


async def test_where_prices_are_without_tax_it_is_added_to_delivery_too(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup")
    there = api.in_country("US")
    cart = await given.cart(there, {"variantId": cup.variant, "quantity": 1})
    await there.done(
        "cartSetAddresses", {**cart.key, "shippingAddress": {**given.ADDRESS, "country": "US"}}, "__typename"
    )
    chosen = await deliveries.choose(there, cart, await deliveries.option(shop, "us", free_from=1101))
    assert chosen["totals"]["shipping"] == money("5.00", "0.41", "5.41", "USD")
    assert chosen["totals"]["subtotal"] == {"amount": "11.00"}
    assert chosen["totals"]["total"] == money("16.00", "1.32", "17.32", "USD")


async def test_the_choice_of_another_region_is_refused_by_the_database_too(shop: Shop, api: Api) -> None:
    cart = await cup_and_cart(shop, api)
    option = given.ids.decode("DeliveryOption", await deliveries.option(shop, "us", "usps"))
    with pytest.raises(Exception, match="fk_cart_delivery_option_id_region_id"):
        await carts.execute(shop, "UPDATE cart SET delivery_option_id = :option", option=option)
    assert cart.id
    assert await shop.read.value(text("SELECT count(*) FROM cart WHERE delivery_option_id IS NOT NULL")) == 0
