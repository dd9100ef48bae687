"""A small archive of works and people, and `tells`: the exact answer of both executors, and which way ours took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union

import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLUnionType
from strawberry.schema.config import StrawberryConfig

from engine.batch import Batch
from engine.documents import Documents
from engine.executor import BreadthFirstExecutor
from resolvers.context import PUBLIC
from schema.build import arg, asks, derived, loads, optional, query, value_of
from tests.engine.odd import Context, OddSchema, Rows, told


async def _found(context: Context, keys: list[Any]) -> list[Any]:
    context.asked_for.append(keys)
    return [context.rows.get(key) for key in keys]


FOUND = Batch("found", _found)


def _raised(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def _now(name: str) -> Any:
    """A field that is there at once, or raises at once."""
    return derived(lambda row: _raised(value_of(row, name)), "At once.")


def _later(name: str) -> Any:
    """A field that has to be waited for."""

    async def wait(_ctx: Any, row: Any) -> Any:
        return _raised(value_of(row, name))

    return asks(wait, "After a while.")


@strawberry.interface
class Entry:
    title: str | None


@strawberry.interface
class Work(Entry):
    title: str | None
    after: "Work | None" = loads(FOUND, "after", "What it was made after.")
    parts: list["Work"] | None


@strawberry.type
class Book(Work, Entry):
    pages: int | None


@strawberry.type
class Film(Work, Entry):
    minutes: int | None


Medium = Annotated[Union["Book", "Film"], strawberry.union("Medium")]


@strawberry.type
class Person(Entry):
    likes: list[Entry | None] | None
    shelf: list[Medium] | None
    favourite: Medium | None
    pupil: "Person | None" = loads(FOUND, "pupil", "By key.")


@strawberry.type
class Probe:
    """The same kinds of fields at once and later, where null may be and where it may not."""

    now: str | None = _now("word")
    now_sure: str = _now("word")
    later: str | None = _later("word")
    later_sure: str = _later("word")
    nest: "Probe | None" = _now("self")
    nest_sure: "Probe" = _now("self")
    later_nest: "Probe | None" = _later("self")
    later_nest_sure: "Probe" = _later("self")
    batched: "Probe | None" = loads(FOUND, "key", "By key.")
    fails: "Probe" = _now("failure")
    numbers: list[int | None] | None
    numbers_sure: list[int | None] = _now("numbers")
    sure_numbers: list[int] | None = _now("numbers")
    sure_numbers_sure: list[int] = _now("numbers")
    later_numbers: list[int | None] | None = _later("numbers")
    later_sure_numbers_sure: list[int] = _later("numbers")


@strawberry.input
class Box:
    wide: int
    tags: list[str | None] | None = strawberry.UNSET
    note: str | None = strawberry.UNSET


@strawberry.input
class Crate:
    box: Box
    label: str


@strawberry.input(one_of=True)
class Key:
    number: int | None = strawberry.UNSET
    name: str | None = strawberry.UNSET


def _plain(value: Any) -> Any:
    """Inputs as mappings. What was not given is null to the resolvers of this house."""
    if isinstance(value, Box | Crate | Key):
        return {name: _plain(one) for name, one in vars(value).items()}
    return value


async def _told(_ctx: Any, **given: Any) -> str:
    return " ".join(f"{name}={_plain(value)!r}" for name, value in sorted(given.items()))


async def _row(ctx: Context, id: str) -> Any:  # noqa: A002
    return _raised(await ctx.load(FOUND, id))


async def _rows(ctx: Context, ids: list[str]) -> Any:
    return [await ctx.load(FOUND, one) for one in ids]


async def _meeting(ctx: Context, who: str) -> str:
    """Ends when both of those who are expected have come."""
    barrier = ctx.rows["barrier"]
    await barrier.wait()
    return who


@strawberry.type
class Query:
    person: Person | None = query(_row, PUBLIC, "One.", id=arg(str, "Which."))
    work: Work | None = query(_row, PUBLIC, "One.", id=arg(str, "Which."))
    works: list[Work] | None = query(_rows, PUBLIC, "Several.", ids=arg(list[str], "Which."))
    probe: Probe | None = query(_row, PUBLIC, "One.", id=arg(str, "Which.", "probe"))
    probe_sure: Probe = query(_row, PUBLIC, "One.", id=arg(str, "Which.", "probe"))
    meeting: str | None = query(_meeting, PUBLIC, "Waits for the others.", who=arg(str, "Who."))
    word: str | None = query(_told, PUBLIC, "Says it.", it=optional(str, "A word."))
    word_sure: str | None = query(_told, PUBLIC, "Says it.", it=arg(str, "A word."))
    word_preset: str | None = query(_told, PUBLIC, "Says it.", it=arg(str, "A word.", "preset"))
    words: str | None = query(_told, PUBLIC, "Says them.", it=optional(list[str | None], "Words."))
    sure_words: str | None = query(_told, PUBLIC, "Says them.", it=optional(list[str], "Words."))
    sure_words_sure: str | None = query(_told, PUBLIC, "Says them.", it=arg(list[str], "Words."))
    box: str | None = query(_told, PUBLIC, "Says it.", it=optional(Box, "A box."))
    crate: str | None = query(_told, PUBLIC, "Says it.", it=optional(Crate, "A crate."))
    key: str | None = query(_told, PUBLIC, "Says it.", it=arg(Key, "Exactly one."))
    pair: str | None = query(_told, PUBLIC, "Says both.", a=optional(int, "One."), b=optional(bool, "Another."))

    @strawberry.field
    def place(self, info: strawberry.Info, shout: bool = False) -> str:
        """Has a resolver of its own, which looks at the execution."""
        written = f"{'.'.join(map(str, info.path.as_list()))} of {info.operation.name and info.operation.name.value}"
        return written.upper() if shout else written


@strawberry.type
class Count:
    number: int
    probe: Probe | None


@strawberry.type
class Mutation:
    @strawberry.mutation
    def set_now(self, info: strawberry.Info, to: int) -> Count | None:
        return _set(info.context, to)

    @strawberry.mutation
    async def set_later(self, info: strawberry.Info, to: int) -> Count | None:
        return _set(info.context, to)


def _set(context: Context, to: int) -> Any:
    context.effects.append(to)
    if to < 0:
        raise RuntimeError(f"{to} is too little")
    return {"number": len(context.effects), "probe": context.rows.get("probe")}


def _schema(executor: type[BreadthFirstExecutor] | None) -> OddSchema:
    schema = OddSchema(
        query=Query,
        mutation=Mutation,
        types=[Book, Film, Person],
        execution_context_class=executor,
        config=StrawberryConfig(default_resolver=value_of),
    )
    schema.documents, schema.breadth_first = Documents(), executor is not None
    for type_ in schema._schema.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            type_.is_type_of = None
        elif isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            type_.resolve_type = lambda row, _info, _type: value_of(row, "kind")
    return schema


OURS, REFERENCE = _schema(BreadthFirstExecutor), _schema(None)


@dataclass(frozen=True)
class Wrong:
    """An error of an answer: where, and what it says."""

    path: str | None
    message: str


async def tells(
    document: str,
    data: Any,
    *errors: Wrong,
    planned: bool,
    rows: Rows | None = None,
    variables: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Context:
    """Both answer exactly this, keys in this order; `planned`: ours did not leave it to graphql-core.

    What is wrong with a document or its variables is found before there is anything to plan: that is no hand-over.
    """
    contexts: list[Context] = []
    heard: list[Sequence[Any]] = []
    for schema in (OURS, REFERENCE):
        context = Context(rows or {})
        values = dict(variables) if variables is not None else None
        answer = told(await schema.execute(document, values, context, operation_name=name), context)
        found = [Wrong(_dotted(error.get("path")), error["message"]) for error in answer.errors]
        assert sorted(found, key=repr) == sorted(errors, key=repr)
        assert repr(answer.data) == repr(data)
        heard.append(answer.errors)
        contexts.append(context)
    assert heard[0] == heard[1], "places in the document and causes are the same too"
    assert contexts[0].effects == contexts[1].effects
    assert (not contexts[0].handovers) is planned, contexts[0].handovers
    return contexts[0]


def _dotted(path: Sequence[Any] | None) -> str | None:
    return None if path is None else ".".join(map(str, path))
