"""Money that came for an attempt which had been given up is taken if it can be, and sent back in full otherwise."""

import logging
from typing import Final
from uuid import UUID

from sqlalchemy import text

from domain import late_payment
from domain import payment_operation as operations
from domain.durable import Step
from domain.failpoint import failpoint
from domain.mail import Mail, MailNotSent
from domain.money import Money
from domain.payment_ledger import LateMoney
from domain.payment_operation import MoneyReturned
from domain.processes import operate_payment
from domain.processes.shop import Shop
from domain.refusal import Refusal, refusals_of

TOO_LATE: Final = "It came too late: there was no order for it any more."
RETURNED: Final = "payment_returned"
_log = logging.getLogger(__name__)
_PAYMENT: Final = text("SELECT id FROM payment WHERE attempt_id = :attempt_id")
_TO_TELL: Final = text(
    """
    SELECT payment.id, payment.currency, greatest(payment.authorised, payment.captured) AS amount, "order".email
    FROM payment JOIN "order" ON "order".id = payment.order_id
    WHERE payment.id = :payment_id AND "order".email NOT LIKE '%@erased.invalid'
    """
)


async def settle_late_money(shop: Shop, event: LateMoney) -> None:
    """Places the order if its cart is unchanged and all of it can be held again."""
    await failpoint("before_late_money")
    returning = await _take(shop, event.attempt_id)
    await failpoint("after_late_money")
    if returning is None:
        return
    async with shop.tx() as tx:
        begun = await operations.begin_return(tx, returning, TOO_LATE)
    await failpoint("after_return_begun")
    await operate_payment.run_all(shop, begun)


async def _take(shop: Shop, attempt_id: UUID) -> UUID | None:
    """None if it was taken; otherwise the payment that goes back."""
    try:
        async with shop.tx() as tx:
            return await late_payment.take(tx, attempt_id)
    except (Refusal, ExceptionGroup) as error:
        if not list(refusals_of(error)):
            raise
        _log.info("the money of attempt %s goes back: %s", attempt_id, error)
    (payment,) = await shop.read.records(_PAYMENT, attempt_id=attempt_id)
    return payment.id


async def tell_customer(shop: Shop, event: MoneyReturned) -> None:
    """Mails whoever paid that it goes back. Staff see it in `paymentsToReview`."""
    found = await shop.read.records(_TO_TELL, payment_id=event.payment_id)
    if not found:
        return
    if shop.post is None:
        raise MailNotSent("This process has no way to send mails.")
    amount = Money(found[0].amount, found[0].currency)
    facts = {"link": shop.post.storefront, "amount": f"{amount.amount} {amount.currency}"}
    await shop.post.mailer.send(Mail(RETURNED, found[0].email, facts, found[0].id))


LATE_STEPS: Final = (Step(settle_late_money),)
"""It is not undone: where it is sent back, the sweeper sees to it."""
TELL_STEPS: Final = (Step(tell_customer, tries=1),)
