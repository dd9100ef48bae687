"""Where every operation begins. Each field says what it needs; `public` ones filter by owner in the query itself."""

from typing import Any

import strawberry

from resolvers import api_key, cart, catalog, customer, order, order_access, session, ticket
from resolvers.context import PUBLIC, SIGNED_IN, Ctx
from resolvers.node import node as find_node
from resolvers.node import nodes as find_nodes
from resolvers.page import Page
from schema import api_key as api_key_types
from schema import cart as cart_types
from schema import customer as customer_types
from schema import order_access as order_access_types
from schema import session as session_types
from schema import ticket as ticket_types
from schema.build import arg, mutation, optional, query, subscription, view
from schema.catalog import Product, ProductBy
from schema.customer_roots import CustomerMutation, CustomerQuery
from schema.node import PAGE_ARGS, Connection, Node, page_args
from schema.order import Order, OrderBy
from schema.region import Region
from schema.staff_roots import StaffMutation, StaffQuery

CART_TOKEN = optional(str, "The cart's secret; by default that of the header `X-Cart-Token`.")
ACCESS_TOKEN = optional(str, "The order's token; by default that of the header `X-Access-Token`.")


async def _node(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await find_node(ctx, id)


async def _nodes(ctx: Ctx, ids: list[str]) -> Any:
    return await find_nodes(ctx, ids)


async def _products(ctx: Ctx, **args: Any) -> Page:
    return await catalog.products(ctx, page_args(**args))


async def _api_keys(ctx: Ctx, **args: Any) -> Page:
    return await api_key.keys(ctx, page_args(**args))


async def _tickets(ctx: Ctx, state: str | None, **args: Any) -> Page:
    return await ticket.tickets(ctx, page_args(**args), state)


async def _cart(ctx: Ctx, id: str, token: str | None) -> Any:  # noqa: A002
    return await cart.cart(ctx, cart.key(ctx, id, token))


async def _ticket(ctx: Ctx, id: str, access_token: str | None) -> Any:  # noqa: A002
    return await ticket.ticket(ctx, id, access_token)


@view()
class Query(CustomerQuery, StaffQuery):
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
    api_keys: Connection[api_key_types.ApiKey] = query(
        _api_keys, "api_keys:read", "All API keys, oldest first. Needs `api_keys:read`.", **PAGE_ARGS
    )
    my_sessions: list[session_types.Session] = query(
        session.sessions, SIGNED_IN, "One's own sign-ins that have not ended, the latest first. Needs a sign-in."
    )


@view()
class Mutation(CustomerMutation, StaffMutation):
    """Writes. `userErrors` not empty means that nothing was done."""

    customer_sign_in: customer_types.CustomerSignInPayload = mutation(
        customer_types.CustomerSignInInput, customer.customer_sign_in, PUBLIC, "Signs a customer in."
    )
    customer_refresh: session_types.CustomerRefreshPayload = mutation(
        session_types.CustomerRefreshInput,
        session.customer_refresh,
        PUBLIC,
        "Goes on with a customer's sign-in. A refresh token that was used before ends it: somebody else has it too.",
    )
    customer_sign_out: session_types.CustomerSignOutPayload = mutation(
        session_types.CustomerSignOutInput, session.customer_sign_out, PUBLIC, "Ends a customer's sign-in."
    )
    staff_refresh: session_types.StaffRefreshPayload = mutation(
        session_types.StaffRefreshInput,
        session.staff_refresh,
        PUBLIC,
        "Goes on with a sign-in of staff. A refresh token that was used before ends it: somebody else has it too.",
    )
    staff_sign_out: session_types.StaffSignOutPayload = mutation(
        session_types.StaffSignOutInput, session.staff_sign_out, PUBLIC, "Ends a sign-in of staff."
    )
    session_end: session_types.SessionEndPayload = mutation(
        session_types.SessionEndInput, session.end_own, SIGNED_IN, "Ends one of one's own sign-ins. Needs a sign-in."
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
    order_send_access_link: order_access_types.OrderSendAccessLinkPayload = mutation(
        order_access_types.OrderSendAccessLinkInput,
        order_access.send_link,
        PUBLIC,
        "Mails a link to an order to the address that it was placed with. Whether there is one is not told.",
    )
    access_link_exchange: order_access_types.AccessLinkExchangePayload = mutation(
        order_access_types.AccessLinkExchangeInput,
        order_access.exchange,
        PUBLIC,
        "Exchanges the token of a mailed link, once, for the access token of its order.",
    )
    order_end_access: order_access_types.OrderEndAccessPayload = mutation(
        order_access_types.OrderEndAccessInput,
        order_access.end,
        PUBLIC,
        "Ends the access of all tokens and links of an order: one's own, or with `orders:write` any.",
    )
    live_token_create: order_access_types.LiveTokenCreatePayload = mutation(
        order_access_types.LiveTokenCreateInput,
        order_access.live_token,
        PUBLIC,
        "Makes a token that lets subscribe for some minutes, and nothing else: for browsers on another site, which "
        "get neither cookies nor tokens that could do more.",
    )
    api_key_create: api_key_types.ApiKeyCreatePayload = mutation(
        api_key_types.ApiKeyCreateInput, api_key.create, "api_keys:write", "Makes an API key. Needs `api_keys:write`."
    )
    api_key_rotate: api_key_types.ApiKeyRotatePayload = mutation(
        api_key_types.ApiKeyRotateInput,
        api_key.rotate,
        "api_keys:write",
        "Makes the key that follows another; that one goes on working for a while. Needs `api_keys:write`.",
    )
    api_key_revoke: api_key_types.ApiKeyRevokePayload = mutation(
        api_key_types.ApiKeyRevokeInput,
        api_key.revoke,
        "api_keys:write",
        "Makes a key good for nothing, at once. Needs `api_keys:write`.",
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
