"""Staff, their roles, their signing in and their second factor."""

from datetime import datetime
from typing import Any

import strawberry

from db import Role as RoleRow
from db import Staff as StaffRow
from resolvers import staff
from resolvers.session import TokenDelivery
from schema.build import column, derived, given, input_type, loads, required, view
from schema.errors import Payload
from schema.node import Node, public_id
from schema.session import access_token, expires_in, refresh_token, tokens

PASSWORD = "12 to 200 characters."  # noqa: S105 - what a password is
CODE = "Of the authenticator app, or a recovery code; each is good once."


@view(RoleRow)
class Role(Node):
    """A named set of permissions that staff are given."""

    id: strawberry.ID = public_id("Role")
    name: str = column("For people.")
    permissions: list[str] = column("Codes of what it allows; `*` is everything.")


@view()
class Permission:
    """Something that a role can allow."""

    code: str = strawberry.field(description="`resource:action`, or `*` for everything.")
    meaning: str = strawberry.field(description="What it allows, in English.")


def _allowed(roles: list[Any]) -> list[str]:
    return sorted({code for role in roles for code in role["permissions"]})


@view(StaffRow)
class Staff(Node):
    """Somebody who works here."""

    id: strawberry.ID = public_id("Staff")
    email: str = column("Their address.")
    name: str = column("Shown on tickets.")
    active: bool = column("Whether they may sign in.")
    accepted: bool = derived(lambda row: row["password_hash"] is not None, "They have accepted their invitation.")
    second_factor: bool = derived(
        lambda row: row["totp_confirmed_at"] is not None, "They sign in with a code besides their password."
    )
    roles: list[Role] = loads(staff.roles_of_staff, "id", "What they are here, by name.")
    permissions: list[str] = loads(staff.roles_of_staff, "id", "What all their roles allow.", then=_allowed)
    created_at: datetime = column("When they were invited.")


@input_type
class StaffSignInInput:
    """What a member of staff signs in with."""

    email: str = required("Their address.")
    password: str = required("Their password.")
    code: str | None = given(f"Asked for by `SecondFactorRequired`. {CODE}")
    tokens: TokenDelivery = tokens()


@view()
class StaffSignInPayload(Payload):
    """A sign-in."""

    staff: Staff | None = strawberry.field(description="Who signed in.")
    access_token: str | None = access_token()
    refresh_token: str | None = refresh_token()
    expires_in: int | None = expires_in()


@input_type
class StaffInviteInput:
    """Somebody who is to work here."""

    email: str = required("Where the invitation is mailed to, and what they will sign in with.")
    name: str = required("Shown on tickets.")
    role_ids: list[strawberry.ID] = required("What they are to be; roles that allow no more than the caller may.")


@view()
class StaffInvitePayload(Payload):
    """Who was invited."""

    staff: Staff | None = strawberry.field(description="The new member, who has no password yet.")


@input_type
class StaffAcceptInvitationInput:
    """An invitation, and the password of whoever accepts it."""

    token: str = required("From the link in the mail.")
    password: str = required(PASSWORD)
    tokens: TokenDelivery = tokens()


@view()
class StaffAcceptInvitationPayload(StaffSignInPayload):
    """A sign-in, the first one."""


@input_type
class StaffUpdateInput:
    """What is to change of a member of staff; what is left out stays as it is."""

    staff_id: strawberry.ID = required("Who.")
    name: str | None = given("Shown on tickets.")
    role_ids: list[strawberry.ID] | None = given("All roles that they are to have.")
    active: bool | None = given("Whether they may sign in. Made inactive, they are signed out everywhere at once.")
    remove_second_factor: bool = given("For one who has lost their app and their recovery codes.", False)


@view()
class StaffUpdatePayload(Payload):
    """The member as they are now."""

    staff: Staff | None = strawberry.field(description="The member of staff.")


@input_type
class StaffRequestPasswordResetInput:
    """An address that a password was forgotten for."""

    email: str = required("Their address.")


@view()
class StaffRequestPasswordResetPayload(Payload):
    """The same whether or not there is such an account."""


@input_type
class StaffResetPasswordInput:
    """The token of a reset, and the new password."""

    token: str = required("From the link in the mail.")
    password: str = required(PASSWORD)


@view()
class StaffResetPasswordPayload(Payload):
    """The new password is good, and they are signed out everywhere."""


@input_type
class StaffChangePasswordInput:
    """One's old password and the new one."""

    current_password: str = required("The one that is good now.")
    password: str = required(PASSWORD)


@view()
class StaffChangePasswordPayload(Payload):
    """The new password is good, and every other session has ended."""


@input_type
class StaffSessionEndInput:
    """A session of a member of staff."""

    session_id: strawberry.ID = required("Which one.")


@view()
class StaffSessionEndPayload(Payload):
    """It has ended."""

    staff: Staff | None = strawberry.field(description="Whose it was.")


@input_type
class RoleCreateInput:
    """A role to be made."""

    name: str = required("For people, unlike that of any other role.")
    permissions: list[str] = required("Codes of `permissions`; those only that the caller has.")


@view()
class RoleCreatePayload(Payload):
    """The role."""

    role: Role | None = strawberry.field(description="The role.")


@input_type
class RoleUpdateInput:
    """What is to change of a role; what is left out stays as it is."""

    role_id: strawberry.ID = required("Which one.")
    name: str | None = given("For people.")
    permissions: list[str] | None = given("All that it is to allow.")


@view()
class RoleUpdatePayload(Payload):
    """The role as it is now; it counts for everybody who has it from their next request on."""

    role: Role | None = strawberry.field(description="The role.")


@input_type
class RoleDeleteInput:
    """A role that nobody has."""

    role_id: strawberry.ID = required("Which one.")


@view()
class RoleDeletePayload(Payload):
    """What is gone."""

    deleted_role_id: strawberry.ID | None = strawberry.field(description="The role that was.")


@input_type
class StaffTotpBeginInput:
    """One's password again."""

    password: str = required("The caller's.")


@view()
class StaffTotpBeginPayload(Payload):
    """What an authenticator app is set up with. It counts when a code of it is confirmed."""

    secret: str | None = strawberry.field(description="In base32, for typing in; shown this once.")
    otpauth_uri: str | None = strawberry.field(description="The same as a URI, for a QR code.")


@input_type
class StaffTotpConfirmInput:
    """A code that the authenticator app shows."""

    code: str = required("Six digits.")


@view()
class StaffTotpConfirmPayload(Payload):
    """The second factor is on."""

    recovery_codes: list[str] | None = strawberry.field(
        description="Ten codes that each stand in once for one of the app; shown this once."
    )


@input_type
class StaffTotpRemoveInput:
    """One's password and a code."""

    password: str = required("The caller's.")
    code: str = required(CODE)


@view()
class StaffTotpRemovePayload(Payload):
    """The second factor is off."""
