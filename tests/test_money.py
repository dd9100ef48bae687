"""Amounts of money: read exactly or refused, split to the last unit, written as people write them."""

from decimal import Decimal
from fractions import Fraction
from json import dumps
from time import process_time
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given as given_any
from hypothesis import strategies as st
from sqlalchemy import func, select

from db import Order
from domain.money import LARGEST, Money, currencies, digits, half_up, minor_units, spread, times
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from domain.region import RegionDraft, upsert_region
from tests import given
from tests.api import Api

NO_PLACES = ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "MGA"]
NO_PLACES += ["PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
THREE_PLACES = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]
PLACES = {**dict.fromkeys(currencies(), 2), **dict.fromkeys(NO_PLACES, 0), **dict.fromkeys(THREE_PLACES, 3)}
CURRENCIES = st.sampled_from(sorted(PLACES))
AMOUNTS = st.integers(-LARGEST, LARGEST)
WEIGHTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=12)


def test_each_currency_has_the_decimal_places_that_it_is_paid_in() -> None:
    assert {currency: digits(currency) for currency in PLACES} == PLACES
    assert {"EUR", "USD", "GBP", "HUF", "TWD", "IDR", "COP", "RSD"} <= {c for c, n in PLACES.items() if n == 2}


@pytest.mark.parametrize("code", ["CLF", "UYW", "XAU", "XTS", "XXX", "eur", "EURO", "ZZZ", ""])
def test_a_code_that_nobody_pays_with_is_no_currency(code: str) -> None:
    for use in (lambda: digits(code), lambda: minor_units("1", code)):
        with pytest.raises(ValidationFailed) as refused:
            use()
        assert refused.value.path == ("currency",)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("12", "EUR", 1200),
        ("0", "EUR", 0),
        ("-0", "EUR", 0),
        ("-0.01", "EUR", -1),
        ("12.500", "EUR", 1250),
        ("12." + "5".ljust(60, "0"), "EUR", 1250),
        ("500", "JPY", 500),
        ("500.00", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("5e2", "JPY", 500),
        ("0e999999", "JPY", 0),
        ("92233720368547758.07", "EUR", LARGEST),
        ("-92233720368547758.07", "EUR", -LARGEST),
        (Decimal("9223372036854775.807"), "KWD", LARGEST),
    ],
)
def test_an_amount_is_read_to_the_minor_unit(amount: Decimal | str, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("12.505", "EUR"),
        ("0.001", "EUR"),
        ("500.5", "JPY"),
        ("1.2345", "KWD"),
        ("12.50" + "0" * 30 + "1", "EUR"),
        ("1e-999990", "EUR"),
        ("92233720368547758.08", "EUR"),
        ("-92233720368547758.08", "EUR"),
        ("9223372036854775808", "JPY"),
        ("1e999990", "JPY"),
        ("1e999999", "KWD"),
        ("", "EUR"),
        ("twelve", "EUR"),
        ("12,50", "EUR"),
        ("NaN", "EUR"),
        ("sNaN", "EUR"),
        ("-Infinity", "EUR"),
    ],
)
def test_an_amount_that_could_only_be_guessed_is_refused_at_once(amount: str, currency: str) -> None:
    began = process_time()
    with pytest.raises(ValidationFailed) as refused:
        minor_units(amount, currency)
    assert refused.value.path == ("amount",)
    assert process_time() - began < 1


@given_any(AMOUNTS, CURRENCIES)
def test_an_amount_is_shown_with_its_currencys_places_and_reads_back_the_same(minor: int, currency: str) -> None:
    shown = Money(minor, currency).amount
    assert -int(shown.as_tuple().exponent) == PLACES[currency]
    assert minor_units(shown, currency) == minor_units(str(shown), currency) == minor


@given_any(st.integers(-(10**20), 10**20).filter(lambda n: n % 10), CURRENCIES)
def test_one_place_more_than_the_currency_has_is_refused(number: int, currency: str) -> None:
    with pytest.raises(ValidationFailed):
        minor_units(Decimal(number).scaleb(-PLACES[currency] - 1), currency)


