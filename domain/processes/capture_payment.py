"""Promised money of a placed order is taken, where the provider is set to do so by itself."""

from typing import Final

from sqlalchemy import text

from domain import payment_operation as operations
from domain.durable import Step
from domain.failpoint import failpoint
from domain.payment_ledger import PaymentAuthorised
from domain.payment_provider import Captures
from domain.processes import operate_payment
from domain.processes.shop import Shop

_PROVIDER: Final = text("SELECT provider FROM payment WHERE id = :payment_id")


async def capture_payment(shop: Shop, event: PaymentAuthorised) -> None:
    """Once: what is captured already, or about to be, is left alone. The sweeper finishes what has no answer."""
    (payment,) = await shop.read.records(_PROVIDER, payment_id=event.payment_id)
    if shop.providers[payment.provider].captures != Captures.AUTOMATIC:
        return
    async with shop.tx() as tx:
        begun = await operations.begin_capture_of_all(tx, event.payment_id)
    await failpoint("after_capture_begun")
    if begun is not None:
        await operate_payment.run_all(shop, [begun])


STEPS: Final = (Step(capture_payment),)
