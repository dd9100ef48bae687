"""The root fields that are about categories."""

from typing import Any

from resolvers import category as tree
from resolvers.context import PUBLIC, Ctx
from resolvers.page import Page
from schema import category as types
from schema.build import arg, mutation, query, view
from schema.node import PAGE_ARGS, Connection, page_args

WRITE = "categories:write"


async def _categories(ctx: Ctx, roots: bool, **args: Any) -> Page:
    return await tree.list_categories(ctx, page_args(**args), roots=roots)


@view()
class CategoryQuery:
    """Reads."""

    categories: Connection[types.Category] = query(
        _categories,
        PUBLIC,
        "The roots of the tree in the merchant's order, or all categories, oldest first.",
        shared=True,
        roots=arg(bool, "The roots only; what is below them shows `children`.", True),
        **PAGE_ARGS,
    )
    category: types.Category | None = query(
        tree.find, PUBLIC, "One category.", shared=True, by=arg(types.CategoryBy, "Which one.")
    )


@view()
class CategoryMutation:
    """Writes."""

    category_create: types.CategoryCreatePayload = mutation(
        types.CategoryCreateInput, tree.create, WRITE, "Makes a category. Needs `categories:write`."
    )
    category_update: types.CategoryUpdatePayload = mutation(
        types.CategoryUpdateInput, tree.update, WRITE, "Changes a category. Needs `categories:write`."
    )
    category_move: types.CategoryMovePayload = mutation(
        types.CategoryMoveInput,
        tree.move,
        WRITE,
        "Moves a category with all that is below it. Needs `categories:write`.",
    )
    category_reorder: types.CategoryReorderPayload = mutation(
        types.CategoryReorderInput, tree.reorder, WRITE, "Orders what is below one. Needs `categories:write`."
    )
    category_delete: types.CategoryDeletePayload = mutation(
        types.CategoryDeleteInput,
        tree.delete,
        WRITE,
        "Deletes a category in which nothing stands. Needs `categories:write`.",
    )
    category_add_products: types.CategoryAddProductsPayload = mutation(
        types.CategoryAddProductsInput,
        tree.add_products,
        WRITE,
        "Puts products into a category. Needs `categories:write`.",
    )
    category_remove_products: types.CategoryRemoveProductsPayload = mutation(
        types.CategoryRemoveProductsInput,
        tree.remove_products,
        WRITE,
        "Takes products out of a category. Needs `categories:write`.",
    )
    product_set_categories: types.ProductSetCategoriesPayload = mutation(
        types.ProductSetCategoriesInput,
        tree.set_of_product,
        "products:write",
        "Says in which categories a product stands. Needs `products:write`.",
    )
