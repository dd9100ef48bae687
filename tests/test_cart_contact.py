"""Who a cart's order will be for and where it will go."""

from typing import Any

from domain.processes.shop import Shop
from tests import carts, given
from tests.api import Api
from tests.carts import invalid

ADDRESS = "{ firstName lastName company address1 address2 postalCode city province country phone }"
SHOWN = f"cart {{ shippingAddress {ADDRESS} billingAddress {ADDRESS} }}"
FULL = {
    "firstName": "Sam",
    "lastName": "Baker",
    "company": "Bakery",
    "address1": "Keizersgracht 1",
    "address2": "2nd floor",
    "postalCode": "1015 CJ",
    "city": "Amsterdam",
    "province": "Noord-Holland",
    "country": "NL",
    "phone": "+31 20 123 4567",
}
NOT_ADDRESSES = (
    "",
    " ",
    "sam",
    "sam@",
    "@shop.example",
    "sam@shop",
    "sam@localhost",
    "sam@shop.example ",
    "sam@@shop.example",
    "sam@shop..example",
    "sam@shop.example, toni@shop.example",
    "Sam <sam@shop.example>",
    "sam@shop.example\r\nBcc: toni@shop.example",
    "sam@[127.0.0.1]",
    '"sam"@shop.example',
    "s" * 65 + "@" + "x" * 200 + ".example",
    "\u202esam@shop.example",
)


async def set_addresses(api: Api, cart: given.Cart, **addresses: Any) -> dict[str, Any]:
    return await api.done("cartSetAddresses", {**cart.key, **addresses}, SHOWN)


async def test_an_email_address_is_kept_in_its_normal_form(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api)
    for written, kept in (
        ("SAM@Shop.Example", "sam@shop.example"),
        ("sam+cups@shop.example", "sam+cups@shop.example"),
        ("S.O'Neill@shop.example", "s.o'neill@shop.example"),
        ("JÜRGEN@Bücher.example", "jürgen@bücher.example"),
        ("jürgen@xn--bcher-kva.example", "jürgen@bücher.example"),
    ):
        payload = await api.done("cartSetCustomer", {**cart.key, "email": written}, "cart { email }")
        assert payload["cart"] == {"email": kept}


