"""Takes away what is over: counted attempts, keys of writes, sessions that ended, tokens that are good for nothing."""

from collections.abc import Awaitable, Callable
from typing import Final

from db.connection import Tx
from domain import attempt, idempotency, session, single_use
from domain.processes.shop import Shop

PARTS: Final[tuple[Callable[[Tx], Awaitable[int]], ...]] = (
    attempt.prune,
    idempotency.prune,
    session.prune,
    single_use.prune,
)


async def prune(shop: Shop) -> int:
    """How many rows went. In many short transactions: streams wait while one is open."""
    gone = 0
    for part in PARTS:
        while taken := await _once(shop, part):
            gone += taken
    return gone


async def _once(shop: Shop, part: Callable[[Tx], Awaitable[int]]) -> int:
    async with shop.tx() as tx:
        return await part(tx)
