"""Why a price is what it is: every row that a variant has, with what it came to, in the words of the rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read
from db.price import PriceListKind, PriceListStatus
from domain.price import Found, Wanted, best
from domain.refusal import NotFound


class Verdict(StrEnum):
    """What became of a row; the first that fits, from what rules it out to what it came to."""

    OTHER_CURRENCY = "other_currency"
    OTHER_REGION = "other_region"
    NOT_ACTIVE = "not_active"
    NOT_STARTED = "not_started"
    ENDED = "ended"
    OTHER_GROUPS = "other_groups"
    QUANTITY_NOT_REACHED = "quantity_not_reached"
    REGION_FIRST = "region_first"
    LARGER_QUANTITY = "larger_quantity"
    LIST_FIRST = "list_first"
    OTHER_LIST = "other_list"
    NOT_LOWER = "not_lower"
    REGULAR = "regular"
    COUNTS = "counts"


@dataclass(frozen=True)
class Asked:
    """A price is asked for at a moment, null: now; for a customer who is in these groups."""

    variant_id: UUID
    quantity: int
    region_id: UUID
    groups: tuple[UUID, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True)
class Explanation:
    """`price` null: it is not for sale there. Each of `rows` is a row of the table with its list and its verdict."""

    price: Found | None
    rows: Sequence[tuple[Any, Verdict]]


async def explain(read: Read, asked: Asked) -> Explanation:
    """By the prices and lists as they are, at the moment that is asked for as far as windows go."""
    found = await read.records(
        _ROWS,
        variant_id=asked.variant_id,
        region_id=asked.region_id,
        groups=list(asked.groups),
        at=asked.at,
    )
    if found[0].found_variant is None:
        raise NotFound(path=("variant_id",))
    if found[0].sold_in is None:
        raise NotFound(path=("region_id",))
    wanted = Wanted(asked.variant_id, asked.quantity, asked.region_id)
    (price,) = await best(read, [wanted], at=asked.at, groups=asked.groups)
    rows = [row for row in found if row.id is not None]
    return Explanation(price, [(row, verdict) for row, verdict in zip(rows, verdicts(rows, asked), strict=True)])


def verdicts(rows: Sequence[Any], asked: Asked) -> list[Verdict]:
    """Of rows with the columns of `_ROWS`, in their order."""
    told: dict[UUID, Verdict] = {}
    for row in rows:
        if (out := _ruled_out(row, asked)) is not None:
            told[row.id] = out
    left = [row for row in rows if row.id not in told]
    counting: list[Any] = []
    for list_id in dict.fromkeys(row.price_list_id for row in left):
        of_list = [row for row in left if row.price_list_id == list_id]
        own = [row for row in of_list if row.region_id is not None]
        largest = max(own or of_list, key=lambda row: row.min_quantity)
        counting.append(largest)
        for row in of_list:
            told.setdefault(row.id, Verdict.REGION_FIRST if own and row.region_id is None else Verdict.LARGER_QUANTITY)
        del told[largest.id]
    told |= _between_lists(counting)
    return [told[row.id] for row in rows]


def _ruled_out(row: Any, asked: Asked) -> Verdict | None:
    is_of_list = row.price_list_id is not None
    tests = (
        (row.currency != row.sold_in, Verdict.OTHER_CURRENCY),
        (row.region_id not in {None, asked.region_id}, Verdict.OTHER_REGION),
        (is_of_list and row.status != PriceListStatus.ACTIVE, Verdict.NOT_ACTIVE),
        (is_of_list and row.starts_at is not None and row.starts_at > row.at, Verdict.NOT_STARTED),
        (is_of_list and row.ends_at is not None and row.ends_at <= row.at, Verdict.ENDED),
        (is_of_list and not row.is_for_them, Verdict.OTHER_GROUPS),
        (row.min_quantity > asked.quantity, Verdict.QUANTITY_NOT_REACHED),
    )
    return next((verdict for is_so, verdict in tests if is_so), None)


def _between_lists(rows: Iterable[Any]) -> dict[UUID, Verdict]:
    """Of the row of each list, and of base, that counts within it."""
    told: dict[UUID, Verdict] = {}
    sales = [row for row in rows if row.kind == PriceListKind.SALE]
    others = [row for row in rows if row.kind != PriceListKind.SALE]
    others.sort(key=lambda row: (row.price_list_id is None, row.priority, row.amount, row.price_list_id))
    sales.sort(key=lambda row: (row.amount, row.priority, row.price_list_id))
    told |= {row.id: Verdict.LIST_FIRST for row in others[1:]} | {row.id: Verdict.OTHER_LIST for row in sales[1:]}
    regular, sale = next(iter(others), None), next(iter(sales), None)
    is_lower = regular is not None and sale is not None and sale.amount < regular.amount
    if regular is not None:
        told[regular.id] = Verdict.REGULAR if is_lower else Verdict.COUNTS
    if sale is not None:
        told[sale.id] = Verdict.COUNTS if is_lower else Verdict.NOT_LOWER
    return told


_ROWS: Final = text(
    """
    SELECT p.*, v.id AS found_variant, r.currency AS sold_in, l.kind, l.status, l.priority, l.starts_at, l.ends_at,
           coalesce(CAST(:at AS timestamptz), statement_timestamp()) AS at,
           NOT coalesce(l.for_groups, false) OR EXISTS (
               SELECT FROM price_list_group AS g
               WHERE g.price_list_id = l.id AND g.group_id = ANY(CAST(:groups AS uuid[]))
           ) AS is_for_them
    FROM (VALUES (CAST(:variant_id AS uuid), CAST(:region_id AS uuid))) AS asked (variant_id, region_id)
    LEFT JOIN variant AS v ON v.id = asked.variant_id
    LEFT JOIN region AS r ON r.id = asked.region_id AND r.archived_at IS NULL
    LEFT JOIN price AS p ON p.variant_id = v.id
    LEFT JOIN price_list AS l ON l.id = p.price_list_id
    ORDER BY p.currency, p.price_list_id NULLS FIRST, p.region_id NULLS FIRST, p.min_quantity, p.id
    """
)
