"""Which document a request means: the text in it, the hash of a text seen before, or the id of a trusted document.

What this process has run is known to it alone: a client whose hash another process does not know sends the text
again, as automatic persisted queries do. What all processes are to know is a trusted document, in the database.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, cast

from db.connection import Read
from domain.document import can_be_id, hash_in, text_of
from engine.documents import Documents, hash_of
from engine.recent import Recent
from resolvers.request_error import RequestError

RECHECK_SECONDS: Final = 5.0
"""For so long a process may go on with a trusted document that was removed."""
MOST: Final = 5_000
MOST_CHARACTERS: Final = 5_000_000
NAMES: Final = ("documentId", "doc_id")
"""Where the id stands: as GraphQL over HTTP says, and as Relay's examples do."""


class PersistedQueryNotFound(RequestError):
    """Clients send the hash again with the text: Apollo's knows it by the code, urql by the message."""

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class DocumentNotFound(RequestError):
    code = "DOCUMENT_NOT_FOUND"


class DocumentNotTrusted(RequestError):
    code = "DOCUMENT_NOT_TRUSTED"

    def __init__(self) -> None:
        super().__init__("This shop runs trusted documents only, and this is none: counterfoil documents register")


@dataclass(frozen=True)
class Held:
    text: str
    found_at: float


class TrustedDocuments:
    """Those that were found are held in memory and looked up again after a while; unknown names are not held."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._held: Recent[Held] = Recent(MOST, MOST_CHARACTERS)

    async def text(self, name: str) -> str | None:
        """By id, else by the SHA-256 of the text."""
        held = self._held.get(name)
        now = monotonic()
        if held is not None and now - held.found_at < RECHECK_SECONDS:
            return held.text
        text = await text_of(self._read, name)
        if text is None:
            self._held.drop(name)
        else:
            self._held.put(name, Held(text, now), len(text))
        return text


class RequestedDocuments:
    """`known` are those that this process has run; `trusted_only` leaves them, and every other text, out."""

    def __init__(self, read: Read, known: Documents, *, trusted_only: bool) -> None:
        self._trusted = TrustedDocuments(read)
        self._known = known
        self._trusted_only = trusted_only

    async def text(
        self,
        query: str | None,
        extensions: Mapping[str, object] | None,
        parameters: Callable[[], Awaitable[Mapping[str, object]]],
    ) -> str | None:
        """The text to run; null if the request names none. A text that is sent counts, whatever else is."""
        name = persisted_query(extensions)
        if query:
            await self._check(query, name)
            return query
        if name is not None:
            return await self._automatic(name)
        id_ = document_id(await parameters())
        return query if id_ is None else await self._by_id(id_)

    async def _check(self, query: str, name: str | None) -> None:
        if name is not None and hash_in(name) != hash_of(query):
            raise RequestError("extensions.persistedQuery.sha256Hash is not the SHA-256 of the query beside it.")
        if self._trusted_only and await self._trusted.text(f"sha256:{hash_of(query)}") is None:
            raise DocumentNotTrusted

    async def _automatic(self, name: str) -> str:
        text_hash = hash_in(name)
        known = None if self._trusted_only or text_hash is None else self._known.text_of(text_hash)
        text = known or await self._trusted.text(name)
        if text is not None:
            return text
        if self._trusted_only:
            raise DocumentNotTrusted
        if text_hash is None:  # the text would not help: it cannot have this hash
            raise RequestError(
                "extensions.persistedQuery.sha256Hash is neither a SHA-256 nor the id of a trusted document."
            )
        raise PersistedQueryNotFound

    async def _by_id(self, id_: str) -> str:
        text = await self._trusted.text(id_)
        if text is not None:
            return text
        raise DocumentNotTrusted if self._trusted_only else DocumentNotFound("There is no trusted document of this id.")


def persisted_query(extensions: Mapping[str, object] | None) -> str | None:
    """The hash, or the id, of an automatic persisted query."""
    asked = (extensions or {}).get("persistedQuery")
    if asked is None:
        return None
    if not isinstance(asked, dict):
        raise RequestError("extensions.persistedQuery must be an object.")
    known = cast("dict[str, Any]", asked)
    if known.get("version") != 1 or isinstance(known["version"], bool):
        raise RequestError("extensions.persistedQuery.version must be 1.")
    return _identifier(known.get("sha256Hash"), "extensions.persistedQuery.sha256Hash")


def document_id(parameters: Mapping[str, object]) -> str | None:
    for name in NAMES:
        if parameters.get(name) is not None:
            return _identifier(parameters[name], name)
    return None


def _identifier(value: object, name: str) -> str:
    if not isinstance(value, str) or not can_be_id(value):
        raise RequestError(f"{name} must be the id of a document: 1 to 200 letters, digits and -._~: only.")
    return value
