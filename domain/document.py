"""Trusted documents: what the shop's own clients ask, registered before they ask it."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final

from sqlalchemy import select, text

from db import TrustedDocument
from db.connection import Read, Tx
from db.document import IDENTIFIER, LARGEST
from domain.refusal import Gathering, NotFound, ValidationFailed

_IDENTIFIER: Final = re.compile(IDENTIFIER.strip("^$"))
_HASH: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def hash_in(name: str) -> str | None:
    """The SHA-256 that a name is, with or without the prefix of GraphQL over HTTP."""
    found = _HASH.fullmatch(name)
    return found[1] if found else None


def can_be_id(name: str) -> bool:
    return _IDENTIFIER.fullmatch(name) is not None


@dataclass(frozen=True)
class RegisterDocument:
    """`operations` are for people, such as `query Browse`. Whether the text is valid GraphQL is not known here."""

    id: str
    text: str
    operations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not can_be_id(self.id):
            raise ValidationFailed("An id has 1 to 200 letters, digits and -._~: only.", path=("id",))
        if not self.text or len(self.text.encode()) > LARGEST:
            raise ValidationFailed(f"A document has 1 to {LARGEST:,} bytes.", path=("text",))
        if "\0" in self.text:
            raise ValidationFailed("A document has no NUL in it.", path=("text",))
        if self.id.startswith("sha256:") and self.id != f"sha256:{self.sha256}":
            raise ValidationFailed("The id is not the SHA-256 of the text.", path=("id",))

    @property
    def sha256(self) -> str:
        return sha256(self.text.encode()).hexdigest()


async def register(tx: Tx, commands: Sequence[RegisterDocument]) -> int:
    """How many were new; those that are there already stay as they are. An id with other text is refused."""
    rows = [{**asdict(command), "sha256": command.sha256} for command in commands]
    new = await tx.run(_REGISTER.bindparams(rows=rows))
    gathering = Gathering()
    for taken in await tx.records(_TAKEN.bindparams(rows=rows)):
        with gathering.at(taken.id):
            raise ValidationFailed("There is another document with this id.")
    gathering.raise_if_any()
    return new


async def remove(tx: Tx, ids: Sequence[str]) -> None:
    """Removes all of them, or none if one is not there."""
    removed = {row.id for row in await tx.records(_REMOVE.bindparams(ids=list(ids)))}
    gathering = Gathering()
    for id_ in dict.fromkeys(ids):
        with gathering.at(id_):
            if id_ not in removed:
                raise NotFound("There is no trusted document with this id.")
    gathering.raise_if_any()


async def registered(read: Read) -> list[TrustedDocument]:
    """All of them, the latest first."""
    return await read.all(select(TrustedDocument).order_by(TrustedDocument.registered_at.desc(), TrustedDocument.id))


async def text_of(read: Read, name: str) -> str | None:
    """The text of the trusted document with this id, or else with this SHA-256."""
    rows = await read.records(_FIND, name=name, sha256=hash_in(name))
    return rows[0].text if rows else None


# In the order of ids, so that two who register the same at once wait for each other and never in a circle.
_REGISTER = text(
    """
    INSERT INTO trusted_document (id, text, sha256, operations)
    SELECT id, text, sha256, operations
    FROM jsonb_to_recordset(:rows) AS given (id text, text text, sha256 text, operations text[])
    ORDER BY id ON CONFLICT (id) DO NOTHING
    """
)
_TAKEN = text(
    """
    SELECT DISTINCT id FROM trusted_document AS there
    JOIN jsonb_to_recordset(:rows) AS given (id text, sha256 text) USING (id)
    WHERE there.sha256 <> given.sha256 ORDER BY id
    """
)
_REMOVE = text(
    """
    DELETE FROM trusted_document
    WHERE id IN (SELECT id FROM trusted_document WHERE id = ANY(:ids) ORDER BY id FOR UPDATE)
    RETURNING id
    """
)
_FIND = text(
    """
    SELECT text FROM trusted_document WHERE id = :name OR sha256 = :sha256
    ORDER BY id = :name DESC LIMIT 1
    """
)
