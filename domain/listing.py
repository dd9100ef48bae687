"""Lists of products: what they can be filtered by and in which orders they stand.

A filter only ever takes away from what is for sale: `FOR_SALE` is a condition of its own, outside of it. Prices,
availability and options are compared by derived rows (db/listing.py), everything else where it is written.
"""

from collections.abc import Collection as Collected
from collections.abc import Iterable, Sized
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Text, Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import aliased

from db import (
    CategoryAncestor,
    Collection,
    Product,
    ProductCategory,
    ProductCollection,
    ProductFacet,
    ProductListing,
)
from db.collection import CollectionOrder
from db.listing import LARGEST
from domain.collection_publication import SHOWN
from domain.refusal import Gathering, ValidationFailed

MOST_IDS: Final = 100
MOST_VALUES: Final = 50
MOST_PAIRS: Final = 5
"""So many options, and so many keys of metadata."""
MOST_ITEMS: Final = 250
"""In all lists of a filter together."""
LONGEST: Final = 255
BETWEEN: Final = "\x1f"
"""Between the name of an option and its value, in `product_facet`."""


class ListingSort(StrEnum):
    OLDEST = "oldest"
    NEWEST = "newest"
    TITLE = "title"
    PRICE_ASC = "price_asc"
    PRICE_DESC = "price_desc"
    RANK = "rank"


OF_ORDER: Final = {
    CollectionOrder.MANUAL: ListingSort.RANK,
    CollectionOrder.NEWEST: ListingSort.NEWEST,
    CollectionOrder.OLDEST: ListingSort.OLDEST,
    CollectionOrder.TITLE: ListingSort.TITLE,
    CollectionOrder.PRICE: ListingSort.PRICE_ASC,
    CollectionOrder.PRICE_DESC: ListingSort.PRICE_DESC,
}
"""What the order of a collection is called in lists."""


class ListingAvailability(StrEnum):
    IN_STOCK = "in_stock"
    BUYABLE = "buyable"


