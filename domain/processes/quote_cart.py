"""A cart with all that others have to be asked about it: the price of its delivery first, then the taxes of both."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from db.cart import CartStatus
from domain.assessment import Assessment, assess
from domain.cart import CartKey, find
from domain.checkout import RequirementsNotMet
from domain.processes import quote_delivery, quote_tax
from domain.processes.shop import Shop
from domain.requirement import RequirementCode

T = TypeVar("T")


async def quoted(shop: Shop, assessment: Assessment) -> Assessment:
    """The same cart with the price of the delivery that was chosen for it and with its taxes, if these had to be asked
    for.
    """
    chosen = assessment.delivery.chosen_unquoted
    return await _quoted(shop, assessment, [] if chosen is None else [chosen.provider])


async def all_quoted(shop: Shop, assessment: Assessment) -> Assessment:
    """The same cart with the prices of everything that could be chosen."""
    return await _quoted(shop, assessment, [way.provider for way in assessment.delivery.unquoted])


async def _quoted(shop: Shop, assessment: Assessment, deliveries: list[str]) -> Assessment:
    if assessment.cart.status != CartStatus.OPEN:
        return assessment
    if deliveries:
        await quote_delivery.quote(shop, assessment, deliveries)
        (assessment,) = await assess(shop.read, [assessment.cart], assessment.locale)
    if assessment.tax.is_unquoted:
        await quote_tax.quote(shop, assessment)
        (assessment,) = await assess(shop.read, [assessment.cart], assessment.locale)
    return assessment


async def with_quotes(shop: Shop, key: CartKey, complete: Callable[[], Awaitable[T]]) -> T:
    """Completes a cart; where only what others say of it is not known any more, asks for it and tries once more."""
    try:
        return await complete()
    except RequirementsNotMet as refusal:
        if {one.code for one in refusal.requirements} != {RequirementCode.QUOTE}:
            raise
        cart = await find(shop.read, key)
        if cart is None:
            raise
        (assessment,) = await assess(shop.read, [cart])
        await quoted(shop, assessment)
    return await complete()
