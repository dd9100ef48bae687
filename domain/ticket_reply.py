"""What staff say often, kept to be said again."""

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import Uuid, bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from db import CannedReply
from db.connection import Tx, new_id
from domain import audit, ticket_message
from domain.actor import Actor
from domain.refusal import Gathering, NotFound, ValidationFailed

_CODE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_BY_ID: Final = select(CannedReply).where(CannedReply.id == bindparam("id", type_=Uuid)).with_for_update()


@dataclass(frozen=True)
class ReplyDraft:
    """What is null stays as it is."""

    code: str | None
    title: str | None
    body: str | None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("code"):
            if self.code is not None and not _CODE.fullmatch(self.code):
                raise ValidationFailed("A code has small letters, digits, _ and -, at most 50.")
        with gathering.at("title"):
            if self.title is not None and not (1 <= len(self.title.strip()) <= 100 and self.title.isprintable()):
                raise ValidationFailed("A title has 1 to 100 characters on one line.")
        with gathering.at("body"):
            if self.body is not None:
                ticket_message.check_text(self.body)
        gathering.raise_if_any()

    @property
    def columns(self) -> dict[str, Any]:
        given = {"code": self.code, "title": self.title, "body": self.body}
        return {name: value.strip() for name, value in given.items() if value is not None}


async def create(tx: Tx, draft: ReplyDraft, actor: Actor) -> UUID:
    key = new_id()
    made = insert(CannedReply).values(id=key, **draft.columns).on_conflict_do_nothing(index_elements=["code"])
    if not await tx.run(made):
        raise _taken(draft)
    await audit.record(tx, actor, "cannedReplyCreate", f"canned_reply:{key}", audit.changed({}, draft.columns))
    return key


def _taken(draft: ReplyDraft) -> ValidationFailed:
    return ValidationFailed(f"There is a reply {draft.code!r}.", path=("code",))


async def change(tx: Tx, key: UUID, draft: ReplyDraft, actor: Actor) -> None:
    row = await _lock(tx, key)
    before = {"code": row.code, "title": row.title, "body": row.body}
    after = {**before, **draft.columns}
    try:
        await tx.run(_CHANGE, id=key, **after)
    except UniqueViolationError:
        raise _taken(draft) from None
    await audit.record(tx, actor, "cannedReplyUpdate", f"canned_reply:{key}", audit.changed(before, after))


async def remove(tx: Tx, key: UUID, actor: Actor) -> None:
    row = await _lock(tx, key)
    await tx.run(delete(CannedReply).where(CannedReply.id == key))
    gone = {"code": row.code, "title": row.title, "body": row.body}
    await audit.record(tx, actor, "cannedReplyDelete", f"canned_reply:{key}", audit.changed(gone, {}))


async def _lock(tx: Tx, key: UUID) -> CannedReply:
    row = await tx.first(_BY_ID, id=key)
    if row is None:
        raise NotFound(path=("reply_id",))
    return row


_CHANGE: Final = text(
    "UPDATE canned_reply SET code = :code, title = :title, body = :body, updated_at = clock_timestamp() WHERE id = :id"
)
