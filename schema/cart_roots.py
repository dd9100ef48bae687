"""The root fields that are about carts."""

from typing import Any

import strawberry

from resolvers import cart, cart_write
from resolvers.context import PUBLIC, SIGNED_IN_CUSTOMER, Ctx
from schema import cart as cart_types
from schema import cart_write as writes
from schema.build import arg, mutation, optional, query, view

CART_TOKEN = optional(str, "The cart's secret; by default that of the header `X-Cart-Token`.")


async def _cart(ctx: Ctx, id: str, token: str | None) -> Any:  # noqa: A002
    return await cart.cart(ctx, cart.key(ctx, id, token))


@view()
class CartQuery:
    """Reads."""

    cart: cart_types.Cart | None = query(
        _cart,
        PUBLIC,
        "A cart, for who has its token or is its customer.",
        id=arg(strawberry.ID, "Which one."),
        token=CART_TOKEN,
    )


@view()
class CartMutation:
    """Writes."""

    cart_create: writes.CartCreatePayload = mutation(
        writes.CartCreateInput, cart_write.create, PUBLIC, "Begins a cart."
    )
    cart_add_lines: writes.CartAddLinesPayload = mutation(
        writes.CartAddLinesInput, cart_write.add_lines, PUBLIC, "Puts units into a cart."
    )
    cart_update_lines: writes.CartUpdateLinesPayload = mutation(
        writes.CartUpdateLinesInput, cart_write.update_lines, PUBLIC, "Changes quantities."
    )
    cart_remove_lines: writes.CartRemoveLinesPayload = mutation(
        writes.CartRemoveLinesInput, cart_write.remove_lines, PUBLIC, "Takes lines out."
    )
    cart_set_customer: writes.CartSetCustomerPayload = mutation(
        writes.CartSetCustomerInput, cart_write.set_customer, PUBLIC, "Says who the order will be for."
    )
    cart_set_addresses: writes.CartSetAddressesPayload = mutation(
        writes.CartSetAddressesInput, cart_write.set_addresses, PUBLIC, "Says where the order will go."
    )
    cart_complete: cart_types.CartCompletePayload = mutation(
        cart_types.CartCompleteInput,
        cart.complete,
        PUBLIC,
        "Pays and places the order. Sent again with the same key it goes on where it was, and answers the same.",
    )
    cart_cancel_payment: cart_types.CartCancelPaymentPayload = mutation(
        cart_types.CartCancelPaymentInput,
        cart.cancel_payment,
        PUBLIC,
        "Ends the payment that is under way and opens the cart again. `AlreadyCompleted`: the money came first, and "
        "`Cart.order` is the order.",
    )
    cart_set_brief: writes.CartSetBriefPayload = mutation(
        writes.CartSetBriefInput,
        cart_write.set_brief,
        PUBLIC,
        "Says what is to be made of a line.",
    )
    cart_set_metadata: writes.CartSetMetadataPayload = mutation(
        writes.CartSetMetadataInput,
        cart_write.set_metadata,
        PUBLIC,
        "Keeps the storefront's own data with a cart or a line.",
    )
    cart_set_context: writes.CartSetContextPayload = mutation(
        writes.CartSetContextInput,
        cart_write.set_context,
        PUBLIC,
        "Takes a cart to another region, where everything is priced anew.",
    )
    cart_set_delivery: writes.CartSetDeliveryPayload = mutation(
        writes.CartSetDeliveryInput,
        cart_write.set_delivery,
        PUBLIC,
        "Says how the order will be delivered.",
    )
    cart_merge: writes.CartMergePayload = mutation(
        writes.CartMergeInput,
        cart_write.merge,
        SIGNED_IN_CUSTOMER,
        "Puts a cart together with the customer's. Needs a customer who has signed in.",
    )
    cart_create_from_order: writes.CartCreateFromOrderPayload = mutation(
        writes.CartCreateFromOrderInput,
        cart_write.create_from_order,
        PUBLIC,
        "Begins a cart with what was ordered: in one's own order, with its access token, or with `orders:read` in any.",
    )
