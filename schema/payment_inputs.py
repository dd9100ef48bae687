"""Inputs and payloads of the mutations about payments."""

import strawberry

from domain.payment_operation import LONGEST_REASON
from schema.build import given, input_type, required, view
from schema.errors import Payload
from schema.money import MoneyInput
from schema.next_action import NextAction
from schema.order import Order
from schema.payment import Payment, PaymentOperation, PaymentSession, Refund
from schema.scalars import Json


@input_type
class PaymentSessionCreateInput:
    """A session for what a cart comes to now."""

    cart_id: strawberry.ID = required("Which cart.")
    token: str | None = given("Its secret; by default that of the header `X-Cart-Token`.")
    provider: str = required("Which provider.")
    client_data: Json | None = given("What the browser says to the provider, as that wants it.")


@input_type
class OrderPaymentSessionCreateInput:
    """A session for what is due of a placed order."""

    order_id: strawberry.ID = required("Which order.")
    access_token: str | None = given("The order's token; by default that of the header `X-Access-Token`.")
    provider: str = required("Which provider.")
    client_data: Json | None = given("What the browser says to the provider, as that wants it.")


@input_type
class OrderPayInput:
    """What is due of a placed order, to be paid now."""

    order_id: strawberry.ID = required("Which order.")
    access_token: str | None = given("The order's token; by default that of the header `X-Access-Token`.")
    payment_session_id: strawberry.ID = required("The session that it is paid by (`orderPaymentSessionCreate`).")
    expected_amount: MoneyInput = required("The session's amount as the customer was shown it. Only compared.")
    idempotency_key: str = required("Of your making, one per payment: however often it is sent, it is one.")


@input_type
class OrderRefundInput:
    """Money of an order that is to go back."""

    order_id: strawberry.ID = required("Which order.")
    amount: MoneyInput = required("How much, at most what came and has not gone back.")
    reason: str | None = given(f"For people, at most {LONGEST_REASON} characters.")
    idempotency_key: str = required("Of your making, one per refund: however often it is sent, it is one.")
    payment_id: strawberry.ID | None = given("Of which payment; by default of as many as it takes, the first first.")


@input_type
class PaymentCaptureInput:
    """Promised money that is to be taken; of `manual` payments: what has arrived."""

    payment_id: strawberry.ID = required("Which payment.")
    amount: MoneyInput = required("How much, at most what is promised and has not come.")
    idempotency_key: str = required("Of your making, one per capture: however often it is sent, it is one.")


@input_type
class PaymentVoidInput:
    """Promised money that is to be given up."""

    payment_id: strawberry.ID = required("Which payment.")
    idempotency_key: str = required("Of your making: however often it is sent, it is done once.")


@view()
class PaymentSessionCreatePayload(Payload):
    """The session."""

    session: PaymentSession | None = strawberry.field(description="The session; complete the cart with its id.")


@view()
class OrderPaymentSessionCreatePayload(Payload):
    """The session."""

    session: PaymentSession | None = strawberry.field(description="The session; pay the order with its id.")


@view()
class OrderPayPayload(Payload):
    """The order that was paid, or what the customer has to do first."""

    order: Order | None = strawberry.field(description="The order; null while `nextAction` is to be done.")
    access_token: str | None = strawberry.field(description="Proves the order to be the caller's.")
    next_action: NextAction | None = strawberry.field(
        description="What the customer has to do at the provider. Then send the same call again, with the same key."
    )


@view()
class OrderRefundPayload(Payload):
    """The refunds that were begun; `state` says what became of each."""

    refunds: list[Refund] | None = strawberry.field(description="One per payment that it goes back to.")
    order: Order | None = strawberry.field(description="The order as it is now.")


@view()
class PaymentCapturePayload(Payload):
    """The capture; `state` says what became of it."""

    operation: PaymentOperation | None = strawberry.field(description="The capture.")
    payment: Payment | None = strawberry.field(description="The payment as it is now.")


@view()
class PaymentVoidPayload(Payload):
    """What was given up; `state` says whether it was."""

    operation: PaymentOperation | None = strawberry.field(description="The operation.")
    payment: Payment | None = strawberry.field(description="The payment as it is now.")
