"""Pages of lists: Relay connections by keyset, so that a page deep down costs what the first one does."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, bindparam, func, literal_column, select, tuple_
from sqlalchemy.types import TypeEngine

from db.connection import to_json
from resolvers.context import Ctx
from resolvers.request_error import BadUserInput

T = TypeVar("T")
LARGEST_PAGE: Final = 100
DEFAULT_PAGE: Final = 20
COUNT_CAP: Final = 10_000


@dataclass(frozen=True)
class Sort:
    """An order of rows, ascending (or descending) by columns of which the last is unique."""

    name: str
    columns: tuple[Any, ...]
    descending: bool = False

    def ordered(self, columns: Any, args: "PageArgs") -> list[ColumnElement[Any]]:
        """The same order over a subquery's columns."""
        return self.directed([columns[column.key] for column in self.columns], args)

    def directed(self, columns: Sequence[Any], args: "PageArgs") -> list[ColumnElement[Any]]:
        return [column.desc() if args.backward != self.descending else column for column in columns]

    def cursor(self, row: Any) -> str:
        """Where a row stands in this order."""
        key = to_json([self.name, *(row[column.key] for column in self.columns)])
        return base64.urlsafe_b64encode(key).decode().rstrip("=")

    def position(self, cursor: str, argument: str) -> list[Any]:
        """The key values of a cursor; one of another order, or none of ours, is refused."""
        try:
            name, *values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if name != self.name or len(values) != len(self.columns):
                raise ValueError(name)
            return [_typed(v, column.type) for v, column in zip(values, self.columns, strict=True)]
        except (binascii.Error, ValueError, TypeError, OverflowError):
            raise BadUserInput("This cursor does not belong to this list in this order.", argument) from None


def _typed(value: Any, of: TypeEngine[Any]) -> Any:
    type_ = of.python_type
    if type_ in {UUID, datetime} and not isinstance(value, str):
        raise TypeError(value)
    if type_ is UUID:
        return UUID(value)
    if type_ is datetime:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:  # the driver cannot tell when that is
            raise ValueError(value)
        return time.astimezone(UTC)
    if type(value) is not type_:
        raise TypeError(value)
    if isinstance(value, str) and "\0" in value:
        raise ValueError(value)
    if isinstance(value, int) and abs(value) >= (2**63 if isinstance(of, BigInteger) else 2**31):
        raise ValueError(value)
    return value


@dataclass(frozen=True)
class PageArgs:
    """`first` after a cursor, or `last` before one."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        for name, size in (("first", self.first), ("last", self.last)):
            if size is not None and not 0 <= size <= LARGEST_PAGE:
                raise BadUserInput(f"A page has 0 to {LARGEST_PAGE} items.", name)
        if self.first is not None and self.last is not None:
            raise BadUserInput("Ask for the first or for the last items, not for both.", "last")

    @property
    def backward(self) -> bool:
        return self.last is not None

    @property
    def size(self) -> int:
        return self.last if self.last is not None else DEFAULT_PAGE if self.first is None else self.first


@dataclass(frozen=True)
class Page:
    """Rows of a list in its order, with what is needed to go on."""

    nodes: Sequence[Any]
    cursors: Callable[[Any], str]
    has_next_page: bool
    has_previous_page: bool
    count: Callable[[], Awaitable[int]]


def paged(statement: Select[Any], sort: Sort, args: PageArgs, most: int | None = None) -> Select[Any]:
    """The page and one row more, which tells whether there is another page; to be run with its `parameters`.

    The statement depends on the `shape` of the arguments only; or on `most`, so many rows, as well.
    """
    key = tuple_(*sort.columns)
    for side, wanted in (("after", args.after), ("before", args.before)):
        if wanted is not None:
            edge = tuple_(*_open(sort, side))
            statement = statement.where(key > edge if (side == "after") != sort.descending else key < edge)
    return statement.order_by(*sort.directed(sort.columns, args)).limit(
        bindparam("rows", type_=Integer) if most is None else literal_column(str(most), Integer)
    )


def _open(sort: Sort, side: str) -> list[Any]:
    return [bindparam(f"{side}_{i}", type_=column.type) for i, column in enumerate(sort.columns)]


def shape(args: PageArgs) -> tuple[bool, bool, bool]:
    return args.backward, args.after is not None, args.before is not None


def parameters(sort: Sort, args: PageArgs) -> dict[str, Any]:
    """What `paged` leaves open."""
    given: dict[str, Any] = {"rows": args.size + 1}
    for side, cursor in (("after", args.after), ("before", args.before)):
        if cursor is not None:
            given |= {f"{side}_{i}": value for i, value in enumerate(sort.position(cursor, side))}
    return given


def page_of(rows: Sequence[Any], sort: Sort, args: PageArgs, count: Callable[[], Awaitable[int]]) -> Page:
    """Cuts the extra row off and puts a backward page into the list's order."""
    nodes, more = list(rows[: args.size]), len(rows) > args.size
    if args.backward:
        nodes.reverse()
    return Page(
        nodes=nodes,
        cursors=sort.cursor,
        has_next_page=args.before is not None if args.backward else more,
        has_previous_page=more if args.backward else args.after is not None,
        count=count,
    )


LIMITS: Final = (11, 26, 51, LARGEST_PAGE + 1)


class Listed:
    """A whole list in its order. Its statements are built once, for each shape of arguments.

    One that is `planned_once` reads up to the next of `LIMITS`: of a limit that is a parameter PostgreSQL makes a new
    plan each time, as it knows no other way to learn how few rows are wanted. That took longer than the page itself.
    """

    def __init__(self, statement: Select[Any], sort: Sort, *, planned_once: bool = False) -> None:
        self._statement, self._sort, self._planned_once = statement, sort, planned_once
        self._pages: dict[Any, Select[Any]] = {}
        capped = statement.with_only_columns(sort.columns[-1]).limit(COUNT_CAP + 1).subquery()
        self._count = select(func.count().label("count")).select_from(capped)

    async def page(self, ctx: Ctx, args: PageArgs, **given: Any) -> Page:
        """A page; it is counted only when someone asks, and never beyond the cap. `given` is what is left open."""
        most = next(limit for limit in LIMITS if limit > args.size) if self._planned_once else None
        key = shape(args), most
        statement = self._pages.get(key)
        if statement is None:
            statement = self._pages[key] = paged(self._statement, self._sort, args, most)
        given["locales"] = ctx.locales
        rows = await ctx.read.records(statement, **parameters(self._sort, args), **given)

        async def count() -> int:
            (row,) = await ctx.read.records(self._count, **given)
            return row["count"]

        return page_of(rows, self._sort, args, once(count))


def once(ask: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """Asks when it is first called; later calls wait for the same answer."""
    asked: list[asyncio.Future[T]] = []

    async def answer() -> T:
        if not asked:
            asked.append(asyncio.ensure_future(ask()))
        return await asked[0]

    return answer
