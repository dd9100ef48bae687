"""Lines of carts: adding, changing and removing them, and how many units and lines there may be."""

import json
from typing import Any

from sqlalchemy import select

from db import Region
from db.connection import new_id
from domain.money import LARGEST
from domain.price import PriceDraft, set_prices
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.api import Api
from tests.carts import invalid

ANY_BRIEF = {"type": "object"}
FOREIGN_LINE = ("NotFound", "NOT_FOUND", ["lines", "0", "lineId"])


async def sold(shop: Shop, handle: str = "paper-cup", **columns: Any) -> given.Sold:
    await given.regions(shop)
    return await given.product(shop, handle, **columns)


async def test_adding_a_variant_twice_accumulates_on_its_line(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    cart = await carts.bare(api)
    (first,) = (await carts.add(api, cart, {"variantId": cup.variant, "quantity": 2}))["lines"]
    (line,) = (await carts.add(api, cart, {"variantId": cup.variant}))["lines"]
    assert line == {"id": first["id"], "quantity": 3, "brief": None, "variant": {"id": cup.variant}}


async def test_the_same_variant_several_times_in_one_call_is_one_line(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    cart = await carts.bare(api)
    added = await carts.add(api, cart, *({"variantId": cup.variant, "quantity": n} for n in (1, 2, 3)))
    assert [line["quantity"] for line in added["lines"]] == [6]
    assert added["version"] == 2


async def test_another_brief_is_another_line_and_the_same_one_in_any_order_is_not(shop: Shop, api: Api) -> None:
    cup = await sold(shop, brief_schema=ANY_BRIEF)
    cart = await carts.bare(api)
    briefs: list[tuple[str, list[int]]] = [
        ('{"print": "Bakery", "at": {"x": 1, "y": [1, 2]}}', [1]),
        ('{"at": {"y": [1, 2], "x": 1}, "print": "Bakery"}', [2]),
        ('{"at": {"y": [2, 1], "x": 1}, "print": "Bakery"}', [2, 1]),
        ('{"print": "bakery", "at": {"x": 1, "y": [1, 2]}}', [2, 1, 1]),
        ("{}", [2, 1, 1, 1]),
        ("null", [2, 1, 1, 1, 1]),
    ]
    for written, expected in briefs:
        added = await carts.add(api, cart, {"variantId": cup.variant, "brief": json.loads(written)})
        assert [line["quantity"] for line in added["lines"]] == expected, written
    added = await carts.add(api, cart, {"variantId": cup.variant})  # no brief is the same as null
    assert [line["quantity"] for line in added["lines"]] == [2, 1, 1, 1, 2]


async def test_lines_stay_in_the_order_of_adding(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    made = [await given.product(shop, handle) for handle in ("cup", "mug", "box")]
    cart = await carts.bare(api)
    for index in (2, 0, 1, 0):
        await carts.add(api, cart, {"variantId": made[index].variant})
    shown = await carts.add(api, cart)
    assert [line["variant"]["id"] for line in shown["lines"]] == [made[i].variant for i in (2, 0, 1)]


async def test_adding_nothing_changes_nothing(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api)
    before = await carts.stored(shop)
    assert await carts.add(api, cart) == {"id": cart.id, "version": 1, "lines": []}
    assert await carts.stored(shop) == before


async def test_a_quantity_is_1_to_a_million(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    cart = await carts.bare(api)
    for quantity in (0, -1, 1_000_001, -(2**31), 2**31 - 1):
        given_ = {**cart.key, "lines": [{"variantId": cup.variant}, {"variantId": cup.variant, "quantity": quantity}]}
        assert await carts.refused(shop, api, "cartAddLines", given_) == [invalid("lines", "1", "quantity")], quantity
    (line,) = (await carts.add(api, cart, {"variantId": cup.variant, "quantity": 1_000_000}))["lines"]
    assert line["quantity"] == 1_000_000
    for quantity in (-1, 1_000_001):
        given_ = {**cart.key, "lines": [{"lineId": line["id"], "quantity": quantity}]}
        assert await carts.refused(shop, api, "cartUpdateLines", given_) == [invalid("lines", "0", "quantity")]


async def test_what_is_no_whole_number_of_32_bits_is_no_quantity(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    cart = await carts.bare(api)
    (line,) = (await carts.add(api, cart, {"variantId": cup.variant}))["lines"]
    for quantity in (2**31, -(2**31) - 1, 10**18, 1.5, "1", "", None, True, [1, 2], {"a": 1}):
        added = {**cart.key, "lines": [{"variantId": cup.variant, "quantity": quantity}]}
        assert set(await carts.nonsense(shop, api, "cartAddLines", added)) == {"BAD_USER_INPUT"}, quantity
        changed = {**cart.key, "lines": [{"lineId": line["id"], "quantity": quantity}]}
        assert set(await carts.nonsense(shop, api, "cartUpdateLines", changed)) == {"BAD_USER_INPUT"}, quantity


async def test_nonsense_written_into_the_document_is_no_quantity_either(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    for literal in ("NaN", "Infinity", "1.5", "1e3", '"1"', "2147483648", "null", "- 1"):
        line = f'{{ variantId: "{cup.variant}", quantity: {literal} }}'
        answer = await api.answer(f"mutation {{ cartCreate(input: {{ lines: [{line}] }}) {{ token }} }}")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], literal
    assert await carts.stored(shop) == []


async def test_a_line_never_gets_more_than_a_million_units(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    mug = await given.product(shop, "mug")
    cart = await carts.bare(api, {"variantId": cup.variant, "quantity": 1_000_000})
    one_more = {**cart.key, "lines": [{"variantId": mug.variant}, {"variantId": cup.variant}]}
    assert await carts.refused(shop, api, "cartAddLines", one_more) == [invalid("lines")]
    halves = [{"variantId": mug.variant, "quantity": quantity} for quantity in (500_000, 500_000, 1)]
    assert await carts.refused(shop, api, "cartAddLines", {**cart.key, "lines": halves}) == [
        invalid("lines", "2", "quantity")
    ]


async def test_a_cart_has_at_most_500_lines(shop: Shop, api: Api) -> None:
    cup = await sold(shop, brief_schema=ANY_BRIEF)
    cart = await carts.bare(api)
    lines = [{"variantId": cup.variant, "brief": {"n": n}} for n in range(501)]
    assert await carts.refused(shop, api, "cartAddLines", {**cart.key, "lines": lines}) == [invalid("lines")]
    added = await carts.add(api, cart, *lines[:500])
    assert len(added["lines"]) == 500
    assert await carts.refused(shop, api, "cartAddLines", {**cart.key, "lines": lines[500:]}) == [invalid("lines")]
    added = await carts.add(api, cart, lines[0])  # one more unit is no more lines
    assert [line["quantity"] for line in added["lines"]] == [2, *[1] * 499]


async def test_changing_a_line_sets_its_quantity_and_0_removes_it(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    mug = await given.product(shop, "mug")
    cart = await carts.bare(api)
    lines = (await carts.add(api, cart, {"variantId": cup.variant, "quantity": 7}, {"variantId": mug.variant}))["lines"]
    first, second = (line["id"] for line in lines)

    async def change(*changes: tuple[str, int]) -> list[tuple[str, int]]:
        asked = [{"lineId": line, "quantity": quantity} for line, quantity in changes]
        payload = await api.done("cartUpdateLines", {**cart.key, "lines": asked}, carts.LINES)
        return [(line["id"], line["quantity"]) for line in payload["cart"]["lines"]]

    assert await change((first, 3)) == [(first, 3), (second, 1)]
    assert await change((first, 5), (first, 4)) == [(first, 4), (second, 1)]
    assert await change((first, 0), (first, 9)) == [(first, 9), (second, 1)]
    assert await change((first, 9), (second, 2), (first, 0)) == [(second, 2)]


async def test_a_line_of_another_cart_cannot_be_changed_or_removed(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    cart, other = await carts.bare(api), await carts.bare(api)
    (mine,) = (await carts.add(api, cart, {"variantId": cup.variant}))["lines"]
    (theirs,) = (await carts.add(api, other, {"variantId": cup.variant}))["lines"]
    random = ids.encode("CartLine", new_id())
    for foreign in (theirs["id"], random):
        changes = [{"lineId": foreign, "quantity": 0}, {"lineId": mine["id"], "quantity": 5}]
        assert await carts.refused(shop, api, "cartUpdateLines", {**cart.key, "lines": changes}) == [FOREIGN_LINE]
        removed = {**cart.key, "lineIds": [mine["id"], foreign]}
        assert await carts.refused(shop, api, "cartRemoveLines", removed) == [
            ("NotFound", "NOT_FOUND", ["lineIds", "1"])
        ]


async def test_every_wrong_line_is_told_at_once(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    cart = await carts.bare(api, {"variantId": cup.variant})
    line, foreign = ids.encode("CartLine", new_id()), ids.encode("Variant", new_id())
    changes = [
        {"lineId": "cartline_nonsense", "quantity": 1},
        {"lineId": line, "quantity": -1},
        {"lineId": cup.variant, "quantity": 1},
    ]
    assert await carts.refused(shop, api, "cartUpdateLines", {**cart.key, "lines": changes}) == [
        invalid("lines", "0", "lineId"),
        invalid("lines", "1", "quantity"),
        invalid("lines", "2", "lineId"),
    ]
    assert await carts.refused(shop, api, "cartRemoveLines", {**cart.key, "lineIds": ["x", line, ""]}) == [
        invalid("lineIds", "0"),
        invalid("lineIds", "2"),
    ]
    not_for_sale = ("NotForSale", "NOT_FOR_SALE", ["lines", "0", "variantId"])
    added = [{"variantId": foreign}, {"variantId": cup.variant, "brief": {}}]
    assert await carts.refused(shop, api, "cartAddLines", {**cart.key, "lines": added}) == [
        not_for_sale,
        invalid("lines", "1", "brief"),
    ]


async def test_removing_takes_lines_out_and_removing_them_again_is_refused(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    mug = await given.product(shop, "mug")
    cart = await carts.bare(api)
    lines = (await carts.add(api, cart, {"variantId": cup.variant}, {"variantId": mug.variant}))["lines"]
    out = {**cart.key, "lineIds": [lines[0]["id"], lines[0]["id"]]}
    payload = await api.done("cartRemoveLines", out, carts.LINES)
    assert [line["id"] for line in payload["cart"]["lines"]] == [lines[1]["id"]]
    assert payload["cart"]["version"] == 3
    assert await carts.refused(shop, api, "cartRemoveLines", out) == [
        ("NotFound", "NOT_FOUND", ["lineIds", "0"]),
        ("NotFound", "NOT_FOUND", ["lineIds", "1"]),
    ]


NOT_FOR_SALE = (
    "UPDATE product SET status = 'draft' WHERE id = :product",
    "UPDATE product SET status = 'proposed' WHERE id = :product",
    "UPDATE product SET status = 'rejected' WHERE id = :product",
    "UPDATE variant SET archived_at = now() WHERE product_id = :product",
    "DELETE FROM price USING variant WHERE variant.id = variant_id AND product_id = :product AND currency = 'EUR'",
    """UPDATE price SET region_id = (SELECT id FROM region WHERE code = 'us')
       FROM variant WHERE variant.id = variant_id AND product_id = :product""",
)


async def test_what_is_not_for_sale_cannot_be_put_into_a_cart(shop: Shop, api: Api) -> None:
    cup = await sold(shop)
    cart = await carts.bare(api, {"variantId": cup.variant})
    for number, why in enumerate(NOT_FOR_SALE):
        mug = await given.product(shop, f"mug-{number}")
        await carts.execute(shop, why, product=ids.decode("Product", mug.product))
        lines = [{"variantId": mug.variant, "quantity": 2}]
        refusal = [("NotForSale", "NOT_FOR_SALE", ["lines", "0", "variantId"])]
        assert await carts.refused(shop, api, "cartAddLines", {**cart.key, "lines": lines}) == refusal, why
        assert await carts.refused(shop, api, "cartCreate", {"lines": lines}) == refusal, why


async def test_not_for_sale_names_the_variant_that_was_asked_for(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    unknown = ids.encode("Variant", new_id())
    answer = await api(
        """mutation ($lines: [CartLineInput!]) { cartCreate(input: { lines: $lines }) {
           userErrors { code ... on NotForSale { variantId } } } }""",
        {"lines": [{"variantId": unknown}]},
    )
    assert answer["cartCreate"]["userErrors"] == [{"code": "NOT_FOR_SALE", "variantId": unknown}]


async def test_a_price_of_the_region_alone_is_enough_to_be_for_sale(shop: Shop, api: Api) -> None:
    cup = await sold(shop, prices={"USD": 1})
    europe = await shop.read.one(select(Region).where(Region.code == "eu"))
    async with shop.tx() as tx:
        await set_prices(tx, [PriceDraft(cup.keys[0], "EUR", 700, region_id=europe.id)])
    cart = await carts.bare(api, {"variantId": cup.variant, "quantity": 2})
    assert cart.total == {"amount": "14.00", "currency": "EUR"}


async def test_what_is_no_id_of_a_variant_is_told_so(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    key = "01h455vb4pex5vsknk084sn02q"
    for wrong in ("", "variant", "variant_", f"variant_{key[:-1]}", f"prod_{key}", f"VARIANT_{key}", "x" * 50_000):
        lines = {"lines": [{"variantId": wrong}]}
        assert await carts.refused(shop, api, "cartCreate", lines) == [invalid("lines", "0", "variantId")], wrong[:40]


async def test_a_cart_that_would_come_to_more_than_can_be_counted_is_refused(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    palace = await given.product(shop, "palace", prices={"EUR": 2**60})
    cart = await given.cart(api, {"variantId": palace.variant, "quantity": 1})
    added = await api.do("cartAddLines", {**cart.key, "lines": [{"variantId": palace.variant}]}, "cart { version }")
    named = [("ValidationFailed", ["lines", "0", "quantity"])]
    assert [(e["__typename"], e["path"]) for e in added["userErrors"]] == named
    query = "query C($id: ID!, $t: String) { cart(id: $id, token: $t) { lines { id quantity } } }"
    (line,) = (await api(query, {"id": cart.id, "t": cart.token}))["cart"]["lines"]
    assert line["quantity"] == 1
    more = {**cart.key, "lines": [{"lineId": line["id"], "quantity": 2}]}
    changed = await api.do("cartUpdateLines", more, "cart { version }")
    assert [(e["__typename"], e["path"]) for e in changed["userErrors"]] == named
    cup = await given.product(shop, "cup", prices={"EUR": 100})
    both = {
        **cart.key,
        "lines": [{"variantId": cup.variant}, {"variantId": palace.variant}, {"variantId": cup.variant}],
    }
    refused = [invalid("lines", "1", "quantity")]  # the cups are not what is too much
    assert await carts.refused(shop, api, "cartAddLines", both) == refused


async def test_a_cart_whose_prices_rise_beyond_what_can_be_counted_says_which_line_has_too_many(
    shop: Shop, api: Api
) -> None:
    await given.regions(shop)
    cup, palace = (
        await given.product(shop, "cup"),
        await given.product(shop, "palace", prices={"EUR": 1, "USD": LARGEST}),
    )
    cart = await given.cart(api, {"variantId": cup.variant}, {"variantId": palace.variant, "quantity": 1_000})
    await given.prices(shop, PriceDraft(palace.keys[0], "EUR", LARGEST))
    shown = """cart { lines { id quantity unitPrice { minorUnits } total { gross { minorUnits } } }
        totals { total { gross { minorUnits } } } requirements { code lineId mutation } warnings { __typename } }"""
    query = f"query C($id: ID!, $token: String) {{ {shown.replace('cart', 'cart(id: $id, token: $token)', 1)} }}"
    read = (await api(query, carts.of(cart)))["cart"]
    lines = [(line["unitPrice"]["minorUnits"], line["total"]["gross"]["minorUnits"]) for line in read["lines"]]
    assert lines == [("1000", "1000"), (str(LARGEST), "0")]
    assert read["totals"]["total"]["gross"]["minorUnits"] == "1000"
    too_many = {"code": "QUANTITY", "lineId": read["lines"][1]["id"], "mutation": "cartUpdateLines"}
    assert read["requirements"] == [too_many]
    assert read["warnings"] == [{"__typename": "PriceChangedSince"}]
    (refusal,) = (
        await api.do(
            "cartComplete",
            {**cart.completion(), "expectedTotal": {"amount": "10.00", "currency": "EUR"}},
            "order { id }",
        )
    )["userErrors"]
    assert refusal["code"] == "REQUIREMENTS_NOT_MET"
    contact = await api.done("cartSetCustomer", {**cart.key, "email": "ann@shop.example"}, shown)
    assert contact["cart"]["requirements"] == [too_many]
    moved = await api.done("cartSetContext", {**cart.key, "to": {"country": "US"}}, shown)
    assert [r["code"] for r in moved["cart"]["requirements"]] == ["QUANTITY"]
    await api.done("cartSetContext", {**cart.key, "to": {"country": "NL"}}, "cart { id }")
    await given.prices(shop, PriceDraft(palace.keys[0], "EUR", 7))
    again = (await api(query, carts.of(cart)))["cart"]
    assert (again["requirements"], again["totals"]["total"]["gross"]["minorUnits"]) == ([], "8000")
