"""Where the values of a field come from, said as data, so that a level of objects is resolved by one step.

A field carries one of these in its Strawberry metadata under `SOURCE`. A field that carries none is none of the
engine's business: a query that selects it is handed over to graphql-core as a whole.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.batch import Batch

SOURCE: Final = "engine.source"
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """The attribute or entry of the parent with this name."""

    name: str


@dataclass(frozen=True)
class Computed:
    """A function of the parent alone."""

    compute: Callable[[Any], Any]


@dataclass(frozen=True)
class Related:
    """A batch: `keys(parents, arguments)` says what to load for each, null for nothing; `then` makes the value of what
    came.
    """

    batch: Batch
    keys: Callable[[Sequence[Any], Arguments], list[Any]]
    then: Callable[[Any], Any] | None = None
    prepare: Callable[[Arguments], Arguments] | None = None
    """What is done to the arguments once, before the keys are made."""


@dataclass(frozen=True)
class Asked:
    """A coroutine per parent: `ask(context, parent, arguments)`. `shared` is said as of a batch."""

    ask: Callable[[Any, Any, Arguments], Awaitable[Any]]
    shared: bool = False


def is_shared(source: "Source") -> bool:
    """What it gives is the same for everybody in the same context."""
    if isinstance(source, Related):
        return source.batch.shared
    return source.shared if isinstance(source, Asked) else True


Source = Column | Computed | Related | Asked
