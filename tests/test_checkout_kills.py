"""Servers are killed and databases hang up during checkouts: customers try again, and each has exactly one order."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from sqlalchemy import text

from domain import checkout
from domain.cart_line import AddLine
from domain.processes.shop import Shop
from resolvers import ids
from tests import given
from tests.api import Api, Server
from tests.completion import FACTS, command, complete, it_was_ordered, many_carts, status, ten_cups, two_cups
from tests.given import Cart
from tests.invariants import levels, undecided, violations, without_tickets
from tests.test_worker import until

KILLS = 5
CUSTOMERS = 12
DOCUMENT = f"""mutation Complete($input: CartCompleteInput!) {{
    cartComplete(input: $input) {{ order {{ id status }} {FACTS} }} }}"""
WORTH_ANOTHER_TRY = {"InProgress", "PaymentDeclined", "UNAVAILABLE"}
"""The last of the two: nobody had waited for the payment any more, and it was given up."""


@dataclass
class Crowd:
    """Customers who each complete one cart after the other, and try again with the same key until they know."""

    carts: Iterator[Cart]
    server: Server
    orders: dict[str, str] = field(default_factory=dict)
    """What they were told: the order of each cart."""
    answers: Counter[str] = field(default_factory=Counter)
    over: bool = False

    async def shop(self) -> None:
        await asyncio.gather(*(self._customer() for _ in range(CUSTOMERS)))

    async def _customer(self) -> None:
        async with httpx.AsyncClient(timeout=20) as http:
            while not self.over:
                cart = next(self.carts)
                while cart.id not in self.orders:
                    await self._try(http, cart)

    async def _try(self, http: httpx.AsyncClient, cart: Cart) -> None:
        body = {"query": DOCUMENT, "variables": {"input": cart.completion()}}
        try:
            answer = await http.post(f"{self.server.url}/graphql", json=body)
        except httpx.ConnectError:
            await asyncio.sleep(0.05)  # until there is a server again
            return
        except httpx.TransportError:
            self.answers["cut off"] += 1
            return
        told = self._outcome(answer, cart)
        self.answers[told] += 1
        assert told == "order" or told in WORTH_ANOTHER_TRY, f"{answer.text}\n{self.server.log.read_text()[-4000:]}"

    def _outcome(self, answer: httpx.Response, cart: Cart) -> str:
        """`order`, or the type or code of what went wrong."""
        assert answer.status_code == 200, answer.text
        if errors := answer.json().get("errors"):
            return errors[0]["extensions"]["code"]
        payload: dict[str, Any] = answer.json()["data"]["cartComplete"]
        if payload["userErrors"]:
            return payload["userErrors"][0]["__typename"]
        assert payload["order"]["status"] == "PLACED"
        self.orders[cart.id] = payload["order"]["id"]
        return "order"


async def stocked_carts(shop: Shop, count: int) -> list[Cart]:
    """Each wants two cups and a lid; of both there is enough."""
    await given.regions(shop)
    cup, lid = [await given.product(shop, name, stock=10_000) for name in ("cup", "lid")]
    return await many_carts(shop, *[[AddLine(cup.keys[0], 2), AddLine(lid.keys[0], 1)]] * count)


async def settled(shop: Shop) -> bool:
    """The sweeper and the reactions have done what they have to do."""
    return await undecided(shop.read) == 0 and await without_tickets(shop.read) == 0


async def everyone_has_one_order(shop: Shop, crowd: Crowd) -> None:
    """Each customer who began has exactly the order that they were told of, and nothing else is held."""
    await until(lambda: settled(shop), within=60)
    assert await violations(shop.read) == []
    placed = await shop.read.records(text("""SELECT cart_id, id FROM "order" WHERE status = 'placed'"""))
    assert {ids.encode("Cart", row.cart_id): ids.encode("Order", row.id) for row in placed} == crowd.orders
    sold = len(crowd.orders)
    assert await levels(shop.read) == [
        ("CUP-1", "main", 10_000, 0, 2 * sold),
        ("LID-1", "main", 10_000, 0, sold),
    ]


async def test_killing_the_server_leaves_every_customer_with_exactly_one_order(
    shop: Shop, start_server: Callable[..., Server]
) -> None:
    chance, kills, interrupted = random.Random(), 0, 0
    carts = await stocked_carts(shop, 600)
    crowd = Crowd(iter(carts), start_server(SWEEP_AFTER="1"))
    shopping = asyncio.create_task(crowd.shop())
    while kills < KILLS or not interrupted:
        # On a busy machine it takes longer until somebody pays.
        await asyncio.sleep(chance.uniform(0.05, 0.25 * (1 + kills)))
        assert not shopping.done(), shopping.result()
        crowd.server.kill()
        kills += 1
        interrupted += await undecided(shop.read)
        assert await violations(shop.read) == []
        crowd.server = await asyncio.to_thread(start_server, SWEEP_AFTER="1")
    crowd.over = True
    await asyncio.wait_for(shopping, 30)
    assert crowd.answers["cut off"] > 0
    await everyone_has_one_order(shop, crowd)


async def test_what_a_killed_server_held_is_released_by_the_next_one(
    shop: Shop, api: Api, start_server: Callable[..., Server]
) -> None:
    cart = await two_cups(api, await ten_cups(shop))
    async with shop.tx() as tx:
        await checkout.prepare(tx, command(cart, provider="manual"))  # as far as the killed one came
    assert await levels(shop.read) == [("CUP-1", "main", 10, 2, 0)]
    start_server(SWEEP_AFTER="1")
    await until(lambda: nobody_pays(shop))
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 0)]
    assert await status(api, cart) == "OPEN"
    assert await violations(shop.read) == []
    assert (await complete(api, cart))["order"]["number"] == "1001"
    await it_was_ordered(shop, api, cart)


async def nobody_pays(shop: Shop) -> bool:
    return await undecided(shop.read) == 0


async def test_a_database_that_hangs_up_costs_a_retry_and_nothing_else(
    database_url: str, shop: Shop, start_server: Callable[..., Server]
) -> None:
    crowd = Crowd(iter(await stocked_carts(shop, 600)), start_server("--workers", "2", SWEEP_AFTER="1"))
    shopping = asyncio.create_task(crowd.shop())
    for _ in range(6):
        before = crowd.answers["order"]
        await until(lambda: crowd.answers["order"] > before + CUSTOMERS, 30)  # noqa: B023 - awaited at once
        hang_up(database_url)
    crowd.over = True
    await asyncio.wait_for(shopping, 30)
    assert crowd.answers["UNAVAILABLE"] > 0
    assert set(crowd.answers) <= {"order", *WORTH_ANOTHER_TRY}
    await everyone_has_one_order(shop, crowd)
    assert "ERROR server" not in crowd.server.log.read_text()


def hang_up(database_url: str) -> None:
    """Ends every connection to the database, whatever it is doing."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
