"""What callers prove themselves with: signed tokens (JWT) and passwords (argon2id)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, Final, cast
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from db.session import Purpose
from db.workflow import ActorKind
from domain.actor import Actor, OrderAccess
from domain.single_use import LASTS
from server.seal import FernetSeal

ISSUER: Final = "counterfoil"
ALGORITHM: Final = "HS256"
ACCESS_SECONDS: Final = 900
ACCESS: Final = "access"
ACCESS_COOKIE: Final = "access_cookie"
ORDER: Final = "order"
LIVE: Final = "live"
LIVE_SECONDS: Final = 300
UPLOAD: Final = "upload"
FILE: Final = "file"
UNSUBSCRIBE: Final = "unsubscribe"


@dataclass(frozen=True)
class SignIn:
    """What an access token says: whose it is, of which session, and until when it is good."""

    kind: ActorKind
    subject_id: UUID
    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True)
class Subscriber:
    """What a live token says: whose it is and which order it opens, one of them at least, and until when."""

    sign_in: SignIn | None
    order: OrderAccess | None
    expires_at: datetime


class KeyRing:
    """Secrets by `kid`. The first one signs, all are accepted: so one is replaced without signing anybody out."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = {key_id(secret): secret for secret in secrets}
        self._current = key_id(secrets[0])

    def sign(self, claims: Mapping[str, Any]) -> str:
        header = {"kid": self._current}
        return cast(Any, jwt).encode(dict(claims), self._keys[self._current], algorithm=ALGORITHM, headers=header)

    def read(self, token: str, audience: str, require: Sequence[str]) -> dict[str, Any] | None:
        """The claims of a token that is ours and good now. Its header chooses among our keys, and nothing else."""
        try:
            header = cast(Any, jwt).get_unverified_header(token)
            secret = self._keys.get(header.get("kid"))
            if secret is None or header != {"alg": ALGORITHM, "typ": "JWT", "kid": header["kid"]}:
                return None
            return cast(Any, jwt).decode(
                token,
                secret,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=ISSUER,
                options={"require": ["iss", "aud", *require]},
            )
        except jwt.InvalidTokenError:
            return None


def key_id(secret: str) -> str:
    """Names a key without telling it."""
    return sha256(b"kid\0" + secret.encode()).hexdigest()[:8]


