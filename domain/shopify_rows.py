"""The rows of a Shopify CSV: its columns by old and new names, its cells as values, and what is wrong with them."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

import orjson

from domain.money import digits, minor_units
from domain.refusal import Refusal
from domain.shopify_columns import COLUMNS, KEPT, MARKET, OWN, REQUIRED, Cell, own_key, own_label, unescaped
from domain.shopify_seen import Seen

T = TypeVar("T")

LONGEST_CELL: Final = 4 * 2**20
"""Characters of a cell, and bytes of a line; so a quote that is never closed does not fill the memory."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and what to do about it. `line` is where the row begins; column "" is the row as a whole."""

    file: str
    line: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.column + ': ' if self.column else ''}{self.message}"


@dataclass
class Sheet:
    """What is known of a file while it is read."""

    name: str
    currencies: Mapping[str, str]
    seen: Seen = field(default_factory=Seen)
    found: Callable[[Problem], None] = lambda _problem: None
    """Told every problem."""
    wrong: int = 0
    """How many problems there were."""
    notes: list[str] = field(default_factory=list[str])
    header: list[str] = field(default_factory=list[str])
    columns: dict[str, int] = field(default_factory=dict[str, int])
    markets: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """The columns `price` and `compare_at` of each market."""
    own: dict[str, int] = field(default_factory=dict[str, int])
    """The columns of ours; where there is one the file was written here, and says of everything how it is."""
    keep: frozenset[str] = frozenset()
    """What an existing product keeps, because the file has no column for it."""
    large: int = 0
    """The line of the product that was last found to be too large to be read whole."""
    cut: bool = False
    """The rest of the file could not be read."""

    def problem(self, line: int, column: str, message: str) -> None:
        self.wrong += 1
        self.found(Problem(self.name, line, column, message))

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def label(self, key: str) -> str:
        if key in OWN:
            return own_label(key)
        return self.header[self.columns[key]] if key in self.columns else COLUMNS[key][0]


@dataclass(slots=True)
class Row:
    """One row; reading a cell that is wrong adds a problem and gives a value to go on with."""

    sheet: Sheet
    line: int
    cells: list[str]

    @property
    def handle(self) -> str:
        return self.text("handle") if self.sheet.own else self.text("handle").lower()

    @property
    def is_definition(self) -> bool:
        """It says something of the shop and nothing of a product."""
        return bool(self.own_text("shop.definition")) and not (self.handle or self.text("title"))

    def text(self, key: str) -> str:
        return self.at(self.sheet.columns[key]) if key in self.sheet.columns else ""

    def at(self, column: int) -> str:
        text = self.cells[column].strip() if column < len(self.cells) else ""
        return unescaped(text) if self.sheet.own else text

    def html(self, key: str) -> str:
        """With the spaces around it, if they were written here."""
        if not self.sheet.own or key not in self.sheet.columns:
            return self.text(key)
        return unescaped(self.cells[self.sheet.columns[key]])

    def code(self, key: str) -> str | None:
        """An SKU or barcode; spreadsheets put an apostrophe before one that looks like a number."""
        text = self.text(key)
        return (text if self.sheet.own else text.removeprefix("'")) or None

    def own_text(self, key: str) -> str:
        return self.at(self.sheet.own[key]) if key in self.sheet.own else ""

    def own(self, key: str) -> Any:
        """What is in a column of ours; null where it is empty, and where it is wrong, which is told."""
        text, kind = self.own_text(key), OWN[key][1]
        if not text or kind == Cell.TEXT:
            return text or None
        if kind == Cell.FLAG:
            return self.flag(key, text)
        if kind == Cell.NUMBER:
            if not re.fullmatch("[0-9]{1,12}", text):
                self.bad(key, "Write a whole number such as 25.")
                return None
            return int(text)
        try:
            if kind == Cell.TIME:
                time = datetime.fromisoformat(text)
                return time if time.tzinfo else self.bad(key, "Write the zone of the time, such as +00:00.")
            if "\\u0000" in text:
                raise ValueError
            return orjson.loads(text)
        except ValueError:
            what = "a time such as 2030-01-31T12:00:00+00:00" if kind == Cell.TIME else "JSON as an export has it"
            self.bad(key, f"Write {what}.")
            return None

    def flag(self, key: str, text: str) -> bool | None:
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        self.bad(key, f"Write true or false instead of {text!r}.")
        return None

    def bad(self, key: str, message: str) -> None:
        self.sheet.problem(self.line, self.sheet.label(key) if key in COLUMNS or key in OWN else key, message)

    def one_of(self, key: str, choices: Mapping[str, T], default: T) -> T:
        if not (text := self.text(key)):
            return default
        if text.lower() not in choices:
            names: dict[T, str] = {}
            for name, choice in choices.items():
                names.setdefault(choice, name)
            self.bad(key, f"Write {' or '.join(names.values())} instead of {text!r}.")
        return choices.get(text.lower(), default)

    def number(self, key: str, pattern: str, advice: str) -> Decimal | None:
        text = self.text(key)
        if not text or re.fullmatch(pattern, text):
            return Decimal(text) if text else None
        self.bad(key, advice)
        return None

    def amount(self, column: int | None, currency: str) -> int | None:
        """A price in minor units; None for an empty cell."""
        if column is None or not (text := self.at(column)):
            return None
        example = "1250" if digits(currency) == 0 else "1250.00"
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            advice = f"Write a number of 0 or more such as {example} instead of {text!r}."
            self.sheet.problem(self.line, self.sheet.header[column], advice)
            return None
        try:
            return minor_units(text, currency)
        except Refusal as refusal:
            advice = f"{refusal.message} Write a number such as {example}."
            self.sheet.problem(self.line, self.sheet.header[column], advice)
            return None

    def prices(self) -> dict[str, tuple[int | None, int | None]]:
        """By market; a compare-at price of 0 is none."""
        return {
            market: (
                self.amount(columns["price"], self.sheet.currencies[market]),
                self.amount(columns.get("compare_at"), self.sheet.currencies[market]) or None,
            )
            for market, columns in self.sheet.markets.items()
        }


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    encoding = "utf-8-sig"
    for line in lines:
        if b"\0" in line:
            raise UnicodeError
        if len(line) > LONGEST_CELL:
            raise csv.Error(f"a line has more than {LONGEST_CELL // 2**20} MiB")
        yield line.decode(encoding)
        encoding = "utf-8"


