"""What providers report, once each and in whatever order, and what follows: the sums of payments and orders.

A payment's sums are those of its events, counted anew each time; an order's `payment_status` and `amount_due` are
written here and nowhere else. Whoever calls holds the lock of the order.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import text

from db import PaymentAttempt
from db.connection import Tx, new_id
from db.payment import EventProblem, EventSource, PaymentEventKind
from domain.event import Event, announce
from domain.idempotency import InProgress
from domain.payment_provider import Authorised, Captured, Money


@dataclass(frozen=True)
class LateMoney(Event):
    """Money came for an attempt that had been given up. Sent again when more of it comes."""

    about: ClassVar[str] = "attempt_id"
    attempt_id: UUID


@dataclass(frozen=True)
class PaymentAuthorised(Event):
    """A provider promised the money of a placed order. Not sent for `manual`, which has nothing to be captured."""

    about: ClassVar[str] = "payment_id"
    payment_id: UUID


@dataclass(frozen=True)
class PaymentDisputed(Event):
    """A payer asks for their money back at their bank."""

    about: ClassVar[str] = "payment_id"
    payment_id: UUID


@dataclass(frozen=True)
class Report:
    """Something that a provider told; `reference` is its name for the operation."""

    kind: PaymentEventKind
    reference: str
    amount: int
    currency: str
    source: EventSource = EventSource.ANSWER
    operation_id: UUID | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, money: Money, source: EventSource) -> "Report":
        kind = PaymentEventKind.AUTHORISED if isinstance(money, Authorised) else PaymentEventKind.CAPTURED
        until = money.until if isinstance(money, Authorised) else None
        return cls(kind, money.reference, money.amount, money.currency, source, until=until)

    @property
    def money(self) -> Money:
        if self.kind == PaymentEventKind.AUTHORISED:
            return Authorised(self.reference, self.amount, self.currency, self.until)
        return Captured(self.reference, self.amount, self.currency)


def misfit(attempt: PaymentAttempt, report: Report) -> EventProblem | None:
    """Why what was told is not what was asked for."""
    if report.currency != attempt.currency:
        return EventProblem.CURRENCY
    return EventProblem.AMOUNT if report.amount != attempt.amount else None


# The ordinary case in one statement: an undecided attempt succeeds by the first that is told of it. What was counted
# already, for another attempt, is not its money.
_SUCCEED: Final = text(
    """
    WITH decided AS (
        UPDATE payment_attempt SET state = 'succeeded', decided_at = clock_timestamp()
        WHERE id = :attempt_id AND state IN ('started', 'action_required') AND NOT EXISTS (
            SELECT FROM payment_event AS other WHERE other.provider = payment_attempt.provider AND other.kind = :kind
                AND other.reference = :reference AND other.problem IS NULL)
        RETURNING id, order_id, provider
    ), paid AS (
        INSERT INTO payment (id, order_id, attempt_id, provider, currency, authorised, captured, authorised_until)
        SELECT CAST(:payment_id AS uuid), order_id, id, provider, :currency,
            CASE :kind WHEN 'authorised' THEN CAST(:amount AS bigint) ELSE 0 END,
            CASE :kind WHEN 'captured' THEN CAST(:amount AS bigint) ELSE 0 END, :until
        FROM decided
        ON CONFLICT (attempt_id) DO UPDATE SET currency = excluded.currency
        RETURNING id, xmax = 0 AS fresh
    ), reported AS (
        INSERT INTO payment_event (attempt_id, payment_id, provider, kind, reference, amount, currency, source)
        SELECT decided.id, paid.id, provider, :kind, :reference, CAST(:amount AS bigint), :currency, :source
        FROM decided, paid
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT paid.id AS payment_id, fresh AND EXISTS (SELECT FROM reported) AS counted FROM paid
    """
)


def _told(report: Report) -> dict[str, Any]:
    """What a statement writes of a report."""
    return {name: getattr(report, name) for name in ("kind", "reference", "amount", "currency", "source", "until")}


async def succeed(tx: Tx, attempt: PaymentAttempt, report: Report) -> UUID | None:
    """Records the money of an undecided attempt, which has succeeded by it; the payment's id.

    None when it was decided before, or when this money is known as that of another attempt: then nothing is recorded
    yet (`record`, `note`).
    """
    found = await tx.records(
        _SUCCEED,
        attempt_id=attempt.id,
        **_told(report),
        payment_id=new_id(),
    )
    if not found:
        return None
    if not found[0].counted:
        await recount(tx, found[0].payment_id)
    return found[0].payment_id


_RECORD: Final = text(
    """
    WITH paid AS (
        INSERT INTO payment (id, order_id, attempt_id, provider, currency, authorised_until)
        SELECT CAST(:payment_id AS uuid), order_id, id, provider, :currency, :until
        FROM payment_attempt WHERE id = :attempt_id
        ON CONFLICT (attempt_id) DO UPDATE
            SET authorised_until = coalesce(excluded.authorised_until, payment.authorised_until)
        RETURNING id, provider
    ), reported AS (
        INSERT INTO payment_event
            (attempt_id, payment_id, operation_id, provider, kind, reference, amount, currency, source)
        SELECT CAST(:attempt_id AS uuid), id, CAST(:operation_id AS uuid), provider, :kind, :reference,
            CAST(:amount AS bigint), :currency, :source
        FROM paid
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT paid.id AS payment_id, EXISTS (SELECT FROM reported) AS fresh FROM paid
    """
)


async def record(tx: Tx, attempt: PaymentAttempt, report: Report) -> tuple[UUID, bool]:
    """Adds an event to the payment of an attempt, and counts anew; its id, and whether it was not known yet."""
    (found,) = await tx.records(
        _RECORD,
        attempt_id=attempt.id,
        operation_id=report.operation_id,
        **_told(report),
        payment_id=new_id(),
    )
    if found.fresh:
        await recount(tx, found.payment_id)
        await settle(tx, attempt.order_id)
    return found.payment_id, found.fresh


_NOTE: Final = text(
    """
    INSERT INTO payment_event
        (attempt_id, operation_id, provider, kind, reference, amount, currency, source, problem)
    VALUES (CAST(:attempt_id AS uuid), CAST(:operation_id AS uuid), :provider, :kind, :reference,
        CAST(:amount AS bigint), :currency, :source, :problem)
    ON CONFLICT DO NOTHING
    """
)


async def note(
    tx: Tx, provider: str, report: Report, problem: EventProblem | None, *, attempt_id: UUID | None = None
) -> None:
    """Records what changes no sum; with a problem it is listed for staff."""
    await tx.run(
        _NOTE,
        attempt_id=attempt_id,
        operation_id=report.operation_id,
        provider=provider,
        kind=report.kind,
        reference=report.reference,
        amount=report.amount,
        currency=report.currency,
        source=report.source,
        problem=problem,
    )


_RECOUNT: Final = text(
    """
    UPDATE payment SET authorised = told.authorised, voided = told.voided, captured = told.captured,
        refunded = told.refunded, disputed = told.disputed, refund_pending = coalesce((
            SELECT sum(amount) FROM payment_operation
            WHERE payment_id = payment.id AND kind = 'refund' AND state IN ('started', 'pending')), 0)
    FROM (
        SELECT coalesce(sum(amount) FILTER (WHERE kind = 'authorised'), 0) AS authorised,
            coalesce(sum(amount) FILTER (WHERE kind = 'voided'), 0) AS voided,
            coalesce(sum(amount) FILTER (WHERE kind = 'captured'), 0) AS captured,
            coalesce(sum(amount) FILTER (WHERE kind IN ('refunded', 'dispute_lost')), 0) AS refunded,
            coalesce(sum(CASE kind WHEN 'dispute_opened' THEN amount ELSE -amount END)
                FILTER (WHERE kind IN ('dispute_opened', 'dispute_won', 'dispute_lost')), 0) AS disputed
        FROM payment_event WHERE payment_id = :payment_id AND problem IS NULL
    ) AS told
    WHERE payment.id = :payment_id
    """
)


async def recount(tx: Tx, payment_id: UUID) -> None:
    await tx.run(_RECOUNT, payment_id=payment_id)


# What came for an attempt that was given up does not count: it goes back. A refund never makes anything due again; it
# only takes away from what was paid too much.
_SETTLE: Final = text(
    """
    WITH money AS (
        SELECT coalesce(sum(greatest(p.authorised - p.voided - p.captured, 0)), 0) AS promised,
            coalesce(sum(p.captured), 0) AS captured, coalesce(sum(p.refunded), 0) AS refunded,
            coalesce(sum(p.disputed), 0) AS disputed
        FROM payment AS p JOIN payment_attempt AS attempt ON attempt.id = p.attempt_id
        WHERE p.order_id = :order_id AND attempt.state = 'succeeded'
    ), balances AS (
        SELECT coalesce(sum(amount), 0) AS spent, coalesce(sum(given_back), 0) AS given_back
        FROM balance_hold WHERE order_id = :order_id AND state IN ('held', 'spent')
    ), sums AS (
        SELECT o.id, o.total, promised, captured, disputed, captured + spent AS paid,
            refunded + given_back AS returned, o.total - captured - spent AS owed
        FROM "order" AS o, money, balances WHERE o.id = :order_id
    ), facts AS (
        SELECT id, greatest(owed, least(0, owed + returned)) AS due, CASE
            WHEN disputed > 0 THEN 'disputed'
            WHEN paid > 0 AND returned >= paid THEN 'refunded'
            WHEN returned > 0 THEN 'partially_refunded'
            WHEN total = 0 AND paid = 0 THEN 'not_required'
            WHEN paid >= total THEN 'paid'
            WHEN promised > 0 AND captured = 0 THEN 'authorised'
            WHEN paid > 0 THEN 'partially_paid'
            ELSE 'pending' END AS status
        FROM sums
    )
    UPDATE "order" AS o SET payment_status = facts.status, amount_due = facts.due,
        version = o.version + CASE o.status WHEN 'pending' THEN 0 ELSE 1 END
    FROM facts
    WHERE o.id = facts.id AND (o.payment_status, o.amount_due) IS DISTINCT FROM (facts.status, facts.due)
    """
)


async def settle(tx: Tx, order_id: UUID) -> None:
    """Writes what the order's money comes to: its payments' and its balances'."""
    await tx.run(_SETTLE, order_id=order_id)


_CAME: Final = text(
    """
    SELECT id FROM payment WHERE attempt_id = :attempt_id AND (captured > refunded + refund_pending
        OR (authorised > voided + captured AND NOT EXISTS (
            SELECT FROM payment_operation WHERE payment_id = payment.id AND kind = 'void' AND state <> 'failed')))
    """
)


async def check_nothing_came(tx: Tx, attempt_id: UUID) -> None:
    """Refuses while money that came for an attempt which was given up is neither taken nor on its way back."""
    if await tx.records(_CAME, attempt_id=attempt_id):
        raise InProgress("The money of an earlier try has come late, and is being seen to.")


async def tell_late(tx: Tx, attempt_id: UUID) -> None:
    await announce(tx, LateMoney(attempt_id))
