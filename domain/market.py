"""Where something is bought: a region with its taxes, its countries and its ways of delivery."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Read
from domain.delivery import Way
from domain.totals import Rate


@dataclass(frozen=True)
class Market:
    """A region with what counts in it. `countries` are its own."""

    region: Any
    rates: tuple[Rate, ...]
    ways: tuple[Way, ...]
    countries: frozenset[str]

    @property
    def has_quotes(self) -> bool:
        """Some price of a delivery is asked of others."""
        return any(not way.is_local for way in self.ways)


# A rate as text, as JSON has no decimals.
_MARKETS: Final = text(
    """
    SELECT region.*,
        ARRAY(SELECT country FROM region_country WHERE region_id = region.id) AS countries,
        (SELECT jsonb_agg(jsonb_build_object('name', name, 'rate', rate::text) ORDER BY name)
            FROM tax_rate WHERE region_id = region.id) AS rates,
        (SELECT jsonb_agg(to_jsonb(way) ORDER BY position, id) FROM delivery_option AS way
            WHERE region_id = region.id AND active AND archived_at IS NULL) AS ways
    FROM region WHERE region.id = ANY(:regions)
    """
)


async def markets(read: Read, regions: Iterable[UUID]) -> dict[UUID, Market]:
    return {
        row["id"]: Market(
            row,
            tuple(Rate(rate["name"], Decimal(rate["rate"])) for rate in row["rates"] or ()),
            tuple(Way.of(way) for way in row["ways"] or ()),
            frozenset(row["countries"]),
        )
        for row in await read.records(_MARKETS, regions=list(regions))
    }
