"""Where every operation begins. Each field says what it needs; `public` ones filter by owner in the query itself."""

from typing import Any

import strawberry

from resolvers import cart, catalog, customer, order, ticket
from resolvers.context import PUBLIC, Ctx
from resolvers.node import node as find_node
from resolvers.node import nodes as find_nodes
from resolvers.page import Page
from schema import cart as cart_types
from schema import customer as customer_types
from schema import ticket as ticket_types
from schema.build import arg, mutation, optional, query, subscription, view
from schema.catalog import Product, ProductBy
from schema.node import PAGE_ARGS, Connection, Node, page_args
from schema.order import Order, OrderBy
from schema.region import Region

CART_TOKEN = optional(str, "The cart's secret; by default that of the header `X-Cart-Token`.")
ACCESS_TOKEN = optional(str, "The order's token; by default that of the header `X-Access-Token`.")


async def _node(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await find_node(ctx, id)


async def _nodes(ctx: Ctx, ids: list[str]) -> Any:
    return await find_nodes(ctx, ids)


async def _products(ctx: Ctx, **args: Any) -> Page:
    return await catalog.products(ctx, page_args(**args))


async def _tickets(ctx: Ctx, state: str | None, **args: Any) -> Page:
    return await ticket.tickets(ctx, page_args(**args), state)


async def _cart(ctx: Ctx, id: str, token: str | None) -> Any:  # noqa: A002
    return await cart.cart(ctx, cart.key(ctx, id, token))


async def _ticket(ctx: Ctx, id: str, access_token: str | None) -> Any:  # noqa: A002
    return await ticket.ticket(ctx, id, access_token)


@view()
class Query:
    """Reads."""

    node: Node | None = query(
        _node,
        PUBLIC,
        "Anything by its id, if the caller may see it; secrets are taken from the headers.",
        id=arg(strawberry.ID, "Which one."),
    )
    nodes: list[Node | None] = query(
        _nodes,
        PUBLIC,
        "Several at once, in the order of the ids; null for what is not there.",
        ids=arg(list[strawberry.ID], "Which ones, at most 100."),
    )
    regions: list[Region] = query(catalog.regions, PUBLIC, "All regions, the default one first.", shared=True)
    products: Connection[Product] = query(
        _products, PUBLIC, "Published products, oldest first.", shared=True, **PAGE_ARGS
    )
    product: Product | None = query(
        catalog.product, PUBLIC, "One published product.", shared=True, by=arg(ProductBy, "Which one.")
    )
    cart: cart_types.Cart | None = query(
        _cart,
        PUBLIC,
        "A cart, for who has its token or is its customer.",
        id=arg(strawberry.ID, "Which one."),
        token=CART_TOKEN,
    )
    order: Order | None = query(
        order.order,
        PUBLIC,
        "An order: one's own, one with its access token, or with `orders:read` any.",
        by=arg(OrderBy, "Which one."),
        access_token=ACCESS_TOKEN,
    )
    ticket: ticket_types.Ticket | None = query(
        _ticket,
        PUBLIC,
        "A ticket: of one's own order, with the order's access token, or with `tickets:read` any.",
        id=arg(strawberry.ID, "Which one."),
        access_token=ACCESS_TOKEN,
    )
    tickets: Connection[ticket_types.Ticket] = query(
        _tickets,
        "tickets:read",
        "All tickets, oldest first. Needs `tickets:read`.",
        state=optional(str, "Only those in the state of this code."),
        **PAGE_ARGS,
    )


@view()
class Mutation:
    """Writes. `userErrors` not empty means that nothing was done."""

    customer_sign_in: customer_types.CustomerSignInPayload = mutation(
        customer_types.CustomerSignInInput, customer.customer_sign_in, PUBLIC, "Signs a customer in."
    )
    staff_sign_in: customer_types.StaffSignInPayload = mutation(
        customer_types.StaffSignInInput, customer.staff_sign_in, PUBLIC, "Signs a member of staff in."
    )
    cart_create: cart_types.CartCreatePayload = mutation(
        cart_types.CartCreateInput, cart.create, PUBLIC, "Begins a cart."
    )
    cart_add_lines: cart_types.CartAddLinesPayload = mutation(
        cart_types.CartAddLinesInput, cart.add_lines, PUBLIC, "Puts units into a cart."
    )
    cart_update_lines: cart_types.CartUpdateLinesPayload = mutation(
        cart_types.CartUpdateLinesInput, cart.update_lines, PUBLIC, "Changes quantities."
    )
    cart_remove_lines: cart_types.CartRemoveLinesPayload = mutation(
        cart_types.CartRemoveLinesInput, cart.remove_lines, PUBLIC, "Takes lines out."
    )
    cart_set_customer: cart_types.CartSetCustomerPayload = mutation(
        cart_types.CartSetCustomerInput, cart.set_customer, PUBLIC, "Says who the order will be for."
    )
    cart_set_addresses: cart_types.CartSetAddressesPayload = mutation(
        cart_types.CartSetAddressesInput, cart.set_addresses, PUBLIC, "Says where the order will go."
    )
    cart_complete: cart_types.CartCompletePayload = mutation(
        cart_types.CartCompleteInput,
        cart.complete,
        PUBLIC,
        "Pays and places the order. Sent again with the same key it goes on where it was, and answers the same.",
    )
    ticket_move: ticket_types.TicketMovePayload = mutation(
        ticket_types.TicketMoveInput, ticket.move, "tickets:write", "Moves a ticket. Needs `tickets:write`."
    )
    ticket_post_message: ticket_types.TicketPostMessagePayload = mutation(
        ticket_types.TicketPostMessageInput,
        ticket.post_message,
        PUBLIC,
        "Writes on a ticket: on one's own, with the order's access token, or with `tickets:write` on any.",
    )


@view()
class Subscription:
    """Streams."""

    ticket_events: ticket_types.TicketStreamItem = subscription(
        ticket.ticket_events,
        PUBLIC,
        "A ticket, live: its state first, then every change once and in order. With `afterSeq` the changes at once.",
        ticket_id=arg(strawberry.ID, "Which ticket."),
        access_token=ACCESS_TOKEN,
        after_seq=optional(int, "The last `seq` that was seen."),
    )
