"""Products and what belongs to them."""

from collections import defaultdict
from collections.abc import Callable, Container, Hashable, Iterable
from dataclasses import replace
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import (
    Media,
    OptionValue,
    Product,
    ProductOption,
    Variant,
    VariantOptionValue,
)
from db.base import Base
from domain.availability import NOT_TRACKED, Availability, available
from domain.handle import formerly
from domain.product_details import TRANSLATED
from domain.publication import FOR_SALE
from domain.translation import translated
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import connected, grouped, itself, many, one, shared
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort
from resolvers.place import Place
from resolvers.region import region_by_id as region_by_id


def _shown(model: type[Base], *unseen: str, texts: Container[str] = ()) -> Select[Any]:
    """Rows without the columns that nobody is shown: on long lists reading these took longer than all others. Those of
    `texts` are in the operation's locale.
    """
    columns = (column for column in model.__table__.c if column.key not in unseen)
    shown = (translated(model, column.key) if column.key in texts else column for column in columns)
    return cast("Select[Any]", select(*shown))


def _columns(model: type[Base], names: Iterable[str]) -> Select[Any]:
    """The rows with their ids and these columns alone."""
    table = model.__table__.c
    return cast("Select[Any]", select(table["id"], *(table[name] for name in names)))


VARIANT_DETAILS = ("ean", "upc", "length_mm", "width_mm", "height_mm", "taxable", "metadata")
"""Columns of a variant that few pages show."""
VARIANT_FOR_STAFF = ("external_id", "allow_backorder", "weight_unit", "translations", "created_at")
VARIANTS = _shown(Variant, "combination", *VARIANT_DETAILS, *VARIANT_FOR_STAFF, texts=("title",))
DETAILS = ("material", "origin_country", "weight_grams", "length_mm", "width_mm", "height_mm", "metadata")
"""Columns of a product that only detail pages show."""
FOR_STAFF = (
    "status", "external_id", "hs_code", "discountable", "tax_class_code", "workflow_code", "price_quantity",
    "translations", "archived_at", "updated_at"
)  # fmt: skip
PRODUCTS = _shown(Product, *DETAILS, *FOR_STAFF, texts=TRANSLATED)
PUBLISHED = PRODUCTS.where(FOR_SALE)
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
            for row in await ctx.read.records(wanted, keys=values, channel=channel, locales=ctx.locales):
                found[channel, row[key.key]] = row
        return [found.get((own if place is None else place.channel, value)) for value, place in keys]

    return Batch(f"for sale by {key}", load)


product_by_id = shared(for_sale(PUBLISHED, Product.id), product=itemgetter(0))
variant_by_id = one(VARIANTS, Variant.id)
details_of_product = shared(
    one(select(Product.id, *(Product.__table__.c[n] for n in DETAILS)), Product.id), product=itself
)
details_of_variant = shared(one(_columns(Variant, VARIANT_DETAILS), Variant.id))
media_by_id = shared(one(select(Media), Media.id))
media_of_product = shared(many(select(Media).order_by(Media.rank, Media.id), Media.product_id), product=itself)
variants_of_product = shared(
    connected(LIVE_VARIANTS, Variant.product_id, Sort("variant.rank", (Variant.rank, Variant.id))),
    product=itemgetter(0),
)
selected_options = shared(
    many(
        select(
            VariantOptionValue.variant_id, translated(ProductOption, "name"), translated(OptionValue, "name", "value")
        )
        .join(ProductOption, ProductOption.id == VariantOptionValue.option_id)
        .join(OptionValue, OptionValue.id == VariantOptionValue.value_id)
        .order_by(ProductOption.rank),
        VariantOptionValue.variant_id,
    ),
)

OPTIONS = (
    select(
        ProductOption.id,
        ProductOption.product_id,
        translated(ProductOption, "name"),
        ProductOption.rank,
        OptionValue.id.label("value_id"),
        translated(OptionValue, "name", "value_name"),
        OptionValue.swatch_color,
        OptionValue.swatch_media_id,
    )
    .join(OptionValue, OptionValue.option_id == ProductOption.id)
    .order_by(ProductOption.rank, ProductOption.id, OptionValue.rank, OptionValue.id)
)


VALUES = _shown(OptionValue, "translations", texts=("name",))
OPTIONS_OF_PRODUCTS = OPTIONS.where(ProductOption.product_id == any_(bindparam("products", type_=ARRAY(Uuid))))


def _with_values(rows: list[Any]) -> list[dict[str, Any]]:
    """Options with their values, by one statement: neither is shown without the other."""
    options: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        option = options.get(row["id"])
        if option is None:
            option = options[row["id"]] = {**row, "values": []}
        swatch = {"swatch_color": row["swatch_color"], "swatch_media_id": row["swatch_media_id"]}
        option["values"].append({"id": row["value_id"], "name": row["value_name"], **swatch})
    return list(options.values())


async def _options(ctx: Ctx, products: list[UUID]) -> list[Any]:
    rows = await ctx.read.records(OPTIONS_OF_PRODUCTS, products=products, locales=ctx.locales)
    return grouped(_with_values(rows), "product_id", products)


OPTIONS_FOR_SALE = OPTIONS.join(Product, Product.id == ProductOption.product_id).where(
    FOR_SALE, ProductOption.id == any_(bindparam("options", type_=ARRAY(Uuid)))
)


async def _option(ctx: Ctx, options: list[UUID]) -> list[Any]:
    """Only those of products that can be seen."""
    wanted = {"options": options, "channel": await ctx.channel(), "locales": ctx.locales}
    rows = await ctx.read.records(OPTIONS_FOR_SALE, **wanted)
    by_id = {option["id"]: option for option in _with_values(rows)}
    return [by_id.get(option) for option in options]


options_of_product = shared(Batch("options of product", _options), product=itself)
option_by_id = Batch("option by id", _option)


published = Listed(PUBLISHED, BY_ID, planned_once=True)
BY_HANDLE = PUBLISHED.where(Product.handle == bindparam("handle"))
FORMERLY = formerly(Product, PUBLISHED)


async def products(ctx: Ctx, args: PageArgs) -> Page:
    ctx.reads.add("products")
    return await published.page(ctx, args, channel=await ctx.channel())


async def product(ctx: Ctx, by: Any) -> Product | None:
    """By handle, also by one that it had before, or by id; drafts are nowhere to be seen."""
    if by.handle is not None:
        wanted = {"handle": by.handle, "channel": await ctx.channel(), "locales": ctx.locales}
        row = await ctx.read.first(BY_HANDLE, **wanted)
        if row is None:
            ctx.reads.add("products")  # another one may take the handle
            row = await ctx.read.first(FORMERLY, **wanted)
        if row is not None:
            ctx.reads.add(row.id)
        return row
    return await ctx.load(product_by_id, (ids.decode("Product", by.id, "by", "id"), None))


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


async def _availability(ctx: Ctx, keys: list[tuple[UUID, bool]]) -> list[Availability]:
    """Keys are (variant, whether its stock is managed)."""
    known = await available(ctx.read, [variant for variant, managed in keys if managed])
    return [known[variant] if managed else NOT_TRACKED for variant, managed in keys]


available_of_variant = shared(Batch("available of variant", _availability))
