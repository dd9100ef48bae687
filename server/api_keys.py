"""Programs: how they are known by their keys, and that the use of a key is noted."""

import asyncio
import ipaddress
import logging
from uuid import UUID

from db.connection import Database, Read
from db.session import ApiKeyKind
from domain import api_key
from domain.actor import Actor
from domain.api_key import Key
from domain.channel import Bound
from resolvers.request_error import RequestError, Unauthenticated

_log = logging.getLogger(__name__)


class KeyRefused(Unauthenticated):
    """Unknown, mistyped, revoked, expired, or in the wrong place: which one is told to nobody."""

    def __init__(self) -> None:
        super().__init__("The API key is not valid.")


class ApiKeys:
    """One per process. That a key was used is written beside the request, which does not wait for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noting: dict[UUID, asyncio.Task[None]] = {}

    async def actor(self, read: Read, key: str) -> Actor:
        """Whom a secret key makes of who sends it."""
        return (await self._found(read, key, {ApiKeyKind.SECRET})).actor()

    async def storefront(self, read: Read, key: str, passed_on: str | None) -> tuple[str | None, Bound | None]:
        """The address that a storefront's server passes on, or the sales channels of a publishable key."""
        found = await self._found(read, key, {ApiKeyKind.PUBLISHABLE, ApiKeyKind.STOREFRONT})
        if found.kind != ApiKeyKind.STOREFRONT or passed_on is None:
            return None, found.bound
        try:
            return str(ipaddress.ip_address(passed_on.strip())), found.bound
        except ValueError:
            raise RequestError("X-Buyer-Address is one IP address, for example 203.0.113.7.") from None

    async def close(self) -> None:
        """Waits for what is being noted."""
        await asyncio.gather(*self._noting.values())

    async def _found(self, read: Read, key: str, kinds: set[ApiKeyKind]) -> Key:
        found = await api_key.find(read, key.strip())
        if found is None or found.kind not in kinds:
            raise KeyRefused
        if found.to_be_noted and found.id not in self._noting:
            self._noting[found.id] = asyncio.create_task(self._note(found.id))
        return found

    async def _note(self, key_id: UUID) -> None:
        try:
            async with self._database.tx() as tx:
                await api_key.note_use(tx, key_id)
        except Exception:
            _log.warning("the use of an API key could not be noted; its next use is", exc_info=True)
        finally:
            del self._noting[key_id]
