"""Who counts the taxes of a cart: the rates that are stored here, or a provider that was asked about it as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from db.delivery import DeliveryTax
from domain.delivery import Offered
from domain.tax import Levy
from domain.tax_provider import Answer, TaxItem, TaxRequest, answer_of

OF_ADDRESS: Final = ("country", "province", "postal_code", "city", "address1", "address2")
"""What of an address a tax may depend on; nobody is told who lives there."""


@dataclass(frozen=True)
class CartTax:
    """`request` null: nobody is asked."""

    request: TaxRequest | None = None
    answer: Answer | None = None
    is_fallback: bool = False
    """The provider gave no answer: the rates that are stored here count meanwhile."""

    @property
    def is_unquoted(self) -> bool:
        """What the totals say is a guess: the provider has not been asked about the cart as it is."""
        return self.request is not None and self.answer is None and not self.is_fallback


BY_RATES: Final = CartTax()


def asked(
    currency: str, address: Mapping[str, Any], levy: Levy, lines: Sequence[TaxItem], offered: Sequence[Offered]
) -> TaxRequest | None:
    """What a provider is asked: about the lines and about each way of delivery, so that choosing one asks nobody."""
    ways = (one for one in offered if one.way.tax_treatment == DeliveryTax.REGION)
    deliveries = (
        TaxItem(
            one.way.tax_key,
            levy.base(one.amount, 1, one.way.tax_class_code),
            one.way.tax_class_code or levy.taxes.default,
            is_delivery=True,
        )
        for one in ways
    )
    items = tuple(item for item in (*lines, *deliveries) if item.amount)
    place = {name: address.get(name, "") for name in OF_ADDRESS}
    return TaxRequest(currency, levy.included, place, items) if items else None


def answered(request: TaxRequest | None, kept: Mapping[str, Any] | None) -> CartTax:
    """Of what a provider said only that counts which it said about the cart as it is."""
    if request is None:
        return BY_RATES
    if kept is None or kept["hash"] != request.hash:
        return CartTax(request)
    if kept["offers"] is None:
        return CartTax(request, is_fallback=True)
    return CartTax(request, answer_of(kept["offers"]))
