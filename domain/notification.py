"""Telling people what has happened: what is to be told to whom over what, each once.

A row is written in the transaction of a reaction, and sent by a reaction of its own. It is unique by event, kind,
receiver and channel, so a reaction that runs twice finds it there. What cannot be excluded is a death between handing
a mail over and noting it: it is sent again then, under the same reference, by which its receiver can drop one of two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from sqlalchemy import text

from db.connection import Read, Tx, new_id
from db.notification import NotificationKind, NotificationState
from db.session import Purpose
from domain import audit, single_use
from domain.actor import Actor
from domain.event import Event, announce
from domain.refusal import NotFound, ValidationFailed

LEASE: Final = timedelta(seconds=60)
"""For which nobody else begins to send what somebody has begun to; longer than any try takes."""
LONGEST_REASON: Final = 200
UNSENT: Final = frozenset({NotificationState.QUEUED, NotificationState.FAILED})


@dataclass(frozen=True)
class NotificationQueued(Event):
    """A notification is to be sent; also one that failed and that staff want tried again."""

    about: ClassVar[str] = "notification_id"
    notification_id: UUID
    run_id: UUID | None = None
    """Who sends it by this event: one worker at a time, as the reaction is nobody else's before that one is dead."""


@dataclass(frozen=True)
class Recipient:
    """Who is told, and where a channel finds them. It stays out of logs."""

    key: str
    """`staff:<id>`, or `order:<id>`: whoever's order it is."""
    email: str = field(repr=False)
    phone: str = field(default="", repr=False)
    locale: str | None = None
    customer_id: UUID | None = None
    """Of a customer with an account; null for guests and staff."""

    @property
    def is_guest(self) -> bool:
        return self.customer_id is None and not self.is_staff

    @property
    def chooses_as(self) -> str:
        """By whom they say what they want to be told of."""
        return self.key if self.customer_id is None else f"customer:{self.customer_id}"

    @property
    def is_staff(self) -> bool:
        return self.key.startswith("staff:")


@dataclass(frozen=True)
class Notice:
    """What a channel is given to say."""

    template: str
    """How it is worded: its kind, `staff_` before it where staff are told."""
    to: Recipient
    facts: Mapping[str, str] = field(repr=False)
    """Plain text by name; `link` is where it leads, `quote` what somebody wrote."""
    reference: UUID
    """The same when it is sent again."""
    unsubscribe: str | None = field(default=None, repr=False)
    """Where the receiver ends what they need not get, by one POST."""


class NotificationChannel(Protocol):
    """A way to tell people something: e-mail is one. A second one is a file in `plugins/` (docs/notifications.md)."""

    @property
    def name(self) -> str:
        """As it is stored and shown: small letters."""
        ...

    def reaches(self, recipient: Recipient) -> bool: ...

    async def send(self, notice: Notice) -> None:
        """Has handed it over to somebody who carries it, or raises `NotSent`."""
        ...


@dataclass(frozen=True)
class Told:
    """What is told of: the same `event` for the same thing, however often it is announced."""

    event: str
    kind: NotificationKind
    order_id: UUID
    ticket_id: UUID | None = None


async def queue(
    tx: Tx, told: Told, recipients: Iterable[Recipient], channels: Iterable[NotificationChannel]
) -> list[UUID]:
    """Has each of them told over each channel that reaches them; what was queued before is not again."""
    ways = list(channels)
    rows = [
        {
            "id": new_id(),
            "event": told.event,
            "kind": told.kind,
            "recipient": recipient.key,
            "channel": channel.name,
            "order_id": told.order_id,
            "ticket_id": told.ticket_id,
        }
        for recipient in recipients
        for channel in ways
        if channel.reaches(recipient)
    ]
    new = [row.id for row in await tx.records(_QUEUE, rows=rows)] if rows else []
    if new:
        await announce(tx, *(NotificationQueued(key, new_id()) for key in new))
    return new


async def claim(tx: Tx, queued: NotificationQueued) -> Any:
    """The notification, for whoever is to send it now; null if it is over, or somebody else is at it."""
    found = await tx.records(_CLAIM, id=queued.notification_id, run=queued.run_id, lease=LEASE)
    return found[0] if found else None


async def state_of(read: Read, notification_id: UUID) -> str | None:
    found = await read.records(_STATE, id=notification_id)
    return found[0].state if found else None


