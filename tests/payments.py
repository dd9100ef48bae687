"""Paying in tests by the test provider: a process of its own, shared by the tests of a process, told apart by keys."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import orjson
import uvicorn
from sqlalchemy import text
from standardwebhooks import Webhook

from db.payment import AttemptState
from domain.processes.shop import Shop
from plugins.test_payment.provider import create_provider
from resolvers import ids
from server.payment_settings import DEVELOPMENT_WEBHOOK_SECRET
from tests import forked
from tests.api import PROVIDER_OF_THIS_PROCESS, Api, environment_of_tests, free_port
from tests.completion import FACTS
from tests.forked import Process
from tests.given import ADDRESS, Cart

ACTION = "nextAction { kind url clientData expiresAt }"
PAID = f"accessToken order {{ id number status paymentStatus amountDue {{ amount }} }} cart {{ id status }} {ACTION}"


@dataclass
class Provider:
    """A running test provider."""

    process: Process
    url: str
    file: Path
    port: int

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        return httpx.get(f"{self.url}/ledger").json()

    def operations(self, attempt: str) -> list[tuple[str, int, str]]:
        """Kind, amount and state of all that was done for an attempt, in order."""
        done = [one for one in self.ledger()["operations"] if one["attempt"] == attempt]
        return [(one["kind"], one["amount"], one["state"]) for one in done]

    def report_to(self, url: str | None) -> None:
        httpx.put(f"{self.url}/settings", json={"webhook_url": url}).raise_for_status()

    def customer(self, attempt: str, does: str) -> None:
        """Confirms or refuses."""
        assert httpx.post(f"{self.url}/attempts/{attempt}/{does}").status_code in {200, 303}


@contextmanager
def running_provider(file: Path, port: int | None = None) -> Iterator[Provider]:
    port = port or free_port()
    with Path(os.devnull).open("wb") as nowhere:
        command = ["test-provider", "--port", str(port), "--file", str(file)]
        process = forked.start(command, environment_of_tests(), nowhere)
    provider = Provider(process, f"http://127.0.0.1:{port}", file, port)
    try:
        for _ in range(300):
            try:
                httpx.get(f"{provider.url}/ledger")
                break
            except httpx.TransportError:
                assert process.poll() is None
                time.sleep(0.05)
        yield provider
    finally:
        provider.kill()


@cache
def start_provider_of_this_process() -> None:
    """At the address that every application in this process has for `test`, for tests that need no more of it."""
    config = uvicorn.Config(
        create_provider(":memory:", PROVIDER_OF_THIS_PROCESS, None, DEVELOPMENT_WEBHOOK_SECRET),
        port=int(PROVIDER_OF_THIS_PROCESS.rpartition(":")[2]),
        log_level="error",
    )
    server = uvicorn.Server(config)
    Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)


async def session(api: Api, cart: Cart, token: str = "success", **changes: Any) -> str:
    """A new session for the cart as it is; what its token does is in docs/payments.md."""
    given = {**cart.key, "provider": "test", "clientData": {"token": token}, **changes}
    payload = await api.done("paymentSessionCreate", given, "session { id amount { amount currency } clientData }")
    return payload["session"]["id"]


async def pay(api: Api, cart: Cart, session_id: str, key: str = "key-1", select: str = PAID) -> dict[str, Any]:
    """The payload of `cartComplete` by a session, whether it was done or refused."""
    given = {**cart.completion(key), "paymentSessionId": session_id}
    return await api.do("cartComplete", given, f"{select} {FACTS}")


def errors(payload: dict[str, Any]) -> list[str]:
    return [error["__typename"] for error in payload["userErrors"]]


async def attempt_of(shop: Shop, state: AttemptState | None = None) -> str:
    """The key of the last attempt, as the provider knows it."""
    (row,) = await shop.read.records(text("SELECT id, state FROM payment_attempt ORDER BY created_at DESC LIMIT 1"))
    assert state is None or row.state == state
    return str(row.id)


COUNTERS = "SELECT authorised, voided, captured, refunded, refund_pending, disputed FROM payment ORDER BY id"


async def counters(shop: Shop) -> list[tuple[int, ...]]:
    """Of each payment: authorised, voided, captured, refunded, on its way back, disputed."""
    return [tuple(row) for row in await shop.read.records(text(COUNTERS))]


async def events(shop: Shop) -> list[tuple[Any, ...]]:
    rows = await shop.read.records(text("SELECT kind, amount, currency, problem FROM payment_event ORDER BY id"))
    return [tuple(row) for row in rows]


async def money(shop: Shop) -> list[tuple[str, int]]:
    """Of each order: payment status and amount due."""
    rows = await shop.read.records(text('SELECT payment_status, amount_due FROM "order" ORDER BY id'))
    return [tuple(row) for row in rows]


def signed(body: bytes | str, secret: str = DEVELOPMENT_WEBHOOK_SECRET, at: datetime | None = None) -> dict[str, str]:
    """The headers of a webhook that is signed with the secret, now or at another time."""
    when, id_ = at or datetime.now(UTC), str(uuid4())
    content = body if isinstance(body, str) else body.decode()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, when, content),
    }


async def tell(api: Api, event: dict[str, Any], provider: str = "test", **headers: str) -> int:
    """Posts a webhook as the provider would; the status of the answer."""
    body = orjson.dumps(event)
    answer = await api.http.post(f"/webhooks/payments/{provider}", content=body, headers={**signed(body), **headers})
    return answer.status_code


def told(attempt: str, kind: str = "authorised", amount: int = 2000, **more: Any) -> dict[str, Any]:
    """What the provider reports of an attempt, under the reference that its answers have as well."""
    facts = {"kind": kind, "reference": f"{attempt}:{kind}", "attempt": attempt, "amount": amount, "currency": "EUR"}
    return {**facts, **more}


def order_key(payload: dict[str, Any]) -> Any:
    return ids.decode("Order", payload["order"]["id"])


async def pay_with_confirmation(visitor: Any, variant: str) -> None:
    """With the documents of docs/storefront/payment.graphql: a cup of 10.00 by a card that has to be confirmed, after
    another try was given up; then a second one by a transfer, which is paid by card before it arrives.

    `visitor` is who browses (tests/test_storefront.py).
    """
    start_provider_of_this_process()
    shopper, key, total = await _ready(visitor, variant)
    by_card = {"provider": "test", "clientData": {"token": "action"}}
    made = (await shopper.do("PaymentSessionCreate", **key, **by_card))["session"]
    assert made["amount"] == total
    completion = {**key, "expectedTotal": total, "paymentSessionId": made["id"], "idempotencyKey": "online"}
    assert (await shopper.do("CartComplete", **completion))["order"] is None
    assert (await shopper.do("CartCancelPayment", **key))["cart"]["status"] == "OPEN"
    asked = await shopper.do("CartComplete", **completion)
    assert (asked["nextAction"]["kind"], asked["cart"]["status"]) == ("REDIRECT", "PAYING")
    async with httpx.AsyncClient() as browser:
        assert (await browser.post(f"{asked['nextAction']['url']}/confirm")).status_code == 303
    placed = await shopper.do("CartComplete", **completion)
    assert (placed["order"]["paymentStatus"], placed["nextAction"]) == ("AUTHORISED", None)
    shopper, key, total = await _ready(visitor, variant)
    later = await shopper.do("CartComplete", **key, expectedTotal=total, idempotencyKey="by transfer")
    order = {"orderId": later["order"]["id"], "accessToken": later["accessToken"]}
    at_once = {"provider": "test", "clientData": {"token": "captured"}}
    session_ = (await shopper.do("OrderPaymentSessionCreate", **order, **at_once))["session"]
    due = {"paymentSessionId": session_["id"], "expectedAmount": session_["amount"], "idempotencyKey": "now"}
    paid = (await shopper.do("OrderPay", **order, **due))["order"]
    assert (paid["paymentStatus"], paid["amountDue"]["amount"]) == ("PAID", "0.00")


async def _ready(visitor: Any, variant: str) -> tuple[Any, dict[str, str], dict[str, str]]:
    """Somebody whose cart lacks nothing but its payment, its key and what it comes to."""
    made = await visitor.ask("CartCreate", input={"lines": [{"variantId": variant}]}, country="NL")
    shopper, key = visitor.having(x_cart_token=made["token"]), {"cartId": made["cart"]["id"]}
    await shopper.do("CartSetCustomer", **key, email="sam@shop.example")
    cart = (await shopper.do("CartSetAddresses", **key, shippingAddress=ADDRESS))["cart"]
    return shopper, key, {name: cart["totals"]["total"]["gross"][name] for name in ("amount", "currency")}
