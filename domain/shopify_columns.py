"""The columns of a product CSV: Shopify's by their old and new names, and our own for what Shopify has no place for.

Ours are named as Shopify names metafields, `Subtitle (product.metafields.counterfoil.subtitle)`, and found by what
stands in the brackets. docs/import.md tells what is in them.
"""

import re
from collections.abc import Mapping, Set
from enum import StrEnum
from typing import Final

COLUMNS: Final = {
    "handle": ("Handle", "URL handle"),
    "title": ("Title",),
    "description": ("Body (HTML)", "Body HTML", "Description"),
    "vendor": ("Vendor",),
    "type": ("Type", "Custom Product Type"),
    "tags": ("Tags",),
    "published": ("Published", "Published on online store"),
    "option1_name": ("Option1 Name",),
    "option1_value": ("Option1 Value",),
    "option2_name": ("Option2 Name",),
    "option2_value": ("Option2 Value",),
    "option3_name": ("Option3 Name",),
    "option3_value": ("Option3 Value",),
    "sku": ("Variant SKU", "SKU"),
    "weight_grams": ("Variant Grams", "Weight value (grams)"),
    "tracker": ("Variant Inventory Tracker", "Inventory tracker"),
    "quantity": ("Variant Inventory Qty", "Inventory quantity"),
    "allow_backorder": ("Variant Inventory Policy", "Continue selling when out of stock"),
    "price": ("Variant Price", "Price"),
    "compare_at": ("Variant Compare At Price", "Compare-at price"),
    "requires_shipping": ("Variant Requires Shipping", "Requires shipping"),
    "taxable": ("Variant Taxable", "Charge tax"),
    "barcode": ("Variant Barcode", "Barcode"),
    "media": ("Image Src", "Product image URL"),
    "image_position": ("Image Position",),
    "image_alt": ("Image Alt Text",),
    "gift_card": ("Gift Card",),
    "seo_title": ("SEO Title",),
    "seo_description": ("SEO Description",),
    "media_id": ("Variant Image", "Variant image URL"),
    "weight_unit": ("Variant Weight Unit", "Weight unit for display"),
    "status": ("Status",),
}
"""What is read, by the name of our field where there is one; the header's case does not matter. In the order in which
they are written, but for `gift_card`, which is only refused.
"""
REQUIRED: Final = ("handle", "title", "price")
KEPT: Final[Mapping[str, Set[str]]] = {
    **{key: {key} for key in ("description", "vendor", "type", "tags", "seo_title", "seo_description")},
    **{key: {key} for key in ("sku", "barcode", "allow_backorder", "requires_shipping", "taxable")},
    **{key: {key} for key in ("weight_grams", "weight_unit", "media", "media_id")},
    "status": {"published", "status"},
    "manage_stock": {"tracker", "quantity"},
    "options": {"option1_name", "option1_value"},
}
"""Fields that an existing product keeps when the file has none of these columns."""
MARKET: Final = re.compile(r"(price|compare[ -]at price) / (.+)", re.IGNORECASE)


class Cell(StrEnum):
    """What is in a cell of a column of ours. Empty is the default of a new product, which stands in docs/import.md."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"
    JSON = "json"


OWN: Final[Mapping[str, tuple[str, Cell]]] = {
    "product.status": ("Exact status", Cell.TEXT),
    "product.archived_at": ("Archived at", Cell.TIME),
    "product.created_at": ("Created at", Cell.TIME),
    "product.external_id": ("External id", Cell.TEXT),
    "product.subtitle": ("Subtitle", Cell.TEXT),
    "product.origin_country": ("Country of origin", Cell.TEXT),
    "product.hs_code": ("HS code", Cell.TEXT),
    "product.material": ("Material", Cell.TEXT),
    "product.weight_grams": ("Weight in grams", Cell.NUMBER),
    "product.length_mm": ("Length in mm", Cell.NUMBER),
    "product.width_mm": ("Width in mm", Cell.NUMBER),
    "product.height_mm": ("Height in mm", Cell.NUMBER),
    "product.discountable": ("Discountable", Cell.FLAG),
    "product.tax_class_code": ("Tax class", Cell.TEXT),
    "product.workflow_code": ("Workflow", Cell.TEXT),
    "product.brief_schema": ("Brief", Cell.JSON),
    "product.brief_due": ("Brief due", Cell.TEXT),
    "product.price_quantity": ("Quantity that prices count", Cell.TEXT),
    "product.tags": ("Exact tags", Cell.JSON),
    "product.options": ("Options", Cell.JSON),
    "product.categories": ("Categories", Cell.JSON),
    "product.collections": ("Collections", Cell.JSON),
    "product.channels": ("Channels", Cell.JSON),
    "product.former_handles": ("Former handles", Cell.JSON),
    "product.translations": ("Translations", Cell.JSON),
    "product.metadata": ("Metadata", Cell.JSON),
    "variant.title": ("Variant title", Cell.TEXT),
    "variant.ean": ("EAN", Cell.TEXT),
    "variant.upc": ("UPC", Cell.TEXT),
    "variant.external_id": ("Variant external id", Cell.TEXT),
    "variant.length_mm": ("Variant length in mm", Cell.NUMBER),
    "variant.width_mm": ("Variant width in mm", Cell.NUMBER),
    "variant.height_mm": ("Variant height in mm", Cell.NUMBER),
    "variant.quantity_rule": ("Quantity rule", Cell.JSON),
    "variant.option_values": ("Values of further options", Cell.JSON),
    "variant.prices": ("Further prices", Cell.JSON),
    "variant.stock": ("Stock", Cell.JSON),
    "variant.translations": ("Variant translations", Cell.JSON),
    "variant.metadata": ("Variant metadata", Cell.JSON),
    "shop.definition": ("Shop", Cell.JSON),
}
"""By owner and key: the title that is written in front of the brackets, and what is in the cells."""
_METAFIELD: Final = re.compile(r".*\((product|variant|shop)\.metafields\.counterfoil\.([a-z_]+)\)", re.IGNORECASE)
FORMULA: Final = frozenset("=+-@\t\r'＝＋－＠")
"""Spreadsheets run a cell that begins with one of these; the apostrophe is ours."""


def own_label(key: str) -> str:
    owner, _, name = key.partition(".")
    return f"{OWN[key][0]} ({owner}.metafields.counterfoil.{name})"


def own_key(header: str) -> str | None:
    """The column of ours that a header means, if it is one."""
    found = _METAFIELD.fullmatch(header)
    key = f"{found[1]}.{found[2]}".lower() if found else ""
    return key if key in OWN else None


def escaped(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in FORMULA and text else text


def unescaped(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA and len(text) > 1 else text
