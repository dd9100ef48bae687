"""Completing carts in tests: over the API with the facts of refusals, or directly with a provider of the test's own."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select, text

from db import Cart as CartRow
from db import PaymentAttempt
from domain import cart as carts
from domain import cart_line as cart_lines
from domain.actor import GUEST
from domain.address import Address
from domain.assessment import assess
from domain.cart import CartKey
from domain.cart_line import AddLine
from domain.checkout import CompleteCart
from domain.money import Money, minor_units
from domain.payment_provider import (
    Absent,
    ActionRequired,
    Authorised,
    Captured,
    Captures,
    Charge,
    CreatedSession,
    Declined,
    Operation,
    Pending,
    Refunded,
    Refused,
    SessionRequest,
    Voided,
    WebhookRefused,
)
from domain.processes.shop import Shop
from resolvers import ids
from resolvers.context import ContextChoice, find_region
from tests.api import Api
from tests.given import ORDER, Cart, Sold, product, regions
from tests.given import cart as filled_cart
from tests.invariants import levels, violations

FACTS = """userErrors { __typename code path
  ... on InsufficientStock { availableQuantity variantId lineId }
  ... on PriceChanged { expected { amount currency } current { amount currency } }
  ... on RequirementsNotMet { requirements { code step message mutation path lineId } }
  ... on CartPaying { attemptId since }
  ... on PaymentDeclined { retryable }
  ... on InProgress { retryAfter } }"""


async def complete(api: Api, cart: Cart, key: str = "key-1", **changes: Any) -> dict[str, Any]:
    """The payload of `cartComplete`, whether it was done or refused."""
    return await api.do("cartComplete", {**cart.completion(key), **changes}, f"{ORDER} {FACTS}")


def refusal(payload: dict[str, Any]) -> dict[str, Any]:
    """The one error of a payload that has nothing else, without its wording."""
    (error,) = payload["userErrors"]
    assert payload["order"] is payload["accessToken"] is payload["cart"] is None
    return {name: value for name, value in error.items() if name != "message"}


def short(available: int, variant: str, line: str) -> dict[str, Any]:
    """The refusal of a line that wants more than there is."""
    facts = {"availableQuantity": available, "variantId": variant, "lineId": line}
    return {"__typename": "InsufficientStock", "code": "INSUFFICIENT_STOCK", "path": ["lines"], **facts}


async def lines_of(api: Api, cart: Cart) -> list[str]:
    """The ids of a cart's lines, in the order of adding."""
    query = "query C($id: ID!, $token: String) { cart(id: $id, token: $token) { lines { id } } }"
    read = await api(query, {"id": cart.id, "token": cart.token})
    return [line["id"] for line in read["cart"]["lines"]]


def command(cart: Cart, key: str = "key-1", provider: str = "bank") -> CompleteCart:
    currency = cart.total["currency"]
    expected = Money(minor_units(cart.total["amount"], currency), currency)
    return CompleteCart(CartKey(ids.decode("Cart", cart.id), cart.token, GUEST), expected, key, provider)


def paid(charge: Charge) -> Authorised:
    return Authorised(f"bank:{charge.attempt_id}", charge.amount, charge.currency)


NO_ANSWER = ConnectionError("the bank's line is dead")
Answer = (
    Authorised | Captured | Declined | ActionRequired | Absent | Exception | Callable[[Charge], Authorised | Captured]
)
Done = Captured | Voided | Refunded | Pending | Refused | Exception


def captured(charge: Charge) -> Captured:
    return Captured(f"bank:{charge.attempt_id}", charge.amount, charge.currency)


