"""What every live stream does: where it resumes, who may read it, and items that are made once for all who get them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID

from db.connection import Database, Read
from domain import event_log
from domain.actor import OrderAccess
from domain.event_log import Cursor, Told
from resolvers.audience import SharedItem
from resolvers.context import Ctx
from resolvers.feed import Between, Feed, Reader
from resolvers.request_error import BadUserInput
from resolvers.together import Together
from resolvers.watch import Watch, Watches

MARK: Final = "log:"
"""So that nothing else that was sealed passes for a cursor."""
NOT_A_CURSOR: Final = "This is no cursor of a live stream."


class Live:
    """Of one process: its relay, its feed, and those who watch."""

    def __init__(self, log: Any, database: Database, watched: Database) -> None:
        self._log, self._read = log, database.read
        self.feed = Feed(log, watched)
        self.watches = Watches(database)
        self._asked: dict[str, Together] = {}

    def listen(self, topic: str, listener: Any) -> AbstractAsyncContextManager[Any]:
        return self._log.listen(topic, listener)

    def asked(self, what: str, load: Callable[[Read, list[Any]], Awaitable[Any]]) -> Together:
        known = self._asked.get(what)
        if known is None:
            known = self._asked[what] = Together(partial(load, self._read))
        return known

    async def close(self) -> None:
        await self.feed.close()
        await self.watches.close()


@dataclass
class Followed:
    """A stream over several entities, begun: where it is, and who reads it."""

    ctx: Ctx
    watch: Watch
    reader: Reader
    between: Between
    cursor: Cursor | None = None
    told: list[Told] = field(default_factory=list[Told])

    async def events(self) -> AsyncGenerator[Told]:
        """Each later event once and in order; asks before each whether it may still be told."""
        assert self.cursor is not None
        while True:
            found = await self.reader.next(self.cursor, self.between)
            for event in found:
                if self.cursor.is_before(event):
                    self.cursor = self.cursor.behind(event)
                    await self.ctx.live.watches.still(self.watch)
                    self.ctx.loaded.clear()
                    yield event
            if not found:
                await self.watch.wait()
            del found  # a stream that waits does not hold what it has told

    async def goes_on(self, after: str) -> bool:
        """Resumes behind what a client has seen; false: that is not possible."""
        self.cursor = opened(self.ctx, after)
        return await event_log.goes_on(self.ctx.read, self.cursor)

    def begun(self, row: Any) -> str:
        """Behind a state that was read with the columns of domain/event_log.py."""
        self.cursor = Cursor.of_state(row)
        return sealed(self.ctx, self.cursor)

    def item(self, event: Told, kind: Any, make: Callable[[str], dict[str, Any]]) -> SharedItem:
        """`make(cursor)`, once for all who are at the same place; `kind` is what else it depends on."""
        assert self.cursor is not None
        key = (kind, self.cursor)
        found = event.items.get(key)
        if found is None:
            found = event.items[key] = SharedItem(make(sealed(self.ctx, self.cursor)))
        return found


@asynccontextmanager
async def followed(ctx: Ctx, topic: str, between: Between, watch: Watch) -> AsyncGenerator[Followed]:
    async with ctx.live.watches.watching(watch), ctx.live.feed.watching(topic, watch.wake) as reader:
        yield Followed(ctx, watch, reader, between)


def watched(
    ctx: Ctx, permission: str | None, not_read: str, order_id: UUID | None = None, access: OrderAccess | None = None
) -> Watch:
    return Watch(ctx, permission, order_id, access, not_read)


def sealed(ctx: Ctx, cursor: Cursor) -> str:
    return ctx.tokens.seal(f"{MARK}{cursor}")


def opened(ctx: Ctx, written: str) -> Cursor:
    plain = ctx.tokens.unseal(written)
    if plain is None or not plain.startswith(MARK):
        raise BadUserInput(NOT_A_CURSOR, "after")
    return Cursor.read(plain.removeprefix(MARK))


def resync() -> dict[str, Any]:
    return {"__typename": "ResyncRequired", "seq": 0}
