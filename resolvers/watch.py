"""Who watches something: whether they still may, asked for all streams of a process together.

A stream looks before each item that it tells, at once when it is woken. When nothing happens all of them are looked
at together every few seconds, and each ends by itself when its sign-in expires.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from db.connection import Database
from domain import api_key, order, session
from domain.actor import OrderAccess
from domain.session import SignIn
from resolvers.context import Ctx
from resolvers.request_error import Unauthenticated
from resolvers.session import seconds_left
from resolvers.together import Together

CHECK_EVERY: Final = 5.0
"""Seconds after which streams on which nothing happens are looked at."""
ENDED: Final = "This sign-in has ended; sign in again and resume with the last {resume}."


@dataclass(frozen=True)
class OrderOf:
    """An order, and what somebody who has no permission for all of them proves to see it."""

    order_id: UUID
    customer_id: UUID | None
    access: OrderAccess | None


class Watches:
    """Of one process."""

    def __init__(self, database: Database) -> None:
        read = database.read

        async def granted(keys: list[Any]) -> dict[Any, Any]:
            return await session.granted_all(read, keys)

        async def scopes(keys: list[Any]) -> dict[Any, Any]:
            return {key: await api_key.scopes(read, key) for key in keys}

        async def opened(keys: list[Any]) -> dict[Any, Any]:
            found = await order.still_open(read, [(key.order_id, key.customer_id, key.access) for key in keys])
            return dict(zip(keys, found, strict=True))

        self._granted, self._scopes, self._opened = Together(granted), Together(scopes), Together(opened)
        self._watching: set[Watch] = set()
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watching(self, watch: "Watch") -> AsyncGenerator["Watch"]:
        self._watching.add(watch)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield watch
        finally:
            self._watching.discard(watch)

    async def still(self, watch: "Watch") -> None:
        """Asks anew; ends the stream of whoever may no longer read, by what it raises."""
        of_order = watch.of_order
        if watch.signed_in is not None:
            watch.granted(await self._granted(watch.signed_in))
        elif watch.key is not None:
            watch.granted(await self._scopes(watch.key))
        if of_order is not None and not watch.sees_all:
            watch.opened(await self._opened(of_order))
        seconds_left(watch.ctx, watch.resume)

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        while self._watching:
            await asyncio.sleep(CHECK_EVERY)
            with suppress(Exception):  # the database does not answer: streams say so themselves when there is news
                await self._look_at(list(self._watching))

    async def _look_at(self, watching: list["Watch"]) -> None:
        staff = await self._granted.many([watch.signed_in for watch in watching if watch.signed_in is not None])
        granted = staff | await self._scopes.many([watch.key for watch in watching if watch.key is not None])
        for watch in watching:
            who = watch.signed_in or watch.key
            watch.noticed(lambda watch=watch, who=who: watch.granted(granted.get(who)), who)
        orders = [(watch, of) for watch in watching if (of := watch.of_order) is not None and not watch.sees_all]
        opened = await self._opened.many([of for _, of in orders])
        for watch, of in orders:  # as they were when it was asked: some learn only meanwhile what they are about
            watch.noticed(lambda watch=watch, of=of: watch.opened(opened.get(of)), of)


class Watch:
    """One stream: whose it is, what it is about, and what wakes it."""

    def __init__(  # noqa: PLR0917 - what is proven, and what is said when it is not good any more
        self,
        ctx: Ctx,
        permission: str | None = None,
        order_id: UUID | None = None,
        access: OrderAccess | None = None,
        not_read: str = "",
        resume: str = "cursor",
    ) -> None:
        self.ctx, self._permission, self._not_read, self.resume = ctx, permission, not_read, resume
        self._order_id, self._access = order_id, access
        self._woken = False
        self._waiting: asyncio.Future[None] | None = None
        self._ended: Exception | None = None

    def of(self, permission: str, order_id: UUID, access: OrderAccess | None, not_read: str) -> None:
        """What it is about, for a stream that learns it by reading."""
        self._permission, self._order_id, self._access, self._not_read = permission, order_id, access, not_read

    @property
    def signed_in(self) -> SignIn | None:
        actor = self.ctx.actor
        if actor.id is None or actor.session_id is None:
            return None
        return actor.kind, actor.id, actor.session_id, actor.factor_demanded

    @property
    def key(self) -> UUID | None:
        """Of a program."""
        return None if self.signed_in is not None else self.ctx.actor.api_key_id

    @property
    def sees_all(self) -> bool:
        return self._permission is not None and self.ctx.actor.may(self._permission)

    @property
    def of_order(self) -> OrderOf | None:
        return self._order_id and OrderOf(self._order_id, self.ctx.actor.customer_id, self._access)

    def granted(self, permissions: frozenset[str] | None) -> None:
        """What they may do now."""
        if permissions is None:
            raise Unauthenticated(ENDED.format(resume=self.resume))
        if permissions != self.ctx.actor.permissions:
            self.ctx.actor = replace(self.ctx.actor, permissions=permissions)
        if self._permission is not None and self._order_id is None and not self.sees_all:
            raise Unauthenticated(self._not_read)

    def opened(self, is_open: bool | None) -> None:
        if not is_open:
            raise Unauthenticated(self._not_read)

    def noticed(self, look: Any, key: object) -> None:
        """By the look at all streams: whoever waits is woken, to end."""
        if key is not None:
            try:
                look()
            except Unauthenticated as error:
                self._ended = error
                self.wake()

    def wake(self) -> None:
        self._woken = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self) -> None:
        """Until there may be something to tell. Ends the stream when the sign-in has."""
        if not self._woken:
            seconds = seconds_left(self.ctx, self.resume)
            self._waiting = asyncio.get_running_loop().create_future()
            if seconds < ALWAYS:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._waiting
            else:
                await self._waiting
            self._waiting = None
        self._woken = False
        if self._ended is not None:
            raise self._ended
        seconds_left(self.ctx, self.resume)


ALWAYS: Final = float("inf")
