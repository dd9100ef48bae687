"""Customers: their accounts, from registering to a new password. Who an address belongs to is proven by mail alone.

The customer is locked before anything that is theirs, tokens among it: so all that concerns an account queues up.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import func, select, text, update

from db import Customer
from db.connection import Read, Tx, new_id
from db.session import Purpose
from db.workflow import ActorKind
from domain import session, single_use
from domain.actor import Actor
from domain.address import check_line, normalised_email
from domain.event import Event, announce
from domain.refusal import ErrorCode, Gathering, NotFound, Refusal, ValidationFailed
from domain.single_use import TokenInvalid

ACCOUNT_EXISTS: Final = "account_exists"
"""Why a token for a new password is mailed to somebody who registers a second time."""


@dataclass(eq=False)
class InvalidCredentials(Refusal):
    """The address or the password is wrong; which one is never told."""

    message: str = "The e-mail address or the password is wrong."
    code = ErrorCode.INVALID_CREDENTIALS


@dataclass(eq=False)
class EmailTaken(Refusal):
    code = ErrorCode.EMAIL_TAKEN


@dataclass(frozen=True)
class CustomerConfirmed(Event):
    """The address of the account is proven to be the customer's. Sent each time that it is proven."""

    about: ClassVar[str] = "customer_id"
    customer_id: UUID


