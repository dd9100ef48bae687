"""Shape and storage: mapped classes, constraints, connections. No rules."""

from db.balance import Balance, BalanceEntry, BalanceHold
from db.base import Base
from db.cart import Cart, CartLine
from db.catalog import (
    Media,
    OptionValue,
    Product,
    ProductOption,
    Variant,
    VariantOptionValue,
)
from db.category import Category, CategoryAncestor, CategoryTree, ProductCategory
from db.changes import CHANGES
from db.channel import Channel, ProductChannel
from db.collection import Collection, CollectionChannel, CollectionDue, ProductCollection
from db.completion import COMPLETED
from db.customer import Customer, CustomerAddress, CustomerGroup, CustomerGroupMember, EmailChange
from db.delivery import DeliveryOption, Quote
from db.document import TrustedDocument
from db.event import Event, LogState
from db.file import File
from db.fulfilment import Fulfilment, FulfilmentLine
from db.handle import HandleHistory
from db.listing import ListingClock, ListingDue, ProductFacet, ProductListing, SearchDocument, SearchTitle, SearchWord
from db.notification import Notification, NotificationOptOut
from db.order import ORDER_NUMBER, Order, OrderLine
from db.payment import IdempotencyKey, Payment, PaymentAttempt, PaymentEvent, PaymentOperation, PaymentSession
from db.price import HISTORY, Price, PriceHistory, PriceList, PriceListGroup, PriceListHistory
from db.region import Region, RegionCountry
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
from db.tax import TaxClass, TaxRate
from db.ticket import CannedReply, Ticket, TicketBrief, TicketEvent, TicketProof, TicketStaffRead
from db.workflow import Workflow, WorkflowState, WorkflowTransition

__all__ = [
    "CHANGES",
    "COMPLETED",
    "HISTORY",
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
    "CategoryAncestor",
    "CategoryTree",
    "Channel",
    "Collection",
    "CollectionChannel",
    "CollectionDue",
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
    "HandleHistory",
    "IdempotencyKey",
    "ListingClock",
    "ListingDue",
    "LogState",
    "Media",
    "Notification",
    "NotificationOptOut",
    "OptionValue",
    "Order",
    "OrderLine",
    "Payment",
    "PaymentAttempt",
    "PaymentEvent",
    "PaymentOperation",
    "PaymentSession",
    "Price",
    "PriceHistory",
    "PriceList",
    "PriceListGroup",
    "PriceListHistory",
    "Product",
    "ProductCategory",
    "ProductChannel",
    "ProductCollection",
    "ProductFacet",
    "ProductListing",
    "ProductOption",
    "Quote",
    "RecoveryCode",
    "RefreshToken",
    "Region",
    "RegionCountry",
    "Role",
    "SearchDocument",
    "SearchTitle",
    "SearchWord",
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
    "TaxClass",
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
