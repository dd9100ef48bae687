"""Anything by its public id, and nothing that is not the caller's."""

from typing import Any

import pytest
from sqlalchemy import update

from db import Order, Product
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api

NODE = "query Node($id: ID!) { node(id: $id) { __typename id } }"
EVERY_ID = """query All($handle: String!) {
  regions { id }
  product(by: { handle: $handle }) {
    id options { id values { id } } variants { nodes { id } } media { id } categories { id } collections { id }
  } }"""


def ids_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for v in value.values() for found in ids_in(v)]
    if isinstance(value, list):
        return [found for v in value for found in ids_in(v)]
    return [value]


async def test_whatever_a_product_page_shows_can_be_asked_for_by_its_id(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop, options={"Size": ("Small", "Large")})
    shown = ids_in(await api(EVERY_ID, {"handle": "paper-cup"}))
    nodes = (await api("query N($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", {"ids": shown}))["nodes"]
    assert [node["id"] for node in nodes] == shown
    kinds = {ids.PREFIXES[node["__typename"]] for node in nodes}
    assert kinds == {"region", "prod", "option", "value", "variant"}


async def test_a_node_has_the_fields_of_its_type(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, prices={"EUR": 1250})
    query = (
        "query N($id: ID!) { node(id: $id) { ... on Variant { sku price { amount { amount } } product { title } } } }"
    )
    assert (await api(query, {"id": cup.variant}))["node"] == {
        "sku": "PAPER-CUP-1",
        "price": {"amount": {"amount": "12.50"}},
        "product": {"title": "Paper Cup"},
    }


async def test_what_is_not_published_has_no_node(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    shown = ids_in((await api(EVERY_ID, {"handle": "paper-cup"}))["product"])
    async with shop.tx() as tx:
        await tx.run(update(Product).values(status="draft"))
    nodes = (await api("query N($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [*shown, cup.variant]}))["nodes"]
    assert nodes == [None] * (len(shown) + 1)


async def test_carts_and_orders_are_nodes_for_who_can_prove_them(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 1})
    owner = Api(api.http, {"x-cart-token": cart.token})
    assert (await api(NODE, {"id": cart.id}))["node"] is None
    assert (await owner(NODE, {"id": cart.id}))["node"] == {"__typename": "Cart", "id": cart.id}
    (line,) = (await owner("query C($id: ID!) { cart(id: $id) { lines { id } } }", {"id": cart.id}))["cart"]["lines"]
    assert (await api(NODE, {"id": line["id"]}))["node"] is None
    assert (await owner(NODE, {"id": line["id"]}))["node"] == {"__typename": "CartLine", "id": line["id"]}

    payload = await api.done("cartComplete", cart.completion(), "accessToken order { id lines { id } }")
    buyer = Api(api.http, {"x-access-token": payload["accessToken"]})
    for public in (payload["order"]["id"], payload["order"]["lines"][0]["id"]):
        assert (await api(NODE, {"id": public}))["node"] is None
        assert (await buyer(NODE, {"id": public}))["node"]["id"] == public
    async with shop.tx() as tx:
        await tx.run(update(Order).values(access_version=2))
    assert (await buyer(NODE, {"id": payload["order"]["id"]}))["node"] is None


async def test_people_are_nodes_for_themselves(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    ann = ids.encode("Customer", await given.customer(shop, "ann@shop.example"))
    toni = ids.encode("Staff", await given.staff(shop, "tickets:read"))
    sam = await given.signed_in(api, "sam@shop.example")
    as_ann = await given.signed_in(api, "ann@shop.example")
    as_toni = await given.signed_in(api, "toni@shop.example", as_staff=True)
    for who, seen in ((api, []), (sam, []), (as_ann, [ann]), (as_toni, [toni])):
        for public in (ann, toni):
            node = (await who(NODE, {"id": public}))["node"]
            assert (node and node["id"]) == (public if public in seen else None)


@pytest.mark.parametrize(
    "public", ["", "prod", "prod_", "ghost_01h2xcejqtf2nbrexx3vqjhp41", "prod_01h2xcejqtf2nbrexx3vqjhp4!"]
)
async def test_an_id_of_nothing_is_refused(api: Api, public: str) -> None:
    (error,) = (await api.answer(NODE, {"id": public}))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "id")


async def test_at_most_a_hundred_nodes_are_asked_for_at_once(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    region = (await api("{ regions { id } }"))["regions"][0]["id"]
    query = "query N($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert len((await api(query, {"ids": [region] * 100}))["nodes"]) == 100
    (error,) = (await api.answer(query, {"ids": [region] * 101}))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "ids")
