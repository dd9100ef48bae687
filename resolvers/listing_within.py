"""Lists of products within categories and collections: one statement for all parents of a level.

They are the lists of resolvers/listing.py, with one condition more: that a product stands within the parent.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, any_, bindparam, column, distinct, func, select, true, union_all
from sqlalchemy.dialects.postgresql import ARRAY

from db import CategoryAncestor, Product, ProductCategory, ProductCollection
from domain.facet import matching
from domain.listing import ListingFilter, ListingSort
from engine.batch import Batch
from resolvers.batches import Rows, grouped, shared
from resolvers.context import Ctx
from resolvers.listing import Wanted, ordered
from resolvers.page import COUNT_CAP, Page, PageArgs, page_of, paged, parameters, shape

Listed = tuple[UUID, Wanted, PageArgs]
Counted = tuple[UUID, ListingFilter]
_EVERYTHING: Final = ListingFilter()


@dataclass(frozen=True)
class Kind:
    """Things that have products: `key` is theirs in a row of `members`, which is of one product.

    `within` says of a row of `product` whether it stands in the one with this id. `ranked` says the same of the row
    that has its rank, where there are any.
    """

    name: str
    key: Any
    members: Rows
    within: Callable[[Any], ColumnElement[bool]]
    ranked: Callable[[Any], ColumnElement[bool]] | None = None


_OF_CATEGORY: Final = select(CategoryAncestor.ancestor_id, ProductCategory.product_id).join(
    ProductCategory, ProductCategory.category_id == CategoryAncestor.category_id
)
_OF_COLLECTION: Final = select(ProductCollection.collection_id, ProductCollection.product_id)


def _in_category(parent: Any) -> ColumnElement[bool]:
    found = _OF_CATEGORY.where(ProductCategory.product_id == Product.id, CategoryAncestor.ancestor_id == parent)
    return found.correlate_except(ProductCategory, CategoryAncestor).exists()


def _in_collection(parent: Any) -> ColumnElement[bool]:
    found = _OF_COLLECTION.where(ProductCollection.product_id == Product.id, ProductCollection.collection_id == parent)
    return found.correlate_except(ProductCollection).exists()


CATEGORY: Final = Kind("category", CategoryAncestor.ancestor_id, _OF_CATEGORY, _in_category)
COLLECTION: Final = Kind(
    "collection",
    ProductCollection.collection_id,
    _OF_COLLECTION,
    _in_collection,
    lambda parent: ProductCollection.collection_id == parent,
)
MOST_APART: Final = 8
"""Parents that are planned one by one, which takes a millisecond each."""
_PARENT: Final = bindparam("parent", type_=Uuid)
_KEYS: Final = bindparam("keys", type_=ARRAY(Uuid))


def products_within(kind: Kind) -> Batch:
    """Pages; keys are (parent, what its list is to have, page)."""

    async def load(ctx: Ctx, keys: list[Listed]) -> list[Page]:
        parents: dict[tuple[Wanted, PageArgs], list[UUID]] = defaultdict(list)
        for parent, wanted, args in keys:
            parents[wanted, args].append(parent)
        pages: dict[Listed, Page] = {}
        for (wanted, args), some in parents.items():
            for parent, page in zip(some, await _pages(ctx, kind, wanted, args, some), strict=True):
                pages[parent, wanted, args] = page
        return [pages[key] for key in keys]

    return shared(Batch(f"products of {kind.name}", load), "products", kind.name)


async def _pages(ctx: Ctx, kind: Kind, wanted: Wanted, args: PageArgs, parents: list[UUID]) -> list[Page]:
    wanted.note(ctx)
    given = await wanted.parameters(ctx)
    list_ = ordered(wanted.sort, wanted.names)
    by_rank = wanted.sort is ListingSort.RANK
    sorts = [list_.sort(given["region"] if wanted.by_price else parent if by_rank else None) for parent in parents]
    for sort in sorts:
        given |= parameters(sort, args)
    apart = _apart(kind, wanted.sort, len(parents))
    statement = _statement(kind, wanted.sort, wanted.names, shape(args), apart)
    named = {f"parent_{i}": parent for i, parent in enumerate(parents)} if apart else {"keys": parents}
    rows = await ctx.read.records(statement, **named, locales=ctx.locales, **given)
    return [
        page_of(found, sort, args, partial(ctx.load, counts_within(kind), (parent, wanted.filter)))
        for parent, sort, found in zip(parents, sorts, grouped(rows, "parent_id", parents), strict=True)
    ]


def _apart(kind: Kind, sort: ListingSort, parents: int) -> int:
    """How many parents a statement names one by one; 0: it has their list. By age the list is as quick."""
    few = parents <= MOST_APART and kind is CATEGORY and sort is not ListingSort.OLDEST
    return parents if few or parents == 1 else 0


def _named(parents: list[UUID]) -> dict[str, Any]:
    return {"parent": parents[0]} if len(parents) == 1 else {"keys": parents}


@lru_cache(maxsize=512)
def _statement(
    kind: Kind, sort: ListingSort, names: frozenset[str], shape_: tuple[bool, bool, bool], apart: int
) -> Rows:
    """Of all parents of a list; or of so many that are named `apart`: the planner then knows how much each has, and the
    page of a category with 10,000 products takes milliseconds instead of a second.
    """
    backward, after, before = shape_
    args = PageArgs(last=0 if backward else None, after="" if after else None, before="" if before else None)
    list_ = ordered(sort, names)
    order = list_.sort(None)
    condition = kind.ranked if sort is ListingSort.RANK and kind.ranked is not None else kind.within
    named = (bindparam(f"parent_{i}", type_=Uuid) for i in range(apart))
    pages = [paged(list_.statement.where(condition(p)), order, args).add_columns(p.label("parent_id")) for p in named]
    if len(pages) == 1:
        return pages[0]
    if pages:
        together = union_all(*(select(page.subquery()) for page in pages)).subquery("together")
        return select(together).order_by(*order.ordered(together.c, args))
    parent = func.unnest(_KEYS).table_valued(column("id", Uuid), name="parent").render_derived()
    inner = paged(list_.statement.where(condition(parent.c.id)), order, args).lateral("child")
    statement = select(parent.c.id.label("parent_id"), inner).select_from(parent).join(inner, true())
    return statement.order_by(*order.ordered(inner.c, args))


@lru_cache
def counts_within(kind: Kind) -> Batch:
    """How many products that are for sale the filter leaves of each parent's. Keys are (parent, filter)."""

    async def load(ctx: Ctx, keys: list[Counted]) -> list[int]:
        parents: dict[ListingFilter, list[UUID]] = defaultdict(list)
        for parent, filter_ in keys:
            parents[filter_].append(parent)
        counts: dict[Counted, int] = {}
        for filter_, some in parents.items():
            wanted = Wanted(filter_, ListingSort.OLDEST)
            wanted.note(ctx)
            rows = await ctx.read.records(
                _count(kind, wanted.names, len(some) == 1), **_named(some), **await wanted.parameters(ctx)
            )
            counts |= {(row[0], filter_): row[1] for row in rows}
        return [counts.get(key, 0) for key in keys]

    return shared(Batch(f"counts of products of {kind.name}", load), "products", kind.name)


def count_within(kind: Kind) -> Batch:
    """How many products that are for sale each parent has, counted up to the cap. Keys are parents."""

    async def load(ctx: Ctx, keys: list[UUID]) -> Sequence[int]:
        counts = await ctx.loaded.load_many(counts_within(kind), [(key, _EVERYTHING) for key in keys])
        return [min(count, COUNT_CAP) for count in counts]

    return shared(Batch(f"count of products of {kind.name}", load), "products", kind.name)


@lru_cache(maxsize=256)
def _count(kind: Kind, names: frozenset[str], alone: bool) -> Rows:
    """Of one parent up to one more than the cap. Of several all that they have: by one reading, and none is waited
    for that has more than the others.
    """
    if alone:
        matched = select(Product.id).where(*matching(names), kind.within(_PARENT)).limit(COUNT_CAP + 1).subquery()
        return select(_PARENT.label("parent_id"), func.count()).select_from(matched)
    each = kind.members.where(kind.key == any_(_KEYS)).subquery("member")
    product = select(Product.id).where(*matching(names)).subquery("matching")
    parent, member = each.c
    counted = select(parent, func.count(distinct(member))).join(product, product.c.id == member)
    return counted.group_by(parent)
