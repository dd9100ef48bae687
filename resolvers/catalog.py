"""Products and what belongs to them."""

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Uuid, any_, bindparam, func, select
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
from db.base import Base
from db.catalog import ProductStatus
from domain import price
from domain.price import Wanted
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import connected, grouped, itself, many, one, shared
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort
from resolvers.request_error import BadUserInput


def _shown(model: type[Base], *unseen: str) -> Select[Any]:
    """Rows without the columns that nobody is shown: on long lists reading these took longer than all others."""
    return cast("Select[Any]", select(*(column for column in model.__table__.c if column.key not in unseen)))


VARIANTS = _shown(Variant, "combination", "metadata", "allow_backorder", "taxable", "weight_unit", "created_at")
PUBLISHED = _shown(Product, "metadata", "updated_at").where(Product.status == ProductStatus.PUBLISHED)
LIVE_VARIANTS = VARIANTS.where(Variant.archived_at.is_(None))
BY_ID = Sort("product.id", (Product.id,))

product_by_id = shared(one(PUBLISHED, Product.id), product=itself)
variant_by_id = one(VARIANTS, Variant.id)
media_by_id = shared(one(select(Media), Media.id))
region_by_id = one(select(Region), Region.id)
media_of_product = shared(many(select(Media).order_by(Media.rank, Media.id), Media.product_id), product=itself)
variants_of_product = shared(
    connected(LIVE_VARIANTS, Variant.product_id, Sort("variant.rank", (Variant.rank, Variant.id))),
    product=itemgetter(0),
)
selected_options = shared(
    many(
        select(VariantOptionValue.variant_id, ProductOption.name, OptionValue.name.label("value"))
        .join(ProductOption, ProductOption.id == VariantOptionValue.option_id)
        .join(OptionValue, OptionValue.id == VariantOptionValue.value_id)
        .order_by(ProductOption.rank),
        VariantOptionValue.variant_id,
    ),
)
categories_of_product = shared(
    many(
        select(ProductCategory.product_id, *Category.__table__.c)
        .join(Category, Category.id == ProductCategory.category_id)
        .order_by(Category.rank, Category.id),
        ProductCategory.product_id,
    ),
    "category",
    product=itself,
)
collections_of_product = shared(
    many(
        select(ProductCollection.product_id, *Collection.__table__.c)
        .join(Collection, Collection.id == ProductCollection.collection_id)
        .order_by(Collection.title, Collection.id),
        ProductCollection.product_id,
    ),
    "collection",
    product=itself,
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
        option = options.get(row["id"])
        if option is None:
            option = options[row["id"]] = {**row, "values": []}
        option["values"].append({"id": row["value_id"], "name": row["value_name"]})
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


options_of_product = shared(Batch("options of product", _options), product=itself)
option_by_id = Batch("option by id", _option)


published = Listed(PUBLISHED, BY_ID)
BY_HANDLE = PUBLISHED.where(Product.handle == bindparam("handle"))
REGIONS = select(Region).order_by(Region.is_default.desc(), Region.name)


async def products(ctx: Ctx, args: PageArgs) -> Page:
    ctx.reads.add("products")
    return await published.page(ctx, args)


async def product(ctx: Ctx, by: Any) -> Product | None:
    """By handle or by id; drafts are nowhere to be seen."""
    if by.handle is not None:
        row = await ctx.read.first(BY_HANDLE, handle=by.handle)
        ctx.reads.add("products" if row is None else row.id)
        return row
    return await ctx.load(product_by_id, ids.decode("Product", by.id, "by", "id"))


async def regions(ctx: Ctx) -> list[Region]:
    ctx.reads.add("region")
    return await ctx.read.all(REGIONS)


async def _prices(ctx: Ctx, keys: list[tuple[UUID, int, UUID | None]]) -> list[Any]:
    """Keys are (variant, quantity, region); region null: that of the operation."""
    elsewhere = all(region is not None for _, _, region in keys)
    own = None if elsewhere else (await ctx.region()).id
    return await price.best(ctx.read, [Wanted(v, quantity, region or cast(UUID, own)) for v, quantity, region in keys])


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
product_in_region = shared(_in_region(product_by_id), product=itemgetter(0))


async def _variants(ctx: Ctx, keys: list[tuple[UUID, PageArgs, UUID | None]]) -> list[Page]:
    """Pages of variants; keys are (product, page, region), region null: that of the operation."""
    pages = await ctx.loaded.load_many(variants_of_product, [(product, args) for product, args, _ in keys])
    return [
        page if region is None else replace(page, nodes=[_put_in(region, row) for row in page.nodes])
        for page, (_, _, region) in zip(pages, keys, strict=True)
    ]


variants_in_region = shared(Batch("variants in region", _variants), product=itemgetter(0))
price_of_variant = shared(Batch("price of variant", _prices), "region")


def price_keys(variants: Sequence[Any], quantity: int) -> list[tuple[UUID, int, UUID | None]]:
    if not 1 <= quantity <= 1_000_000:
        raise BadUserInput("A quantity is 1 to 1,000,000.", "quantity")
    return [(variant["id"], quantity, variant.get("context_region_id")) for variant in variants]


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
    units = {row["variant_id"]: int(row["units"]) for row in rows}
    return {variant: units.get(variant, 0) for variant in variants}


available_of_variant = shared(Batch("available of variant", _availability))
