"""Where something goes, as far as taxes depend on it: a country, its subdivision, and a postcode."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import pycountry

NOT_OF_POSTCODE: Final = re.compile("[^A-Z0-9]")
ON_CARS: Final = {
    "AT": "A", "BE": "B", "DE": "D", "ES": "E", "FI": "FIN", "FR": "F", "HU": "H", "IT": "I", "LU": "L", "NO": "N",
    "PT": "P", "SE": "S",
}  # fmt: skip
"""What letters have long had in front of postcodes of digits."""


@dataclass(frozen=True)
class Destination:
    """`subdivisions` is the one of the address and those that it is part of, as ISO 3166-2 has them, without the
    country; none where the address says nothing that is known.
    """

    country: str
    subdivisions: tuple[str, ...] = ()
    postcode: str = ""

    @classmethod
    def of(cls, address: Mapping[str, Any]) -> "Destination":
        """Of an address as carts and orders keep it."""
        country = address["country"]
        return cls(
            country,
            subdivisions(country, address.get("province") or ""),
            normal_postcode(country, address.get("postal_code") or ""),
        )


def normal_postcode(country: str, given: str) -> str:
    """Letters and digits alone, without the country in front of a number: `LV-1010` is 1010, `D-10115` is 10115,
    `1012 ab` is 1012AB. Digits of other scripts, and wide ones, are digits.
    """
    bare = NOT_OF_POSTCODE.sub("", _latin(given).upper())
    stripped = (bare.removeprefix(prefix) for prefix in (country, ON_CARS.get(country, country)))
    return next((rest for rest in stripped if rest.isdigit()), bare)


def _latin(given: str) -> str:
    wide = unicodedata.normalize("NFKC", given)
    return "".join(str(unicodedata.decimal(one, one)) for one in wide)


def subdivisions(country: str, given: str) -> tuple[str, ...]:
    """The subdivision that is meant, by its code (`CA`, `US-CA`) or its name (`California`), and what it is part of."""
    return _subdivisions(country).get(_folded(given), ())


@cache
def _subdivisions(country: str) -> dict[str, tuple[str, ...]]:
    found: Any = cast(Any, pycountry.subdivisions).get(country_code=country)
    listed: list[Any] = list(found or ())
    parents = {one.code: one.parent_code for one in listed}
    known: dict[str, tuple[str, ...]] = {}
    for one in listed:
        parts = tuple(code.partition("-")[2] for code in _upwards(one.code, parents))
        for name in (one.code, parts[0]):
            known[_folded(name)] = parts
    for one in listed:
        known.setdefault(_folded(one.name), known[_folded(one.code)])
    return known


def _upwards(code: str, parents: Mapping[str, str | None]) -> list[str]:
    chain = [code]
    while (parent := parents.get(chain[-1])) and parent not in chain:
        chain.append(parent)
    return chain


def _folded(name: str) -> str:
    """Without accents, and whatever the case."""
    letters = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
