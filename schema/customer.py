"""Customers, staff and signing in."""

import strawberry

from db import Customer as CustomerRow
from db import Staff as StaffRow
from schema.build import column, input_type, required, view
from schema.errors import Payload
from schema.node import Node, public_id


@view(CustomerRow)
class Customer(Node):
    """Somebody who buys."""

    id: strawberry.ID = public_id("Customer")
    email: str = column("Their address.")
    first_name: str = column("Given name.")
    last_name: str = column("Family name.")


@view(StaffRow)
class Staff(Node):
    """Somebody who works here."""

    id: strawberry.ID = public_id("Staff")
    email: str = column("Their address.")
    name: str = column("Shown on tickets.")


@input_type
class CustomerSignInInput:
    """What a customer signs in with."""

    email: str = required("Their address.")
    password: str = required("Their password.")


@input_type
class StaffSignInInput:
    """What a member of staff signs in with."""

    email: str = required("Their address.")
    password: str = required("Their password.")


@view()
class CustomerSignInPayload(Payload):
    """A sign-in."""

    customer: Customer | None = strawberry.field(description="Who signed in.")
    access_token: str | None = strawberry.field(description="Send it as `Authorization: Bearer …`.")
    expires_in: int | None = strawberry.field(description="For how many seconds it is good.")


@view()
class StaffSignInPayload(Payload):
    """A sign-in."""

    staff: Staff | None = strawberry.field(description="Who signed in.")
    access_token: str | None = strawberry.field(description="Send it as `Authorization: Bearer …`.")
    expires_in: int | None = strawberry.field(description="For how many seconds it is good.")
