"""The `manual` provider: the customer pays outside of the shop (invoice, transfer, cash on delivery).

It promises the amount at once and moves no money; staff book what arrives (`paymentCapture`) and what they send back
(`orderRefund`). It has no ledger of its own, so what became of an attempt is known by our record alone and cancelling
always succeeds.
"""

from collections.abc import Mapping
from typing import NoReturn

from domain.payment import MANUAL
from domain.payment_provider import (
    Absent,
    Authorised,
    Captured,
    Captures,
    Charge,
    CreatedSession,
    Operation,
    Refunded,
    SessionRequest,
    Voided,
    WebhookRefused,
)


class ManualPayment:
    name = MANUAL
    needs_session = False
    captures = Captures.MANUAL

    async def create_session(self, request: SessionRequest) -> CreatedSession:
        return CreatedSession(str(request.session_id), request.amount, request.currency)

    async def authorise(self, charge: Charge) -> Authorised:
        return Authorised(reference=str(charge.attempt_id), amount=charge.amount, currency=charge.currency)

    async def look_up(self, charge: Charge) -> Absent:
        del charge
        return Absent()

    async def cancel(self, charge: Charge) -> Absent:
        del charge
        return Absent()

    async def capture(self, operation: Operation) -> Captured:
        return Captured(str(operation.operation_id), operation.amount, operation.currency)

    async def void(self, operation: Operation) -> Voided:
        return Voided(str(operation.operation_id), operation.amount, operation.currency)

    async def refund(self, operation: Operation) -> Refunded:
        return Refunded(str(operation.operation_id), operation.amount, operation.currency)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> NoReturn:
        del headers, body
        raise WebhookRefused("Nobody reports what is paid outside of the shop.")

    async def close(self) -> None:
        """It holds nothing."""
