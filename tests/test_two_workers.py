"""One shop of two web processes and a payment provider: whatever two tabs, two people, the provider and the sweeper do
at once comes to one order, one payment and one refund, whichever process each of them has reached."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from domain.cart_line import AddLine
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.api import Api
from tests.completion import many_carts, status
from tests.given import Cart, Sold
from tests.invariants import levels
from tests.payments import Provider, attempt_of, errors, pay, session, tell, told
from tests.tills import EACH, Till, all_settled, served_fixture, till_fixture  # noqa: F401 - the fixture `till`

SHORT = "accessToken order { number }"


async def cups(shop: Shop, stock: int = 100, **more: Any) -> Sold:
    """Cups at 10.00 of a name of their own."""
    count = await shop.read.value(text("SELECT count(*) FROM product"))
    return await given.product(shop, f"cup-of-{count}", stock=stock, **more)


async def carts_of(shop: Shop, cup: Sold, count: int, units: int = 2) -> list[Cart]:
    return await many_carts(shop, *[[AddLine(cup.keys[0], units)]] * count)


async def shelf(shop: Shop, cup: Sold) -> tuple[int, int]:
    """Reserved and allocated of a variant."""
    sku = await shop.read.value(text("SELECT sku FROM variant WHERE id = :id").bindparams(id=cup.keys[0]))
    ((_, _, _, reserved, allocated),) = [row for row in await levels(shop.read) if row[0] == sku]
    return reserved, allocated


async def tries(shop: Shop, cart: Cart) -> list[tuple[str, int]]:
    """State and amount of each attempt to pay a cart."""
    query = """SELECT attempt.state, attempt.amount FROM payment_attempt AS attempt
        JOIN "order" AS o ON o.id = order_id WHERE cart_id = :cart ORDER BY attempt.n"""
    rows = await shop.read.records(text(query), cart=ids.decode("Cart", cart.id))
    return [tuple(row) for row in rows]


async def sums(shop: Shop, attempt: str) -> tuple[int, ...]:
    """Authorised, voided, captured, refunded and on its way back of an attempt's payment."""
    query = "SELECT authorised, voided, captured, refunded, refund_pending FROM payment WHERE attempt_id = :id"
    (row,) = await shop.read.records(text(query), id=UUID(attempt))
    return tuple(row)


async def test_twenty_additions_at_once_to_both_processes_are_all_kept(till: Till) -> None:
    cup = await cups(till.shop, options={"Size": tuple(f"{n} cl" for n in range(20))})
    cart = await carts.bare(till.left[0])

    async def add(api: Api, variant: str, quantity: int) -> None:
        await carts.add(api, cart, {"variantId": variant, "quantity": quantity})

    await asyncio.gather(*(add(api, cup.variants[n], n + 1) for n, api in enumerate(till.both)))
    await asyncio.gather(*(add(api, cup.variant, 3) for api in till.both))
    assert sorted(await carts.quantities(till.right[0], cart)) == [*range(2, 21), 61]
    assert (await carts.add(till.left[0], cart))["version"] == 41


@pytest.mark.parametrize("keys", [("one", "one"), ("one", "another")])
async def test_a_double_click_pays_once_in_whichever_process_it_arrives(
    till: Till, provider: Provider, keys: tuple[str, str]
) -> None:
    cup = await cups(till.shop)
    for cart in await carts_of(till.shop, cup, 5):
        made = await session(till.left[0], cart)
        clicks = [pay(api, cart, made, key) for api, key in zip(till.both, keys * EACH, strict=True)]
        payloads = await asyncio.gather(*clicks)
        numbers = {payload["order"]["number"] for payload in payloads if payload["order"]}
        assert len(numbers) == 1
        refused = {error for payload in payloads for error in errors(payload)}
        assert refused <= ({"InProgress"} if keys[0] == keys[1] else {"InProgress", "CartPaying", "AlreadyCompleted"})
        assert await tries(till.shop, cart) == [("succeeded", 2000)]
        assert provider.operations(await attempt_of(till.shop)) == [("authorise", 2000, "done")]
    assert await shelf(till.shop, cup) == (0, 10)


