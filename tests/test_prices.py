"""Which price counts: of the region before the currency, of the largest quantity reached; without one not for sale."""

import asyncio
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from db import Price
from domain.money import LARGEST
from domain.price import PriceDraft
from domain.processes.shop import Shop
from domain.region import RegionDraft, upsert_region
from tests import given, pricing
from tests.api import Api

FINLAND = RegionDraft("fi", "Finland", "EUR", False, ("FI",))
PRICE = "amount { amount currency } compareAt { amount currency } taxIncluded minQuantity"
CUP = '{ product(by: {handle: "paper-cup"}) { variants { nodes { %s } } } }'


async def shop_in_two_euro_regions(shop: Shop) -> UUID:
    """The key of the region that is not the default one."""
    await given.regions(shop)
    async with shop.tx() as tx:
        return await upsert_region(tx, FINLAND)


async def priced(api: Api, country: str, *quantities: int) -> list[tuple[str, int] | None]:
    """Amount and tier of the cup's only variant when so many are bought."""
    asked = " ".join(f"p{i}: price(quantity: {n}) {{ {PRICE} }}" for i, n in enumerate(quantities))
    (variant,) = (await api.in_country(country)(CUP % asked))["product"]["variants"]["nodes"]
    found = [variant[f"p{i}"] for i in range(len(quantities))]
    return [price and (price["amount"]["amount"], price["minQuantity"]) for price in found]


async def test_the_largest_quantity_that_is_reached_counts(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, prices={"EUR": 1000})
    (variant,) = cup.keys
    tiers = ((10, 900), (100, 950), (1_000_000, 1))
    await given.prices(shop, *(PriceDraft(variant, "EUR", amount, min_quantity=n) for n, amount in tiers))
    assert await priced(api, "NL", 1, 9, 10, 99, 100, 999_999, 1_000_000) == [
        ("10.00", 1),
        ("10.00", 1),
        ("9.00", 10),
        ("9.00", 10),
        ("9.50", 100),
        ("9.50", 100),
        ("0.01", 1_000_000),
    ]


async def test_the_regions_own_price_counts_before_the_currencys_where_its_quantity_is_reached(
    shop: Shop, api: Api
) -> None:
    finland = await shop_in_two_euro_regions(shop)
    cup = await given.product(shop, prices={"EUR": 1000})
    (variant,) = cup.keys
    await given.prices(
        shop,
        PriceDraft(variant, "EUR", 900, min_quantity=10),
        PriceDraft(variant, "EUR", 700, min_quantity=100),
        PriceDraft(variant, "EUR", 950, min_quantity=5, region_id=finland),
        PriceDraft(variant, "EUR", 990, min_quantity=50, region_id=finland),
    )
    quantities = (1, 4, 5, 10, 49, 50, 100, 1_000_000)
    assert await priced(api, "FI", *quantities) == [
        ("10.00", 1),
        ("10.00", 1),
        ("9.50", 5),
        ("9.50", 5),
        ("9.50", 5),
        ("9.90", 50),
        ("9.90", 50),
        ("9.90", 50),
    ]
    of_the_currency = [("10.00", 1)] * 3 + [("9.00", 10)] * 3 + [("7.00", 100)] * 2
    assert await priced(api, "NL", *quantities) == of_the_currency


async def test_a_price_of_one_region_is_none_in_another_of_the_same_currency(shop: Shop, api: Api) -> None:
    finland = await shop_in_two_euro_regions(shop)
    cup = await given.product(shop, prices={"USD": 1100})
    await given.prices(shop, PriceDraft(cup.keys[0], "EUR", 950, region_id=finland))
    assert await priced(api, "FI", 1) == [("9.50", 1)]
    assert await priced(api, "DE", 1) == [None]
    payload = await api.do("cartCreate", {"lines": [{"variantId": cup.variant}]}, "cart { id }")
    assert payload["cart"] is None
    assert [(error["code"], error["path"]) for error in payload["userErrors"]] == [
        ("NOT_FOR_SALE", ["lines", "0", "variantId"])
    ]


async def test_what_is_only_sold_by_the_dozen_has_no_price_for_one(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, prices={"USD": 1100})
    await given.prices(shop, PriceDraft(cup.keys[0], "EUR", 0, min_quantity=12))
    assert await priced(api, "NL", 1, 11, 12) == [None, None, ("0.00", 12)]