@dataclass(frozen=True)
class OptionChoice:
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class ListingFilter:
    """Each field must hold, of a list one entry; null and empty lists leave out nothing. Amounts are in minor units."""

    ids: tuple[UUID, ...] = ()
    categories: tuple[UUID, ...] = ()
    collections: tuple[UUID, ...] = ()
    types: tuple[str, ...] = ()
    vendors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    options: tuple[OptionChoice, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    price_from: int | None = None
    price_to: int | None = None
    price_in: tuple[tuple[str, str], ...] = ()
    """`minimum` and `maximum`, as far as they are given, with their currencies."""
    availability: ListingAvailability | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    updated_from: datetime | None = None
    updated_until: datetime | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        for name, most in _MOST.items():
            with gathering.at("filter", name):
                _check_list(getattr(self, name), most)
        for i, option in enumerate(self.options):
            with gathering.at("filter", "options", str(i), "values"):
                if not option.values:
                    raise ValidationFailed("Name at least one value of the option.")
                _check_list(option.values, MOST_VALUES)
        with gathering.at("filter", "price"):
            if self.price_from is not None and self.price_to is not None and self.price_from > self.price_to:
                raise ValidationFailed("The lower bound is above the upper one.")
        for name in ("created", "updated"):
            with gathering.at("filter", name):
                since, until = getattr(self, f"{name}_from"), getattr(self, f"{name}_until")
                if since is not None and until is not None and since >= until:
                    raise ValidationFailed("The time ends before it begins.")
        with gathering.at("filter"):
            if sum(map(len, self._lists())) > MOST_ITEMS:
                raise ValidationFailed(f"All lists of a filter together have at most {MOST_ITEMS} entries.")
        gathering.raise_if_any()

    def _lists(self) -> Iterable[Sized]:
        yield from (getattr(self, name) for name in _MOST if name != "options")
        yield from (option.values for option in self.options)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the conditions of its `names` leave open, by their parameters, but for region and channel."""
        every: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        given: dict[str, Any] = {
            name: list(value) if name in _MOST else value
            for name, value in every.items()
            if name not in _OTHERWISE and value not in ((), None)
        }
        if self.price_from is not None or self.price_to is not None:
            given["price_from"] = 0 if self.price_from is None else self.price_from
            given["price_to"] = LARGEST if self.price_to is None else self.price_to
        for i, option in enumerate(self.options):
            given[f"option_{i}"] = [option.name + BETWEEN + value for value in option.values]
        for i, (key, value) in enumerate(self.metadata):
            given[f"metadata_{i}"] = {key: value}
        return given

    @property
    def names(self) -> frozenset[str]:
        """Which conditions there are: what a statement is made of, and remembered by."""
        named = {"price" if name in {"price_from", "price_to"} else name for name in self.parameters}
        return frozenset({*named, *([str(self.availability)] if self.availability else [])})


_MOST: Final = {
    "ids": MOST_IDS,
    "categories": MOST_VALUES,
    "collections": MOST_VALUES,
    "types": MOST_VALUES,
    "vendors": MOST_VALUES,
    "tags": MOST_VALUES,
    "options": MOST_PAIRS,
    "metadata": MOST_PAIRS,
}
_OTHERWISE: Final = {"options", "metadata", "price_from", "price_to", "price_in", "availability"}


def _check_list(values: Collected[Any], most: int) -> None:
    if len(values) > most:
        raise ValidationFailed(f"There are at most {most} of these.")
    for value in values:
        texts = cast("tuple[Any, ...]", value if isinstance(value, tuple) else (getattr(value, "name", value),))
        if any(isinstance(text, str) and len(text) > LONGEST for text in texts):
            raise ValidationFailed(f"Each has at most {LONGEST} characters.")


def _any_of(name: str, type_: Any) -> Any:
    return any_(bindparam(name, type_=ARRAY(type_)))


def _shown(membership: Any) -> ColumnElement[bool]:
    """A collection of the filter is one that is seen in the channel: what hidden ones have is nobody's business."""
    return select(Collection.id).where(Collection.id == membership.collection_id, SHOWN).exists()


REGION: Final = bindparam("region", type_=Uuid)
# Under other names, as lists by price and by rank are of the same tables.
_PRICED: Final = aliased(ProductListing, name="priced")
_MEMBER: Final = aliased(ProductCollection, name="member")
_FROM, _TO = bindparam("price_from", type_=BigInteger), bindparam("price_to", type_=BigInteger)
_AMOUNT: Final = func.unnest(_PRICED.amounts).column_valued("amount")
_TIME: Final = TIMESTAMP(timezone=True)


def _listed(*conditions: Any) -> ColumnElement[bool]:
    return (
        select(_PRICED.product_id)
        .where(_PRICED.product_id == Product.id, _PRICED.region_id == REGION, *conditions)
        .exists()
    )


CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "ids": Product.id == _any_of("ids", Uuid),
    "categories": select(ProductCategory.product_id)
    .join(CategoryAncestor, CategoryAncestor.category_id == ProductCategory.category_id)
    .where(ProductCategory.product_id == Product.id, CategoryAncestor.ancestor_id == _any_of("categories", Uuid))
    .exists(),
    "collections": select(_MEMBER.product_id)
    .where(
        _MEMBER.product_id == Product.id,
        _MEMBER.collection_id == _any_of("collections", Uuid),
        _shown(_MEMBER),
    )
    .exists(),
    "types": Product.type == _any_of("types", Text),
    "vendors": Product.vendor == _any_of("vendors", Text),
    "tags": Product.tags.bool_op("&&")(bindparam("tags", type_=ARRAY(Text))),
    "price": _listed(
        _PRICED.minimum <= _TO,
        _PRICED.maximum >= _FROM,
        select(_AMOUNT).where(_AMOUNT >= _FROM, _AMOUNT <= _TO).correlate(_PRICED).exists(),
    ),
    "in_stock": _listed(_PRICED.in_stock),
    "buyable": _listed(_PRICED.buyable),
    "created_from": Product.created_at >= bindparam("created_from", type_=_TIME),
    "created_until": Product.created_at < bindparam("created_until", type_=_TIME),
    "updated_from": Product.updated_at >= bindparam("updated_from", type_=_TIME),
    "updated_until": Product.updated_at < bindparam("updated_until", type_=_TIME),
    **{
        f"option_{i}": select(ProductFacet.product_id)
        .where(
            ProductFacet.product_id == Product.id,
            ProductFacet.options.bool_op("&&")(bindparam(f"option_{i}", type_=ARRAY(Text))),
        )
        .exists()
        for i in range(MOST_PAIRS)
    },
    **{
        f"metadata_{i}": Product.metadata_.bool_op("@>")(bindparam(f"metadata_{i}", type_=JSONB))
        for i in range(MOST_PAIRS)
    },
}
"""By the names that a filter has; each of a row of `product`."""
IN_REGION: Final = frozenset({"price", "in_stock", "buyable"})
"""They have the parameter `region`."""
DERIVED: Final = IN_REGION | {f"option_{i}" for i in range(MOST_PAIRS)}
"""They are compared by derived rows."""
