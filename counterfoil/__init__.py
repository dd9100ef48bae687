"""The public face for plug-in authors: what is imported from here is promised to stay.

    from counterfoil import Event, Reaction, Step, announce

Everything else in this repository may change from one version to the next.
"""

from db.connection import Read, Tx
from domain.delivery import DeliveryProvider
from domain.durable import Reaction, Step
from domain.event import Event, announce
from domain.payment_provider import (
    Absent,
    ActionKind,
    ActionRequired,
    Authorised,
    Captured,
    Captures,
    Charge,
    CreatedSession,
    Declined,
    Operation,
    PaymentProvider,
    Pending,
    Refunded,
    Refused,
    Reported,
    SessionRequest,
    Voided,
    WebhookRefused,
)
from domain.processes.shop import Shop
from domain.refusal import NotFound, Refusal, ValidationFailed
from domain.tax_provider import ItemTax, TaxItem, TaxProvider, TaxRequest
from domain.totals import TaxAmount

__all__ = [
    "Absent",
    "ActionKind",
    "ActionRequired",
    "Authorised",
    "Captured",
    "Captures",
    "Charge",
    "CreatedSession",
    "Declined",
    "DeliveryProvider",
    "Event",
    "ItemTax",
    "NotFound",
    "Operation",
    "PaymentProvider",
    "Pending",
    "Reaction",
    "Read",
    "Refunded",
    "Refusal",
    "Refused",
    "Reported",
    "SessionRequest",
    "Shop",
    "Step",
    "TaxAmount",
    "TaxItem",
    "TaxProvider",
    "TaxRequest",
    "Tx",
    "ValidationFailed",
    "Voided",
    "WebhookRefused",
    "announce",
]