async def test_what_is_no_email_address_is_refused(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await given.cart(api)
    for email in NOT_ADDRESSES:
        given_ = {**cart.key, "email": email}
        assert await carts.refused(shop, api, "cartSetCustomer", given_) == [invalid("email")], email
        assert await carts.refused(shop, api, "cartCreate", {"email": email}) == [invalid("email")], email
    assert await carts.nonsense(shop, api, "cartSetCustomer", {**cart.key, "email": None}) == ["BAD_USER_INPUT"]


async def test_a_signed_in_customer_owns_the_cart_they_give_their_address_for(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    sam = await given.customer(shop)
    cart = await carts.bare(api)
    as_sam = await given.signed_in(api, "sam@shop.example")
    query = "query ($id: ID!) { cart(id: $id) { email } }"
    assert await as_sam(query, {"id": cart.id}) == {"cart": None}
    await as_sam.done("cartSetCustomer", {**cart.key, "email": "office@shop.example"}, "cart { id }")
    assert await as_sam(query, {"id": cart.id}) == {"cart": {"email": "office@shop.example"}}
    assert [row["customer_id"] for row in await carts.stored(shop)] == [sam]
    await api.done("cartSetCustomer", {**cart.key, "email": "sam@shop.example"}, "cart { id }")  # by the token alone
    assert [row["customer_id"] for row in await carts.stored(shop)] == [sam]


async def test_addresses_are_kept_as_they_were_written(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api)
    billing = {**given.ADDRESS, "lastName": "  Office  ", "company": None}
    payload = await set_addresses(api, cart, shippingAddress=FULL, billingAddress=billing)
    empty = dict.fromkeys(FULL, "")
    assert payload["cart"] == {
        "shippingAddress": FULL,
        "billingAddress": {**empty, **given.ADDRESS, "lastName": "Office"},
    }
    assert payload["warnings"] == []


async def test_the_bill_goes_where_the_goods_go_unless_told_otherwise(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api)
    await set_addresses(api, cart, shippingAddress=FULL, billingAddress={**FULL, "city": "Utrecht"})
    for addresses in ({}, {"billingAddress": None}):
        payload = await set_addresses(api, cart, shippingAddress={**FULL, "city": "Delft"}, **addresses)
        assert payload["cart"]["billingAddress"] == {**FULL, "city": "Delft"}


async def test_every_wrong_part_of_both_addresses_is_told_at_once(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await given.cart(api)
    shipping = {"firstName": "x" * 201, "lastName": "", "address1": " ", "city": "\u3000", "country": "NL"}
    billing = {**FULL, "postalCode": "1\n2", "address2": "\x07", "phone": "\u2028", "province": "x" * 201}
    given_ = {**cart.key, "shippingAddress": shipping, "billingAddress": billing}
    wrong = [
        *(("shippingAddress", part) for part in ("firstName", "lastName", "address1", "city")),
        *(("billingAddress", part) for part in ("address2", "postalCode", "province", "phone")),
    ]
    assert await carts.refused(shop, api, "cartSetAddresses", given_) == [invalid(*path) for path in wrong]


async def test_an_address_without_its_required_parts_or_a_known_country_is_refused(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await given.cart(api)
    for part in ("lastName", "address1", "city", "country"):
        for wrong in ({k: v for k, v in FULL.items() if k != part}, {**FULL, part: None}):
            given_ = {**cart.key, "shippingAddress": wrong}
            assert await carts.nonsense(shop, api, "cartSetAddresses", given_) == ["BAD_USER_INPUT"], part
    for country in ("XX", "nl", "NLD", "", "Netherlands", 31):
        given_ = {**cart.key, "shippingAddress": FULL, "billingAddress": {**FULL, "country": country}}
        assert await carts.nonsense(shop, api, "cartSetAddresses", given_) == ["BAD_USER_INPUT"], country
    for missing in ({}, {"shippingAddress": None}):
        assert await carts.nonsense(shop, api, "cartSetAddresses", {**cart.key, **missing}) == ["BAD_USER_INPUT"]


async def test_addresses_of_all_scripts_can_be_written(shop: Shop, api: Api) -> None:
    """Wide spaces in Japan, joiners in Iran, hard spaces from forms: all of them are how addresses are written."""
    await given.regions(shop)
    cart = await carts.bare(api)
    for line in ("東京都\u3000渋谷区１丁目", "می\u200cدان آزادی", "Rue\u00a0de l’Église", "ул. Ленина, 5", "x" * 200):
        payload = await set_addresses(api, cart, shippingAddress={**FULL, "address1": line})
        assert payload["cart"]["shippingAddress"]["address1"] == line


async def test_shipping_outside_of_the_region_is_a_warning_and_no_wall(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await carts.bare(api.in_country("NL"))
    outside = {"__typename": "OutsideRegion", "code": "OUTSIDE_REGION", "path": ["shippingAddress", "country"]}
    for country, warnings in (("DE", []), ("US", [outside]), ("AQ", [outside])):
        payload = await set_addresses(api, cart, shippingAddress={**FULL, "country": country}, billingAddress=FULL)
        assert payload["warnings"] == warnings
        assert payload["cart"]["shippingAddress"]["country"] == country
    payload = await set_addresses(api, cart, shippingAddress=FULL, billingAddress={**FULL, "country": "US"})
    assert payload["warnings"] == []
    told = await api(
        """mutation ($input: CartSetAddressesInput!) { cartSetAddresses(input: $input) {
           warnings { ... on OutsideRegion { country } } } }""",
        {"input": {**cart.key, "shippingAddress": {**FULL, "country": "US"}}},
    )
    assert told["cartSetAddresses"]["warnings"] == [{"country": "US"}]
