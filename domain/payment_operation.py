"""What is done with money that came: it is captured, given up, or sent back, each time in the same phases.

`begin_…` writes the operation in one transaction, in which the database itself refuses more than there is; the provider
is called outside; `finish` writes down what it said, once, whoever hears it. Locks: order, payment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast
from uuid import UUID

from sqlalchemy import text

from db import PaymentAttempt
from db.connection import Read, Tx, new_id
from db.payment import AttemptState, EventProblem, EventSource, OperationKind, OperationState, PaymentEventKind
from domain import audit, balance, idempotency
from domain import payment as payments
from domain import payment_ledger as ledger
from domain.actor import Actor
from domain.event import Event, announce
from domain.idempotency import IdempotencyKey
from domain.money import Money
from domain.payment_ledger import Report
from domain.payment_provider import Captured, Done, Operation, Pending, Refunded, Refused, Voided
from domain.refusal import ErrorCode, NotFound, Refusal, ValidationFailed

LONGEST_REASON: Final = 500
GIVEN_UP: Final = frozenset({AttemptState.FAILED, AttemptState.CANCELLED})


@dataclass(frozen=True)
class MoneyReturned(Event):
    """Money that came too late for an order is on its way back."""

    about: ClassVar[str] = "payment_id"
    payment_id: UUID


@dataclass(frozen=True)
class AuthorisationExpiring(Event):
    """A promise that was not captured ends soon. Sent once for each."""

    about: ClassVar[str] = "payment_id"
    payment_id: UUID


@dataclass(eq=False)
class AmountNotAvailable(Refusal):
    """There is less to be captured or refunded than that; what is under way counts as done."""

    available: Money | None = None
    code = ErrorCode.AMOUNT_NOT_AVAILABLE


@dataclass(frozen=True)
class RefundOrder:
    """Money of an order that goes back; of one payment, or of as many as it takes."""

    order_id: UUID
    amount: Money
    reason: str
    idempotency_key: str
    payment_id: UUID | None = None

    def __post_init__(self) -> None:
        _check_amount(self.amount.minor)
        if len(self.reason) > LONGEST_REASON or not all(c.isprintable() or c == "\n" for c in self.reason):
            raise ValidationFailed(f"A reason has at most {LONGEST_REASON} characters.", path=("reason",))

    def claim(self, actor: Actor) -> IdempotencyKey:
        asked = [self.order_id, self.amount.minor, self.amount.currency, self.reason, self.payment_id]
        return IdempotencyKey.of(actor.scope, "orderRefund", self.idempotency_key, asked)


@dataclass(frozen=True)
class ChangePayment:
    """Promised money that is to be captured; without an amount, to be given up."""

    payment_id: UUID
    idempotency_key: str
    amount: Money | None = None

    def __post_init__(self) -> None:
        if self.amount is not None:
            _check_amount(self.amount.minor)

    @property
    def mutation(self) -> str:
        return "paymentVoid" if self.amount is None else "paymentCapture"

    def claim(self, actor: Actor) -> IdempotencyKey:
        amount = [self.amount.minor, self.amount.currency] if self.amount else []
        return IdempotencyKey.of(actor.scope, self.mutation, self.idempotency_key, [self.payment_id, *amount])


def _check_amount(minor: int) -> None:
    if minor <= 0:
        raise ValidationFailed("An amount is more than nothing.", path=("amount",))


_LOCK_ORDER: Final = text(
    """SELECT id, currency FROM "order" WHERE id = :order_id AND status <> 'pending' FOR UPDATE"""
)
_LOCK_PAYMENTS: Final = text(
    """
    SELECT payment.* FROM payment JOIN payment_attempt AS attempt ON attempt.id = payment.attempt_id
    WHERE payment.order_id = :order_id AND attempt.state = 'succeeded'
    ORDER BY payment.id FOR UPDATE OF payment
    """
)
# The one guard of refunds, whoever is at it: nothing goes back that did not come, or that goes back already.
_BEGIN_REFUND: Final = text(
    """
    WITH taken AS (
        UPDATE payment SET refund_pending = refund_pending + CAST(:amount AS bigint)
        WHERE id = :payment_id AND refunded + refund_pending + disputed + CAST(:amount AS bigint) <= captured
        RETURNING id, order_id, currency
    )
    INSERT INTO payment_operation (id, payment_id, order_id, kind, amount, currency, reason, created_at)
    SELECT CAST(:operation_id AS uuid), id, order_id, 'refund', CAST(:amount AS bigint), currency, :reason,
        clock_timestamp()
    FROM taken RETURNING *
    """
)


async def begin_refund(tx: Tx, command: RefundOrder, actor: Actor) -> list[UUID]:
    """The operations that send it back, or those that an earlier call with the same key began."""
    known = await idempotency.claim(tx, command.claim(actor))
    if known is not None:
        return [UUID(one) for one in known["operation_ids"]]
    found = await tx.records(_LOCK_ORDER, order_id=command.order_id)
    if not found:
        raise NotFound("There is no such order.", path=("order_id",))
    paid = await tx.records(_LOCK_PAYMENTS, order_id=command.order_id)
    if command.payment_id is not None:
        paid = [payment for payment in paid if payment.id == command.payment_id]
        if not paid:
            raise NotFound("The order has no such payment.", path=("payment_id",))
    of_balances = await balance.refundable(tx, command.order_id) if command.payment_id is None else 0
    parts = _spread(command.amount, found[0].currency, paid, of_balances)
    made = [await _refund(tx, payment_id, amount, command.reason) for payment_id, amount in parts]
    if rest := command.amount.minor - sum(amount for _, amount in parts):
        await balance.give_back(tx, command.order_id, rest, actor)
        await ledger.settle(tx, command.order_id)
    await idempotency.settle(tx, command.claim(actor), {"operation_ids": made})
    difference = {"refunded": [None, [command.amount.minor, command.amount.currency]], "reason": [None, command.reason]}
    await audit.record(tx, actor, "orderRefund", f"order:{command.order_id}", difference)
    return made


async def _refund(tx: Tx, payment_id: UUID, amount: int, reason: str) -> UUID:
    operation_id = new_id()
    values = {"payment_id": payment_id, "operation_id": operation_id, "amount": amount, "reason": reason}
    if not await tx.records(_BEGIN_REFUND, **values):
        raise AmountNotAvailable("There is less left to be refunded.", path=("amount",))
    return operation_id


def refundable(payment: Any) -> int:
    """What is left of a payment to be sent back."""
    return max(0, payment.captured - payment.refunded - payment.refund_pending - payment.disputed)


def _spread(wanted: Money, currency: str, paid: Sequence[Any], of_balances: int) -> list[tuple[UUID, int]]:
    """What goes back of each payment, the first ones first; what is more goes to gift cards and store credit."""
    available = of_balances + sum(refundable(payment) for payment in paid)
    if wanted.currency != currency:
        raise ValidationFailed(f"The order is in {currency}.", path=("amount", "currency"))
    if wanted.minor > available:
        raise AmountNotAvailable(
            "There is less left to be refunded.", path=("amount",), available=Money(available, currency)
        )
    parts: list[tuple[UUID, int]] = []
    left = wanted.minor
    for payment in paid:
        if part := min(left, refundable(payment)):
            parts.append((payment.id, part))
            left -= part
    return parts


_ORDER_OF: Final = text("SELECT order_id FROM payment WHERE id = :payment_id")
_LOCK_ANY_ORDER: Final = text("""SELECT id FROM "order" WHERE id = :order_id FOR UPDATE""")
_LOCK_PAYMENT: Final = text("SELECT * FROM payment WHERE id = :payment_id FOR UPDATE")
_UNDER_WAY: Final = text(
    """
    SELECT coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0) AS capturing, bool_or(kind = 'void') AS voiding
    FROM payment_operation WHERE payment_id = :payment_id AND state IN ('started', 'pending')
    """
)
_ASKED_FOR: Final = text("SELECT amount FROM payment_attempt WHERE id = :attempt_id")
_TAKEN: Final = text("SELECT id FROM payment_attempt WHERE id = :attempt_id AND state = 'succeeded'")
_BEGIN: Final = text(
    """
    INSERT INTO payment_operation (id, payment_id, order_id, kind, amount, currency, reason, created_at)
    SELECT CAST(:operation_id AS uuid), id, order_id, :kind, CAST(:amount AS bigint), currency, :reason,
        clock_timestamp()
    FROM payment WHERE id = :payment_id
    """
)


async def lock_payment(tx: Tx, payment_id: UUID) -> Any:
    """Locks the order, then the payment; None if there is none."""
    order_id = await tx.records(_ORDER_OF, payment_id=payment_id)
    if not order_id:
        return None
    await tx.records(_LOCK_ANY_ORDER, order_id=order_id[0].order_id)
    (payment,) = await tx.records(_LOCK_PAYMENT, payment_id=payment_id)
    return payment


async def begin_change(tx: Tx, command: ChangePayment, actor: Actor) -> UUID:
    """The operation that captures or gives up, or the one that an earlier call with the same key began."""
    known = await idempotency.claim(tx, command.claim(actor))
    if known is not None:
        return UUID(known["operation_id"])
    payment = await lock_payment(tx, command.payment_id)
    if payment is None:
        raise NotFound("There is no such payment.", path=("payment_id",))
    if command.amount is not None and command.amount.currency != payment.currency:
        raise ValidationFailed(f"The payment is in {payment.currency}.", path=("amount", "currency"))
    free = await _capturable(tx, payment)
    kind, amount = OperationKind.VOID, free
    if command.amount is not None:
        kind, amount = OperationKind.CAPTURE, command.amount.minor
    if not 0 < amount <= free or (kind == OperationKind.VOID and free < _promised(payment)):
        raise AmountNotAvailable(
            "There is less left of what was promised.",
            path=("amount",) if command.amount else ("payment_id",),
            available=Money(free, payment.currency),
        )
    operation_id = await _begin(tx, payment.id, kind, amount)
    await idempotency.settle(tx, command.claim(actor), {"operation_id": operation_id})
    done = "captured" if kind == OperationKind.CAPTURE else "voided"
    difference = {done: [None, [amount, payment.currency]]}
    await audit.record(tx, actor, command.mutation, f"payment:{payment.id}", difference)
    return operation_id


async def begin_capture_of_all(tx: Tx, payment_id: UUID) -> UUID | None:
    """Captures what is left of a promise, never more than was asked for; None if nothing is, or that is under way."""
    payment = await lock_payment(tx, payment_id)
    free = await _capturable(tx, payment)
    (attempt,) = await tx.records(_ASKED_FOR, attempt_id=payment.attempt_id)
    under_way = _promised(payment) - free
    left = min(free, attempt.amount - payment.captured - under_way)
    return await _begin(tx, payment_id, OperationKind.CAPTURE, left) if left > 0 else None


async def begin_return(tx: Tx, payment_id: UUID, reason: str) -> list[UUID]:
    """Gives up and sends back whatever there is of a payment, unless it was taken meanwhile; what is going back already
    is left alone.
    """
    payment = await lock_payment(tx, payment_id)
    made: list[UUID] = []
    if await tx.records(_TAKEN, attempt_id=payment.attempt_id):
        return made
    if free := await _capturable(tx, payment):
        made.append(await _begin(tx, payment_id, OperationKind.VOID, free, reason))
    if back := refundable(payment):
        made.append(await _refund(tx, payment_id, back, reason))
    if made:
        await announce(tx, MoneyReturned(payment_id))
    return made


def _promised(payment: Any) -> int:
    return max(0, payment.authorised - payment.voided - payment.captured)


async def _capturable(tx: Tx, payment: Any) -> int:
    """What is promised, and neither captured nor given up, nor about to be."""
    (under_way,) = await tx.records(_UNDER_WAY, payment_id=payment.id)
    return 0 if under_way.voiding else max(0, _promised(payment) - int(under_way.capturing))


async def _begin(tx: Tx, payment_id: UUID, kind: OperationKind, amount: int, reason: str = "") -> UUID:
    operation_id = new_id()
    values = {"payment_id": payment_id, "operation_id": operation_id, "kind": kind, "amount": amount}
    await tx.run(_BEGIN, **values, reason=reason)
    return operation_id


_FOUND: Final = text(
    """
    SELECT operation.*, payment.provider, payment.attempt_id
    FROM payment_operation AS operation JOIN payment ON payment.id = operation.payment_id
    WHERE operation.id = :operation_id
    """
)
_UNFINISHED: Final = text(
    """
    SELECT id FROM payment_operation
    WHERE state IN ('started', 'pending')
        AND coalesce(asked_at, created_at) < clock_timestamp() - make_interval(secs => :seconds)
    ORDER BY random() LIMIT 100
    """
)


async def find(read: Read, operation_id: UUID) -> Any:
    """An operation with the provider and the attempt of its payment."""
    found = await read.records(_FOUND, operation_id=operation_id)
    return found[0] if found else None


async def unfinished(read: Read, seconds: float) -> list[UUID]:
    """Operations about which the provider has not been asked for so long."""
    return [row.id for row in await read.records(_UNFINISHED, seconds=float(seconds))]


def asked_of(operation: Any) -> Operation:
    return Operation(operation.id, operation.attempt_id, operation.amount, operation.currency)


EVENTS: Final = {
    Captured: PaymentEventKind.CAPTURED,
    Voided: PaymentEventKind.VOIDED,
    Refunded: PaymentEventKind.REFUNDED,
}
_DECIDE: Final = text(
    """
    UPDATE payment_operation SET state = :state, problem = :problem, decided_at = clock_timestamp()
    WHERE id = :operation_id AND state IN ('started', 'pending')
    """
)
_PENDING: Final = text(
    """
    UPDATE payment_operation SET state = 'pending', asked_at = clock_timestamp()
    WHERE id = :operation_id AND state IN ('started', 'pending')
    """
)
_ASKED: Final = text("UPDATE payment_operation SET asked_at = clock_timestamp() WHERE id = :operation_id")


async def asked(tx: Tx, operation_id: UUID) -> None:
    """The provider was asked and has not said anything: it is asked again after a while."""
    await tx.run(_ASKED, operation_id=operation_id)


async def finish(tx: Tx, operation_id: UUID, done: Done, source: EventSource = EventSource.ANSWER) -> None:
    """Writes down what the provider said. A second time, or from the other side, it changes nothing."""
    operation = await find(tx, operation_id)
    await lock_payment(tx, operation.payment_id)
    if isinstance(done, Pending):
        await tx.run(_PENDING, operation_id=operation_id)
        return
    if isinstance(done, Refused):
        values = {"operation_id": operation_id, "state": OperationState.FAILED, "problem": done.message}
        if await tx.run(_DECIDE, **values):
            await ledger.recount(tx, operation.payment_id)
        return
    await _succeeded(tx, operation, done, source)


async def _succeeded(tx: Tx, operation: Any, done: Captured | Voided | Refunded, source: EventSource) -> None:
    report = Report(EVENTS[type(done)], done.reference, done.amount, done.currency, source, operation.id)
    problem = EventProblem.CURRENCY if done.currency != operation.currency else None
    if done.amount != operation.amount and not isinstance(done, Voided):
        problem = problem or EventProblem.AMOUNT
    if problem:
        await ledger.note(tx, operation.provider, report, problem, attempt_id=operation.attempt_id)
        await asked(tx, operation.id)
        return
    await tx.run(_DECIDE, operation_id=operation.id, state=OperationState.SUCCEEDED, problem=None)
    attempt = cast(PaymentAttempt, await payments.find(tx, operation.attempt_id))
    _, fresh = await ledger.record(tx, attempt, report)
    if not fresh:  # a webhook that did not name the operation was here first
        await ledger.recount(tx, operation.payment_id)
    elif isinstance(done, Captured) and attempt.state in GIVEN_UP:  # while it was under way nothing could go back
        await ledger.tell_late(tx, attempt.id)


_EXPIRING: Final = text(
    """
    UPDATE payment SET expiry_announced_at = clock_timestamp() WHERE id IN (
        SELECT id FROM payment
        WHERE authorised_until < clock_timestamp() + make_interval(secs => :seconds)
            AND expiry_announced_at IS NULL AND authorised > voided + captured
        ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING id
    """
)


async def announce_expiring(tx: Tx, seconds: float) -> int:
    """Announces promises that end within so many seconds; how many."""
    rows = await tx.records(_EXPIRING, seconds=float(seconds))
    if rows:
        await announce(tx, *(AuthorisationExpiring(row.id) for row in rows))
    return len(rows)
