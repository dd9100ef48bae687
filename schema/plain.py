"""Arguments as resolvers get them: plain data, nothing of Strawberry in it, and nothing that cannot be stored.

What PostgreSQL cannot hold (U+0000 in text and JSON, times without a zone) or JSON cannot say (infinite and oversized
numbers) is refused here for every argument at once, with its path, before any resolver sees it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, cast

from strawberry import UNSET

from domain.refusal import Gathering, Key, ValidationFailed

PARTIAL: Final = "given"
"""The attribute of inputs of changes that has what was given, by name: null, too, but not what was left out."""
DEEPEST: Final = 100
"""Levels of one argument; what is deeper could be stored but not be answered with."""
LARGEST_WHOLE: Final = 2**63 - 1
_ENDS: Final = frozenset({datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)})
"""What asyncpg writes as infinite, and reads back without a zone."""


def plain(value: Any) -> Any:
    """An input: what was left out is None, a code is its text. Refuses every part that cannot be stored at once."""
    gathering = Gathering()
    made = _plain(value, (), gathering)
    gathering.raise_if_any()
    return made


def plain_all(names: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the arguments of a field, by their names; the ones left out are None."""
    gathering = Gathering()
    made = {name: _plain(values.get(name), (name,), gathering) for name in names}
    gathering.raise_if_any()
    return made


def _plain(value: Any, path: tuple[str, ...], gathering: Gathering) -> Any:
    with gathering.at(*path):
        _check(value, len(path))
        if value is UNSET:
            return None
        if isinstance(value, Enum) and not isinstance(value, str):
            return value.value
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return [_plain(item, (*path, str(i)), gathering) for i, item in enumerate(items)]
        if isinstance(value, dict):
            parts = cast("dict[str, Any]", value)
            return {_checked_key(k): _plain(part, (*path, Key(k)), gathering) for k, part in parts.items()}
        if is_dataclass(value):
            told = [name for name, part in vars(value).items() if part is not UNSET]
            for name, part in vars(value).items():
                setattr(value, name, _plain(part, (*path, name), gathering))
            if hasattr(type(value), PARTIAL):
                setattr(value, PARTIAL, {name: getattr(value, name) for name in told})
    return value


def _checked_key(key: str) -> str:
    _check(key, 0)
    return key


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValidationFailed(f"This is nested more than {DEEPEST} levels deep.")
    if isinstance(value, str) and "\0" in value:
        raise ValidationFailed("Text cannot contain the character U+0000.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValidationFailed("This is not a finite number.")
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise ValidationFailed("A whole number has at most 64 bits.")
    if isinstance(value, datetime):
        _check_time(value)


def _check_time(value: datetime) -> None:
    if value.tzinfo is None:
        raise ValidationFailed("Say in which time zone, for example 2030-01-01T00:00:00Z.")
    try:
        moments = {value.replace(tzinfo=UTC), value.astimezone(UTC)}
    except OverflowError:
        raise ValidationFailed("This time lies outside of the years 1 to 9999.") from None
    if moments & _ENDS:
        raise ValidationFailed("This is the first or the last time that there is: leave it out instead.")
