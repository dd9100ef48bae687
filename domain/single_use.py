"""Tokens that are good once and for one purpose: what is sent by e-mail to prove that the mail arrived.

The token that travels is signed and holds nothing but the id of a row here; it is stored nowhere, in no answer and in
no log. Using it locks the row, so of two uses at once one is refused.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx, new_id
from db.session import Purpose
from domain.event import Event, announce
from domain.refusal import ErrorCode, Refusal

LASTS: Final = {
    Purpose.CONFIRM_EMAIL: timedelta(days=3),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
    Purpose.CONFIRM_OLD_EMAIL: timedelta(days=1),
    Purpose.CONFIRM_NEW_EMAIL: timedelta(days=1),
    Purpose.STAFF_INVITATION: timedelta(days=7),
    Purpose.STAFF_RESET_PASSWORD: timedelta(hours=1),
    Purpose.ORDER_ACCESS: timedelta(days=30),
}
KEPT: Final = timedelta(days=30)
"""After their end, for people who ask what became of one."""
AT_ONCE: Final = 1_000


@dataclass(eq=False)
class TokenInvalid(Refusal):
    """Not one of ours, for another purpose, used already, replaced, or too old: which one is told to nobody."""

    message: str = "This link is not valid any more; ask for a new one."
    code = ErrorCode.TOKEN_INVALID


@dataclass(frozen=True)
class TokenIssued(Event):
    """A single-use token is to be mailed. Not sent for tokens that are handed over in another way."""

    about = "token_id"
    token_id: UUID


@dataclass(frozen=True)
class Used:
    """`subject_id` is what the token is about: a customer, a member of staff, an e-mail change, an order."""

    subject_id: UUID
    data: dict[str, Any]


async def issue(tx: Tx, purpose: Purpose, subject_id: UUID, **data: Any) -> UUID:
    """The id of a new token, which a reaction mails after the commit; earlier ones for the same are good no more."""
    token_id = await hand_out(tx, purpose, subject_id, **data)
    await announce(tx, TokenIssued(token_id))
    return token_id


async def hand_out(tx: Tx, purpose: Purpose, subject_id: UUID, **data: Any) -> UUID:
    """The same, for a token that nobody mails."""
    await withdraw(tx, purpose, subject_id)
    return await add(tx, purpose, subject_id, **data)


async def add(tx: Tx, purpose: Purpose, subject_id: UUID, **data: Any) -> UUID:
    """The same beside earlier ones, which stay good."""
    token_id = new_id()
    await tx.run(_ISSUE, id=token_id, purpose=purpose, subject=subject_id, data=data, lasts=LASTS[purpose])
    return token_id


async def withdraw(tx: Tx, purpose: Purpose, subject_id: UUID) -> None:
    """Those that were issued are good no more."""
    await tx.run(_REPLACE, purpose=purpose, subject=subject_id)


async def use(tx: Tx, token_id: UUID | None, purpose: Purpose) -> Used:
    """Uses it up. `token_id` is what the signature proved, null if it proved nothing."""
    found = await tx.records(_USE, id=token_id, purpose=purpose) if token_id else []
    if not found:
        raise TokenInvalid(path=("token",))
    return Used(found[0].subject_id, found[0].data)


async def prune(tx: Tx) -> int:
    """Takes away some of what nobody can use any more; how much that was."""
    return await tx.run(_PRUNE, kept=KEPT, most=AT_ONCE)


_REPLACE = text(
    """
    UPDATE single_use_token SET used_at = clock_timestamp()
    WHERE purpose = :purpose AND subject_id = :subject AND used_at IS NULL
    """
)
_ISSUE = text(
    """
    INSERT INTO single_use_token (id, purpose, subject_id, data, expires_at)
    VALUES (:id, :purpose, :subject, CAST(:data AS jsonb), now() + CAST(:lasts AS interval))
    """
)
_USE = text(
    """
    UPDATE single_use_token SET used_at = clock_timestamp()
    WHERE id = :id AND purpose = :purpose AND used_at IS NULL AND expires_at > clock_timestamp()
    RETURNING subject_id, data
    """
)
_PRUNE = text(
    """
    DELETE FROM single_use_token WHERE id IN (
        SELECT id FROM single_use_token WHERE expires_at < now() - CAST(:kept AS interval) LIMIT :most
    )
    """
)
