"""Completing a cart: one order, with its stock, whatever else happens at the same time."""

from typing import Any

import pytest
from sqlalchemy import text

from db.catalog import BriefDue
from domain.price import PriceDraft, set_prices
from domain.processes.shop import Shop
from tests import given
from tests.api import Api
from tests.carts import bare, execute
from tests.completion import complete, lines_of, nothing_was_begun, refusal
from tests.given import Cart, Sold
from tests.invariants import levels, violations

SNAPSHOT = """query O($id: ID!, $token: String!) { order(by: { id: $id }, accessToken: $token) {
  number status email subtotal { amount } total { gross { amount } } billingAddress { lastName city country }
  lines { title sku quantity imageUrl brief options { name value }
          unitPrice { amount } total { gross { amount } } } } }"""


def requirement(code: str, step: str, mutation: str, *path: str, line: str | None = None) -> dict[str, Any]:
    return {"code": code, "step": step, "mutation": mutation, "path": list(path), "lineId": line}


async def lacking(api: Api, cart: Cart) -> list[dict[str, Any]]:
    """What completion says is missing, without the wording; the cart itself says the same."""
    refused = refusal(await complete(api, cart))
    assert (refused["__typename"], refused["code"]) == ("RequirementsNotMet", "REQUIREMENTS_NOT_MET")
    assert refused["path"] == ["cartId"]
    fields = "code step message mutation path lineId"
    query = f"query C($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{ requirements {{ {fields} }} }} }}"
    told = (await api(query, {"id": cart.id, "token": cart.token}))["cart"]["requirements"]
    assert told == refused["requirements"]
    assert all(requirement.pop("message") for requirement in told)
    return told


async def test_a_completed_cart_is_one_placed_order_with_what_the_cart_showed(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, prices={"EUR": 1250})
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 3})
    assert cart.total == {"amount": "37.50", "currency": "EUR"}
    payload = await api.done(
        "cartComplete",
        cart.completion(),
        """accessToken cart { status email order { number accessToken } }
           order { number status paymentStatus workStatus email subtotal { amount } amountDue { amount }
                   total { net { amount } tax { amount } gross { amount } } taxes { name rate amount { amount } }
                   shippingAddress { city country }
                   lines { title sku quantity options { name value }
                           unitPrice { amount } total { gross { amount } } } }""",
    )
    assert payload["order"] == {
        "number": "1001",
        "status": "PLACED",
        "paymentStatus": "AUTHORISED",
        "workStatus": "NONE",
        "email": "sam@shop.example",
        "subtotal": {"amount": "37.50"},
        "amountDue": {"amount": "37.50"},
        "total": {"net": {"amount": "30.99"}, "tax": {"amount": "6.51"}, "gross": {"amount": "37.50"}},
        "taxes": [{"name": "VAT", "rate": "0.210000", "amount": {"amount": "6.51"}}],
        "shippingAddress": {"city": "Amsterdam", "country": "NL"},
        "lines": [
            {
                "title": "Paper Cup",
                "sku": "PAPER-CUP-1",
                "quantity": 3,
                "options": [{"name": "Title", "value": "Default Title"}],
                "unitPrice": {"amount": "12.50"},
                "total": {"gross": {"amount": "37.50"}},
            }
        ],
    }
    assert payload["cart"] == {
        "status": "COMPLETED",
        "email": None,
        "order": {"number": "1001", "accessToken": payload["accessToken"]},
    }


