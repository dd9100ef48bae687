"""Customers and staff: who they are when they sign in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import any_, select
from sqlalchemy.dialects.postgresql import insert

from db import Customer, Role, Staff, StaffRole
from db.connection import Read, Tx, new_id
from domain.actor import EVERYTHING
from domain.address import normalised_email
from domain.refusal import ErrorCode, Refusal, ValidationFailed

ADMINISTRATOR: Final = "Administrator"


@dataclass(eq=False)
class InvalidCredentials(Refusal):
    """The address or the password is wrong; which one is never told."""

    message: str = "The e-mail address or the password is wrong."
    code = ErrorCode.INVALID_CREDENTIALS


@dataclass(eq=False)
class EmailTaken(Refusal):
    code = ErrorCode.EMAIL_TAKEN


@dataclass(frozen=True)
class Credentials:
    id: UUID
    password_hash: str | None


def check_password(password: str) -> None:
    if not 12 <= len(password) <= 200:
        raise ValidationFailed("A password has 12 to 200 characters.", path=("password",))


async def customer_credentials(read: Read, email: str) -> Credentials | None:
    found = await read.first(select(Customer).where(Customer.email == normalised_email(email)))
    return Credentials(found.id, found.password_hash) if found else None


async def staff_credentials(read: Read, email: str) -> Credentials | None:
    found = await read.first(select(Staff).where(Staff.email == normalised_email(email), Staff.active))
    return Credentials(found.id, found.password_hash) if found else None


async def permissions(read: Read, staff_id: UUID) -> frozenset[str] | None:
    """What a member of staff may do now, over all roles; null for one who is no longer active."""
    found = await read.records(
        select(Staff.id, Role.permissions)
        .outerjoin(StaffRole, StaffRole.staff_id == Staff.id)
        .outerjoin(Role, Role.id == StaffRole.role_id)
        .where(Staff.id == staff_id, Staff.active)
    )
    return frozenset(p for row in found for p in row.permissions or ()) if found else None


async def install_administrator(tx: Tx) -> None:
    """The role that a shop begins with: it may do everything."""
    role = insert(Role).values(id=new_id(), name=ADMINISTRATOR, permissions=[EVERYTHING])
    await tx.run(role.on_conflict_do_nothing(index_elements=["name"]))


async def create_staff(tx: Tx, email: str, name: str, password_hash: str, roles: Sequence[str]) -> UUID:
    """A member of staff with roles that exist; the e-mail address must be new."""
    normalised = normalised_email(email)
    wanted = await tx.all(select(Role).where(Role.name == any_(list(roles))))  # pyright: ignore[reportArgumentType]
    if unknown := set(roles) - {role.name for role in wanted}:
        known = ", ".join(await tx.scalars(select(Role.name).order_by(Role.name))) or "none"
        raise ValidationFailed(f"There is no role {sorted(unknown)[0]!r}; there are: {known}.", path=("roles",))
    staff_id = new_id()
    inserted = await tx.run(
        insert(Staff)
        .values(id=staff_id, email=normalised, name=name, password_hash=password_hash)
        .on_conflict_do_nothing(index_elements=["email"])
    )
    if not inserted:
        raise EmailTaken("There is a member of staff with this e-mail address.", path=("email",))
    await tx.insert(StaffRole, ({"staff_id": staff_id, "role_id": role.id} for role in wanted))
    return staff_id
