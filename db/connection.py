"""How statements reach PostgreSQL: a `Read` borrows an autocommit connection, a `Tx` is one transaction.

Statements are SQLAlchemy Core. They are compiled once per shape (SQLAlchemy's own compiled cache) and run by
asyncpg directly: per statement that halves the cost of SQLAlchemy's execution, and rows stay the driver's.
A row has the attributes of the mapped class that was selected, so it is typed as one.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar, cast
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg
import orjson
from sqlalchemy import Executable, Insert, TableValuedAlias, Update, bindparam, column, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect as AsyncpgDialect  # noqa: N812
from sqlalchemy.sql.base import ExecutableStatement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import TypedReturnsRows
from sqlalchemy.util import LRUCache
from uuid_utils.compat import uuid7

from db.base import Base

T = TypeVar("T")
Model = TypeVar("Model", bound=Base)

new_id: Final = uuid7
"""A new primary key: UUIDv7, so rising with time."""

_log = logging.getLogger(__name__)
_dialect: Final = AsyncpgDialect()
_compiled: Final[LRUCache[Any, Any]] = LRUCache(1_000)

POOL_SETTINGS: Final = {
    "application_name": "counterfoil",
    "jit": "off",
    "random_page_cost": "1.1",  # a catalogue lies in memory or on an SSD: else small tables are read whole for a page
    "timezone": "UTC",
    "statement_timeout": "20s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
}


class Row(asyncpg.Record):
    """A row with its columns as attributes; a trailing underscore avoids names that Python classes need."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name.removesuffix("_")]
        except KeyError:
            raise AttributeError(name) from None


def compiled(statement: Executable, parameters: Mapping[str, Any] | None = None) -> tuple[str, list[Any]]:
    """The SQL text and the positional arguments of a statement; `parameters` are those that it leaves open.

    A statement that is built once and run with parameters is compiled once; one that is built anew is looked up
    by its shape, which costs some 50 µs more.
    """
    if not parameters:
        return _by_shape(statement, parameters)
    known = _built_once.get(statement)
    if known is None:
        known = _built_once[statement] = _with_places(statement, parameters)
    sql, places = known
    return sql, [parameters[name] if name is not None else value for name, value in places]


_built_once: Final[WeakKeyDictionary[Any, tuple[str, list[tuple[str | None, Any]]]]] = WeakKeyDictionary()
"""Statements that were run with parameters: their text, and for each place the parameter's name or the fixed value."""


def _with_places(statement: Executable, parameters: Mapping[str, Any]) -> tuple[str, list[tuple[str | None, Any]]]:
    marks = {name: object() for name in parameters}
    sql, values = _by_shape(statement, marks)
    names = {id(mark): name for name, mark in marks.items()}
    return sql, [(names.get(id(value)), value) for value in values]


def _by_shape(statement: Executable, parameters: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    result = cast("Any", statement)._compile_w_cache(_dialect, compiled_cache=_compiled, column_keys=[])
    compiler = cast(SQLCompiler, result[0])
    if compiler.post_compile_params:
        raise TypeError("a list inside IN makes a new statement per length: write `column == any_(array)`")
    values = compiler.construct_params(parameters, extracted_parameters=result[1])
    return str(compiler), [values[name] for name in compiler.positiontup or ()]


class Read(ABC):
    """Runs statements that read and shapes their rows. A `Tx` is one too: it also sees its own writes."""

    @abstractmethod
    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]: ...

    async def close(self) -> None:  # noqa: B027 - not abstract, as most hold nothing
        """Gives back what it holds between two statements."""

    async def all(self, statement: TypedReturnsRows[T], **parameters: Any) -> list[T]:
        """The rows of one mapped class (or of several columns, by their names)."""
        return await self._fetch(*compiled(cast(Executable, statement), parameters))

    async def first(self, statement: TypedReturnsRows[T], **parameters: Any) -> T | None:
        rows = await self.all(statement, **parameters)
        return rows[0] if rows else None

    async def one(self, statement: TypedReturnsRows[T], **parameters: Any) -> T:
        """The only row; anything else is a bug of ours."""
        (row,) = await self.all(statement, **parameters)
        return row

    async def scalar(self, statement: TypedReturnsRows[T], **parameters: Any) -> T | None:
        """The first column of the first row, or None."""
        row = cast("Any", await self.first(statement, **parameters))
        return None if row is None else row[0]

    async def one_scalar(self, statement: TypedReturnsRows[T], **parameters: Any) -> T:
        """The first column of the only row."""
        return cast("Any", await self.one(statement, **parameters))[0]

    async def scalars(self, statement: TypedReturnsRows[T], **parameters: Any) -> list[T]:
        """The first column of every row."""
        return [row[0] for row in cast("list[Any]", await self.all(statement, **parameters))]

    async def records(self, statement: ExecutableStatement, **parameters: Any) -> list[Any]:
        """The rows of a statement over several columns, or of text; each has them as attributes."""
        return await self._fetch(*compiled(cast(Executable, statement), parameters))

    async def value(self, statement: ExecutableStatement) -> Any:
        """The first column of the only row of a statement in text."""
        (row,) = await self.records(statement)
        return row[0]


