"""Completing a cart: PREPARE, the provider's call outside of any transaction, then FINALISE or RELEASE."""

import logging
from uuid import UUID

from sqlalchemy import text

from db import Cart
from db.cart import CartStatus
from domain import cart as carts
from domain import checkout
from domain import payment as payments
from domain.cart import AlreadyCompleted, CartKey
from domain.checkout import CompleteCart, Placed
from domain.failpoint import failpoint
from domain.idempotency import InProgress
from domain.processes import pay as paying
from domain.processes.pay import Acting
from domain.processes.shop import Shop
from domain.refusal import NotFound, ValidationFailed

_log = logging.getLogger(__name__)


async def complete_cart(shop: Shop, command: CompleteCart) -> Placed | Acting:
    """Pays and places the order. Called again with the same key it goes on where it was."""
    if command.session_id is None:
        _check_provider(shop, command.provider)
    await failpoint("before_prepare")
    async with shop.tx() as tx:
        prepared = await checkout.prepare(tx, command)
    await failpoint("after_prepare")
    if prepared.placed is not None:
        return prepared.placed
    if prepared.attempt is None:
        return await checkout.placed_as(shop.read, prepared.order_id)
    return await paying.pay(shop, prepared.attempt)


def _check_provider(shop: Shop, name: str) -> None:
    provider = shop.providers.get(name)
    if provider is None:
        known = ", ".join(sorted(shop.providers))
        raise ValidationFailed(f"There is no such payment provider; choose of: {known}.", path=("payment_provider",))
    if provider.needs_session:
        raise ValidationFailed(
            "This provider is paid by a session; make one with paymentSessionCreate.", path=("payment_session_id",)
        )


# Not of what is paid later for the order that the cart became: that is no payment of the cart.
_UNDECIDED = text(
    """
    SELECT attempt.id FROM payment_attempt AS attempt JOIN "order" ON "order".id = attempt.order_id
    WHERE "order".cart_id = :cart_id AND attempt.cart_version IS NOT NULL
      AND attempt.state IN ('started', 'action_required')
    """
)


async def cancel_payment(shop: Shop, key: CartKey) -> Cart:
    """Ends the payment of a cart at its provider and opens the cart again; where none is under way it is open already.

    Refuses with AlreadyCompleted when the money came first, and with InProgress while the provider does not answer.
    """
    await _find(shop, key)
    rows = await shop.read.records(_UNDECIDED, cart_id=key.cart_id)
    if rows:
        await _end(shop, rows[0].id)
    cart = await _find(shop, key)
    if cart.status == CartStatus.COMPLETED:
        raise AlreadyCompleted("The payment had gone through: the cart has become an order.", path=("cart_id",))
    if cart.status == CartStatus.PAYING:
        raise InProgress("The payment could not be ended yet.", path=("cart_id",))
    return cart


async def _find(shop: Shop, key: CartKey) -> Cart:
    cart = await carts.find(shop.read, key)
    if cart is None:
        raise NotFound("There is no such cart, or it is not yours.", path=("cart_id",))
    return cart


async def _end(shop: Shop, attempt_id: UUID) -> None:
    attempt = await payments.find(shop.read, attempt_id)
    assert attempt is not None
    try:
        provider = shop.providers[attempt.provider]
        charge = await payments.charge_of(shop.read, attempt)
        answer = await paying.cancel(shop, provider, charge)
    except Exception as error:
        _log.exception("attempt %s could not be cancelled", attempt_id)
        raise InProgress("The payment provider has not answered yet.", path=("cart_id",)) from error
    await paying.write_down(shop, attempt, answer)
