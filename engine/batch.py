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
        self._flights: defaultdict[Batch, dict[Any, asyncio.Task[None]]] = defaultdict(dict)
        """The call that will bring each key that is not there yet."""
        self._boardings: dict[Batch, tuple[dict[Any, None], asyncio.Task[None]]] = {}
        """Per batch the call that still takes keys: it begins when everything of this tick has asked."""
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
        """One value per key, in their order. What is asked for in the same tick of the loop is one call."""
        wanted = list(keys)
        values, flights = self._values[batch], self._flights[batch]
        missing = [key for key in wanted if key not in values]
        if missing:
            new = [key for key in missing if key not in flights]
            if new:
                flights.update(dict.fromkeys(new, self._boarding(batch, new)))
            for flight in {flights[key] for key in missing if key not in values}:
                await asyncio.shield(flight)
        return [values[key] for key in wanted]

    def _boarding(self, batch: Batch, keys: list[Any]) -> "asyncio.Task[None]":
        """The call that has not begun yet, with these keys on it."""
        boarding = self._boardings.get(batch)
        if boarding is None:
            passengers: dict[Any, None] = {}
            boarding = self._boardings[batch] = passengers, asyncio.ensure_future(self._fly(batch, passengers))
        boarding[0].update(dict.fromkeys(keys))
        return boarding[1]

    async def _fly(self, batch: Batch, passengers: dict[Any, None]) -> None:
        values, flights = self._values[batch], self._flights[batch]
        self._boardings.pop(batch, None)
        keys = list(passengers)
        try:
            values.update(zip(keys, await batch.load(self._context, keys), strict=True))
        finally:
            for key in keys:
                flights.pop(key, None)

    def _loader(self, batch: Batch) -> DataLoader[Any, Any]:
        async def load(keys: list[Any]) -> list[Any]:
            return await self.load_many(batch, keys)

        return DataLoader(load, cache=False)  # the values are kept here

    def clear(self) -> None:
        """After a mutation, and between the items of a subscription, nothing loaded before is true any more."""
        self._values.clear()
        self._flights.clear()
        self._boardings.clear()
        self._loaders.clear()
