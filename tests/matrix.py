"""The access matrix: what every caller gets of every field, found out by asking.

A document is made for each root field, which asks for everything that can be reached from it: each type in full where
it is nearest, elsewhere its plain fields. Each field has the alias `Type__field`, so an answer and the path of an error
tell by themselves whose they are.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    ast_from_value,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    print_ast,
)

from schema import build_schema
from schema.build import NEEDS
from tests.api import Api

SCHEMA: GraphQLSchema = build_schema()._schema
ROOTS = {"Query": "query", "Mutation": "mutation", "Subscription": "subscription"}
NOT_ASKED = frozenset({"UserError", "Warning"})
"""What a refusal says is no data of anybody."""
REFUSED_WHOLE = frozenset({"FORBIDDEN", "UNAUTHENTICATED"})
"""What a request can be refused with before any of its fields."""
RANK = {"value": 9, "own": 8, "empty": 7, "null": 6, "-": 0}
"""Which cell counts when a field was reached in several ways: the one that shows most."""
Cells = dict[str, str]
"""By `Type.field` what a caller gets: `value`, `own` (data, but the caller's own), `empty` (a list), `null`, the code
of an error, or `-`: nothing to ask it of."""


def root_fields(root: str) -> dict[str, GraphQLField]:
    type_ = SCHEMA.type_map[root]
    assert isinstance(type_, GraphQLObjectType)
    return dict(sorted(type_.fields.items()))


def needed(field: GraphQLField) -> str:
    return field.extensions["strawberry-definition"].metadata[NEEDS]


def possible(type_: Any) -> list[GraphQLObjectType]:
    """The object types behind a type, without those that only say what was refused."""
    if type_.name in NOT_ASKED:
        return []
    if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
        return sorted(SCHEMA.get_possible_types(type_), key=lambda t: t.name)
    return [type_] if isinstance(type_, GraphQLObjectType) else []


@dataclass
class Walk:
    """The selection below one root field. `arguments` are those of inner fields that need some, as they are written."""

    arguments: Mapping[str, str]
    known: frozenset[str] = frozenset()
    """Types of which only the plain fields are asked for, as others have them in full."""
    left_out: set[str] = field(default_factory=set[str])
    """Aliases that are asked for no more, as they were answered with an error."""
    _home: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def below(self, type_: Any) -> str:
        """What is selected of a type, in braces; nothing of a scalar."""
        named = get_named_type(type_)
        self._home = dict.fromkeys(self.known, ())
        self._find_homes(named)
        return self._selection(named, ())

    def _find_homes(self, root: Any) -> None:
        """Breadth first, so that each type is asked for in full where it is nearest."""
        queue: deque[tuple[Any, tuple[str, ...]]] = deque([(root, ("",))])
        while queue:
            named, path = queue.popleft()
            for type_ in possible(named):
                if type_.name in self._home:
                    continue
                self._home[type_.name] = path
                queue += [(get_named_type(f.type), (*path, f"{type_.name}.{n}")) for n, f in type_.fields.items()]

    def _selection(self, named: Any, path: tuple[str, ...]) -> str:
        if is_leaf_type(named):
            return ""
        path = path or ("",)
        parts = [f"... on {t.name} {{ {self._fields(t, path)} }}" for t in possible(named)]
        return f"{{ __typename {' '.join(parts)} }}"

    def _fields(self, type_: GraphQLObjectType, path: tuple[str, ...]) -> str:
        parts: list[str] = ["__typename"]
        for name, inner in type_.fields.items():
            alias, key, named = f"{type_.name}__{name}", f"{type_.name}.{name}", get_named_type(inner.type)
            deeper = self._home[type_.name] == path
            if deeper and named.name == "Warning" and "userErrors" not in type_.fields:
                parts.append(f"{alias}: {name} {{ code }}")
            if alias in self.left_out or not (is_leaf_type(named) or (deeper and possible(named))):
                continue
            parts.append(f"{alias}: {name}{self._given(key, inner)} {self._selection(named, (*path, key))}")
        if "userErrors" in type_.fields:
            parts.append("userErrors { code path }")
        return " ".join(parts)

    def _given(self, key: str, inner: GraphQLField) -> str:
        if any(is_required_argument(argument) for argument in inner.args.values()):
            assert key in self.arguments, f"say in matrix_examples.ARGUMENTS with which arguments {key} is to be tried"
        return self.arguments.get(key, "")


def document(root: str, name: str, walk: Walk) -> str:
    """An operation that calls a root field with all of its arguments as variables."""
    asked_for = root, name, walk.known, frozenset(walk.left_out)
    if asked_for not in _DOCUMENTS:
        _DOCUMENTS[asked_for] = _document(root, name, walk)
    return _DOCUMENTS[asked_for]


_DOCUMENTS: dict[tuple[str, str, frozenset[str], frozenset[str]], str] = {}
"""Written once, as many ask: it takes longer than the answer."""


def _document(root: str, name: str, walk: Walk) -> str:
    called = root_fields(root)[name]
    declared = ", ".join(f"${n}: {a.type}{_default(a)}" for n, a in called.args.items())
    passed = ", ".join(f"{n}: ${n}" for n in called.args)
    signature, arguments = (f"({declared})", f"({passed})") if declared else ("", "")
    return f"{ROOTS[root]} Matrix{signature} {{ {root}__{name}: {name}{arguments} {walk.below(called.type)} }}"


def _default(argument: GraphQLArgument) -> str:
    """Or what must not be null would have to be said."""
    if argument.default_value in (Undefined, None):
        return ""
    written = ast_from_value(argument.default_value, argument.type)
    return f" = {print_ast(written)}" if written else ""


def found(data: Any) -> Iterator[tuple[str, str, str | None]]:
    """Each field in an answer: its name, its cell, and the nearest id above it."""
    for alias, value in (data or {}).items():
        yield from _found(value, alias, None)


def _found(value: Any, alias: str, nearest: str | None) -> Iterator[tuple[str, str, str | None]]:
    if alias:
        cell = "null" if value is None else "empty" if value == [] else "value"
        yield alias.replace("__", ".", 1), cell, nearest
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, list):
            yield from _found(part, "", nearest)
        elif isinstance(part, dict) and (typed := part.get("__typename")):
            own = part.get(f"{typed}__id", nearest)
            for key, inner in part.items():
                if "__" in key.strip("_"):
                    yield from _found(inner, key, own)


def more_of(one: str, other: str) -> str:
    return max(one, other, key=lambda cell: RANK.get(cell, 3))


@dataclass
class Asked:
    """What a caller got of a root field and of all below it."""

    cells: Cells
    ids: set[str]
    """All ids that were shown."""


def failing(error: Any, root: str) -> str:
    """The alias of the field that an error is of; of one that is of the whole request, the root field's."""
    assert "path" in error or error["extensions"]["code"] in REFUSED_WHOLE, error
    return next((part for part in reversed(error.get("path", ())) if isinstance(part, str)), root)


async def asked(caller: Api, name: str, given: Mapping[str, Any], walk: Walk, sams: set[str] | None = None) -> Asked:
    """Runs a query; fields that end in an error are left out and the rest is asked for again.

    With `sams` what stands under any other id is the caller's own.
    """
    errors: Cells = {}
    answer: Any = {}
    for _ in range(50):
        answer = await caller.answer(document("Query", name, walk), dict(given))
        failed = {failing(error, f"Query__{name}"): error for error in answer.get("errors", [])}
        errors |= {alias.replace("__", ".", 1): error["extensions"]["code"] for alias, error in failed.items()}
        walk.left_out |= failed.keys()
        if not failed or f"Query__{name}" in failed:
            break
    cells: Cells = {}
    ids: set[str] = set()
    for key, cell, nearest in found(answer.get("data")):
        ids |= {nearest} if nearest else set()
        theirs = sams is not None and nearest is not None and nearest not in sams
        cells[key] = more_of(cells.get(key, "-"), "own" if theirs and cell == "value" else cell)
    return Asked(cells | errors, ids)
