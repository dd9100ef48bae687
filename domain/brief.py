"""Briefs: what a customer tells about the work on their line, typed by the product's JSON Schema.

Staff write the schema and anybody sends the brief, so whatever would let a small brief keep a process busy for long is
refused in the schema, or done here in another way than the library does it.
"""

from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

import orjson
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError, ValidationError

from domain.brief_pattern import MOST_STEPS, Unclear, pattern
from domain.refusal import Gathering, Key, ValidationFailed

LARGEST_BYTES: Final = 20_000
DEEPEST: Final = 50
"""Parts of a schema in parts."""
MOST_TOLD: Final = 50
"""Faults of a brief."""
MOST_WORK: Final = 100_000
"""Parts of a schema times values of a brief: each may have to be held to each."""


def _matches(_validator: Any, written: str, instance: Any, _schema: Any) -> Generator[Any]:
    if isinstance(instance, str) and not _is_found(written, instance):
        yield ValidationError(f"This does not have the form {written}")


def _is_found(written: str, text: str) -> bool:
    try:
        return pattern(written).search(text) is not None
    except Unclear:  # of a schema that no one would be let write now; staff see what the brief says
        return True


def _differ(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Generator[Any]:
    """The library compares each with each."""
    if wanted and isinstance(instance, list):
        items = cast("list[Any]", instance)
        if len({orjson.dumps(_plainest(one), option=orjson.OPT_SORT_KEYS) for one in items}) < len(items):
            yield ValidationError("Something is there twice")


def _plainest(value: Any) -> Any:
    """1.0 is the same as 1."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_plainest(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _plainest(one) for name, one in cast("dict[str, Any]", value).items()}
    return value


_Checker: Final[Any] = cast("Any", validators).extend(
    Draft202012Validator, {"pattern": _matches, "uniqueItems": _differ}
)


def _validator(schema: Mapping[str, Any]) -> Any:
    return _Checker(schema)


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuses what briefs could not be checked against: what is no JSON Schema of an object, what would have to be
    fetched from elsewhere, what refers to itself without end, and what may take long.
    """
    parts = list(_parts(schema))
    if len(orjson.dumps(schema)) > LARGEST_BYTES:
        raise ValidationFailed(f"A schema of briefs has at most {LARGEST_BYTES:,} bytes.")
    if schema.get("type") != "object":
        raise ValidationFailed("A brief is an object: the schema's type is object.")
    names = {name for part in parts for name in part}
    if names & _REFERENCES:
        raise ValidationFailed("Write every part of the schema where it is needed: it cannot refer to others.")
    if names & _LONG:
        raise ValidationFailed("Name the properties: patternProperties, unevaluatedProperties … may take too long.")
    _check_patterns(parts)
    try:
        cast("Any", Draft202012Validator).check_schema(schema, format_checker=_FORMATS)
    except SchemaError as error:
        raise ValidationFailed(f"This is not a JSON Schema: {error.message[:300]}") from None


_FORMATS: Final = FormatChecker(set(cast("Any", Draft202012Validator).FORMAT_CHECKER.checkers) - {"regex"})
"""But for patterns, which it would have Python's own expressions read."""
_REFERENCES: Final = {"$ref", "$dynamicRef", "$recursiveRef"}
_LONG: Final = {"patternProperties", "unevaluatedProperties", "unevaluatedItems"}
"""The library tries patterns of its own way for the first, and each part anew on each level for the others."""


def _parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All objects in it."""
    more: list[tuple[Any, int]] = [(schema, 0)]
    while more:
        value, level = more.pop()
        if level > DEEPEST:
            raise ValidationFailed(f"A schema of briefs is at most {DEEPEST} levels deep.")
        if isinstance(value, Mapping):
            part = cast("Mapping[str, Any]", value)
            yield part
            more += [(one, level + 1) for one in part.values()]
        elif isinstance(value, list):
            more += [(one, level + 1) for one in cast("list[Any]", value)]


def _values(brief: Mapping[str, Any]) -> int:
    more: list[Any] = [brief]
    for value in more:
        if isinstance(value, Mapping):
            more += cast("Mapping[str, Any]", value).values()
        elif isinstance(value, list):
            more += cast("list[Any]", value)
    return len(more)


def _check_patterns(parts: list[Mapping[str, Any]]) -> None:
    """Their steps count together, as all of them may be tried on the same text."""
    steps = 0
    for written in (part["pattern"] for part in parts if isinstance(part.get("pattern"), str)):
        try:
            steps += pattern(written).programsize
        except Unclear as unclear:
            raise ValidationFailed(f"The pattern {written[:100]!r} cannot be followed: {unclear}.") from None
    if steps > MOST_STEPS:
        raise ValidationFailed("Its patterns are too large; say by maxLength how long texts may be.")


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
    if len(list(_parts(schema))) * _values(brief) > MOST_WORK:
        raise ValidationFailed("A brief cannot say so many things.", path=("brief",))
    gathering = Gathering()
    found = islice(_validator(schema).iter_errors(brief), MOST_TOLD)
    for error in sorted(found, key=lambda error: [str(p) for p in error.path]):
        with gathering.at("brief", *(Key(part) for part in error.path)):
            raise ValidationFailed(error.message[:300])
    gathering.raise_if_any()
