"""Root fields about notifications."""

from typing import Any

from resolvers import notification
from resolvers.context import SIGNED_IN, Ctx
from resolvers.page import Page
from schema import notification as types
from schema.build import mutation, optional, query, view
from schema.node import PAGE_ARGS, Connection, page_args


async def _notifications(ctx: Ctx, filter: Any, **args: Any) -> Page:  # noqa: A002
    return await notification.notifications(ctx, page_args(**args), filter)


@view()
class NotificationQuery:
    """Reads."""

    notifications: Connection[types.Notification] = query(
        _notifications,
        "notifications:read",
        "What people were told or are to be told, newest first. Needs `notifications:read`.",
        filter=optional(types.NotificationFilter, "Only those."),
        **PAGE_ARGS,
    )
    notification_preferences: types.NotificationPreferences = query(
        notification.preferences,
        SIGNED_IN,
        "What the caller, a customer or a member of staff, wants to be told of. Needs a sign-in.",
    )


@view()
class NotificationMutation:
    """Writes."""

    notification_retry: types.NotificationRetryPayload = mutation(
        types.NotificationRetryInput,
        notification.retry,
        "notifications:write",
        "Has a notification that failed tried again, now. Needs `notifications:write`.",
    )
    notification_preferences_set: types.NotificationPreferencesSetPayload = mutation(
        types.NotificationPreferencesSetInput,
        notification.set_preferences,
        SIGNED_IN,
        "Says what the caller wants to be told of, and in which language. Needs a sign-in.",
    )
