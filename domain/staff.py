"""Those who work here: invited, signing in, given roles, leaving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import any_, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert

from db import Role, Session, Staff, StaffRole
from db.connection import Read, Tx, new_id
from db.session import Purpose
from db.workflow import ActorKind
from domain import audit, role, second_factor, session, single_use
from domain.actor import SYSTEM, Actor
from domain.address import normalised_email
from domain.customer import Credentials, EmailTaken, InvalidCredentials
from domain.permission import as_of_now, check_held
from domain.refusal import Gathering, NotFound, ValidationFailed
from domain.second_factor import Given, Seal
from domain.single_use import TokenInvalid

CREATED: Final = "staff create"
RESET: Final = "staff reset"
"""What the commands are called in the audit log."""


@dataclass(frozen=True)
class StaffCredentials(Credentials):
    second_factor: bool
    """A code is needed besides the password."""


@dataclass(frozen=True)
class Invite:
    email: str
    name: str
    role_ids: tuple[UUID, ...]

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at():
            object.__setattr__(self, "email", normalised_email(self.email))
        with gathering.at("name"):
            role.check_name(self.name)
        gathering.raise_if_any()


@dataclass(frozen=True)
class ChangeStaff:
    """What is null stays as it is."""

    staff_id: UUID
    name: str | None = None
    role_ids: tuple[UUID, ...] | None = None
    active: bool | None = None
    remove_second_factor: bool = False

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("name"):
            if self.name is not None:
                role.check_name(self.name)
        gathering.raise_if_any()


async def staff_credentials(read: Read, email: str) -> StaffCredentials | None:
    """By the address, of one who is active."""
    return _credentials(await read.first(_ACTIVE.where(Staff.email == normalised_email(email))))


async def credentials_of(read: Read, staff_id: UUID) -> StaffCredentials | None:
    return _credentials(await read.first(_ACTIVE.where(Staff.id == staff_id)))


def _credentials(found: Staff | None) -> StaffCredentials | None:
    if found is None:
        return None
    return StaffCredentials(found.id, found.password_hash, found.totp_confirmed_at is not None)


async def lock(tx: Tx, verified: StaffCredentials) -> None:
    """Holds what was verified outside of the transaction, or refuses: they may have left since, or changed it."""
    same = Staff.password_hash == verified.password_hash
    confirmed = Staff.totp_confirmed_at.is_not(None) == verified.second_factor
    statement = _ACTIVE.where(Staff.id == verified.id, same, confirmed)
    if await tx.first(statement.with_for_update(key_share=True)) is None:
        raise InvalidCredentials(path=("password",))


async def admit(tx: Tx, seal: Seal, verified: StaffCredentials, given: Given) -> None:
    """Who gave the right password, and a good code if one is needed. Refused, nothing is used up."""
    await lock(tx, verified)
    if verified.second_factor:
        await second_factor.take(tx, seal, verified.id, given)


async def create_staff(tx: Tx, email: str, name: str, password_hash: str, roles: Sequence[str]) -> UUID:
    """A member of staff with roles that exist, by whoever has the command line; the e-mail address must be new."""
    normalised = normalised_email(email)
    wanted = await tx.all(select(Role).where(Role.name == any_(list(roles))))  # pyright: ignore[reportArgumentType]
    if unknown := set(roles) - {found.name for found in wanted}:
        known = ", ".join(await tx.scalars(select(Role.name).order_by(Role.name))) or "none"
        raise ValidationFailed(f"There is no role {sorted(unknown)[0]!r}; there are: {known}.", path=("roles",))
    staff_id = new_id()
    columns = {"email": normalised, "name": name}
    inserted = await tx.run(
        insert(Staff)
        .values(id=staff_id, password_hash=password_hash, **columns)
        .on_conflict_do_nothing(index_elements=["email"])
    )
    if not inserted:
        raise EmailTaken("There is a member of staff with this e-mail address.", path=("email",))
    await tx.insert(StaffRole, ({"staff_id": staff_id, "role_id": found.id} for found in wanted))
    given = {**columns, "roles": sorted(found.name for found in wanted)}
    await audit.record(tx, SYSTEM, CREATED, subject(staff_id), audit.changed({}, given))
    return staff_id


async def invite(tx: Tx, command: Invite, actor: Actor) -> UUID:
    """A member who has no password until the invitation is accepted. Invited again, the earlier one is good no more."""
    async with role.rearranging(tx, actor) as now:
        known = await tx.first(select(Staff).where(Staff.email == command.email))
        if known is not None and known.password_hash is not None:
            raise EmailTaken("There is a member of staff with this e-mail address.", path=("email",))
        before = await _facts(tx, known, now, "email") if known else {}
        staff_id = known.id if known else new_id()
        columns = {"name": command.name.strip(), "active": True}
        invited = insert(Staff).values(id=staff_id, email=command.email, **columns)
        await tx.run(invited.on_conflict_do_update(index_elements=["email"], set_=columns))
        roles = await role.give(tx, staff_id, command.role_ids, now)
        await single_use.issue(tx, Purpose.STAFF_INVITATION, staff_id)
        after = {"email": command.email, **columns, "roles": roles}
        await audit.record(tx, now, "staffInvite", subject(staff_id), audit.changed(before, after))
    return staff_id


async def accept_invitation(tx: Tx, token_id: UUID | None, password_hash: str, actor: Actor) -> UUID:
    await tx.run(_LOCK_BY_TOKEN, token_id=token_id)
    used = await single_use.use(tx, token_id, Purpose.STAFF_INVITATION)
    await _set_password(tx, used.subject_id, password_hash, Staff.password_hash.is_(None))
    await _note(tx, "staffAcceptInvitation", used.subject_id, actor)
    return used.subject_id


async def change(tx: Tx, command: ChangeStaff, actor: Actor) -> None:
    """Counts from the next request on; whoever is made inactive is signed out everywhere at once."""
    async with role.rearranging(tx, actor) as now:
        found = await tx.first(select(Staff).where(Staff.id == command.staff_id).with_for_update(key_share=True))
        if found is None:
            raise NotFound("There is no such member of staff.", path=("staff_id",))
        before = await _facts(tx, found, now, "staff_id")
        after = dict(before)
        given = {"name": command.name and command.name.strip(), "active": command.active}
        if columns := {name: value for name, value in given.items() if value is not None}:
            await tx.run(update(Staff).where(Staff.id == found.id).values(columns))
            after |= columns
        if command.role_ids is not None:
            after["roles"] = await role.give(tx, found.id, command.role_ids, now)
        if command.remove_second_factor and await second_factor.remove(tx, found.id):
            after["second_factor"] = False
        if command.active is False:
            await _sign_out(tx, found.id)
        await audit.record(tx, now, "staffUpdate", subject(found.id), audit.changed(before, after))


async def request_password_reset(tx: Tx, email: str) -> None:
    """Mails a link. For an address of nobody a link to nothing is made, so that it is the same work."""
    found = await staff_credentials(tx, email)
    known = found.id if found is not None and found.password_hash is not None else new_id()
    await single_use.issue(tx, Purpose.STAFF_RESET_PASSWORD, known)


@dataclass(frozen=True)
class WayIn:
    """A token that is good once, and its purpose."""

    purpose: Purpose
    token_id: UUID


async def let_in(tx: Tx, email: str) -> WayIn:
    """A way in for one who has lost everything, by whoever has the command line: a new password, no second factor.

    They are active again, signed out everywhere, and may do what their roles say, which stay as they are.
    """
    found = await tx.first(_BY_EMAIL, email=normalised_email(email))
    if found is None:
        raise NotFound("There is no member of staff with this e-mail address.", path=("email",))
    before = {"active": found.active, "second_factor": found.totp_confirmed_at is not None}
    await tx.run(update(Staff).where(Staff.id == found.id).values(active=True))
    await second_factor.remove(tx, found.id)
    await _sign_out(tx, found.id)
    difference = audit.changed(before, {"active": True, "second_factor": False})
    await audit.record(tx, SYSTEM, RESET, subject(found.id), difference)
    invited = found.password_hash is None
    purpose = Purpose.STAFF_INVITATION if invited else Purpose.STAFF_RESET_PASSWORD
    return WayIn(purpose, await single_use.hand_out(tx, purpose, found.id))


async def reset_password(tx: Tx, token_id: UUID | None, password_hash: str, actor: Actor) -> UUID:
    """Signs them out everywhere; the second factor stays."""
    await tx.run(_LOCK_BY_TOKEN, token_id=token_id)
    used = await single_use.use(tx, token_id, Purpose.STAFF_RESET_PASSWORD)
    await _set_password(tx, used.subject_id, password_hash, Staff.password_hash.is_not(None))
    await _sign_out(tx, used.subject_id)
    await _note(tx, "staffResetPassword", used.subject_id, actor)
    return used.subject_id


async def change_password(tx: Tx, verified: StaffCredentials, password_hash: str, actor: Actor) -> None:
    """Signs them out everywhere but here."""
    await lock(tx, verified)
    await _set_password(tx, verified.id, password_hash, Staff.password_hash.is_not(None))
    await _sign_out(tx, verified.id, but=actor.session_id)
    await _note(tx, "staffChangePassword", verified.id, actor)


async def remove_second_factor(tx: Tx, seal: Seal, verified: StaffCredentials, given: Given, actor: Actor) -> None:
    """One's own, for a code of it."""
    if not verified.second_factor:
        raise ValidationFailed("The second factor is not on.", path=("code",))
    await admit(tx, seal, verified, given)
    await second_factor.remove(tx, verified.id)
    await _note(tx, "staffTotpRemove", verified.id, actor, {"second_factor": [True, False]})