def test_what_no_longer_fits_is_refused_before_it_is_stored() -> None:
    assert times(LARGEST, 1) == times(1, LARGEST) == LARGEST
    assert times(-LARGEST, 1) == -LARGEST
    for minor, quantity in ((LARGEST, 2), (LARGEST // 1_000_000 + 1, 1_000_000), (-LARGEST, 2)):
        with pytest.raises(ValidationFailed) as refused:
            times(minor, quantity)
        assert refused.value.path == ("quantity",)


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(5, 2, 3), (-5, 2, -3), (5, -2, -3), (-5, -2, 3), (4, 3, 1), (5, 3, 2), (1, 2, 1), (49, 100, 0), (0, 7, 0)],
)
def test_half_a_unit_is_rounded_away_from_zero(numerator: int, denominator: int, rounded: int) -> None:
    assert half_up(numerator, denominator) == rounded


@given_any(st.integers(-(10**40), 10**40), st.integers(1, 10**12))
def test_rounding_goes_to_the_nearest_unit_and_mirrors(numerator: int, denominator: int) -> None:
    exact, rounded = Fraction(numerator, denominator), half_up(numerator, denominator)
    assert abs(rounded - exact) <= Fraction(1, 2)
    assert abs(rounded - exact) < Fraction(1, 2) or abs(rounded) > abs(exact)
    assert half_up(-numerator, denominator) == half_up(numerator, -denominator) == -rounded


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (1, [1, 1], [1, 0]),
        (-1, [1, 1], [-1, 0]),
        (10, [1, 2, 1], [3, 5, 2]),
        (10, [10, 29, 61], [1, 3, 6]),
        (5, [0, 1, 0], [0, 5, 0]),
        (5, [0, 0], [5, 0]),
        (0, [3, 4], [0, 0]),
        (LARGEST, [1, 1], [LARGEST // 2 + 1, LARGEST // 2]),
        (0, [], []),
    ],
)
def test_an_amount_is_split_by_largest_remainder(amount: int, weights: list[int], parts: list[int]) -> None:
    assert spread(amount, weights) == parts


@given_any(AMOUNTS, WEIGHTS)
def test_the_parts_of_a_split_add_up_and_mirror(amount: int, weights: list[int]) -> None:
    parts = spread(amount, weights)
    assert sum(parts) == amount
    assert spread(-amount, weights) == [-part for part in parts]


@given_any(st.integers(0, LARGEST), WEIGHTS.filter(any))
@example(2, [1, 1, 1, 1])
def test_the_units_left_over_go_to_the_largest_remainders_and_of_equal_ones_to_the_first(
    amount: int, weights: list[int]
) -> None:
    exact = [Fraction(amount * weight, sum(weights)) for weight in weights]
    more = [part - int(share) for part, share in zip(spread(amount, weights), exact, strict=True)]
    assert set(more) <= {0, 1}
    ranking = sorted(range(len(weights)), key=lambda i: (int(exact[i]) - exact[i], i))
    assert [more[i] for i in ranking] == sorted(more, reverse=True)


COMPLETE = """mutation ($key: CartCompleteInput!) { cartComplete(input: $key) {
    order { id } userErrors { __typename code path } } }"""


async def asked_to_pay(api: Api, cart: given.Cart, expected: Any) -> dict[str, Any]:
    return await api.answer(COMPLETE, {"key": {**cart.completion(), "expectedTotal": expected}})


async def untouched(shop: Shop, api: Api, cart: given.Cart) -> bool:
    query = "query ($id: ID!, $token: String!) { cart(id: $id, token: $token) { status version } }"
    read = await api(query, {"id": cart.id, "token": cart.token})
    return read["cart"] == {"status": "OPEN", "version": 3} and not await shop.read.one_scalar(
        select(func.count()).select_from(Order)
    )


