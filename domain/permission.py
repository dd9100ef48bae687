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
    "categories:write": "Change the tree of categories, and what stands in it.",
    "channels:read": "See all sales channels, and what is published in them when.",
    "channels:write": "Make, change and archive sales channels.",
    "collections:publish": "Publish collections in sales channels, and take them out.",
    "collections:write": "See all collections, and change them, their rules and their products.",
    "customers:erase": "Erase the personal data of a customer.",
    "customers:export": "Export all that is known of a customer.",
    "customers:read": "See customers, their addresses and groups.",
    "customers:write": "Change customers and their groups.",
    "orders:fulfil": "Book what was sent and what has arrived.",
    "gift_cards:read": "See gift cards, what is on them and every change of it.",
    "gift_cards:write": "Make, change and disable gift cards.",
    "notifications:read": "See what people were told by themselves, and what of it failed.",
    "notifications:write": "Have notifications that failed tried again.",
    "delivery:read": "See the ways of delivery of all regions.",
    "delivery:write": "Make, change and archive ways of delivery.",
    "orders:read": "See all orders.",
    "orders:refund": "Send money of orders back.",
    "orders:write": "Change orders, and end the access that their links give.",
    "payments:read": "See attempts to pay, and what about payments wants a look.",
    "payments:write": "Capture promised money or give it up, and book what has arrived.",
    "products:read": "See products that are not for sale, and what only staff see of those that are.",
    "prices:read": "See price lists, every price as it is written down, and why a price is what it is.",
    "prices:write": "Make and change price lists and prices.",
    "products:publish": "Publish products in sales channels, and take them out.",
    "products:write": "Change products and their media.",
    "regions:write": "Make, change and archive regions.",
    "roles:write": "Make, change and delete roles.",
    "staff:read": "See staff, their roles and sessions.",
    "staff:write": "Invite and change staff, and end their sessions.",
    "stock:read": "See what lies where, what is promised of it, and every movement.",
    "stock:write": "Count, adjust and move stock, and say what variants are made of.",
    "store_credit:read": "See the store credit of customers, and every change of it.",
    "store_credit:write": "Give customers store credit, and take it away.",
    "tax:read": "See tax classes and rates, and try them out.",
    "tax:write": "Change tax classes and rates, and who counts taxes where.",
    "tickets:read": "See all tickets and internal notes.",
    "tickets:write": "Move tickets, write on all of them, and do all else that is done to them.",
    "workflows:write": "Make and change workflows of tickets.",
}
"""What each one allows. The schema cannot need another, and no role or key can have another but `EVERYTHING`."""


@dataclass(eq=False)
class BeyondOwnPermissions(Refusal):
    """It takes permissions that whoever asks does not have."""

    message: str = "Nobody gives, takes or manages permissions that they do not have themselves."
    missing: list[str] = field(default_factory=list[str])
    code = ErrorCode.BEYOND_OWN_PERMISSIONS


async def permissions(read: Read, staff_id: UUID, *, factor_demanded: bool = False) -> frozenset[str] | None:
    """What a member of staff may do now, over all roles; null for one who is no longer active."""
    found = await read.records(
        select(Staff.totp_confirmed_at, Role.permissions)
        .outerjoin(StaffRole, StaffRole.staff_id == Staff.id)
        .outerjoin(Role, Role.id == StaffRole.role_id)
        .where(Staff.id == staff_id, Staff.active)
    )
    if found and factor_demanded and found[0].totp_confirmed_at is None:
        return frozenset()
    return frozenset(p for row in found for p in row.permissions or ()) if found else None


async def as_of_now(tx: Tx, actor: Actor) -> Actor:
    """The actor with what they may do as this transaction sees it, which may be less than when they asked."""
    if actor.kind != ActorKind.STAFF or actor.id is None:
        return actor
    now = await permissions(tx, actor.id, factor_demanded=actor.factor_demanded)
    return replace(actor, permissions=now or frozenset())


def check_known(codes: Iterable[str]) -> None:
    """Refuses what is no permission, by its position."""
    for i, code in enumerate(codes):
        if code not in PERMISSIONS and code != EVERYTHING:
            raise ValidationFailed(f"There is no permission {code!r}; `permissions` lists them.", path=(str(i),))


def check_held(actor: Actor, codes: Iterable[str], *path: str) -> None:
    """Refuses unless the actor has every one of them."""
    if missing := sorted({code for code in codes if not actor.may(code)}):
        raise BeyondOwnPermissions(missing=missing, path=path)
