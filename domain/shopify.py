"""The product CSV that merchants export from Shopify, read into drafts. Knows no database.

A product is several rows that follow each other: the first carries the product and its first variant, the
others a variant, an image or both. A row that is wrong makes its whole product a problem; the others go on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, cast

from db.catalog import ProductStatus
from domain import shopify_own
from domain.product import DEFAULT_OPTION, DEFAULT_VALUE, MediaDraft, OptionDraft, ProductDraft, VariantDraft
from domain.refusal import Refusal, refusals_of
from domain.shopify_columns import OWN
from domain.shopify_own import PriceCell, ProductPlace, StockCell
from domain.shopify_rows import Problem, Row, Sheet, read_rows
from domain.stock import MOST

MOST_ROWS: Final = 5_000
"""Of one product; keeps a file that repeats one handle for ever from filling the memory."""
MOST_OPTIONS: Final = 3
"""For which Shopify has columns."""
VARIANT_CELLS: Final = ("option1_value", "option2_value", "option3_value", "sku", "price", "quantity", "barcode")
"""One of these makes a row a variant; otherwise it is an image."""
FLAGS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
POLICIES: Final = {"continue": True, "deny": False, **FLAGS}
MOST_CHARACTERS: Final = 2**25
"""Of one product."""
STATUSES: Final = {"active": True, "draft": False, "archived": False, "unlisted": False}
UNITS: Final = {unit: unit for unit in ("g", "kg", "oz", "lb")}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a row says of its variant besides the draft.

    `prices`: (amount, compare-at) in minor units by market, "" for everywhere; amount None: no price there.
    `count` None: not counted; `backorder` None: the file does not say.
    """

    line: int
    prices: Mapping[str, tuple[int | None, int | None]]
    count: int | None
    backorder: bool | None
    further: tuple[PriceCell, ...] | None = None
    """All other prices of the variant; null: the file does not say."""
    stock: tuple[StockCell, ...] | None = None
    """Likewise what lies where."""


@dataclass(frozen=True, slots=True)
class ProductSheet:
    """One product of the file; `offers` are in the order of the draft's variants."""

    sheet: Sheet
    line: int
    rows: int
    draft: ProductDraft
    offers: tuple[Offer, ...]
    place: ProductPlace

    def problem(self, refusal: Refusal) -> Problem:
        """What the database had against the draft, said of the row and column that it came from."""
        variant = refusal.path[:1] == ("variants",)
        line = self.offers[int(refusal.path[1])].line if variant else self.line
        of_own = refusal.path[-1:] and refusal.path[-1] in OWN
        named = refusal.path[-1] if of_own else "sku" if variant else _COLUMN_OF.get(refusal.path[0], "handle")
        if refusal.path[-1:] == ("external_id",):
            named = "variant.external_id" if variant else "product.external_id"
        column = self.sheet.label(named)
        return Problem(self.sheet.name, line, column, refusal.message)


@dataclass
class Parsed:
    """`problems` and `notes` grow while `products` is read."""

    products: Iterator[ProductSheet]
    sheet: Sheet

    @property
    def notes(self) -> list[str]:
        return self.sheet.notes


def read_products(lines: Iterable[bytes], sheet: Sheet) -> Parsed:
    """Reads a file line by line, as `open(path, "rb")` gives it. The sheet has the `seen` of its survey: products whose
    rows are scattered are problems as a whole.

    Its `currencies` are those of the prices by market: "" for `Variant Price`, "Japan" for `Price / Japan`.
    """
    return Parsed(_products(sheet, lines), sheet)


def _products(sheet: Sheet, lines: Iterable[bytes]) -> Iterator[ProductSheet]:
    group: list[Row] = []
    size = 0
    for row in read_rows(sheet, lines):
        if row.is_definition:
            continue
        # A row without handle and title can only belong to the product above; it makes that one a problem.
        belongs = row.handle == group[0].handle or not (row.handle or row.text("title")) if group else False
        if group and not belongs:
            yield from _product(sheet, group)
            group, size = [], 0
        size += sum(map(len, row.cells))
        if len(group) <= MOST_ROWS and (size <= MOST_CHARACTERS or not group):
            group.append(row)
        if size > MOST_CHARACTERS:
            sheet.large = group[0].line
    if group and not sheet.cut:
        yield from _product(sheet, group)


