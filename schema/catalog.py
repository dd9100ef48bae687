"""Products, their options, variants, pictures."""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import strawberry

from db import Media as MediaRow
from db import OptionValue as OptionValueRow
from db import Product as ProductRow
from db import ProductOption as ProductOptionRow
from db import Variant as VariantRow
from db.catalog import BriefDue
from domain.availability import AvailabilityStatus
from domain.brief_field import fields_of
from domain.quantity_rule import QuantityRule as Rule
from resolvers import catalog, category, collection, product, stock
from resolvers import option_availability as selection
from resolvers import price as prices
from resolvers import variant as variants
from schema.brief import BriefField
from schema.build import arg, column, derived, enum, given, input_type, loads, one_of_input, required, view
from schema.category import Category
from schema.collection import Collection
from schema.node import PAGE_ARGS, Connection, Node, page_args, public_id
from schema.price import Price, PriceRange
from schema.product_details import ProductDimensions, ProductStaffDetails
from schema.scalars import CountryCode, Json
from schema.stock import VariantStockItem

enum(
    BriefDue,
    "When the brief of a line must be given.",
    BEFORE_ORDER="Without it the cart cannot be completed.",
    AFTER_ORDER="It may follow; the ticket waits for it.",
)
enum(
    AvailabilityStatus,
    "Whether a variant can be bought now.",
    IN_STOCK="It can, and at least one is ready to be sent.",
    BACKORDER="It can, but has to arrive first.",
    OUT_OF_STOCK="It cannot.",
    NOT_TRACKED="It can, without limit: it is not counted.",
)


@view()
class Availability:
    """Whether a variant can be bought now, and about how many."""

    status: AvailabilityStatus = strawberry.field(description="Whether it can.")
    quantity: int | None = strawberry.field(
        description="How many, counted up to `stockSettings.shownQuantity`, 10 unless the shop says otherwise; null: "
        "it sells without limit."
    )


@view(MediaRow)
class Media(Node):
    """A picture of a product."""

    id: strawberry.ID = public_id("Media")
    url: str = column("Where it is.")
    alt: str = column("What it shows, for those who do not see it.")


@view()
class Swatch:
    """How a value is shown besides its name: as a colour or as a picture."""

    color: str | None = derived(lambda value: value["swatch_color"], "`#rrggbb`. Null: it is a picture.")
    image: Media | None = loads(catalog.media_by_id, "swatch_media_id", "A picture. Null: it is a colour.")


def _swatch(value: Any) -> Any:
    return None if value["swatch_color"] is None and value["swatch_media_id"] is None else value


@view(OptionValueRow)
class OptionValue(Node):
    """One choice of an option."""

    id: strawberry.ID = public_id("OptionValue")
    name: str = column("Shown to shoppers: `Large`.")
    swatch: Swatch | None = derived(_swatch, "How it is shown besides its name. Null: by its name alone.")


@view(ProductOptionRow)
class ProductOption(Node):
    """Something to choose about a product. A product without choices has one named `Title`."""

    id: strawberry.ID = public_id("ProductOption")
    name: str = column("Shown to shoppers: `Size`.")
    values: list[OptionValue] = strawberry.field(description="The choices, in the merchant's order.")


@view()
class SelectedOption:
    """What a variant has for an option."""

    name: str = strawberry.field(description="The option's name.")
    value: str = strawberry.field(description="The value's name.")


@input_type
class SelectedOptionInput:
    """A value of an option, by their names."""

    name: str = required("The option's name: `Size`.")
    value: str = required("The value's name: `Large`.")


@view()
class OptionValueAvailability:
    """Where a value leads, with all else that is selected."""

    name: str = strawberry.field(description="The value's name.")
    selected: bool = strawberry.field(description="It is what is selected of the option.")
    exists: bool = strawberry.field(description="There is a variant with it.")
    available: bool = strawberry.field(
        description="One of these can be bought here and now: it is for sale, has a price and is in stock or may be "
        "owed."
    )


