"""The sweeper: ends what nobody waits for any more, with the provider's word and never without it."""

import asyncio
import logging
from typing import Any, Final

from db.payment import AttemptState
from domain import payment as payments
from domain import payment_operation as operations
from domain.failpoint import failpoint
from domain.payment_provider import Absent, ActionRequired
from domain.processes import operate_payment
from domain.processes.pay import cancel, look_up, write_down
from domain.processes.shop import Shop

EXPIRING_WITHIN: Final = 86_400.0
"""Seconds before the end of a promise at which it is announced."""
_log = logging.getLogger(__name__)


async def sweep(shop: Shop) -> int:
    """Decides attempts, finishes captures and refunds, and announces promises that end soon; how many it ended."""
    attempts = await payments.abandoned(shop.read, shop.sweep_after)
    ended = sum(await asyncio.gather(*(_try_to_end(shop, attempt) for attempt in attempts)))
    unfinished = await operations.unfinished(shop.read, shop.sweep_after)
    finished = await operate_payment.run_all(shop, unfinished)
    async with shop.tx() as tx:
        await operations.announce_expiring(tx, EXPIRING_WITHIN)
    return ended + finished


async def _try_to_end(shop: Shop, attempt: Any) -> bool:
    try:
        if await _end(shop, attempt):
            return True
    except Exception:
        # Unknown is a state: a later sweep asks again.
        _log.exception("attempt %s could not be ended", attempt.id)
    try:
        async with shop.tx() as tx:
            await payments.asked(tx, attempt.id)
    except Exception:
        _log.warning("attempt %s is asked about again at once", attempt.id, exc_info=True)
    return False


async def _end(shop: Shop, attempt: Any) -> bool:
    """Money that came is taken; where none came the attempt is cancelled at the provider, then given up here."""
    provider = shop.providers[attempt.provider]
    charge = await payments.charge_of(shop.read, attempt)
    await failpoint("before_sweep")
    answer = await look_up(shop, provider, charge)
    acting = isinstance(answer, ActionRequired) and not attempt.action_over
    if isinstance(answer, ActionRequired | Absent) and not acting:
        answer = await cancel(shop, provider, charge)
    await write_down(shop, attempt, answer)
    await failpoint("after_sweep")
    decided = await payments.find(shop.read, attempt.id)
    return decided is not None and decided.state not in {AttemptState.STARTED, AttemptState.ACTION_REQUIRED}