def _product(sheet: Sheet, rows: list[Row]) -> Iterator[ProductSheet]:
    """The product of these rows, or none if there is a problem with one of them."""
    before = sheet.wrong
    first = rows[0]
    bare = bool(sheet.own) and first.text("option1_name") != ""
    variants = [row for row in rows if (row is first and not bare) or any(row.text(key) for key in VARIANT_CELLS)]
    if not _rows_fit(sheet, rows, variants) or sheet.seen.has("scattered", first.handle):
        return
    options = _options(rows, variants)
    choices = shopify_own.choices(first, len(options)) if "product.options" in sheet.own else ()
    variant_drafts = tuple(_variant(row, options, choices) for row in variants)
    offers = tuple(_offer(row, draft) for row, draft in zip(variants, variant_drafts, strict=True))
    media = _media(rows, variants)
    status, archived = _status(first)
    more, place, since = shopify_own.product_columns(first), shopify_own.place(first), first.own("product.archived_at")
    if sheet.wrong > before:
        return
    try:
        draft = ProductDraft(
            handle=first.handle,
            title=first.text("title"),
            description=first.html("description"),
            status=status,
            vendor=first.text("vendor"),
            type=first.text("type"),
            tags=_tags(first),
            seo_title=first.text("seo_title") or None,
            seo_description=first.text("seo_description") or None,
            options=tuple(options.values()),
            variants=variant_drafts,
            media=tuple(draft for _, draft in media),
            choices=choices,
            bare=bare,
            more=more,
            archived=archived,
            archived_at=since if archived else None,
            keep=sheet.keep,
        )
        yield ProductSheet(sheet, first.line, len(rows), draft, offers, place)
    except (Refusal, ExceptionGroup) as error:
        for refusal in refusals_of(error):
            row, key = _place(refusal, variants or rows, [row for row, _ in media])
            row.bad(key, refusal.message)


def _tags(first: Row) -> tuple[str, ...]:
    exact = first.own("product.tags")
    if isinstance(exact, list):
        return tuple(dict.fromkeys(str(tag) for tag in cast("list[Any]", exact)))
    return tuple(dict.fromkeys(tag for part in first.text("tags").split(",") if (tag := part.strip())))


_COLUMN_OF: Final = {"options": "option1_name", "variants": "handle"}


def _place(refusal: Refusal, variants: list[Row], media: list[Row]) -> tuple[Row, str]:
    """The row and the column that a refused part of a draft came from."""
    match refusal.path:
        case ("variants", i, part):
            return variants[int(i)], {"values": "option1_value", "image": "media_id"}.get(part, part)
        case ("media", i, _):
            return media[int(i)], "media" if media[int(i)].text("media") else "media_id"
        case path:
            return variants[0], _COLUMN_OF.get(path[0], path[0])


def _rows_fit(sheet: Sheet, rows: list[Row], variants: list[Row]) -> bool:
    """Whether the rows are as wide as the header, and belong to a product that was not there before."""
    before = sheet.wrong
    first = rows[0]
    for row in rows:
        if len(row.cells) < len(sheet.header) or any(row.cells[len(sheet.header) :]):
            counts = f"The row has {len(row.cells)} cells, the header {len(sheet.header)}"
            row.bad("", f"{counts}: put quotes around cells with commas or line breaks.")
        elif not row.handle:
            row.bad("handle", "Write the product's handle, the same in each of its rows.")
    if len(rows) > MOST_ROWS:
        first.bad("handle", f"The product has more than {MOST_ROWS:,} rows: split it into several.")
    if sheet.large == first.line:
        first.bad("handle", f"The product has more than {MOST_CHARACTERS:,} characters: split it into several.")
    if sheet.seen.first("handle", first.handle, first.line) != first.line:
        first.bad("handle", "Sort the file by this column: rows of the product stand further up, too.")
    if first.one_of("gift_card", FLAGS, False):
        first.bad("gift_card", "Gift cards cannot be imported: take the product out of the file.")
    for row in variants:
        if (sku := row.code("sku")) and (line := sheet.seen.first("sku", sku, row.line)) < first.line:
            row.bad("sku", f"The variant in line {line} has this SKU, too: give each its own.")
    return sheet.wrong == before