async def with_token(tx: Tx, claimed: Any) -> UUID:
    """The token of its link. Those of earlier mails stay good: somebody may follow any of them."""
    if claimed.token_id is not None:
        return claimed.token_id
    token_id = await single_use.add(tx, Purpose.ORDER_ACCESS, claimed.order_id, because=claimed.kind)
    await tx.run(_SET_TOKEN, id=claimed.id, token_id=token_id)
    return token_id


async def note_sent(tx: Tx, notification_id: UUID) -> None:
    await tx.run(_SENT, id=notification_id)


async def note_failed(tx: Tx, notification_id: UUID, reason: str) -> None:
    await tx.run(_FAILED, id=notification_id, reason=reason[:LONGEST_REASON] or "unknown")


async def suppress(tx: Tx, notification_id: UUID, reason: str) -> None:
    """It is not sent, for good."""
    await tx.run(_SUPPRESSED, id=notification_id, reason=reason)


async def retry(tx: Tx, notification_id: UUID, actor: Actor) -> None:
    """Has a failed one tried again, now."""
    state = await state_of(tx, notification_id)
    if state is None:
        raise NotFound("There is no such notification.", path=("notification_id",))
    if not await tx.run(_RETRY, id=notification_id):
        raise ValidationFailed(f"Only what failed is tried again; this is {state}.", path=("notification_id",))
    await announce(tx, NotificationQueued(notification_id, new_id()))
    difference = {"state": ["failed", "queued"]}
    await audit.record(tx, actor, "notificationRetry", f"notification:{notification_id}", difference)


async def forget(tx: Tx, recipients: Sequence[str]) -> None:
    """Of people who are erased: what was not sent is not sent any more, and nothing tells to whom it went."""
    for statement in (_FORGET_CHOICES, _FORGET):
        await tx.run(statement, recipients=list(recipients))


_QUEUE: Final = text(
    """
    INSERT INTO notification (id, event, kind, recipient, channel, order_id, ticket_id)
    SELECT id, event, kind, recipient, channel, order_id, ticket_id FROM jsonb_to_recordset(:rows) AS r (
        id uuid, event text, kind text, recipient text, channel text, order_id uuid, ticket_id uuid)
    ORDER BY recipient, channel
    ON CONFLICT (event, kind, recipient, channel) DO NOTHING RETURNING id
    """
)
_CLAIM: Final = text(
    """
    UPDATE notification SET
        tries = tries + 1, claimed_until = clock_timestamp() + CAST(:lease AS interval), claimed_by = :run
    WHERE id = :id AND state IN ('queued', 'failed')
      AND (claimed_until IS NULL OR claimed_until <= clock_timestamp() OR claimed_by = CAST(:run AS uuid))
    RETURNING *
    """
)
_SET_TOKEN: Final = text("UPDATE notification SET token_id = :token_id WHERE id = :id")
_SENT: Final = text(
    """
    UPDATE notification SET state = 'sent', sent_at = clock_timestamp(), claimed_until = NULL, reason = ''
    WHERE id = :id AND state IN ('queued', 'failed')
    """
)
_FAILED: Final = text(
    """
    UPDATE notification SET state = 'failed', reason = :reason, claimed_until = NULL
    WHERE id = :id AND state IN ('queued', 'failed')
    """
)
_SUPPRESSED: Final = text(
    """
    UPDATE notification SET state = 'suppressed', reason = :reason, claimed_until = NULL
    WHERE id = :id AND state IN ('queued', 'failed')
    """
)
_STATE: Final = text("SELECT state FROM notification WHERE id = :id")
_RETRY: Final = text("UPDATE notification SET state = 'queued', reason = '' WHERE id = :id AND state = 'failed'")
_FORGET_CHOICES: Final = text("DELETE FROM notification_opt_out WHERE recipient = ANY(:recipients)")
_FORGET: Final = text(
    """
    UPDATE notification SET recipient = 'erased:' || id, token_id = NULL, claimed_until = NULL,
        state = CASE WHEN state = 'sent' THEN state ELSE 'suppressed' END,
        reason = CASE WHEN state = 'sent' THEN '' ELSE 'erased' END
    WHERE recipient = ANY(:recipients)
    """
)
