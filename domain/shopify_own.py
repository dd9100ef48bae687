"""What our own columns say of a product and its variants: checked as mutations check it, and told by column."""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from db.catalog import ProductStatus
from domain.money import minor_units
from domain.option import made_translations
from domain.product import OptionDraft, ValueDraft
from domain.product_details import check_details, check_texts
from domain.refusal import Refusal, ValidationFailed, refusals_of
from domain.shopify_rows import Row
from domain.translation import canonical
from domain.variant import columns_of, translations_of

DETAILS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("external_id", "subtitle", "origin_country", "hs_code", "material", "tax_class_code")),
    **dict.fromkeys(("weight_grams", "length_mm", "width_mm", "height_mm", "brief_schema")),
    "discountable": True, "workflow_code": "default", "brief_due": "after_order", "price_quantity": "line",
    "metadata": {},
}  # fmt: skip
"""Columns of `product` that only columns of ours tell of, with what is meant by an empty cell."""
VARIANT: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("ean", "upc", "external_id", "length_mm", "width_mm", "height_mm")),
    "metadata": {},
}
"""Those of `variant` likewise."""
NO_WORKFLOW: Final = "none"
"""Where others have the code of a workflow: lines of the product get no ticket."""
_WHEN: Final = {"published_from", "published_until"}


@dataclass(frozen=True, slots=True)
class ProductPlace:
    """Where a product stands; null: the file does not say. Others by their handles and codes."""

    created_at: datetime | None = None
    categories: tuple[str, ...] | None = None
    collections: Mapping[str, str] | None = None
    """The rank in each collection by hand."""
    channels: Mapping[str, tuple[datetime | None, datetime | None]] | None = None
    former_handles: Mapping[str, datetime] = field(default_factory=dict[str, datetime])


@dataclass(frozen=True, slots=True)
class PriceCell:
    """A price besides those that have columns; regions by code, lists as an export calls them."""

    currency: str
    minor: int
    compare_at: int | None
    region: str | None
    price_list: str | None
    min_quantity: int


@dataclass(frozen=True, slots=True)
class StockCell:
    """What lies in a location; `on_hand` null: the column of quantities says so."""

    location: str
    on_hand: int | None
    backorder_limit: int


@contextmanager
def told(row: Row, key: str) -> Generator[None]:
    """What is refused, as problems of this column; and what has not the shape that it must have."""
    try:
        yield
    except (Refusal, ExceptionGroup) as error:
        for refusal in refusals_of(error):
            row.bad(key, refusal.message)
    except (TypeError, KeyError, ValueError, AttributeError, ArithmeticError):
        row.bad(key, "This is not as an export writes it: see docs/import.md.")


def product_columns(row: Row) -> dict[str, Any]:
    """Columns of `product`, of those for which the file has one."""
    given: dict[str, Any] = {}
    for name, default in DETAILS.items():
        if (key := f"product.{name}") in row.sheet.own:
            value = row.own(key)
            given[name] = default if value is None else value
    if given.get("workflow_code") == NO_WORKFLOW:
        given["workflow_code"] = None
    columns = _checked(row, "product", given, check_details)
    if "product.translations" in row.sheet.own:
        with told(row, "product.translations"):
            texts: dict[str, dict[str, str]] = row.own("product.translations") or {}
            columns["translations"] = {canonical(locale): check_texts(part) for locale, part in texts.items()}
    return columns


