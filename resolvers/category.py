"""Categories, with what is around them in the tree and the products that stand in them or below."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, bindparam, select

from db import Category, CategoryAncestor, ProductCategory
from domain import category as categories
from domain import category_products, handle, showcase_picture
from domain.category import TRANSLATED, CreateCategory, MoveCategory, UpdateCategory
from domain.listing import ListingFilter, ListingSort
from domain.translation import translated
from resolvers import ids
from resolvers.batches import itself, many, one, shared
from resolvers.context import Ctx
from resolvers.listing import Wanted
from resolvers.listing_within import CATEGORY, count_within, products_within
from resolvers.page import Listed, Page, PageArgs, Sort
from resolvers.product import any_product
from resolvers.showcase import given_columns, showing

UNSEEN: Final = frozenset({"translations", "created_at", "updated_at"})
COLUMNS: Final = tuple(
    translated(Category, column.key) if column.key in TRANSLATED else column
    for column in Category.__table__.c
    if column.key not in UNSEEN
)
CATEGORIES: Final[Select[Any]] = select(*COLUMNS)
_IN_ORDER: Final = (Category.rank, Category.id)
_roots: Final = Listed(CATEGORIES.where(Category.parent_id.is_(None)), Sort("category.rank", _IN_ORDER))
_all: Final = Listed(CATEGORIES, Sort("category.id", (Category.id,)))
_BY_HANDLE: Final = CATEGORIES.where(Category.handle == bindparam("handle"))
_FORMERLY: Final = handle.formerly(Category, CATEGORIES)

category_by_id: Final = shared(one(CATEGORIES, Category.id), "category")
children_of_category: Final = shared(many(CATEGORIES.order_by(*_IN_ORDER), Category.parent_id), "category")
ancestors_of_category: Final = shared(
    many(
        select(CategoryAncestor.category_id, *COLUMNS)
        .join(Category, Category.id == CategoryAncestor.ancestor_id)
        .where(CategoryAncestor.depth > 0)
        .order_by(CategoryAncestor.depth.desc()),
        CategoryAncestor.category_id,
    ),
    "category",
)
categories_of_product: Final = shared(
    many(
        select(ProductCategory.product_id, *COLUMNS)
        .join(Category, Category.id == ProductCategory.category_id)
        .order_by(*_IN_ORDER),
        ProductCategory.product_id,
    ),
    "category",
    product=itself,
)
translations_of_category: Final = one(select(Category.id, Category.translations), Category.id)
products_of_category: Final = products_within(CATEGORY)
product_count: Final = count_within(CATEGORY)


def products_keys(
    rows: Sequence[Any], args: PageArgs, given: ListingFilter | None, sort: ListingSort | None
) -> list[Any]:
    """Of `products_of_category`. A category keeps no order of its products: by rank the newest come first."""
    order = ListingSort.NEWEST if sort is ListingSort.RANK else sort or ListingSort.OLDEST
    wanted = Wanted(given or ListingFilter(), order)
    return [(row["id"], wanted, args) for row in rows]


async def list_categories(ctx: Ctx, args: PageArgs, *, roots: bool) -> Page:
    ctx.reads.add("category")
    return await (_roots if roots else _all).page(ctx, args)


async def find(ctx: Ctx, by: Any) -> Category | None:
    """By id, by its handle, or by one that it had."""
    ctx.reads.add("category")
    if by.handle is None:
        return await ctx.load(category_by_id, ids.decode("Category", by.id, "by", "id"))
    named = {"handle": by.handle, "locales": ctx.locales}
    found = await ctx.read.first(_BY_HANDLE, **named)
    return found if found is not None else await ctx.read.first(_FORMERLY, **named)


async def external_id(ctx: Ctx, row: Any) -> str | None:
    """For those who may change them."""
    return row["external_id"] if ctx.actor.may("categories:write") else None


async def translations(ctx: Ctx, row: Any) -> Any:
    """For those who may change them."""
    return None if not ctx.actor.may("categories:write") else await _translations(ctx, row["id"])


async def _translations(ctx: Ctx, key: UUID) -> Any:
    return (await ctx.load(translations_of_category, key))["translations"]


async def _shown(ctx: Ctx, key: UUID) -> dict[str, Any]:
    """The category as it is now, in the operation's locale."""
    return {"category": await ctx.load(category_by_id, key)}


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    parent = None if given.parent_id is None else ids.decode("Category", given.parent_id, "parent_id")
    command = CreateCategory(given_columns(given, "parent_id"), parent)
    async with ctx.shop.tx() as tx:
        told = await showcase_picture.placed(tx, command.given, showing(ctx, Category), ctx.actor)
        made = await categories.create(tx, replace(command, given=told), ctx.actor)
    return await _shown(ctx, made.id)


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Category", given.id, "id")
    command = UpdateCategory(key, given_columns(given, "id", "if_version"), given.if_version)
    async with ctx.shop.tx() as tx:
        told = await showcase_picture.placed(tx, command.given, showing(ctx, Category, key), ctx.actor)
        await categories.change(tx, replace(command, given=told), ctx.actor)
    return await _shown(ctx, key)


async def move(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Category", given.id, "id")
    parent = None if given.parent_id is None else ids.decode("Category", given.parent_id, "parent_id")
    before = None if given.before_id is None else ids.decode("Category", given.before_id, "before_id")
    async with ctx.shop.tx() as tx:
        await categories.move(tx, MoveCategory(key, parent, before, given.if_version), ctx.actor)
    return await _shown(ctx, key)


async def reorder(ctx: Ctx, given: Any) -> dict[str, Any]:
    parent = None if given.parent_id is None else ids.decode("Category", given.parent_id, "parent_id")
    order = ids.decode_all("Category", given.category_ids, "category_ids")
    async with ctx.shop.tx() as tx:
        await categories.reorder(tx, parent, order, ctx.actor)
    return {"categories": [await ctx.load(category_by_id, key) for key in order]}


async def delete(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Category", given.id, "id")
    async with ctx.shop.tx() as tx:
        await categories.remove(tx, key, given.if_version, ctx.actor)
    return {"category_id": given.id}


async def add_products(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Category", given.category_id, "category_id")
    products = ids.decode_all("Product", given.product_ids, "product_ids")
    async with ctx.shop.tx() as tx:
        await category_products.add(tx, key, products, given.if_version, ctx.actor)
    return await _shown(ctx, key)


async def remove_products(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Category", given.category_id, "category_id")
    products = ids.decode_all("Product", given.product_ids, "product_ids")
    async with ctx.shop.tx() as tx:
        await category_products.remove(tx, key, products, given.if_version, ctx.actor)
    return await _shown(ctx, key)


async def set_of_product(ctx: Ctx, given: Any) -> dict[str, Any]:
    product_id = ids.decode("Product", given.product_id, "product_id")
    named = ids.decode_all("Category", given.category_ids, "category_ids")
    async with ctx.shop.tx() as tx:
        await category_products.set_categories(tx, product_id, named, given.if_version, ctx.actor)
    product, there = await ctx.load(any_product, product_id), await ctx.load(categories_of_product, product_id)
    return {"product_id": given.product_id, "product": product, "categories": there}
