"""When X, do Y: every reaction of the core to its own events, on one page.

Each is durable, idempotent and has its own transactions; a failing one neither stops the others nor is lost.
"""

from domain.durable import Reaction
from domain.order import OrderPlaced
from domain.processes import open_tickets

REACTIONS = (Reaction("open_tickets", OrderPlaced, open_tickets.STEPS),)
