"""Inputs and payloads of what staff write of options and variants."""

from decimal import Decimal
from typing import Any

import strawberry

from domain.upsert import RowResult
from resolvers import catalog
from resolvers.product import any_product
from schema.build import column, derived, given, input_type, loads, partial_input, required, user_errors, view
from schema.catalog import Product, SelectedOptionInput, Variant
from schema.errors import Payload, UserError
from schema.money import MoneyInput
from schema.scalars import CountryCode, CurrencyCode, Json
from schema.upsert import OnError, Outcome


def if_version() -> int | None:
    return given("Refused unless the product is at this version. Every write of its options and variants raises it.")


@input_type
class QuantityRuleInput:
    """How many units a line may have."""

    minimum: int | None = given("The least, a multiple of the increment; by default the increment.")
    maximum: int | None = given("The most, a multiple of the increment; by default that of every line.")
    increment: int | None = given("A line has a multiple of it; by default 1.")


@partial_input
class VariantFieldsInput:
    """What is said of a variant besides its values. What is left out stays; null empties what may be empty."""

    title: str | None = given("Its own title. Null: its values, joined; it then follows when they are renamed.")
    sku: str | None = given("The merchant's number; no two live variants of the shop have the same.")
    barcode: str | None = given("As it is printed, whatever it is.")
    ean: str | None = given("EAN of 8 or 13 digits; the check digit is checked.")
    upc: str | None = given("UPC of 12 digits; the check digit is checked.")
    external_id: str | None = given("Of another system; no two variants have the same, archived ones neither.")
    manage_stock: bool | None = given("False: it sells without limit.")
    allow_backorder: bool | None = given("It may be sold before it has arrived.")
    quantity_rule: QuantityRuleInput | None = given("How many units a line may have.")
    weight_grams: int | None = given("Of one unit.")
    weight_unit: str | None = given("In which the merchant likes to see the weight: g, kg, oz or lb.")
    length_mm: int | None = given("Null: as of the product.")
    width_mm: int | None = given("Null: as of the product.")
    height_mm: int | None = given("Null: as of the product.")
    requires_shipping: bool | None = given("It is a thing that is sent.")
    taxable: bool | None = given("Tax is due of it.")
    translations: Json | None = given('Of a title of its own: `{"de": {"title": "Groß"}}`.')
    metadata: Json | None = given("Whatever you like to note; anybody can read it. At most 16 KiB.")


@partial_input
class VariantCreateInput(VariantFieldsInput):
    """A new variant, behind those that there are. Nobody has counted it yet: `variantSetStockItems`, `stockSet`."""

    product_id: strawberry.ID = required("Of what.")
    if_version: int | None = if_version()
    options: list[SelectedOptionInput] | None = given("Its value for each option of the product.")
    media_id: strawberry.ID | None = given("Its picture, one of the product's.")


@partial_input
class VariantUpdateInput(VariantFieldsInput):
    """Changes of a variant that is not archived."""

    variant_id: strawberry.ID = required("Which one.")
    if_version: int | None = if_version()
    options: list[SelectedOptionInput] | None = given("Other values for some of its options.")
    media_id: strawberry.ID | None = given("Its picture, one of the product's.")


@input_type
class VariantArchiveInput:
    """A variant that is not sold any more."""

    variant_id: strawberry.ID = required("Which one.")
    if_version: int | None = if_version()


@input_type
class VariantRestoreInput:
    """An archived variant that is to be sold again."""

    variant_id: strawberry.ID = required("Which one.")
    if_version: int | None = if_version()
    options: list[SelectedOptionInput] | None = given(
        "Values for options that the product has got since, or others than it had."
    )


@view()
class VariantPayload(Payload):
    """A variant as it is now, and its product."""

    variant: Variant | None = strawberry.field(description="The variant.")
    product: Product | None = strawberry.field(description="Its product, published or not.")


@view()
class VariantCreatePayload(VariantPayload):
    """A new variant."""


@view()
class VariantUpdatePayload(VariantPayload):
    """A variant as it is now."""


