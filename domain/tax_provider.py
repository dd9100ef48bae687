"""Who else may count taxes: an outside party that is asked about a cart as it is, with no transaction open.

What it answers is a quote: kept with the hash of what it was asked, and good only while that is what the cart is
(domain/processes/quote_tax.py). While it gives no answer, or one that cannot be, the rates that are stored here count.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

import orjson

from domain.address import check_line
from domain.totals import PARTS, TaxAmount

MOST: Final = 3
"""No destination's taxes come to more than three times the price; a cart is sure to have room for so much."""
MOST_TAXES: Final = 100
"""So many on one item."""


@dataclass(frozen=True)
class TaxItem:
    """Something that is taxed: a line, or a way in which it could all be delivered. `amount` is of all its units."""

    key: str
    amount: int
    tax_class: str
    quantity: int = 1
    sku: str | None = None
    is_delivery: bool = False


@dataclass(frozen=True)
class TaxRequest:
    """All that the taxes may depend on. `included`: they are in the amounts, not added to them."""

    currency: str
    included: bool
    address: Mapping[str, Any]
    items: tuple[TaxItem, ...]

    @property
    def hash(self) -> str:
        """Equal for requests that must get the same answer."""
        return hashlib.sha256(orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


@dataclass(frozen=True)
class ItemTax:
    """The taxes of one item, each with its rate as a fraction and its amount in minor units; none: it is not taxed."""

    key: str
    taxes: tuple[TaxAmount, ...] = ()


class TaxProvider(Protocol):
    """Calls may take long and fail with any exception: then the rates that are stored here count for a while."""

    @property
    def name(self) -> str:
        """As `region.tax_provider` names it."""
        ...

    async def quote(self, request: TaxRequest) -> Sequence[ItemTax]:
        """The taxes of every item of the request, each once."""
        ...


class Unfit(Exception):
    """An answer that cannot be right; it counts as none."""


def checked(request: TaxRequest, answer: Sequence[ItemTax]) -> list[dict[str, Any]]:
    """An answer as it is kept, if net and tax can be gross with it for every item that was asked about."""
    if sorted(one.key for one in answer) != sorted(item.key for item in request.items):
        raise Unfit("it is not about what was asked")
    by_key = {one.key: one.taxes for one in answer}
    return [{"key": item.key, "taxes": _checked(item, by_key[item.key], request.included)} for item in request.items]


def _checked(item: TaxItem, taxes: Sequence[TaxAmount], included: bool) -> list[dict[str, Any]]:
    if len(taxes) > MOST_TAXES:
        raise Unfit(f"{item.key} has more than {MOST_TAXES} taxes")
    for tax in taxes:
        check_line(tax.name)
        if not tax.name.strip() or type(tax.amount) is not int or type(tax.rate) is not Decimal:
            raise Unfit(f"{item.key} has a tax without a name, or one that is no amount")
        if tax.amount < 0 or not tax.rate.is_finite() or not 0 <= tax.rate <= MOST or tax.rate * PARTS % 1:
            raise Unfit(f"{item.key} has a tax that is below nothing or beyond measure")
    whole = sum(tax.amount for tax in taxes)
    if whole > item.amount * (1 if included else MOST):
        raise Unfit(f"{item.key} has more tax than there is of it")
    return [tax.data for tax in taxes]


Answer = Mapping[str, tuple[TaxAmount, ...]]
"""By the key of an item its taxes."""


def answer_of(kept: Sequence[Mapping[str, Any]]) -> Answer:
    """What `checked` made, read back."""
    return {
        one["key"]: tuple(TaxAmount(t["name"], Decimal(t["rate"]), t["amount"]) for t in one["taxes"]) for one in kept
    }
