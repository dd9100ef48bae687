"""Facets: what a list can be narrowed by further, and how many products each choice would leave.

Counts of a facet ignore what is chosen of that facet itself, so that another choice of it can be seen. They are of the
first `MOST_COUNTED` products that are found, of what is for sale alone, and by one statement for all facets of which
nothing is chosen and one for each of the others.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db import (
    Category,
    CategoryAncestor,
    OptionValue,
    Product,
    ProductCategory,
    ProductFacet,
    ProductListing,
    ProductOption,
)
from domain.listing import BETWEEN, CONDITIONS, REGION
from domain.publication import FOR_SALE
from domain.search import CODED, FOUND, HIT
from domain.translation import LOCALES, translated

MOST_COUNTED: Final = 10_000
MOST_VALUES: Final = 50
MOST_OPTION_VALUES: Final = 500
MOST_ASKED: Final = 5
"""Products, the oldest ones that have a value of an option: how that is translated is told by one of them."""


class FacetKind(StrEnum):
    CATEGORY = "category"
    TYPE = "type"
    VENDOR = "vendor"
    TAG = "tag"
    OPTION = "option"
    PRICE = "price"
    AVAILABILITY = "availability"


SEARCHED: Final = {"words": FOUND, "code": CODED, "hits": HIT}
"""Conditions that a search has besides those of a filter."""
ALL: Final = {**CONDITIONS, **SEARCHED}
_SELECTED: Final = bindparam("selected", type_=ARRAY(Text))


def matching(names: Iterable[str]) -> list[ColumnElement[bool]]:
    """The conditions of a row of `product`: that it is for sale, and those that are named."""
    return [FOR_SALE, *(ALL[name] for name in sorted(names))]


@lru_cache(maxsize=256)
def statement(kinds: frozenset[FacetKind], names: frozenset[str]) -> Select[Any] | CompoundSelect[Any]:
    """Rows of kind, value, label, count, low, high and having; one of kind `total` says how many products were counted.

    Parameters: those of the conditions, `channel`, `region`, `locales`, and `selected`: values that are told first.
    """
    found = (
        select(Product.id, Product.type, Product.vendor, Product.tags)
        .where(*matching(names))
        .limit(bindparam("most", type_=Integer))
        .cte("found")
    )
    here = _here(found)
    parts = [_of[kind](here if kind in _OF_PLACE else found) for kind in sorted(kinds)]
    total = _row("total", null(), null(), func.count()).select_from(found)
    return union_all(*(select(part.subquery()) for part in parts), total)


def _row(kind: str, value: Any, label: Any, count: Any, *bounds: Any, having: Any = None) -> Any:
    """`having` are products that tell how the value is translated; null: none is asked."""
    low, high = bounds or (null(), null())
    return select(
        cast(literal(str(kind)), Text).label("kind"),
        cast(value, Text).label("value"),
        cast(label, Text).label("label"),
        cast(count, BigInteger).label("count"),
        cast(low, BigInteger).label("low"),
        cast(high, BigInteger).label("high"),
        cast(null() if having is None else having, ARRAY(Uuid)).label("having"),
    )


def _by_column(kind: FacetKind, name: str) -> Any:
    def of(found: Any) -> Select[Any]:
        value = found.c[name]
        return _ranked(_row(kind, value, value, func.count()).where(value != "").group_by(value))

    return of


def _ranked(counted: Select[Any], most: int = MOST_VALUES) -> Select[Any]:
    """The values that are chosen, then the most frequent ones."""
    rows = counted.subquery("counted")
    chosen = rows.c.value == func.any(_SELECTED)
    return select(rows).order_by(chosen.desc(), rows.c.count.desc(), rows.c.value).limit(literal(most, Integer))


def _tags(found: Any) -> Select[Any]:
    tag = func.unnest(found.c.tags).column_valued("tag")
    return _ranked(_row(FacetKind.TAG, tag, tag, func.count()).select_from(found).group_by(tag))


def _options(found: Any) -> Any:
    option = func.unnest(ProductFacet.options).column_valued("option")
    having = func.array_agg(found.c.id).filter(func.cardinality(LOCALES) > literal_column("0", Integer))
    counted = (
        _row(FacetKind.OPTION, option, null(), func.count(), having=having)
        .select_from(found.join(ProductFacet, ProductFacet.product_id == found.c.id))
        .group_by(option)
    )
    ranked = _ranked(counted, MOST_OPTION_VALUES).subquery("ranked")
    others = [column for column in ranked.c if column.key not in {"label", "having"}]
    rows = select(*others, _first_of(ranked.c.having).label("having")).subquery("asked")
    label = _translated_option(rows.c.value, rows.c.having).label("label")
    return select(rows.c.kind, rows.c.value, label, rows.c.count, rows.c.low, rows.c.high, rows.c.having)


def _first_of(products: Any) -> Any:
    """The oldest ones, whichever way they were read."""
    each = func.unnest(products).column_valued("each")
    return func.array(select(each).order_by(each).limit(literal_column(str(MOST_ASKED), Integer)).scalar_subquery())


def _translated_option(value: Any, products: Any) -> Any:
    """The option and the value as one of the products translates them, if any does."""
    names = (ProductOption.name, OptionValue.name)
    shown = (translated(ProductOption, "name", "option_name"), translated(OptionValue, "name", "value_name"))
    written = [func.split_part(value, BETWEEN, literal_column(str(i), Integer)) for i in (1, 2)]
    named = (
        select(*shown, ProductOption.product_id)
        .join(OptionValue, OptionValue.option_id == ProductOption.id)
        .where(
            ProductOption.product_id == any_(products),
            *(name == text for name, text in zip(names, written, strict=True)),
        )
        .correlate(products.table)
        .subquery("named")
    )
    different = (named.c.value_name != written[1], named.c.option_name != written[0])
    return (
        select(named.c.option_name.concat(BETWEEN).concat(named.c.value_name))
        .order_by(*(one.desc() for one in different), named.c.product_id)
        .limit(literal_column("1", Integer))
        .correlate(products.table)
        .scalar_subquery()
    )


def _categories(found: Any) -> Any:
    """A product counts once for each category that it stands in or below."""
    pairs = (
        select(found.c.id, CategoryAncestor.ancestor_id)
        .join(ProductCategory, ProductCategory.product_id == found.c.id)
        .join(CategoryAncestor, CategoryAncestor.category_id == ProductCategory.category_id)
        .distinct()
        .subquery("pairs")
    )
    rows = _ranked(
        _row(FacetKind.CATEGORY, pairs.c.ancestor_id, null(), func.count()).group_by(pairs.c.ancestor_id)
    ).subquery("ranked")
    named = select(translated(Category, "name")).where(Category.id == cast(rows.c.value, Uuid)).scalar_subquery()
    return select(rows.c.kind, rows.c.value, named.label("label"), rows.c.count, rows.c.low, rows.c.high, rows.c.having)


def _here(found: Any) -> Any:
    """What is told of each of them in the region: read once for all facets that need it."""
    listed = ProductListing.minimum, ProductListing.maximum, ProductListing.in_stock, ProductListing.buyable
    is_here = (ProductListing.product_id == found.c.id) & (ProductListing.region_id == REGION)
    return select(*listed).select_from(found.join(ProductListing, is_here)).cte("here")


def _price(here: Any) -> Select[Any]:
    low, high = func.min(here.c.minimum), func.max(here.c.maximum)
    return _row(FacetKind.PRICE, null(), null(), func.count(here.c.minimum), low, high)


def _availability(here: Any) -> Select[Any]:
    """One row: `low` is how many are in stock, `high` how many can be bought."""
    counts = (func.count(case((flag, 1))) for flag in (here.c.in_stock, here.c.buyable))
    return _row(FacetKind.AVAILABILITY, null(), null(), func.count(), *counts).select_from(here)


_OF_PLACE: Final = {FacetKind.PRICE, FacetKind.AVAILABILITY}
_of: Final = {
    FacetKind.CATEGORY: _categories,
    FacetKind.TYPE: _by_column(FacetKind.TYPE, "type"),
    FacetKind.VENDOR: _by_column(FacetKind.VENDOR, "vendor"),
    FacetKind.TAG: _tags,
    FacetKind.OPTION: _options,
    FacetKind.PRICE: _price,
    FacetKind.AVAILABILITY: _availability,
}
