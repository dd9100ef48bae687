"""Valid operations of a schema, made at random: fragments, aliases, merged fields, directives, variables, nesting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    is_leaf_type,
)
from hypothesis import strategies as st

Draw = Any
DEEPEST = 6


@dataclass
class Operation:
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
        names = [n for n, f in type_.fields.items() if depth < DEEPEST or is_leaf_type(get_named_type(f.type))]
        if not names:
            return ""
        name = self.draw(st.sampled_from(names))
        definition = type_.fields[name]
        arguments = self.arguments(f"{type_.name}.{name}", definition)
        alias = f"{name}_{self.draw(st.integers(1, 9**6))}: " if arguments or self.chance(5) else ""
        below = get_named_type(definition.type)
        inside = self.selection(below, depth + 1) if is_composite_type(below) else ""
        return f"{alias}{name}{arguments} {self.switch()} {inside}"

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
def operations(draw: Draw, schema: GraphQLSchema, values: Mapping[str, Sequence[Any]]) -> Operation:
    """A query that validates, with variables that fit."""
    writing = Writing(schema, values, draw)
    root = schema.query_type
    assert root is not None
    body = writing.selection(root, 0)
    declared = ", ".join(f"${name}: {type_}" for name, type_ in writing.declared.items())
    header = f"query Q({declared})" if declared else "query Q"
    return Operation("\n".join([f"{header} {body}", *writing.fragments]), writing.variables)
