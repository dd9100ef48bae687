"""Staff: invited, signing in, changed; their roles and their second factor."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, true

from db import Role, Staff, StaffRole
from db.session import Purpose
from db.workflow import ActorKind
from domain import role as roles_
from domain import second_factor, session
from domain import staff as staff_
from domain.actor import EVERYTHING
from domain.address import normalised_email
from domain.attempt import Limit
from domain.customer import InvalidCredentials, check_password
from domain.permission import PERMISSIONS
from domain.role import RoleDraft
from domain.second_factor import Given
from domain.single_use import TokenInvalid
from domain.staff import ChangeStaff, Invite, StaffCredentials
from resolvers import ids
from resolvers import password as password_
from resolvers.batches import many, one
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort
from resolvers.session import SIGN_IN, Limits, counted_attempt, signed_in, succeeded

RESET: Final = Limits(
    Limit("password resets of a member of staff", 5, timedelta(hours=1)),
    Limit("password resets of staff from an address", 30, timedelta(hours=1)),
)
PASSWORD_AGAIN: Final = Limits(
    Limit("password of a member of staff who is signed in", 10, timedelta(minutes=15)), SIGN_IN.address
)
CODE: Final = Limits(Limit("code of a member of staff who is signed in", 10, timedelta(minutes=15)), SIGN_IN.address)
"""Counted by itself: a right password begins the count of passwords anew, whatever code is given beside it."""

all_staff = Listed(select(Staff), Sort("staff.id", (Staff.id,)))
staff_by_id = one(select(Staff), Staff.id)
role_by_id = one(select(Role), Role.id)
roles_of_staff = many(
    select(*Role.__table__.c, StaffRole.staff_id).join(StaffRole, StaffRole.role_id == Role.id).order_by(Role.name),
    StaffRole.staff_id,
)


async def me(ctx: Ctx) -> Any:
    return await ctx.load(staff_by_id, ctx.actor.id)


async def staff(ctx: Ctx, args: PageArgs) -> Page:
    return await all_staff.page(ctx, args)


async def roles(ctx: Ctx) -> Sequence[Role]:
    return await ctx.read.all(select(Role).order_by(Role.name))


async def permissions(ctx: Ctx) -> list[dict[str, str]]:
    del ctx
    everything = {"code": EVERYTHING, "meaning": "Everything, also what later versions of the shop bring."}
    return [everything, *({"code": code, "meaning": meaning} for code, meaning in PERMISSIONS.items())]


async def sessions(ctx: Ctx, staff_id: str) -> list[dict[str, Any]]:
    """Those of a member of staff that are alive."""
    rows = await session.alive(ctx.read, ActorKind.STAFF, ids.decode("Staff", staff_id, "staffId"))
    return [{**row, "current": row.id == ctx.actor.session_id} for row in rows]


async def find(ctx: Ctx, staff_id: UUID) -> Staff | None:
    """Oneself, or with `staff:read` anybody."""
    own = ctx.actor.id if ctx.actor.kind == ActorKind.STAFF else None
    visible = true() if ctx.actor.may("staff:read") else Staff.id == own
    return await ctx.read.first(select(Staff).where(Staff.id == staff_id, visible))


async def find_role(ctx: Ctx, role_id: UUID) -> Role | None:
    visible = true() if ctx.actor.may("staff:read") else ~true()
    return await ctx.read.first(select(Role).where(Role.id == role_id, visible))


async def sign_in(ctx: Ctx, given: Any) -> dict[str, Any]:
    """One attempt counts for the password and for the code, so neither can be guessed more often than the other."""
    who = f"staff {normalised_email(given.email)}"
    await counted_attempt(ctx, SIGN_IN, who)
    found = await password_.verified(ctx, await staff_.staff_credentials(ctx.read, given.email), given.password)
    async with ctx.shop.tx() as tx:
        await staff_.admit(tx, ctx.tokens, found, _code(given))
        await succeeded(tx, SIGN_IN, who)
        handed = await signed_in(ctx, ActorKind.STAFF, found.id, tx, given.tokens)
    return {"staff": await ctx.load(staff_by_id, found.id), **handed}


async def invite(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = Invite(given.email, given.name, _role_ids(given.role_ids))
    async with ctx.shop.tx() as tx:
        staff_id = await staff_.invite(tx, command, ctx.actor)
    return {"staff": await ctx.load(staff_by_id, staff_id)}


async def accept_invitation(ctx: Ctx, given: Any) -> dict[str, Any]:
    token_id, hashed = await _new_password(ctx, Purpose.STAFF_INVITATION, given)
    async with ctx.shop.tx() as tx:
        staff_id = await staff_.accept_invitation(tx, token_id, hashed, ctx.actor)
        handed = await signed_in(ctx, ActorKind.STAFF, staff_id, tx, given.tokens)
    return {"staff": await ctx.load(staff_by_id, staff_id), **handed}


async def change(ctx: Ctx, given: Any) -> dict[str, Any]:
    command = ChangeStaff(
        ids.decode("Staff", given.staff_id, "staff_id"),
        given.name,
        None if given.role_ids is None else _role_ids(given.role_ids),
        given.active,
        given.remove_second_factor,
    )
    async with ctx.shop.tx() as tx:
        await staff_.change(tx, command, ctx.actor)
    return {"staff": await ctx.load(staff_by_id, command.staff_id)}


async def request_password_reset(ctx: Ctx, given: Any) -> dict[str, Any]:
    email = normalised_email(given.email)
    await counted_attempt(ctx, RESET, f"staff {email}")
    async with ctx.shop.tx() as tx:
        await staff_.request_password_reset(tx, email)
    return {}


async def reset_password(ctx: Ctx, given: Any) -> dict[str, Any]:
    """Whoever has a second factor needs it to sign in, so this does not sign in."""
    token_id, hashed = await _new_password(ctx, Purpose.STAFF_RESET_PASSWORD, given)
    async with ctx.shop.tx() as tx:
        await staff_.reset_password(tx, token_id, hashed, ctx.actor)
    return {}


async def change_password(ctx: Ctx, given: Any) -> dict[str, Any]:
    check_password(given.password)
    found = await _again(ctx, given.current_password, "current_password")
    hashed = await ctx.passwords.hashed(given.password)
    async with ctx.shop.tx() as tx:
        await staff_.change_password(tx, found, hashed, ctx.actor)
    return {}


async def end_session(ctx: Ctx, given: Any) -> dict[str, Any]:
    session_id = ids.decode("Session", given.session_id, "session_id")
    async with ctx.shop.tx() as tx:
        staff_id = await staff_.end_session(tx, session_id, ctx.actor)
    return {"staff": await ctx.load(staff_by_id, staff_id)}


async def create_role(ctx: Ctx, given: Any) -> dict[str, Any]:
    draft = RoleDraft(given.name, tuple(given.permissions))
    async with ctx.shop.tx() as tx:
        role_id = await roles_.create(tx, draft, ctx.actor)
    return {"role": await ctx.load(role_by_id, role_id)}


async def change_role(ctx: Ctx, given: Any) -> dict[str, Any]:
    role_id = ids.decode("Role", given.role_id, "role_id")
    draft = RoleDraft(given.name, None if given.permissions is None else tuple(given.permissions))
    async with ctx.shop.tx() as tx:
        await roles_.change(tx, role_id, draft, ctx.actor)
    return {"role": await ctx.load(role_by_id, role_id)}


async def delete_role(ctx: Ctx, given: Any) -> dict[str, Any]:
    role_id = ids.decode("Role", given.role_id, "role_id")
    async with ctx.shop.tx() as tx:
        await roles_.remove(tx, role_id, ctx.actor)
    return {"deleted_role_id": given.role_id}


async def begin_totp(ctx: Ctx, given: Any) -> dict[str, Any]:
    found = await _again(ctx, given.password)
    async with ctx.shop.tx() as tx:
        await staff_.lock(tx, found)
        begun = await second_factor.begin(tx, ctx.tokens, found.id)
    return {"secret": begun.secret, "otpauth_uri": begun.uri}


async def confirm_totp(ctx: Ctx, given: Any) -> dict[str, Any]:
    who = f"staff {ctx.actor.id}"
    await counted_attempt(ctx, CODE, who)
    async with ctx.shop.tx() as tx:
        codes = await second_factor.confirm(tx, ctx.tokens, _code(given), ctx.actor)
        await succeeded(tx, CODE, who)
    return {"recovery_codes": codes}


async def remove_totp(ctx: Ctx, given: Any) -> dict[str, Any]:
    found = await _again(ctx, given.password)
    who = f"staff {found.id}"
    await counted_attempt(ctx, CODE, who)
    async with ctx.shop.tx() as tx:
        await staff_.remove_second_factor(tx, ctx.tokens, found, _code(given), ctx.actor)
        await succeeded(tx, CODE, who)
    return {}


def _code(given: Any) -> Given:
    return Given(given.code, datetime.now(UTC))


def _role_ids(public: Sequence[str]) -> tuple[UUID, ...]:
    return tuple(ids.decode("Role", role_id, "role_ids", str(i)) for i, role_id in enumerate(public))


async def _new_password(ctx: Ctx, purpose: Purpose, given: Any) -> tuple[UUID, str]:
    """The token's id and the hash of the password; hashing is work, so it is not done for what is no token of ours."""
    token_id = ctx.tokens.read_single_use_token(purpose, given.token)
    if token_id is None:
        raise TokenInvalid(path=("token",))
    check_password(given.password)
    return token_id, await ctx.passwords.hashed(given.password)


async def _again(ctx: Ctx, password: str, path: str = "password") -> StaffCredentials:
    """Who is signed in, and has given their password again: a device left alone is not enough."""
    if ctx.actor.id is None:
        raise InvalidCredentials(path=(path,))
    known = await staff_.credentials_of(ctx.read, ctx.actor.id)
    return await password_.shown_again(
        ctx, known, password, who=f"staff {ctx.actor.id}", limits=PASSWORD_AGAIN, path=path
    )
