"""Capturing, giving up and sending back: the provider is called outside of any transaction, then it is written down.

What is left open by a crash or by a provider that does not answer is finished by the sweeper, under the same id.
"""

import asyncio
import logging
from typing import Any
from uuid import UUID

from db.payment import OperationKind, OperationState
from domain import payment_operation as operations
from domain.actor import Actor
from domain.failpoint import failpoint
from domain.payment_operation import ChangePayment, RefundOrder
from domain.payment_provider import Done
from domain.processes.pay import within
from domain.processes.shop import Shop

_log = logging.getLogger(__name__)


async def refund_order(shop: Shop, command: RefundOrder, actor: Actor) -> list[UUID]:
    """The refunds that were begun. Whether each has succeeded, failed or is under way is in it."""
    async with shop.tx() as tx:
        begun = await operations.begin_refund(tx, command, actor)
    await failpoint("after_refund_begun")
    await run_all(shop, begun)
    return begun


async def change_payment(shop: Shop, command: ChangePayment, actor: Actor) -> UUID:
    """Captures or gives up what was promised; the operation."""
    async with shop.tx() as tx:
        begun = await operations.begin_change(tx, command, actor)
    await failpoint("after_change_begun")
    await run_all(shop, [begun])
    return begun


async def run_all(shop: Shop, operation_ids: list[UUID]) -> int:
    """Goes on with each; how many are decided by it."""
    return sum(await asyncio.gather(*(_try(shop, operation_id) for operation_id in operation_ids)))


async def _try(shop: Shop, operation_id: UUID) -> bool:
    try:
        return await _run(shop, operation_id)
    except Exception:
        # Unknown is a state: the sweeper asks again.
        _log.exception("operation %s has no answer", operation_id)
    try:
        async with shop.tx() as tx:
            await operations.asked(tx, operation_id)
    except Exception:
        _log.warning("operation %s is asked about again at once", operation_id, exc_info=True)
    return False


async def _run(shop: Shop, operation_id: UUID) -> bool:
    operation = await operations.find(shop.read, operation_id)
    if operation.state not in {OperationState.STARTED, OperationState.PENDING}:
        return False
    done = await _ask(shop, operation)
    async with shop.tx() as tx:
        await operations.finish(tx, operation_id, done)
    await failpoint("after_operation_finished")
    return (await operations.find(shop.read, operation_id)).decided_at is not None


async def _ask(shop: Shop, operation: Any) -> Done:
    provider, asked, kind = shop.providers[operation.provider], operations.asked_of(operation), operation.kind
    done: Done
    if kind == OperationKind.CAPTURE:
        await failpoint("before_capture")
        done = await within(shop, provider.capture(asked))
        await failpoint("after_capture")
    elif kind == OperationKind.VOID:
        await failpoint("before_void")
        done = await within(shop, provider.void(asked))
        await failpoint("after_void")
    else:
        await failpoint("before_refund")
        done = await within(shop, provider.refund(asked))
        await failpoint("after_refund")
    return done
