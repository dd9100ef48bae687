"""What a document may ask for: told before it is validated, linear in its text, and again by the sizes of its pages.

Validation and execution take time that grows faster than a document: fields that may overlap are compared with each
other, fragments multiply, pages of pages multiply. So the form of a document is measured first, each fragment once, and
a valid one gets its cost as a formula of the variables that say how long pages are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, NoReturn, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    get_named_type,
)

SIZES: Final = ("first", "last", "ids")
"""Arguments that say how many a page has: as a number, or by naming them."""
UNSAID: Final = 20
"""How many a page has that does not say it."""
MOST_OF_A_PAGE: Final = 100
"""A page of more is refused where it is read; it is not refused here in other words."""
NESTED: Final = 200
"""Fragments in fragments: a document may not be deeper than what reads it can go."""


@dataclass(frozen=True)
class Limits:
    """Of one document, fragments counted wherever they are spread, but for tokens, aliases and directives as written.

    `cost` counts leaves by how often they are shown if every page is full.
    """

    tokens: int = 5_000
    depth: int = 20
    fields: int = 5_000
    aliases: int = 15
    repeats: int = 20
    """Of one name in one selection."""
    directives: int = 50
    roots: int = 20
    mutations: int = 5
    cost: int = 25_000


def _exceeded(what: str, most: int, message: str, **more: int) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "LIMIT_EXCEEDED", "limit": what, "most": most, **more})


def _refuse(what: str, most: int) -> NoReturn:
    raise _exceeded(what, most, f"The document has more {what} than the {most} that are allowed.")


def too_costly(cost: int, limits: Limits) -> GraphQLError:
    message = f"The operation may show {cost:,} values; {limits.cost:,} are allowed: ask for shorter pages."
    return _exceeded("cost", limits.cost, message, cost=cost)


def check_form(document: DocumentNode, limits: Limits) -> None:
    """Raises GraphQLError for the first limit that is exceeded. What is in circles, or nowhere, counts as nothing."""
    form = _Form(document, limits)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            form.directives(node)
            writes = node.operation is OperationType.MUTATION
            roots, most = (limits.mutations, "mutations") if writes else (limits.roots, "root fields")
            if len(node.selection_set.selections) > roots:
                _refuse(most, roots)
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            form.measure(node.selection_set, 0)


@dataclass(frozen=True)
class _Measured:
    depth: int = 0
    fields: int = 0


class _Form:
    def __init__(self, document: DocumentNode, limits: Limits) -> None:
        self._limits = limits
        self._fragments = {
            node.name.value: node.selection_set
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._made: dict[int, _Measured] = {}
        self._aliases = self._directives = 0

    def directives(self, node: Any) -> None:
        self._directives += len(node.directives or ())
        if self._directives > self._limits.directives:
            _refuse("directives", self._limits.directives)

    def measure(self, selected: SelectionSetNode, level: int) -> _Measured:
        made = self._made.get(id(selected))
        if made is not None:
            return made
        if level > NESTED:
            _refuse("levels", self._limits.depth)
        self._made[id(selected)] = _Measured()  # what comes back to itself is refused by validation
        depth = fields = 0
        self._check_repeats(selected)
        for node in selected.selections:
            self.directives(node)
            own = isinstance(node, FieldNode)
            below = self._below(node)
            measured = self.measure(below, level + 1) if below is not None else _Measured()
            depth = max(depth, measured.depth + own)
            fields += measured.fields + own
        if depth > self._limits.depth:
            _refuse("levels", self._limits.depth)
        if fields > self._limits.fields:
            _refuse("fields", self._limits.fields)
        made = self._made[id(selected)] = _Measured(depth, fields)
        return made

    def _below(self, node: Any) -> SelectionSetNode | None:
        return self._fragments.get(node.name.value) if isinstance(node, FragmentSpreadNode) else node.selection_set

    def _check_repeats(self, selected: SelectionSetNode) -> None:
        names: dict[str, int] = {}
        for node in selected.selections:
            if isinstance(node, FieldNode):
                self._aliases += node.alias is not None
                name = (node.alias or node.name).value
                names[name] = names.get(name, 0) + 1
        if self._aliases > self._limits.aliases:
            _refuse("aliases", self._limits.aliases)
        if any(count > self._limits.repeats for count in names.values()):
            _refuse("repetitions of one field", self._limits.repeats)


@dataclass(frozen=True)
class Cost:
    """So many leaves, and each of the pages as often as it is long. Parts that fragments share are there once."""

    leaves: int
    pages: "tuple[tuple[Size, Cost], ...]" = ()

    def of(self, variables: Mapping[str, Any], known: "dict[int, int] | None" = None) -> int:
        if not self.pages:
            return self.leaves
        known = {} if known is None else known
        if id(self) not in known:
            known[id(self)] = self.leaves + sum(
                size.of(variables) * page.of(variables, known) for size, page in self.pages
            )
        return known[id(self)]


@dataclass(frozen=True)
class Size:
    """Of a page: the most that any of its arguments says, as it is written or by a variable, which has a default.

    A variable that is given counts as what it is, null too: a page that is told null is as long as an unsaid one.
    """

    written: tuple[int | None, ...] = ()
    named: tuple[tuple[str, int | None], ...] = ()

    def of(self, variables: Mapping[str, Any]) -> int:
        named = [_given(variables[name]) if name in variables else default for name, default in self.named]
        return max((size for size in (*self.written, *named) if size is not None), default=UNSAID)


def page_size(given: int) -> int:
    return min(max(given, 0), MOST_OF_A_PAGE)


def _given(value: Any) -> int | None:
    """By a variable: numbers may be written as 100.0, and one id stands for a list of it."""
    if isinstance(value, list):
        return page_size(len(cast("list[Any]", value)))
    if isinstance(value, str):
        return 1
    return page_size(int(value)) if isinstance(value, int | float) and isfinite(value) else None


def costs_of(schema: GraphQLSchema, document: DocumentNode) -> dict[str | None, Cost]:
    """Of a valid document: the cost of each operation by its name."""
    pricing = _Pricing(schema, document)
    return {
        node.name.value if node.name else None: pricing.operation(node)
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    }


@dataclass
class _Pricing:
    schema: GraphQLSchema
    document: DocumentNode
    made: dict[tuple[str, int], Cost] = field(default_factory=dict[tuple[str, int], Cost])

    def __post_init__(self) -> None:
        self._fragments = {
            node.name.value: node for node in self.document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._defaults: dict[str, Any] = {}

    def operation(self, node: OperationDefinitionNode) -> Cost:
        # A fragment costs in each operation what the operation's own variables make of it.
        self._defaults, self.made = (
            {v.variable.name.value: v.default_value for v in node.variable_definitions or ()},
            {},
        )
        return self._selected(cast(Any, self.schema.get_root_type(node.operation)), node.selection_set)

    def _selected(self, type_: Any, selected: SelectionSetNode) -> Cost:
        key = (type_.name, id(selected))
        if key not in self.made:
            parts = [self._part(type_, node) for node in selected.selections]
            pages = tuple(page for part in parts for page in part.pages)
            self.made[key] = Cost(sum(part.leaves for part in parts), pages)
        return self.made[key]

    def _part(self, type_: Any, node: Any) -> Cost:
        if isinstance(node, FragmentSpreadNode):
            fragment = self._fragments[node.name.value]
            return self._selected(self._type(fragment.type_condition.name.value), fragment.selection_set)
        if not isinstance(node, FieldNode):
            condition = node.type_condition
            return self._selected(self._type(condition.name.value) if condition else type_, node.selection_set)
        definition = None if isinstance(type_, GraphQLUnionType) else type_.fields.get(node.name.value)
        if definition is None or node.selection_set is None:
            return Cost(1)
        below = cast(Any, get_named_type(definition.type))
        if not isinstance(below, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
            return Cost(1)
        cost = self._selected(below, node.selection_set)
        if not any(name in definition.args for name in SIZES):
            return cost
        size = self._size(node)
        plain = not size.named and not cost.pages
        return Cost(size.of({}) * cost.leaves) if plain else Cost(0, ((size, cost),))

    def _type(self, name: str) -> Any:
        return self.schema.type_map[name]

    def _size(self, node: FieldNode) -> Size:
        said: list[Any] = [one.value for one in node.arguments or () if one.name.value in SIZES]
        named = [value.name.value for value in said if isinstance(value, VariableNode)]
        return Size(
            tuple(_written(value) for value in said if not isinstance(value, VariableNode)),
            tuple((name, _written(self._defaults.get(name))) for name in named),
        )


def _written(value: Any) -> int | None:
    if isinstance(value, ListValueNode):
        return page_size(len(value.values))
    if isinstance(value, StringValueNode):
        return 1
    return page_size(int(value.value)) if isinstance(value, IntValueNode) else None
