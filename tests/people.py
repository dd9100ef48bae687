"""What the tests of staff share: people with ids, what was mailed to them, and what the audit log says."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from db import Role, Staff, StaffRole
from db.connection import new_id
from db.session import Purpose
from db.workflow import ActorKind
from domain.processes.shop import Shop
from resolvers import ids
from server.tokens import SignedTokens
from tests import given
from tests.api import SECRET, Api

ROOT = "root@shop.example"
NEW_PASSWORD = "another correct horse"
AUDIT = text("SELECT * FROM audit_entry ORDER BY id")
GOOD_TOKENS = text(
    """
    SELECT token.id FROM single_use_token AS token JOIN staff ON staff.id = token.subject_id
    WHERE token.purpose = :purpose AND staff.email = :email AND token.used_at IS NULL
    """
)


@dataclass(frozen=True)
class Member:
    """Somebody who works in the shop and is signed in."""

    key: UUID
    email: str
    api: Api

    @property
    def id(self) -> str:
        return ids.encode("Staff", self.key)


async def member(shop: Shop, api: Api, *permissions: str, email: str = ROOT) -> Member:
    key = await given.staff(shop, *permissions, email=email)
    return Member(key, email, api.signed_in(await given.access_token(shop, ActorKind.STAFF, key)))


async def role(shop: Shop, name: str, *permissions: str) -> str:
    role_id = new_id()
    async with shop.tx() as tx:
        await tx.insert(Role, [{"id": role_id, "name": name, "permissions": list(permissions)}])
    return ids.encode("Role", role_id)


async def mailed(shop: Shop, purpose: Purpose, email: str) -> list[str]:
    """The tokens for this member that are good now, as their mails hold them."""
    rows = await shop.read.records(GOOD_TOKENS, purpose=purpose, email=email)
    return [SignedTokens(SECRET).single_use_token(purpose, row.id) for row in rows]


async def stored(shop: Shop) -> list[dict[str, Any]]:
    """Everything that is known of staff and of what they may do."""
    statements = (
        select(Staff.__table__).order_by(Staff.id),
        select(Role.__table__).order_by(Role.id),
        select(StaffRole.__table__).order_by(StaffRole.staff_id, StaffRole.role_id),
        AUDIT,
        text("SELECT id, ended_at FROM session ORDER BY id"),
        text("SELECT id, used_at FROM single_use_token ORDER BY id"),
        text("SELECT * FROM recovery_code ORDER BY hash"),
    )
    return [dict(row) for statement in statements for row in await shop.read.records(statement)]


async def refused(shop: Shop, api: Api, mutation: str, given_: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Type and path of what a mutation is refused with; nothing of any staff may have changed."""
    before = await stored(shop)
    payload = await api.do(mutation, given_, "__typename")
    assert await stored(shop) == before
    return [(error["__typename"], error["path"]) for error in payload["userErrors"]]


async def audited(shop: Shop) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, subject and difference of all that was done by clients, oldest first."""
    rows = await shop.read.records(AUDIT)
    return [(row.action, row.subject, row.difference) for row in rows if row.action != "staff create"]
