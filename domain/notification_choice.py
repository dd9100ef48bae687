"""What people want to be told of. What nobody said anything about is wanted; some things are told in any case."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read, Tx
from db.notification import NotificationKind
from db.workflow import ActorKind
from domain import audit
from domain.actor import Actor
from domain.notification import NotificationChannel, Recipient
from domain.refusal import Gathering, ValidationFailed
from domain.translation import canonical

REQUIRED: Final = frozenset({NotificationKind.ORDER_PLACED, NotificationKind.PAYMENT_RETURNED})
"""The law or the access to an order wants them told."""
OF_CUSTOMERS: Final = tuple(kind for kind in NotificationKind if kind != NotificationKind.OVERDUE)
OF_STAFF: Final = (NotificationKind.MESSAGE_POSTED, NotificationKind.OVERDUE)
MOST: Final = 100


@dataclass(frozen=True)
class Choice:
    kind: NotificationKind
    channel: str
    enabled: bool

    @property
    def required(self) -> bool:
        return self.kind in REQUIRED


@dataclass(frozen=True)
class SetChoices:
    """What is left out stays. `locale` null: that of each order, or of the shop."""

    choices: tuple[Choice, ...]
    locale: str | None = None
    with_locale: bool = False

    def __post_init__(self) -> None:
        if len(self.choices) > MOST or len({(c.kind, c.channel) for c in self.choices}) < len(self.choices):
            raise ValidationFailed(f"Say at most {MOST} preferences, each once.", path=("preferences",))


def kinds_of(actor: Actor) -> Sequence[NotificationKind]:
    return OF_STAFF if actor.kind == ActorKind.STAFF else OF_CUSTOMERS


async def choices(read: Read, actor: Actor, channels: Iterable[NotificationChannel]) -> list[Choice]:
    """All that the actor can be told of over all channels, and whether they want it."""
    off = {(row.kind, row.channel) for row in await read.records(_OFF, recipient=_key(actor))}
    return [
        Choice(kind, channel.name, (kind, channel.name) not in off) for channel in channels for kind in kinds_of(actor)
    ]


async def locale_of(read: Read, actor: Actor) -> str | None:
    """In which language they want to be told; null: they have not said."""
    found = await read.records(_LOCALE[actor.kind], id=actor.id)
    return found[0].locale if found else None


async def is_wanted(read: Read, recipient: Recipient, kind: str, channel: str) -> bool:
    """Neither they themselves have switched it off, nor whoever had a mail about this order."""
    keys = [recipient.key, recipient.chooses_as]
    return not await read.records(_IS_OFF, recipients=keys, kind=kind, channel=channel)


async def set_choices(tx: Tx, command: SetChoices, actor: Actor, channels: Iterable[NotificationChannel]) -> None:
    """Refuses what nobody could be told of, and to switch off what is told in any case."""
    names = {channel.name for channel in channels}
    gathering = Gathering()
    for i, choice in enumerate(command.choices):
        with gathering.at("preferences", str(i)):
            _check(choice, actor, names)
    with gathering.at("locale"):
        locale = None if command.locale is None else canonical(command.locale)
    gathering.raise_if_any()
    await tx.run(_LOCK[actor.kind], id=actor.id)
    before = {(row.kind, row.channel) for row in await tx.records(_OFF, recipient=_key(actor))}
    off = [_row(actor, choice) for choice in command.choices if not choice.enabled]
    on = [_row(actor, choice) for choice in command.choices if choice.enabled]
    await tx.run(_SWITCH_ON, rows=on)
    await tx.run(_SWITCH_OFF, rows=off)
    if command.with_locale:
        await tx.run(_SET_LOCALE[actor.kind], id=actor.id, locale=locale)
    if actor.kind == ActorKind.STAFF:
        changed = {
            choice.kind.value: [(choice.kind, choice.channel) not in before, choice.enabled]
            for choice in command.choices
            if ((choice.kind, choice.channel) in before) == choice.enabled
        }
        await audit.record(tx, actor, "notificationPreferencesSet", f"staff:{actor.id}", changed)


def _check(choice: Choice, actor: Actor, channels: set[str]) -> None:
    if choice.kind not in kinds_of(actor):
        raise ValidationFailed("You are never told of this.", path=("kind",))
    if choice.channel not in channels:
        raise ValidationFailed("There is no such channel in this shop.", path=("channel",))
    if choice.required and not choice.enabled:
        raise ValidationFailed("This is told in any case.", path=("enabled",))


async def unsubscribe(tx: Tx, recipient: str, kind: str, channel: str) -> None:
    """Ends a kind for somebody over a channel; with the kind empty all that need not be told. Again changes nothing."""
    kinds = [NotificationKind(kind)] if kind else [k for k in OF_CUSTOMERS if k not in REQUIRED]
    rows = [{"recipient": recipient, "kind": one, "channel": channel} for one in kinds if one not in REQUIRED]
    if await tx.records(_IS_KNOWN, id=UUID(recipient.partition(":")[2])):
        await tx.run(_SWITCH_OFF, rows=rows)


def _key(actor: Actor) -> str:
    return f"{actor.kind}:{actor.id}"


def _row(actor: Actor, choice: Choice) -> dict[str, Any]:
    return {"recipient": _key(actor), "kind": choice.kind, "channel": choice.channel}


_OFF: Final = text("SELECT kind, channel FROM notification_opt_out WHERE recipient = :recipient")
_IS_OFF: Final = text(
    "SELECT FROM notification_opt_out WHERE recipient = ANY(:recipients) AND kind = :kind AND channel = :channel"
)
# Of who was erased nothing is written down any more.
_IS_KNOWN: Final = text(
    """
    SELECT FROM customer WHERE id = :id AND erased_at IS NULL
    UNION ALL SELECT FROM staff WHERE id = :id
    UNION ALL SELECT FROM "order" WHERE id = :id AND email NOT LIKE '%@erased.invalid'
    """
)
_SWITCH_OFF: Final = text(
    """
    INSERT INTO notification_opt_out (recipient, kind, channel)
    SELECT recipient, kind, channel FROM jsonb_to_recordset(:rows) AS r (recipient text, kind text, channel text)
    ORDER BY recipient, kind, channel
    ON CONFLICT DO NOTHING
    """
)
_SWITCH_ON: Final = text(
    """
    DELETE FROM notification_opt_out AS off
    USING jsonb_to_recordset(:rows) AS r (recipient text, kind text, channel text)
    WHERE (off.recipient, off.kind, off.channel) = (r.recipient, r.kind, r.channel)
    """
)
# First, as erasing somebody does, which then takes what they chose.
_LOCK: Final = {
    ActorKind.CUSTOMER: text("SELECT FROM customer WHERE id = :id FOR NO KEY UPDATE"),
    ActorKind.STAFF: text("SELECT FROM staff WHERE id = :id FOR NO KEY UPDATE"),
}
_LOCALE: Final = {
    ActorKind.CUSTOMER: text("SELECT locale FROM customer WHERE id = :id"),
    ActorKind.STAFF: text("SELECT locale FROM staff WHERE id = :id"),
}
_SET_LOCALE: Final = {
    ActorKind.CUSTOMER: text("UPDATE customer SET locale = :locale WHERE id = :id AND erased_at IS NULL"),
    ActorKind.STAFF: text("UPDATE staff SET locale = :locale WHERE id = :id"),
}