@view()
class VariantArchivePayload(VariantPayload):
    """An archived variant."""


@view()
class VariantRestorePayload(VariantPayload):
    """A variant that is for sale again."""


@partial_input
class OptionValueInput:
    """A value of an option as it is to be. Of one that there is, what is left out stays."""

    id: strawberry.ID | None = given("Names the value, so that it can be renamed; otherwise it is found by its name.")
    name: str = required("Shown to shoppers: `Large`.")
    swatch_color: str | None = given("`#rrggbb`: shown as this colour. It takes the place of a picture.")
    swatch_media_id: strawberry.ID | None = given("Shown as this picture of the product. Takes the place of a colour.")
    translations: Json | None = given('By locale: `{"de": {"name": "Groß"}}`.')


@partial_input
class ProductOptionInput:
    """An option of a product as it is to be. Of one that there is, what is left out stays."""

    id: strawberry.ID | None = given("Names the option, so that it can be renamed; otherwise it is found by its name.")
    name: str = required("Shown to shoppers: `Size`.")
    values: list[OptionValueInput] = required("All its values, in their order.")
    value_for_existing: str | None = given(
        "Of an option that is added: the name of the value that existing variants take."
    )
    translations: Json | None = given('By locale: `{"de": {"name": "Größe"}}`.')


@input_type
class ProductSetOptionsInput:
    """All options of a product, in their order; those that are not named go, and values likewise."""

    product_id: strawberry.ID = required("Of what.")
    if_version: int | None = if_version()
    options: list[ProductOptionInput] = required("1 to 10. A product without choices has `Title` with `Default Title`.")


@view()
class ProductSetOptionsPayload(Payload):
    """A product with its options as they are now."""

    product: Product | None = strawberry.field(description="The product, published or not.")


@input_type
class VariantsGenerateInput:
    """Makes the variants that a product lacks: one for each combination of values that there is no live one of."""

    product_id: strawberry.ID = required("Of what.")
    if_version: int | None = if_version()
    price: MoneyInput | None = given("What each of them costs, in all regions of the currency.")


@view()
class VariantsGeneratePayload(Payload):
    """What was made."""

    product: Product | None = strawberry.field(description="The product, published or not.")
    variants_created: int | None = strawberry.field(description="How many variants were made.")


@input_type
class VariantsReorderInput:
    """Another order of a product's variants."""

    product_id: strawberry.ID = required("Of what.")
    if_version: int | None = if_version()
    variant_ids: list[strawberry.ID] = required("These come first, in this order; others follow as they were.")


@view()
class VariantsReorderPayload(Payload):
    """A product with its variants in their order."""

    product: Product | None = strawberry.field(description="The product, published or not.")


@input_type
class VariantPriceInput:
    """A base price of a variant; those that are not named stay."""

    amount: Decimal | None = given('Per unit, in major units: `"12.50"`. Null or left out: takes the price away.')
    currency: CurrencyCode = required("Its currency.")
    compare_at: Decimal | None = given("The price it is compared with. Null or left out: none.")
    region_id: strawberry.ID | None = given("In this region alone; otherwise in all of the currency.")
    min_quantity: int | None = given("From this quantity on; by default 1.")


@partial_input
class VariantUpsertInput(VariantFieldsInput):
    """A variant as it is to be: found by external id, else by SKU, or made. An archived one is restored."""

    product_id: strawberry.ID | None = given("Of what it is made if there is none.")
    options: list[SelectedOptionInput] | None = given("Its values; of one that there is, those that are to change.")
    prices: list[VariantPriceInput] | None = given("Base prices; those that are not named stay.")
    media_id: strawberry.ID | None = given("Its picture, one of the product's.")


@input_type
class VariantsUpsertInput:
    """Many variants at once."""

    rows: list[VariantUpsertInput] = required("1 to 1,000.")
    on_error: OnError = given("What becomes of the other rows when one is refused.", OnError.ABORT)


