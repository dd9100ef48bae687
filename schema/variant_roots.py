"""The root fields that are about options and variants. Those of `Query` and `Mutation` begin with them."""

from resolvers import variant
from resolvers import variant_write as write
from resolvers.context import PUBLIC
from schema import variant as types
from schema.build import arg, mutation, query, view
from schema.catalog import Variant, VariantBy

WRITE = "products:write"


@view()
class VariantQuery:
    """Reads."""

    variant: Variant | None = query(
        variant.variant,
        PUBLIC,
        "One variant of a published product. Null: it is not for sale.",
        shared=True,
        by=arg(VariantBy, "Which one."),
    )


@view()
class VariantMutation:
    """Writes."""

    product_set_options: types.ProductSetOptionsPayload = mutation(
        types.ProductSetOptionsInput,
        write.set_options,
        WRITE,
        "Makes the options of a product what is said: adds, renames, reorders and removes options and values. Refused "
        "with the variants concerned where two would be equal or one would lose a value. Needs `products:write`.",
    )
    variant_create: types.VariantCreatePayload = mutation(
        types.VariantCreateInput, write.create, WRITE, "Makes a variant. Needs `products:write`."
    )
    variant_update: types.VariantUpdatePayload = mutation(
        types.VariantUpdateInput, write.change, WRITE, "Changes a variant. Needs `products:write`."
    )
    variant_archive: types.VariantArchivePayload = mutation(
        types.VariantArchiveInput,
        write.archive,
        WRITE,
        "Takes a variant out of sale; orders go on naming it. Needs `products:write`.",
    )
    variant_restore: types.VariantRestorePayload = mutation(
        types.VariantRestoreInput,
        write.restore,
        WRITE,
        "Puts an archived variant on sale again, unless another one has its SKU or its values by now. "
        "Needs `products:write`.",
    )
    variants_generate: types.VariantsGeneratePayload = mutation(
        types.VariantsGenerateInput,
        write.generate,
        WRITE,
        "Makes the variants that a product lacks, all or, where they would be more than 2,000, none. "
        "Needs `products:write`.",
    )
    variants_reorder: types.VariantsReorderPayload = mutation(
        types.VariantsReorderInput, write.reorder, WRITE, "Puts variants into another order. Needs `products:write`."
    )
    variants_upsert: types.VariantsUpsertPayload = mutation(
        types.VariantsUpsertInput,
        write.upsert,
        WRITE,
        "Changes and makes many variants at once. Needs `products:write`.",
    )
    products_upsert: types.ProductsUpsertPayload = mutation(
        types.ProductsUpsertInput,
        write.upsert_products,
        WRITE,
        "Changes and makes many products at once, with options, variants and prices. Needs `products:write`.",
    )
