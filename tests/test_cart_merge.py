"""A guest's cart and the customer's become one: nothing is lost, nothing is there twice, and the old token dies."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.api import Api, Server
from tests.test_worker import until

CART = """cart { id version email currency shippingAddress { city } lines { id quantity brief variant { id } } }
  warnings { __typename ... on MergedLine { lineId quantity added } }"""
BRIEF = {"print_text": "Hello"}


async def sam(shop: Shop, api: Api) -> Api:
    await given.regions(shop)
    await given.customer(shop)
    return await given.signed_in(api, "sam@shop.example")


async def merge(caller: Api, guest: given.Cart, **more: Any) -> dict[str, Any]:
    return await caller.do("cartMerge", {**guest.key, **more}, f"token {CART}")


def units(payload: dict[str, Any]) -> list[tuple[Any, int]]:
    return [(line["brief"], line["quantity"]) for line in payload["cart"]["lines"]]


async def opens(api: Api, cart: given.Cart) -> bool:
    found = await api("query ($id: ID!, $token: String) { cart(id: $id, token: $token) { id } }", carts.of(cart))
    return found["cart"] is not None


async def test_quantities_add_up_and_briefs_keep_lines_apart(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup", brief_schema=given.BRIEF)).variant
    lid = (await given.product(shop, "lid")).variant
    theirs = await carts.bare(customer, {"variantId": cup, "quantity": 2}, {"variantId": lid, "quantity": 1})
    printed = {"variantId": cup, "quantity": 3, "brief": BRIEF}
    guest = await given.cart(api, {"variantId": cup, "quantity": 5}, printed)
    merged = await merge(customer, guest)
    assert merged["userErrors"] == []
    assert merged["cart"]["id"] == theirs.id
    assert merged["token"] is None
    assert units(merged) == [(None, 7), (None, 1), (BRIEF, 3)]
    assert [(w["__typename"], w["quantity"], w["added"]) for w in merged["warnings"]] == [
        ("MergedLine", 7, 5),
        ("MergedLine", 3, 3),
    ]
    assert [w["lineId"] for w in merged["warnings"]] == [merged["cart"]["lines"][i]["id"] for i in (0, 2)]
    assert merged["cart"]["email"] == "sam@shop.example"
    assert merged["cart"]["shippingAddress"] == {"city": "Amsterdam"}
    assert not await opens(api, guest)
    assert not await opens(customer, guest)
    again = await merge(customer, guest)
    assert [(e["__typename"], e["path"]) for e in again["userErrors"]] == [("NotFound", ["cartId"])]
    assert await carts.quantities(customer, theirs) == [7, 1, 3]


async def test_what_the_customers_cart_says_already_stays(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    theirs = await given.cart(customer, {"variantId": cup}, email="work@shop.example")
    guest = await given.cart(api, {"variantId": cup}, email="home@shop.example")
    city = {**given.ADDRESS, "city": "Utrecht"}
    await api.done("cartSetAddresses", {**guest.key, "shippingAddress": city}, "cart { id }")
    merged = await merge(customer, guest, intoCartId=theirs.id)
    assert (merged["cart"]["email"], merged["cart"]["shippingAddress"]) == ("work@shop.example", {"city": "Amsterdam"})
    gone = await shop.read.records(
        text("SELECT email, shipping_address, token_hash FROM cart WHERE customer_id IS NULL")
    )
    assert [tuple(row) for row in gone] == [(None, None, "")]


async def test_a_line_gets_no_more_units_than_a_line_may_have(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = await given.product(shop, "cup", stock=None)
    lid = await given.product(shop, "lid")
    await carts.execute(shop, "UPDATE variant SET quantity_max = 10 WHERE sku = 'LID-1'")
    full, most = {"variantId": cup.variant, "quantity": 999_999}, {"variantId": lid.variant, "quantity": 8}
    theirs = await carts.bare(customer, full, most)
    merged = await merge(customer, await carts.bare(api, {**full, "quantity": 5}, {**most, "quantity": 5}))
    assert units(merged) == [(None, 1_000_000), (None, 10)]
    assert [(w["quantity"], w["added"]) for w in merged["warnings"]] == [(1_000_000, 1), (10, 2)]
    assert merged["cart"]["id"] == theirs.id


async def test_without_a_cart_of_their_own_the_guests_becomes_the_customers_under_a_new_token(
    shop: Shop, api: Api
) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    guest = await carts.bare(api, {"variantId": cup, "quantity": 5})
    merged = await merge(customer, guest)
    assert (merged["cart"]["id"], units(merged), merged["warnings"]) == (guest.id, [(None, 5)], [])
    assert not await opens(api, guest)
    assert await opens(api, given.Cart(guest.id, merged["token"], guest.total))
    again = await customer.do("cartMerge", {"cartId": guest.id}, "token cart { id }")
    assert (again["cart"], again["token"], again["userErrors"]) == ({"id": guest.id}, None, [])


async def test_more_lines_than_a_cart_may_have_leave_both_as_they_were(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup", brief_schema={"type": "object"})).variant
    lines = [{"variantId": cup, "brief": {"n": n}} for n in range(501)]
    await carts.bare(customer, *lines[:300])
    guest = await carts.bare(api, *lines[300:])
    assert await carts.refused(shop, customer, "cartMerge", guest.key) == [carts.invalid("cartId")]


@pytest.mark.parametrize(
    ("whose", "status", "error", "path"),
    [
        ("guest", "paying", "CartPaying", "cartId"),
        ("guest", "completed", "AlreadyCompleted", "cartId"),
        ("theirs", "paying", "CartPaying", "intoCartId"),
        ("theirs", "completed", "AlreadyCompleted", "intoCartId"),
    ],
)
async def test_a_cart_that_is_paying_or_completed_is_not_merged(
    shop: Shop, api: Api, whose: str, status: str, error: str, path: str
) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    theirs, guest = await carts.bare(customer, {"variantId": cup}), await carts.bare(api, {"variantId": cup})
    closed = ids.decode("Cart", (guest if whose == "guest" else theirs).id)
    await carts.execute(shop, "UPDATE cart SET status = :status WHERE id = :id", status=status, id=closed)
    told = await carts.refused(shop, customer, "cartMerge", {**guest.key, "intoCartId": theirs.id})
    assert [(name, where) for name, _, where in told] == [(error, [path])]


async def test_nobody_merges_what_is_not_theirs(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    kim = await given.caller(shop, api, "customer")
    cup = (await given.product(shop, "cup")).variant
    theirs, kims, guest = [await carts.bare(who, {"variantId": cup}) for who in (customer, kim, api)]
    missing = [("NotFound", "NOT_FOUND", ["cartId"])]
    for source in ({"cartId": guest.id}, {"cartId": guest.id, "token": theirs.token}, {"cartId": kims.id}, kims.key):
        assert await carts.refused(shop, customer, "cartMerge", source) == missing
    for into in (kims.id, guest.id):
        told = await carts.refused(shop, customer, "cartMerge", {**guest.key, "intoCartId": into})
        assert told == [("NotFound", "NOT_FOUND", ["intoCartId"])]
    document = "mutation ($input: CartMergeInput!) { cartMerge(input: $input) { cart { id } } }"
    for who, code in ((api, "UNAUTHENTICATED"), (await given.caller(shop, api, "staff", "*"), "FORBIDDEN")):
        answer = await who.answer(document, {"input": guest.key})
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await opens(api, guest)


async def test_a_version_that_was_not_seen_is_not_merged(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    guest = await carts.bare(api, {"variantId": (await given.product(shop, "cup")).variant})
    told = await carts.refused(shop, customer, "cartMerge", {**guest.key, "ifVersion": 1})
    assert told == [("VersionConflict", "VERSION_CONFLICT", ["ifVersion"])]


async def test_over_regions_the_lines_cost_what_they_cost_in_the_customers(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    mug = (await given.product(shop, "mug", prices={"USD": 900})).variant
    await carts.bare(customer, {"variantId": cup})
    guest = await carts.bare(api.in_country("US"), {"variantId": cup, "quantity": 2}, {"variantId": mug})
    merged = await customer.done(
        "cartMerge",
        guest.key,
        f"{CART} totals: cart {{ totals {{ total {{ gross {{ amount currency }} }} }} "
        "requirements { code } lines { unitPrice { amount currency } } }",
    )
    assert merged["cart"]["currency"] == "EUR"
    assert merged["totals"]["totals"]["total"]["gross"] == {"amount": "30.00", "currency": "EUR"}
    assert [line["unitPrice"] for line in merged["totals"]["lines"]] == [{"amount": "10.00", "currency": "EUR"}, None]
    assert "FOR_SALE" in {one["code"] for one in merged["totals"]["requirements"]}


async def test_signing_in_merges_the_cart_of_the_token_in_the_input_or_the_header(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    theirs = await carts.bare(customer, {"variantId": cup})
    who = {"email": "sam@shop.example", "password": given.PASSWORD}
    shown = f"cartToken accessToken {CART}"
    for quantity, by_header in ((2, False), (4, True)):
        guest = await carts.bare(api, {"variantId": cup, "quantity": 1 if quantity == 2 else 2})
        caller = Api(api.http, {"x-cart-token": guest.token}) if by_header else api
        signed = await caller.done("customerSignIn", who if by_header else {**who, "cartToken": guest.token}, shown)
        assert (signed["cart"]["id"], units(signed), signed["cartToken"]) == (theirs.id, [(None, quantity)], None)
        assert not await opens(api, guest)
    signed = await api.done("customerSignIn", {**who, "cartToken": "nonsense"}, shown)
    assert (signed["cart"], signed["warnings"]) == (None, [])
    signed = await api.done("customerSignIn", who, shown)
    assert (signed["cart"], signed["warnings"]) == (None, [])


async def test_signing_in_succeeds_also_where_the_cart_cannot_be_merged(shop: Shop, api: Api) -> None:
    await sam(shop, api)
    guest = await carts.bare(api, {"variantId": (await given.product(shop, "cup")).variant})
    await carts.execute(shop, "UPDATE cart SET status = 'paying'")
    who = {"email": "sam@shop.example", "password": given.PASSWORD, "cartToken": guest.token}
    what = "accessToken cart { id } warnings { ... on CartNotMerged { code reason path } }"
    document = f"""mutation ($input: CustomerSignInInput!) {{
        customerSignIn(input: $input) {{ {what} userErrors {{ code }} }} }}"""
    signed = (await api(document, {"input": who}))["customerSignIn"]
    assert signed["accessToken"]
    assert (signed["userErrors"], signed["cart"]) == ([], None)
    assert signed["warnings"] == [{"code": "CART_NOT_MERGED", "reason": "CART_PAYING", "path": ["cartToken"]}]
    assert await opens(api, guest)
    wrong = await api.do("customerSignIn", {**who, "password": "not it"}, "cart { id }")
    assert (wrong["cart"], [e["code"] for e in wrong["userErrors"]]) == (None, ["INVALID_CREDENTIALS"])


@pytest.mark.parametrize("step", ["DELETE ON cart_line", "UPDATE OF email ON cart", "UPDATE OF token_hash ON cart"])
async def test_a_merge_that_fails_midway_leaves_both_as_they_were(shop: Shop, api: Api, step: str) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    lid = (await given.product(shop, "lid")).variant
    await carts.bare(customer, {"variantId": cup, "quantity": 2})
    guest = await carts.bare(api, {"variantId": cup, "quantity": 5}, {"variantId": lid})
    await carts.execute(
        shop,
        "CREATE FUNCTION break_down() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$",
    )
    await carts.execute(shop, f"CREATE TRIGGER broken BEFORE {step} FOR EACH ROW EXECUTE FUNCTION break_down()")
    before = await carts.stored(shop)
    document = "mutation ($input: CartMergeInput!) { cartMerge(input: $input) { cart { id } } }"
    answer = await customer.answer(document, {"input": guest.key})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
    assert await carts.stored(shop) == before
    table = step.rpartition(" ")[2]
    await carts.execute(shop, f"DROP TRIGGER broken ON {table}")
    assert sorted(quantity for _, quantity in units(await merge(customer, guest))) == [1, 7]


async def test_a_merge_whose_server_is_killed_midway_leaves_both_as_they_were(
    shop: Shop, api: Api, start_server: Callable[..., Server]
) -> None:
    """Two web processes; both are killed with merges of one cart under way, and the customer tries again."""
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    await carts.bare(customer, {"variantId": cup, "quantity": 2})
    guest = await carts.bare(api, {"variantId": cup, "quantity": 5}, {"variantId": cup, "brief": None, "quantity": 1})
    before = await carts.stored(shop)
    await carts.execute(
        shop,
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN OLD; END $$",
    )
    await carts.execute(shop, "CREATE TRIGGER slow BEFORE DELETE ON cart_line FOR EACH ROW EXECUTE FUNCTION dawdle()")
    server = start_server("--workers", "2")
    async with server.api() as outside:
        same = Api(outside.http, customer.headers)
        merges = [asyncio.create_task(merge(same, guest)) for _ in range(6)]
        asleep = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        await until(lambda: shop.read.value(asleep))
        server.kill()
        assert all(
            isinstance(cut, httpx.TransportError) for cut in await asyncio.gather(*merges, return_exceptions=True)
        )
    assert await carts.stored(shop) == before
    await carts.execute(shop, "DROP TRIGGER slow ON cart_line")
    assert [quantity for _, quantity in units(await merge(customer, guest))] == [8]


async def test_of_two_merges_of_one_cart_at_once_one_does_it(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    theirs = await carts.bare(customer, {"variantId": cup, "quantity": 1})
    for expected in (6, 11, 16):
        guest = await carts.bare(api, {"variantId": cup, "quantity": 5})
        told = await asyncio.gather(merge(customer, guest), merge(customer, guest))
        assert sorted(len(payload["userErrors"]) for payload in told) == [0, 1]
        assert await carts.quantities(customer, theirs) == [expected]


async def test_two_carts_merged_into_each_other_at_once_wait_and_never_deadlock(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup")).variant
    for _ in range(5):
        one, other = [await carts.bare(customer, {"variantId": cup, "quantity": 3}) for _ in range(2)]
        told = await asyncio.gather(
            merge(customer, one, intoCartId=other.id), merge(customer, other, intoCartId=one.id)
        )
        assert sorted(len(payload["userErrors"]) for payload in told) == [0, 1]
        left = [cart for cart in (one, other) if await opens(customer, cart)]
        assert [await carts.quantities(customer, cart) for cart in left] == [[6]]


async def test_a_merge_raced_with_additions_to_both_carts_loses_no_unit(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = (await given.product(shop, "cup", stock=None)).variant
    theirs = await carts.bare(customer, {"variantId": cup})
    guest = await carts.bare(api, {"variantId": cup})
    one = {"lines": [{"variantId": cup, "quantity": 1}]}
    adding = [customer.do("cartAddLines", {**theirs.key, **one}, "cart { id }") for _ in range(8)]
    adding += [api.do("cartAddLines", {**guest.key, **one}, "cart { id }") for _ in range(8)]
    adding.insert(8, merge(customer, guest))
    told = await asyncio.gather(*adding)
    added = sum(not payload["userErrors"] for payload in told) - 1
    assert await carts.quantities(customer, theirs) == [2 + added]
    assert added >= 8


async def test_what_came_of_a_merge_can_be_ordered_once(shop: Shop, api: Api) -> None:
    customer = await sam(shop, api)
    cup = await given.product(shop, "cup", stock=7)
    await given.cart(customer, {"variantId": cup.variant, "quantity": 2})
    guest = await given.cart(api, {"variantId": cup.variant, "quantity": 5})
    merged = await merge(customer, guest)
    total = {"amount": "70.00", "currency": "EUR"}
    given_ = {"cartId": merged["cart"]["id"], "expectedTotal": total, "idempotencyKey": "k"}
    placed = await customer.done("cartComplete", given_, given.ORDER)
    assert placed["order"]["status"] == "PLACED"
    old = await api.do("cartComplete", {**guest.completion(), "expectedTotal": total}, given.ORDER)
    assert [e["__typename"] for e in old["userErrors"]] == ["NotFound"]
