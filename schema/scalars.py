"""Scalars and the enums of codes that the world defines."""

from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TYPE_CHECKING, Any, NewType, cast

import pycountry
import strawberry
from iso4217 import Currency

from domain.money import currencies
from schema.build import enum

BigInt = NewType("BigInt", int)
Json = NewType("Json", object)

_NAMES = {currency.code: currency.currency_name for currency in Currency}


def _json_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("This must be a JSON object.")
    return cast("dict[str, Any]", value)


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError('Write the amount as a string, for example "12.50".')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("This is not a number.") from None
    if not number.is_finite():
        raise ValueError("This is not a number.")
    return number


def _whole_number(value: Any) -> int:
    return int(value)


def _codes(name: str, codes: dict[str, str], description: str) -> Any:
    made = cast(Any, Enum)(name, {code: code for code in codes})
    enum(made, description, **codes)
    return made


if TYPE_CHECKING:  # what the enums below are on the way in and out
    CurrencyCode = str
    CountryCode = str
else:
    CurrencyCode = _codes("CurrencyCode", {c: f"{_NAMES[c]}." for c in currencies()}, "An ISO 4217 currency.")
    CountryCode = _codes(
        "CountryCode", {c.alpha_2: f"{c.name}." for c in pycountry.countries}, "An ISO 3166-1 country."
    )

SCALARS: dict[object, Any] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 64 bits, as a string.",
        serialize=str,
        parse_value=_whole_number,
    ),
    Json: strawberry.scalar(name="JSON", description="A JSON object.", serialize=lambda v: v, parse_value=_json_object),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as a string: "12.50".',
        serialize=lambda value: format(Decimal(value), "f"),
        parse_value=_decimal,
    ),
}
