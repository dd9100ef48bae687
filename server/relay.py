"""Wakes streams: follows the event log while anybody listens and tells whom an event is about.

The log is read from the oldest transaction that may still be running (`xid >= horizon`) and deduplicated by id:
ids and transactions commit out of order, so `id > last` would miss events. Being woken costs a look, not being
woken would cost an update; what a stream sends it reads itself, by `seq`.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy import text

from db.connection import Database

POLL_SECONDS: Final = 0.1
AFTER_FAILURE_SECONDS: Final = 0.5
_log = logging.getLogger(__name__)

_FOLLOW = text(
    """
    SELECT CAST(CAST(now.horizon AS text) AS bigint) AS horizon, e.id, e.topic,
           CAST(CAST(e.xid AS text) AS bigint) AS xid
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon) AS now
    LEFT JOIN event AS e ON e.xid >= CAST(CAST(CAST(:horizon AS bigint) AS text) AS xid8)
    """
)
_HORIZON = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS horizon")


class Listener:
    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        """Until woken, but no longer than so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()


class Relay:
    """One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)
        self._soon = asyncio.Event()
        self._starting = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._horizon: int = 0
        self._seen: set[int] = set()

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncGenerator[Listener]:
        """From here on nothing about the topic is missed; read its state after this, not before."""
        listener = Listener()
        self._listeners[topic].add(listener)
        try:
            await self._follow()
            yield listener
        finally:
            self._listeners[topic].discard(listener)
            if not self._listeners[topic]:
                del self._listeners[topic]

    def poke(self) -> None:
        """Something was committed: look now and not at the next poll."""
        self._soon.set()

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following

    async def _follow(self) -> None:
        """Starts following from now on, unless that is already being done."""
        async with self._starting:
            if self._following is None or self._following.done():
                self._horizon = await self._database.read.value(_HORIZON)
                self._seen = set()
                self._following = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._listeners:
            try:
                await self._look()
                pause = POLL_SECONDS
            except Exception:
                # Nothing is lost: the horizon stays where it was and the next look begins there.
                _log.warning("the event log could not be read; trying again", exc_info=True)
                pause = AFTER_FAILURE_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), pause)
            self._soon.clear()

    async def _look(self) -> None:
        rows = await self._database.read.records(_FOLLOW.bindparams(horizon=self._horizon))
        events = [row for row in rows if row.id is not None]
        for row in events:
            if row.id not in self._seen:
                for listener in self._listeners.get(row.topic, ()):
                    listener.wake()
        self._horizon = rows[0].horizon
        self._seen = {row.id for row in events if row.xid >= self._horizon}