@dataclass(frozen=True)
class Credentials:
    id: UUID
    password_hash: str | None


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What customers say of themselves; null leaves it as it is."""

    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None

    def __post_init__(self) -> None:
        gathering = Gathering()
        for name, value in vars(self).items():
            with gathering.at(name):
                check_line(value or "")
        gathering.raise_if_any()

    @property
    def given(self) -> dict[str, str]:
        return {name: value.strip() for name, value in vars(self).items() if value is not None}


def check_password(password: str, path: str = "password") -> None:
    if not 12 <= len(password) <= 200:
        raise ValidationFailed("A password has 12 to 200 characters.", path=(path,))


async def customer_credentials(read: Read, email: str) -> Credentials | None:
    found = await read.first(select(Customer).where(Customer.email == normalised_email(email)))
    return Credentials(found.id, found.password_hash) if found else None


async def credentials_of(read: Read, customer_id: UUID) -> Credentials:
    found = await read.one(select(Customer).where(Customer.id == customer_id))
    return Credentials(found.id, found.password_hash)


async def register(tx: Tx, email: str, password_hash: str, profile: Profile) -> None:
    """Makes an account and mails a link that proves the address.

    Where there is one, nothing changes: its owner is mailed a link for a new password. Both take the same statements.
    """
    new = new_id()
    names = {"first_name": "", "last_name": "", **profile.given}
    given = {"id": new, "email": email, "password_hash": password_hash, **names}
    while not (found := await tx.records(_REGISTER, **given) or await tx.records(_KNOWN, email=email)):
        pass  # whoever had the address a moment ago has just given it up
    if found[0].id == new:
        await single_use.issue(tx, Purpose.CONFIRM_EMAIL, new)
    else:
        await single_use.issue(tx, Purpose.RESET_PASSWORD, found[0].id, because=ACCOUNT_EXISTS)


# Nothing is found where another one registers at this moment: then the insertion has waited, and found it after all.
_REGISTER: Final = text(
    """
    WITH made AS (
        INSERT INTO customer (id, email, password_hash, first_name, last_name)
        VALUES (:id, :email, :password_hash, :first_name, :last_name)
        ON CONFLICT (email) DO NOTHING RETURNING id
    )
    SELECT id FROM made UNION ALL SELECT id FROM customer WHERE email = :email
    """
)
_KNOWN: Final = text("SELECT id FROM customer WHERE email = :email")


async def request_reset(tx: Tx, email: str) -> None:
    """Mails a link for a new password. Without an account the same is done for nobody, and takes as long."""
    found = await tx.scalar(select(Customer.id).where(Customer.email == email))
    await single_use.issue(tx, Purpose.RESET_PASSWORD, found or new_id())


async def to_be_confirmed(read: Read, token_id: UUID | None, actor: Actor) -> Credentials:
    """Whose password has to be shown with this token; it is not used up by that."""
    found = await read.records(_TO_BE_CONFIRMED, token_id=token_id)
    if not found:
        raise TokenInvalid(path=("token",))
    check_own(actor, found[0].id)
    return Credentials(found[0].id, found[0].password_hash)


_TO_BE_CONFIRMED: Final = text(
    """
    SELECT customer.id, password_hash FROM single_use_token AS token JOIN customer ON customer.id = subject_id
    WHERE token.id = CAST(:token_id AS uuid) AND purpose = 'confirm_email' AND used_at IS NULL
      AND expires_at > clock_timestamp()
    """
)


async def confirm(tx: Tx, token_id: UUID | None, actor: Actor) -> Customer:
    """The mail has arrived: the address is theirs."""
    customer_id = await _used(tx, token_id, Purpose.CONFIRM_EMAIL, actor)
    return await _proven(tx, customer_id)


async def reset_password(tx: Tx, token_id: UUID | None, password_hash: str, actor: Actor) -> Customer:
    """A new password for who got the mail, which proves the address too. Everything that was open ends."""
    customer_id = await _used(tx, token_id, Purpose.RESET_PASSWORD, actor)
    for purpose in (Purpose.CONFIRM_EMAIL, Purpose.RESET_PASSWORD):  # of links asked for at once each may be good
        await single_use.withdraw(tx, purpose, customer_id)
    await tx.run(_STAY, customer_id=customer_id)
    customer = await _proven(tx, customer_id, password_hash=password_hash)
    await session.end_all(tx, ActorKind.CUSTOMER, customer_id)
    return customer


async def admit(tx: Tx, verified: Credentials) -> None:
    """Refuses when the password was changed since it was verified: that ended all sessions, and this one comes late."""
    still = select(Customer.id).where(Customer.id == verified.id, Customer.password_hash == verified.password_hash)
    if await tx.scalar(still.with_for_update(read=True)) is None:
        raise InvalidCredentials(path=("password",))


_STAY: Final = text("DELETE FROM email_change WHERE customer_id = :customer_id")
"""Whoever asked for another address may have been somebody else."""


async def change_password(tx: Tx, known: Credentials, password_hash: str, but: UUID | None) -> None:
    """A new password for who knew the present one; every session but one ends."""
    still = Customer.password_hash == known.password_hash
    changed = {"password_hash": password_hash, "updated_at": func.now()}
    if not await tx.run(update(Customer).where(Customer.id == known.id, still).values(changed)):
        raise InvalidCredentials(path=("current_password",))
    await single_use.withdraw(tx, Purpose.RESET_PASSWORD, known.id)
    await session.end_all(tx, ActorKind.CUSTOMER, known.id, but)


async def change_profile(tx: Tx, customer_id: UUID, profile: Profile) -> Customer:
    statement = update(Customer).where(Customer.id == customer_id, Customer.erased_at.is_(None))
    changed = await tx.first(statement.values(**profile.given, updated_at=func.now()).returning(Customer))
    if changed is None:
        raise NotFound
    return changed


async def lock_by_token(tx: Tx, token_id: UUID | None) -> None:
    """The customer whom the token is about, or whose change of address."""
    await tx.run(_LOCK_BY_TOKEN, token_id=token_id)


_LOCK_BY_TOKEN: Final = text(
    """
    SELECT FROM customer WHERE id = ANY(ARRAY(
        SELECT coalesce(change.customer_id, token.subject_id) FROM single_use_token AS token
        LEFT JOIN email_change AS change ON change.id = token.subject_id
        WHERE token.id = CAST(:token_id AS uuid)))
    FOR NO KEY UPDATE
    """
)


async def _used(tx: Tx, token_id: UUID | None, purpose: Purpose, actor: Actor) -> UUID:
    await lock_by_token(tx, token_id)
    used = await single_use.use(tx, token_id, purpose)
    check_own(actor, used.subject_id)
    return used.subject_id


def check_own(actor: Actor, customer_id: UUID) -> None:
    """Who is signed in as somebody else gets nothing by a link that was meant for another."""
    if actor.customer_id not in {None, customer_id}:
        raise TokenInvalid(path=("token",))


async def _proven(tx: Tx, customer_id: UUID, **values: Any) -> Customer:
    confirmed_at = func.coalesce(Customer.confirmed_at, func.now())
    statement = update(Customer).where(Customer.id == customer_id, Customer.erased_at.is_(None))
    statement = statement.values(**values, confirmed_at=confirmed_at, updated_at=func.now())
    customer = await tx.first(statement.returning(Customer))
    if customer is None:
        raise TokenInvalid(path=("token",))
    await announce(tx, CustomerConfirmed(customer_id))
    return customer
