"""Price lists, made by staff: sales and prices of customer groups, each with a window; every change stands in the audit
log. A list is never deleted, as orders and the history of prices tell of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db import CustomerGroup, PriceList, PriceListGroup
from db.connection import Tx, new_id
from db.price import PriceListKind, PriceListStatus
from domain import audit
from domain.actor import Actor
from domain.address import check_line
from domain.refusal import Gathering, NotFound, ValidationFailed, VersionConflict

LONGEST: Final = 255
MOST_GROUPS: Final = 100
FIELDS: Final = ("name", "status", "priority", "starts_at", "ends_at", "external_id")
"""What of a list can be changed; it stays a sale or an override."""
_MAY_BE_NULL: Final = frozenset({"starts_at", "ends_at", "external_id"})
_NEW: Final[Mapping[str, Any]] = {
    "status": PriceListStatus.DRAFT, "priority": 1, "starts_at": None, "ends_at": None, "external_id": None,
}  # fmt: skip


@dataclass(frozen=True)
class CreatePriceList:
    """`given` are columns by name; what is not among them is as in `_NEW`. Groups null: it is for everybody."""

    kind: PriceListKind
    given: Mapping[str, Any]
    groups: tuple[UUID, ...] | None = None

    def __post_init__(self) -> None:
        check(self.given)

    @property
    def row(self) -> dict[str, Any]:
        return {**_NEW, **self.given, "kind": str(self.kind)}


@dataclass(frozen=True)
class UpdatePriceList:
    """`given` are columns by name, null being given too; the others stay."""

    id: UUID
    given: Mapping[str, Any]
    if_version: int | None = None

    def __post_init__(self) -> None:
        check(self.given)


def check(given: Mapping[str, Any]) -> None:
    """Refuses all that no list can have, each by its path."""
    gathering = Gathering()
    for name, value in given.items():
        with gathering.at(name):
            if value is None:
                if name not in _MAY_BE_NULL:
                    raise ValidationFailed("This cannot be null: leave it out to keep it.")
            elif name in {"name", "external_id"}:
                check_line(value)
                if not 1 <= len(value.strip()) <= LONGEST:
                    raise ValidationFailed(f"This has 1 to {LONGEST} characters.")
            elif name == "priority" and not 1 <= value < 2**31:
                raise ValidationFailed("A priority is 1 or more; 1 comes first.")
            elif name == "status" and value == PriceListStatus.ARCHIVED:
                raise ValidationFailed("priceListArchive archives a list.")
    gathering.raise_if_any()


async def create(tx: Tx, command: CreatePriceList, actor: Actor) -> PriceList:
    _check_window(command.row)
    await _check_free(tx, command.row["external_id"])
    groups = await _held(tx, command.groups or ())
    made = await tx.one(_CREATE, id=new_id(), for_groups=command.groups is not None, **command.row)
    await tx.insert(PriceListGroup, [{"price_list_id": made.id, "group_id": group} for group in groups])
    difference = audit.changed({}, {**_told(made), "kind": made.kind, "groups": _texts(groups)})
    await audit.record(tx, actor, "priceListCreate", _subject(made.id), difference)
    return made


async def change(tx: Tx, command: UpdatePriceList, actor: Actor) -> PriceList:
    """As it was already changes nothing. An archived list stays as it is."""
    before = await lock(tx, command.id, command.if_version)
    row = {name: getattr(before, name) for name in FIELDS} | dict(command.given)
    _check_window(row)
    if row["external_id"] != before.external_id:
        await _check_free(tx, row["external_id"])
    if not audit.changed(_told(before), row):
        return before
    after = await tx.one(_CHANGE, list_id=before.id, for_groups=before.for_groups, **row)
    difference = audit.changed(_told(before), _told(after))
    await audit.record(tx, actor, "priceListUpdate", _subject(before.id), difference)
    return after


async def archive(tx: Tx, list_id: UUID, if_version: int | None, actor: Actor) -> PriceList:
    """Its prices count no more. Again changes nothing."""
    before = await _locked(tx, list_id, if_version)
    if before.status == PriceListStatus.ARCHIVED:
        return before
    row = {name: getattr(before, name) for name in FIELDS} | {"status": PriceListStatus.ARCHIVED}
    after = await tx.one(_CHANGE, list_id=list_id, for_groups=before.for_groups, **row)
    difference = audit.changed({"status": before.status}, {"status": after.status})
    await audit.record(tx, actor, "priceListArchive", _subject(list_id), difference)
    return after


async def set_groups(
    tx: Tx, list_id: UUID, groups: Sequence[UUID] | None, if_version: int | None, actor: Actor
) -> PriceList:
    """For whom it counts, in place of whom it counted for; null: for everybody."""
    before = await lock(tx, list_id, if_version)
    wanted = await _held(tx, groups or ())
    former = await tx.scalars(_GROUPS, list_id=list_id)
    told = {"for_groups": before.for_groups, "groups": _texts(former)}
    now = {"for_groups": groups is not None, "groups": _texts(wanted)}
    if told == now:
        return before
    await tx.run(_NO_GROUPS, list_id=list_id)
    await tx.insert(PriceListGroup, [{"price_list_id": list_id, "group_id": group} for group in wanted])
    row = {name: getattr(before, name) for name in FIELDS}
    after = await tx.one(_CHANGE, list_id=list_id, **{**row, "for_groups": groups is not None})
    await audit.record(tx, actor, "priceListSetGroups", _subject(list_id), audit.changed(told, now))
    return after


async def lock(tx: Tx, list_id: UUID, if_version: int | None) -> PriceList:
    """The list, locked; refuses an archived one, and one that is at another version."""
    found = await _locked(tx, list_id, if_version)
    if found.status == PriceListStatus.ARCHIVED:
        raise ValidationFailed("An archived price list stays as it is.", path=("id",))
    return found


async def _locked(tx: Tx, list_id: UUID, if_version: int | None) -> PriceList:
    found = await tx.first(_LOCK, list_id=list_id)
    if found is None:
        raise NotFound(path=("id",))
    if if_version is not None and if_version != found.version:
        message = "The price list has changed since it was read."
        raise VersionConflict(message, path=("if_version",), current_version=found.version)
    return found


def _check_window(row: Mapping[str, Any]) -> None:
    if row["starts_at"] and row["ends_at"] and row["starts_at"] >= row["ends_at"]:
        raise ValidationFailed("The window ends before it begins.", path=("ends_at",))


async def _check_free(tx: Tx, external_id: str | None) -> None:
    """Whoever gives the same external id at the same time waits, and is refused then."""
    if external_id is None:
        return
    await tx.run(_ONE_OF_A_NAME, name=external_id)
    if await tx.scalar(_EXTERNAL, external_id=external_id):
        raise ValidationFailed("There is a price list with this external id.", path=("external_id",))


async def _held(tx: Tx, groups: Sequence[UUID]) -> list[UUID]:
    """The groups, each once, which stay there until the commit; refuses, by its position, what is no group."""
    if len(groups) > MOST_GROUPS:
        raise ValidationFailed(f"At most {MOST_GROUPS} groups, please.", path=("customer_group_ids",))
    there = set(await tx.scalars(_HELD, groups=list(groups)))
    gathering = Gathering()
    for i, group in enumerate(groups):
        with gathering.at("customer_group_ids", str(i)):
            if group not in there:
                raise NotFound
    gathering.raise_if_any()
    return sorted(there)


def _told(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


def _texts(groups: Sequence[UUID]) -> list[str]:
    return sorted(str(group) for group in groups)


def _subject(list_id: UUID) -> str:
    return f"price_list:{list_id}"


_BY_ID: Final = PriceList.id == bindparam("list_id")
_LOCK: Final = select(PriceList).where(_BY_ID).with_for_update(key_share=True)
_EXTERNAL: Final = select(PriceList.id).where(PriceList.external_id == bindparam("external_id"))
_ONE_OF_A_NAME: Final = text("SELECT pg_advisory_xact_lock(hashtext('counterfoil.price_list'), hashtext(:name))")
_CREATE: Final = (
    insert(PriceList)
    .values({name: bindparam(name) for name in ("id", "kind", "for_groups", *FIELDS)})
    .returning(PriceList)
)
_CHANGE: Final = (
    update(PriceList)
    .where(_BY_ID)
    .values({name: bindparam(name) for name in ("for_groups", *FIELDS)})
    .values(version=PriceList.version + 1, updated_at=func.clock_timestamp())
    .returning(PriceList)
)
_OF_LIST: Final = PriceListGroup.price_list_id == bindparam("list_id")
_GROUPS: Final = select(PriceListGroup.group_id).where(_OF_LIST)
_NO_GROUPS: Final = delete(PriceListGroup).where(_OF_LIST)
_HELD: Final = (
    select(CustomerGroup.id)
    .where(CustomerGroup.id == any_(bindparam("groups", type_=ARRAY(Uuid))))
    .order_by(CustomerGroup.id)
    .with_for_update(key_share=True, read=True)
)
