"""Documents that were seen before: parsed, found valid, and planned once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)
from strawberry.extensions import SchemaExtension

from engine.plan import Selection
from engine.recent import Recent

MOST: Final = 1_000
MOST_CHARACTERS: Final = 500_000
"""Of all texts together: parsed, a document takes some hundred times the memory of its text."""
MOST_PLANS: Final = 32
"""Of one document: so many switches could be written into it that their combinations never end."""


@dataclass
class Document:
    """`switches` are the variables that `@skip` and `@include` go by: each set of their values has its plans."""

    text: str
    parsed: DocumentNode
    switches: tuple[str, ...]
    plans: dict[Any, Selection | str] = field(default_factory=dict[Any, "Selection | str"])
    """Or why there can be none."""

    def query(self, name: str | None) -> OperationDefinitionNode | None:
        """The query that is meant, if there is no doubt about it."""
        listed = [one for one in self.parsed.definitions if isinstance(one, OperationDefinitionNode)]
        if name is not None:
            listed = [one for one in listed if one.name is not None and one.name.value == name]
        return listed[0] if len(listed) == 1 and listed[0].operation is OperationType.QUERY else None

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

    def keep(self, text: str, parsed: DocumentNode) -> Document:
        document = Document(text, parsed, switches_of(parsed))
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
