"""The public face for plug-in authors: what is imported from here is promised to stay.

    from counterfoil import Event, Reaction, Step, announce

Everything else in this repository may change from one version to the next.
"""

from db.connection import Read, Tx
from domain.durable import Reaction, Step
from domain.event import Event, announce
from domain.payment import Absent, Authorised, Charge, Declined, PaymentProvider
from domain.processes.shop import Shop
from domain.refusal import NotFound, Refusal, ValidationFailed

__all__ = [
    "Absent",
    "Authorised",
    "Charge",
    "Declined",
    "Event",
    "NotFound",
    "PaymentProvider",
    "Reaction",
    "Read",
    "Refusal",
    "Shop",
    "Step",
    "Tx",
    "ValidationFailed",
    "announce",
]
