"""The shop's side of the test provider."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import httpx
from standardwebhooks import Webhook

from db.payment import PaymentEventKind
from domain.payment_provider import (
    Absent,
    ActionKind,
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
    Reported,
    SessionRequest,
    State,
    Voided,
    WebhookRefused,
)

PATIENCE: Final = 60.0
"""Seconds; the shop itself waits less long."""
DONE: Final = {"capture": Captured, "void": Voided, "refund": Refunded}


class TestPayment:
    """`secret` is shared with the provider: `whsec_…`, as Standard Webhooks has it."""

    __test__ = False
    name = "test"
    needs_session = True

    def __init__(self, url: str, secret: str, captures: Captures = Captures.AUTOMATIC) -> None:
        self.captures = captures
        self._url, self._secret = url, secret
        self._http: httpx.AsyncClient | None = None

    async def create_session(self, request: SessionRequest) -> CreatedSession | Refused:
        body = {
            "key": str(request.session_id),
            "amount": request.amount,
            "currency": request.currency,
            "client": dict(request.client),
            "return_url": request.return_url,
        }
        answer = await self._client.post("/sessions", json=body)
        if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            return Refused("The test provider has no such token; docs/payments.md lists them.")
        told = await self._answered(answer)
        return CreatedSession(told["reference"], told["amount"], told["currency"], told["client"])

    async def authorise(self, charge: Charge) -> Authorised | Captured | Declined | ActionRequired:
        body = {"key": str(charge.attempt_id), "session": charge.session, "amount": charge.amount}
        told = _state(await self._post("/attempts", {**body, "currency": charge.currency}))
        if isinstance(told, Absent):
            return Declined("The payment was cancelled.")
        return told

    async def look_up(self, charge: Charge) -> State:
        return _state(await self._answered(await self._client.get(f"/attempts/{charge.attempt_id}/state")))

    async def cancel(self, charge: Charge) -> Authorised | Captured | Absent:
        told = _state(await self._post(f"/attempts/{charge.attempt_id}/cancel", {}))
        return told if isinstance(told, Authorised | Captured) else Absent()

    async def capture(self, operation: Operation) -> Captured | Pending | Refused:
        return await self._operate("capture", operation)

    async def void(self, operation: Operation) -> Voided | Refused:
        return await self._operate("void", operation)

    async def refund(self, operation: Operation) -> Refunded | Pending | Refused:
        return await self._operate("refund", operation)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Reported]:
        try:
            event = Webhook(self._secret).verify(body, dict(headers))
            return [_reported(event)]
        except Exception as error:  # whatever is wrong with it, it is not the provider's
            raise WebhookRefused(type(error).__name__) from None

    async def close(self) -> None:
        client, self._http = self._http, None
        if client is not None:
            await client.aclose()

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(base_url=self._url, timeout=PATIENCE)
        return self._http

    async def _operate(self, kind: str, operation: Operation) -> Any:
        body = {"key": str(operation.operation_id), "attempt": str(operation.attempt_id), "amount": operation.amount}
        told = await self._post(f"/operations/{kind}", body)
        if told["state"] == "failed":
            return Refused(told["message"])
        if told["state"] == "pending":
            return Pending()
        return DONE[kind](f"{told['key']}:{kind}", told["amount"], told["currency"])

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._answered(await self._client.post(path, json=dict(body)))

    @staticmethod
    async def _answered(answer: httpx.Response) -> Any:
        answer.raise_for_status()
        return answer.json()


def _state(told: Mapping[str, Any]) -> State:
    match told["state"]:
        case "authorised":
            return Authorised(told["reference"], told["amount"], told["currency"])
        case "captured":
            return Captured(told["reference"], told["amount"], told["currency"])
        case "declined":
            return Declined(told["message"], told["retryable"])
        case "acting":
            until = datetime.fromtimestamp(told["expires_at"], UTC)
            return ActionRequired(ActionKind(told["kind"]), told["url"], told["client"], until)
        case _:
            return Absent()


def _reported(event: Mapping[str, Any]) -> Reported:
    if type(event["amount"]) is not int:
        raise ValueError(event["amount"])
    return Reported(
        PaymentEventKind(event["kind"]),
        str(event["reference"]),
        event["amount"],
        str(event["currency"]),
        UUID(event["attempt"]) if event.get("attempt") else None,
        UUID(event["operation"]) if event.get("operation") else None,
        str(event.get("message", "")),
    )
