"""What variants cost: prices, their ladders, and what they were before a reduction."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

from domain import price, price_history
from domain.price import MOST_UNITS, Wanted
from engine.batch import Batch
from resolvers.batches import shared
from resolvers.context import Ctx
from resolvers.place import Place
from resolvers.request_error import BadUserInput

PriceKey = tuple[UUID, int, Place | None]
"""Variant, quantity and place; place null: that of the operation."""


async def _prices(ctx: Ctx, keys: list[PriceKey]) -> list[Any]:
    elsewhere = all(place is not None for _, _, place in keys)
    own = None if elsewhere else (await ctx.region()).id
    return await price.best(
        ctx.read,
        [
            Wanted(variant, quantity, cast(UUID, own), ctx.actor.customer_id)
            if place is None
            else Wanted(variant, quantity, place.region, place.customer)
            for variant, quantity, place in keys
        ],
    )


async def _ranges(ctx: Ctx, keys: list[tuple[UUID, Place | None]]) -> list[Any]:
    """Keys are (product, place); place null: that of the operation."""
    own = None if all(place is not None for _, place in keys) else (await ctx.region()).id
    return await price.ranges(
        ctx.read,
        [
            (product, cast(UUID, own), ctx.actor.customer_id)
            if place is None
            else (product, place.region, place.customer)
            for product, place in keys
        ],
    )


async def _ladders(ctx: Ctx, keys: list[Wanted]) -> list[Any]:
    return await price.ladders(ctx.read, keys)


async def _prior_lowest(ctx: Ctx, keys: list[tuple[UUID, UUID]]) -> list[Any]:
    """Keys are (variant, region)."""
    return await price_history.prior_lowest_prices(ctx.read, keys)


price_of_variant = shared(Batch("price of variant", _prices), "region")
"""The same for everybody who is nobody: an answer for somebody who signed in is never kept (server/question.py)."""
price_range_of_product = shared(Batch("price range of product", _ranges), "region", product=itemgetter(0))
tiers_of_price = shared(Batch("tiers of price", _ladders), "region")
prior_lowest_of_price = shared(Batch("prior lowest of price", _prior_lowest), "region")


def price_keys(variants: Sequence[Any], quantity: int) -> list[PriceKey | None]:
    """None, so no price, for what lies in a cart and is not for sale there any more."""
    if not 1 <= quantity <= MOST_UNITS:
        raise BadUserInput("A quantity is 1 to 1,000,000.", "quantity")
    places = [variant.get("place") for variant in variants]
    return [
        (variant["id"], quantity, place) if place is None or variant.get("live", True) else None
        for variant, place in zip(variants, places, strict=True)
    ]


def range_keys(products: Sequence[Any]) -> list[tuple[UUID, Place | None]]:
    return [(product["id"], product.get("place")) for product in products]


def tier_keys(prices: Sequence[Any]) -> list[Wanted]:
    return [Wanted(row["variant_id"], 1, row["region_id"], row["customer_id"]) for row in prices]


def prior_lowest_keys(prices: Sequence[Any]) -> list[tuple[UUID, UUID]]:
    return [(row["variant_id"], row["region_id"]) for row in prices]
