"""How rates combine and amounts are taxed: pure, and always net + tax = gross, for each line, each rate and in all."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from db.region import Rounding
from domain.destination import Destination, normal_postcode, subdivisions
from domain.money import minor_units, money
from domain.tax import Levy, Taxes
from domain.totals import LineTotal, line_total, rounded, totals
from tests.test_delivery_totals import sums_up
from tests.test_totals import RATES, rates

CLASSES = st.sampled_from(["standard", "reduced", "books"])
HOLDS = st.fixed_dictionaries({}, optional={"standard": RATES, "reduced": RATES})
TAXES = HOLDS.map(lambda held: Taxes({code: tuple(found) for code, found in held.items()}, "standard"))
LEVIES = st.builds(
    lambda taxes, home, inclusive, rounding: Levy(taxes, home if inclusive else None, inclusive, rounding),
    TAXES, st.none() | TAXES, st.booleans(), st.sampled_from(Rounding),
)  # fmt: skip
BASKET = st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10_000), CLASSES, st.booleans()), max_size=8)


def row(name: str, level: int, rate: str = "0.1", *, of: str = "standard", replaces: bool = False) -> dict[str, Any]:
    return {"class": of, "name": name, "rate": rate, "level": level, "replaces": replaces}


def names(taxes: Taxes, code: str | None = None) -> list[str]:
    return [rate.name for rate in taxes.of(code)]


def test_all_rates_of_a_destination_add_up_the_widest_first() -> None:
    found = Taxes.combined(
        [row("city", 2), row("state", 1), row("b", 0), row("a", 0), row("low", 0, of="books")], "standard"
    )
    assert names(found) == names(found, "standard") == ["a", "b", "state", "city"]
    assert names(found, "books") == ["low"]
    assert names(found, "reduced") == []


def test_a_rate_that_replaces_takes_the_place_of_wider_ones_of_its_class_alone() -> None:
    wide = [row("country", 0), row("low", 0, of="books"), row("city", 2)]
    assert names(Taxes.combined([*wide, row("island", 1, replaces=True)], "standard")) == ["island", "city"]
    both = Taxes.combined([*wide, row("free port", 2, "0", replaces=True), row("state", 1)], "standard")
    assert names(both) == ["city", "free port"]
    assert names(both, "books") == ["low"]


def lines_of(levy: Levy, basket: list[tuple[int, int, str, bool]]) -> list[LineTotal]:
    return [levy.line(unit, quantity, code, taxable=taxable) for unit, quantity, code, taxable in basket]


@given_any(LEVIES, BASKET)
def test_wherever_it_goes_net_and_tax_are_gross_for_each_line_each_rate_and_in_all(
    levy: Levy, basket: list[tuple[int, int, str, bool]]
) -> None:
    lines = lines_of(levy, basket)
    for line in lines:
        sums_up(line)
    at_home = [levy.at_home(unit, quantity, code, taxable=taxed) for unit, quantity, code, taxed in basket]
    shipping = levy.like(999, lines, at_home)
    sums_up(shipping)
    total = totals(lines, levy.taxes.of(None), "EUR", inclusive=levy.inclusive, shipping=shipping)
    assert total.net + total.tax == total.total == sum(line.gross for line in lines) + shipping.gross
    assert sum(tax.amount for tax in total.taxes) == total.tax
    for tax in total.taxes:
        of_rate = (t for part in (*lines, shipping) for t in part.taxes if (t.name, t.rate) == (tax.name, tax.rate))
        assert tax.amount == sum(t.amount for t in of_rate)


@given_any(LEVIES, BASKET)
def test_inside_the_region_what_is_shown_is_what_is_paid_or_what_tax_is_added_to(
    levy: Levy, basket: list[tuple[int, int, str, bool]]
) -> None:
    for (unit, quantity, code, taxable), line in zip(basket, lines_of(levy, basket), strict=True):
        if levy.home is None:
            assert unit * quantity == (line.gross if levy.inclusive else line.net)
        else:
            at_home = levy.at_home(unit, quantity, code, taxable=taxable)
            assert at_home.gross == unit * quantity
            assert line.net == at_home.net
        if not taxable:
            assert (line.tax, line.taxes, line.gross) == (0, (), unit * quantity)


def test_outside_of_the_region_the_homes_tax_is_taken_out_and_the_destinations_comes_to_it() -> None:
    home = Taxes({"standard": tuple(rates("21")), "reduced": tuple(rates("9"))}, "standard")
    swiss = Taxes({"standard": tuple(rates("8.1"))}, "standard")
    levy = Levy(swiss, home, inclusive=True)
    assert levy.line(12100, 1, None) == line_total(10000, 1, rates("8.1"), inclusive=False)
    assert levy.line(12100, 1, None).gross == 10810
    assert levy.line(10900, 1, "reduced") == line_total(10000, 1, (), inclusive=False)
    assert levy.line(12100, 1, None, taxable=False).gross == 12100
    half = [levy.line(12100, 1, None), levy.line(10900, 1, "reduced")]
    at_home = [levy.at_home(12100, 1, None), levy.at_home(10900, 1, "reduced")]
    # 5.00 is 2.63 and 2.37 of the two lines; 2.17 + 2.17 without tax; half of that is taxed by 8.1 %.
    assert levy.like(500, half, at_home) == LineTotal(434, 18, 452, levy.like(500, half, at_home).taxes)


@pytest.mark.parametrize(
    ("numerator", "denominator", "up", "even"),
    [(1, 2, 1, 0), (3, 2, 2, 2), (5, 2, 3, 2), (7, 2, 4, 4), (-1, 2, -1, 0), (-3, 2, -2, -2), (-5, 2, -3, -2),
     (4, 2, 2, 2), (5, 3, 2, 2), (4, 3, 1, 1), (-4, 3, -1, -1), (0, 2, 0, 0)],
)  # fmt: skip
def test_halves_go_away_from_zero_or_to_the_even_neighbour(
    numerator: int, denominator: int, up: int, even: int
) -> None:
    assert rounded(numerator, denominator, Rounding.HALF_UP) == up
    assert rounded(numerator, denominator, Rounding.HALF_EVEN) == even


@given_any(st.integers(-(10**12), 10**12), st.integers(1, 10**7), st.sampled_from(Rounding))
def test_rounding_is_to_the_nearest_and_mirrors_what_is_negative(n: int, d: int, rounding: Rounding) -> None:
    assert abs(rounded(n, d, rounding) - Fraction(n, d)) <= Fraction(1, 2)
    assert rounded(-n, d, rounding) == -rounded(n, d, rounding)
    if rounding == Rounding.HALF_EVEN:
        assert rounded(n, d, rounding) == round(Fraction(n, d))


@pytest.mark.parametrize(("rounding", "tax"), [(Rounding.HALF_UP, 3), (Rounding.HALF_EVEN, 2)])
def test_a_region_may_round_halves_to_the_even_neighbour(rounding: Rounding, tax: int) -> None:
    """10 % of 25 are 2.5, of 35 3.5; 5 with as much tax in it are 2.5 and 2.5."""
    levy = Levy(Taxes({"standard": tuple(rates("10"))}, "standard"), None, inclusive=False, rounding=rounding)
    assert levy.line(25, 1, None).tax == tax
    assert levy.line(35, 1, None).tax == 4
    whole = Levy(Taxes({"standard": tuple(rates("100"))}, "standard"), None, inclusive=True, rounding=rounding)
    assert whole.line(5, 1, None).net == tax
    away = Levy(Taxes({}, "standard"), whole.taxes, inclusive=True, rounding=rounding)
    assert away.line(5, 1, None).gross == tax


@pytest.mark.parametrize(
    ("currency", "amount", "tax", "gross"),
    [("JPY", "333", "33", "366"), ("EUR", "3.33", "0.33", "3.66"), ("KWD", "3.333", "0.333", "3.666")],
)
def test_tax_is_counted_in_the_places_that_the_currency_has(currency: str, amount: str, tax: str, gross: str) -> None:
    taxes = Taxes({"standard": tuple(rates("10"))}, "standard")
    line = Levy(taxes, None, inclusive=False).line(minor_units(amount, currency), 1, None)
    assert [str(money(minor, currency).amount) for minor in (line.tax, line.gross)] == [tax, gross]


@pytest.mark.parametrize(
    ("country", "given", "meant"),
    [
        ("US", "CA", ("CA",)),
        ("US", "us-ca", ("CA",)),
        ("US", " california ", ("CA",)),
        ("CA", "Quebec", ("QC",)),
        ("ES", "Las Palmas", ("GC", "CN")),
        ("US", "QC", ()),
        ("US", "", ()),
        ("VA", "Vatican", ()),
    ],
)
def test_a_province_is_known_by_its_code_or_its_name_and_belongs_to_what_it_is_part_of(
    country: str, given: str, meant: tuple[str, ...]
) -> None:
    assert subdivisions(country, given) == meant


@pytest.mark.parametrize(
    ("country", "given", "normal"),
    [("NL", "1012 ab", "1012AB"), ("LV", "LV-1010", "1010"), ("US", "90210-1234", "902101234"),
     ("DE", "D-10115", "10115"), ("JP", "１００－０００１", "1000001"), ("KW", "١٢٣٤٥", "12345"),
     ("AR", "C1425", "C1425"), ("GB", "gb1 1aa", "GB11AA"),
     ("DE", "", "")],
)  # fmt: skip
def test_a_postcode_is_compared_by_its_letters_and_digits(country: str, given: str, normal: str) -> None:
    assert normal_postcode(country, given) == normal
    address = {"country": country, "postal_code": given, "province": ""}
    assert Destination.of(address) == Destination(country, (), normal)