async def test_a_total_that_the_currency_cannot_have_is_refused_where_it_stands(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await given.cart(api, {"variantId": (await given.product(shop)).variant, "quantity": 1})
    for amount, currency in (("10.001", "EUR"), ("10.5", "JPY"), ("1e999990", "EUR"), ("92233720368547758.08", "EUR")):
        answer = await asked_to_pay(api, cart, {"amount": amount, "currency": currency})
        assert answer["data"]["cartComplete"] == {
            "order": None,
            "userErrors": [
                {"__typename": "ValidationFailed", "code": "VALIDATION_FAILED", "path": ["expectedTotal", "amount"]}
            ],
        }
    assert await untouched(shop, api, cart)


async def test_what_is_no_amount_of_money_is_bad_input(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cart = await given.cart(api, {"variantId": (await given.product(shop)).variant, "quantity": 1})
    amounts: list[Any] = ["ten", "", "NaN", "Infinity", 10.0, True, None, [], {}]
    wrong = [{"amount": amount, "currency": "EUR"} for amount in amounts]
    wrong += [{"amount": "10.00", "currency": code} for code in ("CLF", "XAU", "eur", "", None)]
    for expected in (*wrong, {"amount": "10.00"}, {"currency": "EUR"}, None, "10.00"):
        answer = await asked_to_pay(api, cart, expected)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], expected
        assert answer.get("data") is None
    assert await untouched(shop, api, cart)


KUWAIT = RegionDraft("kw", "Kuwait", "KWD", True, ("KW",))
SERBIA = RegionDraft("rs", "Serbia", "RSD", True, ("RS",))


async def sold_everywhere(shop: Shop) -> None:
    await given.regions(shop)
    async with shop.tx() as tx:
        for region in (KUWAIT, SERBIA):
            await upsert_region(tx, region)
    await given.product(shop, prices={"EUR": 123450, "JPY": 500, "KWD": 1234, "RSD": 99999, "USD": 2**53 + 1})


def price_of_the_cup(amount: str, context: str) -> str:
    return f"""query @inContext({context}) {{ product(by: {{handle: "paper-cup"}}) {{
        variants {{ nodes {{ price {{ amount {{ {amount} }} }} }} }} }} }}"""


async def written(api: Api, context: str, amount: str = "formatted") -> Any:
    data = await api(price_of_the_cup(f"written: {amount}", context))
    return data["product"]["variants"]["nodes"][0]["price"]["amount"]["written"].replace("\N{NO-BREAK SPACE}", " ")


async def test_money_is_written_with_all_its_places_as_people_write_it(shop: Shop, api: Api) -> None:
    await sold_everywhere(shop)
    assert await written(api, "country: NL") == "€1,234.50"
    assert await written(api, "country: JP") == "¥500"
    assert await written(api, "country: KW") == "KWD 1.234"
    assert await written(api, "country: RS") == "RSD 999.99"
    assert await written(api, 'country: NL, locale: "de-DE"') == "1.234,50 €"
    assert await written(api, 'country: KW, locale: "de"') == "1,234 KWD"
    assert await written(api, 'country: JP, locale: "de-DE"', 'formatted(locale: "ja-JP")') == "￥500"
    assert await written(api, 'country: NL, locale: "de-DE"', "formatted(locale: null)") == "1.234,50 €"


async def test_a_locale_that_there_is_not_is_bad_input(shop: Shop, api: Api) -> None:
    await sold_everywhere(shop)
    for locale in ("klingon", "de_DE-x", "../../etc", "de\N{NULL}", "x" * 5000, "'; --"):
        for context, amount in (
            ("country: NL", f"formatted(locale: {dumps(locale)})"),
            (f"country: NL, locale: {dumps(locale)}", "formatted"),
        ):
            answer = await api.answer(price_of_the_cup(amount, context))
            assert [e["extensions"]["code"] for e in answer["errors"]] == ["BAD_USER_INPUT"], locale
            assert [e["extensions"]["argument"] for e in answer["errors"]] == ["locale"]


async def test_amounts_travel_as_strings_so_that_no_client_rounds_them(shop: Shop, api: Api) -> None:
    await sold_everywhere(shop)
    answer = await api(price_of_the_cup("amount minorUnits currency", "country: US"))
    assert answer["product"]["variants"]["nodes"] == [
        {"price": {"amount": {"amount": "90071992547409.93", "minorUnits": "9007199254740993", "currency": "USD"}}}
    ]
