"""How products and collections are put into sales channels: by rows of a table of links, each with a window of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db import Channel
from db.connection import Tx
from domain import audit
from domain.actor import Actor
from domain.channel import CHOSEN, DEFAULT
from domain.refusal import Gathering, NotFound, ValidationFailed

_NOW: Final = func.statement_timestamp()
"""Not `now()`: in a transaction that waited for a lock that would be the time before it waited. And stable, unlike the
clock, so that the planner may join by windows.
"""
_WINDOW: Final = ("published_from", "published_until")
_CHANNEL: Final = select(Channel).where(Channel.id == CHOSEN).with_for_update(key_share=True, read=True)


@dataclass(frozen=True)
class Window:
    """When something is in a channel; channel null: the default one. Without bounds from now on, and it stays."""

    channel_id: UUID | None = None
    published_from: datetime | None = None
    published_until: datetime | None = None

    def __post_init__(self) -> None:
        if self.published_from and self.published_until and self.published_from >= self.published_until:
            raise ValidationFailed("The window ends before it begins.", path=("published_until",))


class Publishing:
    """Of one `kind`, such as product: `link` has its id as `product_id`."""

    def __init__(self, kind: str, entity: Any, link: Any) -> None:
        self._kind, self._key = kind, f"{kind}_id"
        self._entity_id, self._link, self._columns = entity.id, link, link.__table__.c
        its = self._columns[self._key] == bindparam(self._key)
        here = link.channel_id == bindparam("channel_id")
        self._locked = select(entity.id).where(entity.id == bindparam(self._key)).with_for_update(key_share=True)
        self._there = select(link).where(its, here)
        self._take_out = delete(link).where(its, here)
        names = ("channel_id", self._key, *_WINDOW)
        written = insert(link).values({name: bindparam(name) for name in names})
        self._put = written.on_conflict_do_update(
            index_elements=names[:2], set_={name: written.excluded[name] for name in _WINDOW}
        ).returning(link)
        self._put_new = insert(link).from_select(
            names[:2], select(DEFAULT, func.unnest(bindparam("keys", type_=ARRAY(Uuid)))), include_defaults=False
        )

    def is_in(self, channel: Any) -> ColumnElement[bool]:
        """Whether a row of the kind is in the channel, within its window there now."""
        link = self._link
        opened = link.published_from.is_(None) | (link.published_from <= _NOW)
        not_over = link.published_until.is_(None) | (link.published_until > _NOW)
        its = self._columns[self._key]
        return select(its).where(its == self._entity_id, link.channel_id == channel, opened, not_over).exists()

    async def publish(self, tx: Tx, key: UUID, window: Window, actor: Actor) -> Any:
        """Puts it into the channel, or gives it another window there: the link. As it was already changes nothing."""
        channel_id, before = await self._found(tx, key, window.channel_id)
        bounds = {name: getattr(window, name) for name in _WINDOW}
        after = await tx.one(self._put, channel_id=channel_id, **{self._key: key}, **bounds)
        await self._record(tx, actor, "Publish", key, audit.changed(_told(before), _told(after)))
        return after

    async def unpublish(self, tx: Tx, key: UUID, channel_id: UUID | None, actor: Actor) -> None:
        """Takes it out of the channel. What is not there stays out."""
        there, before = await self._found(tx, key, channel_id, archived=True)
        if before is not None:
            await tx.run(self._take_out, channel_id=there, **{self._key: key})
            await self._record(tx, actor, "Unpublish", key, audit.changed(_told(before), {}))

    async def publish_new(self, tx: Tx, keys: Iterable[UUID]) -> None:
        """What was just made is in the default channel; whether it is seen says its status."""
        if listed := list(keys):
            await tx.run(self._put_new, keys=listed)

    async def _found(
        self, tx: Tx, key: UUID, channel_id: UUID | None, *, archived: bool = False
    ) -> tuple[UUID, Any | None]:
        """The channel and the link that there is, locked with what is published; refuses what is not there."""
        gathering = Gathering()
        with gathering.at(self._key):
            if await tx.scalar(self._locked, **{self._key: key}) is None:
                raise NotFound
        channel: Any = await tx.first(_CHANNEL, channel=channel_id)
        with gathering.at("channel_id"):
            if channel is None or (channel.archived_at is not None and not archived):
                raise NotFound("There is no such sales channel, or it is archived.")
        gathering.raise_if_any()
        return channel.id, await tx.first(self._there, channel_id=channel.id, **{self._key: key})

    async def _record(self, tx: Tx, actor: Actor, verb: str, key: UUID, difference: Any) -> None:
        if difference:
            await audit.record(tx, actor, f"{self._kind}{verb}", f"{self._kind}:{key}", difference)


def _told(row: Any | None) -> dict[str, Any]:
    if row is None:
        return {}
    bounds = {"from": row.published_from, "until": row.published_until}
    return {"channel": row.channel_id, **{name: at and at.isoformat() for name, at in bounds.items()}}
