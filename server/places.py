"""Places that are limited: who takes one gives it back, whatever happens in between."""

from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from domain.actor import Actor


@dataclass(frozen=True)
class SocketLimits:
    operations: int = 100
    """Of one connection at once."""
    connections: int = 50
    """Of one network address, and of one caller who has signed in; in each process."""
    seconds_to_begin: float = 10.0
    """Until `connection_init`."""
    seconds_to_read: float = 14.0
    """Until a client that does not read what it is sent is let go."""


def person(actor: Actor) -> tuple[Any, ...] | None:
    """Whose places a connection takes, apart from those of its address; guests have no others."""
    known = actor.id or actor.api_key_id
    return None if known is None else (actor.kind, known)


class NoPlace(Exception):
    """All places of this key are taken."""


class Places:
    """So many at once for each key, in this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def taken(self, key: Hashable | None) -> Generator[None]:
        """One for as long as this lasts; whoever is nobody in particular (null) is not counted."""
        if key is None:
            yield
            return
        if self._taken[key] >= self._most:
            raise NoPlace
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