async def end_session(tx: Tx, session_id: UUID, actor: Actor) -> UUID:
    """Of a member of staff who may do no more than the actor; their id is the answer. What has ended stays so."""
    staff_id = await tx.scalar(select(Session.staff_id).where(Session.id == session_id))
    if staff_id is None:
        raise NotFound("There is no such session.", path=("session_id",))
    now = await as_of_now(tx, actor)
    check_held(now, (code for one in await role.roles_of(tx, staff_id) for code in one.permissions), "session_id")
    ended = await session.end(tx, session_id)
    difference = {"session": [str(session_id), None]} if ended else {}
    await audit.record(tx, actor, "staffSessionEnd", subject(staff_id), difference)
    return staff_id


def subject(staff_id: UUID) -> str:
    return f"staff:{staff_id}"


async def _facts(tx: Tx, found: Staff, actor: Actor, *path: str) -> dict[str, Any]:
    """What the audit log compares; refuses when they may do more than the actor."""
    roles = await role.roles_of(tx, found.id)
    check_held(actor, (code for one in roles for code in one.permissions), *path)
    return {
        "email": found.email,
        "name": found.name,
        "active": found.active,
        "second_factor": found.totp_confirmed_at is not None,
        "roles": [one.name for one in roles],
    }


async def _set_password(tx: Tx, staff_id: UUID, password_hash: str, if_: Any) -> None:
    """A token may be good although its owner has left, or has chosen a password meanwhile."""
    chosen = update(Staff).where(Staff.id == staff_id, Staff.active, if_).values(password_hash=password_hash)
    if not await tx.run(chosen):
        raise TokenInvalid(path=("token",))


async def _sign_out(tx: Tx, staff_id: UUID, but: UUID | None = None) -> None:
    """Ends what they are signed in by, and what they could sign in by without a password."""
    await session.end_all(tx, ActorKind.STAFF, staff_id, but)
    for purpose in (Purpose.STAFF_INVITATION, Purpose.STAFF_RESET_PASSWORD):
        await single_use.withdraw(tx, purpose, staff_id)


async def _note(tx: Tx, action: str, staff_id: UUID, actor: Actor, difference: Mapping[str, Any] = {}) -> None:
    """What somebody did to their own account."""
    themselves = replace(actor, kind=ActorKind.STAFF, id=staff_id)
    await audit.record(tx, themselves, action, subject(staff_id), difference)


_ACTIVE: Final = select(Staff).where(Staff.active)
# Before the token, as everybody does it who withdraws tokens of somebody that is let go: else each waits for the other.
_LOCK_BY_TOKEN: Final = text(
    """
    SELECT FROM staff WHERE id = (SELECT subject_id FROM single_use_token WHERE id = CAST(:token_id AS uuid))
    FOR NO KEY UPDATE
    """
)
_BY_EMAIL: Final = select(Staff).where(Staff.email == bindparam("email")).with_for_update(key_share=True)
