"""By what lists of products are filtered and sorted, wherever they are."""

from datetime import datetime
from typing import Any

import strawberry

from domain.listing import ListingAvailability, ListingFilter, ListingSort
from resolvers.listing_filter import filter_of
from resolvers.page import PageArgs
from schema.build import enum, given, input_type, optional, required
from schema.money import MoneyInput
from schema.node import PAGE_ARGS, page_args

enum(
    ListingSort,
    "Orders of products. A cursor belongs to one of them.",
    OLDEST="By age, the oldest first.",
    NEWEST="By age, the newest first.",
    TITLE="By title, whatever the size of letters and their accents; translated titles stand where the original does.",
    PRICE_ASC="By the lowest price in the context, the lowest first; without a price there last.",
    PRICE_DESC="By the lowest price in the context, the highest first; without a price there last.",
    RANK="In a search by how well they match; otherwise in the order of the one collection that is filtered by, or in "
    "which they are listed; in a category by age, the newest first.",
)
enum(
    ListingAvailability,
    "Whether some variant that has a price in the context can be bought.",
    IN_STOCK="It can, and is ready to be sent.",
    BUYABLE="It can; it may have to arrive first.",
)


@input_type
class OptionFilter:
    """Products of which some variant that is sold has one of the values."""

    name: str = required("The option's name as the merchant wrote it: `Size`.")
    values: list[str] = required("Names of values, one of which it has: 1 to 50.")


@input_type
class MetadataFilter:
    """Products whose metadata has a text under a key."""

    key: str = required("The key, at the top level.")
    value: str = required("The text.")


@input_type
class PriceFilter:
    """Products of which some variant costs as much, one unit, for somebody who has not signed in."""

    minimum: MoneyInput | None = given("At least; in the currency of the context.")
    maximum: MoneyInput | None = given("At most; in the currency of the context.")


@input_type
class TimeFilter:
    """A time within bounds."""

    since: datetime | None = given("From then on.")
    until: datetime | None = given("Before then.")


@input_type
class ProductFilter:
    """Which products a list has. All fields must hold, and of each list one entry, unless its field says otherwise.
    Null and an empty list leave nothing out. All lists together have at most 250 entries.
    """

    ids: list[strawberry.ID] | None = given("These products, at most 100.")
    categories: list[strawberry.ID] | None = given("In one of these categories or below, at most 50.")
    collections: list[strawberry.ID] | None = given("In one of these collections, as far as they are seen; at most 50.")
    types: list[str] | None = given("Of one of these types, at most 50.")
    vendors: list[str] | None = given("Made by one of these, at most 50.")
    tags: list[str] | None = given("With one of these tags, at most 50.")
    options: list[OptionFilter] | None = given("With one of the values of each of these options, at most 5.")
    price: PriceFilter | None = given("Within a range of prices.")
    availability: ListingAvailability | None = given("That can be bought.")
    metadata: list[MetadataFilter] | None = given("With each of these in their metadata, at most 5.")
    created: TimeFilter | None = given("In the catalogue since.")
    updated: TimeFilter | None = given("Last changed.")


LIST_ARGS = {
    **PAGE_ARGS,
    "filter": optional(ProductFilter, "Which ones."),
    "sort": optional(ListingSort, "In which order."),
}


def list_args(**args: Any) -> tuple[PageArgs, ListingFilter | None, ListingSort | None]:
    """What was asked for of a list: null where nothing was said."""
    chosen, sort = args.pop("filter"), args.pop("sort")
    return page_args(**args), chosen and filter_of(chosen), sort and ListingSort(sort)
