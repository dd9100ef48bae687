"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes that stand in for one.

Each code is good once: the time step of the last one that was taken is kept, and only later ones are taken.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from pyotp import random_base32
from pyotp.exceptions import OTPVerificationError
from pyotp.totp import TOTP
from sqlalchemy import delete, select, text, update

from db import RecoveryCode, Staff
from db.connection import Tx
from domain import audit
from domain.actor import Actor
from domain.refusal import ErrorCode, Refusal, ValidationFailed

ISSUER: Final = "Counterfoil"
DRIFT: Final = 1
"""Time steps of 30 seconds by which a clock may be wrong."""
RECOVERY_CODES: Final = 10
_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what looks alike. Sixteen of them are 79 bits, too many to try, so a plain hash keeps them."""


@dataclass(eq=False)
class SecondFactorRequired(Refusal):
    """The password was right; a code is needed besides, and the one given, if any, is not good."""

    message: str = "Give the code that your authenticator app shows, or a recovery code; each is good once."
    code = ErrorCode.SECOND_FACTOR_REQUIRED


class Seal(Protocol):
    """Keeps what must be read again unreadable in the database."""

    def seal(self, plain: str) -> str: ...

    def unseal(self, sealed: str) -> str | None:
        """Null: it was sealed with a key that is no longer there."""
        ...


@dataclass(frozen=True)
class Given:
    """What somebody gave as a code, if anything, and when."""

    code: str | None
    at: datetime

    @property
    def text(self) -> str:
        """As it is compared: people type blanks."""
        return "".join((self.code or "").split())


@dataclass(frozen=True)
class Begun:
    """What an authenticator app is set up with; it is shown this once."""

    secret: str
    uri: str


async def begin(tx: Tx, seal: Seal, staff_id: UUID) -> Begun:
    """A new secret, which counts when a code of it was shown; one that was begun before is replaced."""
    secret = random_base32()
    email = await tx.scalar(
        update(Staff)
        .where(Staff.id == staff_id, Staff.totp_confirmed_at.is_(None))
        .values(totp_secret=seal.seal(secret), totp_last_step=0)
        .returning(Staff.email)
    )
    if email is None:
        raise ValidationFailed("The second factor is on; remove it first.")
    return Begun(secret, TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER))


async def confirm(tx: Tx, seal: Seal, given: Given, actor: Actor) -> list[str]:
    """Turns on the actor's own; answers with the recovery codes, which are shown this once."""
    row = await tx.one(select(Staff).where(Staff.id == actor.id).with_for_update(key_share=True))
    if row.totp_secret is None or row.totp_confirmed_at is not None:
        raise ValidationFailed("There is nothing to confirm; begin first.", path=("code",))
    step = _step(seal.unseal(row.totp_secret), given)
    if step is None:
        raise SecondFactorRequired(path=("code",))
    await tx.run(_CONFIRM, id=row.id, step=step)
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    await tx.run(delete(RecoveryCode).where(RecoveryCode.staff_id == row.id))
    await tx.insert(RecoveryCode, ({"staff_id": row.id, "hash": _hash(code)} for code in codes))
    await audit.record(tx, actor, "staffTotpConfirm", f"staff:{row.id}", {"second_factor": [False, True]})
    return codes


async def take(tx: Tx, seal: Seal, staff_id: UUID, given: Given) -> None:
    """Uses a code up, of the app or for recovery. Of many who give the same one at once, one gets through."""
    if _CODE.fullmatch(given.text):
        sealed = await tx.scalar(select(Staff.totp_secret).where(Staff.id == staff_id))
        secret = seal.unseal(sealed) if sealed else None
        step = _step(secret, given)
        # Sealed anew each time, so that a key that was replaced is soon needed no more.
        again = seal.seal(secret) if secret else None
        taken = step is not None and await tx.run(_TAKE_STEP, id=staff_id, sealed=sealed, again=again, step=step)
    else:
        taken = await tx.run(_TAKE_RECOVERY_CODE, id=staff_id, hash=_hash(given.text))
    if not taken:
        raise SecondFactorRequired(path=("code",))


async def remove(tx: Tx, staff_id: UUID) -> bool:
    """Whether it was on."""
    confirmed = await tx.scalar(select(Staff.totp_confirmed_at).where(Staff.id == staff_id))
    await tx.run(_REMOVE, id=staff_id)
    await tx.run(delete(RecoveryCode).where(RecoveryCode.staff_id == staff_id))
    return confirmed is not None


def _step(secret: str | None, given: Given) -> int | None:
    """The time step that a code is of, if it is one of about now."""
    if secret is None or not _CODE.fullmatch(given.text):
        return None
    try:
        return TOTP(secret).verify_and_get_timecode(given.text, for_time=given.at, valid_window=DRIFT)
    except OTPVerificationError:
        return None


def _new_code() -> str:
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _hash(code: str) -> str:
    return hashlib.sha256(code.lower().replace("-", "").encode()).hexdigest()


_CONFIRM: Final[Any] = text(
    "UPDATE staff SET totp_confirmed_at = clock_timestamp(), totp_last_step = :step WHERE id = :id"
)
_TAKE_STEP: Final[Any] = text(
    """
    UPDATE staff SET totp_last_step = :step, totp_secret = :again
    WHERE id = :id AND totp_secret = :sealed AND totp_confirmed_at IS NOT NULL AND totp_last_step < :step
    """
)
_TAKE_RECOVERY_CODE: Final[Any] = text(
    """
    UPDATE recovery_code SET used_at = clock_timestamp()
    WHERE staff_id = :id AND hash = :hash AND used_at IS NULL
    """
)
_REMOVE: Final[Any] = text(
    "UPDATE staff SET totp_secret = NULL, totp_confirmed_at = NULL, totp_last_step = 0 WHERE id = :id"
)
