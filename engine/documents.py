"""Documents that were seen before: parsed, found valid, and planned once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, cast

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    validate,
    visit,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from engine.limits import Cost, Limits, check_form, costs_of, too_costly
from engine.plan import Selection
from engine.recent import Recent

MOST: Final = 1_000
MOST_CHARACTERS: Final = 500_000
"""Of all texts together: parsed, a document takes some hundred times the memory of its text."""
MOST_ERRORS: Final = 20
"""That are told of one document: with each goes a search for the names that may have been meant."""
MOST_PLANS: Final = 32
"""Of one document: so many switches could be written into it that their combinations never end."""


@dataclass
class Document:
    """`switches` are the variables that `@skip` and `@include` go by: each set of their values has its plans."""

    text: str
    parsed: DocumentNode
    switches: tuple[str, ...]
    costs: Mapping[str | None, Cost]
    """Of its operations, by name."""
    plans: dict[Any, Selection | str] = field(default_factory=dict[Any, "Selection | str"])
    """Or why there can be none."""
    personal: set[Any] = field(default_factory=set[Any])
    """Subscriptions whose items depend on who exactly asks, found out by executing them: see engine/shared.py."""
    _below: dict[str | None, tuple[str, ...]] = field(default_factory=dict[str | None, "tuple[str, ...]"])

    def below_root(self, operation: OperationDefinitionNode) -> tuple[str, ...]:
        """The variables on which more may depend than what the root field's arguments decide."""
        name = operation.name.value if operation.name else None
        if name not in self._below:
            self._below[name] = variables_below_root(self.parsed, operation)
        return self._below[name]

    def query(self, name: str | None) -> OperationDefinitionNode | None:
        """The query that is meant, if there is no doubt about it."""
        return self._operation(OperationType.QUERY, name)

    def subscription(self, name: str | None) -> OperationDefinitionNode | None:
        return self._operation(OperationType.SUBSCRIPTION, name)

    def _operation(self, kind: OperationType, name: str | None) -> OperationDefinitionNode | None:
        listed = [one for one in self.parsed.definitions if isinstance(one, OperationDefinitionNode)]
        if name is not None:
            listed = [one for one in listed if one.name is not None and one.name.value == name]
        return listed[0] if len(listed) == 1 and listed[0].operation is kind else None

    def cost(self, name: str | None, variables: Mapping[str, Any] | None) -> int:
        """That of the operation which runs with these variables."""
        chosen = self.costs.get(name) or next(iter(self.costs.values()))
        return chosen.of(variables or {})

    def keep(self, key: Any, plan: Selection | str) -> None:
        self.plans[key] = plan
        if len(self.plans) > MOST_PLANS:
            del self.plans[next(iter(self.plans))]


class Documents:
    """The last valid documents by the SHA-256 of their text. What is not valid is not kept: anybody can write that."""

    def __init__(self, most: int = MOST, most_characters: int = MOST_CHARACTERS) -> None:
        self._known: Recent[Document] = Recent(most, most_characters)

    def find(self, text: str) -> Document | None:
        return self._known.get(hash_of(text))

    def text_of(self, text_hash: str) -> str | None:
        """The text that has this SHA-256, in lower-case hexadecimal digits."""
        document = self._known.get(text_hash)
        return None if document is None else document.text

    def keep(self, text: str, parsed: DocumentNode, costs: Mapping[str | None, Cost]) -> Document:
        document = Document(text, parsed, switches_of(parsed), costs)
        self._known.put(hash_of(text), document, len(text))
        return document


def hash_of(text: str) -> str:
    """The SHA-256 of a document, as clients write it: of its exact text in UTF-8, in lower-case hexadecimal digits."""
    return sha256(text.encode()).hexdigest()


def switches_of(parsed: DocumentNode) -> tuple[str, ...]:
    """Names of the variables that decide what is selected."""
    names: set[str] = set()

    class Switches(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            if node.name.value in {"skip", "include"}:
                names.update(_variables(node.arguments))

    visit(parsed, Switches())
    return tuple(sorted(names))


def variables_below_root(parsed: DocumentNode, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """Names of all that are used anywhere but in the arguments of a root field of the operation."""
    names: set[str] = set()
    fragments = [one for one in parsed.definitions if not isinstance(one, OperationDefinitionNode)]

    class Uses(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            names.add(node.name.value)

    below: list[Any] = [*fragments, *(operation.directives or ())]
    for selected in operation.selection_set.selections:
        if isinstance(selected, FieldNode):
            below += [*(selected.directives or ()), *filter(None, [selected.selection_set])]
        else:
            below.append(selected)
    for node in below:
        visit(node, Uses())
    return tuple(sorted(names))


def _variables(arguments: tuple[ArgumentNode, ...] | None) -> Iterator[str]:
    for argument in arguments or ():
        if isinstance(argument.value, VariableNode):
            yield argument.value.name.value


class KnownDocuments(SchemaExtension):
    """Spares parsing and validating of what `documents` knows, hands its plans to the executor, and refuses what asks
    for more than `limits` let it.
    """

    def __init__(self, documents: Documents, limits: Limits) -> None:
        self._documents = documents
        self._limits = limits
        self._document: Document | None = None

    def on_parse(self) -> Iterator[None]:
        running = self.execution_context
        self._document = self._documents.find(running.query or "")
        if self._document is not None:
            running.graphql_document = self._document.parsed
        running.parse_options["max_tokens"] = self._limits.tokens
        yield

    def on_validate(self) -> Iterator[None]:
        """What is known is valid; what is not is validated here, so that nothing too costly runs the first time."""
        running = self.execution_context
        try:
            if self._document is None:
                self._validate()
            if self._document is not None:
                running.pre_execution_errors = []
                self._check_cost(self._document)
        except GraphQLError as refused:
            running.pre_execution_errors = [refused]
        yield
        running.context.document = self._document

    def _validate(self) -> None:
        running = self.execution_context
        parsed, schema = cast(DocumentNode, running.graphql_document), cast(Any, running.schema)._schema
        check_form(parsed, self._limits)
        rules = (*running.validation_rules, MaybeNullValidationRule, OneOfInputValidationRule)
        running.pre_execution_errors = validate(schema, parsed, rules, max_errors=MOST_ERRORS)
        if not running.pre_execution_errors:
            self._document = self._documents.keep(cast(str, running.query), parsed, costs_of(schema, parsed))

    def _check_cost(self, document: Document) -> None:
        running = self.execution_context
        cost = document.cost(cast(Any, running)._provided_operation_name, running.variables)
        if cost > self._limits.cost:
            raise too_costly(cost, self._limits)
