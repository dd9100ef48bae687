"""Events of the log for streams over many entities: read once in a process, told to all who watch, in order.

The relay says what each look at the log found. What lies below the horizon is told: no event below it can still come.
It is put into the ring of every topic that somebody watches, and each stream takes it from there at its own pace. A
ring holds the last few; a stream that has fallen behind more reads from the database where it is, as one that resumes
does, and so holds up nobody and costs no memory.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, Protocol

from db.connection import Database
from domain import event_log
from domain.event_log import Cursor, Told

RING: Final = 256
"""Events of a topic that are held for those who have not taken them yet."""
AFTER_FAILURE_SECONDS: Final = 0.5
TICKETS: Final = "tickets"
"""The topic of everything that happens to any ticket."""
CUSTOMER: Final = "customer:"
_log = logging.getLogger(__name__)
Between = Callable[[Cursor, int], Any]
"""Reads the next events from a cursor up to a horizon."""


class Look(Protocol):
    @property
    def since(self) -> int: ...
    @property
    def horizon(self) -> int: ...
    @property
    def events(self) -> Sequence[Any]: ...


class Log(Protocol):
    """What follows the event log: the relay."""

    def observe(self, observer: Any) -> AbstractAsyncContextManager[None]: ...


class Topic:
    """The last events, numbered from the first one on that it was watched."""

    def __init__(self) -> None:
        self.watching: set[Reader] = set()
        self.events: deque[Told] = deque(maxlen=RING)
        self.end = 0

    def tell(self, event: Told) -> None:
        self.events.append(event)
        self.end += 1

    def since(self, number: int) -> list[Told] | None:
        """Null: some of them are gone."""
        missing = self.end - number
        if missing > len(self.events):
            return None
        return [self.events[n] for n in range(len(self.events) - missing, len(self.events))]


class Reader:
    """One stream's place in a topic."""

    def __init__(self, feed: "Feed", topic: Topic, wake: Callable[[], None]) -> None:
        self._feed, self._topic, self.wake = feed, topic, wake
        self._begin()

    def _begin(self) -> None:
        self.number, self.until = self._topic.end, self._feed.horizon

    async def next(self, cursor: Cursor, between: Between) -> list[Told]:
        """What comes after the cursor; nothing: wait to be woken."""
        while True:
            if (behind := self.until) is not None:
                events = await between(cursor, behind)
                if len(events) < event_log.AT_ONCE:
                    self.until = None
                if events and (found := await event_log.told(self._feed.read, events)):
                    return found
                if events:
                    cursor = cursor.behind(events[-1])
                continue
            found = self._topic.since(self.number)
            if found is None:
                self._begin()
                continue
            self.number = self._topic.end
            return found


class Following:
    """One time of following the log: what was met and is not told yet, and what each look made tellable."""

    def __init__(self) -> None:
        self._pending: dict[int, Any] = {}
        self.looks: asyncio.Queue[tuple[list[Any], int]] = asyncio.Queue()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None

    def looked(self, look: Look) -> None:
        """Below the horizon everything has been met; what is not may still get something before it."""
        self._pending |= {event.id: event for event in look.events}
        told = [event for event in self._pending.values() if event.follows < look.horizon]
        for event in told:
            del self._pending[event.id]
        self.looks.put_nowait((sorted(told, key=lambda e: (e.follows, e.id)), look.horizon))


class Feed:
    """One per process. It follows the log while anybody watches."""

    def __init__(self, log: Log, database: Database) -> None:
        self._log, self.read = log, database.read
        self._topics: dict[str, Topic] = {}
        self.horizon = 0
        """Everything of transactions below it was told."""
        self._following: Following | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def watching(self, name: str, wake: Callable[[], None]) -> AsyncGenerator[Reader]:
        """From here on nothing is missed; a state is to be read after this."""
        topic = self._topics.setdefault(name, Topic())
        holder: Any = object()
        topic.watching.add(holder)  # so that it is there still when the feed is ready
        try:
            await self._follow()
            reader = Reader(self, topic, wake)
            topic.watching.add(reader)
            topic.watching.discard(holder)
            holder = reader
            yield reader
        finally:
            topic.watching.discard(holder)
            if not topic.watching:
                self._topics.pop(name, None)
            if not self._topics:
                self._end()

    async def close(self) -> None:
        self._end()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _follow(self) -> None:
        following = self._following
        if following is None or following.task is None or following.task.done():
            following = self._following = Following()
            following.task = asyncio.create_task(self._run(following))
        await asyncio.shield(following.ready)

    def _end(self) -> None:
        following, self._following = self._following, None
        if following is not None and following.task is not None:
            following.task.cancel()
            self._ending.add(following.task)
            following.task.add_done_callback(self._ending.discard)

    async def _run(self, following: Following) -> None:
        async with AsyncExitStack() as observing:
            try:
                await observing.enter_async_context(self._log.observe(following))
            except Exception as error:
                following.ready.set_exception(error)
                following.ready.exception()  # somebody may have gone away meanwhile
                return
            while True:
                events, horizon = await following.looks.get()
                if following.ready.done():
                    self._publish(await self._completed(events))
                self.horizon = horizon
                if not following.ready.done():
                    following.ready.set_result(None)

    async def _completed(self, events: list[Any]) -> Sequence[Told]:
        """For all who watch now, also those who began to while it was read."""
        while True:
            names = set(self._topics)
            wanted = [event for event in events if self._is_watched(event)]
            found = await self._read(wanted) if wanted else ()
            if names >= self._topics.keys():
                return found

    async def _read(self, events: Sequence[Any]) -> Sequence[Told]:
        while True:
            try:
                return await event_log.told(self.read, events)
            except Exception:
                # Nothing is lost and nothing overtakes: streams wait meanwhile.
                _log.warning("live events could not be read; trying again", exc_info=True)
                await asyncio.sleep(AFTER_FAILURE_SECONDS)

    def _is_watched(self, event: Any) -> bool:
        if event.entity in self._topics:
            return True
        of_ticket = event.name == "TicketChanged"
        return of_ticket and any(name == TICKETS or name.startswith(CUSTOMER) for name in self._topics)

    def _publish(self, events: Sequence[Told]) -> None:
        woken: set[Any] = set()
        for event in events:
            for topic in self._about(event):
                topic.tell(event)
                woken |= topic.watching
        for reader in woken:
            if isinstance(reader, Reader):
                reader.wake()

    def _about(self, event: Told) -> Iterable[Topic]:
        names = [event.entity]
        if event.name == "TicketChanged":
            names += [TICKETS, f"{CUSTOMER}{event.customer_id}"]
        return [topic for name in names if (topic := self._topics.get(name)) is not None]
