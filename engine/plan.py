"""Plans: an operation compiled once, so that running it is one step per field and level.

A plan is made for one set of collected fields, which depends on the document and on the variables in `@skip` and
`@include`. Collecting is graphql-core's own, so merged fields, fragments and directives mean what they mean there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, cast

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
)

from engine.source import SOURCE, Column, Computed, Source

TYPENAME: Final = "__typename"
Values = list[Any]


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


Collect = Callable[[GraphQLObjectType, list[Any]], dict[str, list[Any]]]
"""The fields that a list of field details selects of a type, grouped by their names in the answer."""


@dataclass(frozen=True)
class Planner:
    """Compiles selections; `possible_types` are the object types behind an interface or a union."""

    collect: Collect
    possible_types: Callable[[Any], Sequence[GraphQLObjectType]]

    def selection(self, type_: GraphQLObjectType, grouped: dict[str, list[Any]]) -> Selection:
        fields = tuple(self._field(type_, name, details) for name, details in grouped.items())
        return Selection(type_.name, tuple(grouped), fields)

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
            return {type_.name: self.selection(type_, self.collect(type_, details))}
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            return {t.name: self.selection(t, self.collect(t, details)) for t in self.possible_types(type_)}
        return {}


def source_of(definition: GraphQLField) -> Source | None:
    """What a field says of itself; a plain Strawberry field is a column of its own name."""
    declared = cast(Any, (definition.extensions or {}).get("strawberry-definition"))
    if declared is None:
        return None
    source = declared.metadata.get(SOURCE)
    if source is None and declared.is_basic_field and not declared.extensions:
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
    plain = {"String": str, "Boolean": bool}.get(type_.name)
    known: dict[Any, Any] = {}

    def checked(value: Any) -> Any:
        written = write(value)
        if written is None or written is Undefined:
            raise HandOver(f"{value!r} is no {type_.name}")
        return written

    def enumerated(value: Any) -> Any:
        if value not in known:
            known[value] = checked(value)
        return known[value]

    if plain is not None:
        return lambda values: [v if v is None or type(v) is plain else checked(v) for v in values]
    if isinstance(type_, GraphQLEnumType):
        return lambda values: [None if v is None else enumerated(v) for v in values]
    return lambda values: [None if v is None else checked(v) for v in values]
