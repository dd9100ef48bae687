"""Values that were used last, bounded by their number and by their size."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """What was not used for longest makes room. What is larger than `most_size` alone is not kept."""

    def __init__(self, most: int, most_size: int) -> None:
        self._most, self._most_size = most, most_size
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> T | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: str, value: T, size: int) -> None:
        self.drop(key)
        self._kept[key] = value, size
        self._size += size
        while len(self._kept) > self._most or self._size > self._most_size:
            self.drop(next(iter(self._kept)))

    def drop(self, key: str) -> None:
        _, size = self._kept.pop(key, (None, 0))
        self._size -= size
