"""Orders for those who do not sign in: links that are mailed, and tokens that let subscribe."""

import strawberry

from schema.build import given, input_type, required, view
from schema.errors import Payload
from schema.order import Order
from schema.scalars import BigInt


@input_type
class OrderSendAccessLinkInput:
    """What somebody knows who has lost the way to their order."""

    order_number: BigInt = required("The order's number.")
    email: str = required("The address that it was placed with.")


@input_type
class AccessLinkExchangeInput:
    """What came by e-mail."""

    token: str = required("The token of the link; it is good once.")


@input_type
class OrderEndAccessInput:
    """An order that its tokens and links shall not open any more."""

    order_id: strawberry.ID = required("Which order.")


@input_type
class LiveTokenCreateInput:
    """What is to be subscribed to."""

    access_token: str | None = given("An order's, for who is not signed in; by default that of `X-Access-Token`.")


@view()
class OrderSendAccessLinkPayload(Payload):
    """The same whether or not there is such an order: if there is, a link was mailed to its address."""


@view()
class AccessLinkExchangePayload(Payload):
    """The order that the link was for."""

    order: Order | None = strawberry.field(description="The order.")
    access_token: str | None = strawberry.field(description="Proves the order to be the caller's, for a day.")
    expires_in: int | None = strawberry.field(description="For how many seconds the token is good.")


@view()
class OrderEndAccessPayload(Payload):
    """The order without those who had a token of it."""

    order: Order | None = strawberry.field(description="The order, for those who may see it.")


@view()
class LiveTokenCreatePayload(Payload):
    """A token that lets subscribe, and nothing else."""

    live_token: str | None = strawberry.field(
        description="Send it as `Authorization: Bearer …` with a subscription. When it expires the stream ends: make "
        "another token and go on after the last `seq`."
    )
    expires_in: int | None = strawberry.field(description="For how many seconds it is good.")
