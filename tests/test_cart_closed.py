"""Carts that are being paid for or have become an order: nothing changes them any more."""

from typing import Any

import pytest
from sqlalchemy import select

from db import Cart as CartRow
from domain.processes.shop import Shop
from tests import carts, given
from tests.api import Api

STATUSES = {
    "paying": ("CartPaying", "CART_PAYING", ["cartId"]),
    "completed": ("AlreadyCompleted", "ALREADY_COMPLETED", ["cartId"]),
}


def writes(cart: given.Cart, line: str, variant: str) -> dict[str, dict[str, Any]]:
    """An input for each mutation that changes a cart, right in every way."""
    return {
        "cartAddLines": {**cart.key, "lines": [{"variantId": variant}]},
        "cartUpdateLines": {**cart.key, "lines": [{"lineId": line, "quantity": 3}]},
        "cartRemoveLines": {**cart.key, "lineIds": [line]},
        "cartSetCustomer": {**cart.key, "email": "other@shop.example"},
        "cartSetAddresses": {**cart.key, "shippingAddress": {**given.ADDRESS, "city": "Delft"}},
        "cartComplete": cart.completion(),
    }


@pytest.mark.parametrize("status", STATUSES)
async def test_a_cart_that_is_not_open_refuses_every_write(shop: Shop, api: Api, status: str) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 2})
    (line,) = (await carts.add(api, cart))["lines"]
    await carts.execute(shop, "UPDATE cart SET status = :status", status=status)
    for mutation, given_ in writes(cart, line["id"], cup.variant).items():
        assert await carts.refused(shop, api, mutation, given_) == [STATUSES[status]], mutation
    assert await shop.read.records(select(CartRow.version, CartRow.status)) == [(3, status)]


async def test_even_nothing_is_not_added_to_a_cart_that_is_not_open(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await given.cart(api)
    for status, refusal in STATUSES.items():
        await carts.execute(shop, "UPDATE cart SET status = :status", status=status)
        for mutation, empty in (
            ("cartAddLines", "lines"),
            ("cartUpdateLines", "lines"),
            ("cartRemoveLines", "lineIds"),
        ):
            assert await carts.refused(shop, api, mutation, {**cart.key, empty: []}) == [refusal]


async def test_a_cart_that_is_being_paid_for_tells_since_when(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await given.cart(api)
    await carts.execute(shop, "UPDATE cart SET status = 'paying', updated_at = '2026-01-02T03:04:05Z'")
    answer = await api(
        """mutation ($input: CartSetCustomerInput!) { cartSetCustomer(input: $input) {
           userErrors { message ... on CartPaying { since attemptId } } } }""",
        {"input": {**cart.key, "email": "sam@shop.example"}},
    )
    assert answer["cartSetCustomer"]["userErrors"] == [
        {
            "message": "A payment for this cart is under way.",
            "since": "2026-01-02T03:04:05+00:00",
            "attemptId": None,
        }
    ]


async def test_who_has_no_right_to_a_closed_cart_does_not_learn_that_it_is_closed(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant})
    (line,) = (await carts.add(api, cart))["lines"]
    stranger = given.Cart(cart.id, "not the token", cart.total)
    for status in ("open", *STATUSES):
        await carts.execute(shop, "UPDATE cart SET status = :status", status=status)
        for mutation, given_ in writes(stranger, line["id"], cup.variant).items():
            assert await carts.refused(shop, api, mutation, given_) == [("NotFound", "NOT_FOUND", ["cartId"])]


async def test_a_completed_cart_still_shows_its_lines_and_total(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 2})
    await api.done("cartComplete", cart.completion(), "order { id }")
    shown = await api(
        f"""query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{
            status lines {{ quantity variant {{ id }} }} {given.TOTAL} }} }}""",
        carts.of(cart),
    )
    assert shown["cart"] == {
        "status": "COMPLETED",
        "lines": [{"quantity": 2, "variant": {"id": cup.variant}}],
        "totals": {"total": {"gross": cart.total}},
    }


async def test_a_completed_cart_shows_no_briefs_any_more(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, brief_schema=given.BRIEF)
    cart = await given.cart(api, {"variantId": cup.variant, "brief": {"print_text": "Sam's own words"}})
    query = "query C($id: ID!, $t: String) { cart(id: $id, token: $t) { lines { brief } } }"
    variables = {"id": cart.id, "t": cart.token}
    assert (await api(query, variables))["cart"]["lines"] == [{"brief": {"print_text": "Sam's own words"}}]
    await api.done("cartComplete", cart.completion(), "order { id }")
    assert (await api(query, variables))["cart"]["lines"] == [{"brief": None}]
