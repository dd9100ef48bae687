"""Rules of collections: conditions on products as typed data, checked when they are written, compiled to SQL.

A rule never says who may see a product, and nothing in it depends on the clock: a product that does not change stays
where it is. So prices are base prices of one unit, as lists of prices begin and end by the clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, literal, not_, or_, select
from sqlalchemy.dialects.postgresql import TIMESTAMP

from db import (
    CategoryAncestor,
    OptionValue,
    Price,
    Product,
    ProductCategory,
    ProductOption,
    StockLevel,
    Variant,
    VariantOptionValue,
    VariantStockItem,
)
from domain.money import money
from domain.refusal import Gathering, ValidationFailed

MOST_CONDITIONS: Final = 60
LONGEST_VALUE: Final = 255


class RuleMatch(StrEnum):
    ALL = "all"
    ANY = "any"


class RuleField(StrEnum):
    TITLE = "title"
    TYPE = "type"
    VENDOR = "vendor"
    TAG = "tag"
    CATEGORY = "category"
    OPTION = "option"
    PRICE = "price"
    AVAILABLE = "available"
    METADATA = "metadata"
    CREATED_AT = "created_at"


class RuleOperator(StrEnum):
    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    LESS_THAN = "less_than"
    GREATER_THAN = "greater_than"
    IS_SET = "is_set"
    IS_NOT_SET = "is_not_set"


_TEXT: Final = (
    RuleOperator.EQUALS,
    RuleOperator.NOT_EQUALS,
    RuleOperator.STARTS_WITH,
    RuleOperator.ENDS_WITH,
    RuleOperator.CONTAINS,
    RuleOperator.NOT_CONTAINS,
)
_IS: Final = (RuleOperator.EQUALS, RuleOperator.NOT_EQUALS)
_COMPARED: Final = (RuleOperator.LESS_THAN, RuleOperator.GREATER_THAN)
OPERATORS: Final[Mapping[RuleField, Sequence[RuleOperator]]] = {
    RuleField.TITLE: _TEXT,
    RuleField.TYPE: _TEXT,
    RuleField.VENDOR: _TEXT,
    RuleField.TAG: _IS,
    RuleField.CATEGORY: _IS,
    RuleField.OPTION: _IS,
    RuleField.PRICE: (RuleOperator.EQUALS, *_COMPARED),
    RuleField.AVAILABLE: (RuleOperator.EQUALS,),
    RuleField.METADATA: (*_IS, RuleOperator.IS_SET, RuleOperator.IS_NOT_SET),
    RuleField.CREATED_AT: _COMPARED,
}
"""What can be asked of which field."""
KEYED: Final = frozenset({RuleField.OPTION, RuleField.METADATA})
"""Fields of which a condition names one: the option, the entry of the metadata."""


@dataclass(frozen=True)
class InRegion:
    """An amount of money in a region: what a condition on the price compares with."""

    region_id: UUID
    currency: str
    minor: int

    @property
    def amount(self) -> str:
        return str(money(self.minor, self.currency).amount)


@dataclass(frozen=True)
class Condition:
    """`value` is text; for `category` its id, for `price` an `InRegion`, for `available` a truth, for `created_at` a
    time; null where the operator asks for none. Metadata is compared as text, so 3 equals "3".
    """

    field: RuleField
    operator: RuleOperator
    value: Any = None
    key: str | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("operator"):
            if self.operator not in OPERATORS[self.field]:
                known = ", ".join(operator.name for operator in OPERATORS[self.field])
                raise ValidationFailed(f"Of {self.field.name} can be asked: {known}.")
        with gathering.at("key"):
            _check_key(self)
        with gathering.at("value"):
            _check_value(self)
        gathering.raise_if_any()


@dataclass(frozen=True)
class Rules:
    """Which products a collection has: those that all of the conditions are true of, or any of them."""

    match: RuleMatch
    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.conditions) <= MOST_CONDITIONS:
            raise ValidationFailed(f"Rules have 1 to {MOST_CONDITIONS} conditions.", path=("conditions",))


def _check_key(condition: Condition) -> None:
    if (condition.key is not None) != (condition.field in KEYED):
        named = " and ".join(sorted(field.name for field in KEYED))
        raise ValidationFailed(f"{named} name one of theirs by a key, and no other field does.")
    if condition.key is not None and not 1 <= len(condition.key) <= LONGEST_VALUE:
        raise ValidationFailed(f"A key has 1 to {LONGEST_VALUE} characters.")


_KINDS: Final[Mapping[RuleField, tuple[tuple[type, ...], str]]] = {
    RuleField.CATEGORY: ((UUID,), "Give the id of a category."),
    RuleField.PRICE: ((InRegion,), 'Give an amount as text, such as "12.50".'),
    RuleField.AVAILABLE: ((bool,), 'Give "true" or "false".'),
    RuleField.CREATED_AT: ((datetime,), "Give a time with its zone, such as 2030-01-01T00:00:00Z."),
}
_WITHOUT_VALUE: Final = frozenset({RuleOperator.IS_SET, RuleOperator.IS_NOT_SET})


def _check_value(condition: Condition) -> None:
    value = condition.value
    if condition.operator in _WITHOUT_VALUE:
        if value is not None:
            raise ValidationFailed("This operator takes no value.")
        return
    kinds, message = _KINDS.get(condition.field, ((str,), "Give a text."))
    if not isinstance(value, kinds):
        raise ValidationFailed(message)
    if isinstance(value, str) and not 1 <= len(value) <= LONGEST_VALUE:
        raise ValidationFailed(f"A text has 1 to {LONGEST_VALUE} characters.")


def stored(rules: Rules) -> dict[str, Any]:
    """As `collection.rules` keeps them."""
    return {"match": rules.match.value, "conditions": [_stored(condition) for condition in rules.conditions]}


def _stored(condition: Condition) -> dict[str, Any]:
    value = condition.value
    made: dict[str, Any] = {"field": condition.field.value, "operator": condition.operator.value}
    if condition.key is not None:
        made["key"] = condition.key
    if isinstance(value, InRegion):
        made |= {"value": value.minor, "region": str(value.region_id), "currency": value.currency}
    elif isinstance(value, UUID):
        made["value"] = str(value)
    elif isinstance(value, datetime):
        made["value"] = value.astimezone(UTC).isoformat()
    elif value is not None:
        made["value"] = value
    return made


def read(kept: Mapping[str, Any]) -> Rules:
    """Rules as they were `stored`."""
    return Rules(RuleMatch(kept["match"]), tuple(_read(condition) for condition in kept["conditions"]))


def _read(kept: Mapping[str, Any]) -> Condition:
    field, value = RuleField(kept["field"]), kept.get("value")
    if field == RuleField.PRICE:
        value = InRegion(UUID(kept["region"]), kept["currency"], kept["value"])
    elif field == RuleField.CATEGORY:
        value = UUID(kept["value"])
    elif field == RuleField.CREATED_AT:
        value = datetime.fromisoformat(kept["value"])
    return Condition(field, RuleOperator(kept["operator"]), value, kept.get("key"))


def matches(rules: Rules) -> ColumnElement[bool]:
    """Whether they are true of a row of `product`."""
    join = and_ if rules.match == RuleMatch.ALL else or_
    return join(*(_matches(condition) for condition in rules.conditions))


def _matches(condition: Condition) -> ColumnElement[bool]:
    return _COMPILED[condition.field](condition)


def _text(column: Any) -> Callable[[Condition], ColumnElement[bool]]:
    """Large and small letters are the same. Never LIKE: what is given is no pattern."""

    def compiled(condition: Condition) -> ColumnElement[bool]:
        text, given = func.lower(column), func.lower(literal(condition.value))
        made: dict[RuleOperator, ColumnElement[bool]] = {
            RuleOperator.EQUALS: text == given,
            RuleOperator.NOT_EQUALS: text != given,
            RuleOperator.STARTS_WITH: func.starts_with(text, given),
            RuleOperator.ENDS_WITH: func.right(text, func.length(given)) == given,
            RuleOperator.CONTAINS: func.strpos(text, given) > 0,
            RuleOperator.NOT_CONTAINS: func.strpos(text, given) == 0,
        }
        return made[condition.operator]

    return compiled


def _unless_not(condition: Condition, found: ColumnElement[bool]) -> ColumnElement[bool]:
    return not_(found) if condition.operator == RuleOperator.NOT_EQUALS else found


def _tag(condition: Condition) -> ColumnElement[bool]:
    tag = func.unnest(Product.tags).column_valued("tag")
    return _unless_not(condition, select(tag).where(func.lower(tag) == func.lower(literal(condition.value))).exists())


def _category(condition: Condition) -> ColumnElement[bool]:
    """It or one below it."""
    inside = (
        select(ProductCategory.product_id)
        .join(CategoryAncestor, CategoryAncestor.category_id == ProductCategory.category_id)
        .where(ProductCategory.product_id == Product.id, CategoryAncestor.ancestor_id == condition.value)
    )
    return _unless_not(condition, inside.exists())


def _option(condition: Condition) -> ColumnElement[bool]:
    """Some variant that is for sale has the value; names of option and value without regard to capitals."""
    having = (
        select(Variant.id)
        .join(VariantOptionValue, VariantOptionValue.variant_id == Variant.id)
        .join(OptionValue, OptionValue.id == VariantOptionValue.value_id)
        .join(ProductOption, ProductOption.id == VariantOptionValue.option_id)
        .where(
            Variant.product_id == Product.id,
            Variant.archived_at.is_(None),
            func.lower(ProductOption.name) == func.lower(literal(condition.key)),
            func.lower(OptionValue.name) == func.lower(literal(condition.value)),
        )
    )
    return _unless_not(condition, having.exists())


def _price(condition: Condition) -> ColumnElement[bool]:
    """The lowest base price among the variants: the region's own, else that of the currency. None matches nothing."""
    wanted: InRegion = condition.value
    base = (
        select(Price.amount)
        .where(
            Price.variant_id == Variant.id,
            Price.price_list_id.is_(None),
            Price.min_quantity == 1,
            Price.currency == wanted.currency,
            or_(Price.region_id == wanted.region_id, Price.region_id.is_(None)),
        )
        .order_by(Price.region_id.is_(None))
        .limit(1)
        .scalar_subquery()
    )
    lowest = (
        select(func.min(base))
        .select_from(Variant)
        .where(Variant.product_id == Product.id, Variant.archived_at.is_(None))
        .scalar_subquery()
    )
    return func.coalesce(_compared(condition.operator, lowest, wanted.minor), false())


