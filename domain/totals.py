"""Arithmetic of a cart or an order: lines, tax, sums. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from domain.money import half_up, spread, times

PARTS: Final = 1_000_000
"""A tax rate is counted in millionths, as it is stored."""


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
    """`subtotal` is the lines before shipping and tax as the region shows prices: gross where inclusive."""

    subtotal: int
    net: int
    tax: int
    total: int
    taxes: tuple[TaxAmount, ...]
    currency: str


def line_total(unit: int, quantity: int, rates: Sequence[Rate], *, inclusive: bool) -> LineTotal:
    """Tax is computed on the line's total, not per unit: 10 × 0.31 plus 20 % is 3.72."""
    amount = times(unit, quantity)
    parts = [rate.parts for rate in rates]
    if inclusive:
        gross, net = amount, half_up(amount * PARTS, PARTS + sum(parts))
    else:
        net, gross = amount, amount + half_up(amount * sum(parts), PARTS)
    times(gross, 1)
    split = spread(gross - net, parts)
    taxes = tuple(TaxAmount(r.name, r.rate, part) for r, part in zip(rates, split, strict=True))
    return LineTotal(net=net, tax=gross - net, gross=gross, taxes=taxes)


def totals(lines: Sequence[LineTotal], rates: Sequence[Rate], currency: str, *, inclusive: bool) -> Totals:
    """The sums of lines. Without lines everything is zero."""
    net, gross = sum(line.net for line in lines), sum(line.gross for line in lines)
    times(gross, 1)
    by_rate = tuple(
        TaxAmount(r.name, r.rate, sum(t.amount for line in lines for t in line.taxes if t.name == r.name))
        for r in rates
    )
    return Totals(
        subtotal=gross if inclusive else net,
        net=net,
        tax=gross - net,
        total=gross,
        taxes=by_rate,
        currency=currency,
    )
