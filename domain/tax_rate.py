"""Rates of tax, made by staff: of a country, a subdivision, or a range of postcodes, for one class of goods."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import bindparam, delete, func, insert, select, update

from db import TaxClass, TaxRate
from db.connection import Tx, new_id
from domain import audit
from domain.actor import Actor
from domain.address import COUNTRIES
from domain.destination import normal_postcode, subdivisions
from domain.refusal import Gathering, NotFound, ValidationFailed
from domain.tax_class import check_usable
from domain.totals import PARTS

LONGEST_NAME: Final = 100
LONGEST_POSTCODE: Final = 12
FIELDS: Final = (
    "country", "tax_class_code", "subdivision", "postcode_from", "postcode_to", "name", "rate", "replaces",
)  # fmt: skip
_CLEARED: Final = frozenset(["tax_class_code", "subdivision", "postcode_from", "postcode_to"])
"""What null means something for: the default class, the whole country, any postcode."""


@dataclass(frozen=True, kw_only=True)
class RateDraft:
    """A rate as it is to be. With one postcode it is of all that begin like it; `rate` is a fraction."""

    country: str
    name: str
    rate: Decimal
    tax_class_code: str | None = None
    subdivision: str | None = None
    postcode_from: str | None = None
    postcode_to: str | None = None
    replaces: bool = False
    row: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        gathering = Gathering()
        row: dict[str, Any] = {name: getattr(self, name) for name in FIELDS}
        with gathering.at("country"):
            if self.country not in COUNTRIES:
                raise ValidationFailed(f"{self.country!r} is not an ISO 3166 country code such as DE.")
        with gathering.at("name"):
            row["name"] = self.name.strip()
            if not 1 <= len(row["name"]) <= LONGEST_NAME or not row["name"].isprintable():
                raise ValidationFailed(f"A name has 1 to {LONGEST_NAME} characters on one line.")
        with gathering.at("rate"):
            if not self.rate.is_finite() or not 0 <= self.rate <= 1 or self.rate * PARTS % 1:
                raise ValidationFailed("A rate is from 0 to 1 with at most six decimal places: 0.21 is 21 %.")
        with gathering.at("subdivision"):
            row["subdivision"] = _subdivision(self.country, self.subdivision)
        with gathering.at():
            row["postcode_from"], row["postcode_to"] = _postcodes(self)
        with gathering.at("replaces"):
            if self.replaces and self.subdivision is None and self.postcode_from is None:
                raise ValidationFailed("There is nothing wider than a country whose place it could take.")
        gathering.raise_if_any()
        object.__setattr__(self, "row", row)


def _subdivision(country: str, given: str | None) -> str | None:
    if given is None:
        return None
    found = subdivisions(country, given)
    if not found:
        raise ValidationFailed("This is no subdivision of the country; write one as ISO 3166-2 does, such as US-CA.")
    return found[0]


def _postcodes(draft: RateDraft) -> tuple[str | None, str | None]:
    if draft.postcode_from is None:
        if draft.postcode_to is not None:
            raise ValidationFailed("Say from which postcode on, too.", path=("postcode_from",))
        return None, None
    first = _postcode(draft.country, draft.postcode_from, "postcode_from")
    last = first if draft.postcode_to is None else _postcode(draft.country, draft.postcode_to, "postcode_to")
    if len(first) != len(last) or first > last:
        raise ValidationFailed("It is as long as the first one, and not before it.", path=("postcode_to",))
    return first, last


def _postcode(country: str, given: str, path: str) -> str:
    normal = normal_postcode(country, given)
    if not 1 <= len(normal) <= LONGEST_POSTCODE or not normal.isascii():
        raise ValidationFailed(f"A postcode has 1 to {LONGEST_POSTCODE} letters and digits.", path=(path,))
    return normal


@dataclass(frozen=True)
class UpdateRate:
    """What `given` does not name stays as it is."""

    id: UUID
    given: Mapping[str, Any]

    def __post_init__(self) -> None:
        gathering = Gathering()
        for name in FIELDS:
            with gathering.at(name):
                if name in self.given and self.given[name] is None and name not in _CLEARED:
                    raise ValidationFailed("This cannot be empty: leave it out, or say what it is to be.")
        gathering.raise_if_any()


async def create(tx: Tx, draft: RateDraft, actor: Actor) -> TaxRate:
    row = await _classed(tx, draft)
    try:
        made = await tx.one(_CREATE, id=new_id(), **row)
    except UniqueViolationError:
        raise _taken() from None
    await audit.record(tx, actor, "taxRateCreate", _subject(made.id), audit.changed({}, _told(row)))
    return made


async def change(tx: Tx, command: UpdateRate, actor: Actor) -> TaxRate:
    """Carts are taxed anew; orders keep what was agreed."""
    before = await _locked(tx, command.id)
    was = {name: getattr(before, name) for name in FIELDS}
    changes = {name: value for name, value in command.given.items() if name in FIELDS}
    if "postcode_from" in changes:  # of one that was a prefix another prefix is made
        changes.setdefault("postcode_to", None if was["postcode_to"] == was["postcode_from"] else was["postcode_to"])
    row = await _classed(tx, RateDraft(**(was | changes)), was["tax_class_code"])
    difference = audit.changed(_told(was), _told(row))
    if not difference:
        return before
    try:
        after = await tx.one(_UPDATE, rate_id=before.id, **{f"new_{name}": value for name, value in row.items()})
    except UniqueViolationError:
        raise _taken() from None
    await audit.record(tx, actor, "taxRateUpdate", _subject(before.id), difference)
    return after


async def remove(tx: Tx, rate_id: UUID, actor: Actor) -> TaxRate:
    before = await _locked(tx, rate_id)
    await tx.run(_REMOVE, rate_id=rate_id)
    was = _told({name: getattr(before, name) for name in FIELDS})
    await audit.record(tx, actor, "taxRateRemove", _subject(rate_id), audit.changed(was, {}))
    return before


async def _classed(tx: Tx, draft: RateDraft, was: str | None = None) -> dict[str, Any]:
    """With the class that is meant; one that it has already may be archived."""
    code = draft.tax_class_code
    if code is None:
        code = await tx.one_scalar(_DEFAULT)
    elif code != was:
        await check_usable(tx, code, "tax_class_code")
    return {**draft.row, "tax_class_code": code}


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A rate as text with all its places, as JSON has no decimals."""
    return {**row, "rate": str(row["rate"].quantize(Decimal(1) / PARTS))}


async def _locked(tx: Tx, rate_id: UUID) -> TaxRate:
    found = await tx.first(_LOCKED, rate_id=rate_id)
    if found is None:
        raise NotFound(path=("id",))
    return found


def _taken() -> ValidationFailed:
    return ValidationFailed("There is a rate with this name for the same place and class.", path=("name",))


def _subject(rate_id: UUID) -> str:
    return f"tax_rate:{rate_id}"


_BY_ID: Final = TaxRate.id == bindparam("rate_id")
_DEFAULT: Final = select(TaxClass.code).where(TaxClass.is_default)
_LOCKED: Final = select(TaxRate).where(_BY_ID).with_for_update()
_CREATE: Final = insert(TaxRate).values({name: bindparam(name) for name in ("id", *FIELDS)}).returning(TaxRate)
_UPDATE: Final = (
    update(TaxRate)
    .where(_BY_ID)
    .values({name: bindparam(f"new_{name}") for name in FIELDS})
    .values(updated_at=func.clock_timestamp())
    .returning(TaxRate)
)
_REMOVE: Final = delete(TaxRate).where(_BY_ID)
