"""Which workers are alive, and what happens to the work of those that are not.

A worker is alive while its session holds the PostgreSQL advisory lock named after its executor id: the server
itself releases it when the process dies or its machine is gone. Once a second every worker tries the locks of
the executors that own unfinished work; one whose lock is free two times in a row is dead, and the other gives
its work back to the queue. DBOS then resumes it, and refuses every later write of the old owner.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Final, cast
from uuid import uuid4

import asyncpg

from db.unavailable import TRY_AGAIN

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the other workers."""
RECONNECT_EVERY: Final = 0.2
"""Seconds between two attempts to connect: others take us for dead when they find our lock free twice."""
GIVE_UP_AFTER: Final = 10.0
"""Seconds without our lock after which this executor id must take no more work."""
LOOKS_PER_STRAY: Final = 15
"""How many looks it takes until work of ours that nobody does is found to be so; twice in a row counts."""

_CONNECTION: Final = {
    "application_name": "counterfoil worker lock",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # The server's default would keep the lock of a machine that lost its power for two hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_HOLD: Final = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
# The lock is of the transaction, which is this one statement: nothing is held after it.
_DEAD: Final = """
    WITH owner AS MATERIALIZED (
        SELECT DISTINCT executor_id AS id FROM dbos.workflow_status
        WHERE status = 'PENDING' AND executor_id <> $1
    )
    SELECT id FROM owner WHERE pg_try_advisory_xact_lock(hashtextextended(id, 0))
"""
_STRAY: Final = """
    SELECT workflow_uuid AS id, owner_xid FROM dbos.workflow_status
    WHERE status = 'PENDING' AND executor_id = $1 AND workflow_uuid <> ALL($2::text[])
"""
# What DBOS's own `reenqueue_for_recovery` does, for many at once and without its endless retries in a thread.
_REQUEUE: Final = """
    UPDATE dbos.workflow_status SET
        status = 'ENQUEUED',
        owner_xid = NULL,
        started_at_epoch_ms = NULL,
        updated_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    WHERE status = 'PENDING'
"""
# The locks of the dead are held until the commit, so that no one else does it and none of them lives.
_REQUEUE_DEAD: Final = f"""
    WITH dead AS MATERIALIZED (
        SELECT id FROM unnest($1::text[]) AS id WHERE pg_try_advisory_xact_lock(hashtextextended(id, 0))
    )
    {_REQUEUE} AND executor_id IN (SELECT id FROM dead)
"""  # noqa: S608 - constants only
_REQUEUE_STRAY: Final = f"{_REQUEUE} AND executor_id = $1 AND workflow_uuid = ANY($2)"
_REQUEUE_OWN: Final = f"{_REQUEUE} AND executor_id = $1"
_Claim = tuple[str, str]
"""A workflow's id and the token of who claimed it."""
_log = logging.getLogger(__name__)


def new_executor_id() -> str:
    """Never used before: an id that came back would be taken for the dead one that had it."""
    return f"worker:{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:12]}"


class Presence:
    """Shows that one executor is alive, and watches over the work of all.

    `running` tells the ids of the workflows that this process is working at.
    """

    def __init__(self, url: str, executor_id: str, running: Callable[[], Iterable[str]]) -> None:
        self.executor_id = executor_id
        self.held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the lock was taken for the first time: from then on this executor may own work."""
        self._url = url
        self._running = running
        self._held_at = 0.0

    async def keep(self) -> None:
        """Holds the lock through restarts of PostgreSQL. Returns when it was lost and cannot be had again."""
        told_at = -1.0
        while not self.held.done() or _clock() - self._held_at < GIVE_UP_AFTER:
            try:
                await self._hold()
            except (*TRY_AGAIN, OSError, asyncpg.PostgresError) as error:
                if told_at != self._held_at:
                    _log.warning("%s is without its lock: %s: %s", self.executor_id, type(error).__name__, error)
                told_at = self._held_at
            await asyncio.sleep(RECONNECT_EVERY)

    async def give_back(self) -> None:
        """Gives all that this executor has not finished back to the queue. It must do nothing more."""
        try:
            connection = await self._connect()
            try:
                await connection.execute(_REQUEUE_OWN, self.executor_id)
            finally:
                connection.terminate()
        except (*TRY_AGAIN, OSError, asyncpg.PostgresError) as error:
            _log.warning("%s leaves its work to be taken over: %s", self.executor_id, error)

    async def _connect(self) -> Any:
        untyped = cast("Any", asyncpg)
        return await untyped.connect(self._url, timeout=5, command_timeout=5, server_settings=_CONNECTION)

    async def _hold(self) -> None:
        connection = await self._connect()
        try:
            await connection.execute(_HOLD, self.executor_id)
            self._held_at = _clock()
            if not self.held.done():
                self.held.set_result(None)
            await self._watch(connection)
        finally:
            connection.terminate()

    async def _watch(self, connection: Any) -> None:
        """Looks for the dead and for strays until the connection breaks."""
        suspects: set[str] = set()
        strays: set[_Claim] = set()
        for look in count(1):
            await asyncio.sleep(LOOK_EVERY)
            free = {row["id"] for row in await connection.fetch(_DEAD, self.executor_id)}
            # Once is not enough: a worker that lives is without its lock while it reconnects.
            if dead := sorted(free & suspects):
                _log.warning("taking over the work of %s", ", ".join(dead))
                await connection.execute(_REQUEUE_DEAD, dead)
            suspects = free
            if look % LOOKS_PER_STRAY == 0:
                strays = await self._requeue_strays(connection, strays)
            self._held_at = _clock()

    async def _requeue_strays(self, connection: Any, before: set[_Claim]) -> set[_Claim]:
        """Claimed, but not worked at: the database went away between the two, or we do not know the reaction."""
        rows = await connection.fetch(_STRAY, self.executor_id, list(self._running()))
        found = {(row["id"], row["owner_xid"]) for row in rows}
        # Once is not enough: DBOS starts what it has claimed one after the other.
        if lost := sorted(workflow_id for workflow_id, _ in found & before):
            _log.warning("%s had lost %s", self.executor_id, ", ".join(lost))
            await connection.execute(_REQUEUE_STRAY, self.executor_id, lost)
        return found


def _clock() -> float:
    return asyncio.get_running_loop().time()
