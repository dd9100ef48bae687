"""Categories."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from db import Category as Row
from domain.category import CategoryNotEmpty as Refused
from resolvers import category
from schema.build import asks, column, derived, given, input_type, loads, one_of_input, partial_input, required, view
from schema.errors import Payload, UserError
from schema.node import Connection, Node, public_id
from schema.product_filter import LIST_ARGS, list_args
from schema.scalars import Json
from schema.showcase import Picture, PictureInput, picture_of

if TYPE_CHECKING:
    from schema.catalog import Product, Seo

ProductType = Annotated["Product", strawberry.lazy("schema.catalog")]
SeoType = Annotated["Seo", strawberry.lazy("schema.catalog")]
IF_VERSION = "Only if this is still its version."


def _products_keys(categories: Sequence[Any], **args: Any) -> list[Any]:
    return category.products_keys(categories, *list_args(**args))


@view(Row)
class Category(Node):
    """A place in the tree of what is sold."""

    id: strawberry.ID = public_id("Category")
    handle: str = column("For addresses; unique. Former ones lead here too.")
    name: str = column("Shown to shoppers.")
    description: str = column("Safe HTML.")
    seo: SeoType = derived(
        lambda row: {"title": row["seo_title"], "description": row["seo_description"]}, "What search engines are told."
    )
    image: Picture | None = derived(picture_of, "Its picture, if it has one.")
    external_id: str | None = asks(
        category.external_id, "What another system calls it. Null without `categories:write`."
    )
    metadata: Json = column("What merchants and plug-ins note about it.")
    version: int = column("Rises with every change.")
    parent: "Category | None" = loads(category.category_by_id, "parent_id", "Null: it is a root.")
    children: list["Category"] = loads(category.children_of_category, "id", "One level down, in the merchant's order.")
    ancestors: list["Category"] = loads(
        category.ancestors_of_category, "id", "The way to it from the root, which comes first: breadcrumbs."
    )
    products: Connection[ProductType] = loads(
        category.products_of_category,
        _products_keys,
        "What is for sale in it and in what is below it, the oldest first unless another order is asked for.",
        **LIST_ARGS,
    )
    product_count: int = loads(
        category.product_count,
        "id",
        "How many products are for sale in it and in what is below it, counted up to 10,000.",
    )
    translations: Json | None = asks(
        category.translations, "Texts by locale and field. Null without `categories:write`."
    )


@view(Refused)
class CategoryNotEmpty(UserError):
    """Categories or products stand in it."""

    children: int = column("How many categories are directly below it.")
    products: int = column("How many products stand in it itself.")


CATEGORY_ERRORS = (CategoryNotEmpty,)


@one_of_input
class CategoryBy:
    """Names a category, by one of these."""

    id: strawberry.ID | None = given("By its id.")
    handle: str | None = given("By its handle, or one that it had.")


@partial_input
class CategoryCreateInput:
    """A new category, behind its siblings."""

    name: str = required("Shown to shoppers, at most 255 characters.")
    parent_id: strawberry.ID | None = given("Below which one. Without it, a root.")
    handle: str | None = given("For addresses, unique. Without it, it is made of the name.")
    description: str | None = given("HTML; what is not safe is taken out.")
    seo_title: str | None = given("What search engines are told; null: its name.")
    seo_description: str | None = given("What search engines are told.")
    image: PictureInput | None = given("Its picture.")
    external_id: str | None = given("What another system calls it, unique.")
    metadata: Json | None = given("A JSON object of at most 16 KiB.")
    translations: Json | None = given(
        "Texts by locale and field: `name`, `description`, `seo_title`, `seo_description`."
    )


@partial_input
class CategoryUpdateInput:
    """A category that is to be another; what is left out stays, null empties."""

    id: strawberry.ID = required("Which one.")
    name: str | None = given("Shown to shoppers, at most 255 characters.")
    handle: str | None = given("For addresses, unique. The former one goes on leading here.")
    description: str | None = given("HTML; what is not safe is taken out.")
    seo_title: str | None = given("What search engines are told; null: its name.")
    seo_description: str | None = given("What search engines are told.")
    image: PictureInput | None = given("Its picture; null: none.")
    external_id: str | None = given("What another system calls it, unique.")
    metadata: Json | None = given("A JSON object of at most 16 KiB, in place of what there is.")
    translations: Json | None = given(
        "Texts by locale and field, in place of what there is: `name`, `description`, `seo_title`, `seo_description`."
    )
    if_version: int | None = given(IF_VERSION)


@input_type
class CategoryMoveInput:
    """A category that is to stand elsewhere, with all that is below it."""

    id: strawberry.ID = required("Which one.")
    parent_id: strawberry.ID | None = given("Below which one. Without it, it becomes a root.")
    before_id: strawberry.ID | None = given("In front of which of its new siblings. Without it, behind them all.")
    if_version: int | None = given(IF_VERSION)


@input_type
class CategoryReorderInput:
    """The order of the categories below one, or of the roots."""

    parent_id: strawberry.ID | None = given("Below which one. Without it, the roots.")
    category_ids: list[strawberry.ID] = required("These come first, in this order; the others stay behind them.")


@input_type
class CategoryDeleteInput:
    """A category that nothing stands in."""

    id: strawberry.ID = required("Which one.")
    if_version: int | None = given(IF_VERSION)


@input_type
class CategoryAddProductsInput:
    """Products that are to stand in a category as well."""

    category_id: strawberry.ID = required("In which one.")
    product_ids: list[strawberry.ID] = required("Which products, 1 to 1,000.")
    if_version: int | None = given("Only if this is still the category's version.")


@input_type
class CategoryRemoveProductsInput:
    """Products that are not to stand in a category any more."""

    category_id: strawberry.ID = required("In which one.")
    product_ids: list[strawberry.ID] = required("Which products, 1 to 1,000.")
    if_version: int | None = given("Only if this is still the category's version.")


@input_type
class ProductSetCategoriesInput:
    """The categories that a product stands in, and no others."""

    product_id: strawberry.ID = required("Which product.")
    category_ids: list[strawberry.ID] = required("In which ones, at most 100.")
    if_version: int | None = given("Only if this is still the product's version.")


@view()
class CategoryCreatePayload(Payload):
    """A new category."""

    category: Category | None = strawberry.field(description="The category.")


@view()
class CategoryUpdatePayload(Payload):
    """A category as it is now."""

    category: Category | None = strawberry.field(description="The category.")


@view()
class CategoryMovePayload(Payload):
    """A category where it stands now."""

    category: Category | None = strawberry.field(description="The category.")


@view()
class CategoryReorderPayload(Payload):
    """Categories in their new order."""

    categories: list[Category] | None = strawberry.field(description="Those that were named.")


@view()
class CategoryDeletePayload(Payload):
    """The category is no more."""

    category_id: strawberry.ID | None = strawberry.field(description="Which one that was.")


@view()
class CategoryAddProductsPayload(Payload):
    """A category with its new products."""

    category: Category | None = strawberry.field(description="The category.")


@view()
class CategoryRemoveProductsPayload(Payload):
    """A category without some products."""

    category: Category | None = strawberry.field(description="The category.")


@view()
class ProductSetCategoriesPayload(Payload):
    """Where the product stands now."""

    product_id: strawberry.ID | None = strawberry.field(description="Which product.")
    product: ProductType | None = strawberry.field(description="The product, with its new version.")
    categories: list[Category] | None = strawberry.field(description="In which categories.")
