"""Reading the files that tools of clients write: which documents a client will ask for, by which ids."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import orjson
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, parse, specified_rules
from strawberry.schema.schema import validate_document

from domain.document import RegisterDocument
from domain.refusal import Refusal
from engine.documents import hash_of
from schema import Schema

OF_APOLLO: Final = "apollo-persisted-query-manifest"


class WrongManifest(Exception):
    """The file as a whole is not what it should be; one sentence says why."""


@dataclass(frozen=True)
class Problem:
    file: Path
    message: str
    id: str | None = None
    """Null: it is about the whole file."""


@dataclass
class Manifests:
    """What all files together want to be registered, and why that cannot be."""

    commands: dict[RegisterDocument, Path] = field(default_factory=dict[RegisterDocument, Path])
    problems: list[Problem] = field(default_factory=list[Problem])


def read_manifests(paths: list[Path], schema: Schema) -> Manifests:
    """Every document is checked against the schema; everything that is wrong is told at once."""
    read = Manifests()
    for path in paths:
        try:
            listed = list(documents_in(path))
        except WrongManifest as error:
            read.problems.append(Problem(path, str(error)))
            continue
        for id_, text in listed:
            try:
                read.commands[RegisterDocument(id_, text, operations_of(schema, text))] = path
            except Refusal as refusal:
                read.problems.append(Problem(path, refusal.message, id_))
            except ExceptionGroup as errors:
                read.problems += [Problem(path, message_of(error), id_) for error in errors.exceptions]
    return read


def documents_in(path: Path) -> Iterator[tuple[str, str]]:
    """Ids with their texts."""
    try:
        content = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise WrongManifest("The file is not UTF-8.") from None
    if path.suffix in {".graphql", ".gql"}:
        yield f"sha256:{hash_of(content)}", content
        return
    try:
        manifest = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise WrongManifest(f"The file is not JSON: {error}.") from None
    if not isinstance(manifest, dict) or not manifest:
        raise WrongManifest("A manifest is a JSON object with an id and a text for each document.")
    known = cast("dict[str, Any]", manifest)
    for id_, text in _of_apollo(known) if "format" in known else known.items():
        if not isinstance(id_, str) or not isinstance(text, str):
            raise WrongManifest(f"{id_} must be an id with the text of a document.")
        yield id_, text


def _of_apollo(manifest: dict[str, Any]) -> list[tuple[Any, Any]]:
    if manifest["format"] != OF_APOLLO or manifest.get("version") != 1:
        raise WrongManifest(f"A manifest with a format has the format {OF_APOLLO} in version 1.")
    try:
        return [(operation["id"], operation["body"]) for operation in manifest["operations"]]
    except (KeyError, TypeError):
        raise WrongManifest("operations must be a list of objects with an id and a body.") from None


def operations_of(schema: Schema, text: str) -> tuple[str, ...]:
    """What is in a valid document, such as `query Browse`; an ExceptionGroup says everything that is wrong."""
    try:
        parsed = parse(text)
        errors = validate_document(cast(Any, schema)._schema, parsed, tuple(specified_rules))
    except (GraphQLError, RecursionError) as error:
        raise ExceptionGroup("not GraphQL", [error]) from None
    if errors:
        raise ExceptionGroup("not valid", errors)
    return tuple(_operations(parsed))


def _operations(parsed: DocumentNode) -> Iterator[str]:
    for node in parsed.definitions:
        if isinstance(node, OperationDefinitionNode):
            yield f"{node.operation.value} {node.name.value}" if node.name else node.operation.value


def message_of(error: Exception) -> str:
    """With the place in the document, where there is one."""
    places = error.locations if isinstance(error, GraphQLError) else None
    message = error.message if isinstance(error, GraphQLError) else str(error)
    return f"{places[0].line}:{places[0].column}: {message}" if places else message