async def test_client_and_webhook_at_once_place_one_order(till: Till, provider: Provider) -> None:
    cup = await cups(till.shop)
    for cart in await carts_of(till.shop, cup, 3):
        made = await session(till.left[0], cart, "action")
        await pay(till.left[0], cart, made)
        attempt = await attempt_of(till.shop)
        confirmed = asyncio.to_thread(provider.customer, attempt, "confirm")
        clients = [pay(api, cart, made) for api in (*till.left[:5], *till.right[:5])]
        hooks = [tell(api, told(attempt)) for api in (*till.left[5:], *till.right[5:])]
        payloads, statuses, _ = await asyncio.gather(asyncio.gather(*clients), asyncio.gather(*hooks), confirmed)
        assert set(statuses) == {200}
        assert {error for payload in payloads for error in errors(payload)} <= {"InProgress"}
        assert (await pay(till.right[0], cart, made))["order"]["status"] == "PLACED"
        query = text("SELECT kind, amount FROM payment_event WHERE attempt_id = :id")
        recorded = await till.shop.read.records(query, id=UUID(attempt))
        assert [tuple(row) for row in recorded] == [("authorised", 2000)]
    assert await shelf(till.shop, cup) == (0, 6)


async def test_after_a_decline_another_card_pays_once_while_the_first_is_tried_again(
    till: Till, provider: Provider
) -> None:
    cup = await cups(till.shop)
    (cart,) = await carts_of(till.shop, cup, 1)
    bad = await session(till.left[0], cart, "decline")
    declined = await asyncio.gather(*(pay(api, cart, bad, "bad") for api in till.both))
    assert {error for payload in declined for error in errors(payload)} <= {"PaymentDeclined", "InProgress"}
    assert await shelf(till.shop, cup) == (0, 0)
    good = await session(till.right[0], cart)
    again = [pay(api, cart, bad, "bad") for api in till.left]
    other = [pay(api, cart, good, "good") for api in till.right]
    payloads = await asyncio.gather(*again, *other)
    assert {error for payload in payloads[:EACH] for error in errors(payload)} == {"PaymentDeclined"}
    assert {error for payload in payloads[EACH:] for error in errors(payload)} <= {"InProgress"}
    assert await tries(till.shop, cart) == [("failed", 2000), ("succeeded", 2000)]
    assert provider.operations(await attempt_of(till.shop)) == [("authorise", 2000, "done")]
    assert await shelf(till.shop, cup) == (0, 2)


async def test_the_same_key_goes_on_after_3d_secure_in_another_process_and_with_another_selection(
    till: Till, provider: Provider
) -> None:
    (cart,) = await carts_of(till.shop, await cups(till.shop), 1)
    made = await session(till.left[0], cart, "action")
    selections = ["cart { status }", "nextAction { url }", "cart { id } nextAction { kind }", SHORT] * 5
    asked = await asyncio.gather(
        *(pay(api, cart, made, select=one) for api, one in zip(till.both, selections, strict=True))
    )
    assert {error for payload in asked for error in errors(payload)} <= {"InProgress"}
    attempt = await attempt_of(till.shop)
    provider.customer(attempt, "confirm")
    placed = await asyncio.gather(*(pay(api, cart, made, select=SHORT) for api in till.both))
    assert {error for payload in placed for error in errors(payload)} <= {"InProgress"}
    whole = [await pay(api, cart, made) for api in (till.left[0], till.right[0])]
    assert {payload["order"]["status"] for payload in whole} == {"PLACED"}
    numbers = {payload["order"]["number"] for payload in (*whole, *placed) if payload["order"]}
    assert len(numbers) == 1
    assert await tries(till.shop, cart) == [("succeeded", 2000)]
    assert provider.operations(attempt) == [("authorise", 2000, "done")]


