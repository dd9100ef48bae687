"""Sessions: a sign-in on one device, kept alive by refresh tokens that are good once.

A refresh token that comes back after it was used was stolen, from the client or by it: its session ends, and with it
every token that came of it (RFC 9700, 4.14.2). Within `GRACE` it may only be an answer that was lost, or a second
tab: it is answered with another successor.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from db import RefreshToken
from db.connection import Read, Tx, new_id
from db.workflow import ActorKind
from domain.refusal import ErrorCode, Refusal

LASTS: Final = timedelta(days=60)
"""After a sign-in; it does not grow by use."""
GRACE: Final = timedelta(seconds=10)
LONGEST_DEVICE: Final = 200


@dataclass(eq=False)
class SessionEnded(Refusal):
    """Signed out, expired, or a refresh token of it was used twice: sign in again."""

    message: str = "This sign-in has ended; sign in again."
    code = ErrorCode.SESSION_ENDED


@dataclass(frozen=True)
class Device:
    """What a client says of itself and where it came from; shown in the list of sessions."""

    name: str = ""
    address: str = ""


@dataclass(frozen=True)
class Begun:
    """A session and the refresh token that keeps it; the token is shown once."""

    session_id: UUID
    kind: ActorKind
    subject_id: UUID
    refresh_token: str


async def begin(tx: Tx, kind: ActorKind, subject_id: UUID, device: Device) -> Begun:
    """A new session of a customer or a member of staff."""
    session_id = new_id()
    owner = {"customer": subject_id if kind == ActorKind.CUSTOMER else None}
    owner["staff"] = subject_id if kind == ActorKind.STAFF else None
    await tx.run(
        _BEGIN, id=session_id, **owner, device=device.name[:LONGEST_DEVICE], address=device.address, lasts=LASTS
    )
    return Begun(session_id, kind, subject_id, await _issue(tx, session_id))


async def refresh(tx: Tx, token: str) -> Begun | None:
    """The session goes on with a new token. Null: the token was used before, and its session has been ended now.

    Null is to be told to the caller as `SessionEnded` after the commit: raised here it would undo the ending.
    """
    found = await tx.records(_USE, hash=_hash(token), grace=GRACE)
    if not found:
        raise SessionEnded(path=("refresh_token",))
    (row,) = found
    if row.reused:
        await end(tx, row.session_id)
        return None
    kind = ActorKind.CUSTOMER if row.staff_id is None else ActorKind.STAFF
    return Begun(row.session_id, kind, row.staff_id or row.customer_id, await _issue(tx, row.session_id))


async def is_alive(read: Read, session_id: UUID) -> bool:
    return bool(await read.records(_ALIVE, id=session_id))


async def end(tx: Tx, session_id: UUID) -> bool:
    """Whether it was alive."""
    return bool(await tx.run(_END, id=session_id))


async def end_all(tx: Tx, kind: ActorKind, subject_id: UUID, but: UUID | None = None) -> int:
    """Every session of somebody, perhaps but one; answers with how many were alive."""
    return await tx.run(_END_ALL[kind], subject=subject_id, but=but)


async def _issue(tx: Tx, session_id: UUID) -> str:
    token = secrets.token_urlsafe(32)
    await tx.insert(RefreshToken, [{"hash": _hash(token), "session_id": session_id}])
    return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


_BEGIN = text(
    """
    INSERT INTO session (id, customer_id, staff_id, device, address, expires_at)
    VALUES (:id, CAST(:customer AS uuid), CAST(:staff AS uuid), :device, :address,
            now() + CAST(:lasts AS interval))
    """
)
# The session is locked first, so that two uses of one token queue up and the second sees the first.
_USE = text(
    """
    WITH live AS (
        SELECT s.id, s.customer_id, s.staff_id FROM session s JOIN refresh_token t ON t.session_id = s.id
        WHERE t.hash = :hash AND s.ended_at IS NULL AND s.expires_at > clock_timestamp()
        FOR UPDATE OF s, t
    ),
    touched AS (UPDATE session SET last_used_at = clock_timestamp() FROM live WHERE session.id = live.id),
    used AS (
        UPDATE refresh_token SET used_at = clock_timestamp()
        FROM live WHERE hash = :hash AND used_at IS NULL RETURNING hash
    )
    SELECT live.id AS session_id, live.customer_id, live.staff_id,
           NOT EXISTS (SELECT FROM used)
           AND (SELECT used_at < clock_timestamp() - CAST(:grace AS interval) FROM refresh_token WHERE hash = :hash)
           AS reused
    FROM live
    """
)
_ALIVE = text("SELECT FROM session WHERE id = :id AND ended_at IS NULL AND expires_at > clock_timestamp()")
_END = text("UPDATE session SET ended_at = clock_timestamp() WHERE id = :id AND ended_at IS NULL")
_END_ALL = {
    kind: text(
        f"""
        UPDATE session SET ended_at = clock_timestamp()
        WHERE {column} = :subject AND ended_at IS NULL AND id IS DISTINCT FROM CAST(:but AS uuid)
        """  # noqa: S608 - a column of ours
    )
    for kind, column in ((ActorKind.CUSTOMER, "customer_id"), (ActorKind.STAFF, "staff_id"))
}
