"""Products as staff see and change them, whatever their status, and the words that those for sale are told apart by."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Text, any_, bindparam, func, select

from db import Product
from db.catalog import ProductStatus
from domain import product_change, product_copy, product_media, product_status
from domain.handle import formerly
from domain.processes.receive_file import files_of
from domain.processes.write_catalogue import write_catalogue
from domain.product_change import CreateProduct, TranslateProduct, UpdateProduct
from domain.product_copy import DuplicateProduct
from domain.product_details import TRANSLATED
from domain.product_media import AddMedia, UpdateMedia
from domain.publication import FOR_SALE
from domain.refusal import under
from engine.batch import Batch
from resolvers import ids
from resolvers.batches import one
from resolvers.catalog import FOR_STAFF, PRODUCTS
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort

READ: Final = "products:read"
any_product = one(PRODUCTS, Product.id)
"""Whatever its status: for those who were let through already."""


def _seen_by_staff(batch: Batch) -> Batch:
    """The same, of which nothing is shown to those who may not see products that are not for sale."""

    async def load(ctx: Ctx, keys: list[UUID]) -> Any:
        return await batch.load(ctx, keys) if ctx.actor.may(READ) else [None for _ in keys]

    return Batch(f"{batch.name} for staff", load)


staff_details_of_product = _seen_by_staff(
    one(select(Product.id, *(Product.__table__.c[name] for name in FOR_STAFF)), Product.id)
)


def _chosen(name: str, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Equal to a parameter, or anything where that is null."""
    wanted = bindparam(name, type_=Text)
    return wanted.is_(None) | (column == wanted)


_TAG: Final = bindparam("tag", type_=Text)
all_products = Listed(
    PRODUCTS.where(
        *(_chosen(name, Product.__table__.c[name]) for name in ("status", "vendor", "type")),
        _TAG.is_(None) | (any_(Product.__table__.c.tags) == _TAG),
        Product.archived_at.is_not(None) == bindparam("archived", type_=Boolean),
    ),
    Sort("product.id", (Product.id,), descending=True),
)


async def products(ctx: Ctx, wanted: Any, args: PageArgs) -> Page:
    """The newest first; without a filter all that are not archived."""
    names = ("status", "vendor", "type", "tag")
    given = {name: getattr(wanted, name) if wanted is not None else None for name in names}
    return await all_products.page(ctx, args, **given, archived=bool(wanted is not None and wanted.archived))


_BY_HANDLE = PRODUCTS.where(Product.handle == bindparam("handle"))
_BY_EXTERNAL_ID = PRODUCTS.where(Product.external_id == bindparam("external_id"))
_FORMERLY = formerly(Product, PRODUCTS)


async def product(ctx: Ctx, by: Any) -> Any:
    """Whatever its status, archived or not; by handle also by one that it had before."""
    if by.id is not None:
        return await ctx.load(any_product, ids.decode("Product", by.id, "by", "id"))
    if by.external_id is not None:
        return await ctx.read.first(_BY_EXTERNAL_ID, external_id=by.external_id, locales=ctx.locales)
    wanted = {"handle": by.handle, "locales": ctx.locales}
    row = await ctx.read.first(_BY_HANDLE, **wanted)
    return row if row is not None else await ctx.read.first(_FORMERLY, **wanted)


def _words(column: ColumnElement[Any]) -> Listed:
    """Different ones of what is for sale, by the alphabet of codes."""
    told = select(column.label("name")).where(FOR_SALE).distinct().subquery()
    return Listed(select(told.c.name).where(told.c.name != ""), Sort("word", (told.c.name,)))


_TYPES, _VENDORS = _words(Product.__table__.c.type), _words(Product.__table__.c.vendor)
_TAGS = _words(func.unnest(Product.tags, type_=Text))


async def _page(ctx: Ctx, words: Listed, args: PageArgs) -> Page:
    ctx.reads.add("products")
    return await words.page(ctx, args, channel=await ctx.channel())


async def types(ctx: Ctx, args: PageArgs) -> Page:
    return await _page(ctx, _TYPES, args)