@view()
class OptionAvailability:
    """An option with what its values lead to."""

    name: str = strawberry.field(description="The option's name.")
    values: list[OptionValueAvailability] = strawberry.field(description="Its values, in the merchant's order.")


SELECTED = arg(
    list[SelectedOptionInput], "By their names, as they are shown or as the merchant wrote them; at most one of each."
)


def _in_stock_keys(variants: Sequence[Any]) -> list[Any]:
    return [(variant["id"], variant["manage_stock"]) for variant in variants]


def _product_keys(variants: Sequence[Any]) -> list[Any]:
    return [(variant["product_id"], variant.get("place")) for variant in variants]


@view()
class QuantityRule:
    """How many units of a variant a line may have."""

    minimum: int = column("The least.")
    maximum: int | None = column("The most; null: there is none but that of every line.")
    increment: int = column("It is a multiple of this.")


@view(VariantRow)
class VariantStaffDetails:
    """What staff see of a variant besides what everybody sees."""

    external_id: str | None = column("What another system calls it; unique.")
    manage_stock: bool = column("False: it sells without limit.")
    allow_backorder: bool = column("It may be sold before it has arrived.")
    weight_unit: str = column("In which the merchant likes to see the weight.")
    translations: Json = column('Of its title, by locale: `{"de": {"title": "Groß"}}`.')
    archived_at: datetime | None = column("Since when it is archived, so nowhere for sale. Null: it is not.")
    created_at: datetime = column("Since when it is in the catalogue.")


def _variant_detail(name: str, description: str) -> Any:
    return loads(catalog.details_of_variant, "id", description, then=lambda row: row[name])


@view(VariantRow)
class Variant(Node):
    """What is put into a cart: a product with one value for each of its options."""

    id: strawberry.ID = public_id("Variant")
    title: str = column("Its values, joined: `Large / Kraft`.")
    sku: str | None = column("The merchant's number for it.")
    barcode: str | None = column("EAN, UPC or the like.")
    weight_grams: int = column("Weight of one unit in grams.")
    requires_shipping: bool = column("It is a thing that is sent.")
    quantity_rule: QuantityRule = derived(Rule.of, "How many units a line may have.")
    selected_options: list[SelectedOption] = loads(
        catalog.selected_options, "id", "Its value for each option, in the order of the options."
    )
    image: Media | None = loads(catalog.media_by_id, "media_id", "Its own picture, if it has one.")
    price: Price | None = loads(
        prices.price_of_variant,
        prices.price_keys,
        "What one unit costs in the context; under a cart, in the cart's. Null: not for sale there.",
        quantity=arg(int, "When so many are bought.", 1),
    )
    availability: Availability = loads(catalog.available_of_variant, _in_stock_keys, "Whether it can be bought now.")
    ean: str | None = _variant_detail("ean", "Its EAN, of 8 or 13 digits.")
    upc: str | None = _variant_detail("upc", "Its UPC, of 12 digits.")
    length_mm: int | None = _variant_detail("length_mm", "Of one unit, packed. Null: as of the product.")
    width_mm: int | None = _variant_detail("width_mm", "Of one unit, packed. Null: as of the product.")
    height_mm: int | None = _variant_detail("height_mm", "Of one unit, packed. Null: as of the product.")
    taxable: bool | None = _variant_detail("taxable", "Tax is due of it.")
    metadata: Json | None = _variant_detail("metadata", "What the merchant notes about it.")
    staff_details: VariantStaffDetails | None = loads(
        variants.staff_details_of_variant,
        "id",
        "What staff see besides. Null without `products:read`.",
    )
    stock_items: list[VariantStockItem] = loads(
        stock.items_of_variant, "id", "What one unit takes from the shelves. Nothing without `stock:read`."
    )
    product: "Product | None" = loads(
        catalog.product_in_place,
        _product_keys,
        "What it is a variant of. Null: it is not published any more.",
    )


