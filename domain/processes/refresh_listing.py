"""Keeps what lists and the search are ordered by as the catalogue is: within a second by the worker, or all at once."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, func, select

from db import ListingDue, Product
from domain import listing_refresh as listing
from domain.processes.shop import Shop

_MORE: Final = select(ListingDue.id).limit(1)
_COUNT: Final = select(func.count()).select_from(Product)
_NEXT: Final = (
    select(Product.id)
    .where(Product.id > bindparam("after", type_=Uuid))
    .order_by(Product.id)
    .limit(bindparam("rows", type_=Integer))
)


async def refresh_listing(shop: Shop) -> int:
    """Sees to everything that is due, and tells how many products that were. A batch is one transaction, so whoever
    is killed has done it or not; what another process is at is left to that one.
    """
    done = 0
    while True:
        async with shop.tx() as tx:
            if not await listing.begin(tx):
                return done
            products = await listing.take_due(tx)
            if products:
                await listing.refresh(tx, products)
        done += len(products)
        if await shop.read.scalar(_MORE) is None:
            return done


async def rebuild_listing(shop: Shop, progress: Callable[[int, int], None] = lambda _done, _of: None) -> int:
    """Makes the rows of all products anew, some at a time, while the shop goes on; words that no product has any more
    are forgotten. `progress` is told how many are done, and of how many.
    """
    total = await shop.read.one_scalar(_COUNT)
    async with shop.tx() as tx:
        await listing.wait_for_turn(tx)
        await listing.forget_words(tx)
    after, done = UUID(int=0), 0
    while products := await shop.read.scalars(_NEXT, after=after, rows=listing.AT_ONCE):
        async with shop.tx() as tx:
            await listing.wait_for_turn(tx)
            await listing.refresh(tx, products)
        after, done = products[-1], done + len(products)
        progress(done, max(total, done))
    return done
