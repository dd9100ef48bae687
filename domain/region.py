"""Regions: a currency, the countries sold to, and how tax is shown there. And the places that stock lies in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text

from db import Region, StockLocation
from db.connection import Tx, new_id
from domain.address import COUNTRIES
from domain.money import digits
from domain.refusal import ValidationFailed


@dataclass(frozen=True)
class RegionDraft:
    """`taxes` are fractions by name: `{"VAT": Decimal("0.21")}`."""

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
    names, rates = list(draft.taxes), list(draft.taxes.values())
    await tx.run(_NO_OTHER_TAXES.bindparams(id=region_id, names=names))
    await tx.run(_TAXES.bindparams(id=region_id, names=names, rates=rates))
    return region_id


async def upsert_location(tx: Tx, draft: LocationDraft) -> UUID:
    """The stock location of this code, written where it differs."""
    await tx.run(_LOCATION.bindparams(id=new_id(), code=draft.code, name=draft.name, priority=draft.priority))
    (location_id,) = await tx.scalars(select(StockLocation.id).where(StockLocation.code == draft.code))
    return location_id


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
_NO_OTHER_TAXES = text("DELETE FROM tax_rate WHERE region_id = :id AND name <> ALL(:names)")
_TAXES = text(
    """
    INSERT INTO tax_rate (region_id, name, rate)
    SELECT CAST(:id AS uuid), * FROM unnest(CAST(:names AS text[]), CAST(:rates AS numeric[]))
    ON CONFLICT (region_id, name) DO UPDATE SET rate = excluded.rate WHERE tax_rate.rate <> excluded.rate
    """
)
_LOCATION = text(
    """
    INSERT INTO stock_location (id, code, name, priority) VALUES (:id, :code, :name, :priority)
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, priority = excluded.priority
    WHERE (stock_location.name, stock_location.priority) IS DISTINCT FROM (excluded.name, excluded.priority)
    """
)
