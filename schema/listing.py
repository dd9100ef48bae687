"""Lists of products: what they are filtered and sorted by; the search with its facets."""

from typing import Any

import strawberry

from domain.facet import FacetKind
from domain.listing import ListingSort
from resolvers import facets as counted
from resolvers import listing
from resolvers.context import PUBLIC, Ctx
from resolvers.listing_filter import filter_of
from resolvers.page import Page, PageArgs
from schema.build import arg, asks, enum, optional, query, view
from schema.catalog import Product
from schema.money import Money
from schema.node import PAGE_ARGS, Connection
from schema.product_filter import LIST_ARGS, list_args

enum(
    FacetKind,
    "What products are told apart by.",
    CATEGORY="Categories; a product counts in those above its own, too. Values are ids.",
    TYPE="Kinds of things.",
    VENDOR="Who makes them.",
    TAG="Tags.",
    OPTION="Values of an option, which the facet's `name` tells.",
    PRICE="Prices in the context: `minimum` and `maximum`, no values.",
    AVAILABILITY="Whether they can be bought: values of `ListingAvailability`.",
)


@view()
class FacetValue:
    """A choice, and what it would leave."""

    value: str = strawberry.field(description="For the filter.")
    label: str = strawberry.field(
        description="Shown to shoppers: of categories and options in the context's locale, else the value."
    )
    count: int = strawberry.field(description="How many products there would be with it, counted up to 10,000.")
    selected: bool = strawberry.field(description="The filter has it.")


@view()
class Facet:
    """Something to narrow a list by. Its counts are of everything else that is chosen, not of what is chosen here."""

    kind: FacetKind = strawberry.field(description="Which field of the filter it is for.")
    name: str = strawberry.field(
        description="For the filter: of an option its name, as it was written; else the kind in small letters."
    )
    label: str = strawberry.field(description="Of an option its name in the context's locale; else as `name`.")
    values: list[FacetValue] = strawberry.field(description="At most 50: what is chosen, then the most frequent.")
    minimum: Money | None = strawberry.field(description="Of prices the lowest; null: there are none.")
    maximum: Money | None = strawberry.field(description="Of prices the highest; null: there are none.")


@view()
class SearchResult:
    """What was found. Nothing is read that is not selected."""

    products: Connection[Product] = asks(listing.products_found, "The products, page by page.", shared=True)
    facets: list[Facet] = asks(
        counted.facets, "What it can be narrowed by; of options at most 20. Up to a second late.", shared=True
    )
    facets_capped: bool = asks(
        counted.capped, "There are more than 10,000 products: facets count so many of them.", shared=True
    )


async def _products(ctx: Ctx, **args: Any) -> Page:
    return await listing.products(ctx, *list_args(**args))


async def _search(ctx: Ctx, **args: Any) -> Any:
    chosen, sort = filter_of(args["filter"]), args["sort"]
    page = PageArgs(args["first"], args["after"])
    return await listing.search(ctx, args["query"], chosen, sort and ListingSort(sort), page)


@view()
class ListingQuery:
    """Finding products."""

    products: Connection[Product] = query(
        _products,
        PUBLIC,
        "Published products, the oldest first unless another order is asked for.",
        shared=True,
        **LIST_ARGS,
    )
    search: SearchResult = query(
        _search,
        PUBLIC,
        "Products by what somebody typed: by their words in the locale of the context, the last one as the beginning "
        "of a word, with a typing error in each if nothing matches otherwise; or by a SKU or barcode. Without any text "
        "all products, in the order of `products`.",
        shared=True,
        query=arg(str, "Any text; of a long one the first 12 words count.", ""),
        filter=LIST_ARGS["filter"],
        sort=optional(ListingSort, "In which order; by default by `RANK`, the best match first."),
        first=PAGE_ARGS["first"],
        after=PAGE_ARGS["after"],
    )
