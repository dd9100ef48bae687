"""What a line and a cart come to: tax on the line's total, and net + tax = gross wherever one looks."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from domain.money import LARGEST
from domain.refusal import ValidationFailed
from domain.totals import LineTotal, Rate, line_total, totals


def rates(*percents: str) -> list[Rate]:
    """Rates named A, B, …; "20" is 20 %."""
    return [Rate(name, Decimal(percent) / 100) for name, percent in zip("ABCDE", percents, strict=False)]


RATES = st.lists(st.integers(0, 1_000_000).map(lambda millionths: Decimal(millionths).scaleb(-6)), max_size=4).map(
    lambda fractions: [Rate(f"tax {i}", fraction) for i, fraction in enumerate(fractions)]
)
UNITS = st.integers(0, 10**9)
QUANTITIES = st.integers(1, 10_000)
LINES = st.lists(st.tuples(UNITS, QUANTITIES, st.booleans()), max_size=8)


@pytest.mark.parametrize(
    ("unit", "quantity", "percents", "net", "taxes", "gross"),
    [
        (31, 10, ["20"], 310, [62], 372),
        (31, 1, ["20"], 31, [6], 37),
        (1000, 1, ["8.25"], 1000, [83], 1083),
        (1000, 3, ["8.25"], 3000, [248], 3248),
        (5, 1, ["10"], 5, [1], 6),
        (4, 1, ["10"], 4, [0], 4),
        (1000, 1, ["5", "9.975"], 1000, [50, 100], 1150),
        (10, 1, ["5", "5"], 10, [1, 0], 11),
        (30, 1, ["5", "5"], 30, [2, 1], 33),
        (70, 1, ["3", "4"], 70, [2, 3], 75),
        (1000, 2, [], 2000, [], 2000),
        (1000, 2, ["0"], 2000, [0], 2000),
        (0, 7, ["20"], 0, [0], 0),
        (99, 1, ["100"], 99, [99], 198),
    ],
)
def test_tax_is_added_to_the_lines_total_where_prices_are_without_it(
    unit: int, quantity: int, percents: list[str], net: int, taxes: list[int], gross: int
) -> None:
    line = line_total(unit, quantity, rates(*percents), inclusive=False)
    assert (line.net, [tax.amount for tax in line.taxes], line.gross) == (net, taxes, gross)
    assert line.tax == sum(taxes)


@pytest.mark.parametrize(
    ("unit", "quantity", "percents", "net", "taxes", "gross"),
    [
        (1250, 3, ["21"], 3099, [651], 3750),
        (121, 1, ["21"], 100, [21], 121),
        (31, 10, ["20"], 258, [52], 310),
        (1, 1, ["100"], 1, [0], 1),
        (3, 1, ["100"], 2, [1], 3),
        (1000, 1, ["5", "10"], 870, [43, 87], 1000),
        (1000, 1, ["7", "7", "7"], 826, [58, 58, 58], 1000),
        (110, 1, ["5", "5"], 100, [5, 5], 110),
        (12, 1, ["5", "5"], 11, [1, 0], 12),
        (1500, 1, ["10"], 1364, [136], 1500),
        (999, 1, [], 999, [], 999),
        (0, 5, ["21"], 0, [0], 0),
    ],
)
def test_tax_is_taken_out_of_the_lines_total_where_prices_are_with_it(
    unit: int, quantity: int, percents: list[str], net: int, taxes: list[int], gross: int
) -> None:
    line = line_total(unit, quantity, rates(*percents), inclusive=True)
    assert (line.net, [tax.amount for tax in line.taxes], line.gross) == (net, taxes, gross)
    assert line.tax == sum(taxes)


@given_any(UNITS, QUANTITIES, RATES, st.booleans())
def test_net_and_tax_of_a_line_are_its_gross_and_the_taxes_are_its_tax(
    unit: int, quantity: int, applied: list[Rate], inclusive: bool
) -> None:
    line = line_total(unit, quantity, applied, inclusive=inclusive)
    assert line.net + line.tax == line.gross
    assert sum(tax.amount for tax in line.taxes) == line.tax
    assert [(tax.name, tax.rate) for tax in line.taxes] == [(rate.name, rate.rate) for rate in applied]
    assert unit * quantity == (line.gross if inclusive else line.net)
    assert min(line.net, line.tax, *(tax.amount for tax in line.taxes)) >= 0


@given_any(UNITS, QUANTITIES, RATES, st.booleans())
def test_the_tax_of_a_line_is_exact_to_half_a_unit_and_each_rates_part_to_one(
    unit: int, quantity: int, applied: list[Rate], inclusive: bool
) -> None:
    line = line_total(unit, quantity, applied, inclusive=inclusive)
    whole = sum((Fraction(rate.rate) for rate in applied), Fraction(0))
    exact = Fraction(unit * quantity) * whole / (1 + whole if inclusive else 1)
    assert abs(line.tax - exact) <= Fraction(1, 2)
    for tax in line.taxes:
        share = line.tax * Fraction(tax.rate) / whole if whole else Fraction(0)
        assert abs(tax.amount - share) < 1


def carted(lines: Sequence[tuple[int, int, bool]], applied: list[Rate], *, inclusive: bool) -> list[LineTotal]:
    """The third of each line: whether it is taxed at all."""
    return [line_total(u, q, applied if taxed else (), inclusive=inclusive) for u, q, taxed in lines]


@given_any(LINES, RATES, st.booleans())
def test_a_total_is_the_sum_of_its_lines_in_net_tax_gross_and_for_each_rate(
    given_lines: list[tuple[int, int, bool]], applied: list[Rate], inclusive: bool
) -> None:
    lines = carted(given_lines, applied, inclusive=inclusive)
    total = totals(lines, applied, "EUR", inclusive=inclusive)
    assert total.net + total.tax == total.total
    assert (total.net, total.tax, total.total) == (
        sum(line.net for line in lines),
        sum(line.tax for line in lines),
        sum(line.gross for line in lines),
    )
    assert total.subtotal == sum(unit * quantity for unit, quantity, _ in given_lines)
    assert sum(tax.amount for tax in total.taxes) == total.tax
    for position, tax in enumerate(total.taxes):
        assert tax.amount == sum(line.taxes[position].amount for line in lines if line.taxes)


def test_tax_is_rounded_for_each_line_so_that_a_total_is_what_its_lines_show() -> None:
    lines = [line_total(3, 1, rates("19"), inclusive=False) for _ in range(3)]
    total = totals(lines, rates("19"), "EUR", inclusive=False)
    assert (total.subtotal, total.net, total.tax, total.total) == (9, 9, 3, 12)
    with_tax = [line_total(250, 1, rates("20"), inclusive=True), line_total(250, 2, (), inclusive=True)]
    total = totals(with_tax, rates("20"), "EUR", inclusive=True)
    assert (total.subtotal, total.net, total.tax, total.total) == (750, 708, 42, 750)


def test_an_empty_cart_comes_to_nothing_in_its_own_currency() -> None:
    for inclusive in (True, False):
        total = totals([], rates("20", "1"), "JPY", inclusive=inclusive)
        assert (total.subtotal, total.net, total.tax, total.total, total.currency) == (0, 0, 0, 0, "JPY")
        assert [(tax.name, tax.amount) for tax in total.taxes] == [("A", 0), ("B", 0)]


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_line_that_no_longer_fits_is_refused(inclusive: bool) -> None:
    assert line_total(LARGEST, 1, (), inclusive=inclusive).gross == LARGEST
    with pytest.raises(ValidationFailed):
        line_total(LARGEST // 2 + 1, 2, (), inclusive=inclusive)


def test_a_line_that_no_longer_fits_with_its_tax_is_refused() -> None:
    assert line_total(LARGEST, 1, rates("21"), inclusive=True).gross == LARGEST
    with pytest.raises(ValidationFailed):
        line_total(LARGEST, 1, rates("21"), inclusive=False)


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_total_that_no_longer_fits_is_refused(inclusive: bool) -> None:
    half = line_total(LARGEST // 2, 1, (), inclusive=inclusive)
    unit = line_total(1, 1, (), inclusive=inclusive)
    assert totals([half, half, unit], (), "EUR", inclusive=inclusive).total == LARGEST
    with pytest.raises(ValidationFailed):
        totals([half, half, unit, unit], (), "EUR", inclusive=inclusive)
