"""Variants: what may be said of one, and why one is refused."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

from stdnum import ean
from stdnum.exceptions import ValidationError

from db.base import MOST_METADATA
from domain.metadata import size_of
from domain.product import LONGEST_NAME, MOST_VARIANTS
from domain.refusal import ErrorCode, Gathering, Refusal, ValidationFailed
from domain.translation import checked

DEFAULTS: Final[Mapping[str, Any]] = {
    "sku": None, "barcode": None, "ean": None, "upc": None, "external_id": None,
    "manage_stock": True, "allow_backorder": False, "requires_shipping": True, "taxable": True,
    "weight_grams": 0, "weight_unit": "g", "length_mm": None, "width_mm": None, "height_mm": None,
    "quantity_min": 1, "quantity_max": None, "quantity_step": 1,
    "media_id": None, "translations": {}, "metadata": {},
}  # fmt: skip
"""What a new variant is unless something else is said. Its title is made of its values."""
UNITS: Final = ("g", "kg", "oz", "lb")
MOST_MM: Final = 1_000_000
MOST_OF_A_LINE: Final = 1_000_000
JOINED: Final = " / "


@dataclass(eq=False)
class VariantCombinationExists(Refusal):
    """A live variant of the product has these values."""

    message: str = "There is such a variant already."
    existing_variant_id: UUID | None = None
    code = ErrorCode.VARIANT_COMBINATION_EXISTS


@dataclass(eq=False)
class SkuTaken(Refusal):
    """A live variant, of this product or another, has this SKU."""

    message: str = "Another variant has this SKU: give each its own."
    variant_id: UUID | None = None
    sku: str = ""
    code = ErrorCode.SKU_TAKEN


@dataclass(eq=False)
class VariantExternalIdTaken(Refusal):
    """A variant, live or archived, has this external id."""

    message: str = "Another variant has this external id."
    variant_id: UUID | None = None
    external_id: str = ""
    code = ErrorCode.EXTERNAL_ID_TAKEN


@dataclass(eq=False)
class TooManyVariants(Refusal):
    """`count` is how many live variants the product would have."""

    message: str = f"A product has at most {MOST_VARIANTS:,} variants: split it into several products."
    count: int = 0
    limit: int = MOST_VARIANTS
    code = ErrorCode.TOO_MANY_VARIANTS


@dataclass(eq=False)
class VariantsWouldBeEqual(Refusal):
    """Without the options that go, these live variants would have the same values."""

    message: str = "Without this option variants would be equal: archive or change all but one of them first."
    variant_ids: list[UUID] = field(default_factory=list[UUID])
    code = ErrorCode.VARIANTS_WOULD_BE_EQUAL


@dataclass(eq=False)
class OptionValueInUse(Refusal):
    """Live variants have the value that was to go."""

    message: str = "Variants have this value: archive or change them first."
    value: str = ""
    variant_ids: list[UUID] = field(default_factory=list[UUID])
    code = ErrorCode.OPTION_VALUE_IN_USE


def columns_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the given fields are stored in; title null: made of the values. Refuses all that cannot be.

    A field that is not given is not in it; null empties a field that may be empty and is refused for others.
    """
    gathering = Gathering()
    columns: dict[str, Any] = {}
    for name in _CHECKS.keys() & given.keys():
        with gathering.at(name):
            if given[name] is None and name not in _MAY_BE_EMPTY:
                raise ValidationFailed("This cannot be empty.")
            columns[name] = None if given[name] is None else _CHECKS[name](given[name])
    if "quantity_rule" in given:
        with gathering.at("quantity_rule"):
            columns |= _quantity_rule(given["quantity_rule"])
    gathering.raise_if_any()
    return columns


def check_text(value: str, longest: int = LONGEST_NAME) -> str:
    """Without the spaces around it; refuses what is empty, too long or not on one line."""
    kept = value.strip()
    if not 1 <= len(kept) <= longest or not kept.isprintable():
        raise ValidationFailed(f"This has 1 to {longest} characters on one line.")
    return kept


def _ean(value: str) -> str:
    return _number(value, (8, 13), "Write an EAN of 8 or 13 digits with the right check digit.")


def _upc(value: str) -> str:
    return _number(value, (12,), "Write a UPC of 12 digits with the right check digit.")


def _number(value: str, lengths: Sequence[int], advice: str) -> str:
    """Digits alone, as spaces and hyphens between them are for people."""
    try:
        digits: str = ean.validate(value)
    except ValidationError:
        digits = ""
    if len(digits) not in lengths or not re.fullmatch(r"[0-9 -]+", value):
        raise ValidationFailed(advice)
    return digits


def _whole(most: int) -> Callable[[int], int]:
    def check(value: int) -> int:
        if not 0 <= value <= most:
            raise ValidationFailed(f"This is 0 to {most:,}.")
        return value

    return check


def _unit(value: str) -> str:
    if value not in UNITS:
        raise ValidationFailed(f"A unit of weight is one of {', '.join(UNITS)}.")
    return value


def _translations(value: Any) -> dict[str, Any]:
    return translations_of(value, "title")


def translations_of(value: Any, text: str) -> dict[str, Any]:
    """By locale the one text that a thing has."""
    entries = cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None
    if entries is None or not all(isinstance(part, Mapping) for part in entries.values()):
        raise ValidationFailed(f'Write an object such as {{"de": {{"{text}": "…"}}}}.')
    return checked(entries, {text: LONGEST_NAME})


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    if size_of(value) > MOST_METADATA:
        raise ValidationFailed(f"Metadata has at most {MOST_METADATA:,} bytes.")
    return value


def _quantity_rule(rule: Any) -> dict[str, Any]:
    if rule is None:
        raise ValidationFailed("This cannot be empty.")
    step = 1 if rule.increment is None else rule.increment
    least = step if rule.minimum is None else rule.minimum
    most: int | None = rule.maximum
    if not 1 <= step <= MOST_OF_A_LINE:
        raise ValidationFailed(f"An increment is 1 to {MOST_OF_A_LINE:,}.", path=("increment",))
    if not 1 <= least <= MOST_OF_A_LINE or least % step:
        raise ValidationFailed("The minimum is a multiple of the increment, and at least 1.", path=("minimum",))
    if most is not None and (not least <= most <= MOST_OF_A_LINE or most % step):
        message = "The maximum is a multiple of the increment, and not below the minimum."
        raise ValidationFailed(message, path=("maximum",))
    return {"quantity_min": least, "quantity_max": most, "quantity_step": step}


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("title", "sku", "barcode", "external_id"), check_text),
    **dict.fromkeys(("manage_stock", "allow_backorder", "requires_shipping", "taxable"), bool),
    **dict.fromkeys(("length_mm", "width_mm", "height_mm"), _whole(MOST_MM)),
    "ean": _ean,
    "upc": _upc,
    "weight_grams": _whole(2**31 - 1),
    "weight_unit": _unit,
    "media_id": lambda value: value,
    "translations": _translations,
    "metadata": _metadata,
}
_MAY_BE_EMPTY: Final = {"title", *(name for name, default in DEFAULTS.items() if default is None)}
FIELDS: Final = frozenset([*_CHECKS, "quantity_rule"])
"""What `columns_of` takes."""
