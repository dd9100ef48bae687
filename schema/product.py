"""What staff say about products: inputs and payloads."""

from typing import Any

import strawberry

from db.catalog import BriefDue, PriceQuantity, ProductStatus
from schema.build import given, input_type, one_of_input, partial_input, required, view
from schema.catalog import Media, Product
from schema.errors import Payload
from schema.scalars import CountryCode, Json

IF_VERSION = "Its version as it was read: another one is refused. By default any."
WHICH = "Which product."


def _if_version() -> Any:
    return given(IF_VERSION)


@one_of_input
class AdminProductBy:
    """Names a product, by one of these."""

    id: strawberry.ID | None = given("By its id.")
    handle: str | None = given("By its handle, or one that it had before.")
    external_id: str | None = given("By what another system calls it.")


@input_type
class AdminProductFilter:
    """Which products; what is left out does not matter."""

    status: ProductStatus | None = given("With this status.")
    vendor: str | None = given("Of this vendor.")
    type: str | None = given("Of this type.")
    tag: str | None = given("With this tag.")
    archived: bool = given("Those that are archived, instead of those that are not.", False)


@partial_input
class _Details:
    """What can be said of a product when it is made and afterwards."""

    handle: str | None = given(
        "For addresses. By default made of the title, unlike any that was there before; former ones lead on to it."
    )
    external_id: str | None = given("What another system calls it; unique.")
    subtitle: str | None = given("Up to 255 characters.")
    description: str | None = given("HTML; what is not safe is taken out.")
    vendor: str | None = given("Who makes it.")
    type: str | None = given("What kind of thing it is.")
    tags: list[str] | None = given("All words to find it by, at most 250.")
    seo_title: str | None = given("For search engines; null: its title.")
    seo_description: str | None = given("For search engines: up to 500 characters.")
    origin_country: CountryCode | None = given("Where it is made.")
    hs_code: str | None = given("Of the customs' Harmonised System: 6 to 13 digits.")
    material: str | None = given("What it is made of.")
    weight_grams: int | None = given("Of one unit. Variants may differ.")
    length_mm: int | None = given("Of one unit, packed.")
    width_mm: int | None = given("Of one unit, packed.")
    height_mm: int | None = given("Of one unit, packed.")
    discountable: bool | None = given("Promotions may make it cheaper; so it is by default.")
    tax_class_code: str | None = given("The code of its tax class; null: the default one.")
    workflow_code: str | None = given(
        "The workflow of the tickets of its lines, by default `default`; null: they get none."
    )
    brief_schema: Json | None = given("JSON Schema of the brief of a line, without references; null: it asks for none.")
    brief_due: BriefDue | None = given("When that brief must be given: by default after the order.")
    price_quantity: PriceQuantity | None = given("Which lines count together for a price: by default each alone.")
    metadata: Json | None = given("All that is your own, up to 16 KiB, which everybody can read.")


@partial_input
class ProductCreateInput(_Details):
    """A new product. It is a draft, with one variant as long as it has no options."""

    title: str = required("Shown to shoppers: 1 to 255 characters.")


@partial_input
class ProductUpdateInput(_Details):
    """What is to be changed: what is left out stays, null empties."""

    id: strawberry.ID = required(WHICH)
    title: str | None = given("Shown to shoppers: 1 to 255 characters.")
    if_version: int | None = _if_version()


@input_type
class ProductSetTranslationsInput:
    """All texts of a product in one locale; those that are left out or null fall back. Without any the locale goes."""

    id: strawberry.ID = required(WHICH)
    locale: str = required("BCP 47: `de`, or `de-AT`, which falls back to `de`.")
    title: str | None = given("Its title.")
    subtitle: str | None = given("Its subtitle.")
    description: str | None = given("HTML; what is not safe is taken out.")
    seo_title: str | None = given("For search engines.")
    seo_description: str | None = given("For search engines.")
    if_version: int | None = _if_version()


@input_type
class ProductSetStatusInput:
    """The status that a product is to have."""

    id: strawberry.ID = required(WHICH)
    status: ProductStatus = required("To publish, to reject and to take back takes `products:publish` besides.")
    if_version: int | None = _if_version()


@input_type
class ProductArchiveInput:
    """A product that is to be nowhere for sale."""

    id: strawberry.ID = required(WHICH)
    if_version: int | None = _if_version()


@input_type
class ProductRestoreInput:
    """An archived product that is to be there again."""

    id: strawberry.ID = required(WHICH)
    if_version: int | None = _if_version()


@input_type
class ProductDuplicateInput:
    """A product that is to be there once more."""

    id: strawberry.ID = required(WHICH)
    title: str | None = given("Of the copy; by default the same.")
    sku_suffix: str | None = given("Behind the SKUs of the copied variants; by default they have none.")


@one_of_input
class MediaSource:
    """Where a picture comes from."""

    url: str | None = given("Its address elsewhere, http or https. It is shown from there and never fetched.")
    file_id: strawberry.ID | None = given("An uploaded file of the purpose `PRODUCT_MEDIA` that is complete.")


@input_type
class ProductAddMediaInput:
    """A picture for a product, behind those that it has."""

    product_id: strawberry.ID = required(WHICH)
    image: MediaSource = required("Which picture.")
    alt: str = given("What it shows, for those who do not see it: up to 500 characters.", "")
    if_version: int | None = _if_version()


@partial_input
class ProductUpdateMediaInput:
    """What is to be changed about a picture: what is left out stays."""

    id: strawberry.ID = required("Which picture.")
    alt: str | None = given("What it shows, for those who do not see it; null: nothing is said.")
    url: str | None = given("Another address, if it was not uploaded.")
    if_version: int | None = given("The product's version as it was read: another one is refused. By default any.")


@input_type
class ProductRemoveMediaInput:
    """Pictures that a product is not to have any more."""

    product_id: strawberry.ID = required(WHICH)
    media_ids: list[strawberry.ID] = required("Which pictures.")
    if_version: int | None = _if_version()


@input_type
class ProductReorderMediaInput:
    """The order in which a product's pictures are shown."""

    product_id: strawberry.ID = required(WHICH)
    media_ids: list[strawberry.ID] = required("All of them, the main one first.")
    if_version: int | None = _if_version()


@view()
class ProductCreatePayload(Payload):
    """A new product."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductUpdatePayload(Payload):
    """A product as it is now."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductSetTranslationsPayload(Payload):
    """A product as it is now, in the operation's locale."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductSetStatusPayload(Payload):
    """A product as it is now."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductArchivePayload(Payload):
    """A product that is nowhere for sale."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductRestorePayload(Payload):
    """A product that is there again, as a draft."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductDuplicatePayload(Payload):
    """The copy, a draft."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductRemoveMediaPayload(Payload):
    """A product as it is now."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductReorderMediaPayload(Payload):
    """A product as it is now."""

    product: Product | None = strawberry.field(description="The product.")


@view()
class ProductAddMediaPayload(Payload):
    """A new picture, behind the others."""

    media: Media | None = strawberry.field(description="The picture.")


@view()
class ProductUpdateMediaPayload(Payload):
    """A picture as it is now."""

    media: Media | None = strawberry.field(description="The picture.")
