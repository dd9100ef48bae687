"""A cart that goes to another region, and what it tells of prices and stock that changed under it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, deliveries, given
from tests.api import Api
from tests.completion import complete, refusal

WARNINGS = """warnings { __typename code path
  ... on PriceChangedSince { lineId before { amount currency } current { amount currency } }
  ... on ShortStock { lineId available } ... on OutsideRegion { country } }"""
CART = f"""id version currency region {{ code }} delivery {{ code }} {WARNINGS}
  requirements {{ code mutation path lineId }}
  lines {{ id quantity unitPrice {{ amount currency }} total {{ gross {{ currency }} }}
           variant {{ price {{ amount {{ currency }} }} }} }}
  totals {{ subtotal {{ currency }} shipping {{ gross {{ currency }} }} total {{ gross {{ amount currency }} }} }}"""


async def told(api: Api, cart: given.Cart) -> list[dict[str, Any]]:
    return (await deliveries.seen(api, cart, WARNINGS))["warnings"]


def changed(line: str, before: str, current: str, currencies: tuple[str, str] = ("EUR", "EUR")) -> dict[str, Any]:
    money = [{"amount": a, "currency": c} for a, c in zip((before, current), currencies, strict=True)]
    facts = {"lineId": line, "before": money[0], "current": money[1]}
    return {"__typename": "PriceChangedSince", "code": "PRICE_CHANGED_SINCE", "path": ["lines", "0"], **facts}


async def move(api: Api, cart: given.Cart, **to: Any) -> dict[str, Any]:
    return await api.do("cartSetContext", {**cart.key, "to": to}, f"cart {{ {CART} }} w: warnings {{ path }} ")


async def test_in_another_region_everything_is_priced_anew_and_nothing_mixes(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup")
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 2})
    await deliveries.choose(api, cart, await deliveries.option(shop))
    document = f"""mutation ($input: CartSetContextInput!) {{
        cartSetContext(input: $input) {{ cart {{ {CART} }} {WARNINGS} }} }}"""
    moved = (await api(document, {"input": {**cart.key, "to": {"country": "US"}}}))["cartSetContext"]
    (line,) = moved["cart"]["lines"]
    assert moved["warnings"] == [
        changed(line["id"], "10.00", "11.00", ("EUR", "USD")),
        {"__typename": "OutsideRegion", "code": "OUTSIDE_REGION", "path": ["to"], "country": "NL"},
    ]
    assert (moved["cart"]["currency"], moved["cart"]["region"]["code"]) == ("USD", "us")
    assert moved["cart"]["delivery"] is None
    assert moved["cart"]["totals"]["total"]["gross"] == {"amount": "26.62", "currency": "USD"}
    assert "EUR" not in str(moved["cart"])
    assert [w["__typename"] for w in moved["cart"]["warnings"]] == ["OutsideRegion"]
    refused = refusal(await complete(api, cart))
    assert (refused["__typename"], refused["current"]) == ("PriceChanged", {"amount": "26.62", "currency": "USD"})
    back = await move(api, cart, currency="EUR")
    assert (back["cart"]["currency"], back["cart"]["totals"]["total"]["gross"]["amount"]) == ("EUR", "20.00")
    assert [r["code"] for r in back["cart"]["requirements"]] == ["DELIVERY"]


async def test_what_is_not_sold_there_is_required_to_be_taken_out(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", prices={"EUR": 1000})
    cart = await given.cart(api, {"variantId": cup.variant})
    moved = await move(api, cart, region=ids.encode("Region", await region(shop, "jp")))
    (line,) = moved["cart"]["lines"]
    assert line["unitPrice"] is None
    assert moved["cart"]["requirements"] == [
        {"code": "FOR_SALE", "mutation": "cartRemoveLines", "path": ["lineIds"], "lineId": line["id"]}
    ]
    assert [w["__typename"] for w in moved["warnings"]] == ["OutsideRegion"]


async def region(shop: Shop, code: str) -> Any:
    return await shop.read.value(text("SELECT id FROM region WHERE code = :code").bindparams(code=code))


async def test_a_place_that_is_none_is_refused(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api, {"variantId": (await given.product(shop)).variant})
    await carts.execute(shop, "UPDATE region SET currency = 'EUR' WHERE code = 'jp'")
    for to, error in (
        ({"country": "CH"}, ("NotFound", "NOT_FOUND", ["to", "country"])),
        ({"currency": "CHF"}, ("NotFound", "NOT_FOUND", ["to", "currency"])),
        ({"currency": "EUR"}, carts.invalid("to", "currency")),
        ({"region": ids.encode("Region", given.new_id())}, ("NotFound", "NOT_FOUND", ["to", "region"])),
        ({"region": cart.id}, carts.invalid("to", "region")),
    ):
        assert await carts.refused(shop, api, "cartSetContext", {**cart.key, "to": to}) == [error]
    for to in ({}, {"country": "US", "currency": "USD"}, {"country": None}, None):
        assert await carts.nonsense(shop, api, "cartSetContext", {**cart.key, "to": to}) == ["BAD_USER_INPUT"]


async def test_a_price_that_changed_is_told_until_the_next_write(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup")
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 2})
    assert await told(api, cart) == []
    await carts.execute(shop, "UPDATE price SET amount = 1250 WHERE currency = 'EUR'")
    line = (await deliveries.seen(api, cart, "lines { id }"))["lines"][0]["id"]
    for _ in range(2):
        assert await told(api, cart) == [changed(line, "10.00", "12.50")]
    written = await api.done("cartSetCustomer", {**cart.key, "email": "kim@shop.example"}, f"cart {{ {WARNINGS} }}")
    assert [w["__typename"] for w in written["warnings"]] == ["PriceChangedSince"]
    assert written["cart"]["warnings"] == []
    assert await told(api, cart) == []
    again = await api.done("cartSetCustomer", {**cart.key, "email": "kim@shop.example"}, "cart { id }")
    assert again["warnings"] == []


async def test_a_step_of_prices_that_a_change_of_quantity_reaches_is_no_news(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup")
    await given.prices(shop, given.PriceDraft(cup.keys[0], "EUR", 800, min_quantity=10))
    cart = await carts.bare(api, {"variantId": cup.variant, "quantity": 2})
    added = await api.done(
        "cartAddLines", {**cart.key, "lines": [{"variantId": cup.variant, "quantity": 8}]}, f"cart {{ {CART} }}"
    )
    assert added["cart"]["lines"][0]["unitPrice"]["amount"] == "8.00"
    assert (added["warnings"], added["cart"]["warnings"]) == ([], [])
    await carts.execute(shop, "UPDATE price SET amount = 700 WHERE min_quantity = 10")
    (news,) = await told(api, cart)
    assert (news["before"]["amount"], news["current"]["amount"]) == ("8.00", "7.00")


async def test_stock_that_is_short_is_told_and_is_shared_by_the_lines_that_want_it(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=5, brief_schema=given.BRIEF)
    printed = {"variantId": cup.variant, "quantity": 4, "brief": {"print_text": "Hello"}}
    cart = await carts.bare(api, {"variantId": cup.variant, "quantity": 3}, printed)
    lid = await given.product(shop, "lid", stock=None)
    endless = await carts.bare(api, {"variantId": lid.variant, "quantity": 99})
    lines = [line["id"] for line in (await deliveries.seen(api, cart, "lines { id }"))["lines"]]
    short = {"__typename": "ShortStock", "code": "SHORT_STOCK"}
    assert await told(api, cart) == [{**short, "path": ["lines", "1"], "lineId": lines[1], "available": 2}]
    await carts.execute(shop, "UPDATE stock_level SET on_hand = 2")
    assert await told(api, cart) == [
        {**short, "path": ["lines", "0"], "lineId": lines[0], "available": 2},
        {**short, "path": ["lines", "1"], "lineId": lines[1], "available": 0},
    ]
    assert await told(api, endless) == []


async def test_a_completed_cart_has_nothing_left_to_tell(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=2)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 2})
    await api.done("cartComplete", cart.completion(), given.ORDER)
    await carts.execute(shop, "UPDATE price SET amount = 1")
    assert await told(api, cart) == []


async def test_shipping_outside_of_the_region_is_told(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api, {"variantId": (await given.product(shop)).variant})
    abroad = {**given.ADDRESS, "country": "CH"}
    await api.done("cartSetAddresses", {**cart.key, "shippingAddress": abroad}, "cart { id }")
    outside = {"__typename": "OutsideRegion", "code": "OUTSIDE_REGION", "path": ["shippingAddress", "country"]}
    assert await told(api, cart) == [{**outside, "country": "CH"}]


@pytest.mark.parametrize("mutation", ["cartAddLines", "cartUpdateLines", "cartRemoveLines", "cartSetCustomer",
    "cartSetAddresses", "cartSetBrief", "cartSetMetadata", "cartSetContext", "cartSetDelivery"])  # fmt: skip
async def test_a_write_for_another_version_is_refused_and_says_which_there_is(
    shop: Shop, api: Api, mutation: str
) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await carts.bare(api, {"variantId": cup.variant})
    seen = await deliveries.seen(api, cart, "version lines { id }")
    line = seen["lines"][0]["id"]
    parts = {
        "cartAddLines": {"lines": [{"variantId": cup.variant}]},
        "cartUpdateLines": {"lines": [{"lineId": line, "quantity": 3}]},
        "cartRemoveLines": {"lineIds": [line]},
        "cartSetCustomer": {"email": "kim@shop.example"},
        "cartSetAddresses": {"shippingAddress": given.ADDRESS},
        "cartSetBrief": {"lineId": line, "brief": None},
        "cartSetMetadata": {"metadata": {"a": 1}},
        "cartSetContext": {"to": {"country": "US"}},
        "cartSetDelivery": {"optionId": await deliveries.option(shop)},
    }
    given_ = {**cart.key, **parts[mutation], "ifVersion": seen["version"] - 1}
    assert await carts.refused(shop, api, mutation, given_) == [("VersionConflict", "VERSION_CONFLICT", ["ifVersion"])]
    kind = f"{mutation[0].upper()}{mutation[1:]}Input"
    facts = "userErrors { ... on VersionConflict { currentVersion } }"
    document = f"mutation ($input: {kind}!) {{ done: {mutation}(input: $input) {{ cart {{ version }} {facts} }} }}"
    assert (await api(document, {"input": given_}))["done"]["userErrors"] == [{"currentVersion": seen["version"]}]
    done = (await api(document, {"input": {**given_, "ifVersion": seen["version"]}}))["done"]
    assert (done["cart"]["version"], done["userErrors"]) == (seen["version"] + 1, [])


async def test_of_two_tabs_that_write_for_one_version_one_is_told(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await carts.bare(api, {"variantId": cup.variant})
    version = (await deliveries.seen(api, cart, "version"))["version"]
    add = {**cart.key, "lines": [{"variantId": cup.variant}], "ifVersion": version}
    told_ = await asyncio.gather(*(api.do("cartAddLines", add, "cart { id }") for _ in range(4)))
    assert sorted(len(payload["userErrors"]) for payload in told_) == [0, 1, 1, 1]
    assert await carts.quantities(api, cart) == [2]


@pytest.mark.parametrize("mutation", ["cartSetBrief", "cartSetMetadata", "cartSetContext", "cartSetDelivery"])
async def test_a_cart_that_is_paying_names_the_payment(shop: Shop, api: Api, mutation: str) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant})
    await api.done("cartComplete", cart.completion(), given.ORDER)
    await carts.execute(shop, "UPDATE cart SET status = 'paying', completed_at = NULL")
    line = (await deliveries.seen(api, cart, "lines { id }"))["lines"][0]["id"]
    parts = {
        "cartSetBrief": {"lineId": line, "brief": None},
        "cartSetMetadata": {"metadata": {}},
        "cartSetContext": {"to": {"country": "US"}},
        "cartSetDelivery": {"optionId": await deliveries.option(shop)},
    }
    kind = f"{mutation[0].upper()}{mutation[1:]}Input"
    facts = "userErrors { __typename path ... on CartPaying { attemptId since } }"
    document = f"mutation ($input: {kind}!) {{ done: {mutation}(input: $input) {{ {facts} }} }}"
    (error,) = (await api(document, {"input": {**cart.key, **parts[mutation]}}))["done"]["userErrors"]
    (attempt,) = await shop.read.records(text("SELECT id, created_at FROM payment_attempt"))
    assert (error["__typename"], error["path"]) == ("CartPaying", ["cartId"])
    assert error["attemptId"] == ids.encode("PaymentAttempt", attempt.id)
    assert error["since"].startswith(attempt.created_at.isoformat()[:19])
