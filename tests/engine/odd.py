"""A small schema made for trouble, and both executors over it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NewType, Union

import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLUnionType
from strawberry.extensions import FieldExtension, SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

from engine.batch import Batch, Loaded
from engine.documents import Documents, KnownDocuments
from engine.executor import BreadthFirstExecutor
from engine.known import run_known
from engine.limits import Limits
from engine.plan import Selection
from engine.source import SOURCE, Computed
from resolvers.context import PUBLIC
from schema.build import arg, asks, derived, loads, optional, query, value_of

Rows = dict[str, Any]


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def _even(value: Any) -> Any:
    """Null for what is odd."""
    return value if value % 2 == 0 else None


Even = NewType("Even", int)
SCALARS: dict[object, Any] = {Even: strawberry.scalar(name="Even", serialize=_even, parse_value=int)}


@strawberry.input
class Size:
    width: int
    height: int = 2


def _computed(row: Any) -> Any:
    value = value_of(row, "computed")
    if value == "raise":
        raise RuntimeError("computed in vain")
    return value


async def _rows(context: "Context", keys: list[Any]) -> list[Any]:
    context.asked_for.append(keys)
    if context.held.intersection(keys):
        await asyncio.Event().wait()
    if "broken" in keys:
        raise RuntimeError("the batch is broken")
    return [context.rows.get(key) for key in keys]


async def _lists(context: "Context", keys: list[Any]) -> list[Any]:
    found = [[context.rows.get(one) for one in key] for key in keys]
    context.asked_for.append(keys)
    return found


async def _shouts(_context: "Context", keys: list[Any]) -> list[Any]:
    return [f"{word}{'!' * loud}" for word, loud in keys]


ROW, LIST, SHOUT = Batch("row", _rows), Batch("list", _lists), Batch("shout", _shouts)


def _keys(rows: Sequence[Any], loud: int) -> list[Hashable]:
    if loud < 0:
        raise ValueError("quieter than nothing")
    return [(value_of(row, "name"), loud) for row in rows]


async def _echo(_ctx: Any, row: Any, **given: Any) -> Any:
    if given.get("text") == "raise":
        raise RuntimeError(f"asked in vain by {value_of(row, 'name')}")
    return repr(sorted(given.items()))


async def _of_row(_ctx: Any, row: Any) -> Any:
    return value_of(row, "asked")


UNLIMITED = Limits(**dict.fromkeys(Limits.__dataclass_fields__, 10**9))
"""Generated documents are longer than anybody's."""


class Loudly(FieldExtension):
    def resolve(self, next_: Any, source: Any, info: Any, **given: Any) -> Any:
        return f"{next_(source, info, **given)}!"


def _secret(root: strawberry.Parent[Any]) -> str:
    return str(value_of(root, "name"))


def _no_source(root: strawberry.Parent[Any]) -> str:
    return f"of {value_of(root, 'name')}"


@strawberry.interface
class Named:
    name: str | None
    friend: "Named | None" = loads(ROW, "friend", "By an interface.")


