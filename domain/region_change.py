"""Regions, made by staff; every change stands in the audit log.

The currency of a region is what every price of its own, every way of delivery and every open cart there is counted in.
It changes only while there is none of them: a shop that changes its currency makes a new region, moves the countries
there and archives the old one. In an archived region nothing is for sale; carts of it say so until they move.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import bindparam, func, insert, select, text, update

from db import Region, RegionCountry
from db.base import MOST_METADATA
from db.connection import Tx, new_id
from db.region import Rounding
from domain import audit, translation
from domain.actor import Actor
from domain.address import COUNTRIES, check_line
from domain.handle import is_handle
from domain.metadata import size_of
from domain.money import digits
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed, VersionConflict
from domain.region import ONE_WRITER

LONGEST: Final = 255
FIELDS: Final = (
    "code", "name", "currency", "tax_inclusive", "rounding", "is_default", "payment_providers", "translations",
    "metadata", "external_id",
)  # fmt: skip
_MAY_BE_NULL: Final = frozenset({"payment_providers", "external_id"})
_NEW: Final[Mapping[str, Any]] = {
    "rounding": Rounding.HALF_UP, "is_default": False, "payment_providers": None, "translations": {}, "metadata": {},
    "external_id": None,
}  # fmt: skip


@dataclass(eq=False)
class RegionInUse(Refusal):
    """Something is counted in the region's currency."""

    message: str = (
        "Its currency stays while carts are open there, or it has prices or ways of delivery of its own: make another "
        "region, move the countries there and archive this one."
    )
    open_carts: int = 0
    prices: int = 0
    delivery_options: int = 0
    code = ErrorCode.REGION_IN_USE


@dataclass(eq=False)
class CountryTaken(Refusal):
    """A country belongs to one region."""

    country: str = ""
    region_id: UUID | None = None
    region_name: str = ""
    code = ErrorCode.COUNTRY_TAKEN


@dataclass(frozen=True)
class RegionChange:
    """`given` are columns by name, null being given too. `countries` are all that it is to have, null: as before; those
    of other regions are taken from them if it `moves_countries`.
    """

    given: Mapping[str, Any]
    countries: tuple[str, ...] | None = None
    moves_countries: bool = False
    columns: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        gathering, made = Gathering(), dict[str, Any]()
        for name, value in self.given.items():
            with gathering.at(name):
                made[name] = _checked(name, value)
        for i, country in enumerate(self.countries or ()):
            with gathering.at("countries", str(i)):
                if country not in COUNTRIES:
                    raise ValidationFailed(f"{country!r} is not an ISO 3166 country code such as DE.")
        gathering.raise_if_any()
        object.__setattr__(self, "columns", made)


def _checked(name: str, value: Any) -> Any:
    if value is None:
        if name not in _MAY_BE_NULL:
            raise ValidationFailed("This cannot be null: leave it out to keep it.")
        return None
    if name in {"code", "name", "external_id"}:
        check_line(value)
        if not 1 <= len(value.strip()) <= LONGEST:
            raise ValidationFailed(f"This has 1 to {LONGEST} characters.")
        if name == "code" and not is_handle(value.strip()):
            raise ValidationFailed("Write a code of letters, digits and hyphens, such as eu.")
        return value.strip()
    if name == "currency":
        digits(value)
    elif name == "metadata":
        if size_of(value) > MOST_METADATA:
            raise ValidationFailed(f"Metadata has at most {MOST_METADATA:,} bytes.")
    elif name == "translations":
        if not all(isinstance(texts, dict) for texts in value.values()):
            raise ValidationFailed('Translations are texts by locale and field: {"de": {"name": "Europa"}}.')
        return translation.checked(value, {"name": LONGEST})
    elif name == "payment_providers":
        return sorted(set(cast("list[str]", value)))
    elif name == "is_default" and value is False:
        raise ValidationFailed("Make another region the default one; a shop always has one.")
    return value


async def create(tx: Tx, command: RegionChange, actor: Actor) -> Region:
    await tx.records(ONE_WRITER)
    row = {**_NEW, **command.columns}
    if row["is_default"]:
        await tx.run(_NO_DEFAULT)
    with _unique():
        made = await tx.one(_CREATE, id=new_id(), **row)
    await _set_countries(tx, made.id, command)
    now = {**_told(made), "countries": await tx.scalars(_COUNTRIES, region_id=made.id)}
    await audit.record(tx, actor, "regionCreate", _subject(made.id), audit.changed({}, now))
    return made


async def change(
    tx: Tx, region_id: UUID, command: RegionChange, actor: Actor, *, if_version: int | None = None
) -> Region:
    """As it was already changes nothing. An archived region stays as it is."""
    await tx.records(ONE_WRITER)
    before = await _locked(tx, region_id, if_version)
    if before.archived_at is not None:
        raise ValidationFailed("An archived region stays as it is.", path=("id",))
    former = {**_told(before), "countries": await tx.scalars(_COUNTRIES, region_id=region_id)}
    row = _told(before) | dict(command.columns)
    if row["currency"] != before.currency:
        await _check_unused(tx, region_id)
    await _set_countries(tx, region_id, command)
    wanted = {**row, "countries": await tx.scalars(_COUNTRIES, region_id=region_id)}
    difference = audit.changed(former, wanted)
    if not difference:
        return before
    if row["is_default"]:
        await tx.run(_NO_DEFAULT_BUT, region_id=region_id)
    with _unique():
        after = await tx.one(_CHANGE, region_id=region_id, **row)
    await audit.record(tx, actor, "regionUpdate", _subject(region_id), difference)
    return after