async def test_a_second_tab_changes_nothing_of_a_cart_that_is_being_paid(till: Till, provider: Provider) -> None:
    cup = await cups(till.shop)
    (cart,) = await carts_of(till.shop, cup, 1)
    (line,) = (await carts.add(till.left[0], cart))["lines"]
    made = await session(till.left[0], cart, "action")
    await pay(till.left[0], cart, made)
    attempt = await attempt_of(till.shop)
    before = await carts.stored(till.shop)
    changes: list[tuple[str, dict[str, Any]]] = [
        ("cartAddLines", {"lines": [{"variantId": cup.variant}]}),
        ("cartUpdateLines", {"lines": [{"lineId": line["id"], "quantity": 1}]}),
        ("cartRemoveLines", {"lineIds": [line["id"]]}),
        ("cartSetCustomer", {"email": "kim@shop.example"}),
        ("cartSetAddresses", {"shippingAddress": {**given.ADDRESS, "city": "Utrecht"}}),
    ]
    second_tab = [api.do(name, {**cart.key, **change}, FACTS_OF) for api in till.right[:2] for name, change in changes]
    refused = await asyncio.gather(*second_tab, pay(till.right[2], cart, made, "another"))
    named = [error for payload in refused for error in payload["userErrors"]]
    assert Counter(error["__typename"] for error in named) == {"CartPaying": 11}
    assert {error["attemptId"] for error in named} == {ids.encode("PaymentAttempt", UUID(attempt))}
    assert await carts.stored(till.shop) == before
    assert await shelf(till.shop, cup) == (2, 0)
    provider.customer(attempt, "confirm")
    assert (await pay(till.right[0], cart, made))["order"]["status"] == "PLACED"
    assert await shelf(till.shop, cup) == (0, 2)


FACTS_OF = "cart { id } userErrors { ... on CartPaying { attemptId } }"


async def test_what_is_added_while_paying_begins_is_in_time_or_refused(till: Till) -> None:
    cup = await cups(till.shop, stock=1000)
    sold = 0
    for cart in await carts_of(till.shop, cup, 6):
        made = await session(till.left[0], cart)
        more = {**cart.key, "lines": [{"variantId": cup.variant}]}
        adding = [api.do("cartAddLines", more, "cart { id }") for api in till.right[:4]]
        paid, *added = await asyncio.gather(pay(till.left[0], cart, made), *adding)
        kept = sum(not errors(payload) for payload in added)
        refused = {error for payload in added for error in errors(payload)}
        assert await carts.quantities(till.right[0], cart) == [2 + kept]
        if paid["order"]:
            assert (kept, refused <= {"CartPaying", "AlreadyCompleted"}) == (0, True)
            sold += 2
        else:
            assert (errors(paid), kept > 0) == (["PriceChanged"], True)
    assert await shelf(till.shop, cup) == (0, sold)


async def agreed(till: Till, provider: Provider, cart: Cart) -> str:
    """The shop and the provider tell the same of every attempt of a cart; what the last one came to."""
    query = """SELECT attempt.id::text, attempt.state FROM payment_attempt AS attempt
        JOIN "order" AS o ON o.id = order_id WHERE cart_id = :cart ORDER BY attempt.n"""
    rows = await till.shop.read.records(text(query), cart=ids.decode("Cart", cart.id))
    theirs = {one["key"]: one["state"] for one in provider.ledger()["attempts"]}
    fitting = {("succeeded", "authorised"), ("cancelled", "cancelled"), ("failed", "cancelled")}
    assert {(row.state, theirs[row.id]) for row in rows} <= fitting
    assert [row.state for row in rows[:-1] if row.state == "succeeded"] == []
    assert (await status(till.left[0], cart) == "COMPLETED") == (rows[-1].state == "succeeded")
    return rows[-1].state


