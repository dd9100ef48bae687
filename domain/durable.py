"""Durable work as data: reactions to events, made of steps that can be undone.

What runs them (DBOS) is the business of `server/worker.py`; here it is only said what is to be done.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.event import Event

if TYPE_CHECKING:
    from domain.processes.shop import Shop

Action = Callable[["Shop", Any], Awaitable[None]]
"""Takes the shop and the event. May run twice (a crash between effect and record), so it is idempotent."""


@dataclass(frozen=True)
class Step:
    """`do` is tried `tries` times, `pause` seconds apart; then the steps before it are undone, last first."""

    do: Action
    undo: Action | None = None
    tries: int = 3
    pause: float = 1.0

    @property
    def name(self) -> str:
        return self.do.__name__


@dataclass(frozen=True)
class Reaction:
    """When `event` was announced, do `steps` in turn. A failed reaction is retried with back-off for a day."""

    name: str
    event: type[Event]
    steps: tuple[Step, ...]


def by_event(reactions: tuple[Reaction, ...]) -> dict[str, list[str]]:
    """Names of reactions by the name of their event, as `Tx` wants them."""
    table: dict[str, list[str]] = {}
    for reaction in reactions:
        table.setdefault(reaction.event.__name__, []).append(reaction.name)
    return table
