"""What prices were: the lowest public one of the 30 days before a reduction began, which European law wants shown.

The public price is that of a guest who buys one unit. It is reduced while a sale list lowers it, or while it stands
beside a higher price that it is compared with; a time without a price interrupts a reduction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read
from db.price import PriceListKind

PERIOD: Final = timedelta(days=30)


@dataclass(frozen=True)
class Spell:
    """A row of a price counted from `start` until `end`, which is not included; end null: to this day.

    `own`: it is of the region itself and not of any region of the currency. Kind and priority are those of its list.
    """

    amount: int
    compare_at: int | None
    own: bool
    start: datetime
    end: datetime | None = None
    list_id: UUID | None = None
    kind: PriceListKind | None = None
    priority: int = 0


@dataclass(frozen=True)
class Shown:
    """The public price of a stretch of time."""

    amount: int
    is_reduced: bool


def prior_lowest(spells: Iterable[Spell], now: datetime) -> int | None:
    """The lowest price of the 30 days before the present uninterrupted reduction began; null without either."""
    past = [spell for spell in spells if spell.start <= now]
    edges = {moment for spell in past for moment in (spell.start, spell.end) if moment is not None and moment < now}
    stretches = list(pairwise([*sorted(edges), now]))
    began: datetime | None = None
    while stretches and (shown := _shown(past, stretches[-1][0])) is not None and shown.is_reduced:
        began, _ = stretches.pop()
    if began is None:
        return None
    before = [_shown(past, start) for start, end in stretches if end > began - PERIOD]
    return min((shown.amount for shown in before if shown is not None), default=None)


def _shown(spells: Sequence[Spell], moment: datetime) -> Shown | None:
    """As domain/price_resolution.py reads prices, for one unit."""
    of_list: dict[UUID | None, Spell] = {}
    for spell in spells:
        if spell.start <= moment and (spell.end is None or moment < spell.end):
            former = of_list.get(spell.list_id)
            if former is None or (spell.own, spell.start) > (former.own, former.start):
                of_list[spell.list_id] = spell
    lists = [spell for spell in of_list.values() if spell.list_id is not None]
    overrides = [spell for spell in lists if spell.kind == PriceListKind.OVERRIDE]
    regular = min(overrides, key=lambda s: (s.priority, s.amount, str(s.list_id)), default=of_list.get(None))
    if regular is None:
        return None
    sale = min((spell.amount for spell in lists if spell.kind == PriceListKind.SALE), default=regular.amount)
    compared = regular.compare_at is not None and regular.compare_at > regular.amount
    return Shown(min(sale, regular.amount), sale < regular.amount or compared)


async def prior_lowest_prices(read: Read, wanted: Sequence[tuple[UUID, UUID]]) -> list[Any]:
    """Of each variant in a region, in their order, by one statement: rows with amount and currency, or null."""
    if not wanted:
        return []
    variants, regions = (list(column) for column in zip(*wanted, strict=True))
    spells: list[list[Any]] = [[] for _ in wanted]
    for row in await read.records(_SPELLS, variants=variants, regions=regions):
        spells[row["position"] - 1].append(row)
    return [_lowest(rows) for rows in spells]


def _lowest(rows: Sequence[Any]) -> dict[str, Any] | None:
    if not rows:
        return None
    names = ("amount", "compare_at", "own", "start", "end", "list_id", "kind", "priority")
    lowest = prior_lowest((Spell(**{name: row[name] for name in names}) for row in rows), rows[0]["now"])
    return None if lowest is None else {"amount": lowest, "currency": rows[0]["currency"]}


_SPELLS: Final = text(
    """
    WITH asked AS MATERIALIZED (
        SELECT a.position, a.variant_id, a.region_id, region.currency
        FROM unnest(CAST(:variants AS uuid[]), CAST(:regions AS uuid[])) WITH ORDINALITY
             AS a (variant_id, region_id, position)
        JOIN region ON region.id = a.region_id
    ),
    amounts AS (
        SELECT a.position, p.price_list_id, p.region_id, p.currency, p.amount, p.compare_at,
               tstzrange(p.valid_from, NULL) AS valid
        FROM asked AS a JOIN price AS p ON p.variant_id = a.variant_id AND p.currency = a.currency
        WHERE p.min_quantity = 1 AND (p.region_id IS NULL OR p.region_id = a.region_id)
        UNION ALL
        SELECT a.position, p.price_list_id, p.region_id, p.currency, p.amount, p.compare_at, p.valid
        FROM asked AS a JOIN price_history AS p ON p.variant_id = a.variant_id AND p.currency = a.currency
        WHERE p.min_quantity = 1 AND (p.region_id IS NULL OR p.region_id = a.region_id)
    ),
    lists AS (
        SELECT id, kind, priority, tstzrange(valid_from, NULL) * tstzrange(starts_at, ends_at) AS open
        FROM price_list WHERE status = 'active' AND NOT for_groups
        UNION ALL
        SELECT price_list_id, kind, priority, valid * tstzrange(starts_at, ends_at)
        FROM price_list_history WHERE status = 'active' AND NOT for_groups
    ),
    spells AS (
        SELECT amounts.*, lists.kind, coalesce(lists.priority, 0) AS priority,
               CASE WHEN price_list_id IS NULL THEN amounts.valid ELSE amounts.valid * lists.open END AS span
        FROM amounts LEFT JOIN lists ON lists.id = amounts.price_list_id
        WHERE price_list_id IS NULL OR lists.id IS NOT NULL
    )
    SELECT position, price_list_id AS list_id, currency, amount, compare_at, region_id IS NOT NULL AS own, kind,
           priority, lower(span) AS start, upper(span) AS end, statement_timestamp() AS now
    FROM spells WHERE NOT isempty(span)
    """
)
