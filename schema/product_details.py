"""What staff see of a product besides what everybody sees, and the words that products are told apart by."""

from datetime import datetime

import strawberry

from db import Product as ProductRow
from db.catalog import PriceQuantity, ProductStatus
from schema.build import column, enum, view
from schema.scalars import Json

enum(
    ProductStatus,
    "Whether a product is worked on, proposed or published.",
    DRAFT="It is worked on.",
    PROPOSED="Somebody asks that it be published.",
    PUBLISHED="It is seen in the sales channels that it is in, and for sale where it has a price.",
    REJECTED="It was proposed and is not to be published; it has to be a draft again first.",
)
enum(
    PriceQuantity,
    "How many units a line's price is for.",
    LINE="Those of the line.",
    VARIANT="Those of all lines of the variant together.",
    PRODUCT="Those of all lines of the product together.",
)


@view(ProductRow)
class ProductStaffDetails:
    """What staff see of a product besides what everybody sees."""

    status: ProductStatus = column("Whether it is published.")
    external_id: str | None = column("What another system calls it; unique.")
    hs_code: str | None = column("Of the customs' Harmonised System, digits alone.")
    discountable: bool = column("Promotions may make it cheaper.")
    tax_class_code: str | None = column("How it is taxed, by the code of a tax class. Null: as what is of no other.")
    workflow_code: str | None = column("The workflow of the tickets of its lines. Null: they get none.")
    price_quantity: PriceQuantity = column("Which lines of a cart count together for a price from a quantity on.")
    translations: Json = column('Its texts by locale and field: `{"de": {"title": "Becher"}}`.')
    archived_at: datetime | None = column("Since when it is archived, so nowhere for sale. Null: it is not.")
    updated_at: datetime = column("When it was last changed.")


@view()
class ProductDimensions:
    """How large one unit is, packed."""

    length_mm: int | None = strawberry.field(description="In millimetres. Null: not said.")
    width_mm: int | None = strawberry.field(description="In millimetres. Null: not said.")
    height_mm: int | None = strawberry.field(description="In millimetres. Null: not said.")


@view()
class ProductWord:
    """A type, a vendor or a tag of products that are for sale."""

    name: str = strawberry.field(description="As it stands at the products.")