def _options(rows: list[Row], variants: list[Row]) -> dict[int, str]:
    """The names of the product's options by their number in the header; 0 is the one of a product without."""
    first = rows[0]
    names = {n: name for n in (1, 2, 3) if (name := first.text(f"option{n}_name"))}
    if not names and first.text("option1_value") == DEFAULT_VALUE:
        names = {1: DEFAULT_OPTION}
    for row in rows[1:]:
        for n in (1, 2, 3):
            if row.text(f"option{n}_name") not in {"", names.get(n, "")}:
                row.bad(f"option{n}_name", "Write the same name as in the product's first row, or nothing.")
    for row in variants:
        for n in (1, 2, 3):
            value = row.text(f"option{n}_value")
            if n in names and not value:
                row.bad(f"option{n}_value", f"Write the variant's {names[n]}.")
            if value and n not in names:
                row.bad(f"option{n}_value", "Name this option in the product's first row, or leave it empty.")
    if names:
        names |= {n: name for n, name in enumerate(shopify_own.option_names(first), 1) if n > MOST_OPTIONS}
    return names or {0: DEFAULT_OPTION}


def _offer(row: Row, draft: VariantDraft) -> Offer:
    sheet = row.sheet
    prices = row.prices()
    if not row.text("price") and not sheet.own:
        row.bad("price", "Write the variant's price, such as 12.50.")
    counted = row.number("quantity", r"-?[0-9]{1,12}(\.0+)?", "Write a whole number such as 25.")
    if counted is not None and counted > MOST:
        row.bad("quantity", f"Write a number up to {MOST:,}.")
    if counted is not None and counted < 0:
        sheet.note("Quantities below 0 (sold before they came in) are taken as 0.")
    return Offer(
        line=row.line,
        prices=prices,
        count=max(0, int(counted)) if counted is not None and (draft.manage_stock or sheet.own) else None,
        backorder=draft.allow_backorder if "allow_backorder" in sheet.columns else None,
        further=shopify_own.prices(row),
        stock=shopify_own.stock(row),
    )


def _variant(row: Row, options: Mapping[int, str], choices: Sequence[OptionDraft]) -> VariantDraft:
    grams = row.number("weight_grams", r"[0-9]{1,9}(\.[0-9]+)?", "Write the weight in grams, such as 250.")
    values = tuple(row.text(f"option{n}_value") if n else DEFAULT_VALUE for n in options if n <= MOST_OPTIONS)
    values += shopify_own.further_values(row)
    title, more = shopify_own.variant_columns(row, values, choices)
    return VariantDraft(
        values=values,
        own_title=title,
        more=more,
        sku=row.code("sku"),
        barcode=row.code("barcode"),
        # A file without a column for it means to track what it gives a quantity.
        manage_stock=bool(row.text("tracker" if "tracker" in row.sheet.columns else "quantity")),
        allow_backorder=row.one_of("allow_backorder", POLICIES, False),
        requires_shipping=row.one_of("requires_shipping", FLAGS, True),
        taxable=row.one_of("taxable", FLAGS, True),
        weight_grams=int((grams or Decimal()).to_integral_value(ROUND_HALF_UP)),
        weight_unit=row.one_of("weight_unit", UNITS, "g"),
        image=row.text("media_id") or None,
    )


def _media(rows: list[Row], variants: list[Row]) -> list[tuple[Row, MediaDraft]]:
    """The images in the order of their positions, then of the file, then those that only a variant names."""
    found: dict[str, tuple[Row, MediaDraft]] = {}
    advice = "Write the image's place in the order, such as 1."
    images = [row for row in rows if row.text("media")]
    places = [row.number("image_position", r"[0-9]{1,6}(\.0+)?", advice) for row in images]
    for i in sorted(range(len(images)), key=lambda i: (places[i] is None, places[i] or 0)):
        url = images[i].text("media")
        found.setdefault(url, (images[i], MediaDraft(url, images[i].text("image_alt"))))
    for row in variants:
        if url := row.text("media_id"):
            found.setdefault(url, (row, MediaDraft(url)))
    return list(found.values())


def _status(first: Row) -> tuple[ProductStatus, bool | None]:
    """Published where both columns agree; an empty cell means yes, as it does for Shopify. And whether it is archived,
    which only the column Status tells.
    """
    published, active = first.one_of("published", FLAGS, True), first.one_of("status", STATUSES, True)
    if "status" not in first.sheet.columns:
        return shopify_own.status(first, published=published, archived=False), None
    archived = first.text("status").lower() == "archived"
    return shopify_own.status(first, published=published and active, archived=archived), archived