class PooledRead(Read):
    """Reads outside of any transaction. Safe to share: each statement borrows its own connection."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        async with self._database.pool.acquire() as connection:
            self._database.statements += 1
            return await connection.fetch(sql, *arguments)


class Tx(Read):
    """One transaction. Who holds it never commits: leaving the block that opened it does."""

    def __init__(self, database: "Database", connection: Any) -> None:
        self._database = database
        self._connection = connection
        self.announced: list[Any] = []
        """Events announced so far; the process is woken for them after the commit."""

    @property
    def reactions(self) -> Mapping[str, Sequence[str]]:
        """Names of the workflows that react to an event, by the event's name."""
        return self._database.reactions

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        self._database.statements += 1
        return await self._connection.fetch(sql, *arguments)

    async def run(self, statement: ExecutableStatement, **parameters: Any) -> int:
        """Executes and returns how many rows it changed."""
        sql, arguments = compiled(cast(Executable, statement), parameters)
        self._database.statements += 1
        status: str = await self._connection.execute(sql, *arguments)
        return int(status.rpartition(" ")[2]) if status[-1:].isdigit() else 0

    async def insert(self, model: type[Model], rows: Iterable[Mapping[str, Any]]) -> None:
        """Inserts any number of rows by one statement; all rows must give the same columns."""
        listed = list(rows)
        if not listed:
            return
        await self.run(_insertion(model, tuple(listed[0])), rows=listed)

    async def copy(self, model: type[Base], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Inserts very many rows by COPY, some ten times faster than `insert`."""
        if rows:
            self._database.statements += 1
            await self._connection.copy_records_to_table(model.__tablename__, records=rows, columns=columns)

    async def update(self, model: type[Model], rows: Iterable[Mapping[str, Any]]) -> None:
        """Updates any number of rows by one statement; each gives its `id` and the columns that change."""
        listed = list(rows)
        if not listed:
            return
        await self.run(_change(model, tuple(listed[0])), rows=listed)


@cache
def _insertion(model: type[Base], names: tuple[str, ...]) -> Insert:
    return insert(model).from_select(list(names), select(_recordset(model, names)), include_defaults=False)


@cache
def _change(model: type[Base], names: tuple[str, ...]) -> Update:
    given = _recordset(model, names)
    values = {name: given.c[name] for name in names if name != "id"}
    return update(model).values(values).where(model.__table__.c["id"] == given.c["id"])


def _recordset(model: type[Base], names: tuple[str, ...]) -> TableValuedAlias:
    """Rows as one parameter, `rows`, so that a statement does not depend on their number."""
    columns = (column(name, model.__table__.c[name].type) for name in names)
    given = func.jsonb_to_recordset(bindparam("rows", type_=JSONB)).table_valued(*columns, name="given")
    return given.render_derived(with_types=True)


@dataclass
class Database:
    """The pool of one process, and what every transaction needs to know."""

    pool: Any
    reactions: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    after_commit: Callable[[Sequence[Any]], None] = lambda _events: None
    """Told the events of a transaction once it has committed; must not raise and not block."""
    statements: int = 0
    """How many statements this process has sent; tests hold budgets with it."""

    @property
    def read(self) -> Read:
        return PooledRead(self)

    @asynccontextmanager
    async def tx(self) -> AsyncGenerator[Tx]:
        """A transaction: commits when the block ends, rolls back when it raises."""
        async with self.pool.acquire() as connection, connection.transaction():
            tx = Tx(self, connection)
            yield tx
        if tx.announced:
            self.after_commit(tx.announced)

    async def close(self) -> None:
        """Takes leave of PostgreSQL; where it does not answer to that the connections are cut off."""
        try:
            await self.pool.close()
        except TimeoutError:  # of asyncpg, which has terminated them before it raised
            _log.warning("PostgreSQL did not let go of every connection in time; they were cut off")


async def _rollback_only(connection: Any) -> None:
    """In place of asyncpg's RESET after every use: no statement of ours changes a session's state."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


def to_json(value: object) -> bytes:
    """JSON of plain values and of ids, also of those that come from the driver."""
    return orjson.dumps(value, default=_id_as_text)


def _id_as_text(value: object) -> str:
    if isinstance(value, UUID):  # asyncpg's own class of UUIDs, which orjson does not know
        return str(value)
    raise TypeError(type(value).__name__)


_JSONB: Final = b"\x01"
"""What a value of `jsonb` begins with in its binary form: the number of the form."""


def _encode_jsonb(value: object) -> bytes:
    return _JSONB + to_json(value)


def _decode_jsonb(sent: bytes) -> Any:
    return orjson.loads(memoryview(sent)[1:])


async def _prepare(connection: Any) -> None:
    """JSON in its binary form, as COPY knows no other."""
    for kind, encoder, decoder in (("json", to_json, orjson.loads), ("jsonb", _encode_jsonb, _decode_jsonb)):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=encoder, decoder=decoder, format="binary")


async def connect(
    url: str,
    *,
    reactions: Mapping[str, Sequence[str]] | None = None,
    min_size: int = 1,
    max_size: int = 10,
) -> Database:
    """Opens the pool. `url` is a libpq address such as `postgresql://user@host/database`."""
    pool = await cast(Any, asyncpg).create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        command_timeout=30,
        record_class=Row,
        init=_prepare,
        reset=_rollback_only,
        server_settings=POOL_SETTINGS,
        statement_cache_size=500,
    )
    return Database(pool=pool, reactions=reactions or {})
