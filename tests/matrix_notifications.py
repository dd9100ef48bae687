"""Examples for notifications, and what of them is in the world of the matrix."""

from typing import Any, Final

from sqlalchemy import text

from db.connection import new_id
from domain.processes.shop import Shop
from resolvers import ids

TOLD: Final = text(
    """
    INSERT INTO notification (id, event, kind, recipient, channel, order_id, ticket_id, state, reason, sent_at)
    VALUES (:id, :event, 'message_posted', :recipient, 'email', :order, :ticket, CAST(:state AS text), :reason,
            CASE WHEN CAST(:state AS text) = 'sent' THEN now() END)
    """
)


async def notification(shop: Shop, order: str, ticket: str, state: str) -> str:
    """About somebody's ticket: to staff if it was sent, to them if it failed."""
    key = new_id()
    about = {"order": ids.decode("Order", order), "ticket": ids.decode("Ticket", ticket)}
    recipient = f"staff:{new_id()}" if state == "sent" else f"order:{about['order']}"
    reason = "" if state == "sent" else "SMTPConnectError"
    async with shop.tx() as tx:
        await tx.run(TOLD, id=key, event=f"ticket:{key}", recipient=recipient, state=state, reason=reason, **about)
    return ids.encode("Notification", key)


async def things_of(shop: Shop, order: str, ticket: str) -> dict[str, str]:
    await notification(shop, order, ticket, "failed")
    return {"Notification": await notification(shop, order, ticket, "sent")}


async def failed(world: Any, who: Any) -> dict[str, Any]:
    return {"notificationId": await notification(world.shop, who.bought.order, who.bought.ticket, "failed")}


MUTATIONS: Final[dict[str, Any]] = {
    "notificationPreferencesSet": lambda *_: {
        "preferences": [{"kind": "MESSAGE_POSTED", "channel": "email", "enabled": False}],
        "locale": "de",
    },
    "notificationRetry": failed,
}
