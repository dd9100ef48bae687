"""Signing in."""

from typing import Any

from sqlalchemy import select

from db import Customer, Staff
from db.workflow import ActorKind
from domain.customer import Credentials, InvalidCredentials, customer_credentials, staff_credentials
from resolvers.context import Ctx


async def customer_sign_in(ctx: Ctx, given: Any) -> dict[str, Any]:
    found = await _verified(ctx, await customer_credentials(ctx.read, given.email), given.password)
    return {
        "customer": await ctx.read.one(select(Customer).where(Customer.id == found.id)),
        **_token(ctx, ActorKind.CUSTOMER, found),
    }


async def staff_sign_in(ctx: Ctx, given: Any) -> dict[str, Any]:
    found = await _verified(ctx, await staff_credentials(ctx.read, given.email), given.password)
    return {
        "staff": await ctx.read.one(select(Staff).where(Staff.id == found.id)),
        **_token(ctx, ActorKind.STAFF, found),
    }


async def _verified(ctx: Ctx, found: Credentials | None, password: str) -> Credentials:
    stored = found.password_hash if found else None
    if not await ctx.passwords.verify(stored, password) or found is None:
        raise InvalidCredentials(path=("password",))
    return found


def _token(ctx: Ctx, kind: ActorKind, found: Credentials) -> dict[str, Any]:
    token, seconds = ctx.tokens.access_token(kind, found.id)
    return {"access_token": token, "expires_in": seconds}
