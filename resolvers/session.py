"""Sign-ins: begun and handed over, kept alive, listed and ended; and attempts, counted before anything is checked."""

import ipaddress
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from db.connection import Tx
from db.workflow import ActorKind
from domain import attempt, session
from domain.attempt import Limit
from domain.refusal import ValidationFailed
from domain.session import Begun, Device, SessionEnded
from resolvers import ids
from resolvers.context import Ctx
from resolvers.request_error import Unauthenticated


class TokenDelivery(StrEnum):
    """How a client is given the tokens of a sign-in."""

    BODY = "body"
    COOKIE = "cookie"


@dataclass(frozen=True)
class Limits:
    """How often something may be tried, by what it is tried on and by where it is tried from."""

    account: Limit
    address: Limit


SIGN_IN: Final = Limits(
    Limit("sign-in to an account", 10, timedelta(minutes=15)),
    Limit("sign-in from an address", 100, timedelta(minutes=15)),
)


async def signed_in(ctx: Ctx, kind: ActorKind, subject_id: UUID, tx: Tx, mode: TokenDelivery) -> dict[str, Any]:
    """Begins a session; the fields of the payload that hand it over. With cookies they hold no token."""
    _check_delivery(ctx, kind, mode)
    begun = await session.begin(tx, kind, subject_id, Device(ctx.device, ctx.buyer_address))
    return handed_over(ctx, begun, mode)


async def counted_attempt(ctx: Ctx, limits: Limits, who: str) -> None:
    """Counts an attempt on `who` (an account: its kind and normalised address) from the buyer's address.

    In a transaction of its own, so that it stays counted whatever comes of it; refuses with `TooManyAttempts`.
    """
    async with ctx.shop.tx() as tx:
        await attempt.count(tx, limits.account, who)
        await attempt.count(tx, limits.address, network(ctx.buyer_address))


async def succeeded(tx: Tx, limits: Limits, who: str) -> None:
    """The count of the account begins anew; that of the address goes on, or one account of one's own would clear it."""
    await attempt.forget(tx, limits.account, who)


def seconds_left(ctx: Ctx, resume: str) -> float:
    """Until the sign-in expires; one that has expired ends the stream, which can be resumed with the last `resume`."""
    until = ctx.actor.expires_at
    seconds = (until - datetime.now(UTC)).total_seconds() if until is not None else math.inf
    if seconds <= 0:
        raise Unauthenticated(f"The sign-in has expired; sign in again and resume with the last {resume}.")
    return seconds


async def customer_refresh(ctx: Ctx, given: Any) -> dict[str, Any]:
    return await _refreshed(ctx, ActorKind.CUSTOMER, given.refresh_token)


async def staff_refresh(ctx: Ctx, given: Any) -> dict[str, Any]:
    return await _refreshed(ctx, ActorKind.STAFF, given.refresh_token)


async def customer_sign_out(ctx: Ctx, given: Any) -> dict[str, Any]:
    return await _signed_out(ctx, ActorKind.CUSTOMER, everywhere=given.everywhere)


async def staff_sign_out(ctx: Ctx, given: Any) -> dict[str, Any]:
    return await _signed_out(ctx, ActorKind.STAFF, everywhere=given.everywhere)


async def sessions(ctx: Ctx) -> list[dict[str, Any]]:
    """The caller's own that are alive."""
    assert ctx.actor.id is not None
    rows = await session.alive(ctx.read, ctx.actor.kind, ctx.actor.id)
    return [{**row, "current": row.id == ctx.actor.session_id} for row in rows]


async def end_own(ctx: Ctx, given: Any) -> dict[str, Any]:
    """One of the caller's own, perhaps this very one."""
    actor, session_id = ctx.actor, ids.decode("Session", given.session_id, "session_id")
    assert actor.id is not None
    async with ctx.shop.tx() as tx:
        await session.end_own(tx, actor.kind, actor.id, session_id)
    if session_id == actor.session_id:
        _clear_cookies(ctx, actor.kind)
    return {"sessions": await sessions(ctx)}


async def _refreshed(ctx: Ctx, kind: ActorKind, given: str | None) -> dict[str, Any]:
    """The next tokens; they are delivered as the one that was used for them."""
    token = given if given is not None else _refresh_cookie(ctx, kind)
    if token is None:
        raise ValidationFailed("Give the refresh token, or have its cookie sent along.", path=("refresh_token",))
    async with ctx.shop.tx() as tx:
        begun = await session.refresh(tx, kind, token)
    if begun is None:
        if given is None:
            _clear_cookies(ctx, kind)
        raise SessionEnded(path=("refresh_token",))
    return handed_over(ctx, begun, TokenDelivery.COOKIE if given is None else TokenDelivery.BODY)


async def _signed_out(ctx: Ctx, kind: ActorKind, *, everywhere: bool) -> dict[str, Any]:
    """Who is not signed in has nothing to end; that is no error, since signing out twice is none."""
    own = await _own_session(ctx, kind)
    ended = 0
    if own is not None:
        session_id, subject_id = own
        async with ctx.shop.tx() as tx:
            if everywhere:
                ended = await session.end_all(tx, kind, subject_id)
            else:
                ended = int(await session.end(tx, session_id))
    _clear_cookies(ctx, kind)
    return {"ended": ended}


async def _own_session(ctx: Ctx, kind: ActorKind) -> tuple[UUID, UUID] | None:
    """Of the access token, else of the refresh cookie, which lives longer; with whose it is."""
    actor = ctx.actor
    if actor.kind == kind and actor.session_id is not None and actor.id is not None:
        return actor.session_id, actor.id
    token = _refresh_cookie(ctx, kind)
    return None if token is None else await session.of_refresh_token(ctx.read, kind, token)


def _refresh_cookie(ctx: Ctx, kind: ActorKind) -> str | None:
    return None if ctx.cookies is None else ctx.cookies.refresh_token(kind)


def _clear_cookies(ctx: Ctx, kind: ActorKind) -> None:
    if ctx.cookies is not None and ctx.cookies.may_use(kind):
        ctx.cookies.clear(kind)


def handed_over(ctx: Ctx, begun: Begun, mode: TokenDelivery) -> dict[str, Any]:
    """The fields of the payload that hand over a session and its tokens."""
    if mode is TokenDelivery.COOKIE and ctx.cookies is not None:
        return {"expires_in": ctx.cookies.give(begun)}
    token, seconds = ctx.tokens.access_token(begun.kind, begun.subject_id, begun.session_id)
    return {"access_token": token, "refresh_token": begun.refresh_token, "expires_in": seconds}


def network(address: str) -> str:
    """What is counted as one place: an IPv4 address, or the /64 of an IPv6 address, which one customer has whole."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def _check_delivery(ctx: Ctx, kind: ActorKind, mode: TokenDelivery) -> None:
    if mode is TokenDelivery.COOKIE and (ctx.cookies is None or not ctx.cookies.may_use(kind)):
        message = "Cookies are for browsers, from this server's own origin or one of STORE_CORS (ADMIN_CORS for staff)."
        raise ValidationFailed(message, path=("tokens",))
