"""Passwords that are shown: checked with the same work whether or not there is an account, and counted."""

from typing import Protocol, TypeVar

from domain.customer import InvalidCredentials
from resolvers.context import Ctx
from resolvers.session import Limits, counted_attempt, succeeded


class Known(Protocol):
    """Somebody's credentials."""

    @property
    def password_hash(self) -> str | None: ...


K = TypeVar("K", bound=Known)


async def verified(ctx: Ctx, found: K | None, password: str, path: str = "password") -> K:
    stored = found.password_hash if found else None
    if not await ctx.passwords.verify(stored, password) or found is None:
        raise InvalidCredentials(path=(path,))
    return found


async def shown_again(
    ctx: Ctx, known: K | None, password: str, *, who: str, limits: Limits, path: str = "password"
) -> K:
    """Whoever is known already shows that it is still them; tries are counted until one is right."""
    await counted_attempt(ctx, limits, who)
    shown = await verified(ctx, known, password, path)
    async with ctx.shop.tx() as tx:
        await succeeded(tx, limits, who)
    return shown
