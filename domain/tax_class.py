"""Tax classes, made by staff: kinds of goods that are taxed alike. One is the default; every change is in the audit."""

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update

from db import TaxClass
from db.connection import Read, Tx, new_id
from domain import audit
from domain.actor import Actor
from domain.refusal import Gathering, NotFound, ValidationFailed

LONGEST: Final = 100
CODE: Final = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")


@dataclass(frozen=True)
class CreateTaxClass:
    code: str
    name: str
    is_default: bool = False

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("code"):
            if not CODE.fullmatch(self.code) or len(self.code) > LONGEST:
                raise ValidationFailed("Write a code of small letters, digits and hyphens, such as reduced-rate.")
        with gathering.at("name"):
            _check_name(self.name)
        gathering.raise_if_any()


@dataclass(frozen=True)
class UpdateTaxClass:
    """Null leaves a thing as it is. A class stops being the default when another one becomes it."""

    id: UUID
    name: str | None = None
    is_default: bool | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("name"):
            if self.name is not None:
                _check_name(self.name)
        with gathering.at("is_default"):
            if self.is_default is False:
                raise ValidationFailed("Make another class the default one; there is always one.")
        gathering.raise_if_any()


def _check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= LONGEST or not name.isprintable():
        raise ValidationFailed(f"A name has 1 to {LONGEST} characters on one line.")


async def check_usable(read: Read, code: str | None, *path: str) -> None:
    """Refuses what nobody can be given anew: a class that is archived, or that is none. Null is the default one."""
    if code is not None and await read.scalar(_USABLE, code=code) is None:
        raise ValidationFailed("There is no tax class with this code, or it is archived.", path=path)


async def create(tx: Tx, command: CreateTaxClass, actor: Actor) -> TaxClass:
    await tx.records(_ONE_WRITER)
    if await tx.scalar(_BY_CODE, code=command.code):
        raise ValidationFailed("There is a tax class with this code.", path=("code",))
    if command.is_default:
        await tx.run(_NO_DEFAULT)
    row = {"code": command.code, "name": command.name.strip(), "is_default": command.is_default}
    made = await tx.one(_CREATE, id=new_id(), **row)
    await audit.record(tx, actor, "taxClassCreate", _subject(made.id), audit.changed({}, row))
    return made


async def change(tx: Tx, command: UpdateTaxClass, actor: Actor) -> TaxClass:
    """As the default class changes, so does the tax of everything that names none. Orders keep what was agreed."""
    await tx.records(_ONE_WRITER)
    before = await _locked(tx, command.id)
    if command.is_default and before.archived_at is not None:
        raise ValidationFailed("An archived class cannot be the default one.", path=("is_default",))
    if command.is_default:
        await tx.run(_NO_DEFAULT)
    name = before.name if command.name is None else command.name.strip()
    after = await tx.one(
        _CHANGE, tax_class_id=before.id, name=name, is_default=before.is_default or bool(command.is_default)
    )
    if difference := audit.changed(_told(before), _told(after)):
        await audit.record(tx, actor, "taxClassUpdate", _subject(before.id), difference)
    return after


async def archive(tx: Tx, tax_class_id: UUID, actor: Actor) -> TaxClass:
    """Nobody can choose it any more. What has it keeps it, and is taxed as before. Again changes nothing."""
    await tx.records(_ONE_WRITER)
    before = await _locked(tx, tax_class_id)
    if before.is_default:
        raise ValidationFailed("The default class stays: make another one the default first.", path=("id",))
    if before.archived_at is not None:
        return before
    after = await tx.one(_ARCHIVE, tax_class_id=tax_class_id)
    difference = audit.changed({}, {"archived_at": after.archived_at})
    await audit.record(tx, actor, "taxClassArchive", _subject(tax_class_id), difference)
    return after


def _told(row: Any) -> dict[str, Any]:
    return {"name": row.name, "is_default": row.is_default}


def _subject(tax_class_id: UUID) -> str:
    return f"tax_class:{tax_class_id}"


async def _locked(tx: Tx, tax_class_id: UUID) -> TaxClass:
    found = await tx.first(_LOCKED, tax_class_id=tax_class_id)
    if found is None:
        raise NotFound(path=("id",))
    return found


# One at a time, so that two who make different classes the default one do not meet crosswise.
_ONE_WRITER: Final = select(func.pg_advisory_xact_lock(func.hashtext("counterfoil.tax_classes")))
_BY_ID: Final = TaxClass.id == bindparam("tax_class_id")
_BY_CODE: Final = select(TaxClass.id).where(TaxClass.code == bindparam("code"))
_USABLE: Final = _BY_CODE.where(TaxClass.archived_at.is_(None))
_LOCKED: Final = select(TaxClass).where(_BY_ID).with_for_update(key_share=True)
_CREATE: Final = (
    insert(TaxClass)
    .values({name: bindparam(name) for name in ("id", "code", "name", "is_default")})
    .returning(TaxClass)
)
_NO_DEFAULT: Final = update(TaxClass).where(TaxClass.is_default).values(is_default=False)
_CHANGE: Final = (
    update(TaxClass)
    .where(_BY_ID)
    .values(name=bindparam("name"), is_default=bindparam("is_default"))
    .returning(TaxClass)
)
_ARCHIVE: Final = update(TaxClass).where(_BY_ID).values(archived_at=func.clock_timestamp()).returning(TaxClass)
