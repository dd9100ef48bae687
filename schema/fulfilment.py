"""Fulfilments: what was sent and what has arrived."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db import Fulfilment as FulfilmentRow
from db import FulfilmentLine as LineRow
from resolvers import fulfilment, ids, order
from schema.build import column, derived, given, input_type, loads, required, view
from schema.errors import Payload
from schema.node import Node, public_id

if TYPE_CHECKING:
    from schema.order import OrderLine


@view(LineRow)
class FulfilmentLine:
    """Units of an order line in it; those of each ticket apart."""

    line: Annotated["OrderLine", strawberry.lazy("schema.order")] = loads(
        order.line_by_id, "order_line_id", "What was ordered."
    )
    ticket_id: strawberry.ID | None = derived(
        lambda row: row["ticket_id"] and ids.encode("Ticket", row["ticket_id"]),
        "Whose units they are; null: no ticket's.",
    )
    quantity: int = column("How many units.")
    delivered_at: datetime | None = column("When they have arrived.")


@view(FulfilmentRow)
class Fulfilment(Node):
    """A parcel, or whatever else went to the customer at once."""

    id: strawberry.ID = public_id("Fulfilment")
    lines: list[FulfilmentLine] = loads(fulfilment.lines_of_fulfilment, "id", "What is in it.")
    carrier: str = column("By whom; empty if that is not known.")
    tracking_number: str = column("To follow it; empty if there is none.")
    tracking_url: str = column("Where to follow it; empty if there is none.")
    shipped_at: datetime = column("When it was sent.")
    delivered_at: datetime | None = column("When the last of it has arrived.")


@input_type
class FulfilmentLineInput:
    """Units of an order line."""

    order_line_id: strawberry.ID = required("Which line.")
    quantity: int = required("How many units.")
    ticket_id: strawberry.ID | None = given("Of this ticket of the line; left out: of its tickets in turn.")


@input_type
class FulfilmentCreateInput:
    """What was sent at once."""

    order_id: strawberry.ID = required("Of which order.")
    lines: list[FulfilmentLineInput] = required("What is in it, at most 200 lines.")
    carrier: str = given("By whom, at most 200 characters.", "")
    tracking_number: str = given("To follow it, at most 200 characters.", "")
    tracking_url: str = given("Where to follow it: an address of the web.", "")


@input_type
class FulfilmentDeliverInput:
    """What has arrived."""

    fulfilment_id: strawberry.ID = required("Which one.")


@input_type
class FulfilmentUpdateInput:
    """How to follow it. What is null or left out stays as it is."""

    fulfilment_id: strawberry.ID = required("Which one.")
    carrier: str | None = given("By whom.")
    tracking_number: str | None = given("To follow it.")
    tracking_url: str | None = given("Where to follow it.")


@view()
class FulfilmentCreatePayload(Payload):
    """What was booked."""

    fulfilment: Fulfilment | None = strawberry.field(description="The fulfilment.")


@view()
class FulfilmentDeliverPayload(Payload):
    """What was booked."""

    fulfilment: Fulfilment | None = strawberry.field(description="The fulfilment.")


@view()
class FulfilmentUpdatePayload(Payload):
    """As it is now."""

    fulfilment: Fulfilment | None = strawberry.field(description="The fulfilment.")
