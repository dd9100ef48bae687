"""Variants as storefronts look for them, and what staff see of them besides."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select

from db import Product, Variant
from domain.publication import FOR_SALE
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import one
from resolvers.catalog import LIVE_VARIANTS, VARIANT_FOR_STAFF
from resolvers.context import Ctx

READ: Final = "products:read"
_COLUMNS: Final = (Variant.__table__.c[name] for name in ("id", "manage_stock", "archived_at", *VARIANT_FOR_STAFF))
_staff_details = one(select(*_COLUMNS), Variant.__table__.c["id"])


async def _seen_by_staff(ctx: Ctx, variants: list[UUID]) -> Any:
    return await _staff_details.load(ctx, variants) if ctx.actor.may(READ) else [None for _ in variants]


staff_details_of_variant = Batch("details of variant for staff", _seen_by_staff)

_FOR_SALE: Final = LIVE_VARIANTS.join(Product, Product.id == Variant.product_id).where(FOR_SALE)
_BY_ID: Final = _FOR_SALE.where(Variant.id == bindparam("variant"))
_BY_SKU: Final = _FOR_SALE.where(Variant.sku == bindparam("sku"))


async def variant(ctx: Ctx, by: Any) -> Any:
    """One that is for sale; archived ones, and those of drafts, are nowhere to be seen."""
    there = {"channel": await ctx.channel(), "locales": ctx.locales}
    if by.sku is not None:
        row = await ctx.read.first(_BY_SKU, sku=by.sku, **there)
    else:
        row = await ctx.read.first(_BY_ID, variant=ids.decode("Variant", by.id, "by", "id"), **there)
    ctx.reads.update(("products", "variants") if row is None else (row.product_id,))
    return row
