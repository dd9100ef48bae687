"""Writing many rows of input at once, each found or made, by the policy for rows that are refused."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic, TypeVar
from uuid import UUID

from domain.product import Outcome
from domain.refusal import Refusal, refusals_of

MOST_ROWS: Final = 1_000
T = TypeVar("T")


class OnError(StrEnum):
    """What becomes of the other rows when one is refused."""

    ABORT = "abort"
    SKIP = "skip"


@dataclass
class RowResult:
    """What became of the row at `index`; with refusals, whose paths begin inside the row, nothing did."""

    index: int
    id: UUID | None = None
    outcome: Outcome | None = None
    refusals: list[Refusal] = field(default_factory=list[Refusal])


@dataclass(frozen=True)
class Written:
    id: UUID
    outcome: Outcome


@dataclass(frozen=True)
class Rows(Generic[T]):
    """Rows by their index in the input, those among them that could not be made, and the policy."""

    built: Mapping[int, T]
    refused: Mapping[int, Sequence[Refusal]]
    on_error: OnError

    def results(self, written: Mapping[int, Written], refused: Mapping[int, Sequence[Refusal]]) -> list[RowResult]:
        """In the order of the input."""
        results = [
            *(RowResult(i, one.id, one.outcome) for i, one in written.items()),
            *(RowResult(i, refusals=list(refusals)) for i, refusals in {**self.refused, **refused}.items()),
        ]
        return sorted(results, key=lambda result: result.index)


Attempt = Callable[[Mapping[int, T]], Awaitable[Mapping[int, Written]]]
"""Writes all of the rows, or refuses before anything is written; paths begin with the index of the row."""


async def by_policy(rows: Rows[T], attempt: Attempt[T]) -> list[RowResult]:
    """Tries without the rows that are refused until the others are written; with ABORT not even once."""
    refused: dict[int, Sequence[Refusal]] = {}
    left: dict[int, T] = dict(rows.built)
    written: Mapping[int, Written] = {}
    while left and not (rows.on_error == OnError.ABORT and (rows.refused or refused)):
        try:
            written = await attempt(left)
            break
        except (Refusal, ExceptionGroup) as error:
            refused.update(_by_row(error))
            left = {i: row for i, row in left.items() if i not in refused}
    return rows.results(written, refused)


def _by_row(error: Refusal | ExceptionGroup) -> dict[int, list[Refusal]]:
    """What is not about a row is raised on, and so is a bug of ours."""
    if isinstance(error, ExceptionGroup) and error.split(Refusal)[1] is not None:
        raise error
    by_row: dict[int, list[Refusal]] = {}
    for refusal in refusals_of(error):
        if not refusal.path or not refusal.path[0].isdecimal():
            raise error
        index, *rest = refusal.path
        refusal.path = tuple(rest)
        by_row.setdefault(int(index), []).append(refusal)
    return by_row
