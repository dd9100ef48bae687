"""Sessions: a sign-in on one device, kept alive by refresh tokens that are good once.

A refresh token that comes back after it was used was stolen, from the client or by it: its session ends, and with it
every token that came of it (RFC 9700, 4.14.2). Within `GRACE` it may only be an answer that was lost, or a second
tab: it is answered with another successor.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text

from db import RefreshToken
from db.connection import Read, Tx, new_id
from db.workflow import ActorKind
from domain.refusal import ErrorCode, NotFound, Refusal
from domain.secret import hash_of

LASTS: Final = timedelta(days=60)
"""After a sign-in; it does not grow by use."""
GRACE: Final = timedelta(seconds=10)
LONGEST_DEVICE: Final = 200
KEPT: Final = timedelta(days=30)
"""For so long sessions that have ended, and refresh tokens that were used, are still recognised."""
AT_ONCE: Final = 1_000


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


async def refresh(tx: Tx, kind: ActorKind, token: str) -> Begun | None:
    """The session goes on with a new token. Null: it has ended, perhaps just now, since the token was used before.

    Null is to be told to the caller as `SessionEnded` after the commit: raised here it would undo the ending.
    """
    found = await tx.records(_USE[kind], hash=hash_of(token), grace=GRACE) if kind in _USE else []
    if not found:
        return None
    (row,) = found
    if row.reused:
        await end(tx, row.session_id)
        return None
    return Begun(row.session_id, kind, row.subject_id, await _issue(tx, row.session_id))


async def of_refresh_token(read: Read, kind: ActorKind, token: str) -> tuple[UUID, UUID] | None:
    """The session that it keeps and whose that is, whatever became of it."""
    found = await read.records(_OF_TOKEN[kind], hash=hash_of(token))
    return (found[0].id, found[0].subject_id) if found else None


async def alive(read: Read, kind: ActorKind, subject_id: UUID) -> Sequence[Any]:
    """The sessions of somebody that have not ended, the latest sign-in first."""
    return await read.records(_ALIVE[kind], subject=subject_id)


async def granted(
    read: Read, kind: ActorKind, subject_id: UUID, session_id: UUID, *, factor_demanded: bool = False
) -> frozenset[str] | None:
    """What somebody signed in may do now; customers have no permissions. Null: it has ended, or they have left."""
    who = {"id": session_id, "subject": subject_id, "demanded": factor_demanded}
    found = await read.records(_GRANTED[kind], **who) if kind in _GRANTED else []
    return frozenset(found[0].permissions) if found else None


SignIn = tuple[ActorKind, UUID, UUID, bool]
"""The kind, the subject, the session, and whether staff without a second factor have no permissions."""


async def granted_all(read: Read, sign_ins: Sequence[SignIn]) -> dict[SignIn, frozenset[str]]:
    """`granted` of many at once; those that have ended are missing."""
    found: dict[SignIn, frozenset[str]] = {}
    for kind, statement in _GRANTED_ALL.items():
        asked = [key for key in sign_ins if key[0] == kind]
        if asked:
            subjects, sessions, demanded = ([key[n] for key in asked] for n in (1, 2, 3))
            rows = await read.records(statement, subjects=subjects, sessions=sessions, demanded=demanded)
            found |= {asked[row.n - 1]: frozenset(row.permissions) for row in rows}
    return found


async def end(tx: Tx, session_id: UUID) -> bool:
    """Whether it was alive."""
    return bool(await tx.run(_END, id=session_id))


async def end_own(tx: Tx, kind: ActorKind, subject_id: UUID, session_id: UUID) -> None:
    """Ends one of somebody's sessions; another's is as good as none."""
    if not await tx.run(_END_OWN[kind], id=session_id, subject=subject_id):
        raise NotFound(path=("session_id",))


async def end_all(tx: Tx, kind: ActorKind, subject_id: UUID, but: UUID | None = None) -> int:
    """Every session of somebody, perhaps but one; answers with how many were alive."""
    return await tx.run(_END_ALL[kind], subject=subject_id, but=but)


async def prune(tx: Tx) -> int:
    """Takes away some of what nobody can use any more and what need not be recognised any more; how much that was."""
    return await tx.run(_PRUNE, kept=KEPT, most=AT_ONCE) + await tx.run(_PRUNE_TOKENS, kept=KEPT, most=AT_ONCE)


async def _issue(tx: Tx, session_id: UUID) -> str:
    token = secrets.token_urlsafe(32)
    await tx.insert(RefreshToken, [{"hash": hash_of(token), "session_id": session_id}])
    return token


_BEGIN = text(
    """
    INSERT INTO session (id, customer_id, staff_id, device, address, expires_at)
    VALUES (:id, CAST(:customer AS uuid), CAST(:staff AS uuid), :device, :address,
            now() + CAST(:lasts AS interval))
    """
)
_OWNERS: Final = {
    ActorKind.CUSTOMER: ("customer_id", "JOIN customer o ON o.id = s.customer_id AND o.erased_at IS NULL"),
    ActorKind.STAFF: ("staff_id", "JOIN staff o ON o.id = s.staff_id AND o.active"),
}


_NO_FACTOR: Final = {ActorKind.CUSTOMER: "false", ActorKind.STAFF: "o.totp_confirmed_at IS NULL"}


def _by_kind(sql: str) -> dict[ActorKind, TextClause]:
    """A statement about sessions of customers, and the same of those of staff."""
    return {
        kind: text(sql.replace("OWNED", still_there).replace("OWNER", column).replace("NO_FACTOR", _NO_FACTOR[kind]))
        for kind, (column, still_there) in _OWNERS.items()
    }


# The session is locked first, so that two uses of one token queue up and the second sees the first.
_USE = _by_kind(
    """
    WITH live AS (
        SELECT s.id, o.id AS subject_id FROM session s OWNED JOIN refresh_token t ON t.session_id = s.id
        WHERE t.hash = :hash AND s.ended_at IS NULL AND s.expires_at > clock_timestamp()
        FOR UPDATE OF s, t
    ),
    touched AS (UPDATE session SET last_used_at = clock_timestamp() FROM live WHERE session.id = live.id),
    used AS (
        UPDATE refresh_token SET used_at = clock_timestamp()
        FROM live WHERE hash = :hash AND used_at IS NULL RETURNING hash
    )
    SELECT live.id AS session_id, live.subject_id,
           NOT EXISTS (SELECT FROM used)
           AND (SELECT used_at < clock_timestamp() - CAST(:grace AS interval) FROM refresh_token WHERE hash = :hash)
           AS reused
    FROM live
    """
)
_OF_TOKEN = _by_kind(
    """
    SELECT s.id, s.OWNER AS subject_id FROM session s JOIN refresh_token t ON t.session_id = s.id
    WHERE t.hash = :hash AND s.OWNER IS NOT NULL
    """
)
_ALIVE = _by_kind(
    """
    SELECT id, device, address, created_at, last_used_at FROM session
    WHERE OWNER = :subject AND ended_at IS NULL AND expires_at > clock_timestamp() ORDER BY id DESC
    """
)
_END = text("UPDATE session SET ended_at = clock_timestamp() WHERE id = :id AND ended_at IS NULL")
_END_OWN = _by_kind(
    """
    UPDATE session SET ended_at = clock_timestamp()
    WHERE id = :id AND OWNER = :subject AND ended_at IS NULL AND expires_at > clock_timestamp()
    """
)
_END_ALL = _by_kind(
    """
    UPDATE session SET ended_at = clock_timestamp()
    WHERE OWNER = :subject AND ended_at IS NULL AND id IS DISTINCT FROM CAST(:but AS uuid)
    """
)
_PRUNE = text(
    """
    DELETE FROM session WHERE id IN (
        SELECT id FROM session WHERE least(ended_at, expires_at) < now() - CAST(:kept AS interval) LIMIT :most
    )
    """
)
_PRUNE_TOKENS = text(
    """
    DELETE FROM refresh_token WHERE hash IN (
        SELECT hash FROM refresh_token WHERE used_at < now() - CAST(:kept AS interval) LIMIT :most
    )
    """
)
_PERMISSIONS: Final = """ARRAY(
    SELECT unnest(r.permissions) FROM staff_role sr JOIN role r ON r.id = sr.role_id WHERE sr.staff_id = s.staff_id
)"""
_GRANTED = _by_kind(
    f"""
    SELECT CASE WHEN CAST(:demanded AS boolean) AND NO_FACTOR THEN '{{}}' ELSE {_PERMISSIONS} END AS permissions
    FROM session s OWNED
    WHERE s.id = :id AND o.id = :subject AND s.ended_at IS NULL AND s.expires_at > clock_timestamp()
    """  # noqa: S608 - a constant of ours
)
_GRANTED_ALL = _by_kind(
    f"""
    SELECT key.n, CASE WHEN key.demanded AND NO_FACTOR THEN '{{}}' ELSE {_PERMISSIONS} END AS permissions
    FROM unnest(CAST(:subjects AS uuid[]), CAST(:sessions AS uuid[]), CAST(:demanded AS boolean[]))
        WITH ORDINALITY AS key (subject, session, demanded, n)
    JOIN session s ON s.id = key.session OWNED
    WHERE o.id = key.subject AND s.ended_at IS NULL AND s.expires_at > clock_timestamp()
    """  # noqa: S608 - a constant of ours
)
