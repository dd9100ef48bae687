"""Places that are limited: who takes one gives it back, whatever happens in between."""

from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager


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
