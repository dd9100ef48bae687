"""The streams over several things, and those of states."""

from typing import Any

import strawberry

from resolvers import availability, live_cart, live_order, live_tickets
from resolvers.context import PUBLIC, SIGNED_IN_CUSTOMER, Ctx
from schema import live as types
from schema.build import arg, optional, subscription, view
from schema.cart_roots import CART_TOKEN
from schema.ticket_board import TicketFilter
from schema.ticket_roots import ACCESS_TOKEN

AFTER = optional(str, "The last `cursor` that was seen: no snapshot, but at once what was missed.")


def _board(ctx: Ctx, workflow: str, filter: Any, per_column: int, after: str | None) -> Any:  # noqa: A002
    return live_tickets.board_changes(ctx, workflow, filter, per_column, after)


def _availability(ctx: Ctx, ids: list[str]) -> Any:
    return availability.variant_availability(ctx, ids)


@view()
class LiveSubscription:
    """Streams."""

    order_updated: types.OrderStreamItem = subscription(
        live_order.order_updated,
        PUBLIC,
        "An order, live: as it is, then everything that happens to it and to its tickets. One's own, with its access "
        "token, or with `orders:read` any; of tickets staff are told with `tickets:read`.",
        order_id=arg(strawberry.ID, "Which order."),
        access_token=ACCESS_TOKEN,
        after=AFTER,
    )
    my_tickets: types.TicketsStreamItem = subscription(
        live_tickets.my_tickets,
        SIGNED_IN_CUSTOMER,
        "All tickets of the customer who has signed in, live. Needs a customer who has signed in.",
        after=AFTER,
    )
    ticket_board: types.TicketBoardStreamItem = subscription(
        _board,
        "tickets:read",
        "The board of a workflow, live. Needs `tickets:read`.",
        workflow=arg(str, "Code of the workflow.", "default"),
        filter=optional(TicketFilter, "Only these tickets are on it."),
        per_column=arg(int, "How many tickets of each column the snapshot shows, 1 to 100.", 50),
        after=AFTER,
    )
    cart_updated: types.CartStreamItem = subscription(
        live_cart.cart_updated,
        PUBLIC,
        "A cart as it is, again after each change: also when a payment that was under way elsewhere completes it, "
        "which ends the stream. For who has its token or is its customer.",
        cart_id=arg(strawberry.ID, "Which cart."),
        token=CART_TOKEN,
    )
    variant_availability: types.AvailabilityStreamItem = subscription(
        _availability,
        PUBLIC,
        "Whether variants can be bought, as shoppers see it, again whenever that changes.",
        ids=arg(list[strawberry.ID], "Which variants, at most 50."),
    )