def read_rows(sheet: Sheet, lines: Iterable[bytes]) -> Iterator[Row]:
    """The rows below the header that are not empty. A file that cannot be read to its end is a problem."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(_decoded(lines), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if sheet.header:
                    yield Row(sheet, line, cells)
                elif not _read_header(sheet, line, cells):
                    return
            line = reader.line_num + 1
        if not sheet.header:
            sheet.problem(1, "", "The file is empty: export the products from Shopify again.")
    except UnicodeError:
        sheet.cut = True
        sheet.problem(reader.line_num + 1, "", "Save the file as UTF-8 (in Excel: CSV UTF-8); the rest was not read.")
    except csv.Error as error:
        sheet.cut = True
        sheet.problem(line, "", f"Check the quotes and line ends from here on ({error}); the rest was not read.")


def _read_header(sheet: Sheet, line: int, cells: list[str]) -> bool:
    """Finds the columns; False if the file is not one that can be imported."""
    keys = {alias.casefold(): key for key, aliases in COLUMNS.items() for alias in aliases}
    sheet.header = [cell.strip() for cell in cells]
    if len(cells) == 1 and re.search("[;\t]", cells[0]):
        sheet.problem(line, "", "Save the file with commas between the cells, not semicolons or tabs.")
        return False
    for i, name in enumerate(sheet.header):
        if key := keys.get(name.casefold()):
            if key in sheet.columns:
                sheet.problem(line, name, "This column is there twice: remove one.")
                return False
            sheet.columns[key] = i
        elif key := own_key(name):
            sheet.own[key] = i
        elif market := MARKET.fullmatch(name):
            kind = "price" if market[1].lower() == "price" else "compare_at"
            sheet.markets.setdefault(market[2], {})[kind] = i
    missing = [COLUMNS[key][0] for key in REQUIRED if key not in sheet.columns]
    if missing:
        names = ", ".join(missing)
        sheet.problem(line, names, f"The columns {names} are missing: add them, or export the products again.")
        return False
    _settle_markets(sheet)
    sheet.keep = frozenset(key for key, columns in KEPT.items() if not columns & sheet.columns.keys())
    others = (
        name
        for name in sheet.header
        if name and name.casefold() not in keys and not MARKET.fullmatch(name) and not own_key(name)
    )
    if ignored := dict.fromkeys(re.sub(" / .*", " / …", name) for name in others):
        sheet.note(f"Columns that are not imported: {', '.join(ignored)}.")
    return True


def _settle_markets(sheet: Sheet) -> None:
    """Leaves the markets that have a currency, by the name that the caller gave them."""
    names = {market.casefold(): market for market in sheet.currencies}
    found = {"": {key: sheet.columns[key] for key in ("price", "compare_at") if key in sheet.columns}}
    for market, columns in sheet.markets.items():
        if market.casefold() not in names:
            sheet.note(f"There is no region named {market}: its prices are not imported.")
        elif "price" in columns:
            found[names[market.casefold()]] = columns
    sheet.markets = found
