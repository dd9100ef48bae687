"""Regions: a currency, the countries sold to, and how tax is shown there. And the places that stock lies in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select, text

from db import Region, StockLocation
from db.connection import Tx, new_id
from domain.address import COUNTRIES
from domain.money import digits
from domain.refusal import ValidationFailed
from domain.tax import set_country_rates


@dataclass(frozen=True)
class RegionDraft:
    """`taxes` are fractions by name: `{"VAT": Decimal("0.21")}`, those of each of its countries for the default class
    of what is sold. The first country is its home.
    """

    code: str
    name: str
    currency: str
    tax_inclusive: bool
    countries: tuple[str, ...] = ()
    taxes: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    is_default: bool = False

    def __post_init__(self) -> None:
        digits(self.currency)
        for name, value in (("code", self.code), ("name", self.name)):
            if not value.strip():
                raise ValidationFailed("A region has a code and a name.", path=(name,))
        for country in self.countries:
            if country not in COUNTRIES:
                raise ValidationFailed(f"{country!r} is not an ISO 3166 country code such as DE.", path=("countries",))
        for name, rate in self.taxes.items():
            if not name.strip() or not 0 <= rate <= 1:
                raise ValidationFailed("A tax has a name and a rate from 0 to 1 (0.21 is 21 %).", path=("taxes",))


@dataclass(frozen=True)
class LocationDraft:
    """A place that stock lies in; priority 1 is taken from first."""

    code: str
    name: str
    priority: int = 1

    def __post_init__(self) -> None:
        if not self.code.strip() or not self.name.strip():
            raise ValidationFailed("A stock location has a code and a name.", path=("code",))


async def upsert_region(tx: Tx, draft: RegionDraft) -> UUID:
    """The region of this code, written where it differs; its countries and taxes become the draft's."""
    await tx.records(ONE_WRITER)
    if draft.is_default:
        await tx.run(_NO_OTHER_DEFAULT.bindparams(code=draft.code))
    values = {name: getattr(draft, name) for name in ("code", "name", "currency", "tax_inclusive", "is_default")}
    await tx.run(_REGION.bindparams(id=new_id(), **values))
    (region_id,) = await tx.scalars(select(Region.id).where(Region.code == draft.code))
    countries = list(draft.countries)
    if taken := await tx.records(_TAKEN.bindparams(id=region_id, countries=countries)):
        raise ValidationFailed(f"{taken[0].country} belongs to {taken[0].name} already.", path=("countries",))
    await tx.run(_NO_OTHER_COUNTRIES.bindparams(id=region_id, countries=countries))
    await tx.run(_COUNTRIES.bindparams(id=region_id, countries=countries))
    await tx.run(_HOME.bindparams(id=region_id, home=countries[0] if countries else None))
    await set_country_rates(tx, countries, draft.taxes)
    return region_id


async def upsert_location(tx: Tx, draft: LocationDraft) -> UUID:
    """The stock location of this code, written where it differs."""
    await tx.run(_LOCATION.bindparams(id=new_id(), code=draft.code, name=draft.name, priority=draft.priority))
    (location_id,) = await tx.scalars(select(StockLocation.id).where(StockLocation.code == draft.code))
    return location_id


# One at a time, so that two who make different regions the default one, or move countries, do not meet crosswise.
ONE_WRITER: Final = text("SELECT pg_advisory_xact_lock(hashtext('counterfoil.regions'))")
_REGION = text(
    """
    INSERT INTO region (id, code, name, currency, tax_inclusive, is_default)
    VALUES (:id, :code, :name, :currency, :tax_inclusive, :is_default)
    ON CONFLICT (code) DO UPDATE
    SET name = excluded.name, currency = excluded.currency, tax_inclusive = excluded.tax_inclusive,
        is_default = excluded.is_default
    WHERE (region.name, region.currency, region.tax_inclusive, region.is_default)
        IS DISTINCT FROM (excluded.name, excluded.currency, excluded.tax_inclusive, excluded.is_default)
    """
)
_NO_OTHER_DEFAULT = text("UPDATE region SET is_default = false WHERE is_default AND code <> :code")
_TAKEN = text(
    """
    SELECT country, region.name FROM region_country JOIN region ON region.id = region_id
    WHERE country = ANY(:countries) AND region_id <> :id ORDER BY country
    """
)
_NO_OTHER_COUNTRIES = text("DELETE FROM region_country WHERE region_id = :id AND country <> ALL(:countries)")
_COUNTRIES = text(
    """
    INSERT INTO region_country (region_id, country) SELECT CAST(:id AS uuid), unnest(CAST(:countries AS text[]))
    ON CONFLICT (country) DO NOTHING
    """
)
# A region that has a home keeps it. It is read anew, as the one of before may have gone.
_HOME = text(
    """
    UPDATE region_country SET is_home = true WHERE region_id = :id AND country = CAST(:home AS text)
      AND NOT EXISTS (SELECT FROM region_country AS other WHERE other.region_id = :id AND other.is_home)
    """
)
_LOCATION = text(
    """
    INSERT INTO stock_location (id, code, name, priority) VALUES (:id, :code, :name, :priority)
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, priority = excluded.priority
    WHERE (stock_location.name, stock_location.priority) IS DISTINCT FROM (excluded.name, excluded.priority)
    """
)
