"""What a provider tells by itself: the same functions as for its answers, so that whoever comes first decides.

Every report is checked against the attempt that it names. What does not fit is recorded for staff and changes nothing.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from db.payment import AttemptState, EventProblem, EventSource, OperationState, PaymentEventKind
from domain import checkout
from domain import payment as payments
from domain import payment_ledger as ledger
from domain import payment_operation as operations
from domain.event import announce
from domain.failpoint import failpoint
from domain.payment_ledger import PaymentDisputed, Report
from domain.payment_provider import Captured, Declined, Refunded, Refused, Reported, Voided
from domain.processes.shop import Shop

Kind = PaymentEventKind
DONE: Final = {Kind.CAPTURED: Captured, Kind.VOIDED: Voided, Kind.REFUNDED: Refunded}
_OPERATION: Final = text(
    """
    SELECT operation.id, operation.kind, operation.state FROM payment_operation AS operation
    JOIN payment ON payment.id = operation.payment_id
    WHERE operation.id = :operation_id AND payment.attempt_id = :attempt_id
    """
)
OF_KIND: Final = {"capture": Kind.CAPTURED, "void": Kind.VOIDED, "refund": Kind.REFUNDED}


async def receive_webhook(shop: Shop, provider: str, reports: Sequence[Reported]) -> None:
    """Each in its own transaction; when it returns, all of them are committed."""
    for reported in reports:
        await failpoint("before_webhook")
        async with shop.tx() as tx:
            await _receive(tx, provider, reported)
        await failpoint("after_webhook")


async def _receive(tx: Tx, provider: str, reported: Reported) -> None:
    report = Report(
        reported.kind,
        reported.reference,
        reported.amount,
        reported.currency,
        EventSource.WEBHOOK,
        until=reported.until,
    )
    attempt = await payments.find(tx, reported.attempt_id) if reported.attempt_id is not None else None
    if attempt is None or attempt.provider != provider:
        await ledger.note(tx, provider, report, EventProblem.UNMATCHED)
    elif report.currency != attempt.currency or report.amount < 0:
        problem = EventProblem.AMOUNT if report.currency == attempt.currency else EventProblem.CURRENCY
        await ledger.note(tx, provider, report, problem, attempt_id=attempt.id)
    elif operation := await _operation(tx, reported):
        await _about_operation(tx, operation, reported, report)
    elif report.kind in {Kind.AUTHORISED, Kind.CAPTURED}:
        await checkout.finalise(tx, attempt.id, report.money, EventSource.WEBHOOK)
    elif report.kind == Kind.DECLINED:
        await _declined(tx, attempt.id, reported, report)
    elif report.kind == Kind.REFUND_FAILED:
        await ledger.note(tx, provider, report, EventProblem.UNMATCHED, attempt_id=attempt.id)
    else:
        await _recorded(tx, attempt.id, report)


async def _operation(tx: Tx, reported: Reported) -> Any:
    if reported.operation_id is None:
        return None
    found = await tx.records(_OPERATION, operation_id=reported.operation_id, attempt_id=reported.attempt_id)
    return found[0] if found else None


async def _about_operation(tx: Tx, operation: Any, reported: Reported, report: Report) -> None:
    """What came of something that the shop asked for."""
    if report.kind == OF_KIND[operation.kind]:
        done = DONE[report.kind](report.reference, report.amount, report.currency)
        await operations.finish(tx, operation.id, done, EventSource.WEBHOOK)
        return
    found = await operations.find(tx, operation.id)
    failed = report.kind in {Kind.REFUND_FAILED, Kind.DECLINED}
    problem = None if failed and operation.state != OperationState.SUCCEEDED else EventProblem.CONTRADICTION
    await ledger.note(tx, found.provider, report, problem, attempt_id=found.attempt_id)
    if problem is None:
        await operations.finish(tx, operation.id, Refused(reported.message or "The provider did not do it."))


async def _declined(tx: Tx, attempt_id: UUID, reported: Reported, report: Report) -> None:
    _, attempt = await payments.lock_attempt(tx, attempt_id)
    contradicted = attempt.state == AttemptState.SUCCEEDED
    problem = EventProblem.CONTRADICTION if contradicted else None
    await ledger.note(tx, attempt.provider, report, problem, attempt_id=attempt_id)
    declined = Declined(reported.message or "The payment was declined.")
    await checkout.release(tx, attempt_id, AttemptState.FAILED, declined)


async def _recorded(tx: Tx, attempt_id: UUID, report: Report) -> None:
    """Given up, sent back or disputed without the shop's doing."""
    _, attempt = await payments.lock_attempt(tx, attempt_id)
    payment_id, fresh = await ledger.record(tx, attempt, report)
    if report.kind == Kind.VOIDED:
        await checkout.release(tx, attempt_id, AttemptState.CANCELLED)
    if fresh and report.kind == Kind.DISPUTE_OPENED:
        await announce(tx, PaymentDisputed(payment_id))
