"""What callers prove themselves with: signed tokens (JWT) and passwords (argon2id)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from db.workflow import ActorKind
from domain.actor import OrderAccess

ISSUER: Final = "counterfoil"
ALGORITHM: Final = "HS256"
SIGN_IN_SECONDS: Final = 3600
ACCESS: Final = "access"
ORDER: Final = "order"


class SignedTokens:
    """The audience of a token is its purpose, so that none is good for another."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def access_token(self, kind: ActorKind, subject: UUID) -> tuple[str, int]:
        until = datetime.now(UTC) + timedelta(seconds=SIGN_IN_SECONDS)
        return self._sign(ACCESS, sub=str(subject), kind=str(kind), exp=until), SIGN_IN_SECONDS

    def read_access_token(self, token: str) -> tuple[ActorKind, UUID, datetime] | None:
        """Who the token was given to and until when it is good; nothing if it is not one of ours."""
        claims = self._read(token, ACCESS, ["exp", "sub", "kind"])
        if claims is None:
            return None
        try:
            until = datetime.fromtimestamp(claims["exp"], UTC)
            return ActorKind(claims["kind"]), UUID(claims["sub"]), until
        except (ValueError, TypeError, OverflowError):
            return None

    def order_token(self, access: OrderAccess) -> str:
        """The same for the same order and version: it can be shown again without being stored."""
        return self._sign(ORDER, sub=str(access.order_id), v=access.access_version)

    def read_order_token(self, token: str) -> OrderAccess | None:
        claims = self._read(token, ORDER, ["sub", "v"])
        if claims is None:
            return None
        try:
            return OrderAccess(UUID(claims["sub"]), int(claims["v"]))
        except (ValueError, TypeError):
            return None

    def _sign(self, purpose: str, **claims: Any) -> str:
        return cast(Any, jwt).encode({"iss": ISSUER, "aud": purpose, **claims}, self._secret, algorithm=ALGORITHM)

    def _read(self, token: str, purpose: str, require: list[str]) -> dict[str, Any] | None:
        try:
            return cast(Any, jwt).decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=purpose,
                issuer=ISSUER,
                options={"require": ["iss", "aud", *require]},
            )
        except jwt.InvalidTokenError:
            return None


class Argon2Passwords:
    """Hashing runs in threads, two at a time, so that sign-ins do not stop the process."""

    def __init__(self) -> None:
        self._dummy = self.hash("nobody's password")
        self._turn = asyncio.Semaphore(2)

    @staticmethod
    def hash(password: str) -> str:
        return PasswordHasher().hash(password)

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