class SignedTokens:
    """The audience of a token is its purpose, so that none is good for another.

    Access tokens in cookies are signed with keys of their own: one that was read out of a body is no cookie.
    """

    def __init__(self, secret: str, *old: str, cookies: Sequence[str] = ()) -> None:
        self._keys = KeyRing((secret, *old))
        self._cookie_keys = KeyRing(cookies) if cookies else self._keys
        self._seal = FernetSeal(cookies or (secret, *old))

    def access_token(
        self, kind: ActorKind, subject_id: UUID, session_id: UUID, *, cookie: bool = False
    ) -> tuple[str, int]:
        """The token, and for how many seconds it is good."""
        until = datetime.now(UTC) + timedelta(seconds=ACCESS_SECONDS)
        keys, audience = (self._cookie_keys, ACCESS_COOKIE) if cookie else (self._keys, ACCESS)
        claims = {"sub": str(subject_id), "kind": str(kind), "sid": str(session_id), "exp": until}
        return keys.sign({"iss": ISSUER, "aud": audience, **claims}), ACCESS_SECONDS

    def read_access_token(self, token: str, *, cookie: bool = False) -> SignIn | None:
        """Who the token was given to; nothing if it is not one of ours, or good no more."""
        keys, audience = (self._cookie_keys, ACCESS_COOKIE) if cookie else (self._keys, ACCESS)
        claims = keys.read(token, audience, ["exp", "sub", "kind", "sid"])
        if claims is None:
            return None
        try:
            until = datetime.fromtimestamp(claims["exp"], UTC)
            return SignIn(ActorKind(claims["kind"]), UUID(claims["sub"]), UUID(claims["sid"]), until)
        except (ValueError, TypeError, AttributeError, OverflowError):
            return None

    def order_token(self, access: OrderAccess, seconds: int | None = None) -> str:
        """The same for the same order and version: it can be shown again without being stored. Or a short one."""
        until = {} if seconds is None else {"exp": datetime.now(UTC) + timedelta(seconds=seconds)}
        claims = {"iss": ISSUER, "aud": ORDER, "sub": str(access.order_id), "v": access.access_version}
        return self._keys.sign(claims | until)

    def read_order_token(self, token: str) -> OrderAccess | None:
        claims = self._keys.read(token, ORDER, ["sub", "v"])
        if claims is None:
            return None
        try:
            return OrderAccess(UUID(claims["sub"]), int(claims["v"]))
        except (ValueError, TypeError, AttributeError):
            return None

    def live_token(self, customer: Actor, order: OrderAccess | None) -> tuple[str, int]:
        """Lets subscribe to what is of a customer who has signed in, and of an order; for so many seconds."""
        claims: dict[str, Any] = {"exp": datetime.now(UTC) + timedelta(seconds=LIVE_SECONDS)}
        if customer.id is not None:
            claims |= {"sub": str(customer.id), "sid": str(customer.session_id)}
        if order is not None:
            claims |= {"order": str(order.order_id), "v": order.access_version}
        return self._keys.sign({"iss": ISSUER, "aud": LIVE, **claims}), LIVE_SECONDS

    def read_live_token(self, token: str) -> Subscriber | None:
        claims = self._keys.read(token, LIVE, ["exp"])
        if claims is None:
            return None
        try:
            until = datetime.fromtimestamp(claims["exp"], UTC)
            by = (ActorKind.CUSTOMER, UUID(claims["sub"]), UUID(claims["sid"]), until) if "sub" in claims else None
            order = OrderAccess(UUID(claims["order"]), int(claims["v"])) if "order" in claims else None
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
            return None
        return Subscriber(SignIn(*by) if by is not None else None, order, until)

    def single_use_token(self, purpose: Purpose, token_id: UUID) -> str:
        """What is mailed: it names its row and is good for this purpose alone."""
        until = datetime.now(UTC) + LASTS[purpose]
        return self._keys.sign({"iss": ISSUER, "aud": str(purpose), "jti": str(token_id), "exp": until})

    def read_single_use_token(self, purpose: Purpose, token: str) -> UUID | None:
        """The id of its row, which says whether it was used; nothing if it is not one of ours for this purpose."""
        claims = self._keys.read(token, str(purpose), ["exp", "jti"])
        if claims is None:
            return None
        try:
            return UUID(claims["jti"])
        except (ValueError, TypeError, AttributeError):
            return None

    def unsubscribe_token(self, recipient: str, kind: str, channel: str) -> str:
        """Good for ever, and for nothing but ending notifications: mails are kept for years."""
        claims = {"sub": recipient, "kind": kind, "channel": channel}
        return self._keys.sign({"iss": ISSUER, "aud": UNSUBSCRIBE, **claims})

    def read_unsubscribe_token(self, token: str) -> tuple[str, str, str] | None:
        """Whose notifications, of which kind and over which channel."""
        claims = self._keys.read(token, UNSUBSCRIBE, ["sub", "kind", "channel"])
        return None if claims is None else (claims["sub"], claims["kind"], claims["channel"])

    def upload_token(self, file_id: UUID, until: datetime) -> str:
        return self._keys.sign({"iss": ISSUER, "aud": UPLOAD, "sub": str(file_id), "exp": until})

    def read_upload_token(self, token: str) -> tuple[UUID, datetime] | None:
        """Whose bytes may be put, and until when."""
        claims = self._keys.read(token, UPLOAD, ["exp", "sub"])
        return None if claims is None else _of_file(claims)

    def file_token(self, file_id: UUID, width: int | None, seconds: int) -> str:
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        small = {} if width is None else {"w": width}
        return self._keys.sign({"iss": ISSUER, "aud": FILE, "sub": str(file_id), "exp": until, **small})

    def read_file_token(self, token: str) -> tuple[UUID, int | None, datetime] | None:
        """What may be read (with a width: the thumbnail), and until when."""
        claims = self._keys.read(token, FILE, ["exp", "sub"])
        found = None if claims is None else _of_file(claims)
        if claims is None or found is None or not isinstance(claims.get("w"), int | None):
            return None
        return found[0], claims.get("w"), found[1]

    def seal(self, plain: str) -> str:
        """What is kept to be read again, by the secrets of cookies: see server/seal.py."""
        return self._seal.seal(plain)

    def unseal(self, sealed: str) -> str | None:
        return self._seal.unseal(sealed)


def _of_file(claims: Mapping[str, Any]) -> tuple[UUID, datetime] | None:
    try:
        return UUID(claims["sub"]), datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


@cache
def _nobodys_hash() -> str:
    return Argon2Passwords.hash("nobody's password")


class Argon2Passwords:
    """Hashing runs in threads, two at a time, so that sign-ins do not stop the process."""

    def __init__(self) -> None:
        self._dummy = _nobodys_hash()
        self._turn = asyncio.Semaphore(2)

    @staticmethod
    def hash(password: str) -> str:
        return PasswordHasher().hash(password)

    async def hashed(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self.hash, password)

    async def verify(self, stored: str | None, given: str) -> bool:
        """Takes as long without a stored hash as with one."""
        async with self._turn:
            matched = await asyncio.to_thread(self._verify, stored or self._dummy, given)
        return matched and stored is not None

    def _verify(self, stored: str, given: str) -> bool:
        try:
            return PasswordHasher().verify(stored, given)
        except (VerificationError, InvalidHashError):
            return False
