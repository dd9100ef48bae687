"""Where stock lies: warehouses, shops, a van. One that is archived is empty and stays so (a trigger)."""

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from db import StockLocation
from db.connection import Tx, new_id
from domain import audit
from domain.actor import Actor
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed

LONGEST_NAME: Final = 100
LAST_PRIORITY: Final = 1_000
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")


@dataclass(eq=False)
class StockLocationNotEmpty(Refusal):
    """Something lies there, is promised, or may be owed: `levels` counts the items."""

    levels: int = 0
    code = ErrorCode.STOCK_LOCATION_NOT_EMPTY


@dataclass(frozen=True)
class LocationChange:
    """Of a new location all is given; of one that is there None leaves a part as it is."""

    code: str | None = None
    name: str | None = None
    priority: int | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("code"):
            if self.code is not None and not _CODE.fullmatch(self.code):
                raise ValidationFailed("A code has 1 to 50 letters, digits, dots, dashes and underscores.")
        with gathering.at("name"):
            if self.name is not None:
                _check_name(self.name)
        with gathering.at("priority"):
            if self.priority is not None and not 1 <= self.priority <= LAST_PRIORITY:
                raise ValidationFailed(f"A priority is 1 to {LAST_PRIORITY:,}; 1 is taken from first.")
        gathering.raise_if_any()

    @property
    def values(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}


def _check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise ValidationFailed(f"A name has 1 to {LONGEST_NAME} characters on one line.")


async def create(tx: Tx, change: LocationChange, actor: Actor) -> UUID:
    statement = insert(StockLocation).values(id=new_id(), **change.values)
    made = await tx.scalar(statement.on_conflict_do_nothing(index_elements=["code"]).returning(StockLocation.id))
    if made is None:
        raise _taken()
    await audit.record(tx, actor, "stockLocationCreate", _subject(made), audit.changed({}, change.values))
    return made


async def change(tx: Tx, location_id: UUID, to: LocationChange, actor: Actor) -> None:
    before = await _lock(tx, location_id)
    if to.values:
        try:
            await tx.run(update(StockLocation).where(StockLocation.id == location_id).values(**to.values))
        except UniqueViolationError:
            raise _taken() from None
    difference = audit.changed({name: getattr(before, name) for name in to.values}, to.values)
    await audit.record(tx, actor, "stockLocationUpdate", _subject(location_id), difference)


async def archive(tx: Tx, location_id: UUID, actor: Actor) -> None:
    """Only an empty one; doing it again changes nothing.

    Whoever raises what lies or may be owed there has a share of the location's lock: they are waited for, and then
    seen; those who come later see that it is archived.
    """
    before = await _lock(tx, location_id)
    if before.archived_at is not None:
        return
    now = func.clock_timestamp()
    archived = update(StockLocation).where(StockLocation.id == location_id).values(archived_at=now)
    at = await tx.one_scalar(archived.returning(StockLocation.archived_at))
    (row,) = await tx.records(_IN_USE, location=location_id)
    if row.levels:
        raise StockLocationNotEmpty(
            "Move or count away what lies there, and ship or cancel what is promised, first.",
            path=("stock_location_id",),
            levels=row.levels,
        )
    await audit.record(tx, actor, "stockLocationArchive", _subject(location_id), audit.changed({}, {"archived_at": at}))


_IN_USE: Final = text(
    """
    SELECT count(*) AS levels FROM stock_level
    WHERE location_id = :location AND (on_hand > 0 OR reserved > 0 OR allocated > 0 OR backorder_limit > 0)
    """
)


async def _lock(tx: Tx, location_id: UUID) -> StockLocation:
    locked = select(StockLocation).where(StockLocation.id == location_id).with_for_update(key_share=True)
    found = await tx.first(locked)
    if found is None:
        raise NotFound(path=("stock_location_id",))
    return found


def _taken() -> ValidationFailed:
    return ValidationFailed("There is a location with this code.", path=("code",))


def _subject(location_id: UUID) -> str:
    return f"stock_location:{location_id}"