def _checked(
    row: Row, owner: str, given: Mapping[str, Any], check: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Each by itself, so that one that cannot be is told of its column."""
    columns: dict[str, Any] = {}
    for name, value in given.items():
        with told(row, f"{owner}.{name}"):
            if name in {"metadata", "brief_schema"} and not isinstance(value, dict | None):
                raise ValidationFailed("Write a JSON object.")
            columns |= check({name: value})
    return columns


@dataclass(frozen=True, slots=True)
class _Rule:
    increment: int | None
    minimum: int | None
    maximum: int | None


def variant_columns(
    row: Row, values: Sequence[str], choices: Sequence[OptionDraft]
) -> tuple[str | None, dict[str, Any]]:
    """The title and other columns of `variant`, of those for which the file has one."""
    own = row.sheet.own
    given = {name: row.own(f"variant.{name}") for name in VARIANT if f"variant.{name}" in own}
    given = {name: VARIANT[name] if value is None else value for name, value in given.items()}
    columns = _checked(row, "variant", given, columns_of)
    if "variant.quantity_rule" in own:
        with told(row, "variant.quantity_rule"):
            rule: dict[str, Any] = row.own("variant.quantity_rule") or {}
            columns |= columns_of({"quantity_rule": _Rule(*(rule.get(n) for n in ("increment", "minimum", "maximum")))})
    if "variant.title" not in own:
        return None, columns
    title = row.own("variant.title") or " / ".join(values)
    with told(row, "variant.translations"):
        texts = row.own("variant.translations")
        made = made_translations([_chosen(value, choices, i) for i, value in enumerate(values)])
        columns["translations"] = made if texts is None else translations_of(texts, "title")
    return title, columns


def _chosen(value: str, choices: Sequence[OptionDraft], i: int) -> dict[str, Any]:
    options = choices[i].values if i < len(choices) else ()
    named = next((option for option in options if option.name == value), ValueDraft(value))
    return {"name": value, "translations": named.translations}


def option_names(row: Row) -> tuple[str, ...]:
    """The names of all options of the product, as our column has them."""
    with told(row, "product.options"):
        return tuple(str(option["name"]) for option in row.own("product.options") or ())
    return ()


def choices(row: Row, count: int) -> tuple[OptionDraft, ...]:
    """What the options have besides their names; by place, as a name may have been written anew."""
    drafts: list[OptionDraft] = []
    with told(row, "product.options"):
        for option in row.own("product.options") or ():
            values = tuple(
                ValueDraft(
                    str(value["name"]).strip(),
                    translations_of(value.get("translations") or {}, "name"),
                    _color(value.get("color")),
                    value.get("image"),
                )
                for value in option.get("values") or ()
            )
            drafts.append(OptionDraft(translations_of(option.get("translations") or {}, "name"), values))
    return tuple((drafts + [OptionDraft()] * count)[:count])


def _color(value: str | None) -> str | None:
    if value is not None and not (len(value) == 7 and value[0] == "#" and set(value[1:]) <= set("0123456789abcdef")):
        raise ValidationFailed("Write a colour as #rrggbb, in small letters.")
    return value


def further_values(row: Row) -> tuple[str, ...]:
    with told(row, "variant.option_values"):
        return tuple(str(value).strip() for value in row.own("variant.option_values") or ())
    return ()


def place(row: Row) -> ProductPlace:
    own = row.sheet.own
    categories = collections = channels = None
    former: dict[str, datetime] = {}
    if "product.categories" in own:
        with told(row, "product.categories"):
            categories = tuple(str(handle) for handle in row.own("product.categories") or ())
    if "product.collections" in own:
        with told(row, "product.collections"):
            ranks: dict[str, Any] = row.own("product.collections") or {}
            collections = {name: _rank(rank) for name, rank in ranks.items()}
    if "product.channels" in own:
        with told(row, "product.channels"):
            cell: dict[str, Any] | None = row.own("product.channels")
            channels = None if cell is None else {code: _window(bounds) for code, bounds in cell.items()}
    with told(row, "product.former_handles"):
        since: dict[str, Any] = row.own("product.former_handles") or {}
        former = {handle: _time(time) for handle, time in since.items()}
    return ProductPlace(row.own("product.created_at"), categories, collections, channels, former)


def _rank(rank: str) -> str:
    if not re.fullmatch("[A-Za-z][0-9A-Za-z]*", rank):
        raise ValidationFailed("A place is a letter, then letters and digits.")
    return rank


def _window(bounds: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    start, end = (None if bounds.get(name) is None else _time(bounds[name]) for name in ("from", "until"))
    if start and end and start >= end:
        raise ValidationFailed("The window ends before it begins.")
    return start, end


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def prices(row: Row) -> tuple[PriceCell, ...] | None:
    """Null: there is no such column."""
    if "variant.prices" not in row.sheet.own:
        return None
    with told(row, "variant.prices"):
        return tuple(_price(cell) for cell in row.own("variant.prices") or ())
    return ()


def _price(cell: Mapping[str, Any]) -> PriceCell:
    currency, was = str(cell["currency"]), cell.get("compareAt")
    quantity = cell.get("from", 1)
    if type(quantity) is not int or not 1 <= quantity <= 1_000_000:
        raise ValidationFailed("A price counts from a quantity of 1 to 1,000,000 on.")
    compare_at = None if was is None else minor_units(str(was), currency)
    amount = minor_units(str(cell["amount"]), currency)
    if amount < 0 or (compare_at or 0) < 0:
        raise ValidationFailed("A price is 0 or more.")
    return PriceCell(currency, amount, compare_at, cell.get("region"), cell.get("list"), quantity)


def stock(row: Row) -> tuple[StockCell, ...] | None:
    """Null: there is no such column."""
    if "variant.stock" not in row.sheet.own:
        return None
    with told(row, "variant.stock"):
        cells = cast("dict[str, dict[str, Any]]", row.own("variant.stock") or {})
        return tuple(
            StockCell(code, _count(at.get("onHand")), _count(at.get("backorder")) or 0) for code, at in cells.items()
        )
    return ()


def _count(value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= 1_000_000_000):
        raise ValidationFailed("A quantity is between 0 and 1,000,000,000.")
    return value


def status(row: Row, *, published: bool, archived: bool) -> ProductStatus:
    """What Shopify has no word for stands in a column of ours, and counts while those call it a draft."""
    text = row.own("product.status")
    if text is not None and not published:
        with told(row, "product.status"):
            exact = ProductStatus(text)
            if archived or exact != ProductStatus.PUBLISHED:
                return exact
    return ProductStatus.PUBLISHED if published else ProductStatus.DRAFT
