"""Batches: relations as data. A field names a batch and a key; all keys of a level are loaded by one call."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from aiodataloader import DataLoader


@dataclass(frozen=True, eq=False)
class Batch:
    """`load(context, keys)` answers with one value per key, in their order; keys are unique and hashable."""

    name: str
    load: Callable[[Any, list[Any]], Awaitable[Sequence[Any]]]


class Loaded:
    """The cache of one operation: each key of a batch is loaded once until `clear`."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._loaders: dict[Batch, DataLoader[Any, Any]] = {}

    async def load(self, batch: Batch, key: Hashable) -> Any:
        loader = self._loaders.get(batch)
        if loader is None:
            loader = self._loaders[batch] = self._loader(batch)
        return await loader.load(key)

    def _loader(self, batch: Batch) -> DataLoader[Any, Any]:
        async def load(keys: list[Any]) -> list[Any]:
            return list(await batch.load(self._context, keys))

        return DataLoader(load)

    def clear(self) -> None:
        """After a mutation, and between the items of a subscription, nothing loaded before is true any more."""
        self._loaders.clear()
