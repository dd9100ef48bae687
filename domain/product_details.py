"""What staff say about a product, checked: every attribute that is changed by its name."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import nh3
import pycountry

from db.catalog import BriefDue, PriceQuantity
from domain.brief import check_schema
from domain.handle import check_handle
from domain.metadata import check_metadata
from domain.refusal import Gathering, ValidationFailed
from domain.translation import checked_texts

LONGEST_LINE: Final = 255
LONGEST_DESCRIPTION: Final = 100_000
LONGEST_SEO: Final = 500
MOST_TAGS: Final = 250
LARGEST_MEASURE: Final = 2**31 - 1
TRANSLATED: Final = {
    "title": LONGEST_LINE,
    "subtitle": LONGEST_LINE,
    "description": LONGEST_DESCRIPTION,
    "seo_title": LONGEST_LINE,
    "seo_description": LONGEST_SEO,
}
"""The texts of a product that can be translated, with the most characters of each."""


def check_details(given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of `product` as they are to be, of those that are given; null empties what may be empty.

    Refuses all that cannot be at once, each by its name.
    """
    gathering = Gathering()
    made: dict[str, Any] = {}
    for name, check in _CHECKS.items():
        if name in given:
            with gathering.at(*(() if name in _NAME_THEMSELVES else (name,))):
                made[name] = check(given[name])
    gathering.raise_if_any()
    return made


def check_texts(given: Mapping[str, str | None]) -> dict[str, str]:
    """A product's texts in one locale, as they are kept."""
    texts = checked_texts(given, TRANSLATED)
    return {field: nh3.clean(text) if field == "description" else text for field, text in texts.items()}


Check = Callable[[Any], Any]


def _line(longest: int = LONGEST_LINE, *, empty: Any = None, needed: bool = False) -> Check:
    """Text on one line; `empty` is what is stored of none."""

    def check(value: str | None) -> Any:
        text = (value or "").strip()
        if needed and not text:
            raise ValidationFailed("This has to be said: write something.")
        if len(text) > longest or not text.isprintable():
            raise ValidationFailed(f"Write at most {longest:,} characters on one line.")
        return text or empty

    return check


def _description(value: str | None) -> str:
    if len(value or "") > LONGEST_DESCRIPTION:
        raise ValidationFailed(f"A description has at most {LONGEST_DESCRIPTION:,} characters.")
    return nh3.clean(value or "")


def _tags(value: list[str] | None) -> list[str]:
    line = _line(needed=True)
    gathering = Gathering()
    tags: dict[str, None] = {}
    for i, tag in enumerate(value or ()):
        with gathering.at(str(i)):
            tags[line(tag)] = None
    gathering.raise_if_any()
    if len(tags) > MOST_TAGS:
        raise ValidationFailed(f"A product has at most {MOST_TAGS} tags.")
    return list(tags)


def _country(value: str | None) -> str | None:
    if value is not None and pycountry.countries.get(alpha_2=value) is None:
        raise ValidationFailed("Write a country as ISO 3166-1 does, such as NL.")
    return value


def _hs_code(value: str | None) -> str | None:
    digits = re.sub(r"[ .]", "", value or "")
    if digits and not re.fullmatch(r"[0-9]{6,13}", digits):
        raise ValidationFailed("Write an HS code of 6 to 13 digits, such as 4823.69.")
    return digits or None


def _measure(value: int | None) -> int | None:
    if value is not None and not 0 <= value <= LARGEST_MEASURE:
        raise ValidationFailed("Write a whole number that is not below 0.")
    return value


def _flag(value: bool | None) -> bool:
    if value is None:
        raise ValidationFailed("Say true or false.")
    return value


def _handle(value: str | None) -> str:
    check_handle(value or "")
    return value or ""


def _one_of(values: type[BriefDue] | type[PriceQuantity]) -> Check:
    def check(value: str | None) -> str:
        if value is None:
            raise ValidationFailed("This cannot be empty.")
        return str(values(value))

    return check


def _schema(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is not None:
        check_schema(value)
    return value


def _metadata(value: dict[str, Any] | None) -> dict[str, Any]:
    check_metadata(value or {})
    return value or {}


_CHECKS: Final[Mapping[str, Check]] = {
    "title": _line(needed=True),
    "handle": _handle,
    "external_id": _line(),
    "subtitle": _line(),
    "description": _description,
    "vendor": _line(empty=""),
    "type": _line(empty=""),
    "tags": _tags,
    "seo_title": _line(),
    "seo_description": _line(LONGEST_SEO),
    "origin_country": _country,
    "hs_code": _hs_code,
    "material": _line(),
    "weight_grams": _measure,
    "length_mm": _measure,
    "width_mm": _measure,
    "height_mm": _measure,
    "discountable": _flag,
    "tax_class_code": _line(100),
    "workflow_code": _line(100),
    "brief_schema": _schema,
    "brief_due": _one_of(BriefDue),
    "price_quantity": _one_of(PriceQuantity),
    "metadata": _metadata,
}
DETAILS: Final = tuple(_CHECKS)
_NAME_THEMSELVES: Final = {"handle", "metadata"}
"""Refusals of these come with the field's name."""
