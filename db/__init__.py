"""Shape and storage: mapped classes, constraints, connections. No rules."""

from db.balance import Balance, BalanceEntry, BalanceHold
from db.base import Base
from db.cart import Cart, CartLine
from db.catalog import (
    Category,
    Collection,
    Media,
    OptionValue,
    Product,
    ProductCategory,
    ProductCollection,
    ProductOption,
    Variant,
    VariantOptionValue,
)
from db.changes import CHANGES
from db.channel import Channel, ProductChannel
from db.customer import Customer, CustomerAddress, CustomerGroup, CustomerGroupMember, EmailChange
from db.delivery import DeliveryOption, Quote
from db.document import TrustedDocument
from db.event import Event
from db.file import File
from db.fulfilment import Fulfilment, FulfilmentLine
from db.order import ORDER_NUMBER, Order, OrderLine
from db.payment import IdempotencyKey, Payment, PaymentAttempt, PaymentEvent, PaymentOperation, PaymentSession
from db.price import Price
from db.region import Region, RegionCountry, TaxRate
from db.session import ApiKey, Attempts, RefreshToken, Session, SingleUseToken
from db.staff import AuditEntry, RecoveryCode, Role, Staff, StaffRole
from db.stock import (
    StockItem,
    StockLevel,
    StockLocation,
    StockMovement,
    StockReservation,
    StockSetting,
    VariantStockItem,
)
from db.ticket import CannedReply, Ticket, TicketBrief, TicketEvent, TicketProof, TicketStaffRead
from db.workflow import Workflow, WorkflowState, WorkflowTransition

__all__ = [
    "CHANGES",
    "ORDER_NUMBER",
    "ApiKey",
    "Attempts",
    "AuditEntry",
    "Balance",
    "BalanceEntry",
    "BalanceHold",
    "Base",
    "CannedReply",
    "Cart",
    "CartLine",
    "Category",
    "Channel",
    "Collection",
    "Customer",
    "CustomerAddress",
    "CustomerGroup",
    "CustomerGroupMember",
    "DeliveryOption",
    "EmailChange",
    "Event",
    "File",
    "Fulfilment",
    "FulfilmentLine",
    "IdempotencyKey",
    "Media",
    "OptionValue",
    "Order",
    "OrderLine",
    "Payment",
    "PaymentAttempt",
    "PaymentEvent",
    "PaymentOperation",
    "PaymentSession",
    "Price",
    "Product",
    "ProductCategory",
    "ProductChannel",
    "ProductCollection",
    "ProductOption",
    "Quote",
    "RecoveryCode",
    "RefreshToken",
    "Region",
    "RegionCountry",
    "Role",
    "Session",
    "SingleUseToken",
    "Staff",
    "StaffRole",
    "StockItem",
    "StockLevel",
    "StockLocation",
    "StockMovement",
    "StockReservation",
    "StockSetting",
    "TaxRate",
    "Ticket",
    "TicketBrief",
    "TicketEvent",
    "TicketProof",
    "TicketStaffRead",
    "TrustedDocument",
    "Variant",
    "VariantOptionValue",
    "VariantStockItem",
    "Workflow",
    "WorkflowState",
    "WorkflowTransition",
]
