"""What many streams ask at the same moment is asked once: one call for all keys, and nothing of it is kept."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Final

AT_ONCE: Final = 1_000


class Together:
    """`load(keys)` answers with a value per key; those that it leaves out are null."""

    def __init__(self, load: Callable[[list[Any]], Awaitable[Mapping[Any, Any]]]) -> None:
        self._load = load
        self._asked: dict[Hashable, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, key: Hashable) -> Any:
        (answer,) = await self.all([key])
        return answer

    async def all(self, keys: Sequence[Hashable]) -> list[Any]:
        """One answer per key, in their order."""
        answers = [self._answer(key) for key in keys]
        return [await asyncio.shield(answer) for answer in answers]  # who goes away takes nobody's answer along

    def _answer(self, key: Hashable) -> "asyncio.Future[Any]":
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            if len(self._asked) == 1:
                task = asyncio.create_task(self._ask())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return answer

    async def many(self, keys: Sequence[Any]) -> dict[Any, Any]:
        """Of any number, some at once."""
        found: dict[Any, Any] = {}
        different = list(dict.fromkeys(keys))
        for begin in range(0, len(different), AT_ONCE):
            found.update(await self._load(different[begin : begin + AT_ONCE]))
        return found

    async def _ask(self) -> None:
        """Everything of this turn of the loop has asked by now; who comes from here on asks anew."""
        asked, self._asked = self._asked, {}
        try:
            found = await self.many(list(asked))
        except Exception as error:
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # somebody may have gone away meanwhile
        else:
            for key, answer in asked.items():
                answer.set_result(found.get(key))