async def click(till: Till, cart: Cart, made: str, seconds: float) -> None:
    """In both processes, again and again, until there is an order or the customer has enough."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        payloads = await asyncio.gather(*(pay(api, cart, made) for api in (till.left[0], till.right[0])))
        assert {error for payload in payloads for error in errors(payload)} <= {"InProgress", "PaymentDeclined"}
        if any(payload["order"] for payload in payloads):
            return
        await asyncio.sleep(0.1)


async def test_the_sweeper_and_customers_whose_payments_are_slow_agree_on_what_came_of_them(
    till: Till, provider: Provider
) -> None:
    """The sweeper takes for abandoned what the customers, who wait for it, ask for again and again."""
    cup = await cups(till.shop)
    tokens = ["slow:0.3", "slow:1.1", "slow:1.4", "slow:1.7", "slow:9"]
    waiting = await carts_of(till.shop, cup, len(tokens))
    sessions = [await session(till.left[0], cart, token) for cart, token in zip(waiting, tokens, strict=True)]
    own = [Till(till.shop, till.left[n:], till.right[n:]) for n in range(len(tokens))]
    await asyncio.gather(
        *(click(desk, cart, made, 2.5) for desk, cart, made in zip(own, waiting, sessions, strict=True))
    )
    await given.until(lambda: all_settled(till.shop))
    came = [await agreed(till, provider, cart) for cart in waiting]
    assert (came[0], came[-1]) == ("succeeded", "cancelled")
    assert await shelf(till.shop, cup) == (0, 2 * came.count("succeeded"))


async def test_who_confirms_when_their_time_is_over_gets_the_order_or_pays_nothing(
    till: Till, provider: Provider
) -> None:
    """The hold ends while it is being paid: the provider decides whether the confirmation or the sweeper was first."""
    cup = await cups(till.shop)
    acting = await carts_of(till.shop, cup, 6)
    began: list[tuple[Cart, str, str]] = []
    for cart in acting:
        made = await session(till.left[0], cart, "action")
        await pay(till.left[0], cart, made)
        began.append((cart, made, await attempt_of(till.shop)))

    async def confirm(wait: float, cart: Cart, made: str, attempt: str) -> None:
        await asyncio.sleep(wait)
        await asyncio.to_thread(provider.customer, attempt, "confirm")
        again = await asyncio.gather(*(pay(api, cart, made) for api in (till.left[0], till.right[0])))
        assert {error for payload in again for error in errors(payload)} <= {"InProgress", "PaymentDeclined"}

    await carts.execute(
        till.shop,
        """UPDATE payment_attempt SET asked_at = now() - interval '1 minute',
            next_action = jsonb_set(next_action, '{expires_at}', '"2020-01-01T00:00:00+00:00"')
        WHERE state = 'action_required'""",
    )
    await asyncio.gather(*(confirm(0.25 * n, *one) for n, one in enumerate(began)))
    still = [cart for cart in acting if await status(till.left[0], cart) == "PAYING"]
    for cart in still:  # who came after the end has begun once more under the same key
        assert (await till.right[0].do("cartCancelPayment", cart.key, "cart { status }"))["cart"]["status"] == "OPEN"
    came = [await agreed(till, provider, cart) for cart in acting]
    assert await shelf(till.shop, cup) == (0, 2 * came.count("succeeded"))


async def given_up(till: Till, cart: Cart) -> str:
    """The cart is open again, by two clicks at once; the key of the attempt, whose money comes in a moment."""
    await pay(till.left[0], cart, await session(till.left[0], cart, "late"))
    attempt = await attempt_of(till.shop)
    cancelled = await asyncio.gather(
        *(api.done("cartCancelPayment", cart.key, "cart { status }") for api in (till.left[0], till.right[0]))
    )
    assert {payload["cart"]["status"] for payload in cancelled} == {"OPEN"}
    return attempt


async def has_come(shop: Shop, attempt: str) -> bool:
    query = text("SELECT count(*) AS n FROM payment WHERE attempt_id = :id")
    return (await shop.read.records(query, id=UUID(attempt)))[0].n == 1


async def test_money_that_comes_after_its_payment_was_given_up_places_the_order_if_all_is_as_it_was(
    till: Till, provider: Provider
) -> None:
    cup = await cups(till.shop)
    (cart,) = await carts_of(till.shop, cup, 1)
    attempt = await given_up(till, cart)
    assert await shelf(till.shop, cup) == (0, 0)
    await given.until(lambda: has_come(till.shop, attempt))
    await given.until(lambda: all_settled(till.shop))
    assert await tries(till.shop, cart) == [("succeeded", 2000)]
    assert await sums(till.shop, attempt) == (2000, 0, 0, 0, 0)
    assert provider.operations(attempt) == [("authorise", 2000, "done")]
    assert await status(till.right[0], cart) == "COMPLETED"
    assert await shelf(till.shop, cup) == (0, 2)


@pytest.mark.parametrize("meanwhile", ["changed", "sold out"])
async def test_money_that_comes_too_late_goes_back_in_full(till: Till, provider: Provider, meanwhile: str) -> None:
    cup = await cups(till.shop, stock=3)
    cart, other = await carts_of(till.shop, cup, 2)
    attempt = await given_up(till, cart)
    if meanwhile == "changed":
        moved = {**given.ADDRESS, "city": "Utrecht"}  # it costs the same
        await till.right[0].done("cartSetAddresses", {**cart.key, "shippingAddress": moved}, "cart { id }")
    else:
        assert (await pay(till.right[0], other, await session(till.right[0], other)))["order"]["status"] == "PLACED"
    await given.until(lambda: has_come(till.shop, attempt))
    await given.until(lambda: all_settled(till.shop))
    assert await sums(till.shop, attempt) == (2000, 2000, 0, 0, 0)
    assert provider.operations(attempt) == [("authorise", 2000, "done"), ("void", 2000, "done")]
    assert await tries(till.shop, cart) == [("cancelled", 2000)]
    assert await status(till.right[0], cart) == "OPEN"
    assert await shelf(till.shop, cup) == (0, 0 if meanwhile == "changed" else 2)


async def test_of_merges_at_once_one_does_it_and_no_addition_is_lost(till: Till) -> None:
    cup = (await cups(till.shop)).variant
    token = (await given.caller(till.shop, till.left[0], "customer")).headers["authorization"]
    customers = [Api(api.http, {"authorization": token}) for api in till.both]
    theirs = await carts.bare(customers[0], {"variantId": cup})
    kept = 1
    for _ in range(4):
        guest = await carts.bare(till.left[0], {"variantId": cup, "quantity": 5})
        one = {"lines": [{"variantId": cup}]}
        merging = [api.do("cartMerge", guest.key, "cart { id }") for api in customers[:4]]
        adding = [api.do("cartAddLines", {**theirs.key, **one}, "cart { id }") for api in customers[4:12]]
        guests = [Api(api.http).do("cartAddLines", {**guest.key, **one}, "cart { id }") for api in till.both[12:]]
        told_ = await asyncio.gather(*guests[:4], *merging, *adding, *guests[4:])
        merged, to_theirs, to_guests = told_[4:8], told_[8:16], [*told_[:4], *told_[16:]]
        assert sorted(errors(payload) for payload in merged) == [[], *[["NotFound"]] * 3]
        assert [errors(payload) for payload in to_theirs] == [[]] * 8
        in_time = sum(not errors(payload) for payload in to_guests)
        assert {error for payload in to_guests for error in errors(payload)} <= {"NotFound"}
        kept += 5 + 8 + in_time
        assert await carts.quantities(customers[1], theirs) == [kept]


@pytest.mark.parametrize("keys", [("one", "one"), ("one", "another")])
async def test_of_refunds_of_everything_at_once_one_sends_it_back(
    till: Till, provider: Provider, keys: tuple[str, str]
) -> None:
    cup = await cups(till.shop)
    (cart,) = await carts_of(till.shop, cup, 1)
    order = (await pay(till.left[0], cart, await session(till.left[0], cart, "captured")))["order"]
    attempt = await attempt_of(till.shop)
    token = (await given.caller(till.shop, till.left[0], "staff", "orders:refund")).headers["authorization"]
    everything = {"orderId": order["id"], "amount": {"amount": "20.00", "currency": "EUR"}, "reason": ""}
    asked = [
        Api(api.http, {"authorization": token}).do(
            "orderRefund", {**everything, "idempotencyKey": key}, "refunds { amount { amount } }"
        )
        for api, key in zip(till.both, keys * EACH, strict=True)
    ]
    payloads = await asyncio.gather(*asked)
    by_key = {key: {tuple(errors(p)) for p in payloads[n::2]} for n, key in enumerate(keys)}
    done = [key for key, outcomes in by_key.items() if () in outcomes]
    assert len(done) == 1
    assert by_key[done[0]] <= {(), ("InProgress",)}
    assert [outcomes for key, outcomes in by_key.items() if key not in done] == [{("AmountNotAvailable",)}][
        : len(by_key) - 1
    ]
    assert provider.operations(attempt) == [("capture", 2000, "done"), ("refund", 2000, "done")]
    assert await sums(till.shop, attempt) == (0, 0, 2000, 2000, 0)
