"""Wakes streams: follows the event log while anybody listens and tells whom an event is about.

Kept answers follow along (`observe`): they are told, look by look, what changed in the catalogue.

What begins or ends by the clock alone (the windows of publications and of price lists) is told as a change of the
moment in which a look first finds it begun or ended, so nothing needs to know before when that will be.

The log is read from the oldest transaction that may still be running (`follows >= horizon`) and deduplicated by id:
ids and transactions commit out of order, so `id > last` would miss events. Being woken costs a look, not being
woken would cost an update. Streams over many entities are told from what each look found: see resolvers/feed.py.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

from db.connection import Database

POLL_SECONDS: Final = 0.1
LEAST_SECONDS: Final = 0.005
"""Between two looks, however often it is poked: what is committed meanwhile is met together."""
BUSY_SECONDS: Final = 0.02
"""Until the next look at least when much happens that nobody tells this process of."""
AFTER_FAILURE_SECONDS: Final = 0.5
CATALOGUE: Final = "catalogue"
"""The topic of what the triggers of db/changes.py write."""
TAG: Final = "tag:"
"""With this before it, what they name is a topic as well."""
BEFORE: Final = timedelta(minutes=10)
"""An observer that joins is told of what began or ended by the clock so long before: as long as answers are kept, in
any process, and longer.
"""
_log = logging.getLogger(__name__)

_FOLLOW = text(
    """
    WITH now AS MATERIALIZED (
        SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon, pg_snapshot_xmax(pg_current_snapshot()) AS ahead,
               statement_timestamp() AS at
    )
    SELECT CAST(CAST(now.horizon AS text) AS bigint) AS horizon, now.at, e.id, e.topic,
           CAST(CAST(e.xid AS text) AS bigint) AS xid,
           CASE WHEN e.topic = :catalogue THEN e.data -> 'tags' END AS tags,
           CAST(CAST(e.follows AS text) AS bigint) AS follows, e.entity,
           CASE WHEN e.entity IS NOT NULL THEN e.name END AS name,
           CASE WHEN e.entity IS NOT NULL THEN e.data END AS data
    FROM now LEFT JOIN event AS e
      ON e.follows >= CAST(CAST(CAST(:horizon AS bigint) AS text) AS xid8) AND e.id <> ALL(CAST(:seen AS bigint[]))
    UNION ALL
    SELECT CAST(CAST(now.horizon AS text) AS bigint), now.at, NULL, NULL, CAST(CAST(now.ahead AS text) AS bigint),
           CASE WHEN cardinality(turned.tags) > 500 THEN '["catalogue"]'
                ELSE to_jsonb(turned.tags || CAST('products' AS text)) END, NULL, NULL, NULL, NULL
    FROM now CROSS JOIN LATERAL (
        SELECT ARRAY(
            SELECT 'product:' || product_id FROM product_channel
            WHERE published_from > coalesce(:told, now.at - CAST(:before AS interval)) AND published_from <= now.at
            UNION
            SELECT 'product:' || product_id FROM product_channel
            WHERE published_until > coalesce(:told, now.at - CAST(:before AS interval)) AND published_until <= now.at
            UNION
            SELECT listed.tag FROM price_list CROSS JOIN LATERAL (
                SELECT DISTINCT 'product:' || v.product_id AS tag
                FROM price AS p JOIN variant AS v ON v.id = p.variant_id WHERE p.price_list_id = price_list.id
                LIMIT 501
            ) AS listed
            WHERE status = 'active' AND (
                starts_at > coalesce(:told, now.at - CAST(:before AS interval)) AND starts_at <= now.at
                OR ends_at > coalesce(:told, now.at - CAST(:before AS interval)) AND ends_at <= now.at)
            UNION
            SELECT 'collection' FROM collection_channel
            WHERE published_from > coalesce(:told, now.at - CAST(:before AS interval)) AND published_from <= now.at
               OR published_until > coalesce(:told, now.at - CAST(:before AS interval)) AND published_until <= now.at
            LIMIT 501
        ) AS tags
    ) AS turned
    WHERE cardinality(turned.tags) > 0
    """
).bindparams(bindparam("told", type_=TIMESTAMP(timezone=True)), catalogue=CATALOGUE, before=BEFORE)
_HORIZON = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS horizon")


@dataclass(frozen=True)
class Change:
    """Of the catalogue, by the transaction `xid`; `tags` as in db/changes.py.

    What changed by the clock counts as of the first transaction that had not begun when it was seen.
    """

    xid: int
    tags: Sequence[str]


@dataclass(frozen=True)
class Look:
    """One reading of the event log that is over."""

    began: float
    """By the monotonic clock: whatever was committed before has been told now."""
    since: int
    """From this transaction on: an observer that began with this look knows nothing of earlier ones."""
    horizon: int
    """Every transaction below it has ended, and what it committed has been told."""
    changes: Sequence[Change]
    """Those that were not told before."""
    events: Sequence[Any] = ()
    """Likewise, of what happened to something that streams over several entities tell of; see db/event.py."""


class Observer(Protocol):
    def looked(self, look: Look) -> None: ...


class Wakeable(Protocol):
    def wake(self) -> None: ...


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
        self._listeners: defaultdict[str, set[Wakeable]] = defaultdict(set)
        self._soon = asyncio.Event()
        self._starting = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._observers: set[Observer] = set()
        self._joining: set[Observer] = set()
        self._horizon: int = 0
        self._told: datetime | None = None
        """Up to when, by the clock of the database, windows that began or ended were told; null: from some time ago."""
        self._seen: dict[int, int] = {}
        """Events that may be met again, with their transactions."""

    @asynccontextmanager
    async def listen(self, topic: str, listener: Wakeable | None = None) -> AsyncGenerator[Any]:
        """From here on nothing about the topic is missed; read its state after this, not before."""
        listener = listener or Listener()
        self._listeners[topic].add(listener)
        try:
            await self._follow()
            yield listener
        finally:
            self._listeners[topic].discard(listener)
            if not self._listeners[topic]:
                del self._listeners[topic]

    @asynccontextmanager
    async def observe(self, observer: Observer) -> AsyncGenerator[None]:
        """Tells it of every look that begins from here on."""
        async with self.listen(CATALOGUE):
            self._joining.add(observer)
            try:
                yield
            finally:
                self._joining.discard(observer)
                self._observers.discard(observer)

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
                self._seen = {}
                self._following = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._listeners:
            try:
                found = await self._look()
                # Twenty events a look are 200 a second: whoever looks sooner then delays none of them much.
                pause = max(BUSY_SECONDS, POLL_SECONDS / max(1, found)) - LEAST_SECONDS
                await asyncio.sleep(LEAST_SECONDS)
            except Exception:
                # Nothing is lost: the horizon stays where it was and the next look begins there.
                _log.warning("the event log could not be read; trying again", exc_info=True)
                pause = AFTER_FAILURE_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), pause)
            self._soon.clear()

    async def _look(self) -> int:
        """How many events it found."""
        if self._joining:
            self._observers |= self._joining
            self._joining = set()
            self._seen = {}  # they have not been told of these; listeners are woken once too often instead
            self._told = None
        since, began = self._horizon, time.monotonic()
        rows = await self._database.read.records(
            _FOLLOW.bindparams(horizon=since, seen=list(self._seen), told=self._told)
        )
        events = [row for row in rows if row.id is not None]
        tags = {f"{TAG}{tag}" for row in rows for tag in row.tags or ()}
        for topic in {row.topic for row in events} | tags:
            for listener in self._listeners.get(topic, ()):
                listener.wake()
        changes = [Change(row.xid, row.tags) for row in rows if row.tags is not None]
        told = [row for row in events if row.entity is not None]
        for observer in self._observers:
            observer.looked(Look(began, since, rows[0].horizon, changes, told))
        self._horizon, self._told = rows[0].horizon, rows[0].at
        met = self._seen | {row.id: row.follows for row in events}
        self._seen = {id_: follows for id_, follows in met.items() if follows >= self._horizon}
        return len(events)
