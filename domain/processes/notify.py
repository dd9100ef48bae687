"""When something has happened: who is to be told of it. Each is told by a reaction of its own, deliver_notification."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import text

from db.connection import Tx
from db.notification import NotificationKind
from db.ticket import TicketEventKind, Visibility
from db.workflow import ActorKind
from domain import notification, notification_recipient
from domain.durable import Step
from domain.fulfilment import FulfilmentDelivered
from domain.notification import Recipient, Told
from domain.order import OrderPlaced
from domain.payment_operation import MoneyReturned
from domain.processes.shop import Shop
from domain.ticket import TicketNews, TicketsOpened


async def send_order_link(shop: Shop, event: OrderPlaced) -> None:
    """Whoever placed an order is told that it is placed, with a link that opens it."""
    async with shop.tx() as tx:
        told = Told(f"order:{event.order_id}", NotificationKind.ORDER_PLACED, event.order_id)
        await _tell_customer(shop, tx, told, where_placed=True)


async def notify_tickets_opened(shop: Shop, event: TicketsOpened) -> None:
    """Once for all tickets that were opened together, whichever announcement of them comes first."""
    async with shop.tx() as tx:
        for row in await tx.records(_OPENED, order_id=event.order_id):
            told = Told(f"tickets:{row.id}", NotificationKind.TICKETS_OPENED, event.order_id)
            await _tell_customer(shop, tx, told)


async def notify_ticket_news(shop: Shop, event: TicketNews) -> None:
    async with shop.tx() as tx:
        found = await tx.records(_EVENT, ticket_id=event.ticket_id, seq=event.seq)
        kind = _kind(found[0]) if found else None
        if kind is None:
            return
        told = Told(f"ticket:{event.ticket_id}:{event.seq}", kind, found[0].order_id, event.ticket_id)
        if _is_for_staff(found[0]):
            await _tell(shop, tx, told, await notification_recipient.staff_of(tx, event.ticket_id))
        else:
            await _tell_customer(shop, tx, told)


async def notify_delivered(shop: Shop, event: FulfilmentDelivered) -> None:
    async with shop.tx() as tx:
        told = Told(f"fulfilment:{event.fulfilment_id}", NotificationKind.DELIVERED, event.order_id)
        await _tell_customer(shop, tx, told)


async def tell_customer(shop: Shop, event: MoneyReturned) -> None:
    """Whoever paid is told that it goes back. Staff see it in `paymentsToReview`."""
    async with shop.tx() as tx:
        found = await tx.records(_ORDER_OF_PAYMENT, payment_id=event.payment_id)
        if found:
            told = Told(f"payment:{event.payment_id}", NotificationKind.PAYMENT_RETURNED, found[0].order_id)
            await _tell_customer(shop, tx, told, where_placed=True)


async def _tell_customer(shop: Shop, tx: Tx, told: Told, *, where_placed: bool = False) -> None:
    recipient = await notification_recipient.customer_of(tx, told.order_id, where_placed=where_placed)
    await _tell(shop, tx, told, [] if recipient is None else [recipient])


async def _tell(shop: Shop, tx: Tx, told: Told, recipients: Iterable[Recipient]) -> None:
    await notification.queue(tx, told, recipients, shop.channels)


def _kind(row: Any) -> NotificationKind | None:
    """What of it is told, to whichever side; null: nothing."""
    if row.kind == TicketEventKind.MESSAGE and row.visibility == Visibility.PUBLIC:
        return NotificationKind.MESSAGE_POSTED
    if row.kind == TicketEventKind.PROOF_UPLOADED:
        return NotificationKind.PROOF_READY
    # By their own doing, or together with the proof that they are told of: they know.
    if row.kind == TicketEventKind.MOVED and row.actor_kind != ActorKind.CUSTOMER and not row.by_proof:
        return NotificationKind.ACTION_REQUIRED
    return NotificationKind.OVERDUE if row.kind == TicketEventKind.OVERDUE else None


def _is_for_staff(row: Any) -> bool:
    from_customer = row.kind == TicketEventKind.MESSAGE and row.actor_kind == ActorKind.CUSTOMER
    return from_customer or row.kind == TicketEventKind.OVERDUE


# Those that were split off have another time, and somebody who did it.
_OPENED: Final = text(
    """
    SELECT DISTINCT ON (ticket.created_at) ticket.id
    FROM ticket JOIN ticket_event AS opening ON opening.ticket_id = ticket.id AND opening.seq = 1
    WHERE ticket.order_id = :order_id AND opening.actor_kind = 'system'
    ORDER BY ticket.created_at, ticket.id
    """
)
_EVENT: Final = text(
    """
    SELECT event.kind, event.visibility, event.actor_kind, ticket.order_id, before.kind = 'proof_uploaded' AS by_proof
    FROM ticket_event AS event JOIN ticket ON ticket.id = event.ticket_id
    LEFT JOIN ticket_event AS before ON before.ticket_id = event.ticket_id AND before.seq = event.seq - 1
    WHERE event.ticket_id = :ticket_id AND event.seq = :seq
    """
)
_ORDER_OF_PAYMENT: Final = text("SELECT order_id FROM payment WHERE id = :payment_id")

PLACED_STEPS: Final = (Step(send_order_link),)
OPENED_STEPS: Final = (Step(notify_tickets_opened),)
NEWS_STEPS: Final = (Step(notify_ticket_news),)
DELIVERED_STEPS: Final = (Step(notify_delivered),)
RETURNED_STEPS: Final = (Step(tell_customer, tries=1),)
"""None is undone: what was told was told."""
