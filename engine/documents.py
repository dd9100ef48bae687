"""Documents that were seen before: parsed, found valid, and planned once."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import ArgumentNode, DirectiveNode, DocumentNode, VariableNode, Visitor, visit
from strawberry.extensions import SchemaExtension

from engine.plan import Selection

MOST: Final = 1_000
MOST_PLANS: Final = 32
"""Of one document: so many switches could be written into it that their combinations never end."""


@dataclass
class Document:
    """`switches` are the variables that `@skip` and `@include` go by: each set of their values has its plans."""

    parsed: DocumentNode
    switches: tuple[str, ...]
    plans: dict[Any, Selection | str] = field(default_factory=dict[Any, "Selection | str"])
    """Or why there can be none."""

    def keep(self, key: Any, plan: Selection | str) -> None:
        self.plans[key] = plan
        if len(self.plans) > MOST_PLANS:
            del self.plans[next(iter(self.plans))]


class Documents:
    """The last `most` valid documents by their text. What is not valid is not kept: anybody can write that."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, Document] = OrderedDict()

    def find(self, text: str) -> Document | None:
        document = self._known.get(text)
        if document is not None:
            self._known.move_to_end(text)
        return document

    def keep(self, text: str, parsed: DocumentNode) -> Document:
        document = self._known[text] = Document(parsed, switches_of(parsed))
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return document


def switches_of(parsed: DocumentNode) -> tuple[str, ...]:
    """Names of the variables that decide what is selected."""
    names: set[str] = set()

    class Switches(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            if node.name.value in {"skip", "include"}:
                names.update(_variables(node.arguments))

    visit(parsed, Switches())
    return tuple(sorted(names))


def _variables(arguments: tuple[ArgumentNode, ...] | None) -> Iterator[str]:
    for argument in arguments or ():
        if isinstance(argument.value, VariableNode):
            yield argument.value.name.value


class KnownDocuments(SchemaExtension):
    """Spares parsing and validating of what `documents` knows, and hands its plans to the executor."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._document: Document | None = None

    def on_parse(self) -> Iterator[None]:
        running = self.execution_context
        self._document = self._documents.find(running.query or "")
        if self._document is not None:
            running.graphql_document = self._document.parsed
        yield

    def on_validate(self) -> Iterator[None]:
        running = self.execution_context
        if self._document is not None:
            running.pre_execution_errors = []
        yield
        if self._document is None and running.query and running.graphql_document and not running.pre_execution_errors:
            self._document = self._documents.keep(running.query, running.graphql_document)
        running.context.document = self._document
