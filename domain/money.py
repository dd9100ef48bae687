"""Money: whole minor units and an ISO 4217 code. Never a float."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import cache, lru_cache
from typing import Final

from iso4217 import Currency

from domain.refusal import ValidationFailed

ZERO_DIGITS: Final = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "MGA",
        "PYG",
        "RWF",
        "UGX",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
THREE_DIGITS: Final = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
FOUR_DIGITS: Final = frozenset(["CLF", "UYW"])
NOT_MONEY: Final = frozenset(
    ["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"]
)
KEPT: Final = 10_000
"""So many amounts that were shown last are kept as they are shown."""
LARGEST: Final = 2**63 - 1
"""What a BIGINT holds."""
_EXACT: Final = Context(prec=28, traps=[InvalidOperation, Inexact])
"""Never rounds, and refuses 1e999990 before anything is computed with its million digits."""


@cache
def currencies() -> tuple[str, ...]:
    """The codes that money can have here: ISO 4217 without metals, test codes and four-digit units."""
    return tuple(sorted(c.code for c in Currency if c.code not in NOT_MONEY | FOUR_DIGITS))


@cache
def digits(currency: str) -> int:
    """Decimal places of a currency: 2 for EUR, 0 for JPY, 3 for KWD."""
    if currency not in currencies():
        raise ValidationFailed(f"{currency!r} is not a currency that can be used here.", path=("currency",))
    if currency in ZERO_DIGITS:
        return 0
    return 3 if currency in THREE_DIGITS else 2


@dataclass(frozen=True, slots=True)
class Money:
    minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        """In major units with exactly the currency's places: `Decimal("12.50")`."""
        return _major(self.minor, self.currency)


@lru_cache(KEPT)
def _major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-digits(currency))


@lru_cache(KEPT)
def money(minor: int, currency: str) -> Money:
    """The same amount is the same object: a page of prices has many that are equal."""
    return Money(minor, currency)


def minor_units(amount: Decimal | str, currency: str) -> int:
    """Reads an amount in major units; refuses more decimal places than the currency has.

    >>> minor_units("1.234", "KWD"), minor_units("500", "JPY")
    (1234, 500)
    """
    places = digits(currency)
    try:
        given = Decimal(amount)
    except (InvalidOperation, ValueError):
        given = Decimal("NaN")
    if not given.is_finite():
        raise ValidationFailed(f"{amount!r} is not an amount of money.", path=("amount",))
    try:
        whole = int(given.quantize(Decimal(1).scaleb(-places), context=_EXACT).scaleb(places, context=_EXACT))
    except Inexact:
        raise ValidationFailed(
            f"{currency} has {places} decimal places; {amount} has more.", path=("amount",)
        ) from None
    except InvalidOperation:
        whole = LARGEST + 1
    if abs(whole) > LARGEST:
        raise ValidationFailed(f"{amount} is more than can be stored.", path=("amount",))
    return whole


def times(minor: int, quantity: int) -> int:
    """A product that still fits a BIGINT."""
    product = minor * quantity
    if abs(product) > LARGEST:
        raise ValidationFailed("The amount is more than can be stored.", path=("quantity",))
    return product


def half_up(numerator: int, denominator: int) -> int:
    """A quotient rounded to the nearest whole, halves away from zero; negative amounts mirror positive ones."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return rounded if numerator >= 0 else -rounded


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Splits an amount in proportion to weights, to the unit, by largest remainder (ties: the first).

    The parts always add up to the amount. Without any weight everything goes to the first part.
    """
    if not weights:
        return []
    whole = sum(weights)
    if whole == 0:
        return [amount, *(0 for _ in weights[1:])]
    sign, size = (-1, -amount) if amount < 0 else (1, amount)
    parts = [size * weight // whole for weight in weights]
    remainders = [size * weight % whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in by_remainder[: size - sum(parts)]:
        parts[i] += 1
    return [sign * part for part in parts]
