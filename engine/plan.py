"""Plans: an operation compiled once, so that running it is one step per field and level.

A plan is made for one set of collected fields, which depends on the document and on the variables in `@skip` and
`@include`. Collecting is graphql-core's own, so merged fields, fragments and directives mean what they mean there.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, cast

from graphql import (
    FieldNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
)
from graphql.pyutils import UndefinedType

from engine.source import SOURCE, Column, Computed, Source, is_shared

TYPENAME: Final = "__typename"
Values = list[Any]
ODD: Final = (Exception, Awaitable, UndefinedType)
"""What graphql-core does not take for a value: it raises it, waits for it, or makes it null."""
NATURAL: Final[dict[Any, type]] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
"""Values of these types are written as they are."""
INT_RANGE: Final = range(-(2**31), 2**31)


class HandOver(Exception):
    """The plan does not know how to go on; graphql-core does. The message says why."""


@dataclass(frozen=True)
class PlannedField:
    """One field of a selection, for all objects of a level."""

    name: str
    """As it stands in the answer."""
    definition: GraphQLField
    node: FieldNode
    source: Source
    type: Any
    selections: "dict[str, Selection]"
    """What is selected of the objects it leads to, by the name of their type; empty for leaves."""

    @property
    def is_own_leaf(self) -> bool:
        """Its value stands in the parent, and nothing has to be waited for."""
        return isinstance(self.source, Column | Computed) and not self.selections


@dataclass(frozen=True)
class Selection:
    """What is selected of objects of one type."""

    type_name: str
    names: tuple[str, ...]
    fields: tuple[PlannedField, ...]
    shared: bool
    """Everything in it, down to the leaves, is the same for everybody in the same context."""


Collect = Callable[[GraphQLObjectType, list[Any]], dict[str, list[Any]]]
"""The fields that a list of field details selects of a type, grouped by their names in the answer."""


@dataclass(frozen=True)
class Planner:
    """Compiles selections; `possible_types` are the object types behind an interface or a union."""

    collect: Collect
    possible_types: Callable[[Any], Sequence[GraphQLObjectType]]
    made: dict[Any, Selection] = field(default_factory=dict[Any, Selection])
    """By type and nodes. What an abstract field selects is the same for many of its types, and a fragment for many
    fields: planned anew each time, a short document could make a plan without end."""

    def selection(self, type_: GraphQLObjectType, grouped: dict[str, list[Any]]) -> Selection:
        fields = tuple(self._field(type_, name, details) for name, details in grouped.items())
        shared = all(is_shared(f.source) and all(below.shared for below in f.selections.values()) for f in fields)
        return Selection(type_.name, tuple(grouped), fields, shared)

    def _field(self, parent: GraphQLObjectType, name: str, details: list[Any]) -> PlannedField:
        node = cast(FieldNode, details[0].node)
        if node.name.value == TYPENAME:
            typename = GraphQLNonNull(GraphQLString)
            return PlannedField(name, GraphQLField(typename), node, Computed(lambda _: parent.name), typename, {})
        definition = parent.fields.get(node.name.value)
        if definition is None:
            raise HandOver(f"{node.name.value} is introspection")
        source = source_of(definition)
        if source is None:
            raise HandOver(f"{parent.name}.{node.name.value} has a resolver of its own")
        type_: Any = definition.type  # pyright: ignore[reportUnknownMemberType]
        return PlannedField(name, definition, node, source, type_, self._below(type_, details))

    def _below(self, type_: Any, details: list[Any]) -> dict[str, Selection]:
        while isinstance(type_, GraphQLNonNull | GraphQLList):
            type_ = cast(Any, type_.of_type)  # pyright: ignore[reportUnknownMemberType]
        if isinstance(type_, GraphQLObjectType):
            return {type_.name: self._selected(type_, details)}
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            return {possible.name: self._selected(possible, details) for possible in self.possible_types(type_)}
        return {}

    def _selected(self, type_: GraphQLObjectType, details: list[Any]) -> Selection:
        if type_.is_type_of is not None:
            raise HandOver(f"{type_.name} looks at each object itself")
        key = (type_.name, *(id(detail.node) for detail in details))
        made = self.made.get(key)
        if made is None:
            made = self.made[key] = self.selection(type_, self.collect(type_, details))
        return made


def source_of(definition: GraphQLField) -> Source | None:
    """What a field says of itself; a plain Strawberry field is a column of its own name."""
    declared = cast(Any, (definition.extensions or {}).get("strawberry-definition"))
    if declared is None or declared.extensions:
        return None  # an extension may refuse or change what the source says
    source = declared.metadata.get(SOURCE)
    if source is None and declared.is_basic_field:
        return Column(declared.python_name)
    return cast("Source | None", source)


def column_reader(name: str, default: Callable[[Any, str], Any]) -> Callable[[Sequence[Any]], Values]:
    """Reads one column of many rows; `default` reads what is neither a row nor a complete mapping."""
    get = itemgetter(name)

    def read(parents: Sequence[Any]) -> Values:
        try:
            return list(map(get, parents))
        except (TypeError, LookupError):
            return [default(parent, name) for parent in parents]

    return read


def leaf_writer(type_: GraphQLLeafType) -> Callable[[Values], Values]:
    """Makes values what the answer shows; nulls stay."""
    write = type_.coerce_output_value
    natural = {NATURAL.get(type_), type(None)}
    known: dict[Any, Any] = {}

    def checked(value: Any) -> Any:
        written = write(value)
        if written is None or written is Undefined:
            raise HandOver(f"{value!r} is no {type_.name}")
        return written

    def enumerated(value: Any) -> Any:
        written = known.get(value)
        if written is None:
            written = known[value] = checked(value)
        return written

    one = enumerated if isinstance(type_, GraphQLEnumType) else checked

    def written(values: Values) -> Values:
        kinds = refuse_odd(values)
        if kinds <= natural or (kinds == {int} and type_ is GraphQLInt and _in_range(values)):
            return values
        return [None if value is None else one(value) for value in values]

    return written


def _in_range(numbers: Values) -> bool:
    return min(numbers) in INT_RANGE and max(numbers) in INT_RANGE


def refuse_odd(values: Values) -> set[type]:
    """The types of values that are values."""
    kinds = set(map(type, values))
    for kind in kinds:
        if issubclass(kind, ODD):
            raise HandOver(f"a {kind.__name__} instead of a value")
    return kinds
