"""Going through a file before anything of it is written: what it says of the shop, and which products are scattered."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from domain.shopify_rows import Sheet, read_rows
from domain.shopify_seen import Seen


@dataclass
class Survey:
    """What is known of a file from going through it once."""

    rows: int = 0
    """Of products."""
    seen: Seen = field(default_factory=Seen)
    """Under `scattered` the handles whose rows do not follow each other."""
    definitions: list[tuple[int, Any]] = field(default_factory=list[tuple[int, Any]])
    """What the file says of the shop, each with its line."""


def survey(lines: Iterable[bytes]) -> Survey:
    """Goes through a file once; what is wrong is left for `read_products` to say, in a memory that does not grow with
    the products.
    """
    survey = Survey()
    sheet = Sheet("", {"": "EUR"}, survey.seen)
    current = ""
    for row in read_rows(sheet, lines):
        if row.is_definition:
            survey.definitions.append((row.line, row.own("shop.definition")))
            continue
        survey.rows += 1
        handle = row.handle or current
        if handle != current:
            if survey.seen.first("surveyed", handle, row.line) != row.line:
                survey.seen.first("scattered", handle)
            current = handle
    return survey
