"""Which price counts: one statement for any number of variants, in lists, on pages, in carts and at completion alike.

Regular price: of the applicable `override` lists the first that has a row for the variant, by priority, then lower
amount, then id; otherwise base. Within one list, or base, the region's own rows count if one has min_quantity <=
quantity, else the currency's; of those the largest min_quantity. Sale price: of the applicable `sale` lists, each read
the same way, the lowest amount (ties: priority, id); it counts only where it is lower than the regular price.
Without a regular price, or in a region that is archived, nothing is for sale.
"""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Uuid,
    any_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, distinct_on

from db import CustomerGroupMember, Price, PriceList, PriceListGroup, Region
from db.price import PriceListKind, PriceListStatus

Rows = Select[*tuple[Any, ...]]
AT: Final = func.coalesce(bindparam("at", type_=TIMESTAMP(timezone=True)), func.statement_timestamp())
"""The moment of a statement's parameter `at`; null: now."""
GROUPS: Final = bindparam("groups", type_=ARRAY(Uuid))
"""Customer groups that count for every row besides those of its customer."""


def is_open(lists: Any = PriceList, at: Any = AT) -> ColumnElement[bool]:
    """Whether a price list is in use and within its window."""
    return (
        (lists.status == PriceListStatus.ACTIVE)
        & (lists.starts_at.is_(None) | (lists.starts_at <= at))
        & (lists.ends_at.is_(None) | (lists.ends_at > at))
    )


def is_for(customer: Any, groups: Any = GROUPS) -> ColumnElement[bool]:
    """Whether a price list is for everybody, or for the customer or the groups."""
    of_list = PriceListGroup.price_list_id == PriceList.id
    # An array, so that the few groups of this customer are looked up and not the customers of every group.
    theirs = (
        select(func.array_agg(CustomerGroupMember.group_id))
        .where(CustomerGroupMember.customer_id == customer)
        .correlate_except(CustomerGroupMember)
        .scalar_subquery()
    )
    named = (PriceListGroup.group_id == any_(groups)) | (PriceListGroup.group_id == any_(func.coalesce(theirs, groups)))
    return PriceList.for_groups.is_(False) | select(PriceListGroup.group_id).where(of_list, named).exists()


def resolved(wanted: Any, *key: str, at: Any = AT, groups: Any = GROUPS) -> Rows:
    """The prices of the rows of `wanted`, which are told apart by their columns `key`; of some there is none.

    `wanted` is a subquery or CTE with the columns variant_id, quantity, region_id, customer_id (null: a guest). Of each
    row there is, besides all its columns: amount, original (the regular price), compare_at, currency, min_quantity (of
    the tier), tax_included, and list_id, list_kind, list_ends_at (all null: base). The statement has the parameters
    `at` and `groups` unless others are given.
    """
    tier = _tiers(wanted, key, at, groups)
    keys = [tier.c[name] for name in key]
    first: dict[str, Any] = {
        "partition_by": keys,
        "order_by": [tier.c.on_sale, tier.c.list_id.is_(None), tier.c.priority, tier.c.amount, tier.c.list_id],
    }
    ranked = select(
        tier,
        func.row_number().over(**first).label("place"),
        func.first_value(case((tier.c.on_sale, null()), else_=tier.c.amount)).over(**first).label("original"),
    ).subquery("ranked")
    counts = ranked.c
    lower = counts.on_sale & (counts.amount < counts.original)
    compared = case((counts.on_sale, func.coalesce(counts.compare_at, counts.original)), else_=counts.compare_at)
    order = [counts[name] for name in key]
    shown: list[Any] = [
        *(counts[column.key] for column in wanted.c),
        *(counts[name] for name in ("amount", "original", "currency", "min_quantity", "tax_included")),
        *(counts[name] for name in ("list_id", "list_kind", "list_ends_at")),
        compared.label("compare_at"),
    ]
    return (
        select(*shown)
        .ext(distinct_on(*order))
        .where(counts.original.is_not(None), (counts.place == 1) | lower)
        .order_by(*order, counts.on_sale.desc(), counts.amount, counts.priority, counts.list_id)
    )


def _tiers(wanted: Any, key: tuple[str, ...], at: Any, groups: Any) -> Subquery:
    """Of each list, and of base, the row that counts at the quantity."""
    keys, price = [wanted.c[name] for name in key], _prices(wanted).c
    return (
        _candidates(wanted, price, at, groups)
        .where(price.min_quantity <= wanted.c.quantity)
        .ext(distinct_on(*keys, price.price_list_id))
        .order_by(*keys, price.price_list_id, price.region_id.is_(None), price.min_quantity.desc())
        .subquery("tier")
    )


def candidates(wanted: Any, at: Any = AT, groups: Any = GROUPS) -> Rows:
    """Every row of a price that could count at some quantity, beside the columns of `wanted`."""
    return _candidates(wanted, _prices(wanted).c, at, groups)


def _prices(wanted: Any) -> Any:
    """Those of each wanted variant in the region's currency. With OFFSET 0 they are always looked up by both: of small
    tables the planner may think that the prices of other currencies can as well be read and left out.
    """
    there = Price.region_id.is_(None) | (Price.region_id == Region.id)
    its = (Price.variant_id == wanted.c.variant_id) & (Price.currency == Region.currency) & there
    return select(Price).where(its).correlate(wanted, Region).offset(literal_column("0")).lateral("price")


def _candidates(wanted: Any, price: Any, at: Any, groups: Any) -> Rows:
    open_to_them = is_open(at=at) & is_for(wanted.c.customer_id, groups)
    there = (Region.id == wanted.c.region_id) & Region.archived_at.is_(None)
    shown: list[Any] = [
        *wanted.c,
        price.amount,
        price.compare_at,
        price.min_quantity,
        price.currency,
        Region.tax_inclusive.label("tax_included"),
        price.price_list_id.label("list_id"),
        PriceList.kind.label("list_kind"),
        PriceList.ends_at.label("list_ends_at"),
        PriceList.priority,
        func.coalesce(PriceList.kind == PriceListKind.SALE, false()).label("on_sale"),
    ]
    return (
        select(*shown)
        .select_from(wanted)
        .join(Region, there)
        .join(price.amount.table, true())
        .outerjoin(PriceList, (PriceList.id == price.price_list_id) & open_to_them)
        .where(price.price_list_id.is_(None) | PriceList.id.is_not(None))
    )
