"""What the tests of prices share: price lists, groups, and the rules of resolution read in plain Python."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from db import CustomerGroup, CustomerGroupMember, PriceList, PriceListGroup, Region
from db.connection import new_id
from domain.price import PriceDraft, Wanted
from domain.processes.shop import Shop
from resolvers import ids
from tests import given

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


async def region(shop: Shop, code: str) -> UUID:
    return await shop.read.one_scalar(select(Region.id).where(Region.code == code))


async def group(shop: Shop, name: str, *customers: UUID) -> UUID:
    group_id = new_id()
    async with shop.tx() as tx:
        await tx.run(insert(CustomerGroup).values(id=group_id, name=name))
        await tx.insert(CustomerGroupMember, [{"group_id": group_id, "customer_id": one} for one in customers])
    return group_id


async def price_list(shop: Shop, kind: str, *prices: PriceDraft, groups: Sequence[UUID] = (), **columns: Any) -> UUID:
    """An active list with these prices; public unless it is for groups."""
    list_id = new_id()
    values = {"id": list_id, "name": f"{kind} {list_id}", "kind": kind, "status": "active", **columns}
    async with shop.tx() as tx:
        await tx.run(insert(PriceList).values(**values, for_groups=bool(groups)))
        await tx.insert(PriceListGroup, [{"price_list_id": list_id, "group_id": one} for one in groups])
    await given.prices(shop, *(replace(price, price_list_id=list_id) for price in prices))
    return list_id


def public_id(list_id: UUID) -> str:
    return ids.encode("PriceList", list_id)


@dataclass(frozen=True)
class Listed:
    """A price list as the rules see it."""

    id: UUID
    kind: str
    priority: int = 1
    status: str = "active"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    groups: frozenset[UUID] | None = None
    """Null: for everybody."""

    def applies(self, at: datetime, groups: frozenset[UUID]) -> bool:
        opened = self.starts_at is None or self.starts_at <= at
        is_over = self.ends_at is not None and self.ends_at <= at
        return (
            self.status == "active" and opened and not is_over and (self.groups is None or bool(self.groups & groups))
        )


@dataclass(frozen=True)
class Read:
    """What the rules give: amount, original, compare-at, tier, list."""

    amount: int
    original: int
    compare_at: int | None
    tier: int
    list_id: UUID | None


def row_of_list(rows: Iterable[PriceDraft], wanted: Wanted, currency: str) -> PriceDraft | None:
    """The region's own rows if one has min_quantity <= quantity, else the currency's; of those the largest."""
    fitting = [r for r in rows if r.currency == currency and r.min_quantity <= wanted.quantity]
    own = [r for r in fitting if r.region_id == wanted.region_id]
    return max(own or [r for r in fitting if r.region_id is None], key=lambda r: r.min_quantity, default=None)


def read_plainly(
    rows: Sequence[PriceDraft],
    lists: Sequence[Listed],
    wanted: Wanted,
    currency: str,
    *,
    at: datetime,
    groups: frozenset[UUID],
) -> Read | None:
    """The rules of domain.md, word by word; slowly."""
    of_variant = [row for row in rows if row.variant_id == wanted.variant_id]
    applicable = [one for one in lists if one.applies(at, groups)]
    counting: dict[UUID | None, PriceDraft] = {}
    for list_id in (None, *(one.id for one in applicable)):
        row = row_of_list([r for r in of_variant if r.price_list_id == list_id], wanted, currency)
        if row is not None:
            counting[list_id] = row
    overrides = [one for one in applicable if one.kind == "override" and one.id in counting]
    first = min(overrides, key=lambda one: (one.priority, counting[one.id].amount, one.id), default=None)
    regular = counting.get(first.id if first else None)
    if regular is None or regular.amount is None:
        return None
    sales = [one for one in applicable if one.kind == "sale" and one.id in counting]
    best = min(sales, key=lambda one: (counting[one.id].amount, one.priority, one.id), default=None)
    if best is not None and counting[best.id].amount < regular.amount:
        sale = counting[best.id]
        compared = regular.amount if sale.compare_at is None else sale.compare_at
        return Read(sale.amount or 0, regular.amount, compared, sale.min_quantity, best.id)
    return Read(regular.amount, regular.amount, regular.compare_at, regular.min_quantity, regular.price_list_id)