def _compared(operator: RuleOperator, column: Any, value: Any) -> ColumnElement[bool]:
    if operator == RuleOperator.EQUALS:
        return column == value
    return column < value if operator == RuleOperator.LESS_THAN else column > value


def _available(condition: Condition) -> ColumnElement[bool]:
    """Some variant can be bought: it is not counted, or of each of its items there is enough for one."""
    free = StockLevel.on_hand + StockLevel.backorder_limit - StockLevel.reserved - StockLevel.allocated
    there = (
        select(func.coalesce(func.sum(func.greatest(free, 0)), 0))
        .where(StockLevel.stock_item_id == VariantStockItem.stock_item_id)
        .scalar_subquery()
    )
    linked = select(VariantStockItem.variant_id).where(VariantStockItem.variant_id == Variant.id)
    enough = and_(linked.exists(), not_(linked.where(there < VariantStockItem.quantity).exists()))
    buyable = select(Variant.id).where(
        Variant.product_id == Product.id, Variant.archived_at.is_(None), or_(not_(Variant.manage_stock), enough)
    )
    return buyable.exists() if condition.value else not_(buyable.exists())


def _metadata(condition: Condition) -> ColumnElement[bool]:
    column = cast("Any", Product.__table__.c["metadata"])
    if condition.operator in _WITHOUT_VALUE:
        found = column.has_key(condition.key)
        return found if condition.operator == RuleOperator.IS_SET else not_(found)
    if condition.operator == RuleOperator.NOT_EQUALS:
        return column[condition.key].astext.is_distinct_from(condition.value)
    return column[condition.key].astext.is_not_distinct_from(condition.value)


def _created_at(condition: Condition) -> ColumnElement[bool]:
    return _compared(condition.operator, Product.created_at, literal(condition.value, TIMESTAMP(timezone=True)))


_COMPILED: Final[Mapping[RuleField, Callable[[Condition], ColumnElement[bool]]]] = {
    RuleField.TITLE: _text(Product.title),
    RuleField.TYPE: _text(Product.type),
    RuleField.VENDOR: _text(Product.vendor),
    RuleField.TAG: _tag,
    RuleField.CATEGORY: _category,
    RuleField.OPTION: _option,
    RuleField.PRICE: _price,
    RuleField.AVAILABLE: _available,
    RuleField.METADATA: _metadata,
    RuleField.CREATED_AT: _created_at,
}
