"""Lists of products as clients ask for them: filtered and sorted; and what the search finds, in pages."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Select, Uuid, bindparam, column, func, literal_column, select, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY

from db import Collection, Product, ProductCollection, ProductListing, SearchDocument
from db.collection import CollectionOrder
from db.listing import RANKED, TITLE
from domain.collection_publication import SHOWN
from domain.facet import ALL, SEARCHED
from domain.listing import (
    DERIVED,
    IN_REGION,
    OF_ORDER,
    REGION,
    ListingFilter,
    ListingSort,
)
from domain.publication import FOR_SALE
from domain.search import MOST_HITS, TIERS, Asked, Hits, Words
from resolvers import catalog
from resolvers.catalog import BY_ID, PUBLISHED
from resolvers.context import Ctx
from resolvers.page import COUNT_CAP, Listed, Page, PageArgs, Sort, once, page_of, paged
from resolvers.request_error import BadUserInput

Found = Words | Hits | None
"""What a search matched; null: nothing was searched for."""
_RANKED: Final = bindparam("ranked", type_=Uuid)
_TIER: Final = literal_column("0", Integer).label("tier")
_ORDER: Final = select(Collection.product_order).where(Collection.id == _RANKED, SHOWN)
_HIT: Final = (
    func.unnest(bindparam("hits", type_=ARRAY(Uuid)))
    .table_valued(column("id", Uuid), with_ordinality="position", name="hit")
    .render_derived()
)


@dataclass(frozen=True)
class Wanted:
    """What a list is to have, in which order; `found` narrows it to what a search has matched."""

    filter: ListingFilter
    sort: ListingSort
    found: Found = None

    @property
    def names(self) -> frozenset[str]:
        if self.found is None:
            return self.filter.names
        return self.filter.names | {"hits" if isinstance(self.found, Hits) else self.found.name}

    @property
    def by_price(self) -> bool:
        return self.sort in {ListingSort.PRICE_ASC, ListingSort.PRICE_DESC}

    async def parameters(self, ctx: Ctx) -> dict[str, Any]:
        """Of the conditions of its `names` and of its order, but for a collection. Prices of elsewhere are refused."""
        given = {**self.filter.parameters, "channel": await ctx.channel()}
        if isinstance(self.found, Words):
            given |= self.found.parameters
        elif isinstance(self.found, Hits):
            given["hits"] = list(self.found.products[:MOST_HITS])
        if self.by_price or self.names & IN_REGION:
            region = await ctx.region()
            for side, currency in self.filter.price_in:
                if currency != region.currency:
                    raise BadUserInput(f"Prices here are in {region.currency}.", f"filter.price.{side}.currency")
            given["region"] = region.id
        return given

    def note(self, ctx: Ctx) -> None:
        """What the list is read from."""
        ctx.reads.add("products")
        if self.by_price or self.names & DERIVED or self.found is not None:
            ctx.reads.add("listing")
        ctx.reads.update(kind for kind, of in _KINDS.items() if of in self.names)


_KINDS: Final = {"category": "categories", "collection": "collections"}


@dataclass(frozen=True)
class Ordered:
    """A list in an order: what is for sale and meets some conditions."""

    statement: Select[Any]
    name: str
    columns: tuple[Any, ...]
    descending: bool = False

    def sort(self, within: UUID | None) -> Sort:
        """`within` is the region of prices or the collection of ranks: a cursor belongs to one."""
        return Sort(self.name if within is None else f"{self.name}.{within}", self.columns, self.descending)


@lru_cache(maxsize=512)
def ordered(sort: ListingSort, names: frozenset[str]) -> Ordered:
    """With the conditions of these names. By rank it is of every collection: whoever asks says of which."""
    listed = PUBLISHED.where(*(ALL[name] for name in sorted(names)))
    if sort is ListingSort.OLDEST:
        return Ordered(listed, BY_ID.name, BY_ID.columns)
    if sort is ListingSort.NEWEST:
        return Ordered(listed, "product.newest", (Product.created_at, Product.id), descending=True)
    if sort is ListingSort.TITLE:
        return Ordered(listed.add_columns(TITLE), "product.title", (TITLE, Product.id))
    if sort is ListingSort.RANK:
        ranked = listed.join(ProductCollection, ProductCollection.product_id == Product.id)
        columns = (RANKED, ProductCollection.product_id)
        return Ordered(ranked.add_columns(*columns), "collection", columns)
    priced = listed.join(ProductListing, ProductListing.product_id == Product.id)
    falling = sort is ListingSort.PRICE_DESC
    columns = (ProductListing.falling if falling else ProductListing.rising, ProductListing.product_id)
    statement = priced.add_columns(*columns).where(ProductListing.region_id == REGION)
    return Ordered(statement, f"product.{sort}", columns, falling)


@lru_cache(maxsize=512)
def _listed(sort: ListingSort, names: frozenset[str], within: UUID | None) -> Listed:
    list_ = ordered(sort, names)
    statement = list_.statement
    if sort is ListingSort.RANK:
        statement = statement.where(ProductCollection.collection_id == _RANKED)
    return Listed(statement, list_.sort(within))


@lru_cache(maxsize=256)
def _hits(names: frozenset[str]) -> Listed:
    position = type_coerce(_HIT.c.position, BigInteger).label("position")
    statement = PUBLISHED.add_columns(position).join(_HIT, _HIT.c.id == Product.id)
    return Listed(statement.where(*(ALL[name] for name in sorted(names - {"hits"}))), Sort("search.hits", (position,)))


async def products(ctx: Ctx, args: PageArgs, given: ListingFilter | None, sort: ListingSort | None) -> Page:
    """Everything that is for sale, as far as the filter lets it through."""
    if given is None and sort is None:
        return await catalog.products(ctx, args)
    return await page(ctx, args, Wanted(given or ListingFilter(), sort or ListingSort.OLDEST))


async def page(ctx: Ctx, args: PageArgs, asked: Wanted) -> Page:
    """In its order."""
    asked.note(ctx)
    wanted = await _settled(ctx, asked)
    parameters = await wanted.parameters(ctx)
    if wanted.sort is not ListingSort.RANK:
        within = parameters["region"] if wanted.by_price else None
        return await _listed(wanted.sort, wanted.names, within).page(ctx, args, **parameters)
    if isinstance(wanted.found, Words):
        return await _best(ctx, args, wanted, parameters)
    if isinstance(wanted.found, Hits):
        return await _hits(wanted.names).page(ctx, args, **parameters)
    (collection,) = wanted.filter.collections
    return await _listed(wanted.sort, wanted.names, collection).page(ctx, args, **parameters, ranked=collection)


async def _settled(ctx: Ctx, asked: Wanted) -> Wanted:
    """With what RANK stands for: the order of the one collection; categories keep none of their products."""
    if asked.sort is not ListingSort.RANK or asked.found is not None:
        return asked
    if len(asked.filter.collections) == 1:
        named = {"ranked": asked.filter.collections[0], "channel": await ctx.channel()}
        order = await ctx.read.scalar(_ORDER, **named)
        settled = replace(asked, sort=ListingSort.NEWEST if order is None else OF_ORDER[CollectionOrder(order)])
        settled.note(ctx)
        return settled
    if not asked.filter.categories:
        raise BadUserInput("RANK is the order in a collection: filter by one.", "sort")
    return replace(asked, sort=ListingSort.NEWEST)


MATCHES: Final = Sort("search", (_TIER, SearchDocument.length, SearchDocument.product_id))
"""The best tier first; within one the shortest title, then the oldest product."""


@lru_cache(maxsize=512)
def _tier(number: int, names: frozenset[str], after: bool) -> Select[Any]:
    """A page of the products that match as the tier says, its columns of order included."""
    conditions = [ALL[name] for name in sorted(names - set(SEARCHED))]
    tier = TIERS[number]
    within = Sort("", (tier.table.length, tier.table.product_id))
    statement = (
        PUBLISHED.add_columns(literal_column(str(number), Integer).label("tier"))
        .add_columns(tier.table.length, tier.table.product_id)
        .where(*tier.conditions, *conditions)
    )
    return paged(statement, within, PageArgs(after="" if after else None))


@lru_cache(maxsize=256)
def _count(names: frozenset[str]) -> Select[Any]:
    matched = select(Product.id).where(FOR_SALE, *(ALL[name] for name in sorted(names))).limit(COUNT_CAP + 1)
    return select(func.count().label("count")).select_from(matched.subquery())


async def _best(ctx: Ctx, args: PageArgs, wanted: Wanted, parameters: dict[str, Any]) -> Page:
    """Tier by tier until the page is full: those further down are not looked at for the first pages."""
    rows: list[Any] = []
    start, *rest = (0, None, None) if args.after is None else MATCHES.position(args.after, "after")
    if not 0 <= start < len(TIERS):
        raise BadUserInput("This cursor does not belong to this list in this order.", "after")
    found = cast(Words, wanted.found)
    parameters = {**parameters, "code": [found.code]}
    for number in range(start, len(TIERS) if found.query else 1):
        after = number == start and args.after is not None
        place = {"after_0": rest[0], "after_1": rest[1]} if after else {}
        given = {**parameters, **place, "rows": args.size + 1 - len(rows), "locales": ctx.locales}
        rows.extend(await ctx.read.records(_tier(number, wanted.names, after), **given))
        if len(rows) > args.size:
            break

    async def count() -> int:
        (row,) = await ctx.read.records(_count(wanted.names), **await wanted.parameters(ctx))
        return row["count"]

    return page_of(rows, MATCHES, args, once(count))


@dataclass(eq=False)
class Searched:
    """What was asked of a search; whatever is selected of it is read when it is asked for."""

    filter: ListingFilter
    sort: ListingSort
    args: PageArgs
    find: Callable[[], Awaitable[Found]]
    facets: "asyncio.Future[Any] | None" = None
    """Counted once, however many fields ask."""


async def search(ctx: Ctx, text: str, given: ListingFilter, sort: ListingSort | None, args: PageArgs) -> Searched:
    """Without any text everything is found, and stands as in any list."""
    ctx.reads.update(("products", "listing"))
    blank = not text.strip()
    wanted = sort or (ListingSort.OLDEST if blank else ListingSort.RANK)

    async def find() -> Found:
        asked = Asked(text, ctx.locales, await ctx.channel())
        return None if blank else await ctx.shop.search.find(ctx.read, asked)

    return Searched(given, wanted, args, once(find))


async def products_found(ctx: Ctx, searched: Searched) -> Page:
    return await page(ctx, searched.args, Wanted(searched.filter, searched.sort, await searched.find()))
