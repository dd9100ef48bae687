"""Root fields about payments."""

from datetime import datetime
from typing import Any

from resolvers import payment
from resolvers.context import PUBLIC, Ctx
from resolvers.page import Page
from schema import payment_inputs as inputs
from schema.build import mutation, optional, query, view
from schema.node import PAGE_ARGS, Connection, page_args
from schema.payment import PaymentAttempt, PaymentsToReview


async def _attempts(ctx: Ctx, undecided_since: datetime | None, **args: Any) -> Page:
    return await payment.attempts(ctx, page_args(**args), undecided_since)


@view()
class PaymentQuery:
    """Reads about payments."""

    payment_attempts: Connection[PaymentAttempt] = query(
        _attempts,
        "payments:read",
        "Attempts to pay, oldest first. Needs `payments:read`.",
        undecided_since=optional(datetime, "Only those that began before and are undecided."),
        **PAGE_ARGS,
    )
    payments_to_review: PaymentsToReview = query(
        payment.to_review, "payments:read", "What staff should look at. Needs `payments:read`."
    )


@view()
class PaymentMutation:
    """Writes about payments."""

    payment_session_create: inputs.PaymentSessionCreatePayload = mutation(
        inputs.PaymentSessionCreateInput,
        payment.create_session,
        PUBLIC,
        "Lets a provider prepare the payment of a cart. No money moves by it, and it is good until the cart changes.",
    )
    order_payment_session_create: inputs.OrderPaymentSessionCreatePayload = mutation(
        inputs.OrderPaymentSessionCreateInput,
        payment.create_order_session,
        PUBLIC,
        "Lets a provider prepare the payment of what is due of one's own order.",
    )
    order_pay: inputs.OrderPayPayload = mutation(
        inputs.OrderPayInput,
        payment.pay,
        PUBLIC,
        "Pays what is due of one's own order. Sent again with the same key it goes on where it was.",
    )
    order_refund: inputs.OrderRefundPayload = mutation(
        inputs.OrderRefundInput,
        payment.refund,
        "orders:refund",
        "Sends money of an order back. Needs `orders:refund`.",
    )
    payment_capture: inputs.PaymentCapturePayload = mutation(
        inputs.PaymentCaptureInput,
        payment.capture,
        "payments:write",
        "Takes promised money; of a `manual` payment, books what has arrived. Needs `payments:write`.",
    )
    payment_void: inputs.PaymentVoidPayload = mutation(
        inputs.PaymentVoidInput,
        payment.void,
        "payments:write",
        "Gives up what is promised and has not come. Needs `payments:write`.",
    )
