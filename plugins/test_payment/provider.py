"""The test provider itself: a small HTTP service that keeps its word over a kill, and behaves as tokens say."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from html import escape
from typing import Any, Final

import httpx
import orjson
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from uuid_utils import uuid7

from plugins.test_payment.ledger import OPEN, Attempt, Ledger

ACTION_SECONDS: Final = 600
RETRY_SECONDS: Final = 0.5
HANG_SECONDS: Final = 3_600.0
LATE_SECONDS: Final = 0.5
NAME: Final = "token"
"""Under which the browser says how it behaves."""
TOKENS: Final = {
    "success": "authorises",
    "captured": "captures at once",
    "decline": "declines; another try may succeed",
    "decline_final": "declines for good",
    "action": "sends the customer to a page that confirms or refuses",
    "client_action": "wants the browser's code to confirm (`POST /attempts/{key}/confirm`)",
    "late": "sends the customer to a page; once cancelled, it promises the money all the same",
    "timeout_before": "hangs the first time before anything happened",
    "timeout_after": "hangs the first time after the money is promised",
    "slow": "answers after some seconds: `slow:2`",
    "webhook_before": "reports before it answers",
    "webhook_during": "reports while it answers",
    "webhook_after": "reports after it has answered",
    "webhook_only": "reports, and never answers",
    "webhook_twice": "reports everything twice, after it has answered",
    "webhook_disorder": "captures at once, and reports the capture before the promise",
    "wrong_amount": "promises one more than it was asked for",
    "wrong_currency": "promises another currency",
    "refund_fails": "captures at once, and refuses refunds",
    "refund_pending": "captures at once, and reports refunds later",
}
CAPTURING: Final = {"captured", "webhook_disorder", "refund_fails", "refund_pending"}


@dataclass
class TestProvider:
    """`webhook_url` null: it reports nothing by itself."""

    __test__ = False
    ledger: Ledger
    base_url: str = ""
    webhook_url: str | None = None
    secret: str = ""
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=5))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    # Calls of the shop

    async def create_session(self, request: Request) -> Response:
        given = orjson.loads(await request.body())
        card = str(given["client"].get(NAME, "success"))
        if card.partition(":")[0] not in TOKENS:
            return JSONResponse({"error": f"no such token: {card}"}, 422)
        key, amount, currency = given["key"], given["amount"], given["currency"]
        reference = self.ledger.session(key, amount, currency, card, given["return_url"])
        return JSONResponse({"reference": reference, "amount": amount, "currency": currency, "client": {NAME: card}})

    async def authorise(self, request: Request) -> Response:
        given = orjson.loads(await request.body())
        attempt = self.ledger.begin(given["key"], given["session"] or "", given["amount"], given["currency"])
        if attempt.state != "asked":
            return self._told(attempt)
        card, _, seconds = attempt.card.partition(":")
        if card == "slow":
            await asyncio.sleep(float(seconds or 1))
        if card == "timeout_before" and attempt.calls == 1:
            await asyncio.sleep(HANG_SECONDS)
        self.ledger.move(attempt.key, _outcome(card), *OPEN)
        if card == "timeout_after" and attempt.calls == 1:
            await asyncio.sleep(HANG_SECONDS)
        await self._report_attempt(attempt.key, card)
        if card == "webhook_only":
            await asyncio.sleep(HANG_SECONDS)
        return self._found(attempt.key)

    async def look_up(self, request: Request) -> Response:
        return self._found(request.path_params["key"])

    async def cancel(self, request: Request) -> Response:
        attempt = self.ledger.cancel(request.path_params["key"])
        if attempt.card == "late" and attempt.state == "cancelled":
            self._later(self._come_late(attempt.key))
        return self._told(attempt)

    async def _come_late(self, key: str) -> None:
        await asyncio.sleep(LATE_SECONDS)
        if self.ledger.move(key, "authorised", "cancelled"):
            await self.report(self._event(key))

    async def operate(self, request: Request) -> Response:
        given, kind = orjson.loads(await request.body()), request.path_params["kind"]
        attempt = self.ledger.attempt(given["attempt"])
        if attempt is None or (kind == "refund" and attempt.card == "refund_fails"):
            return JSONResponse({"state": "failed", "message": "The bank refuses."})
        state = "pending" if kind == "refund" and attempt.card == "refund_pending" else "done"
        done = self.ledger.operate(kind, given["key"], attempt.key, given["amount"], state)
        if done is None:
            return JSONResponse({"state": "failed", "message": "There is not so much money."})
        if done["state"] == "done" and attempt.card.startswith("webhook"):
            self._later(self.report(_event_of(done)))
        return JSONResponse({**done, "message": "It failed." if done["state"] == "failed" else ""})

    # What the customer does

    async def page(self, request: Request) -> Response:
        attempt = self.ledger.attempt(request.path_params["key"])
        if attempt is None:
            return HTMLResponse("<p>There is no such payment.</p>", 404)
        amount = escape(f"{attempt.amount} {attempt.currency}")
        forms = "".join(
            f'<form method="post" action="/attempts/{escape(attempt.key)}/{do}"><button>{label}</button></form>'
            for do, label in (("confirm", "Confirm"), ("refuse", "Refuse"))
        )
        return HTMLResponse(f"<!doctype html><title>Test payment</title><h1>Pay {amount}?</h1>{forms}")

    async def confirm(self, request: Request) -> Response:
        key = request.path_params["key"]
        if self.ledger.move(key, "authorised", "acting"):
            self._later(self.report(self._event(key)))
        return self._back(key)

    async def refuse(self, request: Request) -> Response:
        key = request.path_params["key"]
        if self.ledger.move(key, "declined", "acting"):
            self._later(self.report(self._event(key)))
        return self._back(key)

    def _back(self, key: str) -> Response:
        attempt = self.ledger.attempt(key)
        return RedirectResponse(attempt.return_url, 303) if attempt and attempt.return_url else self._found(key)

    # What tests do

    async def read(self, _request: Request) -> Response:
        """Everything that happened: attempts, and operations in their order."""
        tables = {name: self.ledger.rows(sql) for name, sql in LISTS.items()}
        return JSONResponse(tables)

    async def set(self, request: Request) -> Response:
        self.webhook_url = orjson.loads(await request.body())["webhook_url"]
        return JSONResponse({"webhook_url": self.webhook_url})

    async def settle_refund(self, request: Request) -> Response:
        """Decides a pending refund, and reports it."""
        given = orjson.loads(await request.body())
        self.ledger.finish(given["key"], given["state"])
        (done,) = self.ledger.rows("SELECT * FROM operation WHERE key = ?", given["key"])
        await self.report(_event_of(done))
        return JSONResponse(done)

    # Reports

    async def _report_attempt(self, key: str, card: str) -> None:
        event = self._event(key)
        if card in {"webhook_before", "webhook_only"}:
            await self.report(event)
        elif card == "webhook_during":
            self._later(self.report(event))
        elif card == "webhook_after":
            self._later(self._in_a_moment(event))
        elif card == "webhook_twice":
            self._later(self._in_a_moment(event, event))
        elif card == "webhook_disorder":
            promise = {**event, "kind": "authorised", "reference": f"{key}:promise"}
            self._later(self._in_a_moment(event, promise))

    async def _in_a_moment(self, *events: dict[str, Any]) -> None:
        await asyncio.sleep(0.2)
        for event in events:
            await self.report(event)

    def _event(self, key: str) -> dict[str, Any]:
        attempt = self.ledger.attempt(key)
        assert attempt is not None
        kind = {"authorised": "authorised", "captured": "captured"}.get(attempt.state, "declined")
        facts = _money(attempt) if kind != "declined" else {"amount": attempt.amount, "currency": attempt.currency}
        return {"kind": kind, "reference": f"{key}:{kind}", "attempt": key, **facts}

    async def report(self, event: dict[str, Any]) -> None:
        """Until it is taken, also after a kill."""
        if self.webhook_url is not None:
            await self._deliver(self.ledger.keep_webhook(event), event)

    async def resume(self) -> None:
        for kept in self.ledger.undelivered():
            self._later(self._deliver(kept["number"], orjson.loads(kept["body"])))

    async def _deliver(self, number: int, event: dict[str, Any]) -> None:
        for _ in range(240):
            if self.webhook_url is not None and await self._post(event):
                self.ledger.delivered(number)
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _post(self, event: dict[str, Any]) -> bool:
        body, now, id_ = orjson.dumps(event).decode(), datetime.now(UTC), str(uuid7())
        headers = {
            "content-type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(id_, now, body),
        }
        try:
            answer = await self.http.post(self.webhook_url or "", content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.is_success

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _found(self, key: str) -> Response:
        attempt = self.ledger.attempt(key)
        return JSONResponse({"state": "absent"}) if attempt is None else self._told(attempt)

    def _told(self, attempt: Attempt) -> Response:
        told: dict[str, Any] = {"state": attempt.state, "message": ""}
        if attempt.state in {"authorised", "captured"}:
            told |= {"reference": f"{attempt.key}:{attempt.state}", **_money(attempt)}
        elif attempt.state == "declined":
            told |= {"message": "The card was declined.", "retryable": attempt.card != "decline_final"}
        elif attempt.state == "acting":
            client = attempt.card == "client_action"
            told |= {"kind": "client_confirm" if client else "redirect", "client": {"key": attempt.key}}
            told |= {
                "url": None if client else f"{self.base_url}/attempts/{attempt.key}",
                "expires_at": attempt.at + ACTION_SECONDS,
            }
        return JSONResponse(told)


LISTS: Final = {
    "attempts": "SELECT * FROM attempt ORDER BY key",
    "operations": "SELECT * FROM operation ORDER BY number",
    "sessions": "SELECT * FROM session ORDER BY key",
    "webhooks": "SELECT * FROM webhook ORDER BY number",
}


def _outcome(card: str) -> str:
    if card in {"decline", "decline_final"}:
        return "declined"
    if card in {"action", "client_action", "late"}:
        return "acting"
    return "captured" if card in CAPTURING else "authorised"


def _money(attempt: Attempt) -> dict[str, Any]:
    wrong = attempt.card
    return {
        "amount": attempt.amount + (wrong == "wrong_amount"),
        "currency": "XTS" if wrong == "wrong_currency" else attempt.currency,
    }


def _event_of(done: dict[str, Any]) -> dict[str, Any]:
    kinds = {"capture": "captured", "void": "voided", "refund": "refunded"}
    kind = "refund_failed" if done["state"] == "failed" else kinds[done["kind"]]
    facts = {"amount": done["amount"], "currency": done["currency"], "attempt": done["attempt"]}
    return {"kind": kind, "reference": f"{done['key']}:{done['kind']}", "operation": done["key"], **facts}


Handler = Callable[[TestProvider, Request], Awaitable[Response]]
ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/sessions", TestProvider.create_session),
    ("POST", "/attempts", TestProvider.authorise),
    ("GET", "/attempts/{key}/state", TestProvider.look_up),
    ("POST", "/attempts/{key}/cancel", TestProvider.cancel),
    ("GET", "/attempts/{key}", TestProvider.page),
    ("POST", "/attempts/{key}/confirm", TestProvider.confirm),
    ("POST", "/attempts/{key}/refuse", TestProvider.refuse),
    ("POST", "/operations/{kind:str}", TestProvider.operate),
    ("POST", "/refunds/settle", TestProvider.settle_refund),
    ("GET", "/ledger", TestProvider.read),
    ("PUT", "/settings", TestProvider.set),
)


def create_provider(file: str, base_url: str, webhook_url: str | None, secret: str) -> Starlette:
    """The provider over its ledger in `file`."""

    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncGenerator[None]:
        await provider.resume()
        yield
        await provider.http.aclose()
        provider.ledger.close()

    provider = TestProvider(Ledger(file), base_url, webhook_url, secret)
    routes = [Route(path, partial(_call, provider, handler), methods=[method]) for method, path, handler in ROUTES]
    return Starlette(routes=routes, lifespan=running)


async def _call(provider: TestProvider, handler: Handler, request: Request) -> Response:
    return await handler(provider, request)
