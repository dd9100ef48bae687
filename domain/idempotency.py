"""Idempotency keys: a write that is sent again with its key has no second effect.

Nothing of an answer is stored, only the ids of what the first call made. A replay goes on with what is not finished
and reads the subject as it is now.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, cast
from uuid import UUID

import orjson
from asyncpg import LockNotAvailableError
from sqlalchemy import text

from db.connection import Tx
from domain.refusal import ErrorCode, Refusal, ValidationFailed


@dataclass(eq=False)
class IdempotencyKeyReused(Refusal):
    """The key was used before, for another request."""

    code = ErrorCode.IDEMPOTENCY_KEY_REUSED


@dataclass(eq=False)
class InProgress(Refusal):
    """The outcome is not known yet; ask again with the same key in `retry_after` seconds."""

    retry_after: int = 2
    code = ErrorCode.IN_PROGRESS


@dataclass(frozen=True)
class IdempotencyKey:
    """`scope` is whose key it is: the cart of a completion or payment, else the caller (`Actor.scope`), so that
    nobody's key meets another's. `input_hash` is of what was asked for, without how the caller proved who they are.
    """

    scope: str
    mutation: str
    key: str
    input_hash: str

    def __post_init__(self) -> None:
        if not self.key.strip() or len(self.key) > 200 or not self.key.isprintable():
            raise ValidationFailed("An idempotency key has 1 to 200 characters.", path=("idempotency_key",))

    @classmethod
    def of(cls, scope: str, mutation: str, key: str, asked: object) -> Self:
        """The key of a request for `asked`: plain data in which equal requests are equal."""
        plain = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS, default=str)
        return cls(scope, mutation, key, hashlib.sha256(plain).hexdigest())


# A call that finds the key taken writes nothing to it, but waits until whoever has it has committed or rolled back.
_CLAIM: Final = text(
    """
    INSERT INTO idempotency_key AS known (scope, mutation, key, input_hash, outcome)
    VALUES (:scope, :mutation, :key, :input_hash, '{}')
    ON CONFLICT (scope, mutation, key) DO UPDATE SET key = known.key
    RETURNING input_hash, outcome, xmax = 0 AS fresh
    """
)
_WAIT: Final = text("SET LOCAL lock_timeout = '5s'")
_SETTLE: Final = text(
    """
    UPDATE idempotency_key SET outcome = :outcome, input_hash = :input_hash
    WHERE scope = :scope AND mutation = :mutation AND key = :key
    """
)
_FREE: Final = text(
    """
    UPDATE idempotency_key SET input_hash = '' WHERE scope = :scope AND outcome ->> :name = :id
    """
)
FREE: Final = ""
"""In place of the hash of a request: what came of it was given up, and any other request may have the key."""


async def claim(tx: Tx, key: IdempotencyKey, *, waits: bool = True) -> Mapping[str, Any] | None:
    """Takes the key for this transaction, and returns None; or what the call that had it before made (`settle`).

    A transaction that is rolled back leaves the key free: a refusal is not kept. While another one has the key this
    waits, up to 5 s, then refuses with InProgress; `waits=False` where a lock that is held already keeps others away.
    """
    if waits:
        await tx.run(_WAIT)
    try:
        (row,) = await tx.records(
            _CLAIM, scope=key.scope, mutation=key.mutation, key=key.key, input_hash=key.input_hash
        )
    except LockNotAvailableError:
        raise InProgress("The first request with this key is still being done.", path=("idempotency_key",)) from None
    if row.fresh:
        return None
    if row.input_hash not in {key.input_hash, FREE}:
        raise IdempotencyKeyReused("This key was used for another request; use a new one.", path=("idempotency_key",))
    return cast("Mapping[str, Any]", row.outcome)


async def settle(tx: Tx, key: IdempotencyKey, outcome: Mapping[str, Any]) -> None:
    """Keeps the ids of what the call made, in the transaction that made it."""
    await tx.run(
        _SETTLE,
        scope=key.scope,
        mutation=key.mutation,
        key=key.key,
        input_hash=key.input_hash,
        outcome=dict(outcome),
    )


async def free(tx: Tx, scope: str, name: str, id_: UUID) -> None:
    """Lets the keys of a scope whose outcome names this be used for another request.

    What they led to stays known: should it come to something after all, whoever repeats the request is told.
    """
    await tx.run(_FREE, scope=scope, name=name, id=str(id_))


_OLD: Final = text(
    """
    DELETE FROM idempotency_key WHERE (scope, mutation, key) IN (
        SELECT scope, mutation, key FROM idempotency_key
        WHERE created_at < clock_timestamp() - make_interval(hours => 48) LIMIT 100
    )
    """
)


async def prune(tx: Tx) -> int:
    """Takes away some keys that are older than two days; how many."""
    return await tx.run(_OLD)
