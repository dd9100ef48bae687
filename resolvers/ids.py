"""Public ids: TypeIDs (a prefix that names the kind, an underscore, the UUID in base32). See the TypeID spec, 0.3."""

from collections.abc import Sequence
from functools import partial
from typing import Final
from uuid import UUID

from typeid import base32

from domain.refusal import ValidationFailed, gathered, under

SUFFIX: Final = 26
PREFIXES: Final = {
    "ApiKey": "apikey",
    "CannedReply": "reply",
    "Cart": "cart",
    "CartLine": "cartline",
    "Category": "category",
    "Channel": "channel",
    "Collection": "collection",
    "Customer": "customer",
    "CustomerAddress": "address",
    "CustomerGroup": "group",
    "DeliveryOption": "delivery",
    "GiftCard": "giftcard",
    "File": "file",
    "Fulfilment": "fulfilment",
    "Media": "media",
    "Notification": "notification",
    "Order": "order",
    "OrderLine": "orderline",
    "OptionValue": "value",
    "Payment": "payment",
    "PaymentAttempt": "attempt",
    "PaymentOperation": "operation",
    "PaymentSession": "paysession",
    "PriceList": "pricelist",
    "PriceRow": "price",
    "Product": "prod",
    "ProductOption": "option",
    "Region": "region",
    "Role": "role",
    "Session": "session",
    "Staff": "staff",
    "StockItem": "stockitem",
    "StockLevel": "stocklevel",
    "StockLocation": "stocklocation",
    "StockSettings": "stocksettings",
    "StoreCredit": "credit",
    "TaxClass": "taxclass",
    "TaxRate": "taxrate",
    "Ticket": "ticket",
    "TicketProof": "proof",
    "Variant": "variant",
    "Workflow": "workflow",
}
"""By the name of the GraphQL type."""


def encode(kind: str, key: UUID) -> str:
    """The public id of a row: `encode("Cart", id)` is `cart_01h…`."""
    return f"{PREFIXES[kind]}_{base32.encode(key.bytes)}"


def encode_text(kind: str, key: str | None) -> str | None:
    """The public id of a key as JSON has it."""
    return None if key is None else encode(kind, UUID(key))


def decode(kind: str, public: str, *path: str) -> UUID:
    """The key inside a public id; refuses one of another kind, at `path`."""
    prefix, _, suffix = public.rpartition("_")
    if prefix == PREFIXES[kind] and len(suffix) == SUFFIX and suffix.isascii() and suffix == suffix.lower():
        try:
            key = UUID(bytes=bytes(base32.decode(suffix)))
        except (ValueError, RuntimeError):
            key = None
        if key is not None and base32.encode(key.bytes) == suffix:
            return key
    a = "an" if kind[0] in "AEIOU" else "a"
    raise ValidationFailed(f"This is not the id of {a} {kind}: such ids begin with {PREFIXES[kind]}_.", path=path)


def decode_all(kind: str, publics: Sequence[str], path: str) -> list[UUID]:
    """The keys of several, each refused at its position."""
    parts = [((str(i),), partial(decode, kind, public)) for i, public in enumerate(publics)]
    with under(path):
        return gathered(parts)
