"""Asking providers of delivery for their price: with no transaction open, no lock and no connection held."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from uuid import UUID

from db.delivery import QuoteKind
from domain.assessment import Assessment
from domain.cart import CartKey, lock_open
from domain.cart_delivery import choose
from domain.delivery import DeliveryProvider, QuoteRequest
from domain.processes.quotes import Question, Said, ask_all
from domain.processes.shop import Shop


async def quote(shop: Shop, assessment: Assessment, providers: Iterable[str]) -> None:
    """Asks them about a cart as it was assessed, all at once, and keeps what they offer.

    Of one that gives no answer the options' fallback prices count meanwhile.
    """
    request = assessment.request
    if request is not None:
        questions = [_question(shop, name, request) for name in sorted(set(providers))]
        await ask_all(shop, assessment.cart.id, questions)


def _question(shop: Shop, name: str, request: QuoteRequest) -> Question:
    provider: DeliveryProvider | None = shop.deliveries.get(name)

    async def ask(provider: DeliveryProvider) -> Said:
        return [asdict(offer) for offer in await provider.quote(request)]

    return Question(QuoteKind.DELIVERY, name, request.hash, None if provider is None else lambda: ask(provider))


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
