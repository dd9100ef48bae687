"""When X, do Y: every reaction of the core to its own events, on one page.

Each is durable, idempotent and has its own transactions; a failing one neither stops the others nor is lost.
"""

from domain.durable import Reaction
from domain.fulfilment import FulfilmentDelivered
from domain.notification import NotificationQueued
from domain.order import OrderLinesCancelled, OrderPlaced
from domain.payment_ledger import LateMoney, PaymentAuthorised
from domain.payment_operation import MoneyReturned
from domain.processes import (
    capture_payment,
    deliver_notification,
    mail_token,
    notify,
    open_tickets,
    settle_late_money,
)
from domain.single_use import TokenIssued
from domain.ticket import TicketNews, TicketsOpened

REACTIONS = (
    Reaction("open_tickets", OrderPlaced, open_tickets.STEPS),
    Reaction("tickets_follow", OrderLinesCancelled, open_tickets.FOLLOWING),
    Reaction("send_order_link", OrderPlaced, notify.PLACED_STEPS),
    Reaction("mail_token", TokenIssued, mail_token.STEPS),
    Reaction("capture_payment", PaymentAuthorised, capture_payment.STEPS),
    Reaction("settle_late_money", LateMoney, settle_late_money.LATE_STEPS),
    Reaction("tell_of_returned_money", MoneyReturned, notify.RETURNED_STEPS),
    Reaction("notify_tickets_opened", TicketsOpened, notify.OPENED_STEPS),
    Reaction("notify_ticket_news", TicketNews, notify.NEWS_STEPS),
    Reaction("notify_delivered", FulfilmentDelivered, notify.DELIVERED_STEPS),
    Reaction("deliver_notification", NotificationQueued, deliver_notification.STEPS),
)
