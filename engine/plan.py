"""Plans: an operation compiled once, so that running it is one step per field and level.

A plan is made for one set of collected fields, which depends on the document and on the variables in `@skip` and
`@include`. Collecting is graphql-core's own, so merged fields, fragments and directives mean what they mean there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLString,
    GraphQLUnionType,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
)

from engine.leaves import HandOver, Read, Values, Write, column_reader, writer
from engine.source import SOURCE, Column, Computed, Source, is_shared

TYPENAME: Final = "__typename"
MOST_SHAPES: Final = 4_096
"""Of objects: those that have the same names are made by one function, whatever their types."""
Objects = list[dict[str, Any]]


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
    read: Read | None
    """How a column or what is computed is read off the parents."""
    write: Write | None
    """Makes leaves what the answer shows; none for objects."""
    constant: list[dict[str, Any]] | None
    """Its coerced arguments, once they are known, if no variable stands in them."""

    @property
    def is_own_leaf(self) -> bool:
        """Its value stands in the parent, and nothing has to be waited for."""
        return self.read is not None and self.write is not None


@dataclass(frozen=True)
class Selection:
    """What is selected of objects of one type."""

    type_name: str
    fields: tuple[PlannedField, ...]
    shared: bool
    """Everything in it, down to the leaves, is the same for everybody in the same context."""
    own: tuple[tuple[int, Read, Write], ...]
    """The leaves that are read off the parents, with their places among the fields."""
    others: tuple[tuple[int, PlannedField], ...]
    assemble: Callable[[Sequence[Values]], Objects]
    """Makes the objects of the columns of their fields."""


Collect = Callable[[GraphQLObjectType, list[Any]], dict[str, list[Any]]]
"""The fields that a list of field details selects of a type, grouped by their names in the answer."""


@dataclass(frozen=True)
class Planner:
    """Compiles selections; `possible_types` are the object types behind an interface or a union."""

    collect: Collect
    possible_types: Callable[[Any], Sequence[GraphQLObjectType]]
    default: Callable[[Any, str], Any]
    """Reads a plain field of an odd parent."""
    made: dict[Any, Selection] = field(default_factory=dict[Any, Selection])
    """By type and nodes. What an abstract field selects is the same for many of its types, and a fragment for many
    fields: planned anew each time, a short document could make a plan without end."""

    def selection(self, type_: GraphQLObjectType, grouped: dict[str, list[Any]]) -> Selection:
        fields = tuple(self._field(type_, name, details) for name, details in grouped.items())
        shared = all(is_shared(f.source) and all(below.shared for below in f.selections.values()) for f in fields)
        own = tuple((at, f.read, f.write) for at, f in enumerate(fields) if f.read and f.write)
        others = tuple((at, f) for at, f in enumerate(fields) if not f.is_own_leaf)
        return Selection(type_.name, fields, shared, own, others, assembler(tuple(grouped)))

    def _field(self, parent: GraphQLObjectType, name: str, details: list[Any]) -> PlannedField:
        node = cast(FieldNode, details[0].node)
        if node.name.value == TYPENAME:
            definition, source = GraphQLField(GraphQLNonNull(GraphQLString)), Computed(lambda _: parent.name)
        else:
            definition = parent.fields.get(node.name.value)
            if definition is None:
                raise HandOver(f"{node.name.value} is introspection")
            source = source_of(definition)
            if source is None:
                raise HandOver(f"{parent.name}.{node.name.value} has a resolver of its own")
        type_ = cast(Any, definition).type
        below = self._below(type_, details)
        write = None if below else writer(type_)
        varies = any(_has_variables(argument.value) for argument in node.arguments or ())
        constant: list[dict[str, Any]] | None = None if varies else []
        return PlannedField(name, definition, node, source, type_, below, self._reader(source), write, constant)

    def _reader(self, source: Source) -> Read | None:
        if isinstance(source, Column):
            return column_reader(source.name, self.default)
        if isinstance(source, Computed):
            compute = source.compute
            return lambda parents: list(map(compute, parents))
        return None

    def _below(self, type_: Any, details: list[Any]) -> "dict[str, Selection]":
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


def plan_key(
    document: Any, operation: OperationDefinitionNode, type_name: str, place: str | None, given: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Under what a document keeps the plan of a selection: the operation, where in it, and how its switches stand."""
    name = operation.name.value if operation.name else None
    return (name, type_name, place, *(given.get(switch) for switch in document.switches))


def source_of(definition: GraphQLField) -> Source | None:
    """What a field says of itself; a plain Strawberry field is a column of its own name."""
    declared = cast(Any, (definition.extensions or {}).get("strawberry-definition"))
    if declared is None or declared.extensions:
        return None  # an extension may refuse or change what the source says
    source = declared.metadata.get(SOURCE)
    if source is None and declared.is_basic_field:
        return Column(declared.python_name)
    return cast("Source | None", source)


def _has_variables(value: ValueNode) -> bool:
    if isinstance(value, ListValueNode):
        return any(map(_has_variables, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_has_variables(field.value) for field in value.fields)
    return isinstance(value, VariableNode)


@lru_cache(MOST_SHAPES)
def assembler(names: tuple[str, ...]) -> Callable[[Sequence[Values]], Objects]:
    """A function that makes objects with these names of the columns of their values.

    It is compiled from text, because a dict that is written down is made three times as fast as one of names and
    values. Names are GraphQL names here, so nothing but letters, digits and underscores gets into that text.
    """
    if not all(name.isidentifier() and name.isascii() for name in names):
        raise HandOver("a name that is none")
    values = [f"v{at}" for at in range(len(names))]
    shown = ", ".join(f"'{name}': {value}" for name, value in zip(names, values, strict=True))
    text = f"lambda columns: [{{{shown}}} for [{', '.join(values)}] in zip(*columns, strict=True)]"
    return eval(text, {"zip": zip})  # noqa: S307 - of names alone
