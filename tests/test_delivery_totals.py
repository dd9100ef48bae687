"""Totals with delivery: net and tax are gross for each line, each rate, the delivery and everything, whatever it is."""

from fractions import Fraction

from hypothesis import given as given_any
from hypothesis import strategies as st

from domain.totals import LineTotal, Rate, line_total, proportional, totals
from tests.test_totals import LINES, RATES, carted

AMOUNTS = st.integers(0, 10**7)


def sums_up(part: LineTotal) -> None:
    assert part.net + part.tax == part.gross
    assert sum(tax.amount for tax in part.taxes) == part.tax
    assert min(part.net, part.tax, *(tax.amount for tax in part.taxes), part.gross) >= 0


@given_any(LINES, RATES, AMOUNTS, st.booleans())
def test_a_delivery_that_is_taxed_as_the_lines_are_costs_what_it_costs_and_sums_up(
    given_lines: list[tuple[int, int, bool]], rates: list[Rate], amount: int, inclusive: bool
) -> None:
    lines = carted(given_lines, rates, inclusive=inclusive)
    shipping = proportional(amount, lines, rates, inclusive=inclusive)
    sums_up(shipping)
    assert amount == (shipping.gross if inclusive else shipping.net)


@given_any(LINES, RATES, AMOUNTS, st.booleans())
def test_where_all_lines_are_taxed_alike_so_is_the_delivery(
    given_lines: list[tuple[int, int, bool]], rates: list[Rate], amount: int, inclusive: bool
) -> None:
    lines = carted([(u, q, True) for u, q, _ in given_lines], rates, inclusive=inclusive)
    assert proportional(amount, lines, rates, inclusive=inclusive) == line_total(amount, 1, rates, inclusive=inclusive)


@given_any(LINES, RATES, AMOUNTS, st.booleans())
def test_what_is_taxed_of_a_delivery_is_the_share_of_the_lines_that_are(
    given_lines: list[tuple[int, int, bool]], rates: list[Rate], amount: int, inclusive: bool
) -> None:
    lines = carted(given_lines, rates, inclusive=inclusive)
    worth = [line.gross if inclusive else line.net for line in lines]
    if not sum(worth):
        return
    whole = sum((Fraction(rate.rate) for rate in rates), Fraction(0))
    taxed = Fraction(sum(w for w, (_, _, is_taxed) in zip(worth, given_lines, strict=True) if is_taxed), sum(worth))
    exact = amount * taxed * whole / (1 + whole if inclusive else 1)
    assert abs(proportional(amount, lines, rates, inclusive=inclusive).tax - exact) <= Fraction(3, 2) + whole


@given_any(LINES, RATES, RATES, AMOUNTS, st.booleans())
def test_a_total_with_delivery_is_the_sum_of_its_parts_in_net_tax_gross_and_for_each_rate(
    given_lines: list[tuple[int, int, bool]], rates: list[Rate], own: list[Rate], amount: int, inclusive: bool
) -> None:
    lines = carted(given_lines, rates, inclusive=inclusive)
    shipping = line_total(amount, 1, own, inclusive=inclusive)
    total = totals(lines, rates, "EUR", inclusive=inclusive, shipping=shipping)
    assert total.net + total.tax == total.total
    assert sum(tax.amount for tax in total.taxes) == total.tax
    assert (total.net, total.total) == (
        sum(line.net for line in lines) + shipping.net,
        sum(line.gross for line in lines) + shipping.gross,
    )
    assert total.subtotal == sum(unit * quantity for unit, quantity, _ in given_lines)
    assert len({(tax.name, tax.rate) for tax in total.taxes}) == len(total.taxes)
    for tax in total.taxes:
        parts = [
            t.amount for part in (*lines, shipping) for t in part.taxes if (t.name, t.rate) == (tax.name, tax.rate)
        ]
        assert tax.amount == sum(parts)
