"""The root fields that are about products: what staff read and write, and the words that products are told apart by."""

from typing import Any

from resolvers import product
from resolvers.context import PUBLIC, Ctx
from resolvers.page import Page
from schema import product as types
from schema.build import arg, mutation, optional, query, view
from schema.catalog import Product
from schema.node import PAGE_ARGS, Connection, page_args
from schema.product_details import ProductWord

WRITE = "products:write"


async def _products(ctx: Ctx, filter: Any, **args: Any) -> Page:  # noqa: A002
    return await product.products(ctx, filter, page_args(**args))


async def _types(ctx: Ctx, **args: Any) -> Page:
    return await product.types(ctx, page_args(**args))


async def _vendors(ctx: Ctx, **args: Any) -> Page:
    return await product.vendors(ctx, page_args(**args))


async def _tags(ctx: Ctx, **args: Any) -> Page:
    return await product.tags(ctx, page_args(**args))


@view()
class ProductQuery:
    """Reads."""

    admin_products: Connection[Product] = query(
        _products,
        product.READ,
        "All products whatever their status, the newest first. Needs `products:read`.",
        filter=optional(types.AdminProductFilter, "Which ones; by default all that are not archived."),
        **PAGE_ARGS,
    )
    admin_product: Product | None = query(
        product.product,
        product.READ,
        "One product whatever its status, archived ones too. Needs `products:read`.",
        by=arg(types.AdminProductBy, "Which one."),
    )
    product_types: Connection[ProductWord] = query(
        _types, PUBLIC, "The types of the products that are for sale.", shared=True, **PAGE_ARGS
    )
    product_vendors: Connection[ProductWord] = query(
        _vendors, PUBLIC, "The vendors of the products that are for sale.", shared=True, **PAGE_ARGS
    )
    product_tags: Connection[ProductWord] = query(
        _tags, PUBLIC, "The tags of the products that are for sale.", shared=True, **PAGE_ARGS
    )


@view()
class ProductMutation:
    """Writes."""

    product_create: types.ProductCreatePayload = mutation(
        types.ProductCreateInput, product.create, WRITE, "Makes a product, as a draft. Needs `products:write`."
    )
    product_update: types.ProductUpdatePayload = mutation(
        types.ProductUpdateInput, product.update, WRITE, "Changes what is said of a product. Needs `products:write`."
    )
    product_set_translations: types.ProductSetTranslationsPayload = mutation(
        types.ProductSetTranslationsInput,
        product.translate,
        WRITE,
        "Says what a product's texts are in one locale. Needs `products:write`.",
    )
    product_set_status: types.ProductSetStatusPayload = mutation(
        types.ProductSetStatusInput,
        product.set_status,
        WRITE,
        "Proposes a product, or decides on it. Needs `products:write`, and to decide `products:publish` besides.",
    )
    product_archive: types.ProductArchivePayload = mutation(
        types.ProductArchiveInput,
        product.archive,
        WRITE,
        "Takes a product from sale everywhere; others may have its SKUs then. Needs `products:write`.",
    )
    product_restore: types.ProductRestorePayload = mutation(
        types.ProductRestoreInput,
        product.restore,
        WRITE,
        "Brings an archived product back, as a draft. Needs `products:write`.",
    )
    product_duplicate: types.ProductDuplicatePayload = mutation(
        types.ProductDuplicateInput,
        product.duplicate,
        WRITE,
        "Makes a draft of a product with its options, variants, prices, pictures, categories and translations. Needs "
        "`products:write`.",
    )
    product_add_media: types.ProductAddMediaPayload = mutation(
        types.ProductAddMediaInput, product.add_media, WRITE, "Adds a picture to a product. Needs `products:write`."
    )
    product_update_media: types.ProductUpdateMediaPayload = mutation(
        types.ProductUpdateMediaInput, product.update_media, WRITE, "Changes a picture. Needs `products:write`."
    )
    product_remove_media: types.ProductRemoveMediaPayload = mutation(
        types.ProductRemoveMediaInput,
        product.remove_media,
        WRITE,
        "Takes pictures from a product. Needs `products:write`.",
    )
    product_reorder_media: types.ProductReorderMediaPayload = mutation(
        types.ProductReorderMediaInput,
        product.reorder_media,
        WRITE,
        "Says in which order pictures are shown. Needs `products:write`.",
    )
