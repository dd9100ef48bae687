"""Products and what belongs to them."""

from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import (
    Category,
    Collection,
    Media,
    OptionValue,
    Product,
    ProductCategory,
    ProductCollection,
    ProductOption,
    Region,
    StockLevel,
    Variant,
    VariantOptionValue,
    VariantStockItem,
)
from db.catalog import ProductStatus
from domain import price
from domain.price import Wanted
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import connected, grouped, many, one
from resolvers.context import Ctx
from resolvers.page import Page, PageArgs, Sort, page
from resolvers.request_error import BadUserInput

PUBLISHED = select(Product).where(Product.status == ProductStatus.PUBLISHED)
LIVE_VARIANTS = select(Variant).where(Variant.archived_at.is_(None))
BY_ID = Sort("product.id", (Product.id,))

product_by_id = one(PUBLISHED, Product.id)
variant_by_id = one(select(Variant), Variant.id)
media_by_id = one(select(Media), Media.id)
region_by_id = one(select(Region), Region.id)
media_of_product = many(select(Media).order_by(Media.rank, Media.id), Media.product_id)
variants_of_product = connected(LIVE_VARIANTS, Variant.product_id, Sort("variant.rank", (Variant.rank, Variant.id)))
selected_options = many(
    select(VariantOptionValue.variant_id, ProductOption.name, OptionValue.name.label("value"))
    .join(ProductOption, ProductOption.id == VariantOptionValue.option_id)
    .join(OptionValue, OptionValue.id == VariantOptionValue.value_id)
    .order_by(ProductOption.rank),
    VariantOptionValue.variant_id,
)
categories_of_product = many(
    select(ProductCategory.product_id, *Category.__table__.c)
    .join(Category, Category.id == ProductCategory.category_id)
    .order_by(Category.rank, Category.id),
    ProductCategory.product_id,
)
collections_of_product = many(
    select(ProductCollection.product_id, *Collection.__table__.c)
    .join(Collection, Collection.id == ProductCollection.collection_id)
    .order_by(Collection.title, Collection.id),
    ProductCollection.product_id,
)


OPTIONS = (
    select(*ProductOption.__table__.c, OptionValue.id.label("value_id"), OptionValue.name.label("value_name"))
    .join(OptionValue, OptionValue.option_id == ProductOption.id)
    .order_by(ProductOption.rank, ProductOption.id, OptionValue.rank, OptionValue.id)
)


OPTIONS_OF_PRODUCTS = OPTIONS.where(ProductOption.product_id == any_(bindparam("products", type_=ARRAY(Uuid))))


def _with_values(rows: list[Any]) -> list[dict[str, Any]]:
    """Options with their values, by one statement: neither is shown without the other."""
    options: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        option = options.setdefault(row.id, {**row, "values": []})
        option["values"].append({"id": row.value_id, "name": row.value_name})
    return list(options.values())


async def _options(ctx: Ctx, products: list[UUID]) -> list[Any]:
    rows = await ctx.read.records(OPTIONS_OF_PRODUCTS, products=products)
    return grouped(_with_values(rows), "product_id", products)


async def _option(ctx: Ctx, options: list[UUID]) -> list[Any]:
    """Only those of products that can be seen."""
    seen = OPTIONS.join(Product, Product.id == ProductOption.product_id).where(
        Product.status == ProductStatus.PUBLISHED, ProductOption.id == any_(cast(Any, options))
    )
    by_id = {option["id"]: option for option in _with_values(await ctx.read.records(seen))}
    return [by_id.get(option) for option in options]


options_of_product = Batch("options of product", _options)
option_by_id = Batch("option by id", _option)


async def products(ctx: Ctx, args: PageArgs) -> Page:
    return await page(ctx, PUBLISHED, BY_ID, args)


async def product(ctx: Ctx, by: Any) -> Product | None:
    """By handle or by id; drafts are nowhere to be seen."""
    if by.handle is not None:
        return await ctx.read.first(PUBLISHED.where(Product.handle == by.handle))
    return await ctx.read.first(PUBLISHED.where(Product.id == ids.decode("Product", by.id, "by", "id")))


async def regions(ctx: Ctx) -> list[Region]:
    return await ctx.read.all(select(Region).order_by(Region.is_default.desc(), Region.name))


