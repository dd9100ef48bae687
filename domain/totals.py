"""Arithmetic of a cart or an order: lines, tax, sums. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from db.region import Rounding
from domain.money import LARGEST, half_up, spread, times

PARTS: Final = 1_000_000
"""A tax rate is counted in millionths, as it is stored."""
MOST_WORTH: Final = LARGEST // 4
"""What all lines of a cart may cost as prices are shown: no destination's taxes come to more than three times that."""


@dataclass(frozen=True)
class Rate:
    """`rate` is a fraction: 0.21 is 21 %. Rates of one destination add up."""

    name: str
    rate: Decimal

    @property
    def parts(self) -> int:
        return int(self.rate * PARTS)


@dataclass(frozen=True)
class TaxAmount:
    name: str
    rate: Decimal
    amount: int

    @property
    def data(self) -> dict[str, Any]:
        return {"name": self.name, "rate": str(self.rate), "amount": self.amount}


@dataclass(frozen=True)
class LineTotal:
    """One line in minor units; always net + tax = gross, and the taxes add up to tax."""

    net: int
    tax: int
    gross: int
    taxes: tuple[TaxAmount, ...]


@dataclass(frozen=True)
class Totals:
    """`subtotal` is the lines before shipping and tax as the region shows prices: gross where inclusive.

    `net`, `tax`, `total` and `taxes` are of everything, shipping too.
    """

    subtotal: int
    shipping: LineTotal
    net: int
    tax: int
    total: int
    taxes: tuple[TaxAmount, ...]
    currency: str


def rounded(numerator: int, denominator: int, rounding: Rounding) -> int:
    """A quotient of whole numbers, as a whole number; negative amounts mirror positive ones."""
    if rounding == Rounding.HALF_EVEN and 2 * numerator % denominator == 0:
        below, rest = divmod(numerator, denominator)
        return below + (below % 2 if rest else 0)
    return half_up(numerator, denominator)


def line_total(
    unit: int, quantity: int, rates: Sequence[Rate], *, inclusive: bool, rounding: Rounding = Rounding.HALF_UP
) -> LineTotal:
    """Tax is computed on the line's total, not per unit: 10 × 0.31 plus 20 % is 3.72."""
    amount = times(unit, quantity)
    parts = [rate.parts for rate in rates]
    if inclusive:
        gross, net = amount, rounded(amount * PARTS, PARTS + sum(parts), rounding)
    else:
        net, gross = amount, amount + rounded(amount * sum(parts), PARTS, rounding)
    times(gross, 1)
    split = spread(gross - net, parts)
    taxes = tuple(TaxAmount(r.name, r.rate, part) for r, part in zip(rates, split, strict=True))
    return LineTotal(net=net, tax=gross - net, gross=gross, taxes=taxes)


NOTHING: Final = LineTotal(0, 0, 0, ())


def taxed(amount: int, taxes: Sequence[TaxAmount], *, inclusive: bool) -> LineTotal:
    """A line whose taxes somebody else has counted: they are in the amount, or come to it."""
    tax = sum(one.amount for one in taxes)
    net = amount - tax if inclusive else amount
    times(net + tax, 1)
    return LineTotal(net, tax, net + tax, tuple(taxes))


def proportional(
    amount: int,
    lines: Sequence[LineTotal],
    rates: Sequence[Rate],
    *,
    inclusive: bool,
    rounding: Rounding = Rounding.HALF_UP,
) -> LineTotal:
    """An amount that is taxed as the lines are: each kind of tax among them gets its share, by what the lines come to.

    Where the lines come to nothing, or there are none, all of it is taxed by `rates`.
    """
    worth: dict[tuple[Rate, ...], int] = {}
    for line in lines:
        taxed_by = tuple(Rate(tax.name, tax.rate) for tax in line.taxes)
        worth[taxed_by] = worth.get(taxed_by, 0) + (line.gross if inclusive else line.net)
    if not sum(worth.values()):
        return line_total(amount, 1, rates, inclusive=inclusive, rounding=rounding)
    shares = zip(worth, spread(amount, list(worth.values())), strict=True)
    parts = [line_total(share, 1, taxed_by, inclusive=inclusive, rounding=rounding) for taxed_by, share in shares]
    net, gross = sum(part.net for part in parts), sum(part.gross for part in parts)
    return LineTotal(net, gross - net, gross, by_rate(parts, ()))


def by_rate(parts: Sequence[LineTotal], first: Sequence[Rate]) -> tuple[TaxAmount, ...]:
    """The taxes of all parts summed by name and rate, `first` before the others even where they are nothing."""
    sums = {(rate.name, rate.rate): 0 for rate in first}
    for tax in (tax for part in parts for tax in part.taxes):
        sums[tax.name, tax.rate] = sums.get((tax.name, tax.rate), 0) + tax.amount
    return tuple(TaxAmount(name, rate, amount) for (name, rate), amount in sums.items())


def totals(
    lines: Sequence[LineTotal],
    rates: Sequence[Rate],
    currency: str,
    *,
    inclusive: bool,
    shipping: LineTotal = NOTHING,
) -> Totals:
    """The sums of lines and shipping. Without either everything is zero."""
    parts = [*lines, shipping]
    net, gross = sum(part.net for part in parts), sum(part.gross for part in parts)
    times(gross, 1)
    return Totals(
        subtotal=sum(line.gross if inclusive else line.net for line in lines),
        shipping=shipping,
        net=net,
        tax=gross - net,
        total=gross,
        taxes=by_rate(parts, rates),
        currency=currency,
    )
