"""Streams of states: a cart as it is, whoever changes it, and whether variants can be bought."""

from dataclasses import fields
from typing import Any
from uuid import UUID

import pytest

from db.connection import new_id
from domain import event_log
from domain.actor import Actor
from domain.event_log import Cursor, Seen
from resolvers import ids
from resolvers.audience import OF_THE_PERSON, OF_THE_REQUEST, Audience
from resolvers.context import Ctx
from tests import carts, given
from tests.api import Api
from tests.live import Live, live_fixture  # noqa: F401 - the fixture `live`
from tests.streams import AVAILABILITY, CART_UPDATED, subscribed


def state(item: dict[str, Any]) -> tuple[str, list[int]]:
    return item["cart"]["status"], [line["quantity"] for line in item["cart"]["lines"]]


async def test_a_cart_is_told_as_it_is_and_after_each_change_until_it_is_an_order(live: Live) -> None:
    cart = await given.cart(live.api, {"variantId": live.variant, "quantity": 1})
    async with (
        subscribed(live.api, CART_UPDATED, cart=cart.id, token=cart.token) as stream,
        subscribed(Api(live.api.http, {"x-cart-token": cart.token}), CART_UPDATED, cart=cart.id) as by_header,
    ):
        first = await stream.item()
        assert state(first) == ("OPEN", [1])
        await carts.add(live.api, cart, {"variantId": live.variant, "quantity": 2})
        second = await stream.item()
        assert (state(second), second["version"] > first["version"]) == (("OPEN", [3]), True)
        await carts.execute(live.shop, "UPDATE cart SET status = 'paying' WHERE id = :id", id=key(cart))
        assert state(await stream.item()) == ("PAYING", [3])
        await carts.execute(live.shop, "UPDATE cart SET status = 'open' WHERE id = :id", id=key(cart))
        assert state(await stream.item()) == ("OPEN", [3])
        shown = await live.api(
            f"query ($id: ID!, $token: String) {{ cart(id: $id, token: $token) {{ {given.TOTAL} }} }}",
            carts.of(cart),
        )
        total = shown["cart"]["totals"]["total"]["gross"]
        placed = await live.api.done(
            "cartComplete", {**cart.completion(), "expectedTotal": total}, "accessToken order { id }"
        )
        for reader in (stream, by_header):
            item = await reader.item()
            while item["cart"]["status"] != "COMPLETED":
                item = await reader.item()
            assert item["cart"]["order"] == {"id": placed["order"]["id"], "accessToken": placed["accessToken"]}
            await reader.ends()


def key(cart: given.Cart) -> UUID:
    return ids.decode("Cart", cart.id)


async def test_only_who_may_read_a_cart_may_watch_it_and_only_as_long(live: Live) -> None:
    cart, other = await given.cart(live.api), await given.cart(live.api)
    customer = await given.caller(live.shop, live.api, "customer")
    staff = await given.caller(live.shop, live.api, "staff", "*")
    for caller, token in ((live.api, None), (live.api, other.token), (live.api, ""), (customer, None), (staff, None)):
        async with subscribed(caller, CART_UPDATED, cart=cart.id, token=token) as stream:
            error = await stream.error()
            assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "cartId")
    for statement in ("UPDATE cart SET token_hash = '' WHERE id = :id", "DELETE FROM cart WHERE id = :id"):
        mine = await given.cart(live.api)
        async with subscribed(live.api, CART_UPDATED, cart=mine.id, token=mine.token) as stream:
            await stream.item()
            await carts.execute(live.shop, statement, id=key(mine))
            error = await stream.error()
            assert (error["extensions"]["code"], error["message"]) == (
                "UNAUTHENTICATED",
                "This cart may no longer be read.",
            )


async def test_availability_is_what_shoppers_see_of_it(live: Live) -> None:
    sold = await given.product(live.shop, f"cup-{new_id()}", stock=12)
    free = ids.encode("Variant", new_id())

    def shown(item: dict[str, Any]) -> list[Any]:
        return [v["availability"] and tuple(v["availability"].values()) for v in item["variants"]]

    async with subscribed(live.api, AVAILABILITY, ids=[sold.variant, live.variant, free]) as stream:
        first = await stream.item()
        assert [v["variantId"] for v in first["variants"]] == [sold.variant, live.variant, free]
        assert shown(first) == [("IN_STOCK", 10), ("NOT_TRACKED", None), None]
        await carts.execute(live.shop, "UPDATE stock_level SET reserved = 1 WHERE on_hand = 12")  # 11 are left: no news
        await carts.execute(live.shop, "UPDATE stock_level SET reserved = 5 WHERE on_hand = 12")
        assert shown(await stream.item())[0] == ("IN_STOCK", 7)
        await carts.execute(live.shop, "UPDATE stock_level SET reserved = 12 WHERE on_hand = 12")
        assert shown(await stream.item())[0] == ("OUT_OF_STOCK", 0)
        await carts.execute(live.shop, "UPDATE product SET status = 'draft' WHERE id = :id", id=decoded(sold))
        assert shown(await stream.item())[0] is None
    wrong: tuple[Any, ...] = ([], [free] * 51, ["nonsense"], [sold.product])
    for given_ in wrong:
        async with subscribed(live.api, AVAILABILITY, ids=given_) as stream:
            assert (await stream.error())["extensions"]["argument"] == "ids"


def decoded(sold: given.Sold) -> UUID:
    return ids.decode("Product", sold.product)


SEEN = Seen(10, 15, frozenset({10, 12}))


@pytest.mark.parametrize(
    ("xid", "follows", "told"),
    [(9, 9, False), (9, 11, False), (11, 11, False), (10, 10, True), (12, 13, True), (14, 14, False), (15, 15, True)],
)
def test_behind_a_state_is_what_its_reading_did_not_see(xid: int, follows: int, told: bool) -> None:
    class Logged:
        id = 1

    event: Any = Logged()
    event.xid, event.follows = xid, follows
    cursor = Cursor(3, SEEN.first, 0, SEEN)
    assert Cursor.read(str(cursor)) == cursor
    assert cursor.is_before(event) is told
    behind = cursor.behind(event)
    assert (behind.seen is None, behind.is_before(event)) == (follows >= SEEN.end, False)
    assert event_log.KEPT.days == 30


def test_whatever_an_operation_knows_is_part_of_the_audience_or_hidden() -> None:
    """A new field of the context needs a decision: may two readers who differ in it be told the same?"""
    of_process = {"shop", "tokens", "passwords", "live"}
    of_execution = {"document", "refused", "trace", "reads", "shared", "_region", "_channel", "loaded", "read"}
    told_apart = {field.name for field in fields(Audience)} - {"kind", "customer_id", "permissions", "factor_demanded"}
    known = {field.name for field in fields(Ctx)}
    assert known == of_process | of_execution | told_apart | OF_THE_REQUEST | {"actor", "request_id"}
    of_actor = {field.name for field in fields(Actor)}
    assert of_actor == {"kind", "id", "permissions", "factor_demanded"} | OF_THE_PERSON
