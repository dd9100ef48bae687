"""Completing a cart: the four phases, and the sweeper that ends what a crash left open."""

import logging
from dataclasses import dataclass
from uuid import UUID

from db import PaymentAttempt
from db.payment import AttemptState
from domain import checkout
from domain.checkout import CompleteCart
from domain.payment import Absent, Authorised, Charge, Declined, PaymentDeclined, PaymentProvider
from domain.processes.shop import Shop
from domain.refusal import ErrorCode, Refusal, ValidationFailed

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class InProgress(Refusal):
    """The outcome is not known yet; ask again with the same key in `retry_after` seconds."""

    retry_after: int = 2
    code = ErrorCode.IN_PROGRESS


async def complete_cart(shop: Shop, command: CompleteCart) -> UUID:
    """Pays and places the order; returns its id. Called again with the same key it goes on where it was."""
    provider = shop.providers.get(command.provider)
    if provider is None:
        known = ", ".join(sorted(shop.providers))
        raise ValidationFailed(f"There is no such payment provider; choose of: {known}.", path=("payment_provider",))
    async with shop.tx() as tx:
        prepared = await checkout.prepare(tx, command)
    if prepared.attempt is not None and prepared.attempt.state != AttemptState.SUCCEEDED:
        if prepared.attempt.state == AttemptState.FAILED:
            raise PaymentDeclined("The payment was declined.")
        await _pay(shop, provider, prepared.charge)
    return prepared.order_id


async def _pay(shop: Shop, provider: PaymentProvider, charge: Charge) -> None:
    try:
        answer = await provider.authorise(charge)
    except Exception as error:
        _log.exception("provider %s gave no answer for attempt %s", provider.name, charge.attempt_id)
        raise InProgress("The payment provider has not answered yet.") from error
    if isinstance(answer, Declined):
        async with shop.tx() as tx:
            await checkout.release(tx, charge.attempt_id, AttemptState.FAILED)
        raise PaymentDeclined(answer.message, retryable=answer.retryable)
    await _finalise(shop, provider, charge, answer)


async def _finalise(shop: Shop, provider: PaymentProvider, charge: Charge, authorised: Authorised) -> None:
    async with shop.tx() as tx:
        placed = await checkout.finalise(tx, charge.attempt_id, authorised)
    if not placed:
        await provider.cancel(charge)
        raise PaymentDeclined("The payment took too long and was given up; nothing was ordered.")


async def sweep(shop: Shop) -> int:
    """Ends attempts that nobody waits for any more, with the provider's word; returns how many."""
    attempts = await checkout.abandoned(shop.read, shop.sweep_after)
    ended = 0
    for attempt in attempts:
        try:
            await _end(shop, attempt)
            ended += 1
        except Exception:
            # Unknown is a state: the next sweep asks again.
            _log.exception("attempt %s could not be ended", attempt.id)
    return ended


async def _end(shop: Shop, attempt: PaymentAttempt) -> None:
    provider = shop.providers[attempt.provider]
    charge = Charge(attempt.id, attempt.amount, attempt.currency)
    answer = await provider.cancel(charge)
    async with shop.tx() as tx:
        if isinstance(answer, Absent):
            await checkout.release(tx, attempt.id, AttemptState.CANCELLED)
        else:
            await checkout.finalise(tx, attempt.id, answer)
