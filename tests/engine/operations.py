"""Valid operations of a schema, made at random: fragments, aliases, merged fields, directives, variables, nesting.

Fields are selected whose arguments are known: any of a query, up to three mutations, one subscription.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationType,
    get_named_type,
    is_composite_type,
    is_leaf_type,
    is_required_argument,
)
from hypothesis import strategies as st

Draw = Any
DEEPEST = 6
QUERY, MUTATION, SUBSCRIPTION = OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION


@dataclass
class Operation:
    kind: OperationType
    document: str
    variables: dict[str, Any]


@dataclass
class Writing:
    """What is known while an operation is written. `values` are the arguments that a field may be given."""

    schema: GraphQLSchema
    values: Mapping[str, Sequence[Any]]
    draw: Draw
    fragments: list[str] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)

    def chance(self, of: int) -> bool:
        return self.draw(st.integers(1, of)) == 1

    def selection(self, type_: Any, depth: int) -> str:
        """A selection set; never empty."""
        parts = [self.part(type_, depth) for _ in range(self.draw(st.integers(1, 4)))]
        return "{ " + " ".join([*parts, "__typename"] if self.chance(3) or not any(parts) else parts) + " }"

    def part(self, type_: Any, depth: int) -> str:
        if depth < DEEPEST and (isinstance(type_, GraphQLUnionType) or self.chance(6)):
            return self.fragment(type_, depth + 1)
        if isinstance(type_, GraphQLUnionType):
            return ""
        return self.field(type_, depth)

    def fragment(self, type_: Any, depth: int) -> str:
        """Inline or named, on the type itself or, where it is abstract, on one of its types."""
        on = type_
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            on = self.draw(st.sampled_from(list(self.schema.get_possible_types(type_))))
        inside = self.selection(on, depth)
        if self.chance(2):
            return f"... on {on.name} {self.switch()} {inside}"
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {on.name} {inside}")
        return f"...{name} {self.switch()}"

    def field(self, type_: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        names = [
            n for n in self.askable(type_) if depth < DEEPEST or is_leaf_type(get_named_type(type_.fields[n].type))
        ]
        return self.one_of(type_, names, depth) if names else ""

    def askable(self, type_: GraphQLObjectType | GraphQLInterfaceType) -> list[str]:
        """The fields whose required arguments are known."""
        return [
            name
            for name, definition in type_.fields.items()
            if all(self.known(f"{type_.name}.{name}", *one) is not None for one in definition.args.items())
        ]

    def one_of(self, type_: GraphQLObjectType | GraphQLInterfaceType, names: list[str], depth: int) -> str:
        name = self.draw(st.sampled_from(names))
        definition = type_.fields[name]
        arguments = self.arguments(f"{type_.name}.{name}", definition)
        alias = f"{name}_{self.draw(st.integers(1, 9**6))}: " if arguments or self.chance(5) else ""
        below = get_named_type(definition.type)
        inside = self.selection(below, depth + 1) if is_composite_type(below) else ""
        return f"{alias}{name}{arguments} {self.switch()} {inside}"

    def root(self, type_: GraphQLObjectType, kind: OperationType) -> str:
        if kind is QUERY:
            return self.selection(type_, 0)
        names = self.askable(type_)
        count = self.draw(st.integers(1, 3)) if kind is MUTATION else 1
        return f"{{ {' '.join(self.one_of(type_, names, 0) for _ in range(count))} }}"

    def known(self, place: str, name: str, argument: GraphQLArgument) -> Sequence[Any] | None:
        """The values for an argument; of one that may be left out there may be none."""
        values = self.values.get(f"{place}({name})") or self.values.get(f"({name})")
        return values or (None if is_required_argument(argument) else ())

    def arguments(self, place: str, definition: GraphQLField) -> str:
        written: list[str] = []
        for name, argument in definition.args.items():
            if not isinstance(argument.type, GraphQLNonNull) and self.chance(2):
                continue
            values = self.values.get(f"{place}({name})") or self.values.get(f"({name})")
            if values is None:
                continue
            value = self.draw(st.sampled_from(list(values)))
            written.append(f"{name}: {self.variable(str(argument.type), value)}")
        return f"({', '.join(written)})" if written else ""

    def variable(self, type_: str, value: Any) -> str:
        name = f"v{len(self.declared)}"
        self.declared[name] = type_
        self.variables[name] = value
        return f"${name}"

    def switch(self) -> str:
        if not self.chance(6):
            return ""
        word = self.draw(st.sampled_from(["skip", "include"]))
        value = self.draw(st.booleans())
        written = self.variable("Boolean!", value) if self.chance(2) else str(value).lower()
        return f"@{word}(if: {written})"


@st.composite
def operations(
    draw: Draw, schema: GraphQLSchema, values: Mapping[str, Sequence[Any]], kinds: Sequence[OperationType]
) -> Operation:
    """An operation of one of these kinds that validates, with variables that fit."""
    writing, kind = Writing(schema, values, draw), draw(st.sampled_from(kinds))
    type_ = schema.get_root_type(kind)
    assert type_ is not None
    body = writing.root(type_, kind)
    declared = ", ".join(f"${name}: {type_}" for name, type_ in writing.declared.items())
    header = f"{kind.value} Q({declared})" if declared else f"{kind.value} Q"
    return Operation(kind, "\n".join([f"{header} {body}", *writing.fragments]), writing.variables)


def told_apart(ours: list[Any], reference: list[Any]) -> list[Any]:
    return [error for error in ours + reference if (error in ours) != (error in reference)]


def is_null_above(data: Any, path: Sequence[Any]) -> bool:
    """An object of which the path leads through became null, so that not everything below it need be told."""
    for step in path[:-1]:
        if data is None:
            return True
        data = data[step]
    return data is None
