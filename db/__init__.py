"""Shape and storage: mapped classes, constraints, connections. No rules."""

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
from db.customer import Customer, CustomerAddress, CustomerGroup, CustomerGroupMember, EmailChange
from db.document import TrustedDocument
from db.event import Event
from db.order import ORDER_NUMBER, Order, OrderLine
from db.payment import IdempotencyKey, Payment, PaymentAttempt, PaymentEvent
from db.price import Price
from db.region import Region, RegionCountry, TaxRate
from db.session import ApiKey, Attempts, RefreshToken, Session, SingleUseToken
from db.staff import AuditEntry, RecoveryCode, Role, Staff, StaffRole
from db.stock import StockItem, StockLevel, StockLocation, StockMovement, StockReservation, VariantStockItem
from db.ticket import Ticket, TicketEvent
from db.workflow import Workflow, WorkflowState, WorkflowTransition

__all__ = [
    "CHANGES",
    "ORDER_NUMBER",
    "ApiKey",
    "Attempts",
    "AuditEntry",
    "Base",
    "Cart",
    "CartLine",
    "Category",
    "Collection",
    "Customer",
    "CustomerAddress",
    "CustomerGroup",
    "CustomerGroupMember",
    "EmailChange",
    "Event",
    "IdempotencyKey",
    "Media",
    "OptionValue",
    "Order",
    "OrderLine",
    "Payment",
    "PaymentAttempt",
    "PaymentEvent",
    "Price",
    "Product",
    "ProductCategory",
    "ProductCollection",
    "ProductOption",
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
    "TaxRate",
    "Ticket",
    "TicketEvent",
    "TrustedDocument",
    "Variant",
    "VariantOptionValue",
    "VariantStockItem",
    "Workflow",
    "WorkflowState",
    "WorkflowTransition",
]
