"""When X, do Y: every reaction of the core to its own events, on one page.

Each is durable, idempotent and has its own transactions; a failing one neither stops the others nor is lost.
"""

from domain.durable import Reaction
from domain.order import OrderPlaced
from domain.processes import mail_token, open_tickets, send_order_link
from domain.single_use import TokenIssued

REACTIONS = (
    Reaction("open_tickets", OrderPlaced, open_tickets.STEPS),
    Reaction("send_order_link", OrderPlaced, send_order_link.STEPS),
    Reaction("mail_token", TokenIssued, mail_token.STEPS),
)
