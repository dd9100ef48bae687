"""Notifications: what staff see of them, and what everybody wants to get."""

from enum import StrEnum
from itertools import product
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select

from db import Notification
from db.connection import Read
from db.notification import NotificationKind
from domain import notification, notification_choice
from domain.notification_choice import Choice, SetChoices
from resolvers import ids
from resolvers.batches import one
from resolvers.context import Ctx
from resolvers.page import Listed, Page, PageArgs, Sort

NEWEST_FIRST: Final = Sort("notification.id", (Notification.id,), descending=True)
FILTERS: Final = {
    "state": Notification.state == bindparam("state"),
    "kind": Notification.kind == bindparam("kind"),
    "order_id": Notification.order_id == bindparam("order_id"),
    "ticket_id": Notification.ticket_id == bindparam("ticket_id"),
}
notification_by_id = one(select(Notification), Notification.id)


class RecipientKind(StrEnum):
    CUSTOMER = "order"
    STAFF = "staff"
    ERASED = "erased"


def recipient_kind(row: Any) -> RecipientKind:
    return RecipientKind(row["recipient"].partition(":")[0])


def staff_id(row: Any) -> str | None:
    kind, _, key = row["recipient"].partition(":")
    return ids.encode("Staff", UUID(key)) if kind == RecipientKind.STAFF else None


def _listed(*names: str) -> Listed:
    return Listed(select(Notification).where(*(FILTERS[name] for name in names)), NEWEST_FIRST)


LISTS: Final = {
    tuple(chosen): _listed(*chosen)
    for chosen in (
        [name for name, wanted in zip(FILTERS, which, strict=True) if wanted]
        for which in product((0, 1), repeat=len(FILTERS))
    )
}
"""By the filters that are given."""


async def notifications(ctx: Ctx, args: PageArgs, wanted: Any) -> Page:
    given = {name: value for name in FILTERS if wanted and (value := getattr(wanted, name)) is not None}
    for name, kind in (("order_id", "Order"), ("ticket_id", "Ticket")):
        if name in given:
            given[name] = ids.decode(kind, given[name], "filter", name)
    return await LISTS[tuple(given)].page(ctx, args, **given)


async def find(ctx: Ctx, key: UUID) -> Any:
    """For staff who see notifications."""
    return await ctx.load(notification_by_id, key) if ctx.actor.may("notifications:read") else None


async def retry(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Notification", given.notification_id, "notification_id")
    async with ctx.shop.tx() as tx:
        await notification.retry(tx, key, ctx.actor)
    return {"notification": await ctx.load(notification_by_id, key)}


async def preferences(ctx: Ctx) -> dict[str, Any]:
    return await _preferences(ctx, ctx.read)


async def _preferences(ctx: Ctx, read: Read) -> dict[str, Any]:
    return {
        "locale": await notification_choice.locale_of(read, ctx.actor),
        "preferences": await notification_choice.choices(read, ctx.actor, ctx.shop.channels),
    }


async def set_preferences(ctx: Ctx, given: Any) -> dict[str, Any]:
    chosen = tuple(Choice(NotificationKind(c.kind), c.channel, c.enabled) for c in given.preferences or ())
    command = SetChoices(chosen, given.locale, "locale" in given.given)
    async with ctx.shop.tx() as tx:
        await notification_choice.set_choices(tx, command, ctx.actor, ctx.shop.channels)
        return {"notification_preferences": await _preferences(ctx, tx)}
