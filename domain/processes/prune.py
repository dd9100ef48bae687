"""Takes away what is over: counted attempts, keys of writes, ended sessions, dead tokens, abandoned carts, files."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from db.connection import Tx
from domain import attempt, cart, event_log, file, idempotency, session, single_use
from domain.processes.complete_upload import sweep_files
from domain.processes.shop import Shop

PARTS: Final[tuple[Callable[[Tx], Awaitable[int]], ...]] = (
    attempt.prune,
    event_log.prune,
    file.expire,
    idempotency.prune,
    session.prune,
    single_use.prune,
)


async def prune(shop: Shop) -> int:
    """How many rows went. In many short transactions: streams wait while one is open."""
    gone = 0
    parts: list[Callable[[Tx], Awaitable[int]]] = [*PARTS, partial(cart.prune, keeping=shop.keeping)]
    for part in parts:
        while taken := await _once(shop, part):
            gone += taken
    return gone + await sweep_files(shop)


async def _once(shop: Shop, part: Callable[[Tx], Awaitable[int]]) -> int:
    async with shop.tx() as tx:
        return await part(tx)