async def _prices(ctx: Ctx, keys: list[tuple[UUID, int, UUID | None]]) -> list[Any]:
    """Keys are (variant, quantity, region); region null: that of the operation."""
    own = await ctx.region() if any(region is None for _, _, region in keys) else None
    others = {region for _, _, region in keys if region is not None}
    found = await ctx.read.all(select(Region).where(Region.id == any_(cast(Any, list(others))))) if others else []
    regions = {region.id: region for region in [*found, *([own] if own else [])]}
    chosen = [regions[region or cast(Region, own).id] for _, _, region in keys]
    wanted = [Wanted(k[0], k[1], region.currency, region.id) for k, region in zip(keys, chosen, strict=True)]
    prices = await price.best(ctx.read, wanted)
    return [
        {"price": prices[w], "tax_included": region.tax_inclusive} if w in prices else None
        for w, region in zip(wanted, chosen, strict=True)
    ]


def _in_region(batch: Batch) -> Batch:
    """The same rows, read in a region of their own: that of the cart through which one came to them.

    Keys are (key, region); region null: that of the operation.
    """

    async def load(ctx: Ctx, keys: list[tuple[UUID, UUID | None]]) -> list[Any]:
        rows = await ctx.loaded.load_many(batch, [key for key, _ in keys])
        return [_put_in(region, row) for row, (_, region) in zip(rows, keys, strict=True)]

    return Batch(f"{batch.name} in region", load)


def _put_in(region: UUID | None, row: Any) -> Any:
    return row if region is None or row is None else {**row, "context_region_id": region}


variant_in_region = _in_region(variant_by_id)
product_in_region = _in_region(product_by_id)


async def _variants(ctx: Ctx, keys: list[tuple[UUID, PageArgs, UUID | None]]) -> list[Page]:
    """Pages of variants; keys are (product, page, region), region null: that of the operation."""
    pages = await ctx.loaded.load_many(variants_of_product, [(product, args) for product, args, _ in keys])
    return [
        page if region is None else replace(page, nodes=[_put_in(region, row) for row in page.nodes])
        for page, (_, _, region) in zip(pages, keys, strict=True)
    ]


variants_in_region = Batch("variants in region", _variants)
price_of_variant = Batch("price of variant", _prices)


def price_key(variant: Any, quantity: int) -> tuple[UUID, int, UUID | None]:
    if not 1 <= quantity <= 1_000_000:
        raise BadUserInput("A quantity is 1 to 1,000,000.", "quantity")
    return variant["id"], quantity, variant.get("context_region_id")


class Unlimited:
    """It is not counted: it sells without limit."""


async def _availability(ctx: Ctx, keys: list[tuple[UUID, bool]]) -> list[int | Unlimited]:
    """Keys are (variant, whether its stock is managed)."""
    units = await _available(ctx, [variant for variant, managed in keys if managed])
    return [units[variant] if managed else Unlimited() for variant, managed in keys]


FREE = func.greatest(StockLevel.on_hand + StockLevel.backorder_limit - StockLevel.reserved - StockLevel.allocated, 0)
PER_ITEM = (
    select(VariantStockItem.variant_id, (func.coalesce(func.sum(FREE), 0) / VariantStockItem.quantity).label("units"))
    .outerjoin(StockLevel, StockLevel.stock_item_id == VariantStockItem.stock_item_id)
    .where(VariantStockItem.variant_id == any_(bindparam("variants", type_=ARRAY(Uuid))))
    .group_by(VariantStockItem.variant_id, VariantStockItem.stock_item_id, VariantStockItem.quantity)
    .subquery()
)
AVAILABLE = select(PER_ITEM.c.variant_id, func.floor(func.min(PER_ITEM.c.units)).label("units")).group_by(
    PER_ITEM.c.variant_id
)


async def _available(ctx: Ctx, variants: list[UUID]) -> dict[UUID, int]:
    """How many of each could be promised now: of its items, the one of which there is least."""
    if not variants:
        return {}
    rows = await ctx.read.records(AVAILABLE, variants=variants)
    units = {row.variant_id: int(row.units) for row in rows}
    return {variant: units.get(variant, 0) for variant in variants}


available_of_variant = Batch("available of variant", _availability)
