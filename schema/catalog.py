"""Products, their options, variants, pictures."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from db import Category as CategoryRow
from db import Collection as CollectionRow
from db import Media as MediaRow
from db import OptionValue as OptionValueRow
from db import Product as ProductRow
from db import ProductOption as ProductOptionRow
from db import Variant as VariantRow
from db.catalog import BriefDue
from domain.availability import AvailabilityStatus
from domain.money import money
from domain.quantity_rule import QuantityRule as Rule
from resolvers import catalog, stock
from schema.build import arg, column, derived, enum, given, loads, one_of_input, view
from schema.money import Money
from schema.node import PAGE_ARGS, Connection, Node, page_args, public_id
from schema.scalars import Json
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


@view(OptionValueRow)
class OptionValue(Node):
    """One choice of an option."""

    id: strawberry.ID = public_id("OptionValue")
    name: str = column("Shown to shoppers: `Large`.")


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


@view()
class Price:
    """What one unit costs in a region."""

    amount: Money = derived(lambda price: money(price["amount"], price["currency"]), "Per unit.")
    compare_at: Money | None = derived(
        lambda price: None if price["compare_at"] is None else money(price["compare_at"], price["currency"]),
        "The price it is compared with, crossed out beside it.",
    )
    tax_included: bool = strawberry.field(description="The amount is with tax.")
    min_quantity: int = strawberry.field(description="From this quantity on this price counts.")


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
        catalog.price_of_variant,
        catalog.price_keys,
        "What one unit costs in the context; under a cart, in the cart's. Null: not for sale there.",
        quantity=arg(int, "When so many are bought.", 1),
    )
    availability: Availability = loads(catalog.available_of_variant, _in_stock_keys, "Whether it can be bought now.")
    stock_items: list[VariantStockItem] = loads(
        stock.items_of_variant, "id", "What one unit takes from the shelves. Nothing without `stock:read`."
    )
    product: "Product | None" = loads(
        catalog.product_in_place,
        _product_keys,
        "What it is a variant of. Null: it is not published any more.",
    )


@view(CategoryRow)
class Category(Node):
    """A place in the tree of what is sold."""

    id: strawberry.ID = public_id("Category")
    handle: str = column("For addresses.")
    name: str = column("Shown to shoppers.")


@view(CollectionRow)
class Collection(Node):
    """Products that are shown together."""

    id: strawberry.ID = public_id("Collection")
    handle: str = column("For addresses.")
    title: str = column("Shown to shoppers.")


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
    title: str = column("Shown to shoppers.")
    description: str = column("Safe HTML.")
    vendor: str = column("Who makes it.")
    type: str = column("What kind of thing it is.")
    tags: list[str] = column("Words to find it by.")
    seo: Seo = derived(
        lambda row: {"title": row["seo_title"], "description": row["seo_description"]}, "What search engines are told."
    )
    brief_schema: Json | None = column("JSON Schema of the brief that a line of it asks for. Null: none.")
    brief_due: BriefDue = column("When that brief must be given.")
    version: int = column("Rises with every change.")
    created_at: datetime = column("Since when it is in the catalogue.")
    options: list[ProductOption] = loads(catalog.options_of_product, "id", "What there is to choose.")
    media: list[Media] = loads(catalog.media_of_product, "id", "Pictures, the main one first.")
    variants: Connection[Variant] = loads(
        catalog.variants_in_place, _variants_keys, "What can be bought, in the merchant's order.", **PAGE_ARGS
    )
    categories: list[Category] = loads(catalog.categories_of_product, "id", "Where it stands in the tree.")
    collections: list[Collection] = loads(catalog.collections_of_product, "id", "What it is shown together with.")


@one_of_input
class ProductBy:
    """Names a product, by one of these."""

    id: strawberry.ID | None = given("By its id.")
    handle: str | None = given("By its handle.")
