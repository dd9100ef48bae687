"""Idempotency keys of completion: however often a request is sent, it is one order."""

import asyncio

from sqlalchemy import text

from domain.processes.shop import Shop
from domain.stock import StockCount, set_counts
from tests import given
from tests.api import Api
from tests.carts import execute
from tests.completion import complete, it_was_ordered, nothing_was_begun, refusal, ten_cups, two_cups
from tests.given import Cart
from tests.invariants import levels, violations


async def keys(shop: Shop) -> list[tuple[str, str]]:
    rows = await shop.read.records(text("SELECT mutation, key FROM idempotency_key ORDER BY key"))
    return [tuple(row) for row in rows]


async def test_the_same_key_twice_is_the_same_order(shop: Shop, api: Api) -> None:
    cart = await two_cups(api, await ten_cups(shop))
    first, again = [await complete(api, cart) for _ in range(2)]
    assert first == again
    assert first["order"]["number"] == "1001"
    assert first["accessToken"]
    assert await keys(shop) == [("cartComplete", "key-1")]
    await it_was_ordered(shop, api, cart)


async def test_a_replay_shows_the_order_as_it_is_by_then(shop: Shop, api: Api) -> None:
    cart = await two_cups(api, await ten_cups(shop))
    await complete(api, cart)
    await execute(shop, """UPDATE "order" SET work_status = 'done'""")
    replayed = await api.done("cartComplete", cart.completion(), "order { workStatus }")
    assert replayed["order"] == {"workStatus": "DONE"}


async def test_a_key_is_good_for_one_request_only(shop: Shop, api: Api) -> None:
    cart = await two_cups(api, await ten_cups(shop))
    await complete(api, cart)
    reused = {"__typename": "IdempotencyKeyReused", "code": "IDEMPOTENCY_KEY_REUSED", "path": ["idempotencyKey"]}
    for amount, currency in (("20.01", "EUR"), ("20.00", "USD")):
        assert refusal(await complete(api, cart, expectedTotal={"amount": amount, "currency": currency})) == reused
    assert (await complete(api, cart, expectedTotal={"amount": "20", "currency": "EUR"}))["order"]["number"] == "1001"
    await it_was_ordered(shop, api, cart)


async def test_a_completed_cart_is_not_completed_again_under_another_key(shop: Shop, api: Api) -> None:
    cart = await two_cups(api, await ten_cups(shop))
    await complete(api, cart)
    refused = refusal(await complete(api, cart, "key-2"))
    assert refused == {"__typename": "AlreadyCompleted", "code": "ALREADY_COMPLETED", "path": ["cartId"]}
    assert await keys(shop) == [("cartComplete", "key-1")]
    await it_was_ordered(shop, api, cart)


async def test_a_key_is_free_again_after_a_refusal(shop: Shop, api: Api) -> None:
    cup = await ten_cups(shop)
    cart = await given.cart(api, {"variantId": cup.variant, "quantity": 11})
    wrong = {"amount": "1.00", "currency": "EUR"}
    assert refusal(await complete(api, cart, expectedTotal=wrong))["__typename"] == "PriceChanged"
    assert refusal(await complete(api, cart))["__typename"] == "InsufficientStock"
    await nothing_was_begun(shop)
    async with shop.tx() as tx:
        place = await tx.value(text("SELECT id FROM stock_location"))
        await set_counts(tx, [StockCount(cup.keys[0], place, 11)])
    assert (await complete(api, cart))["order"]["status"] == "PLACED"
    assert await levels(shop.read) == [("CUP-1", "main", 11, 0, 11)]


async def test_carts_do_not_share_their_keys(shop: Shop, api: Api) -> None:
    cup = await ten_cups(shop)
    orders = [(await complete(api, await two_cups(api, cup)))["order"]["number"] for _ in range(2)]
    assert orders == ["1001", "1002"]
    assert await violations(shop.read) == []


async def test_a_key_is_one_to_two_hundred_printable_characters(shop: Shop, api: Api) -> None:
    cart = await two_cups(api, await ten_cups(shop))
    for key in ("", "k" * 201, "one\ntwo", "nul\0"):
        refused = refusal(await complete(api, cart, key))
        assert (refused["__typename"], refused["path"]) == ("ValidationFailed", ["idempotencyKey"])
    document = "mutation Do($input: CartCompleteInput!) { cartComplete(input: $input) { order { id } } }"
    answer = await api.answer(document, {"input": {**cart.completion(), "idempotencyKey": None}})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    await nothing_was_begun(shop)
    assert (await complete(api, cart, "ключ 🔑 " + "k" * 193))["order"]["status"] == "PLACED"


async def answers(api: Api, cart: Cart, times: int) -> set[str]:
    payloads = await asyncio.gather(*(complete(api, cart) for _ in range(times)))
    return {str(payload) for payload in payloads}


async def test_fifty_requests_at_once_with_one_key_are_one_order_and_one_answer(shop: Shop, api: Api) -> None:
    cart = await two_cups(api, await ten_cups(shop))
    (answer,) = await answers(api, cart, 50)
    assert "'number': '1001', 'status': 'PLACED'" in answer
    assert await keys(shop) == [("cartComplete", "key-1")]
    assert await shop.read.value(text("SELECT count(*) FROM payment_attempt")) == 1
    await it_was_ordered(shop, api, cart)


async def test_fifty_requests_at_once_that_must_be_refused_all_are(shop: Shop, api: Api) -> None:
    cup = await ten_cups(shop)
    (answer,) = await answers(api, await given.cart(api, {"variantId": cup.variant, "quantity": 11}), 50)
    assert "'availableQuantity': 10" in answer
    await nothing_was_begun(shop)
