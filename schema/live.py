"""What streams over several things are made of."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from resolvers import ids, live_order, ticket
from resolvers.live_order import OrderChangeKind
from schema.build import derived, enum, loads, view
from schema.cart import Cart
from schema.catalog import Availability
from schema.order import Order
from schema.ticket import ResyncRequired, Ticket
from schema.ticket_board import TicketBoard
from schema.ticket_event import TicketEvent

CURSOR = "Resume after this, with the argument `after` of the same stream."
enum(
    OrderChangeKind,
    "What happened to an order.",
    ORDER="It was changed itself: one of its statuses, its money, its addresses.",
    LINES_CANCELLED="Units of a line are not wanted any more.",
    TICKETS_OPENED="Its tickets are there.",
    TICKET="Something happened to one of its tickets.",
    SHIPPED="Something was sent.",
    DELIVERED="Something that was sent has arrived.",
)


@view()
class OrderSnapshot:
    """The first item of a stream: the order as it is."""

    cursor: str = strawberry.field(description=CURSOR)
    order: Order = strawberry.field(description="The order.")


def _tickets_named(rows: Sequence[Any]) -> list[Any]:
    return [row["ticket_id"] for row in rows]


@view()
class OrderChange:
    """Something happened. Each comes once and in order."""

    cursor: str = strawberry.field(description=CURSOR)
    kind: OrderChangeKind = strawberry.field(description="What it was.")
    order: Order = loads(live_order.order_by_id, "order_id", "The order as it is now.")
    event: TicketEvent | None = strawberry.field(description="What happened to the ticket, if it was about one.")
    ticket: Ticket | None = loads(ticket.ticket_by_id, _tickets_named, "Which ticket, as it is now.")


OrderStreamItem = Annotated[
    OrderSnapshot | OrderChange | ResyncRequired,
    strawberry.union("OrderStreamItem", description="What an order's stream is made of."),
]


@view()
class TicketsSnapshot:
    """The first item of a stream: the newest 100 tickets as they are."""

    cursor: str = strawberry.field(description=CURSOR)
    tickets: list[Ticket] = strawberry.field(description="The tickets, the newest last.")


@view()
class TicketsChange:
    """Something happened to a ticket, or there is a new one. Each event comes once and in order."""

    cursor: str = strawberry.field(description=CURSOR)
    event: TicketEvent = strawberry.field(description="What happened.")
    ticket: Ticket = loads(ticket.ticket_by_id, "ticket_id", "The ticket as it is now.")


TicketsStreamItem = Annotated[
    TicketsSnapshot | TicketsChange | ResyncRequired,
    strawberry.union("TicketsStreamItem", description="What the stream of a customer's tickets is made of."),
]


@view()
class TicketBoardSnapshot:
    """The first item of a stream: the board as it is."""

    cursor: str = strawberry.field(description=CURSOR)
    board: TicketBoard = strawberry.field(description="The board.")


@view()
class TicketBoardChange:
    """Something happened to a ticket of the workflow, or there is a new one. Each event comes once and in order."""

    cursor: str = strawberry.field(description=CURSOR)
    event: TicketEvent = strawberry.field(description="What happened.")
    ticket_id: strawberry.ID = derived(lambda item: ids.encode("Ticket", item["ticket_id"]), "To which ticket.")
    fits: bool = strawberry.field(
        description="The ticket is on the board that was asked for now; if not, take it off where it was."
    )
    ticket: Ticket = loads(ticket.ticket_by_id, "ticket_id", "The ticket as it is now.")


TicketBoardStreamItem = Annotated[
    TicketBoardSnapshot | TicketBoardChange | ResyncRequired,
    strawberry.union("TicketBoardStreamItem", description="What a board's stream is made of."),
]


@view()
class CartState:
    """The cart as it is now. Its `version` never falls."""

    version: int = strawberry.field(description="That of the cart.")
    cart: Cart = strawberry.field(description="The cart; once it is completed, with what became of it.")


CartStreamItem = Annotated[
    CartState,
    strawberry.union("CartStreamItem", description="What a cart's stream is made of."),
]


@view()
class VariantAvailability:
    """Whether a variant can be bought now."""

    variant_id: strawberry.ID = derived(lambda item: ids.encode("Variant", item["variant_id"]), "Which variant.")
    availability: Availability | None = strawberry.field(
        description="As `Variant.availability` says it. Null: it is not for sale in the context, or there is none."
    )


@view()
class AvailabilityState:
    """All variants that are watched, as they are now."""

    variants: list[VariantAvailability] = strawberry.field(description="In the order in which they were asked for.")


AvailabilityStreamItem = Annotated[
    AvailabilityState,
    strawberry.union("AvailabilityStreamItem", description="What the stream of variants is made of."),
]