async def archive(tx: Tx, region_id: UUID, if_version: int | None, actor: Actor) -> Region:
    """Nobody can choose it any more and nothing is for sale there; its countries are free. Again changes nothing."""
    await tx.records(ONE_WRITER)
    before = await _locked(tx, region_id, if_version)
    if before.is_default:
        raise ValidationFailed("The default region stays: make another one the default first.", path=("id",))
    if before.archived_at is not None:
        return before
    freed = await tx.scalars(_COUNTRIES, region_id=region_id)
    await tx.run(_FREE, region_id=region_id)
    after = await tx.one(_ARCHIVE, region_id=region_id)
    difference = audit.changed({"archived": False, "countries": freed}, {"archived": True, "countries": []})
    await audit.record(tx, actor, "regionArchive", _subject(region_id), difference)
    return after


async def _locked(tx: Tx, region_id: UUID, if_version: int | None) -> Region:
    found = await tx.first(_LOCKED, region_id=region_id)
    if found is None:
        raise NotFound(path=("id",))
    if if_version is not None and if_version != found.version:
        message = "The region has changed since it was read."
        raise VersionConflict(message, path=("if_version",), current_version=found.version)
    return found


async def _check_unused(tx: Tx, region_id: UUID) -> None:
    """Whoever begins a cart or writes a price of the region meanwhile waits for the lock on its row, and reads it then
    (`domain/cart.py`, `domain/price_upsert.py`).
    """
    (used,) = await tx.records(_USED, region_id=region_id)
    if used.open_carts or used.prices or used.delivery_options:
        raise RegionInUse(path=("currency",), **used)


async def _set_countries(tx: Tx, region_id: UUID, command: RegionChange) -> None:
    if command.countries is None:
        return
    listed = list(dict.fromkeys(command.countries))
    taken = {row.country: row for row in await tx.records(_TAKEN, region_id=region_id, countries=listed)}
    if taken and not command.moves_countries:
        raise ExceptionGroup("refused", list(_refusals(command.countries, taken)))
    await tx.run(_FREE_OTHERS, region_id=region_id, countries=listed)
    await tx.run(_TAKE, region_id=region_id, countries=listed)
    await tx.run(_HOME, region_id=region_id, home=listed[0] if listed else None)


def _refusals(countries: Sequence[str], taken: Mapping[str, Any]) -> Generator[CountryTaken]:
    for i, country in enumerate(countries):
        if country in taken:
            owner = taken[country]
            yield CountryTaken(
                f"{country} belongs to {owner.name}; say moveCountries to take it from there.",
                path=("countries", str(i)),
                country=country,
                region_id=owner.id,
                region_name=owner.name,
            )


@contextmanager
def _unique() -> Generator[None]:
    """What the unique indexes say, as refusals."""
    try:
        yield
    except UniqueViolationError as error:
        column = str(getattr(error, "constraint_name", "")).removeprefix("uq_region_")
        raise ValidationFailed("Another region has this.", path=(column,)) from None


def _told(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in FIELDS}


def _subject(region_id: UUID) -> str:
    return f"region:{region_id}"


_BY_ID: Final = Region.id == bindparam("region_id")
_TABLE: Final = Region.__table__
_VALUES: Final = {_TABLE.c[name]: bindparam(name, type_=_TABLE.c[name].type) for name in FIELDS}
# Not `key_share`: whoever refers to the region with its currency waits.
_LOCKED: Final = select(Region).where(_BY_ID).with_for_update()
_CREATE: Final = insert(Region).values({_TABLE.c.id: bindparam("id"), **_VALUES}).returning(Region)
_NEXT: Final = {_TABLE.c.version: _TABLE.c.version + 1, _TABLE.c.updated_at: func.clock_timestamp()}
_CHANGE: Final = update(Region).where(_BY_ID).values({**_VALUES, **_NEXT}).returning(Region)
_ARCHIVE: Final = (
    update(Region).where(_BY_ID).values({_TABLE.c.archived_at: func.clock_timestamp(), **_NEXT}).returning(Region)
)
_NO_DEFAULT: Final = update(Region).where(Region.is_default).values(is_default=False)
_NO_DEFAULT_BUT: Final = update(Region).where(Region.is_default, ~_BY_ID).values(is_default=False)
_COUNTRIES: Final = (
    select(RegionCountry.country)
    .where(RegionCountry.region_id == bindparam("region_id"))
    .order_by(RegionCountry.country)
)
_FREE: Final = text("DELETE FROM region_country WHERE region_id = :region_id")
_USED: Final = text(
    """
    SELECT (SELECT count(*) FROM cart WHERE region_id = :region_id AND status <> 'completed') AS open_carts,
           (SELECT count(*) FROM price WHERE region_id = :region_id) AS prices,
           (SELECT count(*) FROM delivery_option WHERE region_id = :region_id AND archived_at IS NULL)
               AS delivery_options
    """
)
_TAKEN: Final = text(
    """
    SELECT country, region.id, region.name FROM region_country JOIN region ON region.id = region_id
    WHERE country = ANY(CAST(:countries AS text[])) AND region_id <> :region_id ORDER BY country
    """
)
_FREE_OTHERS: Final = text(
    """
    DELETE FROM region_country WHERE (region_id = :region_id) <> (country = ANY(CAST(:countries AS text[])))
    """
)
_TAKE: Final = text(
    """
    INSERT INTO region_country (region_id, country)
    SELECT CAST(:region_id AS uuid), unnest(CAST(:countries AS text[])) ON CONFLICT (country) DO NOTHING
    """
)
# A region that has a home keeps it; otherwise the first country becomes it.
_HOME: Final = text(
    """
    UPDATE region_country SET is_home = true WHERE region_id = :region_id AND country = CAST(:home AS text)
      AND NOT EXISTS (SELECT FROM region_country AS other WHERE other.region_id = :region_id AND other.is_home)
    """
)
