"""Products and what belongs to them."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Uuid, any_, bindparam, select
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
    Variant,
    VariantOptionValue,
)
from db.base import Base
from domain import price
from domain.availability import NOT_TRACKED, Availability, available
from domain.price import Wanted
from domain.publication import FOR_SALE
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import connected, grouped, itself, many, one, shared
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort
from resolvers.place import Place
from resolvers.request_error import BadUserInput


def _shown(model: type[Base], *unseen: str) -> Select[Any]:
    """Rows without the columns that nobody is shown: on long lists reading these took longer than all others."""
    return cast("Select[Any]", select(*(column for column in model.__table__.c if column.key not in unseen)))


VARIANTS = _shown(Variant, "combination", "metadata", "allow_backorder", "taxable", "weight_unit", "created_at")
PUBLISHED = _shown(Product, "metadata", "updated_at").where(FOR_SALE)
"""In the sales channel of the parameter `channel`."""
LIVE_VARIANTS = VARIANTS.where(Variant.archived_at.is_(None))
BY_ID = Sort("product.id", (Product.id,))


def for_sale(statement: Select[Any], key: Any) -> Batch:
    """The one row whose `key` column has the value, of a statement that reads what `PUBLISHED` does; or null.

    Keys are (value, place); place null: that of the operation.
    """
    wanted = statement.where(key == any_(bindparam("keys", type_=ARRAY(Uuid))))

    async def load(ctx: Ctx, keys: list[tuple[UUID, Place | None]]) -> list[Any]:
        own = None if all(place is not None for _, place in keys) else await ctx.channel()
        in_channel: dict[UUID | None, list[UUID]] = defaultdict(list)
        for value, place in keys:
            in_channel[own if place is None else place.channel].append(value)
        found: dict[Any, Any] = {}
        for channel, values in in_channel.items():
            for row in await ctx.read.records(wanted, keys=values, channel=channel):
                found[channel, row[key.key]] = row
        return [found.get((own if place is None else place.channel, value)) for value, place in keys]

    return Batch(f"for sale by {key}", load)


product_by_id = shared(for_sale(PUBLISHED, Product.id), product=itemgetter(0))
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


OPTIONS_FOR_SALE = OPTIONS.join(Product, Product.id == ProductOption.product_id).where(
    FOR_SALE, ProductOption.id == any_(bindparam("options", type_=ARRAY(Uuid)))
)


async def _option(ctx: Ctx, options: list[UUID]) -> list[Any]:
    """Only those of products that can be seen."""
    rows = await ctx.read.records(OPTIONS_FOR_SALE, options=options, channel=await ctx.channel())
    by_id = {option["id"]: option for option in _with_values(rows)}
    return [by_id.get(option) for option in options]


options_of_product = shared(Batch("options of product", _options), product=itself)
option_by_id = Batch("option by id", _option)


published = Listed(PUBLISHED, BY_ID)
BY_HANDLE = PUBLISHED.where(Product.handle == bindparam("handle"))
REGIONS = select(Region).order_by(Region.is_default.desc(), Region.name)


async def products(ctx: Ctx, args: PageArgs) -> Page:
    ctx.reads.add("products")
    return await published.page(ctx, args, channel=await ctx.channel())


async def product(ctx: Ctx, by: Any) -> Product | None:
    """By handle or by id; drafts are nowhere to be seen."""
    if by.handle is not None:
        row = await ctx.read.first(BY_HANDLE, handle=by.handle, channel=await ctx.channel())
        ctx.reads.add("products" if row is None else row.id)
        return row
    return await ctx.load(product_by_id, (ids.decode("Product", by.id, "by", "id"), None))


async def regions(ctx: Ctx) -> list[Region]:
    ctx.reads.add("region")
    return await ctx.read.all(REGIONS)


async def _prices(ctx: Ctx, keys: list[tuple[UUID, int, UUID | None]]) -> list[Any]:
    """Keys are (variant, quantity, region); region null: that of the operation."""
    elsewhere = all(region is not None for _, _, region in keys)
    own = None if elsewhere else (await ctx.region()).id
    return await price.best(ctx.read, [Wanted(v, quantity, region or cast(UUID, own)) for v, quantity, region in keys])


def _in_place(batch: Batch, within: Callable[[Any, Place | None], Hashable] = lambda key, _: key) -> Batch:
    """The same rows, read in a place of their own: that of the cart through which one came to them.

    Keys are (key, place); place null: that of the operation. `within` makes the batch's key of both.
    """

    async def load(ctx: Ctx, keys: list[tuple[UUID, Place | None]]) -> list[Any]:
        rows = await ctx.loaded.load_many(batch, [within(key, place) for key, place in keys])
        return [_put_in(place, row) for row, (_, place) in zip(rows, keys, strict=True)]

    return Batch(f"{batch.name} in place", load)


def _put_in(place: Place | None, row: Any) -> Any:
    return row if place is None or row is None else {**row, "place": place}


variant_in_place = _in_place(variant_by_id)
product_in_place = shared(_in_place(product_by_id, lambda key, place: (key, place)), product=itemgetter(0))


async def _variants(ctx: Ctx, keys: list[tuple[UUID, PageArgs, Place | None]]) -> list[Page]:
    """Pages of variants; keys are (product, page, place), place null: that of the operation."""
    pages = await ctx.loaded.load_many(variants_of_product, [(product, args) for product, args, _ in keys])
    return [
        page if place is None else replace(page, nodes=[_put_in(place, row) for row in page.nodes])
        for page, (_, _, place) in zip(pages, keys, strict=True)
    ]


variants_in_place = shared(Batch("variants in place", _variants), product=itemgetter(0))
price_of_variant = shared(Batch("price of variant", _prices), "region")


def price_keys(variants: Sequence[Any], quantity: int) -> list[tuple[UUID, int, UUID | None] | None]:
    if not 1 <= quantity <= 1_000_000:
        raise BadUserInput("A quantity is 1 to 1,000,000.", "quantity")
    return [_price_key(variant, quantity, variant.get("place")) for variant in variants]


def _price_key(variant: Any, quantity: int, place: Place | None) -> tuple[UUID, int, UUID | None] | None:
    """None, so no price, for what lies in a cart and is not for sale there any more."""
    if place is None:
        return variant["id"], quantity, None
    return (variant["id"], quantity, place.region) if variant.get("live", True) else None


async def _availability(ctx: Ctx, keys: list[tuple[UUID, bool]]) -> list[Availability]:
    """Keys are (variant, whether its stock is managed)."""
    known = await available(ctx.read, [variant for variant, managed in keys if managed])
    return [known[variant] if managed else NOT_TRACKED for variant, managed in keys]


available_of_variant = shared(Batch("available of variant", _availability))
