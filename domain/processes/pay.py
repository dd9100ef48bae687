"""Asking a provider about an attempt, with no transaction open, and writing down what it says.

The client's request, the webhook and the sweeper all end here; whoever comes second finds the work done.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from db import PaymentAttempt
from db.payment import AttemptState
from domain import checkout
from domain import payment as payments
from domain.checkout import Late, Placed, Unfit
from domain.failpoint import failpoint
from domain.idempotency import InProgress
from domain.payment import PaymentDeclined
from domain.payment_provider import (
    Absent,
    ActionRequired,
    Authorised,
    Captured,
    Charge,
    Declined,
    PaymentProvider,
    State,
)
from domain.processes.shop import Shop

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Acting:
    """The customer has something to do at the provider first; then the same call goes on."""

    next_action: Mapping[str, Any]


async def within(shop: Shop, answer: Awaitable[T]) -> T:
    async with asyncio.timeout(shop.answer_within):
        return await answer


async def pay(shop: Shop, attempt: PaymentAttempt) -> Placed | Acting:
    """Goes on with an attempt, wherever it is. Refuses with PaymentDeclined, or InProgress while nothing is known."""
    if attempt.state == AttemptState.SUCCEEDED:
        return await checkout.placed_as(shop.read, attempt.order_id)
    if attempt.state == AttemptState.FAILED:
        raise payments.declined_as(attempt)
    if attempt.state == AttemptState.CANCELLED:
        raise PaymentDeclined("The payment was given up; nothing was ordered.")
    try:
        provider = shop.providers[attempt.provider]  # which may be gone from the settings: then nothing is known
        charge = await payments.charge_of(shop.read, attempt)
        answer = await _ask(shop, provider, charge, attempt.state)
    except Exception as error:
        _log.exception("provider %s gave no answer for attempt %s", attempt.provider, attempt.id)
        raise InProgress("The payment provider has not answered yet.") from error
    return _told(await write_down(shop, attempt, answer), answer)


async def _ask(shop: Shop, provider: PaymentProvider, charge: Charge, state: AttemptState) -> State:
    """Begins, or asks what became of what the customer had to do."""
    if state == AttemptState.STARTED:
        await failpoint("before_authorise")
        answer: State = await within(shop, provider.authorise(charge))
        await failpoint("after_authorise")
        return answer
    answer = await look_up(shop, provider, charge)
    return await cancel(shop, provider, charge) if isinstance(answer, Absent) else answer


async def look_up(shop: Shop, provider: PaymentProvider, charge: Charge) -> State:
    await failpoint("before_look_up")
    answer = await within(shop, provider.look_up(charge))
    await failpoint("after_look_up")
    return answer


async def cancel(shop: Shop, provider: PaymentProvider, charge: Charge) -> Authorised | Captured | Absent:
    await failpoint("before_cancel")
    answer = await within(shop, provider.cancel(charge))
    await failpoint("after_cancel")
    return answer


Written = Placed | Late | Unfit | Acting | None
"""What an answer came to; None: the attempt was given up or declined."""


async def write_down(shop: Shop, attempt: PaymentAttempt, answer: State) -> Written:
    """FINALISE, RELEASE, or what the customer has to do."""
    if isinstance(answer, Authorised | Captured):
        return await _finalise(shop, attempt, answer)
    if isinstance(answer, ActionRequired):
        async with shop.tx() as tx:
            await payments.require_action(tx, attempt.id, answer)
        await failpoint("after_action_required")
        return Acting(payments.action_data(answer))
    await failpoint("before_release")
    async with shop.tx() as tx:
        if isinstance(answer, Declined):
            await checkout.release(tx, attempt.id, AttemptState.FAILED, answer)
        else:
            await checkout.release(tx, attempt.id, AttemptState.CANCELLED)
    await failpoint("after_release")
    return None


async def _finalise(shop: Shop, attempt: PaymentAttempt, money: Authorised | Captured) -> Placed | Late | Unfit:
    await failpoint("before_finalise")
    async with shop.tx() as tx:
        outcome = await checkout.finalise(tx, attempt.id, money)
    await failpoint("after_finalise")
    if isinstance(outcome, Unfit):
        asked = f"{attempt.amount} {attempt.currency}"
        _log.error("attempt %s: %s %s came instead of %s", attempt.id, money.amount, money.currency, asked)
    return outcome


def _told(outcome: Written, answer: State) -> Placed | Acting:
    if isinstance(outcome, Placed | Acting):
        return outcome
    if isinstance(outcome, Late):
        raise InProgress("The money came after the payment had been given up; it is taken, or sent back.")
    if isinstance(outcome, Unfit):
        raise InProgress("The payment provider reported something else than was asked for; it is looked into.")
    if isinstance(answer, Declined):
        raise PaymentDeclined(answer.message, retryable=answer.retryable)
    raise PaymentDeclined("The payment was given up; nothing was ordered.")
