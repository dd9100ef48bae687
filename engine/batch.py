"""Batches: relations as data. A field names a batch and a key; all keys of a level are loaded by one call."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
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
        self._values: defaultdict[Batch, dict[Any, Any]] = defaultdict(dict)
        self._turns: defaultdict[Batch, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._loaders: dict[Batch, DataLoader[Any, Any]] = {}

    async def load(self, batch: Batch, key: Hashable) -> Any:
        """One value; keys that are asked for in the same tick of the loop are loaded together."""
        values = self._values[batch]
        if key in values:
            return values[key]
        loader = self._loaders.get(batch)
        if loader is None:
            loader = self._loaders[batch] = self._loader(batch)
        return await loader.load(key)

    async def load_many(self, batch: Batch, keys: Iterable[Hashable]) -> list[Any]:
        """One value per key, in their order, by at most one call of the batch."""
        wanted = list(keys)
        values = self._values[batch]
        if not all(key in values for key in wanted):
            async with self._turns[batch]:  # whoever comes second finds what the first one loaded
                missing = [key for key in dict.fromkeys(wanted) if key not in values]
                if missing:
                    values.update(zip(missing, await batch.load(self._context, missing), strict=True))
        return [values[key] for key in wanted]

    def _loader(self, batch: Batch) -> DataLoader[Any, Any]:
        async def load(keys: list[Any]) -> list[Any]:
            return await self.load_many(batch, keys)

        return DataLoader(load, cache=False)  # the values are kept here

    def clear(self) -> None:
        """After a mutation, and between the items of a subscription, nothing loaded before is true any more."""
        self._values.clear()
        self._turns.clear()
        self._loaders.clear()
