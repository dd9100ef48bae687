"""Warnings: one type per notice of the domain, named alike."""

from collections.abc import Callable
from typing import Any

import strawberry

from domain import warning
from resolvers import ids
from schema.build import column, derived, view
from schema.errors import Warning as AnyWarning
from schema.money import Money


def _id(kind: str, name: str) -> Callable[[dict[str, Any]], str]:
    return lambda notice: ids.encode(kind, notice[name])


@view(warning.OutsideRegion)
class OutsideRegion(AnyWarning):
    """The shipping address lies outside of the cart's region."""

    country: str = column("The country of the address.")


@view(warning.PriceChangedSince)
class PriceChangedSince(AnyWarning):
    """A unit of a line costs something else than when the cart was last changed."""

    line_id: strawberry.ID = derived(_id("CartLine", "line_id"), "The line.")
    before: Money = column("What a unit cost then, in the currency of that time.")
    current: Money = column("What it costs now.")


@view(warning.ShortStock)
class ShortStock(AnyWarning):
    """There is less now than a line has."""

    line_id: strawberry.ID = derived(_id("CartLine", "line_id"), "The line.")
    available: int = column("How many could be had now.")


@view(warning.MergedLine)
class MergedLine(AnyWarning):
    """Units came to a line from another one."""

    line_id: strawberry.ID = derived(_id("CartLine", "line_id"), "The line that has them now.")
    quantity: int = column("How many it has now.")
    added: int = column("How many of them came to it.")


@view(warning.LeftOut)
class LeftOut(AnyWarning):
    """What was ordered once and could not be taken over, or not as it was."""

    variant_id: strawberry.ID = derived(_id("Variant", "variant_id"), "The variant.")
    title: str = column("Its product's title when it was ordered.")
    quantity: int = column("How many were ordered.")
    is_brief_only: bool = column("It is in the cart, without its brief.")


@view(warning.FallbackPrice)
class FallbackPrice(AnyWarning):
    """The provider of the delivery gives no answer; its price is the one for such cases."""

    option_id: strawberry.ID = derived(_id("DeliveryOption", "option_id"), "The delivery.")


@view(warning.FallbackTax)
class FallbackTax(AnyWarning):
    """The provider of taxes gives no answer; the shop's own rates count meanwhile."""


@view(warning.CartNotMerged)
class CartNotMerged(AnyWarning):
    """The cart was not merged with the customer's; it is as it was."""

    reason: str = column("The code of the error that `cartMerge` would answer with.")


WARNING_TYPES: tuple[type, ...] = (
    CartNotMerged,
    FallbackPrice,
    FallbackTax,
    LeftOut,
    MergedLine,
    OutsideRegion,
    PriceChangedSince,
    ShortStock,
)
