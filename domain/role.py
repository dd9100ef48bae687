"""Roles: named sets of permissions that staff are given. Who may do what is changed by one at a time."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import any_, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from db import Role, Staff, StaffRole
from db.connection import Tx, new_id
from domain import audit
from domain.actor import EVERYTHING, Actor
from domain.permission import as_of_now, check_held, check_known
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed, under

ADMINISTRATOR: Final = "Administrator"
LONGEST_NAME: Final = 100
_ONE_AT_A_TIME: Final = text("LOCK TABLE staff_role IN SHARE ROW EXCLUSIVE MODE")


@dataclass(eq=False)
class RoleInUse(Refusal):
    """A role is deleted when nobody has it any more."""

    message: str = "Somebody has this role; give them another one first."
    staff_count: int = 0
    code = ErrorCode.ROLE_IN_USE


@dataclass(eq=False)
class LastAdministrator(Refusal):
    """Without anybody who may do everything nobody could give permissions any more."""

    message: str = "Nobody would be left who may do everything."
    code = ErrorCode.LAST_ADMINISTRATOR


@dataclass(frozen=True)
class RoleDraft:
    """A role as it is to be; null leaves what there is."""

    name: str | None
    permissions: tuple[str, ...] | None

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("name"):
            if self.name is not None:
                check_name(self.name)
        with gathering.at("permissions"):
            check_known(self.permissions or ())
        gathering.raise_if_any()

    @property
    def columns(self) -> dict[str, Any]:
        name = None if self.name is None else self.name.strip()
        permissions = None if self.permissions is None else sorted(set(self.permissions))
        return {k: v for k, v in {"name": name, "permissions": permissions}.items() if v is not None}


def check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise ValidationFailed(f"A name has 1 to {LONGEST_NAME} characters on one line.")


@asynccontextmanager
async def rearranging(tx: Tx, actor: Actor) -> AsyncGenerator[Actor]:
    """Who may do what changes inside, by the actor with what they may do now; an administrator must be left after it.

    Two at once queue up here, so the second sees what the first has done.
    """
    await tx.run(_ONE_AT_A_TIME)
    had = await _administrators(tx)
    yield await as_of_now(tx, actor)
    if had and not await _administrators(tx):
        raise LastAdministrator


async def _administrators(tx: Tx) -> int:
    """How many can sign in and may do everything."""
    count = await tx.scalar(
        select(func.count(func.distinct(Staff.id)))
        .join(StaffRole, StaffRole.staff_id == Staff.id)
        .join(Role, Role.id == StaffRole.role_id)
        .where(Staff.active, Staff.password_hash.is_not(None), any_(Role.permissions) == EVERYTHING)
    )
    return count or 0


async def install_administrator(tx: Tx) -> None:
    """The role that a shop begins with: it may do everything."""
    role = insert(Role).values(id=new_id(), name=ADMINISTRATOR, permissions=[EVERYTHING])
    await tx.run(role.on_conflict_do_nothing(index_elements=["name"]))


async def create(tx: Tx, draft: RoleDraft, actor: Actor) -> UUID:
    async with rearranging(tx, actor) as now:
        check_held(now, draft.permissions or (), "permissions")
        await _check_free(tx, draft.name, None)
        role_id = new_id()
        columns: dict[str, Any] = {"permissions": [], **draft.columns}
        await tx.insert(Role, [{"id": role_id, **columns}])
        await audit.record(tx, now, "roleCreate", f"role:{role_id}", audit.changed({}, columns))
    return role_id


async def change(tx: Tx, role_id: UUID, draft: RoleDraft, actor: Actor) -> None:
    """Counts for everybody who has the role from their next request on."""
    async with rearranging(tx, actor) as now:
        before = await _find(tx, role_id)
        check_held(now, before.permissions, "role_id")
        check_held(now, draft.permissions or (), "permissions")
        await _check_free(tx, draft.name, role_id)
        if draft.columns:
            await tx.run(update(Role).where(Role.id == role_id).values(draft.columns))
        difference = audit.changed({name: before[name] for name in draft.columns}, draft.columns)
        await audit.record(tx, now, "roleUpdate", f"role:{role_id}", difference)


async def remove(tx: Tx, role_id: UUID, actor: Actor) -> None:
    async with rearranging(tx, actor) as now:
        before = await _find(tx, role_id)
        check_held(now, before.permissions, "role_id")
        used = await tx.one_scalar(select(func.count()).where(StaffRole.role_id == role_id))
        if used:
            raise RoleInUse(staff_count=used, path=("role_id",))
        await tx.run(delete(Role).where(Role.id == role_id))
        was = {"name": before.name, "permissions": before.permissions}
        await audit.record(tx, now, "roleDelete", f"role:{role_id}", audit.changed(was, {}))


async def roles_of(tx: Tx, staff_id: UUID) -> list[Any]:
    return await tx.all(
        select(Role)
        .join(StaffRole, StaffRole.role_id == Role.id)
        .where(StaffRole.staff_id == staff_id)
        .order_by(Role.name)
    )


async def give(tx: Tx, staff_id: UUID, role_ids: Sequence[UUID], actor: Actor) -> list[str]:
    """These roles and no others, inside of `rearranging`; answers with their names."""
    found = {role.id: role for role in await tx.all(select(Role).where(Role.id == any_(list(role_ids))))}  # pyright: ignore[reportArgumentType]
    for i, role_id in enumerate(role_ids):
        with under("role_ids", str(i)):
            if role_id not in found:
                raise NotFound("There is no such role.")
            check_held(actor, found[role_id].permissions)
    await tx.run(delete(StaffRole).where(StaffRole.staff_id == staff_id))
    await tx.insert(StaffRole, ({"staff_id": staff_id, "role_id": role_id} for role_id in found))
    return sorted(role.name for role in found.values())


async def _find(tx: Tx, role_id: UUID) -> Any:
    found = await tx.first(select(Role).where(Role.id == role_id))
    if found is None:
        raise NotFound("There is no such role.", path=("role_id",))
    return found


async def _check_free(tx: Tx, name: str | None, but: UUID | None) -> None:
    if name is None:
        return
    taken = select(Role.id).where(Role.name == name.strip(), Role.id.is_distinct_from(but))
    if await tx.scalar(taken):
        raise ValidationFailed("There is a role with this name.", path=("name",))
