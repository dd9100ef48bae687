"""Amounts as clients see them."""

import re
from collections.abc import Iterable
from copy import copy
from decimal import Decimal
from typing import Any, Final

import strawberry
from babel.numbers import format_currency

from domain.money import Money as Amount
from domain.money import digits
from domain.translation import conventions
from resolvers.context import NO_LOCALE, Ctx
from resolvers.request_error import BadUserInput
from schema.build import asks, column, derived, input_type, optional, required, view
from schema.scalars import BigInt, CurrencyCode

CODE_BESIDE_DIGIT: Final = re.compile(r"(?<=[^\W\d_])(?=\d)")
"""Where CLDR puts a space and Babel does not: `KWD 1.234`, but `€1.23`."""


async def _formatted(ctx: Ctx, money: Amount, locale: str | None) -> str:
    """In the locale asked for, else in that of the context, else in English."""
    parsed = conventions(locale or ctx.choice.locale or "en")
    if parsed is None:
        raise BadUserInput(NO_LOCALE, "locale")
    pattern = copy(parsed.currency_formats["standard"])
    pattern.frac_prec = (digits(money.currency),) * 2  # CLDR rounds some currencies to what cash there is
    written = format_currency(money.amount, money.currency, pattern, parsed, currency_digits=False)
    return CODE_BESIDE_DIGIT.sub("\N{NO-BREAK SPACE}", written)


@view(Amount)
class Money:
    """An amount in a currency. `amount` and `minorUnits` are the same number in two notations."""

    amount: Decimal = derived(lambda money: money.amount, 'In major units, with the currency\'s places: `"12.50"`.')
    minor_units: BigInt = derived(lambda money: money.minor, "In cents, yen, fils.")
    currency: CurrencyCode = column("Its currency.")
    formatted: str = asks(
        _formatted,
        "As people write it: `€12.50`, `¥500`.",
        shared=True,
        locale=optional(str, "BCP 47, for example `de-DE`; by default that of the context."),
    )


@view()
class TaxedMoney:
    """An amount without tax, with tax, and the tax: always net + tax = gross."""

    net: Money = strawberry.field(description="Without tax.")
    gross: Money = strawberry.field(description="With tax.")
    tax: Money = strawberry.field(description="The difference.")


@view()
class TaxAmount:
    """One tax of a total."""

    name: str = strawberry.field(description="Its name in the region, for example VAT.")
    rate: Decimal = strawberry.field(description="As a fraction: 0.21 is 21 %.")
    amount: Money = strawberry.field(description="How much of the total it is.")


@input_type
class MoneyInput:
    """An amount in a currency; more decimal places than the currency has are refused."""

    amount: Decimal = required('In major units: `"12.50"`.')
    currency: CurrencyCode = required("Its currency.")


def taxed(net: int, tax: int, currency: str) -> dict[str, Any]:
    return {"net": Amount(net, currency), "gross": Amount(net + tax, currency), "tax": Amount(tax, currency)}


def tax_amounts(taxes: Iterable[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    return [{**tax, "amount": Amount(tax["amount"], currency)} for tax in taxes]