async def test_a_cart_says_all_that_it_lacks_in_the_order_of_a_checkout(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    email = requirement("EMAIL", "CONTACT", "cartSetCustomer", "email")
    address = requirement("SHIPPING_ADDRESS", "ADDRESS", "cartSetAddresses", "shippingAddress")
    empty = await bare(api)
    assert await lacking(api, empty) == [requirement("LINES", "CART", "cartAddLines", "lines"), email, address]
    banner = await given.product(shop, brief_schema=given.BRIEF, brief_due=BriefDue.BEFORE_ORDER)
    hidden = await given.product(shop, "hidden")
    cart = await bare(api, {"variantId": banner.variant}, {"variantId": hidden.variant})
    await execute(shop, "UPDATE product SET status = 'draft' WHERE handle = 'hidden'")
    briefless, unsold = await lines_of(api, cart)
    assert await lacking(api, cart) == [
        requirement("FOR_SALE", "CART", "cartRemoveLines", "lineIds", line=unsold),
        email,
        address,
        requirement("BRIEF", "BRIEF", "cartSetBrief", "brief", line=briefless),
    ]
    await api.done("cartSetCustomer", {**cart.key, "email": "sam@shop.example"}, "cart { id }")
    await api.done("cartRemoveLines", {**cart.key, "lineIds": [unsold]}, "cart { id }")
    await api.done("cartSetAddresses", {**cart.key, "shippingAddress": given.ADDRESS}, "cart { id }")
    assert [r["code"] for r in await lacking(api, cart)] == ["BRIEF"]
    await nothing_was_begun(shop)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE product SET status = 'draft'",
        "UPDATE variant SET archived_at = now()",
        "DELETE FROM price WHERE currency = 'EUR'",
    ],
)
async def test_what_is_no_longer_for_sale_cannot_be_ordered(shop: Shop, api: Api, change: str) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 2})
    await execute(shop, change)
    (line,) = await lines_of(api, cart)
    assert await lacking(api, cart) == [requirement("FOR_SALE", "CART", "cartRemoveLines", "lineIds", line=line)]
    await nothing_was_begun(shop)


async def test_a_brief_that_may_follow_later_holds_nothing_up(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    banner = await given.product(shop, brief_schema=given.BRIEF, brief_due=BriefDue.AFTER_ORDER)
    cart = await given.cart(api, {"variantId": banner.variant})
    assert (await complete(api, cart))["order"]["status"] == "PLACED"


async def test_a_price_that_changed_since_is_told_and_not_charged(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 3})
    async with shop.tx() as tx:
        await set_prices(tx, [PriceDraft(cup.keys[0], "EUR", 1250)])
    changed = {"__typename": "PriceChanged", "code": "PRICE_CHANGED", "path": ["expectedTotal"]}
    now = {"amount": "37.50", "currency": "EUR"}
    assert refusal(await complete(api, cart)) == {**changed, "expected": cart.total, "current": now}
    for other in ({"amount": "37.50", "currency": "USD"}, {"amount": "-37.50", "currency": "EUR"}):
        refused = refusal(await complete(api, cart, expectedTotal=other))
        assert refused == {**changed, "expected": other, "current": now}
    await nothing_was_begun(shop)
    payload = await complete(api, cart, expectedTotal={"amount": "37.5", "currency": "EUR"})
    assert payload["order"]["total"]["gross"] == now


async def test_an_expected_total_that_is_no_amount_of_its_currency_is_refused(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 3})
    for amount, currency, where in (("30.001", "EUR", "amount"), ("1.5", "JPY", "amount"), ("1e30", "EUR", "amount")):
        refused = refusal(await complete(api, cart, expectedTotal={"amount": amount, "currency": currency}))
        assert (refused["__typename"], refused["path"]) == ("ValidationFailed", ["expectedTotal", where])
    await nothing_was_begun(shop)


async def test_only_who_has_the_cart_can_complete_it(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart, other = [await given.cart(api, {"variantId": cup.variant}) for _ in range(2)]
    for token in (other.token, "", None):
        refused = refusal(await complete(api, cart, token=token))
        assert refused == {"__typename": "NotFound", "code": "NOT_FOUND", "path": ["cartId"]}
    await nothing_was_begun(shop)


async def test_a_payment_provider_that_the_shop_does_not_have_is_refused(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant})
    refused = refusal(await complete(api, cart, paymentProvider="barter"))
    assert refused == {"__typename": "ValidationFailed", "code": "VALIDATION_FAILED", "path": ["paymentProvider"]}
    await nothing_was_begun(shop)
    document = "mutation Do($input: CartCompleteInput!) { cartComplete(input: $input) { order { id } } }"
    answer = await api.answer(document, {"input": {**cart.completion(), "paymentProvider": None}})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    await nothing_was_begun(shop)
    assert (await complete(api, cart, paymentProvider="manual"))["order"]["status"] == "PLACED"