@view()
class Seo:
    """What search engines are told."""

    title: str | None = strawberry.field(description="Null: the product's own title.")
    description: str | None = strawberry.field(description="Null: none.")


def _variants_keys(products: Sequence[Any], **args: Any) -> list[Any]:
    page = page_args(**args)
    return [(product["id"], page, product.get("place")) for product in products]


@view(ProductRow)
class Product(Node):
    """Something that is sold. It is bought as one of its variants."""

    id: strawberry.ID = public_id("Product")
    handle: str = column("For addresses; unique.")
    title: str = column("Shown to shoppers, in the operation's locale if there is a translation.")
    subtitle: str | None = column("Shown below the title, likewise.")
    description: str = column("Safe HTML, likewise.")
    vendor: str = column("Who makes it.")
    type: str = column("What kind of thing it is.")
    tags: list[str] = column("Words to find it by.")
    seo: Seo = derived(
        lambda row: {"title": row["seo_title"], "description": row["seo_description"]}, "What search engines are told."
    )
    material: str | None = loads(catalog.details_of_product, "id", "What it is made of.", itemgetter("material"))
    origin_country: CountryCode | None = loads(
        catalog.details_of_product, "id", "Where it is made.", itemgetter("origin_country")
    )
    weight_grams: int | None = loads(
        catalog.details_of_product, "id", "Of one unit, where variants do not differ.", itemgetter("weight_grams")
    )
    dimensions: ProductDimensions | None = loads(catalog.details_of_product, "id", "How large one unit is, packed.")
    metadata: Json | None = loads(
        catalog.details_of_product, "id", "What the shop notes about it for its storefronts.", itemgetter("metadata")
    )
    admin: ProductStaffDetails | None = loads(
        product.staff_details_of_product, "id", "What staff see besides. Null without `products:read`."
    )
    brief_schema: Json | None = column("JSON Schema of the brief that a line of it asks for. Null: none.")
    brief_fields: list[BriefField] = derived(
        lambda row: fields_of(row["brief_schema"]),
        "Its properties as a form asks for them: by `propertyOrder`, then as `required` lists them, then by name.",
    )
    brief_due: BriefDue = column("When that brief must be given.")
    version: int = column("Rises with every change.")
    created_at: datetime = column("Since when it is in the catalogue.")
    options: list[ProductOption] = loads(catalog.options_of_product, "id", "What there is to choose.")
    media: list[Media] = loads(catalog.media_of_product, "id", "Pictures, the main one first.")
    variants: Connection[Variant] = loads(
        catalog.variants_in_place, _variants_keys, "What can be bought, in the merchant's order.", **PAGE_ARGS
    )
    price_range: PriceRange | None = loads(
        prices.price_range_of_product,
        prices.range_keys,
        "What one unit costs in the context, in stock or not; under a cart, in the cart's. Null: not for sale there.",
    )
    option_availability: list[OptionAvailability] = loads(
        selection.option_availability,
        selection.selected_keys,
        "For every value whether it leads to a variant, and to one that can be bought, with what is selected of the "
        "other options. With an option or a value that the product does not have nothing leads anywhere.",
        selected=SELECTED,
    )
    variant_by_selected_options: Variant | None = loads(
        selection.variant_by_selected,
        selection.selected_keys,
        "The variant that has exactly these values. Null: there is none, or an option is missing.",
        selected=SELECTED,
    )
    categories: list[Category] = loads(category.categories_of_product, "id", "Where it stands in the tree.")
    collections: list[Collection] = loads(collection.collections_of_product, "id", "What it is shown together with.")


@one_of_input
class VariantBy:
    """Names a variant, by one of these."""

    id: strawberry.ID | None = given("By its id.")
    sku: str | None = given("By its SKU.")


@one_of_input
class ProductBy:
    """Names a product, by one of these."""

    id: strawberry.ID | None = given("By its id.")
    handle: str | None = given("By its handle, or by one that it had before: redirect where they differ.")