async def vendors(ctx: Ctx, args: PageArgs) -> Page:
    return await _page(ctx, _VENDORS, args)


async def tags(ctx: Ctx, args: PageArgs) -> Page:
    return await _page(ctx, _TAGS, args)


async def _told(ctx: Ctx, written: Any) -> dict[str, Any]:
    """The product as it is now, in the operation's locale."""
    return {"product": await ctx.load(any_product, written.id)}


def _named(given: Any) -> UUID:
    return ids.decode("Product", given.id, "id")


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = CreateProduct(given.given)
    async with ctx.shop.tx() as tx:
        made = await product_change.create(tx, command, ctx.actor)
    return await _told(ctx, made)


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    """Two that exchange their handles at once may wait for each other: one of them is done anew."""
    command = UpdateProduct(_named(given), given.given, given.if_version)
    changed = await write_catalogue(ctx.shop, lambda tx: product_change.change(tx, command, ctx.actor))
    return await _told(ctx, changed)


async def translate(ctx: Ctx, given: Any) -> dict[str, Any]:
    texts = {name: getattr(given, name) for name in TRANSLATED}
    command = TranslateProduct(_named(given), given.locale, texts, given.if_version)
    async with ctx.shop.tx() as tx:
        changed = await product_change.translate(tx, command, ctx.actor)
    return await _told(ctx, changed)


async def set_status(ctx: Ctx, given: Any) -> dict[str, Any]:
    to, version = ProductStatus(given.status), given.if_version
    async with ctx.shop.tx() as tx:
        changed = await product_status.set_status(tx, _named(given), to, ctx.actor, if_version=version)
    return await _told(ctx, changed)


async def archive(ctx: Ctx, given: Any) -> dict[str, Any]:
    async with ctx.shop.tx() as tx:
        changed = await product_status.archive(tx, _named(given), ctx.actor, if_version=given.if_version)
    return await _told(ctx, changed)


async def restore(ctx: Ctx, given: Any) -> dict[str, Any]:
    async with ctx.shop.tx() as tx:
        changed = await product_status.restore(tx, _named(given), ctx.actor, if_version=given.if_version)
    return await _told(ctx, changed)


async def duplicate(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = DuplicateProduct(_named(given), given.title, given.sku_suffix)
    async with ctx.shop.tx() as tx:
        made = await product_copy.duplicate(tx, command, ctx.actor)
    return await _told(ctx, made)


async def add_media(ctx: Ctx, given: Any) -> dict[str, Any]:
    product_id, image = ids.decode("Product", given.product_id, "product_id"), given.image
    with under("image"):
        file_id = None if image.file_id is None else ids.decode("File", image.file_id, "file_id")
    address = "" if file_id is None else files_of(ctx.shop).address
    command = AddMedia(product_id, given.alt, image.url, file_id, address, given.if_version)
    async with ctx.shop.tx() as tx:
        return {"media": await product_media.add(tx, command, ctx.actor)}


async def update_media(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = UpdateMedia(ids.decode("Media", given.id, "id"), given.given, given.if_version)
    async with ctx.shop.tx() as tx:
        return {"media": await product_media.change(tx, command, ctx.actor)}


async def remove_media(ctx: Ctx, given: Any) -> dict[str, Any]:
    product_id, media = _pictures(given)
    async with ctx.shop.tx() as tx:
        await product_media.remove(tx, product_id, media, ctx.actor, if_version=given.if_version)
    return {"product": await ctx.load(any_product, product_id)}


async def reorder_media(ctx: Ctx, given: Any) -> dict[str, Any]:
    product_id, media = _pictures(given)
    async with ctx.shop.tx() as tx:
        await product_media.reorder(tx, product_id, media, ctx.actor, if_version=given.if_version)
    return {"product": await ctx.load(any_product, product_id)}


def _pictures(given: Any) -> tuple[UUID, list[UUID]]:
    product_id = ids.decode("Product", given.product_id, "product_id")
    return product_id, [ids.decode("Media", one, "media_ids", str(i)) for i, one in enumerate(given.media_ids)]
