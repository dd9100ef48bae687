"""Keeps the products of collections by rule as their rules say, from what triggers have noted."""

from domain import collection_membership
from domain.collection_membership import AT_ONCE
from domain.processes.shop import Shop


async def refresh_collections(shop: Shop) -> int:
    """Looks at all that is due, in short transactions; how much that was."""
    looked, total = AT_ONCE, 0
    while looked == AT_ONCE:
        async with shop.tx() as tx:
            looked = await collection_membership.refresh(tx)
        total += looked
    return total
