"""How the schema is written down: the few words that its other files are made of.

A type is a *view* of a row (`view`), its fields are read off the row (`column`), computed from it (`derived`),
loaded by a batch (`loads`) or asked for with arguments (`asks`). A root field is a `query`, `mutation` or
`subscription` with the permission it `needs`. Refusals become `userErrors` here and nowhere else.
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Final, TypeVar, cast

import strawberry
from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from domain.permission import PERMISSIONS
from domain.refusal import Key, Refusal, refusals_of
from engine.batch import Batch
from engine.leaves import column_reader
from engine.source import SOURCE, Asked, Computed, Related
from resolvers.context import WITHOUT_PERMISSION, Ctx
from resolvers.request_error import BadUserInput
from schema.plain import PARTIAL, plain, plain_all

T = TypeVar("T")
Needs = str
COLUMN: Final = "column"
NEEDS: Final = "needs"
MODEL: Final = "__model__"


@dataclass(frozen=True)
class Arg:
    """An argument of a field: its GraphQL type, what it means, and its default (UNSET: it may be left out)."""

    type: Any
    description: str
    default: Any


def arg(type_: Any, description: str, default: Any = inspect.Parameter.empty) -> Any:
    """An argument that must be given, unless it has a default."""
    return Arg(type_, description, default)


def optional(type_: Any, description: str) -> Any:
    """An argument that may be left out; the resolver gets None then."""
    return Arg(type_ | None, description, UNSET)


def described(cls: type) -> str:
    """A type's description is its docstring."""
    text = inspect.getdoc(cls)
    if not text:
        raise TypeError(f"{cls.__name__} needs a docstring: it is its description in the schema")
    return text


def view(model: type | None = None) -> Callable[[type[T]], type[T]]:
    """A GraphQL type over rows of `model`; its columns are checked against it when the schema is built."""

    def decorate(cls: type[T]) -> type[T]:
        setattr(cls, MODEL, model)
        return strawberry.type(cls, description=described(cls))

    return decorate


def interface(cls: type[T]) -> type[T]:
    return strawberry.interface(cls, description=described(cls))


def enum(cls: type[Enum], description: str, **meanings: str) -> None:
    """Makes an enum of the domain one of the schema; every value must be given a meaning, by its name."""
    strawberry.enum(cls, description=description)
    values = cast(Any, cls).__strawberry_definition__.values
    if unclear := {value.name for value in values} ^ meanings.keys():
        raise TypeError(f"{cls.__name__}: say what each value means, and no others: {sorted(unclear)}")
    for value in values:
        value.description = meanings[value.name]


def input_type(cls: type[T]) -> type[T]:
    """Plain data: what is wrong with it is said by the command that the resolver builds of it."""
    return strawberry.input(cls, description=described(cls))


def partial_input(cls: type[T]) -> type[T]:
    """Of a change: what is left out stays, null empties. Resolvers find what was given, nulls too, in `given`."""
    made = input_type(cls)
    setattr(made, PARTIAL, None)
    return made


def one_of_input(cls: type[T]) -> type[T]:
    """Exactly one of its fields must be given."""
    return strawberry.input(cls, description=described(cls), one_of=True)


def given(description: str, default: Any = UNSET, **more: Any) -> Any:
    """A field of an input. With a default it may be left out."""
    return strawberry.field(description=description, default=default, **more)


def required(description: str) -> Any:
    """A field of an input that must be given."""
    return strawberry.field(description=description)


def column(description: str) -> Any:
    """Read off the row: the attribute of the same name."""
    return strawberry.field(description=description, metadata={COLUMN: True})


def derived(compute: Callable[[Any], Any], description: str) -> Any:
    """Computed from the row alone."""

    def resolve(root: strawberry.Parent[Any]) -> Any:
        return compute(root)

    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: Computed(compute)})


def loads(
    batch: Batch,
    by: str | Callable[..., list[Any]],
    description: str,
    then: Callable[[Any], Any] | None = None,
    **arguments: Arg,
) -> Any:
    """A relation: `by` names the key on the row, or makes the keys of rows and arguments. A null key is null.

    `then` makes the field's value of what came.
    """

    def prepare(values: dict[str, Any]) -> dict[str, Any]:
        return _arguments(arguments, values)

    column = column_reader(by, value_of) if isinstance(by, str) else None

    def keys_of(rows: Sequence[Any], prepared: dict[str, Any]) -> list[Any]:
        return column(rows) if column is not None else cast(Any, by)(rows, **prepared)

    async def resolve(root: Any, info: strawberry.Info, **values: Any) -> Any:
        try:
            (key,) = keys_of([root], prepare(values))
        except (Refusal, ExceptionGroup) as error:
            raise bad_input(error) from None
        loaded = None if key is None else await cast(Ctx, info.context).load(batch, key)
        return then(loaded) if then is not None and loaded is not None else loaded

    return strawberry.field(
        resolver=_signed(resolve, arguments, rooted=True),
        description=description,
        metadata={SOURCE: Related(batch, keys_of, then, prepare if arguments else None)},
    )


def asks(resolver: Callable[..., Awaitable[Any]], description: str, *, shared: bool = False, **arguments: Arg) -> Any:
    """A field with arguments, or one that needs more than its row: `resolver(ctx, row, **arguments)`.

    `shared`: its value is the same for everybody who asks in the same context, and says what it read (`ctx.reads`).
    """

    async def ask(ctx: Ctx, row: Any, values: dict[str, Any]) -> Any:
        return await _asked(resolver(ctx, row, **_arguments(arguments, values)))

    async def resolve(root: Any, info: strawberry.Info, **values: Any) -> Any:
        return await ask(cast(Ctx, info.context), root, values)

    return strawberry.field(
        resolver=_signed(resolve, arguments, rooted=True),
        description=description,
        metadata={SOURCE: Asked(ask, shared)},
    )


