"""Customers who pay whatever happens, and staff who send money back: each tries again until they know how it ended."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx

from tests.given import Cart

TOKENS: Final = {
    "success": 6,
    "captured": 2,
    "action": 2,
    "late": 2,
    "decline": 2,
    "timeout_after": 1,
    "timeout_before": 1,
    "webhook_before": 1,
    "webhook_during": 1,
    "webhook_after": 1,
    "webhook_only": 1,
    "webhook_twice": 1,
    "webhook_disorder": 1,
}
"""How the provider behaves, and how often compared with the others."""
AGAIN: Final = {"InProgress", "CartPaying", "UNAVAILABLE", "cut off", "no server"}
"""What says: try again with the same key."""
ANEW: Final = {"PaymentDeclined", "PaymentSessionStale"}
"""What says that this payment came to nothing: try another card."""
REFUNDED: Final = {"amount": "1.00", "currency": "EUR"}
SESSION: Final = """mutation Session($input: PaymentSessionCreateInput!) { answer: paymentSessionCreate(input: $input) {
  session { id } userErrors { __typename message } } }"""
COMPLETE: Final = """mutation Complete($input: CartCompleteInput!) { answer: cartComplete(input: $input) {
  order { id status } nextAction { kind url } userErrors { __typename message } } }"""
CANCEL: Final = """mutation Cancel($input: CartCancelPaymentInput!) { answer: cartCancelPayment(input: $input) {
  cart { id } userErrors { __typename message } } }"""
ORDER: Final = """query Order($id: ID!, $token: String) { answer: cart(id: $id, token: $token) { order { id } } }"""
REFUND: Final = """mutation Refund($input: OrderRefundInput!) { answer: orderRefund(input: $input) {
  refunds { state } userErrors { __typename message } } }"""


@dataclass
class Crowd:
    """Of so many customers each completes one cart after the other; `staff` is the token of who may refund."""

    url: str
    provider: str
    carts: Iterator[Cart]
    staff: str
    customers: int = 10
    tokens: dict[str, int] = field(default_factory=lambda: dict(TOKENS))
    orders: dict[str, str] = field(default_factory=dict[str, str])
    """What customers were told: the order of each cart."""
    refunded: set[str] = field(default_factory=set[str])
    """Orders of which staff were told that a part went back."""
    answers: Counter[str] = field(default_factory=Counter[str])
    strange: list[str] = field(default_factory=list[str])
    """Answers that nobody should ever get."""
    over: bool = False

    async def shop(self) -> None:
        """Until `over`, or until there are no more carts; whoever has begun goes on to the end."""
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=30, limits=limits) as http:
            await asyncio.gather(*(self._customer(http, number) for number in range(self.customers)))

    async def _customer(self, http: httpx.AsyncClient, number: int) -> None:
        chance = random.Random(number)
        while not self.over and (cart := next(self.carts, None)) is not None:
            await self._buy(http, chance, cart)
            if chance.random() < 0.25:
                await self._refund(http, self.orders[cart.id])

    async def _buy(self, http: httpx.AsyncClient, chance: random.Random, cart: Cart) -> None:
        token = chance.choices(list(self.tokens), list(self.tokens.values()))[0]
        while cart.id not in self.orders:
            session = await self._session(http, cart, token)
            key = f"pay-{uuid4()}"
            if session is not None:
                await self._complete(http, chance, cart, {"paymentSessionId": session, "idempotencyKey": key}, token)
            token = "success"

    async def _session(self, http: httpx.AsyncClient, cart: Cart, token: str) -> str | None:
        """None once the cart turns out to be ordered already."""
        while True:
            told, answer = await self._ask(
                http, SESSION, {**cart.key, "provider": "test", "clientData": {"token": token}}, "session"
            )
            if told == "done":
                return answer["session"]["id"]
            if told == "AlreadyCompleted":
                await self._find_order(http, cart)
                return None
            self._expect(told, answer, AGAIN)

    async def _complete(
        self, http: httpx.AsyncClient, chance: random.Random, cart: Cart, payment: dict[str, str], token: str
    ) -> None:
        """Goes on with one payment until it is decided."""
        while cart.id not in self.orders:
            told, answer = await self._ask(
                http, COMPLETE, {**cart.key, "expectedTotal": cart.total, **payment}, "completion"
            )
            if told == "done" and answer["nextAction"] and chance.random() < (0.9 if token == "late" else 0.2):
                if await self._cancel(http, cart):
                    await asyncio.sleep(chance.uniform(0, 1))
                    return
            elif told == "done" and answer["nextAction"]:
                await self._act(http, chance, answer["nextAction"]["url"])
            elif told == "done":
                self.orders[cart.id] = answer["order"]["id"]
            elif told == "AlreadyCompleted":
                await self._find_order(http, cart)
            elif told in ANEW:
                return
            else:
                self._expect(told, answer, AGAIN)

    async def _act(self, http: httpx.AsyncClient, chance: random.Random, url: str) -> None:
        """Most confirm, some refuse, some do nothing for now."""
        does = chance.choice(["confirm", "confirm", "confirm", "refuse", ""])
        if does:
            try:
                await http.post(f"{url}/{does}", follow_redirects=False)
            except httpx.TransportError:
                self.answers["provider away"] += 1
        await asyncio.sleep(0.05)

    async def _cancel(self, http: httpx.AsyncClient, cart: Cart) -> bool:
        """Whether the cart is open again; money that came first has made it an order."""
        while True:
            told, answer = await self._ask(http, CANCEL, cart.key, "cancel")
            if told in {"done", "AlreadyCompleted"}:
                return told == "done"
            self._expect(told, answer, AGAIN)

    async def _find_order(self, http: httpx.AsyncClient, cart: Cart) -> None:
        while cart.id not in self.orders:
            told, answer = await self._ask(http, ORDER, {"id": cart.id, "token": cart.token}, "", whole=True)
            if told == "done" and answer["order"]:
                self.orders[cart.id] = answer["order"]["id"]
            elif told != "done":
                self._expect(told, answer, AGAIN)

    async def _refund(self, http: httpx.AsyncClient, order: str) -> None:
        """Part of the money goes back once, however often it is asked for."""
        given = {"orderId": order, "amount": REFUNDED, "idempotencyKey": f"back-{order}"}
        for _ in range(200):
            told, answer = await self._ask(http, REFUND, given, "refund", token=self.staff)
            if told == "done":
                self.refunded.add(order)
                return
            # The money may not have been captured yet: that is a reaction of its own.
            self._expect(told, answer, AGAIN | {"AmountNotAvailable"})
            await asyncio.sleep(0.1)

    async def _ask(
        self,
        http: httpx.AsyncClient,
        document: str,
        given: dict[str, Any],
        what: str,
        *,
        whole: bool = False,
        token: str = "",
    ) -> tuple[str, Any]:
        """`done` with the payload, or the type or code of what went wrong."""
        variables = given if whole else {"input": given}
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            response = await http.post(
                f"{self.url}/graphql", json={"query": document, "variables": variables}, headers=headers
            )
            body = response.json()
        except httpx.ConnectError:
            await asyncio.sleep(0.1)
            return "no server", None
        except (httpx.TransportError, ValueError):
            self.answers["cut off"] += 1
            return "cut off", None
        if errors := body.get("errors"):
            told = errors[0]["extensions"]["code"]
        else:
            failed = (body["data"]["answer"] or {}).get("userErrors")
            told = failed[0]["__typename"] if failed else "done"
        self.answers[f"{what} {told}".strip()] += 1
        if told in AGAIN:
            await asyncio.sleep(0.1)
        return told, body if told != "done" else body["data"]["answer"]

    def _expect(self, told: str, answer: Any, known: set[str]) -> None:
        if told not in known:
            self.strange.append(f"{told}: {answer}")
            self.over = True
            raise AssertionError(self.strange[-1])
