"""Redis, where there is one: tells the other processes at once that something was committed.

It may wake, the event log delivers. So whatever Redis does (down, hung, full, restarted), nothing is lost and
nothing waits for it: sending is a task of its own with short time-outs and a pause after every failure. What
answers at its address need not be Redis, and then anything can be raised.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from db.connection import Database

CHANNEL: Final = "counterfoil:committed"
TIMEOUT_SECONDS: Final = 0.5
PAUSE_SECONDS: Final = 2.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def waking(
    database: Database, redis_url: str | None, heard: Callable[[], None] | None = None
) -> AsyncGenerator[None]:
    """`heard` is called after each commit of this process and, where there is Redis, of every other one."""
    wake = RedisWake(redis_url, heard) if redis_url else None

    def committed(_events: object) -> None:
        if heard is not None:
            heard()
        if wake is not None:
            wake.announce()

    database.after_commit = committed
    if wake is not None:
        wake.start()
    try:
        yield
    finally:
        if wake is not None:
            await wake.close()


class RedisWake:
    """`announce` after each commit; `heard` is called whenever any process announced."""

    def __init__(self, url: str, heard: Callable[[], None] | None) -> None:
        self._client = cast(Any, Redis).from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._heard = heard
        self._committed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._send()))
        if self._heard is not None:
            self._tasks.append(asyncio.create_task(self._receive(self._heard)))

    def announce(self) -> None:
        """Never blocks and never fails; commits that come close together are announced once."""
        self._committed.set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._client.aclose()

    async def _send(self) -> None:
        while True:
            await self._committed.wait()
            self._committed.clear()
            try:
                await self._client.publish(CHANNEL, b"")
            except Exception as error:
                _log.warning("Redis could not be told of a commit (%s); live updates may be slower", error)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _receive(self, heard: Callable[[], None]) -> None:
        while True:
            try:
                async with self._client.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    while True:
                        if await channel.get_message(ignore_subscribe_messages=True, timeout=PAUSE_SECONDS):
                            heard()
            except Exception as error:
                _log.warning("Redis cannot be listened to (%s); trying again", error)
                await asyncio.sleep(PAUSE_SECONDS)
