"""When X, do Y: every reaction of the core to its own events, on one page.

Each is durable, idempotent and has its own transactions; a failing one neither stops the others nor is lost.
"""

from domain.durable import Reaction
from domain.order import OrderLinesCancelled, OrderPlaced
from domain.payment_ledger import LateMoney, PaymentAuthorised
from domain.payment_operation import MoneyReturned
from domain.processes import capture_payment, mail_token, open_tickets, send_order_link, settle_late_money
from domain.single_use import TokenIssued

REACTIONS = (
    Reaction("open_tickets", OrderPlaced, open_tickets.STEPS),
    Reaction("tickets_follow", OrderLinesCancelled, open_tickets.FOLLOWING),
    Reaction("send_order_link", OrderPlaced, send_order_link.STEPS),
    Reaction("mail_token", TokenIssued, mail_token.STEPS),
    Reaction("capture_payment", PaymentAuthorised, capture_payment.STEPS),
    Reaction("settle_late_money", LateMoney, settle_late_money.LATE_STEPS),
    Reaction("tell_of_returned_money", MoneyReturned, settle_late_money.TELL_STEPS),
)
