"""Which values of a product still lead to a variant, and to one that can be bought, for who has chosen some already."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live variant: the ids of its values, and whether it can be bought."""

    values: frozenset[UUID]
    buyable: bool


class Reach(NamedTuple):
    """Of a value: there is a variant with it and with all else that is selected; one of them can be bought."""

    exists: bool
    available: bool


def reach(
    options: Mapping[UUID, Sequence[UUID]], selected: Mapping[UUID, UUID | None], candidates: Iterable[Candidate]
) -> dict[UUID, Reach]:
    """By value, for values by option. Whatever is selected of an option itself does not count for its own values: they
    are what one could choose instead. Null is a value that no variant has.
    """
    listed = list(candidates)
    found: dict[UUID, Reach] = {}
    for option, values in options.items():
        others = {value for other, value in selected.items() if other != option}
        matching = [candidate for candidate in listed if others <= candidate.values]
        existing = {value for candidate in matching for value in candidate.values}
        available = {value for candidate in matching if candidate.buyable for value in candidate.values}
        found |= {value: Reach(value in existing, value in available) for value in values}
    return found