async def test_what_costs_nothing_needs_no_payment(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sample = await given.product(shop, "sample", stock=5, prices={"EUR": 0})
    cart = await given.cart(api, {"variantId": sample.variant, "quantity": 2})
    status = "order { id number status paymentStatus amountDue { amount } } cart { status }"
    first, again = [await api.done("cartComplete", cart.completion(), status) for _ in range(2)]
    assert first == again
    order = {name: value for name, value in first["order"].items() if name != "id"}
    free = {"status": "PLACED", "paymentStatus": "NOT_REQUIRED", "amountDue": {"amount": "0.00"}}
    assert order == {"number": "1001", **free}
    assert first["cart"] == {"status": "COMPLETED"}
    assert await shop.read.value(text("SELECT count(*) FROM payment_attempt")) == 0
    assert await levels(shop.read) == [("SAMPLE-1", "main", 5, 0, 2)]
    assert await violations(shop.read) == []


async def change_everything(shop: Shop, cup: Sold) -> None:
    """Nothing about the product is as it was when it was ordered."""
    async with shop.tx() as tx:
        await set_prices(tx, [PriceDraft(cup.keys[0], "EUR", 9999)])
    for change in (
        "UPDATE product SET title = 'Renamed', brief_schema = NULL, status = 'draft'",
        "UPDATE variant SET sku = sku || '-RENAMED', media_id = NULL",
        "UPDATE product_option SET name = 'Renamed'",
        "UPDATE option_value SET name = name || ' renamed'",
        "DELETE FROM media",
        "UPDATE tax_rate SET rate = 0.5",
        "UPDATE cart SET email = 'kim@shop.example', billing_address = '{}', shipping_address = '{}'",
        "DELETE FROM cart_line",
    ):
        await execute(shop, change)


async def test_an_order_stays_as_it_was_agreed_whatever_the_catalogue_says_later(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, options={"Size": ("Small", "Large")}, brief_schema=given.BRIEF)
    await execute(
        shop,
        "INSERT INTO media (id, product_id, url, rank) SELECT :id, id, 'https://img.example/cup.jpg', 1 FROM product",
        id=cup.keys[0],
    )
    await execute(shop, "UPDATE variant SET media_id = :id", id=cup.keys[0])
    line = {"variantId": cup.variants[1], "quantity": 2, "brief": {"print_text": "Bakery"}}
    order = await given.order(api, line)
    read = {"id": order["id"], "token": order["accessToken"]}
    agreed = (await api(SNAPSHOT, read))["order"]
    assert agreed == {
        "number": "1001",
        "status": "PLACED",
        "email": "sam@shop.example",
        "subtotal": {"amount": "20.00"},
        "total": {"gross": {"amount": "20.00"}},
        "billingAddress": {"lastName": "Baker", "city": "Amsterdam", "country": "NL"},
        "lines": [
            {
                "title": "Paper Cup",
                "sku": "PAPER-CUP-2",
                "quantity": 2,
                "imageUrl": "https://img.example/cup.jpg",
                "brief": {"print_text": "Bakery"},
                "options": [{"name": "Size", "value": "Large"}],
                "unitPrice": {"amount": "10.00"},
                "total": {"gross": {"amount": "20.00"}},
            }
        ],
    }
    await change_everything(shop, cup)
    assert (await api(SNAPSHOT, read))["order"] == agreed


async def test_order_numbers_rise(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    orders = [await given.order(api, {"variantId": cup.variant}) for _ in range(3)]
    assert [order["number"] for order in orders] == ["1001", "1002", "1003"]
    assert await violations(shop.read) == []


async def test_a_checkout_of_one_line_costs_at_most_sixty_statements(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, options={"Size": ("Small", "Large")}, brief_schema=given.BRIEF)
    assert api.database is not None
    before = api.database.statements
    order = await given.order(api, {"variantId": cup.variant, "quantity": 2, "brief": {"print_text": "Bakery"}})
    assert api.database.statements - before <= 60
    assert order["status"] == "PLACED"
