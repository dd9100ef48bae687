"""Who sees which order and which cart. Every rule is tried by everybody, with ids that exist."""

from sqlalchemy import text

from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.access import Bought, World, random, seen, world
from tests.api import Api

ORDER = "query ($id: ID!, $token: String) { shown: order(by: { id: $id }, accessToken: $token) { number } }"
NODE = """query ($id: ID!) { shown: node(id: $id) {
          id ... on Order { number email } ... on OrderLine { title } ... on Cart { version lines { id } } } }"""
CART = "query ($id: ID!, $token: String) { shown: cart(id: $id, token: $token) { id email lines { id title } } }"
PERSONAL = """query ($id: ID!, $token: String) { shown: cart(id: $id, token: $token) {
    status email shippingAddress { city } billingAddress { city } order { id number accessToken } } }"""


async def who_sees(there: World, subject: Bought, query: str, public_id: str, kind: str) -> set[str]:
    callers = there.callers(subject)
    return {name for name, caller in callers.items() if await seen(caller, query, public_id, kind) is not None}


async def test_an_order_is_seen_by_its_customer_its_token_and_staff_with_the_permission(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    for subject, expected in (
        (there.sams, {"sam", "its token", "staff with orders:read"}),
        (there.guests, {"its token", "staff with orders:read"}),  # Kim has the guest's address, and proved nothing
    ):
        assert await who_sees(there, subject, ORDER, subject.order, "Order") == expected
        assert await who_sees(there, subject, NODE, subject.order, "Order") == expected
        assert await who_sees(there, subject, NODE, subject.line, "OrderLine") == expected


async def test_a_token_in_the_argument_counts_before_the_one_in_the_header(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    order, other = there.guests, there.sams
    with_header = there.having("x-access-token", order.access_token)
    shown = {"number": order.number}
    assert await seen(api, ORDER, order.order, "Order", token=order.access_token) == shown
    assert await seen(with_header, ORDER, order.order, "Order", token=None) == shown
    assert await seen(with_header, ORDER, order.order, "Order", token=other.access_token) is None
    assert await seen(with_header, ORDER, order.order, "Order", token="") is None
    assert await seen(with_header, ORDER, other.order, "Order", token=other.access_token) == {"number": other.number}


async def test_a_token_opens_one_order_and_adds_to_what_a_customer_sees_anyway(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    sam = there.everybody["sam"]
    assert await seen(sam, ORDER, there.guests.order, "Order") is None
    assert await seen(sam, ORDER, there.guests.order, "Order", token=there.guests.access_token)
    assert await seen(sam, ORDER, there.sams.order, "Order", token=there.guests.access_token)


async def test_raising_the_access_version_ends_every_token_of_the_order_and_of_no_other(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    key = ids.decode("Order", there.guests.order)
    await carts.execute(shop, 'UPDATE "order" SET access_version = access_version + 1 WHERE id = :key', key=key)
    assert await seen(api, ORDER, there.guests.order, "Order", token=there.guests.access_token) is None
    assert await seen(api, ORDER, there.sams.order, "Order", token=there.sams.access_token)
    placed = (await api(PERSONAL, carts.of(there.guests.cart)))["shown"]["order"]
    assert placed["accessToken"] != there.guests.access_token
    assert await seen(api, ORDER, there.guests.order, "Order", token=placed["accessToken"])


async def test_an_order_that_is_not_placed_yet_is_there_for_staff_alone(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    await carts.execute(shop, "UPDATE \"order\" SET status = 'pending', number = NULL, placed_at = NULL")
    for subject in (there.sams, there.guests):
        assert await who_sees(there, subject, ORDER, subject.order, "Order") == {"staff with orders:read"}
        assert (await api(PERSONAL, carts.of(subject.cart)))["shown"]["order"] is None


async def test_orders_of_guests_belong_to_no_customer_and_to_nobody_else(shop: Shop, api: Api) -> None:
    """Null equals nothing: neither a guest's order and a caller who is nobody, nor their carts."""
    there = await world(shop, api)
    owners = text('SELECT count(*) FROM "order" AS o JOIN cart AS c ON c.id = cart_id WHERE o.customer_id IS NULL')
    assert await shop.read.value(owners) == 1
    for name in ("anonymous", "kim", "staff", "no token"):
        assert await seen(there.callers(there.guests)[name], ORDER, there.guests.order, "Order") is None, name


async def test_an_order_is_found_by_nothing_but_its_id(shop: Shop, api: Api) -> None:
    """A number or an address opens nothing, and there is no filter that could widen what a token opens."""
    there = await world(shop, api)
    fields = '{ __type(name: "Query") { fields { name args { name } } } }'
    arguments = {f["name"]: {a["name"] for a in f["args"]} for f in (await api(fields))["__type"]["fields"]}
    assert arguments["order"] == {"by", "accessToken"}
    assert arguments["ticket"] == {"id", "accessToken"}
    assert arguments["cart"] == {"id", "token"}
    for wrong in (there.guests.number, f"order_{there.guests.number}", "kim@shop.example", there.guests.cart.id):
        answer = await there.callers(there.guests)["its token"].answer(ORDER, {"id": wrong})
        assert answer["data"] == {"shown": None}
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert answer["errors"][0]["extensions"]["argument"] == "by.id"


async def test_a_cart_is_seen_by_its_token_and_by_its_customer(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    for subject, expected in (
        (there.sams, {"sam", "its cart's token"}),
        (there.guests, {"its cart's token"}),
    ):
        for query in (CART, NODE):
            assert await who_sees(there, subject, query, subject.cart.id, "Cart") == expected
        (line,) = (await api(CART, carts.of(subject.cart)))["shown"]["lines"]
        assert await who_sees(there, subject, NODE, line["id"], "CartLine") == expected
    assert await seen(api, CART, there.sams.cart.id, "Cart", token=there.sams.cart.token)
    assert await seen(api, CART, there.sams.cart.id, "Cart", token=there.guests.cart.token) is None
    assert await seen(api, CART, there.sams.cart.id, "Cart", token="") is None
    with_header = there.having("x-cart-token", there.guests.cart.token)
    assert await seen(with_header, CART, there.guests.cart.id, "Cart", token="wrong") is None
    assert await seen(with_header, CART, there.sams.cart.id, "Cart", token=there.sams.cart.token)


async def test_a_cart_is_changed_by_those_who_see_it_and_nobody_else(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    cup = await given.product(shop)
    guests = await carts.bare(api)
    sams = await carts.bare(there.everybody["sam"])
    not_found = [("NotFound", "NOT_FOUND", ["cartId"])]
    for cart, owners in ((guests, set()), (sams, {"sam"})):
        for name, caller in there.everybody.items():
            for cart_id in (cart.id, random("Cart")):
                adding = {"cartId": cart_id, "lines": [{"variantId": cup.variant}]}
                if name in owners and cart_id == cart.id:
                    await caller.done("cartAddLines", adding, "cart { id }")
                else:
                    assert await carts.refused(shop, caller, "cartAddLines", adding) == not_found, name
                    wrong = {**adding, "token": (sams if cart is guests else guests).token}
                    assert await carts.refused(shop, caller, "cartAddLines", wrong) == not_found, name
    assert await carts.quantities(api, guests) == []
    assert await carts.quantities(api, sams) == [1]


async def test_after_completion_a_carts_token_opens_the_order_and_nothing_personal(shop: Shop, api: Api) -> None:
    there = await world(shop, api)
    for subject, caller in ((there.guests, api), (there.sams, api), (there.sams, there.everybody["sam"])):
        assert await seen(caller, PERSONAL, subject.cart.id, "Cart", token=subject.cart.token) == {
            "status": "COMPLETED",
            "email": None,
            "shippingAddress": None,
            "billingAddress": None,
            "order": {"id": subject.order, "number": subject.number, "accessToken": subject.access_token},
        }
    fields = '{ __type(name: "PlacedOrder") { fields { name } } }'
    assert [f["name"] for f in (await api(fields))["__type"]["fields"]] == ["id", "number", "accessToken"]


async def test_an_orders_number_opens_it_for_those_alone_who_may_read_it(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    await given.staff(shop, "orders:read")
    order = await given.order(api, {"variantId": cup.variant})
    other = await given.order(api, {"variantId": cup.variant})
    query = "query ($number: BigInt!, $token: String) { order(by: { number: $number }, accessToken: $token) { id } }"
    toni = await given.signed_in(api, "toni@shop.example", as_staff=True)
    for who, token, found in (
        (api, None, None),
        (api, other["accessToken"], None),
        (api, order["accessToken"], {"id": order["id"]}),
        (toni, None, {"id": order["id"]}),
    ):
        assert (await who(query, {"number": order["number"], "token": token}))["order"] == found
