"""Carts that were left, and carts that are made anew of what was ordered."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.processes.prune import prune
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.api import Api

AGAIN = """token cart { id email currency
  lines { quantity brief variant { id } unitPrice { amount } } requirements { code } }"""
LEFT_OUT = "warnings { __typename path ... on LeftOut { variantId title quantity isBriefOnly } }"


async def left(shop: Shop) -> set[Any]:
    return {ids.encode("Cart", row.id) for row in await shop.read.records(text("SELECT id FROM cart"))}


async def age(shop: Shop, days: float, cart: given.Cart) -> None:
    change = "UPDATE cart SET updated_at = now() - make_interval(days => 1) * :days WHERE id = :id"
    await carts.execute(shop, change, days=days, id=ids.decode("Cart", cart.id))


async def test_carts_that_nobody_touched_go_a_customers_later_than_a_guests(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = (await given.product(shop)).variant
    sam = await given.caller(shop, api, "customer")
    guests = [(await carts.bare(api, {"variantId": cup}), days) for days in (29.9, 30.1)]
    sams = [(await carts.bare(sam, {"variantId": cup}), days) for days in (30.1, 89.9, 90.1)]
    for cart, days in (*guests, *sams):
        await age(shop, days, cart)
    assert await prune(shop) == 2
    kept = {cart.id for cart, days in guests if days < 30} | {cart.id for cart, days in sams if days < 90}
    assert await left(shop) == kept
    assert await prune(shop) == 0
    lines = await shop.read.value(text("SELECT count(*) FROM cart_line"))
    assert lines == len(kept)


async def test_no_cart_goes_that_any_payment_was_begun_for(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = (await given.product(shop)).variant
    completed, declined, paying, bare = [await given.cart(api, {"variantId": cup}) for _ in range(4)]
    for cart in (completed, declined, paying):
        await api.done("cartComplete", cart.completion(), given.ORDER)
    for cart, status in ((declined, "open"), (paying, "paying")):
        await carts.execute(
            shop,
            "UPDATE cart SET status = :status, completed_at = NULL WHERE id = :id",
            status=status,
            id=ids.decode("Cart", cart.id),
        )
    for cart in (completed, declined, paying, bare):
        await age(shop, 1000, cart)
    assert await prune(shop) == 1
    assert await left(shop) == {completed.id, declined.id, paying.id}


async def test_a_cart_that_is_being_written_stays_and_very_many_go_in_parts(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    made = [await carts.bare(api) for _ in range(1)]
    copies = """INSERT INTO cart (id, token_hash, region_id, channel_id, currency, updated_at)
        SELECT gen_random_uuid(), n::text, region_id, channel_id, currency, now() - interval '31 days'
        FROM cart, generate_series(1, 250) AS n"""
    await carts.execute(shop, copies)
    await age(shop, 31, made[0])
    async with shop.tx() as tx:
        lock = text("SELECT id FROM cart WHERE id = :id FOR UPDATE")
        await tx.records(lock.bindparams(id=ids.decode("Cart", made[0].id)))
        assert await prune(shop) == 250
    assert await left(shop) == {made[0].id}
    assert shop.keeping.guests == timedelta(days=30)


async def bought(shop: Shop, api: Api) -> tuple[dict[str, Any], given.Sold, given.Sold]:
    await given.regions(shop)
    cup = await given.product(shop, "cup", brief_schema=given.BRIEF)
    lid = await given.product(shop, "lid")
    brief = {"print_text": "Hello"}
    lines = ({"variantId": cup.variant, "quantity": 3, "brief": brief}, {"variantId": lid.variant, "quantity": 2})
    return await given.order(api, *lines), cup, lid


async def test_a_cart_of_an_order_has_its_lines_at_the_prices_of_today(shop: Shop, api: Api) -> None:
    order, cup, lid = await bought(shop, api)
    await carts.execute(shop, "UPDATE price SET amount = 1200 WHERE currency = 'EUR'")
    again = await api.done("cartCreateFromOrder", {"orderId": order["id"], "accessToken": order["accessToken"]}, AGAIN)
    assert again["cart"]["lines"] == [
        {
            "quantity": 3,
            "brief": {"print_text": "Hello"},
            "variant": {"id": cup.variant},
            "unitPrice": {"amount": "12.00"},
        },
        {"quantity": 2, "brief": None, "variant": {"id": lid.variant}, "unitPrice": {"amount": "12.00"}},
    ]
    assert (again["cart"]["email"], again["warnings"]) == (None, [])
    assert [one["code"] for one in again["cart"]["requirements"]] == ["EMAIL", "SHIPPING_ADDRESS"]
    cart = given.Cart(again["cart"]["id"], again["token"], {})
    assert await carts.quantities(api, cart) == [3, 2]


async def test_what_is_not_for_sale_any_more_is_left_out_and_so_is_a_brief_that_does_not_fit(
    shop: Shop, api: Api
) -> None:
    order, cup, lid = await bought(shop, api)
    await carts.execute(shop, "UPDATE product SET status = 'draft' WHERE handle = 'lid'")
    await carts.execute(
        shop, """UPDATE product SET brief_schema = '{"type": "object", "required": ["size"]}' WHERE handle = 'cup'"""
    )
    called = "made: cartCreateFromOrder(input: $input)"
    document = f"mutation ($input: CartCreateFromOrderInput!) {{ {called} {{ {AGAIN} {LEFT_OUT} }} }}"
    given_ = {"orderId": order["id"], "accessToken": order["accessToken"]}
    made = (await api(document, {"input": given_}))["made"]
    assert [(line["quantity"], line["brief"]) for line in made["cart"]["lines"]] == [(3, None)]
    about = {"__typename": "LeftOut", "path": ["orderId"]}
    assert made["warnings"] == [
        {**about, "variantId": lid.variant, "title": "Lid", "quantity": 2, "isBriefOnly": False},
        {**about, "variantId": cup.variant, "title": "Cup", "quantity": 3, "isBriefOnly": True},
    ]


@pytest.mark.parametrize("who", ["nobody", "customer", "staff"])
async def test_nobody_else_makes_a_cart_of_an_order(shop: Shop, api: Api, who: str) -> None:
    order, _, _ = await bought(shop, api)
    stranger = await given.caller(shop, api, who, "tickets:read")
    for token in (None, "", "nonsense"):
        told = await carts.refused(
            shop, stranger, "cartCreateFromOrder", {"orderId": order["id"], "accessToken": token}
        )
        assert told == [("NotFound", "NOT_FOUND", ["orderId"])]
    unknown = {"orderId": ids.encode("Order", given.new_id())}
    assert await carts.refused(shop, stranger, "cartCreateFromOrder", unknown) == [
        ("NotFound", "NOT_FOUND", ["orderId"])
    ]
    if who == "staff":
        seeing = await given.caller(shop, api, "staff", "orders:read")
        made = await seeing.done("cartCreateFromOrder", {"orderId": order["id"]}, AGAIN)
        assert len(made["cart"]["lines"]) == 2
