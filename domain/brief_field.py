"""The fields of a form for a brief, read off the product's JSON Schema, for clients that read no JSON Schema."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any, Final, cast


class BriefFieldKind(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    EMAIL = "email"
    URL = "url"
    CHOICE = "choice"
    CHOICES = "choices"
    OTHER = "other"


@dataclass(frozen=True)
class BriefField:
    """A property of the brief. What the schema does not say, or not so that a form could use it, is null or empty."""

    name: str
    kind: BriefFieldKind
    label: str
    required: bool
    description: str | None
    choices: list[str]
    minimum: float | None
    maximum: float | None
    min_length: int | None
    max_length: int | None
    pattern: str | None
    default: Any


_TYPES: Final = {name: BriefFieldKind(name) for name in ("integer", "number", "boolean")}
_FORMATS: Final = {
    "date": BriefFieldKind.DATE,
    "date-time": BriefFieldKind.TIME,
    "email": BriefFieldKind.EMAIL,
    "uri": BriefFieldKind.URL,
}


def fields_of(schema: Mapping[str, Any] | None) -> list[BriefField]:
    """By their `propertyOrder`, a number that many makers of forms know; then as `required` lists them; then by name.

    JSON in PostgreSQL keeps no order of its own. What combines or nests is OTHER: there the schema itself tells.
    """
    properties = cast("dict[str, Any]", (schema or {}).get("properties", {}))
    required = cast("list[str]", (schema or {}).get("required", []))
    fields = [(_place(part), _field(name, part, name in required)) for name, part in _parts(properties)]
    places = {name: i for i, name in enumerate(required)}
    fields.sort(key=lambda one: (one[0], places.get(one[1].name, len(places)), one[1].name))
    return [field for _, field in fields]


def _parts(properties: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, _plain(part)) for name, part in properties.items())


def _place(part: dict[str, Any]) -> float:
    told = part.get("propertyOrder")
    return told if isinstance(told, int | float) else inf


def _plain(part: Any) -> dict[str, Any]:
    """A schema may also be true or false."""
    return cast("dict[str, Any]", part) if isinstance(part, dict) else {}


def _field(name: str, part: dict[str, Any], required: bool) -> BriefField:
    kind, choices = _kind(part)
    return BriefField(
        name=name,
        kind=kind,
        label=part.get("title") or name,
        required=required,
        description=part.get("description"),
        choices=choices,
        minimum=part.get("minimum"),
        maximum=part.get("maximum"),
        min_length=_whole(part.get("minLength")),
        max_length=_whole(part.get("maxLength")),
        pattern=part.get("pattern"),
        default=part.get("default"),
    )


def _kind(part: dict[str, Any]) -> tuple[BriefFieldKind, list[str]]:
    if choices := _texts(part.get("enum")):
        return BriefFieldKind.CHOICE, choices
    type_ = _type(part.get("type"))
    if type_ == "array":
        items = _texts(_plain(part.get("items")).get("enum"))
        return (BriefFieldKind.CHOICES, items) if items and part.get("uniqueItems") else (BriefFieldKind.OTHER, [])
    if type_ == "string":
        return _FORMATS.get(part.get("format", ""), BriefFieldKind.TEXT), []
    return _TYPES.get(type_, BriefFieldKind.OTHER), []


def _type(told: Any) -> str:
    """The one type, where it may also be null."""
    listed = [name for name in cast("list[str]", told if isinstance(told, list) else [told]) if name != "null"]
    return str(listed[0]) if len(listed) == 1 else ""


def _texts(values: Any) -> list[str]:
    """What there is to choose from, if all of it is text."""
    listed = cast("list[Any]", values) if isinstance(values, list) else []
    return listed if all(isinstance(value, str) for value in listed) else []


def _whole(number: float | None) -> int | None:
    """JSON Schema writes 5 as 5.0 too."""
    return None if number is None else min(int(number), 2**31 - 1)
