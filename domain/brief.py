"""Briefs: what a customer tells about the work on their line, typed by the product's JSON Schema."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator

from domain.refusal import Gathering, Key, ValidationFailed

LARGEST_BYTES: Final = 20_000


def _validator(schema: Mapping[str, Any]) -> Any:
    return Draft202012Validator(schema)


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
