"""Where something is bought: a region with its countries, its ways of delivery, and the taxes of where it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from db.connection import Read
from db.region import Rounding
from domain.delivery import Way
from domain.destination import Destination
from domain.tax import LOCAL, Levy, Taxes


class Sought(NamedTuple):
    """A region, and where something goes; null: nobody has said yet, so it counts as going to the region's home."""

    region_id: UUID
    destination: Destination | None = None


@dataclass(frozen=True)
class Market:
    """A region with what counts in it. `countries` are its own, `levy` how the destination is taxed."""

    region: Any
    levy: Levy
    ways: tuple[Way, ...]
    countries: frozenset[str]

    @property
    def has_quotes(self) -> bool:
        """Some price of a delivery, or the taxes, are asked of others."""
        return self.asks_taxes or any(not way.is_local for way in self.ways)

    @property
    def asks_taxes(self) -> bool:
        return self.region["tax_provider"] != LOCAL


# Rates as text, as JSON has no decimals. A postcode that is shorter than a range says too little to lie in it.
_MARKETS: Final = text(
    """
    SELECT sought.n, sought.country AS destination, region.*,
        ARRAY(SELECT country FROM region_country WHERE region_id = region.id) AS countries,
        (SELECT code FROM tax_class WHERE is_default) AS default_class,
        (SELECT jsonb_agg(jsonb_build_object('class', tax_class_code, 'name', name, 'rate', rate::text,
                'level', 0, 'replaces', false))
            FROM tax_rate WHERE country = home.country AND subdivision IS NULL AND postcode_from IS NULL) AS home_rates,
        (SELECT jsonb_agg(jsonb_build_object('class', tax_class_code, 'name', name, 'rate', rate::text,
                'level', CASE WHEN postcode_from IS NOT NULL THEN 2 WHEN subdivision IS NOT NULL THEN 1 ELSE 0 END,
                'replaces', replaces))
            FROM tax_rate WHERE country = sought.country
              AND (subdivision IS NULL OR subdivision = ANY(sought.subdivisions))
              AND (postcode_from IS NULL OR (length(sought.postcode) >= length(postcode_from)
                AND left(sought.postcode, length(postcode_from)) COLLATE "C"
                    BETWEEN postcode_from AND postcode_to))) AS rates,
        (SELECT jsonb_agg(to_jsonb(way) ORDER BY position, id) FROM delivery_option AS way
            WHERE region_id = region.id AND active AND archived_at IS NULL) AS ways
    FROM jsonb_to_recordset(:sought)
        AS sought (n int, region_id uuid, country text, subdivisions text[], postcode text)
    JOIN region ON region.id = sought.region_id
    LEFT JOIN LATERAL (
        SELECT country FROM region_country WHERE region_id = region.id ORDER BY is_home DESC, country LIMIT 1
    ) AS home ON true
    """
)


async def markets(read: Read, sought: Sequence[Sought]) -> dict[Sought, Market]:
    """By one statement."""
    distinct = list(dict.fromkeys(sought))
    rows = [{"n": n, "region_id": one.region_id, **_place(one.destination)} for n, one in enumerate(distinct)]
    return {distinct[row["n"]]: _market(row) for row in await read.records(_MARKETS, sought=rows)}


def _place(destination: Destination | None) -> dict[str, Any]:
    return vars(destination) if destination is not None else {}


def _market(row: Any) -> Market:
    countries = frozenset[str](row["countries"])
    home = Taxes.combined(row["home_rates"] or (), row["default_class"])
    is_known = row["destination"] is not None
    is_outside = is_known and row["destination"] not in countries
    levy = Levy(
        Taxes.combined(row["rates"] or (), row["default_class"]) if is_known else home,
        home if is_outside and countries and row["tax_inclusive"] else None,
        row["tax_inclusive"],
        Rounding(row["rounding"]),
    )
    return Market(row, levy, tuple(Way.of(way) for way in row["ways"] or ()), countries)