@dataclass
class Bank:
    """A payment provider, an outside party: says what the test lets it say, the last answer again and again."""

    answers: list[Answer]
    cancels: list[Answer] = field(default_factory=lambda: [Absent()])
    looks: list[Answer] = field(default_factory=lambda: [Absent()])
    """What it says when it is asked what became of an attempt."""
    does: list[Done] = field(default_factory=list[Done])
    """What it says to captures, voids and refunds; nothing listed: all is done."""
    name: str = "bank"
    needs_session: bool = False
    captures: Captures = Captures.MANUAL
    looked: list[Charge] = field(default_factory=list)
    done: list[tuple[str, Operation]] = field(default_factory=list)
    sessions: list[SessionRequest] = field(default_factory=list)
    asked: list[Charge] = field(default_factory=list)
    cancelled: list[Charge] = field(default_factory=list)
    silent: bool = False
    silent_on_cancel: bool = False
    spoke: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to end the silence."""

    async def authorise(self, charge: Charge) -> Any:
        self.asked.append(charge)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.silent:
            await self.spoke.wait()
        return self._say(answer, charge)

    async def cancel(self, charge: Charge) -> Any:
        self.cancelled.append(charge)
        if self.silent_on_cancel:
            await self.spoke.wait()
        return self._say(self.cancels.pop(0) if len(self.cancels) > 1 else self.cancels[0], charge)

    async def look_up(self, charge: Charge) -> Any:
        self.looked.append(charge)
        return self._say(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0], charge)

    async def create_session(self, request: SessionRequest) -> CreatedSession:
        self.sessions.append(request)
        return CreatedSession(f"s:{request.session_id}", request.amount, request.currency, {"secret": "s"})

    async def capture(self, operation: Operation) -> Any:
        return self._do("capture", operation, Captured)

    async def void(self, operation: Operation) -> Any:
        return self._do("void", operation, Voided)

    async def refund(self, operation: Operation) -> Any:
        return self._do("refund", operation, Refunded)

    def parse_webhook(self, headers: Any, body: bytes) -> Any:
        raise WebhookRefused

    async def close(self) -> None: ...

    def _do(self, kind: str, operation: Operation, done: Any) -> Any:
        self.done.append((kind, operation))
        if not self.does:
            return done(f"{kind}:{operation.operation_id}", operation.amount, operation.currency)
        answer = self.does.pop(0) if len(self.does) > 1 else self.does[0]
        if isinstance(answer, Exception):
            raise answer.with_traceback(None)
        return answer

    def _say(self, answer: Answer, charge: Charge) -> Any:
        if isinstance(answer, Exception):
            raise answer.with_traceback(None)
        return answer(charge) if callable(answer) else answer


def paid_by(shop: Shop, *banks: Bank, sweep_after: float = 0) -> Shop:
    """The shop with other payment providers, whose attempts the sweeper takes for abandoned at once."""
    return replace(shop, providers={bank.name: bank for bank in banks}, sweep_after=sweep_after)


HOME = Address(last_name="Baker", address1="Keizersgracht 1", city="Amsterdam", country="NL")


async def many_carts(shop: Shop, *baskets: Sequence[AddLine]) -> list[Cart]:
    """Carts that lack nothing, one for each basket: as `given.cart`, but many at once and without the API."""
    region = await find_region(shop.read, ContextChoice())
    made: list[tuple[CartRow, str]] = []
    async with shop.tx() as tx:
        for lines in baskets:
            empty, token = await carts.create(tx, region, GUEST, "sam@shop.example")
            filled = await cart_lines.add_lines(tx, empty, lines)
            ready = await carts.set_addresses(tx, filled, HOME)
            made.append((ready, token))
    rows = [row for row, _ in made]
    totals = [Money(found.totals.total, found.totals.currency) for found in await assess(shop.read, rows)]
    return [
        Cart(ids.encode("Cart", row.id), token, {"amount": str(total.amount), "currency": total.currency})
        for (row, token), total in zip(made, totals, strict=True)
    ]


async def ten_cups(shop: Shop) -> Sold:
    """A shop that has nothing but ten cups at 10.00."""
    await regions(shop)
    return await product(shop, "cup", stock=10)


async def two_cups(api: Api, cup: Sold) -> Cart:
    return await filled_cart(api, {"variantId": cup.variant, "quantity": 2})


async def status(api: Api, cart: Cart) -> str:
    query = "query C($id: ID!, $token: String) { cart(id: $id, token: $token) { status } }"
    return (await api(query, {"id": cart.id, "token": cart.token}))["cart"]["status"]


async def attempts(shop: Shop) -> list[tuple[Any, ...]]:
    rows = await shop.read.all(select(PaymentAttempt).order_by(PaymentAttempt.created_at))
    return [(row.n, row.state, row.amount) for row in rows]


async def orders(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await shop.read.records(text('SELECT status, total, number FROM "order"'))]


async def nothing_was_ordered(shop: Shop, api: Api, cart: Cart) -> None:
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, 0)]
    assert [row[0] for row in await orders(shop)] == ["pending"]
    assert await status(api, cart) == "OPEN"
    assert await violations(shop.read) == []


async def it_was_ordered(shop: Shop, api: Api, cart: Cart, units: int = 2) -> None:
    assert await levels(shop.read) == [("CUP-1", "main", 10, 0, units)]
    assert await orders(shop) == [("placed", units * 1000, 1001)]
    assert await status(api, cart) == "COMPLETED"
    assert await violations(shop.read) == []


async def nothing_was_begun(shop: Shop) -> None:
    """No order, no payment, no key, no hold; the carts are open."""
    counts = """SELECT (SELECT count(*) FROM "order"), (SELECT count(*) FROM payment_attempt),
                  (SELECT count(*) FROM idempotency_key), (SELECT count(*) FROM stock_reservation),
                  (SELECT count(*) FROM cart WHERE status <> 'open')"""
    assert [tuple(row) for row in await shop.read.records(text(counts))] == [(0, 0, 0, 0, 0)]
    assert await violations(shop.read) == []
