"""Asking providers of delivery for their price: with no transaction open, no lock and no connection held."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import text

from db.cart import CartStatus
from db.connection import new_id
from domain.assessment import Assessment, assess
from domain.cart import CartKey, find, lock_open
from domain.cart_delivery import choose
from domain.checkout import RequirementsNotMet
from domain.delivery import DeliveryProvider, QuoteRequest
from domain.processes.shop import Shop
from domain.requirement import RequirementCode

T = TypeVar("T")
GOOD_FOR: Final = 900.0
"""Seconds."""
ASK_AGAIN_AFTER: Final = 60.0
"""Seconds, of a provider that gave no answer."""
_log = logging.getLogger(__name__)


async def quote(shop: Shop, assessment: Assessment, providers: Iterable[str]) -> None:
    """Asks them about a cart as it was assessed, all at once, and keeps what they offer.

    One that fails or takes too long is not asked again for a minute; the options' fallback prices count meanwhile.
    """
    request = assessment.request
    if request is None:
        return
    asked = sorted(set(providers))
    answers = await asyncio.gather(*(_ask(shop, provider, request) for provider in asked))
    kept = [
        _row(assessment.cart.id, provider, request, offers) for provider, offers in zip(asked, answers, strict=True)
    ]
    async with shop.tx() as tx:
        await tx.run(_KEEP, rows=kept)


async def _ask(shop: Shop, name: str, request: QuoteRequest) -> list[dict[str, Any]] | None:
    provider: DeliveryProvider | None = shop.deliveries.get(name)
    if provider is None:
        _log.error("delivery is to be priced by %s, which is not among the providers of this shop", name)
        return None
    try:
        async with asyncio.timeout(shop.quote_within):
            return [asdict(offer) for offer in await provider.quote(request)]
    except Exception:
        _log.exception("provider %s gave no price for a delivery", name)
        return None


def _row(cart_id: UUID, provider: str, request: QuoteRequest, offers: list[dict[str, Any]] | None) -> Mapping[str, Any]:
    seconds = ASK_AGAIN_AFTER if offers is None else GOOD_FOR
    row = {"id": new_id(), "cart_id": cart_id, "provider": provider, "hash": request.hash}
    return {**row, "offers": offers, "seconds": seconds}


# The cart may have gone meanwhile. Sorted as they are, two that ask for the same cart never wait for each other.
_KEEP: Final = text(
    """
    INSERT INTO quote (id, cart_id, provider, hash, offers, expires_at)
    SELECT given.id, cart.id, provider, hash, CASE WHEN jsonb_typeof(offers) = 'array' THEN offers END,
        clock_timestamp() + make_interval(secs => seconds)
    FROM jsonb_to_recordset(:rows)
        AS given (id uuid, cart_id uuid, provider text, hash text, offers jsonb, seconds double precision)
    JOIN cart ON cart.id = given.cart_id
    ORDER BY provider
    ON CONFLICT (cart_id, provider) DO UPDATE
    SET hash = excluded.hash, offers = excluded.offers, expires_at = excluded.expires_at, created_at = now()
    """
)


async def quoted(shop: Shop, assessment: Assessment) -> Assessment:
    """The same cart with the price of the delivery that was chosen for it, if that had to be asked for."""
    way = assessment.delivery.chosen_unquoted
    if way is None or assessment.cart.status != CartStatus.OPEN:
        return assessment
    await quote(shop, assessment, [way.provider])
    (known,) = await assess(shop.read, [assessment.cart])
    return known


async def all_quoted(shop: Shop, assessment: Assessment) -> Assessment:
    """The same cart with the prices of everything that could be chosen."""
    if not assessment.delivery.unquoted or assessment.cart.status != CartStatus.OPEN:
        return assessment
    await quote(shop, assessment, [way.provider for way in assessment.delivery.unquoted])
    (known,) = await assess(shop.read, [assessment.cart])
    return known


class _Unquoted(Exception):
    """Nothing was chosen: the price has to be asked for first, and not in a transaction."""


async def choose_delivery(shop: Shop, key: CartKey, option_id: UUID) -> Assessment:
    """Chooses how a cart is delivered; asks for the price first where nobody knows it yet."""
    unquoted: list[Assessment] = []
    with suppress(_Unquoted):
        async with shop.tx() as tx:
            assessment = await choose(tx, await lock_open(tx, key), option_id)
            if assessment.delivery.chosen_unquoted is None:
                return assessment
            unquoted.append(assessment)
            raise _Unquoted
    (assessment,) = unquoted
    await quote(shop, assessment, [way.provider for way in assessment.delivery.unquoted if way.id == option_id])
    async with shop.tx() as tx:
        return await choose(tx, await lock_open(tx, key), option_id)


async def with_quotes(shop: Shop, key: CartKey, complete: Callable[[], Awaitable[T]]) -> T:
    """Completes a cart; where only the price of its delivery is not known any more, asks for it and tries once more."""
    try:
        return await complete()
    except RequirementsNotMet as refusal:
        if [one.code for one in refusal.requirements] != [RequirementCode.QUOTE]:
            raise
        cart = await find(shop.read, key)
        if cart is None:
            raise
        (assessment,) = await assess(shop.read, [cart])
        await quoted(shop, assessment)
    return await complete()
