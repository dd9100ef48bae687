"""What a product's status may become, who decides on it, and products that are archived and restored."""

import asyncio
from typing import Any

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from db.catalog import ProductStatus
from domain.processes.shop import Shop
from domain.product_status import TRANSITIONS
from tests import given, products
from tests.api import Api
from tests.products import audited, created, for_staff, refused, shown, staff

WAYS = {
    "draft": {"proposed"},
    "proposed": {"draft", "published", "rejected"},
    "rejected": {"draft"},
    "published": {"draft"},
}
"""As domain.md has them."""
TOLD = """product { version admin { status } }
  userErrors { __typename path ... on InvalidTransition { fromState toState allowed } }"""
STATUS = f"mutation ($input: ProductSetStatusInput!) {{ done: productSetStatus(input: $input) {{ {TOLD} }} }}"


def test_the_ways_between_statuses_are_those_of_the_design() -> None:
    assert {str(now): {str(to) for to in ways} for now, ways in TRANSITIONS.items()} == WAYS


async def asked(api: Api, product_id: str, status: str) -> dict[str, Any]:
    return (await api(STATUS, {"input": {"id": product_id, "status": status.upper()}}))["done"]


async def test_a_product_goes_the_ways_that_there_are_and_no_others(shop: Shop, api: Api) -> None:
    """Whatever is asked for, in whatever order."""
    toni = await staff(shop, api)
    wishes: list[list[str]] = []

    @settings(max_examples=8, database=None, deadline=None)
    @drawn(st.lists(st.sampled_from([str(status) for status in ProductStatus]), min_size=4, max_size=7))
    def collect(drawn_: list[str]) -> None:
        wishes.append(drawn_)

    collect()
    for wish in wishes:
        made = await created(toni)
        now, version = "draft", 1
        for to in wish:
            answer = await asked(toni, made["id"], to)
            if to == now or to in WAYS[now]:
                version += to != now
                now = to
                assert answer == {
                    "product": {"version": version, "admin": {"status": now.upper()}},
                    "userErrors": [],
                }
            else:
                (error,) = answer["userErrors"]
                assert (error["__typename"], error["path"]) == ("InvalidTransition", ["status"])
                assert (error["fromState"], error["toState"], set(error["allowed"])) == (now, to, WAYS[now])
            kept = await for_staff(toni, made["id"])
            assert (kept["admin"]["status"], kept["version"]) == (now.upper(), version)
            assert (await shown(api, made["id"]) is not None) == (now == "published")


