"""What is seen and sold where: what is published in the sales channel in which one asks, and only in its window."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from db import Cart, Media, OptionValue, Order, ProductOption
from db.catalog import ProductStatus
from db.session import ApiKeyKind
from domain import api_key as api_keys
from domain.api_key import CreateApiKey
from domain.processes.shop import Shop
from domain.product import MediaDraft, ProductDraft
from resolvers import ids
from tests import carts, channels, given
from tests.access import random
from tests.api import Api
from tests.keys import beside


async def two(shop: Shop) -> tuple[given.Sold, given.Sold, str]:
    """A cup in the default channel, a box in the till only; both cost something."""
    await given.regions(shop)
    cup, box = await given.product(shop), await given.product(shop, "box")
    till = await channels.made(shop)
    await channels.published(shop, box.product, till)
    await channels.unpublished(shop, box.product)
    return cup, box, till


async def publishable(shop: Shop, *keys: str) -> str:
    named = tuple(ids.decode("Channel", key) for key in keys)
    async with shop.tx() as tx:
        command = CreateApiKey(ApiKeyKind.PUBLISHABLE, "Web", channels=named)
        return (await api_keys.create(tx, command, given.ADMINISTRATOR)).key


async def refused(api: Api, query: str = channels.HANDLES) -> tuple[Any, Any]:
    (error,) = (await api.answer(query))["errors"]
    return error["extensions"]["code"], error["extensions"].get("argument")


async def test_products_are_seen_in_their_channels_only(shop: Shop, api: Api) -> None:
    cup, box, till = await two(shop)
    default = await channels.default(shop)
    for here, seen, unseen in (
        (api, cup, box),
        (channels.within(api, default), cup, box),
        (channels.within(api, till), box, cup),
    ):
        shown = await here(
            """query ($seen: ID!, $unseen: ID!, $sold: ID!, $unsold: ID!) {
                seen: product(by: { id: $seen }) { id } unseen: product(by: { id: $unseen }) { id }
                cup: product(by: { handle: "paper-cup" }) { id } box: product(by: { handle: "box" }) { id }
                nodes(ids: [$seen, $unseen, $sold, $unsold]) { id } }""",
            {"seen": seen.product, "unseen": unseen.product, "sold": seen.variant, "unsold": unseen.variant},
        )
        assert shown["seen"] == {"id": seen.product}
        assert shown["unseen"] is None
        assert [shown["cup"], shown["box"]] == (
            [{"id": cup.product}, None] if seen is cup else [None, {"id": box.product}]
        )
        assert shown["nodes"] == [{"id": seen.product}, None, {"id": seen.variant}, None]
        assert await channels.handles(here) == (["paper-cup"] if seen is cup else ["box"])


async def test_what_belongs_to_a_product_is_seen_where_it_is(shop: Shop, api: Api) -> None:
    draft = ProductDraft(
        handle="cup", title="Cup", status=ProductStatus.PUBLISHED, media=(MediaDraft("https://i.example/c"),)
    )
    (cup,) = await given.products(shop, draft)
    till = await channels.made(shop)
    kinds = {"Media": Media, "ProductOption": ProductOption, "OptionValue": OptionValue}
    there = {kind: ids.encode(kind, await shop.read.one_scalar(select(model.id))) for kind, model in kinds.items()}
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    asked = {"ids": [cup.product, cup.variant, *there.values()]}
    assert (await api(query, asked))["nodes"] == [{"id": one} for one in asked["ids"]]
    assert (await channels.within(api, till)(query, asked))["nodes"] == [None] * 5
    await channels.published(shop, cup.product, till)
    assert (await channels.within(api, till)(query, asked))["nodes"] == [{"id": one} for one in asked["ids"]]


async def test_drafts_are_seen_in_no_channel(shop: Shop, api: Api) -> None:
    await given.product(shop, status=ProductStatus.DRAFT)
    assert await channels.handles(api) == []


async def test_the_channel_is_told_back(shop: Shop, api: Api) -> None:
    _, _, till = await two(shop)
    default = await channels.default(shop)
    price = '{ product(by: { handle: "%s" }) { variants { nodes { price { amount { amount } } } } } }'
    for here, handle, channel in ((api, "paper-cup", default), (channels.within(api, till), "box", till)):
        answer = await here.answer(price % handle)
        assert answer["extensions"]["context"]["channel"] == channel
        assert answer["extensions"]["context"]["currency"] == "EUR"
    in_directive = f'query @inContext(channel: "{till}") {channels.HANDLES}'
    assert (await channels.within(api, default).answer(in_directive))["extensions"]["context"] == {
        "region": None,
        "currency": None,
        "country": None,
        "channel": till,
        "locale": None,
    }


async def test_a_channel_that_is_not_there_or_is_archived_is_refused(shop: Shop, api: Api) -> None:
    _, box, till = await two(shop)
    for wrong in (random("Channel"), random("Product"), "till", till):
        if wrong == till:
            await channels.archived(shop, till)
        assert await refused(channels.within(api, wrong)) == ("BAD_USER_INPUT", "channel")
    made = await channels.within(api, till).answer("mutation { cartCreate(input: {}) { cart { id } } }")
    assert [e["extensions"]["code"] for e in made["errors"]] == ["BAD_USER_INPUT"]
    assert await shop.read.scalars(select(Cart.id)) == []
    assert (await api(f'{{ node(id: "{box.product}") {{ id }} }}'))["node"] is None


async def test_windows_are_half_open_and_open_on_both_sides_by_default(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup, default = await given.product(shop), await channels.default(shop)
    now = datetime.now(UTC)
    past, future, later = now - timedelta(hours=1), now + timedelta(hours=1), now + timedelta(hours=2)
    for start, end, seen in (
        (None, None, True),
        (past, None, True),
        (None, future, True),
        (past, future, True),
        (future, None, False),
        (None, past, False),
        (future, later, False),
        (past - timedelta(hours=1), past, False),
    ):
        await channels.published(shop, cup.product, default, start, end)
        assert await channels.handles(api) == (["paper-cup"] if seen else []), (start, end)


async def test_a_key_of_one_channel_chooses_it_and_no_other(shop: Shop, api: Api) -> None:
    _, _, till = await two(shop)
    web = beside(api, await publishable(shop, till))
    assert await channels.handles(web) == await channels.handles(channels.within(web, till)) == ["box"]
    assert (await web.answer(channels.HANDLES))["extensions"]["context"]["channel"] == till
    nowhere = [await refused(channels.within(web, c)) for c in (await channels.default(shop), random("Channel"), "web")]
    assert nowhere == [("BAD_USER_INPUT", "channel")] * 3
    assert await channels.handles(api) == ["paper-cup"]
    made = await web.done("cartCreate", {}, "cart { id }")
    channel = await shop.read.one_scalar(
        select(Cart.channel_id).where(Cart.id == ids.decode("Cart", made["cart"]["id"]))
    )
    assert ids.encode("Channel", channel) == till


async def test_a_key_of_several_channels_has_each_and_its_default_one_without_asking(shop: Shop, api: Api) -> None:
    _, _, till = await two(shop)
    other, default = await channels.made(shop, "other"), await channels.default(shop)
    web = beside(api, await publishable(shop, till, default))
    assert await channels.handles(web) == ["paper-cup"]
    assert await channels.handles(channels.within(web, till)) == ["box"]
    assert await refused(channels.within(web, other)) == ("BAD_USER_INPUT", "channel")
    undecided = beside(api, await publishable(shop, till, other))
    assert await refused(undecided) == ("BAD_USER_INPUT", "channel")
    assert await channels.handles(channels.within(undecided, till)) == ["box"]
    await channels.archived(shop, other)
    assert await channels.handles(undecided) == ["box"]
    await channels.archived(shop, till)
    assert await refused(undecided) == ("FORBIDDEN", None)
    assert await refused(channels.within(undecided, till)) == ("BAD_USER_INPUT", "channel")
    assert await undecided("{ regions { code } }") == await api("{ regions { code } }")


async def test_the_key_that_follows_has_the_channels_of_the_first(shop: Shop, api: Api) -> None:
    _, _, till = await two(shop)
    maker = await given.caller(shop, api, "staff", "*")
    shown = "apiKey { id channels { code isDefault } } key"
    key = {"kind": "PUBLISHABLE", "name": "Web", "channelIds": [till, till]}
    first = await maker.done("apiKeyCreate", key, shown)
    assert first["apiKey"]["channels"] == [{"code": "till", "isDefault": False}]
    second = await maker.done("apiKeyRotate", {"id": first["apiKey"]["id"]}, shown)
    assert second["apiKey"]["channels"] == first["apiKey"]["channels"]
    assert await channels.handles(beside(api, second["key"])) == ["box"]


async def test_a_cart_stays_in_its_channel_and_so_does_its_order(shop: Shop, api: Api) -> None:
    cup, box, till = await two(shop)
    at_till = channels.within(api, till)
    cart = await given.cart(at_till, {"variantId": box.variant, "quantity": 2})
    line = {"lines": [{"variantId": cup.variant, "quantity": 1}]}
    refusal = await carts.refused(shop, at_till, "cartAddLines", {**cart.key, **line})
    assert refusal == [("NotForSale", "NOT_FOR_SALE", ["lines", "0", "variantId"])]
    shown = await api(
        "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { requirements { code } lines {"
        " price: unitPrice { amount } variant { price { amount { amount } } product { title variants { nodes {"
        " price { amount { amount } } product { title } } } } } } } }",
        carts.of(cart),
    )
    amount = {"amount": {"amount": "10.00"}}
    nodes = {"nodes": [{"price": amount, "product": {"title": "Box"}}]}
    variant = {"price": amount, "product": {"title": "Box", "variants": nodes}}
    assert shown["cart"]["lines"] == [{"price": {"amount": "10.00"}, "variant": variant}]
    placed = await api.done("cartComplete", cart.completion(), given.ORDER)
    order = await shop.read.one_scalar(
        select(Order.channel_id).where(Order.id == ids.decode("Order", placed["order"]["id"]))
    )
    assert ids.encode("Channel", order) == till


@pytest.mark.parametrize("how", ["unpublished", "over", "archived"])
async def test_a_line_is_for_sale_no_more_once_its_product_left_the_channel(shop: Shop, api: Api, how: str) -> None:
    _, box, till = await two(shop)
    cart = await given.cart(channels.within(api, till), {"variantId": box.variant, "quantity": 2})
    if how == "unpublished":
        await channels.unpublished(shop, box.product, till)
    elif how == "over":
        await channels.published(shop, box.product, till, None, datetime.now(UTC) - timedelta(seconds=1))
    else:
        await channels.archived(shop, till)
    shown = await api(
        "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { requirements { code } lines {"
        " unitPrice { amount } variant { price { amount { amount } } } } } }",
        carts.of(cart),
    )
    assert shown["cart"]["requirements"] == [{"code": "FOR_SALE"}]
    assert shown["cart"]["lines"] == [{"unitPrice": None, "variant": {"price": None}}]
    more = {"lines": [{"variantId": box.variant, "quantity": 1}]}
    refusal = await carts.refused(shop, api, "cartAddLines", {**cart.key, **more})
    assert refusal == [("NotForSale", "NOT_FOR_SALE", ["lines", "0", "variantId"])]
    refusal = await carts.refused(shop, api, "cartComplete", cart.completion())
    assert [code for _, code, _ in refusal] == ["REQUIREMENTS_NOT_MET"]


async def test_an_import_leaves_what_was_taken_out_of_a_channel_where_it_is(shop: Shop, api: Api) -> None:
    cup = await given.product(shop)
    await channels.unpublished(shop, cup.product)
    await given.product(shop, title="Another")
    assert await channels.handles(api) == []


async def test_channels_cost_no_statement_but_one_where_one_is_named_without_a_key(shop: Shop, api: Api) -> None:
    _, _, till = await two(shop)
    key = await publishable(shop, till)

    async def cost(caller: Api) -> int:
        assert api.database is not None
        before = api.database.statements
        await caller("{ products { nodes { handle } } }")
        return api.database.statements - before

    await cost(beside(api, key))
    assert [await cost(api), await cost(channels.within(api, till)), await cost(beside(api, key))] == [1, 2, 2]
