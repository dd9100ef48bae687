"""Briefs: what a customer tells about the work on their line, typed by the product's JSON Schema."""

from collections.abc import Mapping
from typing import Any, Final, cast

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from domain.refusal import Gathering, Key, ValidationFailed

LARGEST_BYTES: Final = 20_000


def _validator(schema: Mapping[str, Any]) -> Any:
    return Draft202012Validator(schema)


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuses what briefs could not be checked against: what is no JSON Schema of an object, what would have to be
    fetched from elsewhere, and what refers to itself without end.
    """
    if len(orjson.dumps(schema)) > LARGEST_BYTES:
        raise ValidationFailed(f"A schema of briefs has at most {LARGEST_BYTES:,} bytes.")
    if schema.get("type") != "object":
        raise ValidationFailed("A brief is an object: the schema's type is object.")
    if _names(schema) & _REFERENCES:
        raise ValidationFailed("Write every part of the schema where it is needed: it cannot refer to others.")
    try:
        cast("Any", Draft202012Validator).check_schema(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    except SchemaError as error:
        raise ValidationFailed(f"This is not a JSON Schema: {error.message[:300]}") from None


_REFERENCES: Final = {"$ref", "$dynamicRef", "$recursiveRef"}


def _names(value: Any) -> set[str]:
    """All names of properties, however deep."""
    if isinstance(value, Mapping):
        parts = cast("Mapping[str, Any]", value)
        return {*parts, *(name for part in parts.values() for name in _names(part))}
    if isinstance(value, list):
        return {name for part in cast("list[Any]", value) for name in _names(part)}
    return set()


def is_complete(brief: Mapping[str, Any] | None, schema: Mapping[str, Any] | None) -> bool:
    """Nothing is missing: the product asks for no brief, or a valid one was given."""
    return schema is None or (brief is not None and _validator(schema).is_valid(brief))


def check_brief(brief: Mapping[str, Any] | None, schema: Mapping[str, Any] | None) -> None:
    """Refuses a brief that does not fit its schema, with a path to every field that is wrong."""
    if brief is None:
        return
    if schema is None:
        raise ValidationFailed("This product takes no brief.", path=("brief",))
    if len(orjson.dumps(brief)) > LARGEST_BYTES:
        raise ValidationFailed(f"A brief has at most {LARGEST_BYTES:,} bytes.", path=("brief",))
    gathering = Gathering()
    for error in sorted(_validator(schema).iter_errors(brief), key=lambda error: [str(p) for p in error.path]):
        with gathering.at("brief", *(Key(part) for part in error.path)):
            raise ValidationFailed(error.message[:300])
    gathering.raise_if_any()
