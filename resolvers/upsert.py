"""Rows of input that are written together, and what is refused of them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from domain.refusal import Gathering, Refusal, ValidationFailed, refusals_of
from domain.upsert import MOST_ROWS, OnError, RowResult, Rows

T = TypeVar("T")


def rows_of(given: Any, build: Callable[[Any], T]) -> Rows[T]:
    """The rows that can be made, and why others cannot."""
    if not 1 <= len(given.rows) <= MOST_ROWS:
        raise ValidationFailed(f"Give 1 to {MOST_ROWS:,} rows.", path=("rows",))
    built: dict[int, T] = {}
    refused: dict[int, list[Refusal]] = {}
    for i, row in enumerate(given.rows):
        try:
            built[i] = build(row)
        except (Refusal, ExceptionGroup) as error:
            refused[i] = list(refusals_of(error))
    return Rows(built, refused, OnError(given.on_error))


def refuse_all(results: Sequence[RowResult], on_error: OnError) -> None:
    """With ABORT what is refused of a row is refused as a whole, under the row."""
    gathering = Gathering()
    for result in results:
        with gathering.at("rows", str(result.index)):
            if result.refusals and on_error == OnError.ABORT:
                raise ExceptionGroup("refused", result.refusals)
    gathering.raise_if_any()
