"""Completing a cart: the four phases, and the sweeper that ends what a crash left open."""

import asyncio
import logging

from db import PaymentAttempt
from db.payment import AttemptState
from domain import checkout, payment
from domain.checkout import CompleteCart, Placed
from domain.idempotency import InProgress
from domain.payment import Absent, Authorised, Charge, Declined, PaymentDeclined, PaymentProvider
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed

_log = logging.getLogger(__name__)


async def complete_cart(shop: Shop, command: CompleteCart) -> Placed:
    """Pays and places the order. Called again with the same key it goes on where it was."""
    provider = shop.providers.get(command.provider)
    if provider is None:
        known = ", ".join(sorted(shop.providers))
        raise ValidationFailed(f"There is no such payment provider; choose of: {known}.", path=("payment_provider",))
    async with shop.tx() as tx:
        prepared = await checkout.prepare(tx, command)
    if prepared.placed is not None:
        return prepared.placed
    if prepared.attempt is None or prepared.attempt.state == AttemptState.SUCCEEDED:
        return await checkout.placed_as(shop.read, prepared.order_id)
    if prepared.attempt.state == AttemptState.FAILED:
        raise PaymentDeclined("The payment was declined.")
    return await _pay(shop, provider, prepared.charge)


async def _pay(shop: Shop, provider: PaymentProvider, charge: Charge) -> Placed:
    try:
        async with asyncio.timeout(shop.answer_within):
            answer = await provider.authorise(charge)
        _check_met(charge, answer)
    except Exception as error:
        _log.exception("provider %s gave no answer for attempt %s", provider.name, charge.attempt_id)
        raise InProgress("The payment provider has not answered yet.") from error
    if isinstance(answer, Declined):
        async with shop.tx() as tx:
            await checkout.release(tx, charge.attempt_id, AttemptState.FAILED)
        raise PaymentDeclined(answer.message, retryable=answer.retryable)
    return await _finalise(shop, provider, charge, answer)


def _check_met(charge: Charge, answer: Authorised | Declined | Absent) -> None:
    """Money that is not what was asked for is no answer: the sweeper asks again, and staff see it in the log."""
    if isinstance(answer, Authorised) and (answer.amount, answer.currency) != (charge.amount, charge.currency):
        raise ValueError(f"{answer.amount} {answer.currency} instead of {charge.amount} {charge.currency}")


async def _finalise(shop: Shop, provider: PaymentProvider, charge: Charge, authorised: Authorised) -> Placed:
    async with shop.tx() as tx:
        placed = await checkout.finalise(tx, charge.attempt_id, authorised)
    if placed is None:
        try:
            await _cancel(shop, provider, charge)
        except Exception:
            # The money is recorded as an event of the attempt, and nothing was ordered: that is the answer.
            _log.exception("provider %s has money for attempt %s, which was given up", provider.name, charge.attempt_id)
        raise PaymentDeclined("The payment took too long and was given up; nothing was ordered.")
    return placed


async def _cancel(shop: Shop, provider: PaymentProvider, charge: Charge) -> Authorised | Absent:
    async with asyncio.timeout(shop.answer_within):
        return await provider.cancel(charge)


async def sweep(shop: Shop) -> int:
    """Ends attempts that nobody waits for any more, with the provider's word; returns how many."""
    attempts = await payment.abandoned(shop.read, shop.sweep_after)
    return sum(await asyncio.gather(*(_try_to_end(shop, attempt) for attempt in attempts)))


async def _try_to_end(shop: Shop, attempt: PaymentAttempt) -> bool:
    try:
        await _end(shop, attempt)
    except Exception:
        # Unknown is a state: a later sweep asks again.
        _log.exception("attempt %s could not be ended", attempt.id)
        return False
    return True


async def _end(shop: Shop, attempt: PaymentAttempt) -> None:
    provider = shop.providers[attempt.provider]
    charge = Charge(attempt.id, attempt.amount, attempt.currency)
    answer = await _cancel(shop, provider, charge)
    _check_met(charge, answer)
    async with shop.tx() as tx:
        if isinstance(answer, Absent):
            await checkout.release(tx, attempt.id, AttemptState.CANCELLED)
        else:
            await checkout.finalise(tx, attempt.id, answer)
