"""Batches: relations as data. A field names a batch and a key; all keys of a level are loaded by one call."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Batch:
    """`load(context, keys)` answers with one value per key, in their order; keys are unique and hashable."""

    name: str
    load: Callable[[Any, list[Any]], Awaitable[Sequence[Any]]]
    shared: bool = False
    """Its values are the same for everybody who asks in the same context, so an answer made of them may be kept."""


class _Flight:
    """One call of a batch: the keys on it, and who waits for them."""

    def __init__(self) -> None:
        self.passengers: dict[Any, None] = {}
        self.waiting = 0
        self.task: asyncio.Task[None] | None = None
        self._landed = False
        self._failure: BaseException | None = None
        self._waiters: list[asyncio.Future[None]] = []

    async def landed(self) -> None:
        """A waiter that is cancelled takes nobody's flight along."""
        if not self._landed:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self._failure is not None:
            raise self._failure

    def land(self, failure: BaseException | None = None) -> None:
        """Tells those who still wait; a failure that nobody waits for is nobody's news."""
        self._landed, self._failure = True, failure
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


class Loaded:
    """The cache of one operation: each key of a batch is loaded once until `clear`."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._values: defaultdict[Batch, dict[Any, Any]] = defaultdict(dict)
        self._flights: defaultdict[Batch, dict[Any, _Flight]] = defaultdict(dict)
        """The call that will bring each key that is not there yet."""
        self._boardings: dict[Batch, _Flight] = {}
        """Per batch the call that still takes keys: it begins when everything of this tick has asked."""

    async def load(self, batch: Batch, key: Hashable) -> Any:
        """One value; keys that are asked for in the same tick of the loop are loaded together.

        A batch may answer with an exception for a key: it is raised here, each time.
        """
        (value,) = await self.load_many(batch, (key,))
        if isinstance(value, Exception):
            raise value
        return value

    async def load_many(self, batch: Batch, keys: Iterable[Hashable]) -> list[Any]:
        """One value per key, in their order. What is asked for in the same tick of the loop is one call."""
        wanted = list(keys)
        values, flights = self._values[batch], self._flights[batch]
        missing = [key for key in wanted if key not in values]
        if missing:
            new = [key for key in missing if key not in flights]
            if new:
                flights.update(dict.fromkeys(new, self._boarding(batch, new)))
            await _all_landed({flights[key] for key in missing})
        return [values[key] for key in wanted]

    def prime(self, batch: Batch, key: Hashable, value: Any) -> None:
        """A value that was read already need not be loaded."""
        self._values[batch][key] = value

    def _boarding(self, batch: Batch, keys: list[Any]) -> _Flight:
        """The call that has not begun yet, with these keys on it."""
        flight = self._boardings.get(batch)
        if flight is None:
            flight = self._boardings[batch] = _Flight()
            flight.task = asyncio.ensure_future(self._fly(batch, flight, self._values[batch], self._flights[batch]))
        flight.passengers.update(dict.fromkeys(keys))
        return flight

    async def _fly(self, batch: Batch, flight: _Flight, values: dict[Any, Any], flights: dict[Any, _Flight]) -> None:
        """`values` and `flights` are those of when it was boarded: `clear` may have put others in their place."""
        if self._boardings.get(batch) is flight:
            del self._boardings[batch]
        keys = list(flight.passengers)
        failure: BaseException | None = None
        try:
            values.update(dict(zip(keys, await self._call(batch, keys), strict=True)))
        except Exception as error:  # whoever waits raises it
            failure = error
        except asyncio.CancelledError as cancelled:
            failure = cancelled
            raise
        finally:
            for key in keys:
                flights.pop(key, None)
            flight.land(failure)

    async def _call(self, batch: Batch, keys: list[Any]) -> Sequence[Any]:
        return await batch.load(self._context, keys)

    def abandon(self) -> None:
        """Ends the calls that nobody waits for any more, because the operation was cancelled."""
        for batch, flights in self._flights.items():
            for flight in {flight for flight in flights.values() if not flight.waiting}:
                if flight.task is not None:
                    flight.task.cancel()
                for key in flight.passengers:
                    flights.pop(key, None)
                if self._boardings.get(batch) is flight:
                    del self._boardings[batch]

    def clear(self) -> None:
        """After a mutation, and between the items of a subscription, nothing loaded before is true any more."""
        self._values.clear()
        self._flights.clear()
        self._boardings.clear()


async def _all_landed(flights: set[_Flight]) -> None:
    for flight in flights:
        flight.waiting += 1
    try:
        for flight in flights:
            await flight.landed()
    finally:
        for flight in flights:
            flight.waiting -= 1