def query(
    resolver: Callable[..., Awaitable[Any]], needs: Needs, description: str, *, shared: bool = False, **arguments: Arg
) -> Any:
    """A root field that reads: `resolver(ctx, **arguments)`. `shared` as in `asks`."""

    async def ask(ctx: Ctx, _root: Any, values: dict[str, Any]) -> Any:
        ctx.require(needs)
        return await _asked(resolver(ctx, **_arguments(arguments, values)))

    async def resolve(info: strawberry.Info, **values: Any) -> Any:
        return await ask(cast(Ctx, info.context), None, values)

    return strawberry.field(
        resolver=_signed(resolve, arguments),
        description=description,
        metadata={**_declared(needs, description), SOURCE: Asked(ask, shared)},
    )


def mutation(input_: type, resolver: Callable[..., Awaitable[dict[str, Any]]], needs: Needs, description: str) -> Any:
    """A root field that writes: `resolver(ctx, input)` answers with the fields of the payload.

    A refusal means that nothing was done: the payload then has its `userErrors` and nothing else.
    """

    async def resolve(info: strawberry.Info, **values: Any) -> Any:
        ctx = cast(Ctx, info.context)
        ctx.require(needs)
        ctx.loaded.clear()
        try:
            return {"user_errors": [], "warnings": [], **await resolver(ctx, plain(values["input"]))}
        except (Refusal, ExceptionGroup) as error:
            return {"user_errors": user_errors(error), "warnings": []}

    signature = {"input": arg(input_, "What is to be done.")}
    return strawberry.mutation(
        resolver=_signed(resolve, signature), description=description, metadata=_declared(needs, description)
    )


def subscription(resolver: Callable[..., AsyncGenerator[Any]], needs: Needs, description: str, **arguments: Arg) -> Any:
    """A root field that streams: `resolver(ctx, **arguments)` yields the items."""

    async def resolve(info: strawberry.Info, **values: Any) -> AsyncGenerator[Any]:
        ctx = cast(Ctx, info.context)
        ctx.require(needs)
        stream = resolver(ctx, **_arguments(arguments, values))
        del info  # nor the executor that began it
        try:
            async for item in stream:
                ctx.executing()
                yield item
                del item  # a stream that waits does not hold what it has told
        except (Refusal, ExceptionGroup) as error:
            raise bad_input(error) from None
        finally:
            await stream.aclose()

    return strawberry.subscription(
        resolver=_signed(resolve, arguments), description=description, metadata=_declared(needs, description)
    )


def _declared(needs: Needs, description: str) -> dict[str, Any]:
    if not needs:
        raise TypeError(f"a root field must declare what it needs, this one does not: {description}")
    if needs not in PERMISSIONS and needs not in WITHOUT_PERMISSION:
        raise TypeError(f"{needs} is no permission that anybody could have; see domain/permission.py")
    return {NEEDS: needs}


def _signed(resolve: Any, arguments: Mapping[str, Arg], *, rooted: bool = False) -> Any:
    """Gives a resolver the signature that Strawberry reads its arguments from."""
    kind = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("info", first, annotation=strawberry.Info)]
    if rooted:
        parameters.insert(0, inspect.Parameter("root", first, annotation=strawberry.Parent[Any]))
    for name, argument in arguments.items():
        annotation = Annotated[argument.type, strawberry.argument(description=argument.description)]
        parameters.append(inspect.Parameter(name, kind, annotation=annotation, default=argument.default))
    resolve.__signature__ = inspect.Signature(parameters)
    resolve.__annotations__ = {p.name: p.annotation for p in parameters}
    return resolve


def _arguments(arguments: Mapping[str, Arg], values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return plain_all(arguments, values)
    except (Refusal, ExceptionGroup) as error:
        raise bad_input(error) from None


async def _asked(answer: Awaitable[T]) -> T:
    """In a query a refusal is about an argument, and one error of the request."""
    try:
        return await answer
    except (Refusal, ExceptionGroup) as error:
        raise bad_input(error) from None


def bad_input(error: Refusal | ExceptionGroup) -> BadUserInput:
    refusal = _all_refusals(error)[0]
    return BadUserInput(refusal.message, ".".join(public_path(refusal)))


def _all_refusals(error: Refusal | ExceptionGroup) -> list[Refusal]:
    """The refusals of a group that has nothing else in it; a bug of ours among them is no refusal."""
    if isinstance(error, ExceptionGroup):
        _, others = error.split(Refusal)
        if others is not None:
            raise error
    return list(refusals_of(error))


def public_path(refusal: Refusal) -> list[str]:
    """The input path in the names of the schema."""
    return [str(part) if isinstance(part, Key) else to_camel_case(part) for part in refusal.path]


def user_errors(error: Refusal | ExceptionGroup) -> list[dict[str, Any]]:
    """Refusals as views of `UserError`; the GraphQL type is named like the class."""
    return [
        {**vars(refusal), "code": refusal.code, "path": public_path(refusal), "__typename": type(refusal).__name__}
        for refusal in _all_refusals(error)
    ]


def value_of(row: Any, name: str) -> Any:
    """An attribute of a row, or an entry of a mapping: what every plain field is read with."""
    if isinstance(row, Mapping):
        return cast("Mapping[str, Any]", row).get(name)
    return getattr(row, name)