def _errors(result: RowResult) -> list[dict[str, Any]]:
    return [error for refusal in result.refusals for error in user_errors(refusal)]


@view(RowResult)
class VariantUpsertResult:
    """What became of a row."""

    index: int = column("Which one, from 0.")
    variant: Variant | None = loads(catalog.variant_by_id, "id", "The variant. Null: the row was refused.")
    outcome: Outcome | None = column("What was done. Null: the row was refused.")
    errors: list[UserError] = derived(_errors, "Why it was refused; paths begin inside the row.")


def _results(payload: dict[str, Any]) -> list[Any]:
    return payload.get("results") or []


@view()
class VariantsUpsertPayload(Payload):
    """What became of the rows."""

    results: list[VariantUpsertResult] = derived(_results, "Of every row, in their order; none if nothing was done.")


@partial_input
class ProductUpsertVariantInput(VariantFieldsInput):
    """A variant of a product, found by SKU, else by its values, or made."""

    options: list[SelectedOptionInput] | None = given("Its value for each option; none of a product without choices.")
    prices: list[VariantPriceInput] | None = given("Base prices; those that are not named stay.")
    image: str | None = given("The address of its picture, one of the product's. Null or left out: as it is.")


@input_type
class ProductUpsertMediaInput:
    """A picture that lies elsewhere."""

    url: str = required("Its address.")
    alt: str | None = given("What it shows.")


@partial_input
class ProductUpsertInput:
    """A product as it is to be: found by external id, else by handle, or made as a draft. What is left out stays."""

    external_id: str | None = given("What another system calls it; it is found by it first.")
    handle: str | None = given("For addresses; it is found by it otherwise. Of a new one by default of the title.")
    title: str | None = given("Shown to shoppers; a new product needs one.")
    subtitle: str | None = given("A line below the title.")
    description: str | None = given("HTML; what is not safe is taken out.")
    vendor: str | None = given("Who makes it.")
    type: str | None = given("What kind of thing it is.")
    tags: list[str] | None = given("Words to find it by; all of them.")
    seo_title: str | None = given("For search engines.")
    seo_description: str | None = given("For search engines.")
    origin_country: CountryCode | None = given("Where it was made.")
    hs_code: str | None = given("Of the customs' Harmonised System.")
    material: str | None = given("What it is made of.")
    weight_grams: int | None = given("Of one unit, where the variant says nothing.")
    length_mm: int | None = given("Of one unit, where the variant says nothing.")
    width_mm: int | None = given("Of one unit, where the variant says nothing.")
    height_mm: int | None = given("Of one unit, where the variant says nothing.")
    discountable: bool | None = given("Promotions may make it cheaper.")
    metadata: Json | None = given("Whatever you like to note; anybody can read it. At most 16 KiB.")
    translations: Json | None = given('By locale and field: `{"de": {"title": "Becher"}}`; all of them.')
    options: list[str] | None = given("The names of its options, in their order. Left out: those that it has.")
    variants: list[ProductUpsertVariantInput] | None = given(
        "All its variants, in their order: others are archived. Values are made as they are named. Left out: they stay."
    )
    media: list[ProductUpsertMediaInput] | None = given("All its pictures. Left out: they stay.")


@input_type
class ProductsUpsertInput:
    """Many products at once."""

    rows: list[ProductUpsertInput] = required("1 to 1,000, a row with more variants counted as so many.")
    on_error: OnError = given("What becomes of the other rows when one is refused.", OnError.ABORT)


@view(RowResult)
class ProductUpsertResult:
    """What became of a row."""

    index: int = column("Which one, from 0.")
    product: Product | None = loads(any_product, "id", "The product. Null: the row was refused.")
    outcome: Outcome | None = column("What was done. Null: the row was refused.")
    errors: list[UserError] = derived(_errors, "Why it was refused; paths begin inside the row.")


@view()
class ProductsUpsertPayload(Payload):
    """What became of the rows."""

    results: list[ProductUpsertResult] = derived(_results, "Of every row, in their order; none if nothing was done.")
