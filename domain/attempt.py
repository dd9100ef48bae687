"""Attempts are counted, per account and per address: guessing passwords and codes must not pay.

One statement per attempt on one row, so a hundred at once count a hundred. What is counted is a hash: the table tells
neither accounts nor addresses.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from db.connection import Tx
from domain.refusal import ErrorCode, Refusal


@dataclass(eq=False)
class TooManyAttempts(Refusal):
    """Told before anything is checked, and alike whether or not there is such an account."""

    message: str = "Too many attempts; try again later."
    retry_after: int = 0
    """Seconds."""
    code = ErrorCode.TOO_MANY_ATTEMPTS


@dataclass(frozen=True)
class Limit:
    """`most` attempts within `window`; the window begins with the first attempt."""

    what: str
    most: int
    window: timedelta

    def key(self, who: str) -> str:
        return hashlib.sha256(f"{self.what}\0{who}".encode()).hexdigest()


async def count(tx: Tx, limit: Limit, who: str) -> None:
    """Counts one attempt of `who`; refuses when there were too many.

    Must be committed before what is attempted is tried, or a failure would take its count along.
    """
    (row,) = await tx.records(_COUNT, key=limit.key(who), window=limit.window)
    if row.count > limit.most:
        ends: datetime = row.window_ends
        raise TooManyAttempts(retry_after=max(1, round((ends - row.now).total_seconds())))


async def forget(tx: Tx, limit: Limit, who: str) -> None:
    """After a success the count of an account begins anew."""
    await tx.run(_FORGET, key=limit.key(who))


async def prune(tx: Tx) -> int:
    """Takes away what is over."""
    return await tx.run(_PRUNE)


_COUNT = text(
    """
    INSERT INTO attempts AS a (key, window_ends, count) VALUES (:key, now() + CAST(:window AS interval), 1)
    ON CONFLICT (key) DO UPDATE
    SET count = CASE WHEN a.window_ends > clock_timestamp() THEN a.count + 1 ELSE 1 END,
        window_ends = CASE WHEN a.window_ends > clock_timestamp() THEN a.window_ends ELSE excluded.window_ends END
    RETURNING count, window_ends, clock_timestamp() AS now
    """
)
_FORGET = text("DELETE FROM attempts WHERE key = :key")
_PRUNE = text("DELETE FROM attempts WHERE window_ends < now() - interval '1 day'")
