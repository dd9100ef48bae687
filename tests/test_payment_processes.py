"""Real processes: two web workers, a worker and the provider, in whatever order they speak and whoever is killed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from domain.cart_line import AddLine
from domain.processes.shop import Shop
from tests import given
from tests.api import Api, Server
from tests.completion import it_was_ordered, many_carts, ten_cups, two_cups
from tests.given import Cart
from tests.invariants import levels, undecided, unreturned, violations
from tests.payments import Provider, attempt_of, counters, errors, events, money, pay, running_provider, session
from tests.test_worker import until

SETTINGS = {"SWEEP_AFTER": "1"}


@asynccontextmanager
async def paying(
    start_server: Callable[..., Server], provider: Provider, *arguments: str, **more: str
) -> AsyncIterator[tuple[Api, Server]]:
    """A server whose provider reports to it."""
    server = start_server(*arguments, TEST_PROVIDER_URL=provider.url, **{**SETTINGS, **more})
    provider.report_to(f"{server.url}/webhooks/payments/test")
    try:
        async with server.api() as api:
            yield api, server
    finally:
        with suppress(httpx.TransportError):
            provider.report_to(None)


async def placed(shop: Shop, count: int = 1) -> bool:
    return await shop.read.value(text("""SELECT count(*) FROM "order" WHERE status = 'placed'""")) == count


async def captured(shop: Shop) -> bool:
    return await shop.read.value(text("SELECT count(*) FROM payment WHERE captured < authorised")) == 0


async def test_whoever_speaks_first_every_cart_becomes_one_order_that_is_captured_once(
    shop: Shop, provider: Provider, start_server: Callable[..., Server]
) -> None:
    tokens = ["success", "captured", "webhook_before", "webhook_during", "webhook_after", "webhook_only"]
    tokens += ["webhook_twice", "webhook_disorder", "timeout_after", "timeout_before"]
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=100)
    carts = await many_carts(shop, *[[AddLine(cup.keys[0], 2)]] * len(tokens))
    async with paying(start_server, provider, "--workers", "2") as (api, server):

        async def customer(cart: Cart, token: str) -> None:
            """Clicks twice, and again until there is an order."""
            made = await session(api, cart, token)
            for _ in range(60):
                payloads = await asyncio.gather(*(pay(api, cart, made) for _ in range(2)))
                told = {error for payload in payloads for error in errors(payload)}
                assert told <= {"InProgress", "PaymentDeclined", "AlreadyCompleted"}, (token, payloads)
                if any(payload["order"] for payload in payloads) or "AlreadyCompleted" in told:
                    return
                await asyncio.sleep(0.2)
            raise AssertionError(token)

        await asyncio.gather(*(customer(cart, token) for cart, token in zip(carts, tokens, strict=True)))
        await until(lambda: placed(shop, len(tokens)))
        await until(lambda: captured(shop), 30)
        assert "ERROR server" not in server.log.read_text()
    assert await undecided(shop.read) == await unreturned(shop.read) == 0
    assert await levels(shop.read) == [("CUP-1", "main", 100, 0, 2 * len(tokens))]
    assert set(await money(shop)) == {("paid", 0)}
    assert {(row[2], row[3]) for row in await counters(shop)} == {(2000, 0)}
    assert await violations(shop.read) == []
    taken = "SELECT attempt_id::text, captured FROM payment ORDER BY 1"
    ours = [tuple(row) for row in await shop.read.records(text(taken))]
    theirs = [
        (attempt, sum(amount for kind, amount, state in provider.operations(attempt) if (kind, state) == CAPTURE))
        for attempt, _ in ours
    ]
    assert theirs == ours


CAPTURE = ("capture", "done")


async def test_a_payment_that_takes_long_holds_no_transaction_no_lock_and_no_connection(
    shop: Shop, provider: Provider, start_server: Callable[..., Server]
) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=100)
    carts = await many_carts(shop, *[[AddLine(cup.keys[0], 1)]] * 30)
    async with paying(start_server, provider, "--no-worker", SWEEP_AFTER="30") as (api, _):
        sessions = await asyncio.gather(*(session(api, cart, "slow:2") for cart in carts))
        slow = [asyncio.create_task(pay(api, cart, one)) for cart, one in zip(carts, sessions, strict=True)]
        await until(lambda: all_paying(shop, 30))
        mine = "datname = current_database() AND pid <> pg_backend_pid()"
        busy = f"SELECT count(*) FROM pg_stat_activity WHERE {mine} AND state LIKE 'idle in transaction%'"
        locks = f"SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {mine} AND granted"
        await until(lambda: nothing_of(shop, busy))
        await until(lambda: nothing_of(shop, locks))
        query = "query ($id: ID!, $token: String) { cart(id: $id, token: $token) { status } }"
        asked = await asyncio.wait_for(api(query, {"id": carts[0].id, "token": carts[0].token}), 5)
        assert asked == {"cart": {"status": "PAYING"}}
        assert not any(task.done() for task in slow)
        assert {payload["order"]["status"] for payload in await asyncio.gather(*slow)} == {"PLACED"}
    assert await violations(shop.read) == []


async def all_paying(shop: Shop, count: int) -> bool:
    return await undecided(shop.read) == count


async def nothing_of(shop: Shop, counting: str) -> bool:
    return await shop.read.value(text(counting)) == 0


@pytest.mark.parametrize("place", ["after_prepare", "after_authorise", "after_finalise"])
async def test_a_server_that_is_killed_right_there_leaves_an_order_or_an_open_cart(
    shop: Shop, provider: Provider, start_server: Callable[..., Server], place: str
) -> None:
    cup = await ten_cups(shop)
    async with paying(start_server, provider, FAILPOINT=f"{place}:kill", SWEEP_AFTER="1") as (api, server):
        cart = await two_cups(api, cup)
        made = await session(api, cart)
        with pytest.raises(httpx.TransportError):
            await pay(api, cart, made)
        server.process.wait(10)
    assert await violations(shop.read) == []
    async with paying(start_server, provider, SWEEP_AFTER="1") as (api, _):
        await until(lambda: all_paying(shop, 0))
        for _ in range(50):
            payload = await pay(api, cart, made)
            if payload["order"]:
                break
            await asyncio.sleep(0.1)
        await it_was_ordered(shop, api, cart)
        await until(lambda: captured(shop))
    assert [row[2:4] for row in await counters(shop) if row[2]] == [(2000, 0)]


async def test_the_provider_keeps_its_word_when_it_is_killed(
    shop: Shop, start_server: Callable[..., Server], tmp_path: Any
) -> None:
    with running_provider(tmp_path / "ledger.db") as first:
        async with paying(start_server, first, "--no-worker") as (api, _):
            cart = await two_cups(api, await ten_cups(shop))
            made = await session(api, cart, "timeout_after")
            assert errors(await pay(api, cart, made)) == ["InProgress"]
            attempt = await attempt_of(shop)
            before = first.operations(attempt)
            assert before == [("authorise", 2000, "done")]
            first.kill()
            assert errors(await pay(api, cart, made)) == ["InProgress"]
            with running_provider(first.file, first.port) as second:
                assert second.operations(attempt) == before
                assert (await pay(api, cart, made))["order"]["status"] == "PLACED"
                assert second.operations(attempt) == before
                assert await events(shop) == [("authorised", 2000, "EUR", None)]
