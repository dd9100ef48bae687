"""Kept answers in Redis, where there is one: what one process has read, the others need not read again.

Nothing is ever deleted there, and nothing depends on what Redis does. An answer carries what it was read from and
how far the event log was told before; whoever takes it over judges by what it knows itself (`keep_of_other`).
So a Redis that was away, was emptied or has kept what is long over makes no answer old.
"""

import asyncio
import logging
import time
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final, cast

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import text

from db.connection import Database
from server.kept import LONGEST_SECONDS, Answer
from server.settings import ROOT
from server.wake import PAUSE_SECONDS

TIMEOUT_SECONDS: Final = 0.1
MOST_UNSENT: Final = 100
_log = logging.getLogger(__name__)

# Another database, or this one after a recovery to an earlier time, numbers its transactions differently.
_IDENTITY = text(
    """
    SELECT system_identifier || '.' || timeline_id || '.' || pg_database.oid
    FROM pg_control_system(), pg_control_checkpoint(), pg_database WHERE datname = current_database()
    """
)


class SharedAnswers:
    """One per process; `begin` before anything else."""

    def __init__(self, url: str, database: Database) -> None:
        self._client = cast(Any, Redis).from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._database = database
        self._unsent: asyncio.Queue[Answer] = asyncio.Queue(MOST_UNSENT)
        self._program = _program()
        self._prefix = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._there = True
        """False after a failure, until it has answered again: no request waits for it meanwhile."""

    async def begin(self) -> None:
        """Names of answers say of which database and which program they are."""
        identity = await self._database.read.value(_IDENTITY)
        self._prefix = f"counterfoil:answer:{identity}:{self._program}:"
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._watch())]

    async def find(self, key: bytes) -> Answer | None:
        """What is there under this key, to be judged; nothing whenever Redis has any trouble."""
        if not self._there or not self._prefix:
            return None
        try:
            found = await self._client.get(self._prefix + key.hex())
        except Exception as error:
            self._failed(error)
            return None
        return None if found is None else _unpacked(key, found)

    def put(self, answer: Answer) -> None:
        """Never waits: what cannot be sent soon is not sent."""
        if self._there and self._prefix:
            with suppress(asyncio.QueueFull):
                self._unsent.put_nowait(answer)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._client.aclose()

    async def _send(self) -> None:
        while True:
            answer = await self._unsent.get()
            seconds = int(answer.until - time.time())
            if seconds < 1 or not self._there:
                continue
            try:
                await self._client.set(self._prefix + answer.key.hex(), _packed(answer), ex=seconds)
            except Exception as error:
                self._failed(error)

    async def _watch(self) -> None:
        """Asks after a Redis that failed, so that no request has to."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            if not self._there:
                with suppress(Exception):
                    await self._client.ping()
                    self._there = True

    def _failed(self, error: Exception) -> None:
        if self._there:
            _log.warning("Redis cannot be asked for answers (%s); going on without", error)
        self._there = False


def _packed(answer: Answer) -> bytes:
    known = {
        "tags": list(answer.tags),
        "horizon": answer.horizon,
        "until": answer.until,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers],
    }
    return orjson.dumps(known) + b"\n" + answer.body


def _unpacked(key: bytes, packed: bytes) -> Answer | None:
    """Nothing if it is none of ours."""
    head, _, body = packed.partition(b"\n")
    try:
        known = orjson.loads(head)
        return Answer(
            key=key,
            body=body,
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in known["headers"]],
            tags=frozenset(known["tags"]),
            horizon=known["horizon"],
            until=min(known["until"], time.time() + LONGEST_SECONDS),
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def _program() -> str:
    """Two versions beside each other, as during a release, answer differently."""
    packages = ("db", "domain", "engine", "plugins", "resolvers", "schema", "server")
    sources = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    return sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
