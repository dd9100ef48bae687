"""API keys: what programs prove themselves with. A key is shown once; kept is its hash.

A key says what it is: `cf_secret_`, 32 random bytes and a checksum, in base62. So scanners find keys that leaked,
and one that is mistyped is recognised without the database.
"""

import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, and_, bindparam, case, func, insert, or_, select, text, update

from db import ApiKey
from db.connection import Read, Tx, new_id
from db.session import ApiKeyKind
from db.workflow import ActorKind
from domain import audit
from domain.actor import EVERYTHING, Actor
from domain.channel import Bound, check_open
from domain.permission import as_of_now, check_held, check_known
from domain.refusal import Gathering, NotFound, ValidationFailed
from domain.secret import hash_of

PREFIXES: Final = {
    ApiKeyKind.PUBLISHABLE: "cf_pub_",
    ApiKeyKind.STOREFRONT: "cf_store_",
    ApiKeyKind.SECRET: "cf_secret_",
}
LONGEST_OVERLAP: Final = 168
"""Hours."""
LONGEST_NAME: Final = 100
MOST_CHANNELS: Final = 100
LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""No key lasts longer, however often it is rotated: what comes later can be written down, but not read."""
NOTED_EVERY: Final = timedelta(minutes=1)
"""When a key was last used is known to the minute, so that its use does not cost a write each time."""
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECKSUM = 43, 6
"""Digits that 32 bytes and a CRC-32 take."""
_FORMAT: Final = re.compile(rf"({'|'.join(PREFIXES.values())})[0-9A-Za-z]{{{_RANDOM + _CHECKSUM}}}")


@dataclass(frozen=True)
class Key:
    """A key that is good now."""

    id: UUID
    kind: ApiKeyKind
    scopes: frozenset[str]
    expires_at: datetime | None
    to_be_noted: bool
    """That it is used was not written down within the last minute."""
    bound: Bound | None = None
    """The sales channels of a publishable key; null: of another kind."""

    def actor(self, request_id: str = "") -> Actor:
        """A secret key acts for the merchant, so on the side of staff, but is none of them: it has no id of theirs."""
        return Actor(
            ActorKind.STAFF,
            permissions=self.scopes,
            expires_at=self.expires_at,
            api_key_id=self.id,
            request_id=request_id,
        )


@dataclass(frozen=True)
class CreateApiKey:
    kind: ApiKeyKind
    name: str
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    channels: tuple[UUID, ...] = ()

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("name"):
            if not 1 <= len(self.name.strip()) <= LONGEST_NAME or not self.name.isprintable():
                raise ValidationFailed(f"A name has 1 to {LONGEST_NAME} characters on one line.")
        with gathering.at("scopes"):
            if (self.kind == ApiKeyKind.SECRET) != bool(self.scopes):
                raise ValidationFailed("A secret key has at least one scope, other keys have none.")
            if EVERYTHING in self.scopes:
                raise ValidationFailed("A key names what it may do: not also what later versions will have.")
            check_known(self.scopes)
        with gathering.at("channel_ids"):
            if (self.kind == ApiKeyKind.PUBLISHABLE) != bool(self.channels):
                raise ValidationFailed("A publishable key names at least one sales channel, other keys name none.")
            if len(self.channels) > MOST_CHANNELS:
                raise ValidationFailed(f"A key has at most {MOST_CHANNELS} sales channels.")
        gathering.raise_if_any()


@dataclass(frozen=True)
class RotateApiKey:
    id: UUID
    overlap_hours: int = 24

    def __post_init__(self) -> None:
        if not 0 <= self.overlap_hours <= LONGEST_OVERLAP:
            raise ValidationFailed(f"The overlap is 0 to {LONGEST_OVERLAP} hours.", path=("overlap_hours",))


@dataclass(frozen=True)
class Made:
    """A new key; `key` itself is told this once."""

    row: Any
    """Of the table, with whether it expired before it was made."""
    key: str


def kind_of(key: str) -> ApiKeyKind | None:
    """What a key says that it is; null for what is no key, or is mistyped."""
    matched = _FORMAT.fullmatch(key)
    if matched is None or key[-_CHECKSUM:] != _checksum(key[:-_CHECKSUM]):
        return None
    return next(kind for kind, prefix in PREFIXES.items() if prefix == matched[1])


async def find(read: Read, key: str) -> Key | None:
    """The key, if it is one of ours and good now. Malformed ones cost no statement."""
    if kind_of(key) is None:
        return None
    row = next(iter(await read.records(_FIND, hash=hash_of(key), key_id=None)), None)
    if row is None:
        return None
    kind = ApiKeyKind(row.kind)
    bound = Bound(frozenset(row.open_channels), row.default_channel) if kind == ApiKeyKind.PUBLISHABLE else None
    return Key(row.id, kind, frozenset(row.scopes), row.expires_at, row.to_be_noted, bound)


async def scopes(read: Read, key_id: UUID) -> frozenset[str] | None:
    """What a secret key may do now, at most what its maker may; null if it is not good any more."""
    found = await read.records(_FIND, hash=None, key_id=key_id)
    return frozenset(found[0].scopes) if found else None


async def note_use(tx: Tx, key_id: UUID) -> None:
    """Of many who note it at once, one writes."""
    await tx.run(_NOTE_USE, key_id=key_id)


async def create(tx: Tx, command: CreateApiKey, actor: Actor) -> Made:
    check_held(await as_of_now(tx, actor), command.scopes, "scopes")
    await check_open(tx, list(command.channels), "channel_ids")
    made = await _insert(tx, command, actor)
    if made.row.past:
        raise ValidationFailed("This is over already.", path=("expires_at",))
    return made


async def rotate(tx: Tx, command: RotateApiKey, actor: Actor) -> Made:
    """A new key for the same; the old one works until the overlap is over, if it lasted so long.

    A key that was made to expire is followed by one that is good for as long as it was to be. Who rotates a key
    holds the new one, so they must be allowed all that it may.
    """
    old = next(iter(await tx.records(_LOCKED, key_id=command.id)), None)
    if old is None:
        raise NotFound(path=("id",))
    if not old.good or await tx.scalar(_SUCCESSOR, key_id=old.id):
        raise ValidationFailed("Only a key that is good and was not rotated yet can be.", path=("id",))
    check_held(await as_of_now(tx, actor), old.scopes, "id")
    again = CreateApiKey(ApiKeyKind(old.kind), old.name, tuple(old.scopes), old.next_expires_at, tuple(old.channel_ids))
    made = await _insert(tx, again, actor, rotated_from=old.id)
    overlap = timedelta(hours=command.overlap_hours)
    ends = await tx.one_scalar(_END_AFTER, key_id=old.id, overlap=overlap)
    difference = audit.changed({"expires_at": old.expires_at}, {"expires_at": ends, "rotated_to": made.row.id})
    await audit.record(tx, actor, "apiKeyRotate", f"api_key:{old.id}", difference)
    return made


async def revoke(tx: Tx, key_id: UUID, actor: Actor) -> ApiKey:
    """It is good no more, at once. Doing it again changes nothing. Nobody revokes a key that may do more than they."""
    found = next(iter(await tx.records(_LOCKED, key_id=key_id)), None)
    if found is None:
        raise NotFound(path=("id",))
    check_held(await as_of_now(tx, actor), found.scopes, "id")
    revoked = await tx.first(_REVOKE, key_id=key_id)
    if revoked is not None:
        difference = audit.changed({}, {"revoked_at": revoked.revoked_at})
        await audit.record(tx, actor, "apiKeyRevoke", f"api_key:{key_id}", difference)
        return revoked
    return found


async def _insert(tx: Tx, command: CreateApiKey, actor: Actor, rotated_from: UUID | None = None) -> Made:
    key = _new_key(command.kind)
    columns: dict[str, Any] = {
        "kind": command.kind,
        "name": command.name.strip(),
        "hint": key[-4:],
        "scopes": sorted(set(command.scopes)),
        "channel_ids": list(dict.fromkeys(command.channels)),
        "expires_at": command.expires_at,
        "rotated_from": rotated_from,
    }
    made_by = {"created_by": actor.id, "by_key": actor.api_key_id}
    (row,) = await tx.records(_CREATE, id=new_id(), hash=hash_of(key), **made_by, **columns)
    told = audit.changed({}, {**columns, "channel_ids": [str(key) for key in command.channels] or None})
    await audit.record(tx, actor, "apiKeyCreate", f"api_key:{row.id}", told)
    return Made(row, key)


def _new_key(kind: ApiKeyKind) -> str:
    body = PREFIXES[kind] + _base62(int.from_bytes(secrets.token_bytes(32)), _RANDOM)
    return body + _checksum(body)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM)


def _base62(number: int, digits: int) -> str:
    written = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        written = _BASE62[digit] + written
    return written


_NOW: Final = func.clock_timestamp()
_GOOD: Final = and_(ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > _NOW))
_UNNOTED: Final = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < _NOW - NOTED_EVERY)
# A key that carries rights is good as long as its maker works here, and may at most what they may now. Others carry
# none: a shop does not stand still because somebody left. A key that nobody of staff made has no such bound.
_FIND: Final = text(
    """
    SELECT k.id, k.kind, k.expires_at,
        coalesce(k.last_used_at < clock_timestamp() - CAST(:noted_every AS interval), true) AS to_be_noted,
        CASE WHEN k.created_by IS NULL THEN k.scopes ELSE ARRAY(
            SELECT scope FROM unnest(k.scopes) AS scope WHERE EXISTS (
                SELECT FROM staff_role AS has JOIN role ON role.id = has.role_id
                WHERE has.staff_id = k.created_by AND role.permissions && ARRAY[scope, '*']
            )
        ) END AS scopes,
        ARRAY(SELECT id FROM channel WHERE id = ANY(k.channel_ids) AND archived_at IS NULL) AS open_channels,
        (SELECT id FROM channel WHERE id = ANY(k.channel_ids) AND is_default) AS default_channel
    FROM api_key AS k
    WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
      AND (k.kind <> 'secret' OR k.created_by IS NULL
           OR EXISTS (SELECT FROM staff WHERE staff.id = k.created_by AND staff.active))
      AND (k.hash = :hash OR k.id = CAST(:key_id AS uuid))
    """
).bindparams(noted_every=NOTED_EVERY)
"""By the hash of the secret or by the id; the other one is null."""
_NOTE_USE: Final = update(ApiKey).where(ApiKey.id == bindparam("key_id"), _UNNOTED).values(last_used_at=_NOW)
_BY: Final = ApiKey.__table__.alias("by")
_CREATED: Final = (
    "id", "kind", "name", "hash", "hint", "scopes", "channel_ids", "expires_at", "rotated_from"
)  # fmt: skip
_MAKER_OF_KEY: Final = select(_BY.c.created_by).where(_BY.c.id == bindparam("by_key", type_=Uuid)).scalar_subquery()
"""A key that makes another makes it for its own maker."""
_CREATE: Final = (
    insert(ApiKey)
    .values({name: bindparam(name) for name in _CREATED})
    .values(created_by=func.coalesce(bindparam("created_by", type_=Uuid), _MAKER_OF_KEY))
    .returning(ApiKey, (ApiKey.expires_at <= _NOW).label("past"))
)
_AS_LONG_AGAIN: Final = _NOW + (ApiKey.expires_at - ApiKey.created_at)
_LOCKED: Final = (
    select(
        ApiKey,
        _GOOD.label("good"),
        case((ApiKey.expires_at.is_not(None), func.least(_AS_LONG_AGAIN, LAST))).label("next_expires_at"),
    )
    .where(ApiKey.id == bindparam("key_id"))
    .with_for_update()
)
_SUCCESSOR: Final = select(ApiKey.id).where(ApiKey.rotated_from == bindparam("key_id"))
"""Asked for in a statement of its own: one that waits for a lock still sees what was before."""
_END_AFTER: Final = (
    update(ApiKey)
    .where(ApiKey.id == bindparam("key_id"))
    .values(expires_at=func.least(ApiKey.expires_at, _NOW + bindparam("overlap")))
    .returning(ApiKey.expires_at)
)
_REVOKE: Final = (
    update(ApiKey)
    .where(ApiKey.id == bindparam("key_id"), ApiKey.revoked_at.is_(None))
    .values(revoked_at=_NOW)
    .returning(ApiKey)
)
