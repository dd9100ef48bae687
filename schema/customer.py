"""Customers, their addresses, orders and groups, and their signing in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from db import Customer as CustomerRow
from db import CustomerAddress as CustomerAddressRow
from db import CustomerGroup as CustomerGroupRow
from resolvers import balance, customer, customer_group, ticket_board
from resolvers.session import TokenDelivery
from schema.balance import StoreCredit
from schema.build import column, given, input_type, loads, optional, required, view
from schema.cart import Cart
from schema.errors import Payload
from schema.node import PAGE_ARGS, Connection, Node, page_args, public_id
from schema.order import Address, Order
from schema.session import access_token, expires_in, refresh_token, tokens
from schema.ticket import Ticket


def paged_by_id(rows: Sequence[Any], **args: Any) -> list[Any]:
    """The keys of a connection under each row."""
    page = page_args(**args)
    return [(row["id"], page) for row in rows]


def _tickets_by_id(rows: Sequence[Any], requires_action: bool | None, **args: Any) -> list[Any]:
    page = page_args(**args)
    return [(row["id"], page, requires_action) for row in rows]


@view(CustomerAddressRow)
class CustomerAddress(Node):
    """An address that a customer keeps for later orders."""

    id: strawberry.ID = public_id("CustomerAddress")
    address: Address = column("The address.")
    default_shipping: bool = column("Orders go there unless something else is said.")
    default_billing: bool = column("Bills go there unless something else is said.")


@view(CustomerGroupRow)
class CustomerGroup(Node):
    """Customers who are treated alike. No customer is told of groups."""

    id: strawberry.ID = public_id("CustomerGroup")
    name: str = column("For staff; unique.")
    created_at: datetime = column("Since when there is it.")
    members: Connection["Customer"] = loads(
        customer_group.members_of_group, paged_by_id, "Who is in it, oldest accounts first.", **PAGE_ARGS
    )


@view(CustomerRow)
class Customer(Node):
    """Somebody who buys."""

    id: strawberry.ID = public_id("Customer")
    email: str = column("Their address.")
    first_name: str = column("Given name.")
    last_name: str = column("Family name.")
    phone: str = column("Telephone number; empty if none was given.")
    confirmed_at: datetime | None = column("Since when the e-mail address is known to be theirs.")
    created_at: datetime = column("Since when there is the account.")
    addresses: list[CustomerAddress] = loads(
        customer.addresses_of_customer,
        "id",
        "Kept for later orders, oldest first. Nothing to others without `customers:read`.",
    )
    orders: Connection[Order] = loads(
        customer.orders_of_customer,
        paged_by_id,
        "Their placed orders, oldest first: ask for the `last` ones. Nothing to others without `orders:read`.",
        **PAGE_ARGS,
    )
    tickets: Connection[Ticket] = loads(
        ticket_board.tickets_of_customer,
        _tickets_by_id,
        "The work on their orders, oldest first. Nothing to others without `tickets:read`.",
        requires_action=optional(bool, "Only those that wait for them, or with false only the others."),
        **PAGE_ARGS,
    )
    unread_count: int = loads(
        ticket_board.unread_of_customer,
        "id",
        "What they have not read on their tickets; see `ticketMarkRead`. Nothing to others without `tickets:read`.",
    )
    groups: list[CustomerGroup] = loads(
        customer.groups_of_customer, "id", "Groups they are in, by name; nothing without `customers:read`."
    )
    store_credit: list[StoreCredit] = loads(
        balance.credits_of_customer, "id", "By currency. Nothing to others without `store_credit:read`."
    )


@input_type
class CustomerSignInInput:
    """What a customer signs in with."""

    email: str = required("Their address.")
    password: str = required("Their password.")
    cart_token: str | None = given(
        "The secret of a cart that is to be merged into theirs; by default that of the header `X-Cart-Token`."
    )
    tokens: TokenDelivery = tokens()


@view()
class CustomerSignInPayload(Payload):
    """A sign-in."""

    customer: Customer | None = strawberry.field(description="Who signed in.")
    cart: Cart | None = strawberry.field(description="Their cart, if the one before the sign-in was merged into it.")
    cart_token: str | None = strawberry.field(
        description="Its new secret, if the cart itself became theirs. The old one is good for nothing."
    )
    access_token: str | None = access_token()
    refresh_token: str | None = refresh_token()
    expires_in: int | None = expires_in()