async def test_a_price_says_whether_tax_is_in_it_and_what_it_is_compared_with(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    await given.prices(shop, PriceDraft(cup.keys[0], "EUR", 1000, compare_at=1299))
    query = CUP % f"price {{ {PRICE} }}"
    answers = {country: await api.in_country(country)(query) for country in ("NL", "US", "JP")}
    shown = {country: answer["product"]["variants"]["nodes"] for country, answer in answers.items()}

    def of(amount: str, currency: str, included: bool, compare_at: str | None = None) -> list[dict[str, Any]]:
        compared = compare_at and {"amount": compare_at, "currency": currency}
        money = {"amount": amount, "currency": currency}
        return [{"price": {"amount": money, "compareAt": compared, "taxIncluded": included, "minQuantity": 1}}]

    assert shown == {
        "NL": of("10.00", "EUR", True, "12.99"),
        "US": of("11.00", "USD", False),
        "JP": of("1500", "JPY", True),
    }


async def test_a_price_as_large_as_can_be_stored_is_shown_to_the_cent(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop, prices={"EUR": LARGEST})
    assert await priced(api, "NL", 1) == [("92233720368547758.07", 1)]


async def test_the_same_prices_set_and_taken_away_in_any_order_at_once_wait_for_each_other(shop: Shop) -> None:
    await given.regions(shop)
    keys = (await given.product(shop, options={"Size": tuple("ABCDEFGH")}, stock=None)).keys

    async def write(*amounts: int | None, backwards: bool) -> None:
        drafts = [PriceDraft(key, "EUR", amount) for key, amount in zip(keys, amounts * 4, strict=True)]
        await given.prices(shop, *(drafts[::-1] if backwards else drafts))

    for n in range(8):
        ways = ((n, n), (None, None), (None, n), (n + 1, None))
        await asyncio.gather(*(write(*way, backwards=backwards) for way in ways for backwards in (True, False)))
    await write(7, None, backwards=True)
    amounts = select(Price.amount).where(Price.currency == "EUR").order_by(Price.variant_id)
    assert await shop.read.scalars(amounts) == [7] * 4


async def test_each_variant_has_its_own_price_and_one_without_a_price_is_not_for_sale(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, options={"Size": ("S", "M", "L")}, prices={"USD": 1100})
    small, _, large = cup.keys
    await given.prices(shop, PriceDraft(small, "EUR", 100), PriceDraft(large, "EUR", 300))
    nodes = (await api(CUP % "id price { amount { amount } }"))["product"]["variants"]["nodes"]
    assert nodes == [
        {"id": variant, "price": price and {"amount": {"amount": price}}}
        for variant, price in zip(cup.variants, ("1.00", None, "3.00"), strict=True)
    ]


async def test_a_quantity_that_nobody_can_buy_is_refused(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop)
    for quantity in (0, -1, 1_000_001, 2**31 - 1):
        (error,) = (await api.answer(CUP % f"price(quantity: {quantity}) {{ {PRICE} }}"))["errors"]
        assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "quantity")
        assert error["path"] == ["product", "variants", "nodes", 0, "price"]
    for quantity in ("null", "1.5", '"1"', str(2**31), "1e3"):
        (error,) = (await api.answer(CUP % f"price(quantity: {quantity}) {{ {PRICE} }}"))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT", quantity


async def test_everything_under_a_cart_is_priced_where_the_cart_is(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, options={"Size": ("S", "L")})
    cart = await given.cart(api.in_country("JP"), {"variantId": cup.variant, "quantity": 2})
    price = "price { amount { amount currency } taxIncluded }"
    query = f"""query ($id: ID!, $token: String!) @inContext(country: US) {{
        cart(id: $id, token: $token) {{ region {{ code }} lines {{ variant {{
            {price} product {{ variants(last: 1) {{ nodes {{ {price} product {{ variants(first: 1) {{
                nodes {{ {price} }} }} }} }} }} }} }} }} }}
        product(by: {{handle: "paper-cup"}}) {{ variants(first: 1) {{ nodes {{ {price} }} }} }} }}"""
    data = await api(query, {"id": cart.id, "token": cart.token})
    yen = {"amount": {"amount": "1500", "currency": "JPY"}, "taxIncluded": True}
    dollars = {"amount": {"amount": "11.00", "currency": "USD"}, "taxIncluded": False}
    innermost = {"variants": {"nodes": [{"price": yen}]}}
    sibling = {"variants": {"nodes": [{"price": yen, "product": innermost}]}}
    assert data == {
        "cart": {"region": {"code": "jp"}, "lines": [{"variant": {"price": yen, "product": sibling}}]},
        "product": {"variants": {"nodes": [{"price": dollars}]}},
    }


async def test_a_product_tells_from_where_to_where_its_variants_cost(shop: Shop, api: Api) -> None:
    """Of the live variants that have a price in the context, each at the price that one unit has there."""
    await given.regions(shop)
    cup = await given.product(shop, options={"Size": ("S", "M", "L", "XL")}, prices={"EUR": 500, "USD": 900})
    lid = await given.product(shop, "lid")
    await given.prices(shop, *(PriceDraft(lid.keys[0], currency, None) for currency in ("EUR", "USD", "JPY")))
    small, medium, large, extra = cup.keys
    await given.prices(
        shop,
        PriceDraft(small, "EUR", 300),
        PriceDraft(large, "EUR", 999),
        PriceDraft(medium, "EUR", 100, min_quantity=10),
        PriceDraft(extra, "EUR", None),
    )
    await pricing.price_list(shop, "sale", PriceDraft(medium, "EUR", 250))
    asked = "products { nodes { priceRange { minimum { formatted } maximum { formatted } taxIncluded } } }"
    ranges: dict[str, list[Any]] = {}
    for country in ("DE", "US"):
        answer = await api(f"query @inContext(country: {country}) {{ {asked} }}")
        ranges[country] = [node["priceRange"] for node in answer["products"]["nodes"]]
    assert ranges == {
        "DE": [{"minimum": {"formatted": "€2.50"}, "maximum": {"formatted": "€9.99"}, "taxIncluded": True}, None],
        "US": [{"minimum": {"formatted": "$9.00"}, "maximum": {"formatted": "$9.00"}, "taxIncluded": False}, None],
    }
    async with shop.tx() as tx:
        await tx.run(text("UPDATE variant SET archived_at = now() WHERE id = :id").bindparams(id=large))
    after = await api(f"query @inContext(country: DE) {{ {asked} }}")
    assert after["products"]["nodes"][0]["priceRange"]["maximum"] == {"formatted": "€3.00"}