async def test_who_may_not_publish_proposes_and_does_not_decide(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    writer = await staff(shop, api, "products:read", "products:write")
    made = await created(writer)
    key = {"id": made["id"]}
    assert await refused(writer, "productSetStatus", {**key, "status": "PROPOSED"}) == []
    for status in ("PUBLISHED", "REJECTED"):
        missing = [("BeyondOwnPermissions", "status")]
        assert await refused(writer, "productSetStatus", {**key, "status": status}) == missing
    assert await refused(toni, "productSetStatus", {**key, "status": "PUBLISHED"}) == []
    assert await refused(writer, "productSetStatus", {**key, "status": "DRAFT"}) == [("BeyondOwnPermissions", "status")]
    assert await shown(api, made["id"]) == {"handle": "paper-cup"}
    assert [difference["status"] for action, difference in await audited(shop) if action == "productSetStatus"] == [
        ["draft", "proposed"],
        ["proposed", "published"],
    ]


async def test_of_two_who_decide_at_once_one_does(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    made = await created(toni)
    await asked(toni, made["id"], "proposed")
    outcomes = await asyncio.gather(*(asked(toni, made["id"], to) for to in ("published", "rejected") * 3))
    now = (await for_staff(toni, made["id"]))["admin"]["status"]
    done = [one["product"]["admin"]["status"] for one in outcomes if one["product"]]
    assert done == [now] * 3
    assert {error["__typename"] for one in outcomes for error in one["userErrors"]} == {"InvalidTransition"}


async def test_an_archived_product_is_nowhere_for_sale_and_comes_back_as_a_draft(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    toni = await staff(shop, api)
    cup = await given.product(shop, options={"Size": ("S", "L")})
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 2})
    document = """query ($id: ID!, $token: String!) { cart(id: $id, token: $token) {
      lines { title variant { product { id } } } requirements { code } } }"""

    async def requirements() -> list[str]:
        found = (await api(document, {"id": cart.id, "token": cart.token}))["cart"]
        assert [line["title"] for line in found["lines"]] == ["Paper Cup"]
        return [requirement["code"] for requirement in found["requirements"]]

    assert await requirements() == []
    for _ in range(2):
        archived = (await toni.done("productArchive", {"id": cup.product}, products.PRODUCT))["product"]
        assert archived["admin"]["archivedAt"] is not None
    assert archived["version"] == 2, "archiving again changes nothing"
    everywhere = """query ($product: ID!, $variant: ID!) { product: product(by: { id: $product }) { id }
      handle: product(by: { handle: "paper-cup" }) { id } products { nodes { id } }
      nodes(ids: [$product, $variant]) { id } }"""
    gone = {"product": None, "handle": None, "products": {"nodes": []}, "nodes": [None, None]}
    assert await api(everywhere, {"product": cup.product, "variant": cup.variant}) == gone
    assert await requirements() == ["FOR_SALE"]
    line = {"lines": [{"variantId": cup.variant, "quantity": 1}]}
    assert await refused(api, "cartCreate", line) == [("NotForSale", "lines.0.variantId")]
    changes = {"productUpdate": {"title": "Mug"}, "productSetStatus": {"status": "DRAFT"}}
    for mutation, more in changes.items():
        assert await refused(toni, mutation, {"id": cup.product, **more}) == [("ValidationFailed", "id")]
    for _ in range(2):
        restored = (await toni.done("productRestore", {"id": cup.product}, products.PRODUCT))["product"]
        assert (restored["version"], restored["admin"]["status"], restored["admin"]["archivedAt"]) == (3, "DRAFT", None)
        assert [variant["title"] for variant in restored["variants"]["nodes"]] == ["S", "L"]
    await products.published(toni, cup.product)
    assert await requirements() == []


async def test_restoring_checks_skus_again_and_brings_back_what_was_archived_with_it(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    cup, mug = await given.products(
        shop,
        *(products.draft(handle, skus) for handle, skus in (("cup", {"S": "C-1", "L": "C-2"}), ("mug", {"S": "M-1"}))),
    )
    await products.execute(shop, "UPDATE variant SET archived_at = now() WHERE sku = 'C-1'")
    await toni.done("productArchive", {"id": cup.product}, "product { id }")
    await products.execute(shop, "UPDATE variant SET sku = 'C-2' WHERE sku = 'M-1'")
    facts = "userErrors { __typename path ... on SkuTaken { sku variantId } }"
    document = f"mutation ($id: ID!) {{ done: productRestore(input: {{ id: $id }}) {{ product {{ id }} {facts} }} }}"
    taken = {"__typename": "SkuTaken", "path": ["id"], "sku": "C-2", "variantId": mug.variant}
    assert (await toni(document, {"id": cup.product}))["done"] == {"product": None, "userErrors": [taken]}
    assert (await for_staff(toni, cup.product))["version"] == 2
    await products.execute(shop, "UPDATE variant SET sku = 'M-1' WHERE sku = 'C-2' AND archived_at IS NULL")
    restored = (await toni.done("productRestore", {"id": cup.product}, products.PRODUCT))["product"]
    assert [variant["sku"] for variant in restored["variants"]["nodes"]] == ["C-2"], "the other was archived before"


async def test_an_old_handle_leads_to_the_product_that_had_it(shop: Shop, api: Api) -> None:
    toni = await staff(shop, api)
    cup, mug = await created(toni, "Cup"), await created(toni, "Mug")
    for one in (cup, mug):
        await products.published(toni, one["id"])

    async def found(handle: str, by: Api = api, root: str = "product") -> str | None:
        document = f"query ($handle: String!) {{ found: {root}(by: {{ handle: $handle }}) {{ handle }} }}"
        product = (await by(document, {"handle": handle}))["found"]
        return product and product["handle"]

    await toni.done("productUpdate", {"id": cup["id"], "handle": "beaker"}, "product { id }")
    assert [await found(handle) for handle in ("cup", "beaker")] == ["beaker", "beaker"]
    await toni.done("productUpdate", {"id": mug["id"], "handle": "cup"}, "product { id }")
    assert [await found(handle) for handle in ("cup", "mug")] == ["cup", "cup"], "one that is live now wins"
    await asked(toni, mug["id"], "draft")
    assert await found("cup") == "beaker", "who cannot be seen does not stand in the way"
    assert await found("cup", toni, "adminProduct") == "cup"
    assert await found("mug") is None
    assert await found("mug", toni, "adminProduct") == "cup"
    await toni.done("productArchive", {"id": cup["id"]}, "product { id }")
    assert [await found(handle) for handle in ("cup", "beaker")] == [None, None]
