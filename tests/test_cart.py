"""Carts: what they hold, what they come to, what they still lack."""

from decimal import Decimal

import pytest
from sqlalchemy import select

from db import StockLevel
from domain.processes.shop import Shop
from domain.region import LocationDraft, RegionDraft, upsert_location, upsert_region
from tests import carts, given
from tests.api import Api

PRICES = {"EUR": 1000, "USD": 1100, "JPY": 1500}
TOTALS = """totals { subtotal { amount currency } taxes { name rate amount { amount } }
                     total { net { amount } tax { amount } gross { amount currency } } }"""
REQUIREMENTS = "requirements { code step mutation path lineId }"


async def test_a_new_cart_is_empty_and_tells_what_it_lacks(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    made = await api.done(
        "cartCreate",
        {},
        f"""token cart {{ status version currency region {{ code }} email shippingAddress {{ city }}
            billingAddress {{ city }} lines {{ id }} order {{ id }} {TOTALS} {REQUIREMENTS} }}""",
    )
    zero = {"amount": "0.00"}
    assert made["cart"] == {
        "status": "OPEN",
        "version": 1,
        "currency": "EUR",
        "region": {"code": "eu"},
        "email": None,
        "shippingAddress": None,
        "billingAddress": None,
        "lines": [],
        "order": None,
        "totals": {
            "subtotal": {"amount": "0.00", "currency": "EUR"},
            "taxes": [{"name": "VAT", "rate": "0.210000", "amount": zero}],
            "total": {"net": zero, "tax": zero, "gross": {"amount": "0.00", "currency": "EUR"}},
        },
        "requirements": [
            {"code": "LINES", "step": "CART", "mutation": "cartAddLines", "path": ["lines"], "lineId": None},
            {"code": "EMAIL", "step": "CONTACT", "mutation": "cartSetCustomer", "path": ["email"], "lineId": None},
            {
                "code": "SHIPPING_ADDRESS",
                "step": "ADDRESS",
                "mutation": "cartSetAddresses",
                "path": ["shippingAddress"],
                "lineId": None,
            },
        ],
    }
    assert len(made["token"]) == 32


async def test_a_cart_can_begin_with_lines_and_a_contact(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    made = await api.done(
        "cartCreate",
        {"email": "Sam@Shop.Example", "lines": [{"variantId": cup.variant, "quantity": 2}, {"variantId": cup.variant}]},
        "cart { email lines { quantity title unitPrice { amount } variant { id } } requirements { code } }",
    )
    assert made["cart"] == {
        "email": "sam@shop.example",
        "lines": [
            {"quantity": 3, "title": "Paper Cup", "unitPrice": {"amount": "10.00"}, "variant": {"id": cup.variant}}
        ],
        "requirements": [{"code": "SHIPPING_ADDRESS"}],
    }


async def test_explicit_nulls_begin_an_empty_cart_as_well(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    made = await api.done("cartCreate", {"lines": None, "email": None}, "cart { email lines { id } }")
    assert made["cart"] == {"email": None, "lines": []}


@pytest.mark.parametrize(
    ("country", "total", "tax"),
    [
        ("NL", {"amount": "30.00", "currency": "EUR"}, "5.21"),
        ("US", {"amount": "35.72", "currency": "USD"}, "2.72"),
        ("JP", {"amount": "4500", "currency": "JPY"}, "409"),
    ],
)
async def test_a_cart_costs_what_it_costs_in_its_region(
    shop: Shop, api: Api, country: str, total: dict[str, str], tax: str
) -> None:
    await given.regions(shop)
    cup = await given.product(shop, prices=PRICES)
    made = await carts.bare(api.in_country(country), {"variantId": cup.variant, "quantity": 3})
    query = f"query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{ {TOTALS} }} }}"
    for reader in (api, api.in_country("NL"), api.in_country("JP")):  # whoever reads it from wherever
        shown = (await reader(query, carts.of(made)))["cart"]["totals"]["total"]
        assert shown["gross"] == total
        assert shown["tax"] == {"amount": tax}
        assert Decimal(shown["net"]["amount"]) + Decimal(tax) == Decimal(total["amount"])


async def test_a_cart_for_a_country_that_is_not_sold_to_is_not_begun(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    answer = await api.in_country("FR").answer("mutation { cartCreate(input: {}) { token } }")
    assert [e["extensions"]["code"] for e in answer["errors"]] == ["BAD_USER_INPUT"]
    assert await carts.stored(shop) == []


async def test_the_directive_wins_over_the_header(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    mutation = "mutation @inContext(country: JP) { cartCreate(input: {}) { cart { currency } } }"
    assert await api.in_country("US")(mutation) == {"cartCreate": {"cart": {"currency": "JPY"}}}


async def test_every_write_raises_the_version_by_one(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await carts.bare(api)
    (line,) = (await carts.add(api, cart, {"variantId": cup.variant}))["lines"]
    writes = {
        "cartUpdateLines": {"lines": [{"lineId": line["id"], "quantity": 4}]},
        "cartSetCustomer": {"email": "sam@shop.example"},
        "cartSetAddresses": {"shippingAddress": given.ADDRESS},
        "cartAddLines": {"lines": [{"variantId": cup.variant}, {"variantId": cup.variant}]},
        "cartRemoveLines": {"lineIds": [line["id"]]},
    }
    versions = [
        (await api.done(mutation, {**cart.key, **more}, "cart { version }"))["cart"]["version"]
        for mutation, more in writes.items()
    ]
    assert versions == [3, 4, 5, 6, 7]


async def test_requirements_come_in_the_order_of_a_checkout_and_go_when_they_are_met(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sign = await given.product(shop, "sign", brief_schema=given.BRIEF, brief_due="before_order")
    cup = await given.product(shop)
    cart = await carts.bare(api, {"variantId": sign.variant}, {"variantId": cup.variant})

    async def lacks() -> list[tuple[str, str, str, list[str], str | None]]:
        query = f"query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{ {REQUIREMENTS} }} }}"
        return [tuple(r.values()) for r in (await api(query, carts.of(cart)))["cart"]["requirements"]]

    added = await carts.add(api, cart)
    lines = {line["variant"]["id"]: line["id"] for line in added["lines"]}
    email = ("EMAIL", "CONTACT", "cartSetCustomer", ["email"], None)
    address = ("SHIPPING_ADDRESS", "ADDRESS", "cartSetAddresses", ["shippingAddress"], None)
    brief = ("BRIEF", "BRIEF", "cartSetBrief", ["brief"], lines[sign.variant])
    assert await lacks() == [email, address, brief]
    await api.done("cartSetCustomer", {**cart.key, "email": "sam@shop.example"}, "cart { id }")
    assert await lacks() == [address, brief]
    await carts.execute(shop, "UPDATE product SET status = 'draft' WHERE handle = 'paper-cup'")
    for_sale = ("FOR_SALE", "CART", "cartRemoveLines", ["lineIds"], lines[cup.variant])
    assert await lacks() == [for_sale, address, brief]
    await api.done("cartSetAddresses", {**cart.key, "shippingAddress": given.ADDRESS}, "cart { id }")
    await api.done("cartRemoveLines", {**cart.key, "lineIds": list(lines.values())}, "cart { id }")
    assert [code for code, *_ in await lacks()] == ["LINES"]
    await carts.add(api, cart, {"variantId": sign.variant, "brief": {"print_text": "Bakery"}})
    assert await lacks() == []


async def test_a_line_that_is_no_longer_for_sale_costs_nothing_and_shows_no_price(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, mug = await given.product(shop), await given.product(shop, "mug")
    cart = await carts.bare(api, {"variantId": cup.variant}, {"variantId": mug.variant})
    await carts.execute(shop, "UPDATE variant SET archived_at = now() WHERE sku = 'MUG-1'")
    query = f"""query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{
        lines {{ title unitPrice {{ amount }} total {{ gross {{ amount }} }} }} {given.TOTAL} }} }}"""
    assert (await api(query, carts.of(cart)))["cart"] == {
        "lines": [
            {"title": "Paper Cup", "unitPrice": {"amount": "10.00"}, "total": {"gross": {"amount": "10.00"}}},
            {"title": "Mug", "unitPrice": None, "total": {"gross": {"amount": "0.00"}}},
        ],
        "totals": {"total": {"gross": {"amount": "10.00", "currency": "EUR"}}},
    }


async def test_a_total_is_the_sum_of_its_lines_with_tax_counted_per_line(shop: Shop, api: Api) -> None:
    async with shop.tx() as tx:
        rates = {"City": Decimal("0.05"), "State": Decimal("0.15")}
        await upsert_region(tx, RegionDraft("net", "Net", "EUR", False, ("NL",), rates, True))
        await upsert_location(tx, LocationDraft("main", "Main"))
    pen, pin = await given.product(shop, "pen", prices={"EUR": 31}), await given.product(shop, "pin", prices={"EUR": 3})
    cart = await carts.bare(api, {"variantId": pen.variant, "quantity": 10}, {"variantId": pin.variant, "quantity": 1})
    query = f"""query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{
        {TOTALS} lines {{ total {{ net {{ amount }} tax {{ amount }} gross {{ amount }} }} }} }} }}"""
    shown = (await api(query, carts.of(cart)))["cart"]
    assert [[line["total"][part]["amount"] for part in ("net", "tax", "gross")] for line in shown["lines"]] == [
        ["3.10", "0.62", "3.72"],
        ["0.03", "0.01", "0.04"],
    ]
    assert shown["totals"] == {
        "subtotal": {"amount": "3.13", "currency": "EUR"},
        "taxes": [
            {"name": "City", "rate": "0.050000", "amount": {"amount": "0.16"}},
            {"name": "State", "rate": "0.150000", "amount": {"amount": "0.47"}},
        ],
        "total": {
            "net": {"amount": "3.13"},
            "tax": {"amount": "0.63"},
            "gross": {"amount": "3.76", "currency": "EUR"},
        },
    }


async def test_filling_a_cart_takes_nothing_from_stock(shop: Shop, api: Api) -> None:
    """Stock is held by completing, so a cart may hold more than there is."""
    await given.regions(shop)
    cup = await given.product(shop, stock=2)
    cart = await carts.bare(api, {"variantId": cup.variant, "quantity": 5})
    assert await carts.quantities(api, cart) == [5]
    assert [(level.on_hand, level.reserved) for level in await shop.read.all(select(StockLevel))] == [(2, 0)]
