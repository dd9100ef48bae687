"""Writing products and variants so that what the database refuses is told like what was looked up before.

Whoever writes one checks under the lock of its product that nobody has its SKU; only another who writes at the same
moment, to another product, gets past that, and then the unique index refuses one of the two. Done anew, that one finds
what the other has written, and refuses with its name.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

from asyncpg import CheckViolationError, DeadlockDetectedError, UniqueViolationError

from db.connection import Tx
from domain.processes.shop import Shop

T = TypeVar("T")
TRIES: Final = 5
_FOUND_ANEW: Final = frozenset(
    [
        "uq_variant_combination",
        "uq_variant_external_id",
        "uq_variant_sku",
        "uq_product_external_id",
        "uq_product_handle",
        "variant_complete",
        "variant_limit",
    ]
)
"""Constraints that are checked before writing as well; the last ones at the commit, and by triggers."""


async def write_catalogue(shop: Shop, write: Callable[[Tx], Awaitable[T]]) -> T:
    """What `write` returns once its transaction has committed. It is called anew if others were as quick."""
    for _ in range(TRIES - 1):
        try:
            async with shop.tx() as tx:
                return await write(tx)
        except (UniqueViolationError, CheckViolationError) as error:
            if cast("Any", error).constraint_name not in _FOUND_ANEW:
                raise
        except DeadlockDetectedError:
            pass
    async with shop.tx() as tx:
        return await write(tx)