@strawberry.type
class Thing(Named):
    sure: str
    count: int | None
    size: float | None
    flag: bool | None
    key: strawberry.ID | None
    colour: Colour | None
    even: Even | None
    items: list[str | None] | None
    items_sure: list[str | None]
    sure_items: list[str] | None
    sure_items_sure: list[str]
    grid: list[list[int]]
    loose_grid: list[list[int | None] | None] | None
    own: "Thing | None"
    own_sure: "Thing"
    owned: list["Thing | None"] | None
    owned_sure: list["Thing"]
    owned_grid: list[list["Thing"]] | None
    pet: Union["Thing", "Other", None]
    pets: list[Union["Thing", "Other"]] | None
    computed: str | None = derived(_computed, "May raise.")
    computed_sure: str = derived(_computed, "May raise where nothing may be null.")
    child: "Thing | None" = loads(ROW, "child", "A batch.")
    child_sure: "Thing" = loads(ROW, "child", "A batch.")
    called: str | None = loads(ROW, "child", "With a step after it.", then=lambda row: value_of(row, "name"))
    children: list["Thing | None"] | None = loads(LIST, "children", "A batch of lists.")
    children_sure: list["Thing"] = loads(LIST, "children", "A batch of lists.")
    shout: str | None = loads(SHOUT, _keys, "A key with arguments.", loud=arg(int, "How.", 1))
    asked: str | None = asks(_of_row, "One by one.")
    asked_sure: str = asks(_of_row, "One by one.")
    asked_thing: "Thing | None" = asks(_of_row, "One by one.")
    echo: str | None = asks(
        _echo,
        "Says what it was given.",
        text=arg(str | None, "A text.", "default"),
        numbers=optional(list[int], "Numbers."),
        size=optional(Size, "A size."),
        colour=optional(Colour, "A colour."),
    )
    secret: str = strawberry.field(
        resolver=_secret, extensions=[Loudly()], metadata={SOURCE: Computed(lambda row: "told")}
    )
    no_source: str = strawberry.field(resolver=_no_source)


@strawberry.type
class Other(Named):
    weight: int | None
    child: "Thing | None" = loads(ROW, "child", "The same batch as of a thing.")


async def _one(ctx: "Context", id: str) -> Any:  # noqa: A002
    return await ctx.load(ROW, id)


async def _many(ctx: "Context", ids: list[str]) -> Any:
    return [await ctx.load(ROW, one) for one in ids]


async def _raising(_ctx: Any) -> Any:
    raise RuntimeError("no root")


_ID = {"id": arg(str, "Which.")}
_IDS = {"ids": arg(list[str], "Which.")}


@strawberry.type
class Query:
    thing: Thing | None = query(_one, PUBLIC, "One.", **_ID)
    thing_sure: Thing = query(_one, PUBLIC, "One.", **_ID)
    things: list[Thing | None] | None = query(_many, PUBLIC, "Several.", **_IDS)
    things_sure: list[Thing] = query(_many, PUBLIC, "Several.", **_IDS)
    named: Named | None = query(_one, PUBLIC, "By an interface.", **_ID)
    several_named: list[Named | None] = query(_many, PUBLIC, "By an interface.", **_IDS)
    raising: str | None = query(_raising, PUBLIC, "Never.")
    raising_sure: str = query(_raising, PUBLIC, "Never.")


@strawberry.type
class Payload:
    done: int
    thing: Thing | None
    sure: Thing


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add(self, info: strawberry.Info, amount: int, id: str = "a") -> Payload | None:  # noqa: A002
        context: Context = info.context
        context.loaded.clear()
        context.effects.append(amount)
        if amount < 0:
            raise RuntimeError(f"cannot add {amount}")
        row = context.rows.get(id)
        return {"done": sum(one for one in context.effects if isinstance(one, int)), "thing": row, "sure": row}  # pyright: ignore

    @strawberry.mutation
    def add_sure(self, info: strawberry.Info, amount: int, id: str = "a") -> Payload:  # noqa: A002
        info.context.effects.append(amount)
        return {"done": amount, "thing": None, "sure": info.context.rows.get(id)}  # pyright: ignore

    @strawberry.mutation
    def add_named(self, info: strawberry.Info, id: str) -> Named | None:  # noqa: A002
        info.context.effects.append(id)
        return info.context.rows.get(id)

    @strawberry.mutation
    def add_many(self, info: strawberry.Info, ids: list[str]) -> list[Thing]:
        info.context.effects.append(ids)
        return [info.context.rows.get(one) for one in ids]


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: strawberry.Info, ids: list[str]) -> AsyncGenerator[Thing | None]:
        for one in ids:
            if one == "end":
                raise RuntimeError("the stream broke")
            info.context.loaded.clear()
            info.context.effects.append(one)
            yield info.context.rows.get(one)


