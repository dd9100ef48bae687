"""What customers keep with their accounts: their name, their addresses, their orders."""

import asyncio
from typing import Any

from domain.processes.shop import Shop
from resolvers import ids
from tests import customers, given
from tests.access import random
from tests.api import Api
from tests.customers import KIM, errors
from tests.given import ADDRESS

KEPT = "customerAddress { id defaultShipping defaultBilling address { lastName city country } }"
MINE = "{ me { addresses { id defaultShipping defaultBilling address { city } } } }"


async def keep(caller: Api, city: str = "Amsterdam", **more: bool) -> str:
    payload = await caller.done("customerAddressCreate", {"address": {**ADDRESS, "city": city}, **more}, KEPT)
    return payload["customerAddress"]["id"]


async def mine(caller: Api) -> list[dict[str, Any]]:
    return (await caller(MINE))["me"]["addresses"]


async def defaults(caller: Api) -> dict[str, tuple[bool, bool]]:
    return {one["id"]: (one["defaultShipping"], one["defaultBilling"]) for one in await mine(caller)}


async def test_a_customer_says_their_name_and_number(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    shown = "customer { firstName lastName phone }"
    payload = await sam.done("customerUpdate", {"firstName": " Sam ", "phone": "+31 20 1"}, shown)
    assert payload["customer"] == {"firstName": "Sam", "lastName": "", "phone": "+31 20 1"}
    payload = await sam.done("customerUpdate", {"lastName": "Baker", "phone": ""}, shown)
    assert payload["customer"] == {"firstName": "Sam", "lastName": "Baker", "phone": ""}
    wrong = await sam.do("customerUpdate", {"firstName": "Eve\r\nBcc: eve@shop.example"}, shown)
    assert errors(wrong) == [("ValidationFailed", ["firstName"])]
    assert (await sam("{ me { firstName } }"))["me"] == {"firstName": "Sam"}


async def test_a_customer_keeps_changes_and_forgets_addresses(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    first, second = await keep(sam), await keep(sam, "Delft")
    changed = {"addressId": second, "address": {**ADDRESS, "city": "Utrecht"}}
    payload = await sam.done("customerAddressUpdate", changed, KEPT)
    assert payload["customerAddress"]["address"] == {"lastName": "Baker", "city": "Utrecht", "country": "NL"}
    payload = await sam.done("customerAddressDelete", {"addressId": first}, "customer { addresses { id } }")
    assert payload["customer"]["addresses"] == [{"id": second}]


async def test_one_address_is_the_default_of_its_kind(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    first = await keep(sam, defaultShipping=True, defaultBilling=True)
    second = await keep(sam, defaultShipping=True)
    assert await defaults(sam) == {first: (False, True), second: (True, False)}
    await sam.done("customerAddressUpdate", {"addressId": first, "defaultShipping": True}, KEPT)
    assert await defaults(sam) == {first: (True, True), second: (False, False)}
    await sam.done("customerAddressUpdate", {"addressId": first, "defaultShipping": False}, KEPT)
    assert await defaults(sam) == {first: (False, True), second: (False, False)}


async def test_many_defaults_at_once_leave_one(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    await asyncio.gather(*(keep(sam, defaultShipping=True) for _ in range(8)))
    assert sorted((await defaults(sam)).values()) == [(False, False)] * 7 + [(True, False)]


async def test_an_account_has_fifty_addresses_at_most_also_when_many_come_at_once(shop: Shop, api: Api) -> None:
    sam_id, sam = await customers.signed_in(shop, api)
    statement = """INSERT INTO customer_address (id, customer_id, address)
        SELECT gen_random_uuid(), :id, '{"city": "Delft"}' FROM generate_series(1, 47)"""
    await customers.execute(shop, statement, id=sam_id)
    wanted = {"address": ADDRESS}
    payloads = await asyncio.gather(*(sam.do("customerAddressCreate", wanted, "__typename") for _ in range(6)))
    assert sorted(errors(payload) for payload in payloads) == [[]] * 3 + [[("ValidationFailed", ["address"])]] * 3
    (row,) = await customers.rows(shop, "SELECT count(*) FROM customer_address")
    assert row["count"] == 50


async def test_an_address_that_cannot_be_is_refused_with_the_path_of_each_part(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    wrong = {"address": {**ADDRESS, "city": " ", "address1": "a\nb"}}
    payload = await sam.do("customerAddressCreate", wrong, "__typename")
    assert errors(payload) == [("ValidationFailed", ["address", "address1"]), ("ValidationFailed", ["address", "city"])]
    assert await mine(sam) == []


async def test_somebody_elses_address_does_not_exist(shop: Shop, api: Api) -> None:
    """Fault 7."""
    _, sam = await customers.signed_in(shop, api)
    _, kim = await customers.signed_in(shop, api, KIM)
    address = await keep(sam, defaultShipping=True)
    before = await mine(sam)
    for mutation, more in (
        ("customerAddressUpdate", {"address": ADDRESS, "defaultBilling": True}),
        ("customerAddressDelete", {}),
    ):
        foreign = await kim.do(mutation, {"addressId": address, **more}, "__typename")
        unknown = await kim.do(mutation, {"addressId": random("CustomerAddress"), **more}, "__typename")
        assert foreign == unknown
        assert errors(foreign) == [("NotFound", ["addressId"])]
        other_kind = await kim.do(mutation, {"addressId": random("Cart"), **more}, "__typename")
        assert errors(other_kind) == [("ValidationFailed", ["addressId"])]
    assert await mine(sam) == before
    assert await mine(kim) == []
    node = f'{{ node(id: "{address}") {{ ... on CustomerAddress {{ address {{ city }} }} }} }}'
    reader = await customers.staff(shop, api, "customers:read")
    assert [await caller(node) for caller in (api, kim, await customers.staff(shop, api))] == [{"node": None}] * 3
    assert [await caller(node) for caller in (sam, reader)] == [{"node": {"address": {"city": "Amsterdam"}}}] * 2


async def test_a_cart_takes_nobodys_kept_address_by_its_id(shop: Shop, api: Api) -> None:
    """Faults 2 and 7: carts take neither a customer's id nor the id of an address."""
    asked = '__type(name: "%s") { inputFields { name } }'
    shape = f"{{ customer: {asked % 'CartSetCustomerInput'} address: {asked % 'CartSetAddressesInput'} }}"
    found = await api(shape)
    names = {kind: sorted(field["name"] for field in told["inputFields"]) for kind, told in found.items()}
    assert names == {
        "customer": ["cartId", "email", "ifVersion", "token"],
        "address": ["billingAddress", "cartId", "ifVersion", "shippingAddress", "token"],
    }


async def test_a_customer_sees_their_own_orders_and_no_others(shop: Shop, api: Api) -> None:
    """Faults 1 and 8."""
    await given.regions(shop)
    line = {"variantId": (await given.product(shop)).variant, "quantity": 1}
    sam_id, sam = await customers.signed_in(shop, api)
    _, kim = await customers.signed_in(shop, api, KIM)
    for caller in (sam, api, kim, sam):
        await given.order(caller, line)
    await given.cart(sam, line)
    page = "{ me { orders(last: 1) { nodes { number } totalCount pageInfo { hasPreviousPage } } } }"
    expected = {"nodes": [{"number": "1004"}], "totalCount": 2, "pageInfo": {"hasPreviousPage": True}}
    assert (await sam(page))["me"]["orders"] == expected
    assert (await kim(page))["me"]["orders"]["totalCount"] == 1
    shown = f'{{ customer(id: "{ids.encode("Customer", sam_id)}") {{ orders {{ totalCount nodes {{ id }} }} }} }}'
    reads = await customers.staff(shop, api, "customers:read")
    assert (await reads(shown))["customer"]["orders"] == {"totalCount": 0, "nodes": []}
    reads_all = await customers.staff(shop, api, "customers:read", "orders:read")
    assert (await reads_all(shown))["customer"]["orders"]["totalCount"] == 2
