"""Who acts: established once per operation, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from db.connection import Read
from db.workflow import ActorKind
from domain import session
from domain.actor import GUEST, Actor
from domain.channel import Bound
from domain.session import LONGEST_DEVICE
from resolvers.request_error import Unauthenticated
from server.api_keys import ApiKeys
from server.cookies import SessionCookies
from server.tokens import SignedTokens, SignIn, Subscriber

API_KEY: Final = "cf_"
"""What bearer tokens begin with that are keys of programs."""


@dataclass(frozen=True)
class Caller:
    actor: Actor
    buyer_address: str
    """Of the network: where attempts come from."""
    device: str
    live: Subscriber | None
    """Of a live token: whoever has one may subscribe, and nothing else."""
    bound: Bound | None
    """The sales channels of the publishable key that was sent; null: none was."""


@dataclass(frozen=True)
class Authentication:
    """For every transport: it hands over the headers, the address of its connection and the cookies."""

    tokens: SignedTokens
    api_keys: ApiKeys
    factor_demanded: bool = False
    """Staff without a second factor may only set one up."""

    async def establish(self, read: Read, headers: Mapping[str, str], peer: str, cookies: SessionCookies) -> Caller:
        """By the bearer token, else by the cookies; a guest without either. Refuses what is not ours or good no more.

        That a session goes on and what may be done is looked up each time: what was taken away counts at once.
        `peer` is where the connection comes from; a storefront's server says where its buyer is.
        """
        authorization, live = headers.get("authorization"), None
        if authorization:
            actor, live = await self._bearer(read, authorization)
        else:
            cookies.check_origin()
            actor = await self._by_cookie(read, cookies)
        key, passed_on = headers.get("x-api-key"), headers.get("x-buyer-address")
        buyer, bound = (None, None) if key is None else await self.api_keys.storefront(read, key, passed_on)
        device = headers.get("user-agent", "")[:LONGEST_DEVICE]
        return Caller(actor, buyer or peer, device if device.isprintable() else "", live, bound)

    async def bearer(self, read: Read, authorization: str | None) -> Actor:
        """Who the token alone says it is; a guest without one."""
        return GUEST if not authorization else (await self._bearer(read, authorization))[0]

    async def _bearer(self, read: Read, authorization: str) -> tuple[Actor, Subscriber | None]:
        scheme, _, token = authorization.partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        if token.startswith(API_KEY):
            return await self.api_keys.actor(read, token), None
        found = self.tokens.read_access_token(token)
        if found is not None:
            return await self._of_session(read, found), None
        live = self.tokens.read_live_token(token)
        if live is None:
            raise Unauthenticated("The access token is not valid or has expired; sign in again.")
        return await self._of_subscriber(read, live), live

    async def _by_cookie(self, read: Read, cookies: SessionCookies) -> Actor:
        """A cookie that is good no more is taken back, so that the next request is a guest's and may sign in again."""
        given = cookies.sign_in()
        if given is None:
            return GUEST
        kind, found = given
        try:
            if found is None:
                raise Unauthenticated("The sign-in in the cookie has expired; refresh it or sign in again.")
            return await self._of_session(read, found)
        except Unauthenticated:
            cookies.clear_access(kind)
            raise

    async def _of_session(self, read: Read, found: SignIn) -> Actor:
        demanded = self.factor_demanded and found.kind == ActorKind.STAFF
        who = found.kind, found.subject_id, found.session_id
        granted = await session.granted(read, *who, factor_demanded=demanded)
        if granted is None:
            raise Unauthenticated("This sign-in has ended; sign in again.")
        signed_in = Actor(found.kind, found.subject_id, granted, found.expires_at, found.session_id)
        return replace(signed_in, factor_demanded=demanded)

    async def _of_subscriber(self, read: Read, live: Subscriber) -> Actor:
        """Whose live token it is: the customer's whose session it belongs to, else a guest's; until it ends."""
        actor = await self._of_session(read, live.sign_in) if live.sign_in is not None else GUEST
        return replace(actor, expires_at=live.expires_at)
