"""Scalars and the enums of codes that the world defines."""

import re
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NewType, cast

import pycountry
import strawberry
from graphql import IntValueNode, StringValueNode, ValueNode
from iso4217 import Currency

from domain.money import currencies
from schema.build import enum

BigInt = NewType("BigInt", int)
Json = NewType("Json", object)

WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,6})?")
"""Not all that Python takes: neither underscores and blanks nor the digits of other scripts."""
_NAMES = {currency.code: currency.currency_name for currency in Currency}


def _json_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("This must be a JSON object.")
    return cast("dict[str, Any]", value)


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError('Write the amount as a string, for example "12.50".')
    if not DECIMAL.fullmatch(str(value)):
        raise ValueError("This is not a number.")
    return Decimal(value)


def _whole_number(value: Any) -> int:
    if not isinstance(value, str | int) or isinstance(value, bool) or not WHOLE.fullmatch(str(value)):
        raise ValueError('Write the number as a string, for example "1250"; it has at most 64 bits.')
    return int(value)


def _literal(parse: Callable[[Any], Any]) -> Callable[..., Any]:
    """A number in the document itself is read as the text that it is."""

    def parse_literal(node: ValueNode, _variables: Any = None) -> Any:
        return parse(node.value if isinstance(node, IntValueNode | StringValueNode) else None)

    return parse_literal


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
        parse_literal=_literal(_whole_number),
    ),
    Json: strawberry.scalar(name="JSON", description="A JSON object.", serialize=lambda v: v, parse_value=_json_object),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as a string: "12.50".',
        serialize=lambda value: format(Decimal(value), "f"),
        parse_value=_decimal,
        parse_literal=_literal(_decimal),
    ),
}
