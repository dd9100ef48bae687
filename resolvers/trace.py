"""What one operation did, told to developers who ask: what ran by plan and what did not, statements, batches, times.

Who does not ask pays nothing: a traced operation has a shop, a pool and a cache of its own that count.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from db.connection import Database
from domain.processes.shop import Shop
from engine.batch import Batch, Loaded
from engine.plan import HandOver, Selection
from resolvers.request_error import RequestError

_log = logging.getLogger(__name__)


@dataclass
class Stopwatch:
    """The time in which at least one of the things that are measured was under way."""

    seconds: float = 0.0
    _under_way: int = 0
    _since: float = 0.0

    def __enter__(self) -> None:
        if not self._under_way:
            self._since = perf_counter()
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1
        if not self._under_way:
            self.seconds += perf_counter() - self._since


@dataclass
class Calls:
    """What was asked of one batch."""

    calls: int = 0
    keys: int = 0
    took: Stopwatch = field(default_factory=Stopwatch)


@dataclass
class Done:
    """What was done since the operation, or the item of a stream, began. `began` is null between two items."""

    began: float | None = None
    executing_since: float | None = None
    prepared: float | None = None
    """Seconds until it could be executed."""
    planned: list[str] = field(default_factory=list[str])
    handed_over: list[str] = field(default_factory=list[str])
    statements: int = 0
    sql: Stopwatch = field(default_factory=Stopwatch)
    waiting: Stopwatch = field(default_factory=Stopwatch)
    batches: dict[Batch, Calls] = field(default_factory=dict[Batch, Calls])

    def milliseconds(self) -> dict[str, float]:
        now = perf_counter()
        total = 0.0 if self.began is None else now - self.began
        return {
            "total": _ms(total),
            "prepare": _ms(total if self.prepared is None else self.prepared),
            "execute": _ms(0.0 if self.executing_since is None else now - self.executing_since),
            "sql": _ms(self.sql.seconds),
            "waitingForConnection": _ms(self.waiting.seconds),
        }


class Trace:
    """Of one operation."""

    def __init__(self) -> None:
        self._done = Done(began=perf_counter())

    def of(self, shop: Shop) -> Shop:
        """The shop with a database whose statements are counted here too."""
        database = shop.database
        return replace(shop, database=replace(database, pool=_TracedPool(database, self), statements=0))

    def executing(self) -> None:
        """What came before was parsing, validating, and finding out who asks."""
        now, done = perf_counter(), self._done
        if done.began is None:
            done.began = now
        if done.prepared is None:
            done.prepared = now - done.began
        done.executing_since = now

    def planned(self, selection: Selection) -> None:
        self._done.planned.append(selection.type_name)

    def handed_over(self, error: Exception, request_id: str) -> None:
        """Of errors only the kind is told: their messages may hold SQL or somebody's data. The log has the rest.

        It would not have it otherwise: when graphql-core gets along, the error is in no answer and in no log.
        """
        if isinstance(error, HandOver):
            self._done.handed_over.append(str(error))
            return
        self._done.handed_over.append(f"{type(error).__name__} was raised")
        if not isinstance(error, RequestError):
            _log.warning("request %s was left to graphql-core", request_id, exc_info=error)

    def statement(self) -> Stopwatch:
        """To be run while a statement is under way."""
        self._done.statements += 1
        return self._done.sql

    @property
    def sql(self) -> Stopwatch:
        """Runs also while a transaction begins and ends."""
        return self._done.sql

    @property
    def waiting(self) -> Stopwatch:
        """Runs while the pool has no connection for us."""
        return self._done.waiting

    def called(self, batch: Batch, keys: Sequence[Any]) -> Stopwatch:
        """To be run while the batch loads."""
        calls = self._done.batches.setdefault(batch, Calls())
        calls.calls += 1
        calls.keys += len(keys)
        return calls.took

    def told(self) -> dict[str, Any]:
        """As `extensions.execution`. What is done from now on is of the next item."""
        done, self._done = self._done, Done()
        return {
            "planned": done.planned,
            "handedOver": [{"reason": reason} for reason in done.handed_over],
            "statements": done.statements,
            "milliseconds": done.milliseconds(),
            "batches": [
                {"name": batch.name, "calls": of.calls, "keys": of.keys, "milliseconds": _ms(of.took.seconds)}
                for batch, of in done.batches.items()
            ],
        }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


class TracedLoaded(Loaded):
    """The cache of a traced operation tells of its calls."""

    def __init__(self, context: Any, trace: Trace) -> None:
        super().__init__(context)
        self._trace = trace

    async def _call(self, batch: Batch, keys: list[Any]) -> Sequence[Any]:
        with self._trace.called(batch, keys):
            return await super()._call(batch, keys)


class _TracedPool:
    """The pool of the process, whose connections tell of their statements while they are lent to us."""

    def __init__(self, process: Database, trace: Trace) -> None:
        self._process, self._trace = process, trace

    def acquire(self) -> "_Measured":
        def traced(connection: Any) -> _TracedConnection:
            return _TracedConnection(connection, self._process, self._trace)

        return _Measured(self._process.pool.acquire(), lambda: self._trace.waiting, traced)


class _TracedConnection:
    """Its statements count for the process too."""

    def __init__(self, connection: Any, process: Database, trace: Trace) -> None:
        self._connection, self._process, self._trace = connection, process, trace

    def __getattr__(self, name: str) -> Any:
        """What is not measured."""
        return getattr(self._connection, name)

    async def fetch(self, *given: Any, **options: Any) -> Any:
        return await self._measured(self._connection.fetch(*given, **options))

    async def execute(self, *given: Any, **options: Any) -> Any:
        return await self._measured(self._connection.execute(*given, **options))

    async def copy_records_to_table(self, *given: Any, **options: Any) -> Any:
        return await self._measured(self._connection.copy_records_to_table(*given, **options))

    async def _measured(self, statement: Awaitable[Any]) -> Any:
        self._process.statements += 1
        with self._trace.statement():
            return await statement

    def transaction(self) -> "_Measured":
        return _Measured(self._connection.transaction(), lambda: self._trace.sql)


@dataclass(frozen=True)
class _Measured:
    """One of asyncpg's blocks, whose beginning and end are measured."""

    block: Any
    stopwatch: Callable[[], Stopwatch]
    shown: Callable[[Any], Any] = lambda entered: entered

    async def __aenter__(self) -> Any:
        with self.stopwatch():
            return self.shown(await self.block.__aenter__())

    async def __aexit__(self, *error: Any) -> Any:
        with self.stopwatch():
            return await self.block.__aexit__(*error)
