"""The root fields that are about collections."""

from typing import Any

import strawberry

from resolvers import collection as chosen
from resolvers.context import PUBLIC, Ctx
from resolvers.page import Page
from schema import collection as types
from schema.build import arg, mutation, query, view
from schema.node import PAGE_ARGS, Connection, page_args

WRITE = chosen.WRITE
PUBLISH = "collections:publish"


async def _collections(ctx: Ctx, **args: Any) -> Page:
    return await chosen.list_collections(ctx, page_args(**args))


async def _all_collections(ctx: Ctx, **args: Any) -> Page:
    return await chosen.list_all(ctx, page_args(**args))


@view()
class CollectionQuery:
    """Reads."""

    collections: Connection[types.Collection] = query(
        _collections, PUBLIC, "Published collections, oldest first.", shared=True, **PAGE_ARGS
    )
    collection: types.Collection | None = query(
        chosen.find, PUBLIC, "One published collection.", shared=True, by=arg(types.CollectionBy, "Which one.")
    )
    all_collections: Connection[types.Collection] = query(
        _all_collections,
        WRITE,
        "All collections, also those that nobody is shown, oldest first. Needs `collections:write`.",
        **PAGE_ARGS,
    )
    collection_publications: list[types.CollectionPublication] = query(
        chosen.publications,
        WRITE,
        "The sales channels that a collection is in, whatever its status. Needs `collections:write`.",
        collection_id=arg(strawberry.ID, "Which one."),
    )
    collection_preview: types.CollectionPreview = query(
        chosen.preview,
        WRITE,
        "What a rule would find now, before it is kept. Needs `collections:write`.",
        rules=arg(types.CollectionRulesInput, "The rule."),
        first=arg(int, "How many of the products are shown, 0 to 100.", 10),
    )


@view()
class CollectionMutation:
    """Writes."""

    collection_create: types.CollectionCreatePayload = mutation(
        types.CollectionCreateInput, chosen.create, WRITE, "Makes a collection. Needs `collections:write`."
    )
    collection_update: types.CollectionUpdatePayload = mutation(
        types.CollectionUpdateInput, chosen.update, WRITE, "Changes a collection. Needs `collections:write`."
    )
    collection_add_products: types.CollectionAddProductsPayload = mutation(
        types.CollectionAddProductsInput,
        chosen.add_products,
        WRITE,
        "Puts products into a collection by hand. Needs `collections:write`.",
    )
    collection_remove_products: types.CollectionRemoveProductsPayload = mutation(
        types.CollectionRemoveProductsInput,
        chosen.remove_products,
        WRITE,
        "Takes products out of a collection by hand. Needs `collections:write`.",
    )
    collection_reorder: types.CollectionReorderPayload = mutation(
        types.CollectionReorderInput,
        chosen.reorder,
        WRITE,
        "Puts products of a collection by hand to another place in it. Needs `collections:write`.",
    )
    collection_publish: types.CollectionPublishPayload = mutation(
        types.CollectionPublishInput,
        chosen.publish,
        PUBLISH,
        "Publishes a collection in a sales channel, for a while or for ever. Needs `collections:publish`.",
    )
    collection_unpublish: types.CollectionUnpublishPayload = mutation(
        types.CollectionUnpublishInput,
        chosen.unpublish,
        PUBLISH,
        "Takes a collection out of a sales channel. Needs `collections:publish`.",
    )
