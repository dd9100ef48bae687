"""Whether everything adds up after it was tortured: the shop's database, the provider's ledger, what customers know."""

import asyncio
import time
from collections import defaultdict
from typing import Any, Final

import httpx
from sqlalchemy import text

from db.unavailable import TRY_AGAIN
from domain.processes.shop import Shop
from plugins.test_payment.provider import LATE_SECONDS
from resolvers import ids
from tests.invariants import undecided, violations, without_tickets

PERIOD_SECONDS: Final = 60.0
"""Within so many seconds everything that was interrupted is finished or given back."""

_UNFINISHED: Final = text(
    """
    SELECT (SELECT count(*) FROM payment_operation WHERE state IN ('started', 'pending'))
         + (SELECT count(*) FROM payment WHERE authorised > captured + voided AND captured = 0)
         + (SELECT count(*) FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED'))
    """
)
_ORDERS: Final = text(
    """
    SELECT o.id, o.cart_id, o.total, o.status,
        ARRAY(SELECT CAST(id AS text) FROM payment_attempt WHERE order_id = o.id) AS attempts,
        (SELECT coalesce(sum(amount), 0) FROM payment_operation
         WHERE order_id = o.id AND kind = 'refund' AND state = 'succeeded') AS refunded
    FROM "order" AS o
    """
)


async def settled(shop: Shop, provider: str) -> float:
    """Waits until nothing is under way any more; for how many seconds that took."""
    begun = time.monotonic()
    left = "nobody could be asked"
    await asyncio.sleep(2 * LATE_SECONDS)  # money may still be about to come
    while time.monotonic() - begun < PERIOD_SECONDS:
        try:
            carts, lines = await undecided(shop.read), await without_tickets(shop.read)
            operations = await shop.read.value(_UNFINISHED)
            untold = sum(not webhook["delivered"] for webhook in (await _ledger(provider))["webhooks"])
        except (*TRY_AGAIN, httpx.TransportError) as trouble:
            left = repr(trouble)
        else:
            if not carts + lines + operations + untold:
                return time.monotonic() - begun
            left = f"{carts} carts are being paid, {lines} lines lack tickets, {operations} operations are unfinished, "
            left += f"{untold} webhooks are not delivered"
        await asyncio.sleep(0.2)
    raise AssertionError(f"after {PERIOD_SECONDS:.0f} s {left}")


async def wrongs(shop: Shop, provider: str, told: dict[str, str]) -> list[str]:
    """What does not add up; `told` is the order of each cart whose customer knows it."""
    orders = await shop.read.records(_ORDERS)
    return [
        *await violations(shop.read),
        *_untrue(orders, told),
        *_unpaid(orders, _sums((await _ledger(provider))["operations"])),
    ]


def _untrue(orders: list[Any], told: dict[str, str]) -> list[str]:
    placed = {ids.encode("Cart", o.cart_id): ids.encode("Order", o.id) for o in orders if o.status != "pending"}
    return [
        f"a customer was told of order {order} for {cart}, and it has {placed.get(cart)}"
        for cart, order in told.items()
        if placed.get(cart) != order
    ]


async def _ledger(provider: str) -> dict[str, list[dict[str, Any]]]:
    async with httpx.AsyncClient(timeout=30) as http:
        return (await http.get(f"{provider}/ledger")).json()


def _sums(operations: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Of each attempt what was authorised, captured, voided, refunded, in minor units."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for operation in operations:
        if operation["state"] == "done":
            sums[operation["attempt"]][operation["kind"]] += operation["amount"]
    return sums


def _unpaid(orders: list[Any], ledger: dict[str, dict[str, int]]) -> list[str]:
    """The money that the provider has of each order is what the order came to, less what went back."""
    found: list[str] = []
    known: set[str] = set()
    for order in orders:
        known |= set(order.attempts)
        sums = [ledger[attempt] for attempt in order.attempts if attempt in ledger]
        has = sum(s["capture"] - s["refund"] for s in sums)
        wanted = order.total - order.refunded if order.status != "pending" else 0
        if has != wanted:
            found.append(f"the provider has {has} of order {order.id} ({order.status}), and should have {wanted}")
        open_ = [s["authorise"] - s["capture"] - s["void"] for s in sums if s["authorise"]]
        found += [f"of order {order.id} {left} is promised and neither taken nor given up" for left in open_ if left]
    return found + [f"attempt {attempt} is of no order" for attempt in ledger.keys() - known]
