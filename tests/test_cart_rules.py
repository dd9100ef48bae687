"""Quantities that a variant is sold in, lines that count together for a price, briefs and data of lines."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from domain.price import PriceDraft
from domain.processes.shop import Shop
from domain.quantity_rule import QuantityRule
from resolvers import ids
from tests import carts, deliveries, given
from tests.api import Api
from tests.completion import complete, nothing_was_begun, refusal

RULE = "quantityRule { minimum maximum increment }"
REQUIRED = "requirements { code step mutation path lineId }"


async def by_the_dozen(shop: Shop, **rule: int) -> given.Sold:
    """Cups that are sold by the dozen: two at least, five at most."""
    await given.regions(shop)
    cup = await given.product(shop, "cup", brief_schema=given.BRIEF)
    numbers = {"low": 24, "high": 60, "step": 12, **rule}
    change = "UPDATE variant SET quantity_min = :low, quantity_max = :high, quantity_step = :step"
    await carts.execute(shop, change, **numbers)
    return cup


async def lines(api: Api, cart: given.Cart) -> list[str]:
    return [line["id"] for line in (await deliveries.seen(api, cart, "lines { id }"))["lines"]]


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        (QuantityRule(1, None, 1), (1, 7, 1_000_000), (0, -1)),
        (QuantityRule(24, 60, 12), (24, 36, 60), (12, 25, 61, 72)),
        (QuantityRule(5, None, 5), (5, 100), (4, 6, 101)),
    ],
)
def test_a_rule_allows_multiples_between_its_bounds(
    rule: QuantityRule, allowed: tuple[int, ...], refused: tuple[int, ...]
) -> None:
    assert [rule.allows(quantity) for quantity in allowed] == [True] * len(allowed)
    assert [rule.allows(quantity) for quantity in refused] == [False] * len(refused)


async def test_a_variant_tells_its_rule_and_lines_keep_to_it(shop: Shop, api: Api) -> None:
    cup = await by_the_dozen(shop)
    shown = await api(f'{{ product(by: {{handle: "cup"}}) {{ variants(first: 1) {{ nodes {{ {RULE} }} }} }} }}')
    rule = {"minimum": 24, "maximum": 60, "increment": 12}
    assert shown["product"]["variants"]["nodes"] == [{"quantityRule": rule}]
    cart = await carts.bare(api, {"variantId": cup.variant, "quantity": 24})
    broken = ("QuantityOutsideRule", "QUANTITY_OUTSIDE_RULE", ["lines", "0", "quantity"])
    for quantity in (1, 12, 13, 48):  # with the 24 that are there: 25, 36, 37, 72
        add = {**cart.key, "lines": [{"variantId": cup.variant, "quantity": quantity}]}
        if quantity == 12:
            continue
        assert await carts.refused(shop, api, "cartAddLines", add) == [broken], quantity
    (line,) = await lines(api, cart)
    for quantity in (1, 12, 25, 72):
        change = {**cart.key, "lines": [{"lineId": line, "quantity": quantity}]}
        assert await carts.refused(shop, api, "cartUpdateLines", change) == [broken], quantity
    document = """mutation ($input: CartUpdateLinesInput!) { cartUpdateLines(input: $input) { userErrors {
        ... on QuantityOutsideRule { minimum maximum increment } } } }"""
    change = {**cart.key, "lines": [{"lineId": line, "quantity": 5}]}
    assert (await api(document, {"input": change}))["cartUpdateLines"]["userErrors"] == [rule]
    assert [
        one["quantity"] for one in (await carts.add(api, cart, {"variantId": cup.variant, "quantity": 36}))["lines"]
    ] == [60]
    assert await carts.refused(
        shop, api, "cartCreate", {"lines": [{"variantId": cup.variant, "quantity": 12}, {"variantId": cup.variant}]}
    ) == [("QuantityOutsideRule", "QUANTITY_OUTSIDE_RULE", ["lines", "1", "quantity"])]
    await api.done("cartUpdateLines", {**cart.key, "lines": [{"lineId": line, "quantity": 0}]}, "cart { id }")
    assert await carts.quantities(api, cart) == []


async def test_a_rule_that_changed_later_is_a_requirement_which_a_new_quantity_meets(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup")
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 5})
    await carts.execute(shop, "UPDATE variant SET quantity_min = 4, quantity_step = 4")
    (line,) = await lines(api, cart)
    needs = {"code": "QUANTITY", "step": "CART", "mutation": "cartUpdateLines", "path": ["lines", "quantity"]}
    assert (await deliveries.seen(api, cart, REQUIRED))["requirements"] == [{**needs, "lineId": line}]
    assert refusal(await complete(api, cart))["__typename"] == "RequirementsNotMet"
    await nothing_was_begun(shop)
    changed = await api.done(
        "cartUpdateLines", {**cart.key, "lines": [{"lineId": line, "quantity": 8}]}, f"cart {{ {REQUIRED} }}"
    )
    assert changed["cart"]["requirements"] == []


@pytest.mark.parametrize(
    "rule",
    [
        "quantity_min = 0",
        "quantity_step = 0",
        "quantity_max = 0",
        "quantity_min = 3, quantity_step = 2",
        "quantity_min = 2, quantity_max = 5, quantity_step = 2",
    ],
)
async def test_a_rule_that_allows_nothing_is_refused_by_the_database(shop: Shop, rule: str) -> None:
    await given.regions(shop)
    await given.product(shop)
    with pytest.raises(Exception, match="ck_variant_quantity_rule"):
        await carts.execute(shop, f"UPDATE variant SET {rule}")


@pytest.mark.parametrize(
    ("counts", "prices"),
    [("line", ["10.00", "10.00", "10.00"]), ("variant", ["8.00", "8.00", "10.00"]), ("product", ["7.00"] * 3)],
)
async def test_lines_of_one_variant_or_product_count_together_where_it_says_so(
    shop: Shop, api: Api, counts: str, prices: list[str]
) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", options={"Size": ("S", "L")}, brief_schema=given.BRIEF)
    lid = await given.product(shop, "lid")
    for least, amount in ((10, 800), (15, 700)):
        tiers = [PriceDraft(key, "EUR", amount, min_quantity=least) for key in (*cup.keys, *lid.keys)]
        await given.prices(shop, *tiers)
    await carts.execute(shop, "UPDATE product SET price_quantity = :counts WHERE handle = 'cup'", counts=counts)
    small, large = cup.variants
    printed = {"variantId": small, "quantity": 5, "brief": {"print_text": "Hello"}}
    cart = await carts.bare(
        api,
        {"variantId": small, "quantity": 5},
        printed,
        {"variantId": large, "quantity": 5},
        {"variantId": lid.variant, "quantity": 5},
    )
    seen = await deliveries.seen(api, cart, "lines { unitPrice { amount } total { gross { amount } } }")
    assert [line["unitPrice"]["amount"] for line in seen["lines"]] == [*prices, "10.00"]
    assert seen["lines"][0]["total"]["gross"]["amount"] == f"{5 * float(prices[0]):.2f}"


async def test_a_brief_is_set_changed_and_taken_away_and_meets_the_requirement(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sign = await given.product(shop, "sign", brief_schema=given.BRIEF, brief_due="before_order")
    cart = await given.cart(api, {"variantId": sign.variant, "quantity": 2})
    (line,) = await lines(api, cart)
    select = f"cart {{ version lines {{ id quantity brief }} {REQUIRED} }}"
    needs = {"code": "BRIEF", "step": "BRIEF", "mutation": "cartSetBrief", "path": ["brief"], "lineId": line}
    for brief, required in (
        ({"print_text": "Hello"}, []),
        ({"print_text": "Bye"}, []),
        (None, [needs]),
        ({"print_text": "Hello"}, []),
    ):
        changed = await api.done("cartSetBrief", {**cart.key, "lineId": line, "brief": brief}, select)
        assert changed["cart"]["lines"] == [{"id": line, "quantity": 2, "brief": brief}]
        assert changed["cart"]["requirements"] == required
    left_out = await api.done("cartSetBrief", {**cart.key, "lineId": line}, select)
    assert left_out["cart"]["lines"][0]["brief"] is None


async def test_a_line_that_gets_the_brief_of_another_takes_its_units(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sign = await given.product(shop, "sign", brief_schema=given.BRIEF)
    hello = {"variantId": sign.variant, "quantity": 3, "brief": {"print_text": "Hello"}}
    bye = {**hello, "quantity": 4, "brief": {"print_text": "Bye"}}
    cart = await carts.bare(api, hello, bye)
    first, second = await lines(api, cart)
    document = """mutation ($input: CartSetBriefInput!) { cartSetBrief(input: $input) {
        cart { lines { id quantity brief } }
        warnings { code path ... on MergedLine { lineId quantity added } } } }"""
    given_ = {**cart.key, "lineId": second, "brief": {"print_text": "Hello"}}
    merged = (await api(document, {"input": given_}))["cartSetBrief"]
    assert merged["cart"]["lines"] == [{"id": second, "quantity": 7, "brief": {"print_text": "Hello"}}]
    facts = {"lineId": second, "quantity": 7, "added": 3}
    assert merged["warnings"] == [{"code": "MERGED_LINE", "path": ["brief"], **facts}]
    gone = await carts.refused(shop, api, "cartSetBrief", {**given_, "lineId": first})
    assert gone == [("NotFound", "NOT_FOUND", ["lineId"])]
    wrong = await carts.refused(shop, api, "cartSetBrief", {**given_, "brief": {"print_text": 5}})
    assert wrong == [carts.invalid("brief", "print_text")]


async def test_equal_briefs_that_would_be_too_many_units_stay_two_lines(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sign = await given.product(shop, "sign", brief_schema=given.BRIEF, stock=None, prices={"EUR": 1})
    full = {"variantId": sign.variant, "quantity": 600_000}
    cart = await carts.bare(api, full, {**full, "brief": {"print_text": "Hello"}})
    _, second = await lines(api, cart)
    told = await carts.refused(shop, api, "cartSetBrief", {**cart.key, "lineId": second, "brief": None})
    assert told == [carts.invalid("brief")]


async def test_a_storefront_keeps_data_with_the_cart_and_its_lines_up_to_a_size(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api, {"variantId": (await given.product(shop)).variant})
    (line,) = await lines(api, cart)
    select = "cart { metadata lines { metadata } }"
    given_ = {**cart.key, "metadata": {"gift": True, "note": "☕"}}
    kept = await api.done("cartSetMetadata", given_, select)
    assert kept["cart"] == {"metadata": given_["metadata"], "lines": [{"metadata": {}}]}
    kept = await api.done("cartSetMetadata", {**cart.key, "lineId": line, "metadata": {"n": 1}}, select)
    assert kept["cart"] == {"metadata": given_["metadata"], "lines": [{"metadata": {"n": 1}}]}
    most = {"a": "x" * (8192 - len('{"a": ""}'))}
    for part in ({}, {"lineId": line}):
        assert (await api.do("cartSetMetadata", {**cart.key, **part, "metadata": most}, select))["userErrors"] == []
        for large in ({"a": most["a"] + "x"}, {"b": [1e300] * 40}):
            told = await carts.refused(shop, api, "cartSetMetadata", {**cart.key, **part, "metadata": large})
            assert told == [carts.invalid("metadata")]
        for wrong in ([], "text", 5, True, None):
            codes = await carts.nonsense(shop, api, "cartSetMetadata", {**cart.key, **part, "metadata": wrong})
            assert codes == ["BAD_USER_INPUT"]
    unknown = {**cart.key, "lineId": ids.encode("CartLine", given.new_id()), "metadata": {}}
    assert await carts.refused(shop, api, "cartSetMetadata", unknown) == [("NotFound", "NOT_FOUND", ["lineId"])]
    assert (await api.done("cartSetMetadata", {**cart.key, "metadata": {}}, select))["cart"]["metadata"] == {}


async def test_twenty_additions_and_writes_at_once_keep_every_unit(shop: Shop, api: Api) -> None:
    cup = await by_the_dozen(shop, low=1, high=1_000, step=1)
    await deliveries.option(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 1})
    add: dict[str, Any] = {**cart.key, "lines": [{"variantId": cup.variant, "quantity": 1}]}
    writes = [api.done("cartAddLines", add, "cart { id }") for _ in range(20)]
    writes += [api.done("cartSetMetadata", {**cart.key, "metadata": {"n": n}}, "cart { id }") for n in range(10)]
    await asyncio.gather(*writes)
    assert await carts.quantities(api, cart) == [21]
    seen_ = await shop.read.records(text("SELECT seen_price, seen_quantity FROM cart_line"))
    assert [tuple(row) for row in seen_] == [(1000, 21)]
    assert (await deliveries.seen(api, cart, "version"))["version"] == 33
