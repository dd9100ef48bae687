"""Waiting in few bytes, for what each connection has: asyncio's own keep room for 64 who wait, each and always."""

import asyncio
from collections import deque
from typing import Any


class Flag:
    """As asyncio.Event."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self, *, is_set: bool = False) -> None:
        self._is_set = is_set
        self._waiting: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        for one in self._waiting:
            if not one.done():
                one.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> bool:
        if self._is_set:
            return True
        one = asyncio.get_running_loop().create_future()
        self._waiting = (*self._waiting, one)
        try:
            await one
        finally:
            self._waiting = tuple(other for other in self._waiting if other is not one)
        return True


class Line:
    """As an asyncio.Queue of any length, for one who takes."""

    __slots__ = ("_filled", "_items")

    def __init__(self) -> None:
        self._items: deque[Any] | None = None
        self._filled = Flag()

    def empty(self) -> bool:
        return self._items is None

    def put_nowait(self, item: Any) -> None:
        if self._items is None:
            self._items = deque()
        self._items.append(item)
        self._filled.set()

    async def get(self) -> Any:
        while self._items is None:
            self._filled.clear()
            await self._filled.wait()
        item = self._items.popleft()
        if not self._items:
            self._items = None
        return item


class Pipeline(list[Any]):
    """As the deque of uvicorn's requests that wait for their turn, of which there are none mostly."""

    __slots__ = ()

    def appendleft(self, item: Any) -> None:
        self.insert(0, item)
