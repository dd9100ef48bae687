"""Briefs on cart lines, and text that cannot be stored, wherever it is sent."""

import json
from typing import Any

from domain.processes.shop import Shop
from tests import carts, given
from tests.api import Api
from tests.carts import invalid

NESTED = {
    "type": "object",
    "properties": {
        "print_text": {"type": "string", "maxLength": 5},
        "pages": {
            "type": "array",
            "items": {"type": "object", "properties": {"ink_colour": {"enum": ["red", "blue"]}}, "required": ["size"]},
        },
    },
    "required": ["print_text"],
}
NUL = "a\0b"


async def refused(shop: Shop, api: Api, cart: given.Cart, sold: given.Sold, brief: Any) -> carts.Refused:
    lines = [{"variantId": sold.variant, "brief": brief}]
    return await carts.refused(shop, api, "cartAddLines", {**cart.key, "lines": lines})


async def test_a_brief_is_held_to_the_products_schema_with_a_path_to_each_fault(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    book = await given.product(shop, "book", brief_schema=NESTED)
    cart = await carts.bare(api)
    at = ("lines", "0", "brief")
    assert await refused(shop, api, cart, book, {}) == [invalid(*at)]
    assert await refused(shop, api, cart, book, {"print_text": 5}) == [invalid(*at, "print_text")]
    assert await refused(shop, api, cart, book, {"print_text": None}) == [invalid(*at, "print_text")]
    wrong = {"print_text": "too long", "pages": [{"size": 1, "ink_colour": "red"}, {"ink_colour": "green"}]}
    assert await refused(shop, api, cart, book, wrong) == [
        invalid(*at, "pages", "1"),
        invalid(*at, "pages", "1", "ink_colour"),
        invalid(*at, "print_text"),
    ]
    right = {"print_text": "short", "pages": [{"size": 1, "ink_colour": "red"}]}
    added = await carts.add(api, cart, {"variantId": book.variant, "brief": right})
    assert [line["brief"] for line in added["lines"]] == [right]


async def test_a_brief_can_wait_until_it_is_known(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, brief_schema=given.BRIEF)
    cart = await carts.bare(api, {"variantId": cup.variant}, {"variantId": cup.variant, "brief": None})
    assert await carts.quantities(api, cart) == [2]


async def test_a_product_without_a_schema_takes_no_brief(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await carts.bare(api)
    for brief in ({}, {"print_text": "Bakery"}):
        assert await refused(shop, api, cart, cup, brief) == [invalid("lines", "0", "brief")]
    assert len((await carts.add(api, cart, {"variantId": cup.variant, "brief": None}))["lines"]) == 1


async def test_a_brief_is_a_json_object(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, brief_schema={})
    cart = await carts.bare(api)
    for brief in ("{}", 5, [], [{}], True):
        lines = [{"variantId": cup.variant, "brief": brief}]
        assert await carts.nonsense(shop, api, "cartAddLines", {**cart.key, "lines": lines}) == ["BAD_USER_INPUT"]


async def test_a_brief_is_not_too_large_and_not_too_deep(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, brief_schema={})
    cart = await carts.bare(api)
    assert await refused(shop, api, cart, cup, {"text": "x" * 19_990}) == [invalid("lines", "0", "brief")]
    for levels in (300, 900):
        deep = json.loads('{"a":' * levels + "1" + "}" * levels)
        (refusal,) = await refused(shop, api, cart, cup, deep)
        assert refusal == invalid("lines", "0", "brief", *["a"] * 98), levels
    accepted = [{"text": "x" * 19_989}, {"deep": json.loads("[" * 90 + "]" * 90)}]
    added = await carts.add(api, cart, *({"variantId": cup.variant, "brief": brief} for brief in accepted))
    assert [line["brief"] for line in added["lines"]] == accepted


async def test_numbers_that_json_cannot_say_are_refused_in_a_brief(shop: Shop, api: Api) -> None:
    """Written into the document they do not pass through a JSON parser."""
    await given.regions(shop)
    cup = await given.product(shop, brief_schema={})
    before = await carts.stored(shop)
    for literal in ("1e999", "-1e999", "9223372036854775808", "-99999999999999999999999"):
        line = f'{{ variantId: "{cup.variant}", brief: {{ big_number: [0, {literal}] }} }}'
        answer = await api(
            f"mutation {{ cartCreate(input: {{ lines: [{line}] }}) {{ userErrors {{ __typename path }} }} }}"
        )
        assert answer["cartCreate"]["userErrors"] == [
            {"__typename": "ValidationFailed", "path": ["lines", "0", "brief", "big_number", "1"]}
        ], literal
    assert await carts.stored(shop) == before


async def test_text_that_cannot_be_stored_is_refused_where_it_stands(shop: Shop, api: Api) -> None:
    """PostgreSQL holds no U+0000: such text is the sender's mistake and not ours."""
    await given.regions(shop)
    cup = await given.product(shop, brief_schema={})
    cart = await carts.bare(api, {"variantId": cup.variant})
    address = {**given.ADDRESS, "city": NUL, "postalCode": NUL}
    brief = {"a_b": [{"c": NUL}], f"key{NUL}": 1, "e": NUL}
    at = ("lines", "0", "brief")
    cases: list[tuple[str, dict[str, Any], carts.Refused]] = [
        ("cartCreate", {"email": NUL}, [invalid("email")]),
        ("cartSetCustomer", {**cart.key, "email": NUL}, [invalid("email")]),
        ("cartSetCustomer", {"cartId": NUL, "token": NUL, "email": NUL}, [*map(invalid, ("cartId", "token", "email"))]),
        ("cartRemoveLines", {**cart.key, "lineIds": ["x", NUL]}, [invalid("lineIds", "1")]),
        ("cartUpdateLines", {**cart.key, "lines": [{"lineId": NUL, "quantity": 1}]}, [invalid("lines", "0", "lineId")]),
        (
            "cartSetAddresses",
            {**cart.key, "shippingAddress": address},
            [invalid("shippingAddress", "postalCode"), invalid("shippingAddress", "city")],
        ),
        (
            "cartAddLines",
            {**cart.key, "lines": [{"variantId": cup.variant, "brief": brief}]},
            [invalid(*at, "a_b", "0", "c"), invalid(*at)],
        ),
        ("cartComplete", {**cart.completion(NUL)}, [invalid("idempotencyKey")]),
        ("cartComplete", {**cart.completion(), "paymentProvider": NUL}, [invalid("paymentProvider")]),
    ]
    for mutation, given_, expected in cases:
        assert await carts.refused(shop, api, mutation, given_) == expected, mutation


async def test_arguments_of_queries_that_cannot_be_stored_are_bad_input(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop)
    await given.staff(shop, "tickets:read")
    staff = await given.signed_in(api, "toni@shop.example", as_staff=True)
    money = "products { nodes { variants { nodes { price { amount { formatted(locale: %s) } } } } } }"
    queries = {
        "product(by: { handle: %s }) { id }": "by.handle",
        "product(by: { id: %s }) { id }": "by.id",
        "products(after: %s) { nodes { id } }": "after",
        "products(last: 1, before: %s) { nodes { id } }": "before",
        "cart(id: %s) { id }": "id",
        'cart(id: "x", token: %s) { id }': "token",
        'order(by: { id: "x" }, accessToken: %s) { id }': "accessToken",
        "ticket(id: %s) { id }": "id",
        "tickets(state: %s) { nodes { id } }": "state",
        money: "locale",
    }
    for query, argument in queries.items():
        for text in (r'"\u0000"', r'"ab\u{0}"', '"""a\0b"""'):
            answer = await staff.answer("{ " + query % text + " }")
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], query
            assert answer["errors"][0]["extensions"]["argument"] == argument, query


async def test_half_a_surrogate_pair_is_no_text(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    for text in (r"\ud800", r"\udc00", r"\ud800\ud800"):
        query = "mutation($e: String) { cartCreate(input: { email: $e }) { token } }"
        body = f'{{"query": "{query}", "variables": {{"e": "{text}"}}}}'
        answer = await api.http.post("/graphql", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        inline = await api.answer(f'mutation {{ cartCreate(input: {{ email: "{text}" }}) {{ token }} }}')
        assert [error["extensions"]["code"] for error in inline["errors"]] == ["BAD_USER_INPUT"]
    assert await carts.stored(shop) == []


async def test_characters_outside_of_the_basic_plane_are_text_like_any_other(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, brief_schema={})
    cart = await carts.bare(api)
    brief = {"𝔓": "𠮷野家 👩‍🎨 ﷺ"}
    added = await carts.add(api, cart, {"variantId": cup.variant, "brief": brief})
    assert [line["brief"] for line in added["lines"]] == [brief]
