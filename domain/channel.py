"""Sales channels: the ways in which a shop sells. Products are published in them, carts begun, keys bound to them."""

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from db import Channel
from db.connection import Read, Tx, new_id
from domain import audit
from domain.actor import Actor
from domain.refusal import Gathering, NotFound, ValidationFailed

LONGEST_NAME: Final = 100
DEFAULT: Final = select(Channel.id).where(Channel.is_default).scalar_subquery()
"""Exactly one, from the first migration on."""
CHOSEN: Final = func.coalesce(bindparam("channel", type_=Uuid), DEFAULT)
"""The channel of a statement's parameter `channel`, null being the default one: it costs no statement of its own."""


@dataclass(frozen=True)
class Bound:
    """The sales channels of a publishable key, those that are not archived, and the default one if it is among them."""

    channels: frozenset[UUID]
    default: UUID | None


@dataclass(frozen=True)
class CreateChannel:
    code: str
    name: str

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("code"):
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.code) or len(self.code) > LONGEST_NAME:
                raise ValidationFailed("Write a code of small letters, digits and hyphens, such as web-eu.")
        with gathering.at("name"):
            check_name(self.name)
        gathering.raise_if_any()


@dataclass(frozen=True)
class UpdateChannel:
    """Null leaves a thing as it is. A channel stops being the default when another one becomes it."""

    id: UUID
    name: str | None = None
    is_default: bool | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("name"):
            if self.name is not None:
                check_name(self.name)
        with gathering.at("is_default"):
            if self.is_default is False:
                raise ValidationFailed("Make another channel the default one; a shop always has one.")
        gathering.raise_if_any()


def check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise ValidationFailed(f"A name has 1 to {LONGEST_NAME} characters on one line.")


async def find_open(read: Read, channel_id: UUID) -> UUID | None:
    """The channel, if there is one that is not archived."""
    return await read.scalar(_OPEN, channel_id=channel_id)


async def check_open(tx: Tx, channels: list[UUID], path: str) -> None:
    """Refuses, by its position, what is no channel or an archived one; those there are stay as they are meanwhile."""
    there = set(await tx.scalars(_HELD, channels=channels))
    gathering = Gathering()
    for i, channel_id in enumerate(channels):
        with gathering.at(path, str(i)):
            if channel_id not in there:
                raise NotFound("There is no such sales channel, or it is archived.")
    gathering.raise_if_any()


async def create(tx: Tx, command: CreateChannel, actor: Actor) -> Channel:
    await tx.records(_ONE_WRITER)
    if await tx.scalar(_BY_CODE, code=command.code):
        raise ValidationFailed("There is a channel with this code.", path=("code",))
    made = await tx.one(_CREATE, id=new_id(), code=command.code, name=command.name.strip())
    difference = audit.changed({}, {"code": made.code, "name": made.name})
    await audit.record(tx, actor, "channelCreate", f"channel:{made.id}", difference)
    return made


async def change(tx: Tx, command: UpdateChannel, actor: Actor) -> Channel:
    await tx.records(_ONE_WRITER)
    before = await _locked(tx, command.id)
    if command.is_default and before.archived_at is not None:
        raise ValidationFailed("An archived channel cannot be the default one.", path=("is_default",))
    if command.is_default:
        await tx.run(_NO_DEFAULT)
    name = before.name if command.name is None else command.name.strip()
    is_default = before.is_default or bool(command.is_default)
    after = await tx.one(_CHANGE, channel_id=before.id, name=name, is_default=is_default)
    difference = audit.changed(_told(before), _told(after))
    if difference:
        await audit.record(tx, actor, "channelUpdate", f"channel:{before.id}", difference)
    return after


async def archive(tx: Tx, channel_id: UUID, actor: Actor) -> Channel:
    """Nobody sells there any more: it cannot be asked for, and nothing of it is for sale. Again changes nothing.

    What was sold there, and carts that were begun there, keep saying so.
    """
    await tx.records(_ONE_WRITER)
    before = await _locked(tx, channel_id)
    if before.is_default:
        raise ValidationFailed("The default channel stays: make another one the default first.", path=("id",))
    if before.archived_at is not None:
        return before
    after = await tx.one(_ARCHIVE, channel_id=channel_id)
    difference = audit.changed({}, {"archived_at": after.archived_at})
    await audit.record(tx, actor, "channelArchive", f"channel:{channel_id}", difference)
    return after


def _told(row: Any) -> dict[str, Any]:
    return {"name": row.name, "is_default": row.is_default}


async def _locked(tx: Tx, channel_id: UUID) -> Channel:
    found = await tx.first(_LOCKED, channel_id=channel_id)
    if found is None:
        raise NotFound(path=("id",))
    return found


# One at a time, so that two who make different channels the default one do not meet crosswise.
_ONE_WRITER: Final = select(func.pg_advisory_xact_lock(func.hashtext("counterfoil.channels")))
_BY_ID: Final = Channel.id == bindparam("channel_id")
_OPEN: Final = select(Channel.id).where(_BY_ID, Channel.archived_at.is_(None))
_HELD: Final = (
    select(Channel.id)
    .where(Channel.id == any_(bindparam("channels", type_=ARRAY(Uuid))), Channel.archived_at.is_(None))
    .order_by(Channel.id)
    .with_for_update(key_share=True, read=True)
)
_LOCKED: Final = select(Channel).where(_BY_ID).with_for_update(key_share=True)
_BY_CODE: Final = select(Channel.id).where(Channel.code == bindparam("code"))
_CREATE: Final = insert(Channel).values({name: bindparam(name) for name in ("id", "code", "name")}).returning(Channel)
_NO_DEFAULT: Final = update(Channel).where(Channel.is_default).values(is_default=False)
_CHANGE: Final = (
    update(Channel).where(_BY_ID).values(name=bindparam("name"), is_default=bindparam("is_default")).returning(Channel)
)
_ARCHIVE: Final = update(Channel).where(_BY_ID).values(archived_at=func.clock_timestamp()).returning(Channel)
