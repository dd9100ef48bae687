"""What staff read and write about themselves: accounts, roles, sessions and the audit log."""

from typing import Any

import strawberry

from resolvers import audit, staff
from resolvers.context import PUBLIC, SIGNED_IN_STAFF, Ctx
from resolvers.page import Page
from schema import audit as audit_types
from schema import staff as staff_types
from schema.build import arg, mutation, optional, query, view
from schema.node import PAGE_ARGS, Connection, page_args
from schema.session import Session


async def _staff(ctx: Ctx, **args: Any) -> Page:
    return await staff.staff(ctx, page_args(**args))


async def _audit_log(ctx: Ctx, subject: str | None, staff_id: str | None, **args: Any) -> Page:
    return await audit.log(ctx, page_args(**args), subject, staff_id)


@view()
class StaffQuery:
    """Reads."""

    staff_me: staff_types.Staff | None = query(
        staff.me, SIGNED_IN_STAFF, "The member of staff who asks. Needs a sign-in as staff."
    )
    roles: list[staff_types.Role] = query(staff.roles, "staff:read", "All roles, by name. Needs `staff:read`.")
    permissions: list[staff_types.Permission] = query(
        staff.permissions, "staff:read", "All that roles can allow. Needs `staff:read`."
    )
    staff_sessions: list[Session] = query(
        staff.sessions,
        "staff:read",
        "The sign-ins of a member of staff that have not ended, the latest first. Needs `staff:read`.",
        staff_id=arg(strawberry.ID, "Whose."),
    )
    audit_log: Connection[audit_types.AuditEntry] = query(
        _audit_log,
        "audit:read",
        "Every write that needed a permission, newest first. Needs `audit:read`.",
        subject=optional(strawberry.ID, "Only what was done to the thing with this id."),
        staff_id=optional(strawberry.ID, "Only what this member of staff did."),
        **PAGE_ARGS,
    )
    staff: Connection[staff_types.Staff] = query(
        _staff, "staff:read", "All staff, oldest first. Needs `staff:read`.", **PAGE_ARGS
    )


@view()
class StaffMutation:
    """Writes."""

    staff_sign_in: staff_types.StaffSignInPayload = mutation(
        staff_types.StaffSignInInput, staff.sign_in, PUBLIC, "Signs a member of staff in."
    )
    staff_request_password_reset: staff_types.StaffRequestPasswordResetPayload = mutation(
        staff_types.StaffRequestPasswordResetInput,
        staff.request_password_reset,
        PUBLIC,
        "Mails a link to choose a new password with, if there is such an account. Which, is not told.",
    )
    staff_reset_password: staff_types.StaffResetPasswordPayload = mutation(
        staff_types.StaffResetPasswordInput,
        staff.reset_password,
        PUBLIC,
        "Chooses a new password by the token that was mailed, and ends all sessions. Sign in after it.",
    )
    staff_accept_invitation: staff_types.StaffAcceptInvitationPayload = mutation(
        staff_types.StaffAcceptInvitationInput,
        staff.accept_invitation,
        PUBLIC,
        "Accepts an invitation by the token that was mailed, with a password, and signs in.",
    )
    staff_change_password: staff_types.StaffChangePasswordPayload = mutation(
        staff_types.StaffChangePasswordInput,
        staff.change_password,
        SIGNED_IN_STAFF,
        "Changes the caller's password and ends their other sessions. Needs a sign-in as staff.",
    )
    staff_totp_begin: staff_types.StaffTotpBeginPayload = mutation(
        staff_types.StaffTotpBeginInput,
        staff.begin_totp,
        SIGNED_IN_STAFF,
        "Begins to set up the second factor of the member of staff who asks. Needs a sign-in as staff.",
    )
    staff_totp_confirm: staff_types.StaffTotpConfirmPayload = mutation(
        staff_types.StaffTotpConfirmInput,
        staff.confirm_totp,
        SIGNED_IN_STAFF,
        "Turns on the second factor, when the authenticator app has shown its first code. Needs a sign-in as staff.",
    )
    staff_totp_remove: staff_types.StaffTotpRemovePayload = mutation(
        staff_types.StaffTotpRemoveInput,
        staff.remove_totp,
        SIGNED_IN_STAFF,
        "Turns off the second factor of the member of staff who asks. Needs a sign-in as staff.",
    )
    staff_invite: staff_types.StaffInvitePayload = mutation(
        staff_types.StaffInviteInput,
        staff.invite,
        "staff:write",
        "Invites somebody to work here; again, the earlier invitation is good no more. Needs `staff:write`.",
    )
    staff_update: staff_types.StaffUpdatePayload = mutation(
        staff_types.StaffUpdateInput, staff.change, "staff:write", "Changes a member of staff. Needs `staff:write`."
    )
    staff_session_end: staff_types.StaffSessionEndPayload = mutation(
        staff_types.StaffSessionEndInput,
        staff.end_session,
        "staff:write",
        "Ends a session of a member of staff. Needs `staff:write`.",
    )
    role_create: staff_types.RoleCreatePayload = mutation(
        staff_types.RoleCreateInput, staff.create_role, "roles:write", "Makes a role. Needs `roles:write`."
    )
    role_update: staff_types.RoleUpdatePayload = mutation(
        staff_types.RoleUpdateInput, staff.change_role, "roles:write", "Changes a role. Needs `roles:write`."
    )
    role_delete: staff_types.RoleDeletePayload = mutation(
        staff_types.RoleDeleteInput, staff.delete_role, "roles:write", "Deletes a role. Needs `roles:write`."
    )
