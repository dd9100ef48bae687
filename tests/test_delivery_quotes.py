"""Deliveries whose price a provider says: asked with nothing held, kept for the cart that it was asked for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

import server.app
from domain.delivery import Offer
from domain.processes.shop import Shop
from resolvers import ids
from server.app import make_shop
from tests import carts, deliveries, given
from tests.api import Api, running_app
from tests.completion import complete, it_was_ordered, refusal
from tests.deliveries import Courier

WARNINGS = "warnings { __typename code path ... on FallbackPrice { optionId } }"
BY_COURIER: dict[str, Any] = {"code": "courier", "tiers": (), "provider": "courier", "fallback": 900}


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest_asyncio.fixture
async def api(database_url: str, courier: Courier, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """The application with a courier plugged in, who may take half a second."""
    monkeypatch.setattr(
        server.app, "make_shop", lambda *given_: deliveries.delivered_by(make_shop(*given_), courier, within=0.5)
    )
    async with running_app(database_url) as running:
        yield running


async def begun(shop: Shop, api: Api, **changes: Any) -> tuple[given.Cart, str]:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=10)
    await carts.execute(shop, "UPDATE variant SET weight_grams = 250")
    option = await deliveries.option(shop, **{**BY_COURIER, **changes})
    return await given.cart(api, {"variantId": cup.variant, "quantity": 2}), option


async def lacking(api: Api, cart: given.Cart) -> list[str]:
    return [one["code"] for one in (await deliveries.seen(api, cart))["requirements"]]


async def test_a_provider_is_asked_once_for_what_is_in_the_cart_and_its_price_counts(
    shop: Shop, api: Api, courier: Courier
) -> None:
    cart, option = await begun(shop, api)
    assert courier.asked == []
    assert await deliveries.offered(api, cart) == {"courier": "12.00"}
    chosen = await deliveries.choose(api, cart, option)
    assert (chosen["requirements"], chosen["totals"]["total"]["gross"]["amount"]) == ([], "32.00")
    assert await deliveries.offered(api, cart) == {"courier": "12.00"}
    (asked,) = courier.asked
    assert (asked.currency, asked.subtotal, asked.weight_grams) == ("EUR", 2000, 500)
    assert asked.address["city"] == "Amsterdam"
    assert [(line.sku, line.quantity) for line in asked.lines] == [("CUP-1", 2)]


async def test_what_changes_the_price_makes_the_provider_be_asked_anew(shop: Shop, api: Api, courier: Courier) -> None:
    cart, option = await begun(shop, api)
    await deliveries.choose(api, cart, option)
    courier.offers = (Offer("courier", 1500, 1, 2),)
    (line,) = (await deliveries.seen(api, cart, "lines { id }"))["lines"]
    change = {**cart.key, "lines": [{"lineId": line["id"], "quantity": 3}]}
    changed = await api.done("cartUpdateLines", change, f"cart {{ {deliveries.DELIVERY} }}")
    assert changed["cart"]["delivery"]["price"]["gross"]["amount"] == "15.00"
    assert changed["cart"]["delivery"]["estimatedDays"] == {"minimum": 1, "maximum": 2}
    assert changed["cart"]["requirements"] == []
    moved = {**cart.key, "shippingAddress": {**given.ADDRESS, "city": "Utrecht"}}
    await api.done("cartSetAddresses", moved, f"cart {{ {deliveries.DELIVERY} }}")
    assert [(request.lines[0].quantity, request.address["city"]) for request in courier.asked] == [
        (2, "Amsterdam"),
        (3, "Amsterdam"),
        (3, "Utrecht"),
    ]
    await api.done("cartSetCustomer", {**cart.key, "email": "kim@shop.example"}, f"cart {{ {deliveries.DELIVERY} }}")
    assert len(courier.asked) == 3


async def test_a_price_that_has_expired_is_asked_for_when_the_cart_is_completed(
    shop: Shop, api: Api, courier: Courier
) -> None:
    cart, option = await begun(shop, api)
    await deliveries.choose(api, cart, option)
    await carts.execute(shop, "UPDATE quote SET expires_at = now()")
    courier.offers = (Offer("courier", 1300),)
    dear = refusal(await complete(api, cart, expectedTotal={"amount": "32.00", "currency": "EUR"}))
    assert (dear["__typename"], dear["current"]["amount"]) == ("PriceChanged", "33.00")
    assert len(courier.asked) == 2
    await carts.execute(shop, "UPDATE quote SET expires_at = now()")
    placed = await complete(api, cart, expectedTotal={"amount": "33.00", "currency": "EUR"})
    assert placed["userErrors"] == []
    assert len(courier.asked) == 3
    assert await shop.read.value(text('SELECT shipping_net + shipping_tax FROM "order"')) == 1300


async def test_no_order_is_made_by_a_price_that_was_given_for_another_cart(
    shop: Shop, api: Api, courier: Courier
) -> None:
    cart, option = await begun(shop, api)
    await deliveries.choose(api, cart, option)
    await carts.execute(shop, "UPDATE quote SET hash = 'of something else'")
    courier.offers = ()
    told = refusal(await complete(api, cart, expectedTotal={"amount": "32.00", "currency": "EUR"}))
    assert [one["code"] for one in told["requirements"]] == ["DELIVERY"]
    assert await lacking(api, cart) == ["DELIVERY"]


async def test_nothing_can_be_chosen_that_a_provider_does_not_offer(shop: Shop, api: Api, courier: Courier) -> None:
    cart, option = await begun(shop, api)
    courier.offers = (Offer("bicycle", 100),)
    before = await carts.stored(shop)
    told = await api.do("cartSetDelivery", {**cart.key, "optionId": option}, "cart { id }")
    assert [(e["__typename"], e["path"]) for e in told["userErrors"]] == [("ValidationFailed", ["optionId"])]
    after = await carts.stored(shop)
    assert [row["delivery_option_id"] for row in after if "token_hash" in row] == [None]
    assert len(before) == len(after)
    bare = await carts.bare(api, {"variantId": (await given.product(shop, "lid")).variant})
    told = await api.do("cartSetDelivery", {**bare.key, "optionId": option}, "cart { id }")
    assert [e["message"] for e in told["userErrors"]] == ["Say first where it is to be sent."]
    assert len(courier.asked) == 1


@pytest.mark.parametrize("how", ["an error", "silence", "nonsense"])
async def test_while_a_provider_is_out_its_fallback_price_counts_and_is_told(
    shop: Shop, api: Api, courier: Courier, how: str
) -> None:
    cart, option = await begun(shop, api)
    courier.silent = how == "silence"
    if how == "an error":
        courier.offers = ConnectionError("the courier's line is dead")
    elif how == "nonsense":
        courier.offers = ("a parrot",)  # pyright: ignore[reportAttributeAccessIssue]
    chosen = await deliveries.choose(api, cart, option)
    assert (chosen["delivery"]["isFallback"], chosen["totals"]["shipping"]["gross"]["amount"]) == (True, "9.00")
    assert chosen["requirements"] == []
    told = (await deliveries.seen(api, cart, WARNINGS))["warnings"]
    assert told == [{"__typename": "FallbackPrice", "code": "FALLBACK_PRICE", "path": ["delivery"], "optionId": option}]
    assert len(courier.asked) == 1
    placed = await complete(api, cart, expectedTotal={"amount": "29.00", "currency": "EUR"})
    assert placed["userErrors"] == []
    assert len(courier.asked) == 1


async def test_without_a_fallback_price_it_cannot_be_had_meanwhile_and_is_asked_for_again(
    shop: Shop, api: Api, courier: Courier
) -> None:
    cart, option = await begun(shop, api, fallback=None)
    courier.offers = ConnectionError("the courier's line is dead")
    assert await deliveries.offered(api, cart) == {}
    courier.offers = (Offer("courier", 1200),)
    assert await deliveries.offered(api, cart) == {}
    await carts.execute(shop, "UPDATE quote SET expires_at = now()")
    assert await deliveries.offered(api, cart) == {"courier": "12.00"}
    assert (await deliveries.choose(api, cart, option))["requirements"] == []


async def test_a_provider_that_no_process_knows_is_out_too(shop: Shop, api: Api) -> None:
    cart, _ = await begun(shop, api, provider="pigeon", code="pigeon", name="Pigeon")
    assert await deliveries.offered(api, cart) == {"pigeon": "9.00"}


async def test_a_provider_that_takes_long_holds_no_connection_no_lock_and_nobody_else(
    shop: Shop, api: Api, courier: Courier, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent until the test has looked; the process may wait for half a minute."""
    cart, option = await begun(shop, api)
    patient = deliveries.delivered_by(shop, courier, within=30)
    monkeypatch.setattr(server.app, "make_shop", lambda database, _: deliveries.delivered_by(
        make_shop(database, _), courier, within=patient.quote_within))  # fmt: skip
    courier.silent = True
    async with running_app(database_url) as slow:
        waiting = [asyncio.create_task(deliveries.choose(slow, cart, option)) for _ in range(12)]
        waiting += [asyncio.create_task(deliveries.offered(slow, cart)) for _ in range(12)]
        await given.until(lambda: len(courier.asked) == 24)
        await asyncio.sleep(0.2)  # a query gives its connection back when it has read nothing for a while
        assert slow.database is not None
        pool = slow.database.pool
        assert pool.get_idle_size() == pool.get_size()
        held = """SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'"""
        assert await shop.read.value(text(held)) == 0
        await api.done("cartSetMetadata", {**cart.key, "metadata": {"n": 1}}, "cart { id }")
        courier.spoke.set()
        told = await asyncio.gather(*waiting)
    assert [one for one in told if one.get("requirements")] == []
    assert (await deliveries.seen(api, cart))["totals"]["total"]["gross"]["amount"] == "32.00"


async def test_a_free_delivery_is_free_whatever_the_provider_says(shop: Shop, api: Api) -> None:
    cart, option = await begun(shop, api, free_from=2000)
    assert (await deliveries.choose(api, cart, option))["totals"]["total"]["gross"]["amount"] == "20.00"
    assert (await complete(api, cart))["userErrors"] == []
    await it_was_ordered(shop, api, cart)


def test_an_offer_below_nothing_is_none() -> None:
    with pytest.raises(ValueError, match="no price"):
        Offer("courier", -1)
    assert ids.PREFIXES["DeliveryOption"] == "delivery"
