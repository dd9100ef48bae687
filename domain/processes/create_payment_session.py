"""A session with a provider, for a cart or for an order that is paid later. The provider is called in between."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db import PaymentSession
from db.connection import new_id
from domain import cart as carts
from domain import checkout, order_payment, payment_session
from domain.assessment import assess
from domain.cart import CartKey
from domain.failpoint import failpoint
from domain.idempotency import InProgress
from domain.order_payment import OrderKey
from domain.payment_provider import Refused, SessionRequest
from domain.payment_session import Payable
from domain.processes.pay import within
from domain.processes.quote_cart import quoted
from domain.processes.shop import Shop
from domain.refusal import NotFound, ValidationFailed

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NewSession:
    """`client` is what the customer's browser says to the provider; the shop does not look into it."""

    provider: str
    client: Mapping[str, Any] = field(default_factory=dict[str, Any])


async def for_cart(shop: Shop, key: CartKey, new: NewSession) -> PaymentSession:
    cart = await carts.find(shop.read, key)
    if cart is None:
        raise NotFound("There is no such cart, or it is not yours.", path=("cart_id",))
    await carts.check_open(shop.read, cart)
    assessment = await quoted(shop, (await assess(shop.read, [cart]))[0])
    payment_session.check_offered(assessment.region, new.provider, "provider")
    return await _create(shop, checkout.to_pay(cart, assessment), new)


async def for_order(shop: Shop, key: OrderKey, new: NewSession) -> PaymentSession:
    order = await order_payment.find(shop.read, key)
    return await _create(shop, await order_payment.to_pay(shop.read, order), new)


async def _create(shop: Shop, payable: Payable, new: NewSession) -> PaymentSession:
    provider = shop.providers.get(new.provider)
    if provider is None or not provider.needs_session:
        known = ", ".join(sorted(name for name, one in shop.providers.items() if one.needs_session)) or "none"
        raise ValidationFailed(f"No such provider makes sessions; choose of: {known}.", path=("provider",))
    if payable.amount <= 0:
        subject = "cart_id" if payable.order_id is None else "order_id"
        raise ValidationFailed("There is nothing to be paid, so no session is needed.", path=(subject,))
    session_id = new_id()
    storefront = shop.post.storefront if shop.post is not None else ""
    request = SessionRequest(session_id, payable.amount, payable.currency, new.client, storefront)
    try:
        await failpoint("before_create_session")
        created = await within(shop, provider.create_session(request))
        await failpoint("after_create_session")
    except Exception as error:
        _log.exception("provider %s made no session", provider.name)
        raise InProgress("The payment provider does not answer; try again.") from error
    if isinstance(created, Refused):
        raise ValidationFailed(created.message, path=("client_data",))
    async with shop.tx() as tx:
        return await payment_session.keep(tx, session_id, provider.name, payable, created)
