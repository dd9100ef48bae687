"""How a query reads: all its statements on one connection, one after another.

Borrowing a connection costs more than a small statement, and an operation that borrowed several at once while others
do the same would wait for what they hold. So it borrows one, keeps it while it goes on reading, and gives it back
when it ends, or when it has read nothing for `IDLE_SECONDS`: whoever waits for somebody else holds no connection.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from db.connection import Database, Read

IDLE_SECONDS: Final = 0.05


class OperationRead(Read):
    """Reads outside of any transaction; to be closed at the end of the query."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._borrowed: Any = None
        self._connection: Any = None
        self._reads = 0
        self._closing: asyncio.Future[None] | None = None

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        async with self._turn:
            connection = self._connection or await self._borrow()
            self._reads += 1
            self._database.statements += 1
            try:
                return await connection.fetch(sql, *arguments)
            except BaseException:
                await self._give_back()  # it may be broken, or still be busy with what was cancelled
                raise

    async def close(self) -> None:
        async with self._turn:
            await self._give_back()

    async def _borrow(self) -> Any:
        borrowed = self._database.pool.acquire()
        self._connection = await borrowed.__aenter__()
        self._borrowed = borrowed
        self._look_later()
        return self._connection

    async def _give_back(self) -> None:
        borrowed, self._borrowed, self._connection = self._borrowed, None, None
        if borrowed is not None:
            await borrowed.__aexit__(None, None, None)

    def _look_later(self) -> None:
        """One timer for as long as a connection is held, and not one for each statement."""
        loop = asyncio.get_running_loop()
        loop.call_later(IDLE_SECONDS, self._look, self._borrowed, self._reads)

    def _look(self, borrowed: Any, reads: int) -> None:
        if self._borrowed is None or self._borrowed is not borrowed:
            return
        if self._reads > reads or self._turn.locked():
            self._look_later()
        else:
            self._closing = asyncio.ensure_future(self.close())
