"""What may be done in a shop: permissions, `resource:action`, which roles and keys are made of.

Nobody gives a permission that they do not have themselves, and nobody manages who may do more than they may.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from sqlalchemy import select

from db import Role, Staff, StaffRole
from db.connection import Read, Tx
from db.workflow import ActorKind
from domain.actor import EVERYTHING, Actor
from domain.refusal import ErrorCode, Refusal, ValidationFailed

PERMISSIONS: Final = {
    "api_keys:read": "See API keys, when they were last used and what they may do.",
    "api_keys:write": "Make, rotate and revoke API keys.",
    "audit:read": "Read the audit log.",
    "customers:erase": "Erase the personal data of a customer.",
    "customers:export": "Export all that is known of a customer.",
    "customers:read": "See customers, their addresses and groups.",
    "customers:write": "Change customers and their groups.",
    "orders:read": "See all orders.",
    "orders:write": "Change orders, and end the access that their links give.",
    "roles:write": "Make, change and delete roles.",
    "staff:read": "See staff, their roles and sessions.",
    "staff:write": "Invite and change staff, and end their sessions.",
    "tickets:read": "See all tickets and internal notes.",
    "tickets:write": "Move tickets, and write on all of them.",
}
"""What each one allows. The schema cannot need another, and no role or key can have another but `EVERYTHING`."""


@dataclass(eq=False)
class BeyondOwnPermissions(Refusal):
    """It takes permissions that whoever asks does not have."""

    message: str = "Nobody gives, takes or manages permissions that they do not have themselves."
    missing: list[str] = field(default_factory=list[str])
    code = ErrorCode.BEYOND_OWN_PERMISSIONS


async def permissions(read: Read, staff_id: UUID) -> frozenset[str] | None:
    """What a member of staff may do now, over all roles; null for one who is no longer active."""
    found = await read.records(
        select(Staff.id, Role.permissions)
        .outerjoin(StaffRole, StaffRole.staff_id == Staff.id)
        .outerjoin(Role, Role.id == StaffRole.role_id)
        .where(Staff.id == staff_id, Staff.active)
    )
    return frozenset(p for row in found for p in row.permissions or ()) if found else None


async def as_of_now(tx: Tx, actor: Actor) -> Actor:
    """The actor with what they may do as this transaction sees it, which may be less than when they asked."""
    if actor.kind != ActorKind.STAFF or actor.id is None:
        return actor
    return replace(actor, permissions=await permissions(tx, actor.id) or frozenset())


def check_known(codes: Iterable[str]) -> None:
    """Refuses what is no permission, by its position."""
    for i, code in enumerate(codes):
        if code not in PERMISSIONS and code != EVERYTHING:
            raise ValidationFailed(f"There is no permission {code!r}; `permissions` lists them.", path=(str(i),))


def check_held(actor: Actor, codes: Iterable[str], *path: str) -> None:
    """Refuses unless the actor has every one of them."""
    if missing := sorted({code for code in codes if not actor.may(code)}):
        raise BeyondOwnPermissions(missing=missing, path=path)