@dataclass
class Context:
    rows: Rows
    document: Any = None
    refused: Exception | None = None
    handovers: list[str] = field(default_factory=list[str])
    plans: list[Selection] = field(default_factory=list[Selection])
    effects: list[Any] = field(default_factory=list[Any])
    asked_for: list[list[Any]] = field(default_factory=list[list[Any]])
    held: frozenset[str] = frozenset()
    """Keys of rows that never come."""
    loaded: Loaded = field(init=False)

    def __post_init__(self) -> None:
        self.loaded = Loaded(self)

    async def load(self, batch: Batch, key: Hashable) -> Any:
        return await self.loaded.load(batch, key)

    def require(self, needs: str) -> None:
        assert needs == PUBLIC

    def planned(self, selection: Selection) -> None:
        self.plans.append(selection)

    def handed_over(self, error: Exception) -> None:
        self.handovers.append(str(error))


class OddSchema(strawberry.Schema):
    documents: Documents
    breadth_first: bool
    more_extensions: tuple[SchemaExtension, ...] = ()

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:
        return [KnownDocuments(self.documents, UNLIMITED), *self.more_extensions]

    async def execute(
        self, query: Any, variable_values: Any = None, context_value: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """As the shop's: what was planned is run by its plan."""
        if self.breadth_first and not self.more_extensions:
            known, name = self.documents.find(query or ""), kwargs.get("operation_name")
            data = await run_known(self._schema, known, name, variable_values, context=context_value)
            if data is not None:
                return ExecutionResult(data, None)
        return await super().execute(query, variable_values, context_value, *args, **kwargs)

    def process_errors(self, errors: list[Any], execution_context: Any = None) -> None:
        """Compared, not logged."""


def odd_schema(breadth_first: bool = True, *, own_type_checks: bool = False, most: int = 1_000) -> OddSchema:
    schema = OddSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Other],
        execution_context_class=BreadthFirstExecutor if breadth_first else None,
        config=StrawberryConfig(default_resolver=value_of, scalar_map=SCALARS),
    )
    schema.documents, schema.breadth_first = Documents(most), breadth_first
    for type_ in schema._schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not own_type_checks:
            type_.is_type_of = None
        elif isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            type_.resolve_type = lambda row, _info, _type: value_of(row, "__typename")
    return schema


OURS, REFERENCE = odd_schema(), odd_schema(breadth_first=False)


@dataclass
class Told:
    """What both executors answered; `handovers` are those of ours."""

    data: Any
    errors: list[dict[str, Any]]
    context: Context

    @property
    def planned(self) -> bool:
        return not self.context.handovers


def told(result: Any, context: Context) -> Told:
    errors = [error.formatted | {"cause": repr(error.original_error)} for error in result.errors or ()]
    return Told(result.data, sorted(errors, key=lambda error: repr((error.get("path"), error["message"]))), context)


async def both(document: str, rows: Rows | Callable[[], Rows] | None = None, *, ours: Any = OURS, **more: Any) -> Told:
    """Runs it twice and holds the answers side by side. Rows that can be read once only are made by a function."""
    answers: list[Told] = []
    for schema in (ours, REFERENCE):
        context = Context(rows() if callable(rows) else rows or {})
        answers.append(told(await schema.execute(document, context_value=context, **more), context))
    first, second = answers
    if (
        not first.context.effects and ours.breadth_first and not ours.more_extensions
    ):  # the second time without graphql-core, as far as it goes
        context = Context(rows() if callable(rows) else rows or {})
        again = told(await ours.execute(document, context_value=context, **more), context)
        assert (repr(again.data), again.errors) == (repr(first.data), first.errors), document
    assert repr(first.data) == repr(second.data), document
    assert first.errors == second.errors, document
    assert first.context.effects == second.context.effects
    return first
