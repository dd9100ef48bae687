"""Where every operation begins. Each field says what it needs; `public` ones filter by owner in the query itself."""

from typing import Any

import strawberry

from resolvers import api_key, catalog, customer, order, order_access, session
from resolvers.context import PUBLIC, SIGNED_IN, Ctx
from resolvers.node import node as find_node
from resolvers.node import nodes as find_nodes
from resolvers.page import Page
from schema import api_key as api_key_types
from schema import customer as customer_types
from schema import order_access as order_access_types
from schema import session as session_types
from schema.balance_roots import BalanceMutation, BalanceQuery
from schema.build import arg, mutation, optional, query, view
from schema.cart_roots import CartMutation, CartQuery
from schema.catalog import Product, ProductBy
from schema.category_roots import CategoryMutation, CategoryQuery
from schema.channel_roots import ChannelMutation, ChannelQuery
from schema.collection_roots import CollectionMutation, CollectionQuery
from schema.customer_roots import CustomerMutation, CustomerQuery
from schema.delivery_roots import DeliveryMutation, DeliveryQuery
from schema.file_roots import FileMutation
from schema.listing import ListingQuery
from schema.live_roots import LiveSubscription
from schema.node import PAGE_ARGS, Connection, Node, page_args
from schema.notification_roots import NotificationMutation, NotificationQuery
from schema.order import Order, OrderBy
from schema.payment_roots import PaymentMutation, PaymentQuery
from schema.price_roots import PriceMutation, PriceQuery
from schema.product_roots import ProductMutation, ProductQuery
from schema.region_roots import RegionMutation, RegionQuery
from schema.shop import ShopQuery
from schema.staff_roots import StaffMutation, StaffQuery
from schema.stock_roots import StockMutation, StockQuery
from schema.tax_roots import TaxMutation, TaxQuery
from schema.ticket_roots import TicketMutation, TicketQuery, TicketSubscription
from schema.variant_roots import VariantMutation, VariantQuery

ACCESS_TOKEN = optional(str, "The order's token; by default that of the header `X-Access-Token`.")


async def _node(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await find_node(ctx, id)


async def _nodes(ctx: Ctx, ids: list[str]) -> Any:
    return await find_nodes(ctx, ids)


async def _api_keys(ctx: Ctx, **args: Any) -> Page:
    return await api_key.keys(ctx, page_args(**args))


@view()
class Query(
    BalanceQuery,
    CartQuery,
    CategoryQuery,
    ChannelQuery,
    CollectionQuery,
    CustomerQuery,
    DeliveryQuery,
    ListingQuery,
    NotificationQuery,
    PaymentQuery,
    PriceQuery,
    ProductQuery,
    RegionQuery,
    ShopQuery,
    StaffQuery,
    StockQuery,
    TaxQuery,
    TicketQuery,
    VariantQuery,
):
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
    product: Product | None = query(
        catalog.product, PUBLIC, "One published product.", shared=True, by=arg(ProductBy, "Which one.")
    )
    order: Order | None = query(
        order.order,
        PUBLIC,
        "An order: one's own, one with its access token, or with `orders:read` any.",
        by=arg(OrderBy, "Which one."),
        access_token=ACCESS_TOKEN,
    )
    api_keys: Connection[api_key_types.ApiKey] = query(
        _api_keys, "api_keys:read", "All API keys, oldest first. Needs `api_keys:read`.", **PAGE_ARGS
    )
    my_sessions: list[session_types.Session] = query(
        session.sessions, SIGNED_IN, "One's own sign-ins that have not ended, the latest first. Needs a sign-in."
    )


@view()
class Mutation(
    BalanceMutation,
    CartMutation,
    CategoryMutation,
    ChannelMutation,
    CollectionMutation,
    CustomerMutation,
    DeliveryMutation,
    FileMutation,
    NotificationMutation,
    PaymentMutation,
    PriceMutation,
    ProductMutation,
    RegionMutation,
    StaffMutation,
    StockMutation,
    TaxMutation,
    TicketMutation,
    VariantMutation,
):
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


@view()
class Subscription(TicketSubscription, LiveSubscription):
    """Streams."""
