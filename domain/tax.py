"""Taxes: which rates hold where, and how an amount is taxed there. Pure, but for what writes and reads rates."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text

from db.connection import Tx, new_id
from db.region import Rounding
from domain.money import times
from domain.totals import LineTotal, Rate, line_total, proportional

LOCAL: Final = "local"
"""The provider whose answer are the rates that are stored here."""


@dataclass(frozen=True)
class Taxes:
    """The rates of one destination by tax class; a class without any is not taxed there."""

    by_class: Mapping[str, tuple[Rate, ...]]
    default: str
    """The class of what names none."""

    def of(self, code: str | None) -> tuple[Rate, ...]:
        return self.by_class.get(code or self.default, ())

    @classmethod
    def combined(cls, rows: Iterable[Mapping[str, Any]], default: str) -> "Taxes":
        """Of the rates that fit a destination (`class`, `name`, `rate`, `level`, `replaces`): all add up, but for those
        of wider areas than one that replaces them.
        """
        by_class: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: (row["level"], row["name"])):
            by_class[row["class"]].append(row)
        return cls({code: tuple(_holding(found)) for code, found in by_class.items()}, default)


def _holding(rows: Sequence[Mapping[str, Any]]) -> Iterable[Rate]:
    narrowest = max((row["level"] for row in rows if row["replaces"]), default=0)
    return (Rate(row["name"], Decimal(row["rate"])) for row in rows if row["level"] >= narrowest)


@dataclass(frozen=True)
class Levy:
    """How what a region sells is taxed at a destination. Amounts are as the region shows prices."""

    taxes: Taxes
    home: Taxes | None
    """Null, but where prices are shown with the tax of the region's home and it goes elsewhere: that is taken out
    first, and the destination's comes to it.
    """
    inclusive: bool
    rounding: Rounding = Rounding.HALF_UP

    @property
    def included(self) -> bool:
        """The destination's taxes are in the amounts, not added to them."""
        return self.inclusive and self.home is None

    def base(self, unit: int, quantity: int, code: str | None, *, taxable: bool = True) -> int:
        """What the destination's taxes are counted of."""
        if self.home is None:
            return times(unit, quantity)
        rates = self.home.of(code) if taxable else ()
        return line_total(unit, quantity, rates, inclusive=True, rounding=self.rounding).net

    def line(self, unit: int, quantity: int, code: str | None, *, taxable: bool = True) -> LineTotal:
        base = self.base(unit, quantity, code, taxable=taxable)
        return self.by(base, self.taxes.of(code) if taxable else ())

    def by(self, base: int, rates: Sequence[Rate]) -> LineTotal:
        """An amount that is taxed by these rates, whatever the destination's are."""
        return line_total(base, 1, rates, inclusive=self.included, rounding=self.rounding)

    def at_home(self, unit: int, quantity: int, code: str | None, *, taxable: bool = True) -> LineTotal:
        """A line as it would be at home."""
        rates = (self.home or self.taxes).of(code) if taxable else ()
        return line_total(unit, quantity, rates, inclusive=self.inclusive, rounding=self.rounding)

    def like(self, amount: int, lines: Sequence[LineTotal], at_home: Sequence[LineTotal]) -> LineTotal:
        """An amount that is taxed as the lines are, each for its share."""
        if self.home is not None:
            rates = self.home.of(None)
            amount = proportional(amount, at_home, rates, inclusive=True, rounding=self.rounding).net
        rates = self.taxes.of(None)
        return proportional(amount, lines, rates, inclusive=self.included, rounding=self.rounding)


async def set_country_rates(tx: Tx, countries: Sequence[str], taxes: Mapping[str, Decimal]) -> None:
    """Makes the rates of whole countries for the default class what is given; those of their parts stay."""
    names, rates = list(taxes), list(taxes.values())
    await tx.run(_NO_OTHERS, countries=list(countries), names=names)
    rows = [
        {"id": new_id(), "country": country, "name": name, "rate": str(rate)}
        for country in sorted(countries)
        for name, rate in sorted(zip(names, rates, strict=True))
    ]
    if rows:
        await tx.run(_SET, rows=rows)


_NO_OTHERS: Final = text(
    """
    DELETE FROM tax_rate WHERE country = ANY(:countries) AND name <> ALL(:names)
      AND subdivision IS NULL AND postcode_from IS NULL
      AND tax_class_code = (SELECT code FROM tax_class WHERE is_default)
    """
)
_SET: Final = text(
    """
    INSERT INTO tax_rate (id, country, tax_class_code, name, rate)
    SELECT given.id, country, tax_class.code, given.name, rate
    FROM jsonb_to_recordset(:rows) AS given (id uuid, country text, name text, rate numeric)
    JOIN tax_class ON tax_class.is_default
    ON CONFLICT ON CONSTRAINT uq_tax_rate_place DO UPDATE SET rate = excluded.rate, updated_at = clock_timestamp()
    WHERE tax_rate.rate <> excluded.rate
    """
)
