"""Who acts: established once per operation from the bearer token, and nowhere else."""

from db.connection import Read
from db.workflow import ActorKind
from domain.actor import GUEST, Actor
from domain.customer import permissions
from resolvers.request_error import Unauthenticated
from server.tokens import SignedTokens


async def establish_actor(read: Read, tokens: SignedTokens, authorization: str | None) -> Actor:
    """A guest without a token; refuses a token that is not ours, has expired, or is of someone who has left.

    What staff may do is read each time: a role that was taken away counts from the next request on.
    """
    if not authorization:
        return GUEST
    scheme, _, token = authorization.partition(" ")
    claims = tokens.read_access_token(token.strip()) if scheme.lower() == "bearer" else None
    if claims is None:
        raise Unauthenticated("The access token is not valid or has expired; sign in again.")
    kind, subject, expires_at = claims
    if kind == ActorKind.CUSTOMER:
        return Actor(kind, subject, expires_at=expires_at)
    granted = await permissions(read, subject) if kind == ActorKind.STAFF else None
    if granted is None:
        raise Unauthenticated("This account may no longer sign in.")
    return Actor(kind, subject, granted, expires_at)
