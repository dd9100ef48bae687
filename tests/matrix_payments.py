"""Examples for payments; sessions are made by a test provider that is started when the first one needs it."""

from typing import Any, Final

from sqlalchemy import text

from resolvers import ids
from tests import payments

MONEY: Final = {"amount": "1.00", "currency": "EUR"}


async def payment_of(world: Any, who: Any) -> str:
    """The payment of a person's order, which was promised outside of the shop."""
    statement = text("SELECT id FROM payment WHERE order_id = :order_id")
    rows = await world.shop.read.records(statement, order_id=ids.decode("Order", who.bought.order))
    return ids.encode("Payment", rows[0].id)


def _session(_world: Any, who: Any) -> dict[str, Any]:
    payments.start_provider_of_this_process()
    return {"cartId": who.cart.id, "provider": "test", "clientData": {"token": "captured"}}


def _order_session(_world: Any, who: Any) -> dict[str, Any]:
    payments.start_provider_of_this_process()
    return {"orderId": who.bought.order, "provider": "test", "clientData": {"token": "captured"}}


async def _pay(world: Any, who: Any) -> dict[str, Any]:
    given = _order_session(world, who)
    made = await who.api.done("orderPaymentSessionCreate", given, "session { id amount { amount currency } }")
    return {
        "orderId": who.bought.order,
        "paymentSessionId": made["session"]["id"],
        "expectedAmount": made["session"]["amount"],
        "idempotencyKey": "matrix",
    }


async def _capture(world: Any, who: Any) -> dict[str, Any]:
    return {"paymentId": await payment_of(world, who), "amount": MONEY, "idempotencyKey": "matrix"}


async def _void(world: Any, who: Any) -> dict[str, Any]:
    return {"paymentId": await payment_of(world, who), "idempotencyKey": "matrix"}


async def _refund(world: Any, who: Any) -> dict[str, Any]:
    """Of something that has come: a euro is booked first."""
    payment = await payment_of(world, who)
    booked = {"paymentId": payment, "amount": MONEY, "idempotencyKey": f"booked for {who.email}"}
    await world.almighty.done("paymentCapture", booked, "__typename")
    return {"orderId": who.bought.order, "amount": MONEY, "reason": "Broken", "idempotencyKey": "matrix"}


QUERIES: Final[dict[str, Any]] = {
    "paymentAttempts": {"": lambda *_: {"undecidedSince": None}},
}
MUTATIONS: Final[dict[str, Any]] = {
    "cartCancelPayment": lambda _, who: {"cartId": who.cart.id},
    "orderPay": _pay,
    "orderPaymentSessionCreate": _order_session,
    "orderRefund": _refund,
    "paymentCapture": _capture,
    "paymentSessionCreate": _session,
    "paymentVoid": _void,
}
