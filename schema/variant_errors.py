"""What is refused about options and variants."""

import strawberry

from domain import variant
from resolvers import ids
from schema.build import column, derived, view
from schema.errors import UserError


@view(variant.VariantCombinationExists)
class VariantCombinationExists(UserError):
    """A live variant of the product has these values."""

    existing_variant_id: strawberry.ID | None = derived(
        lambda error: ids.encode("Variant", error["existing_variant_id"]), "That variant."
    )


@view(variant.SkuTaken)
class SkuTaken(UserError):
    """A live variant, of this product or another, has this SKU."""

    variant_id: strawberry.ID | None = derived(
        lambda error: ids.encode("Variant", error["variant_id"]), "The variant that has it."
    )
    sku: str = column("The SKU.")


@view(variant.VariantExternalIdTaken)
class VariantExternalIdTaken(UserError):
    """A variant, live or archived, has this external id."""

    variant_id: strawberry.ID | None = derived(
        lambda error: ids.encode("Variant", error["variant_id"]), "The variant that has it."
    )
    external_id: str = column("The external id.")


@view(variant.TooManyVariants)
class TooManyVariants(UserError):
    """The product would have more live variants than a product may have."""

    count: int = column("How many it would have.")
    limit: int = column("How many it may have.")


@view(variant.VariantsWouldBeEqual)
class VariantsWouldBeEqual(UserError):
    """Without the options that go, some live variants would have the same values."""

    variant_ids: list[strawberry.ID] = derived(
        lambda error: [ids.encode("Variant", key) for key in error["variant_ids"]], "Those variants."
    )


@view(variant.OptionValueInUse)
class OptionValueInUse(UserError):
    """Live variants have the value that was to go."""

    value: str = column("Its name.")
    variant_ids: list[strawberry.ID] = derived(
        lambda error: [ids.encode("Variant", key) for key in error["variant_ids"]], "The variants that have it."
    )


VARIANT_ERRORS: tuple[type, ...] = (
    OptionValueInUse,
    SkuTaken,
    TooManyVariants,
    VariantCombinationExists,
    VariantExternalIdTaken,
    VariantsWouldBeEqual,
)
