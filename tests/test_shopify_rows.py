"""Every kind of row that cannot be imported is told by file, line and column, with what to do about it."""

import csv
from pathlib import Path

import pytest

from domain.shopify import read_products
from domain.shopify_rows import Problem, Sheet
from domain.shopify_survey import survey

HEADER = [
    "Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published", "Option1 Name", "Option1 Value",
    "Option2 Name", "Option2 Value", "Option3 Name", "Option3 Value", "Variant SKU", "Variant Grams",
    "Variant Inventory Tracker", "Variant Inventory Qty", "Variant Inventory Policy", "Variant Price",
    "Variant Compare At Price", "Variant Requires Shipping", "Variant Taxable", "Variant Barcode", "Image Src",
    "Image Position", "Image Alt Text", "Gift Card", "Variant Image", "Variant Weight Unit", "Status",
]  # fmt: skip
SHORT = {
    "size": "Option1 Value", "colour": "Option2 Value", "sku": "Variant SKU", "price": "Variant Price",
    "was": "Variant Compare At Price", "qty": "Variant Inventory Qty", "tracker": "Variant Inventory Tracker",
    "policy": "Variant Inventory Policy", "image": "Image Src", "place": "Image Position",
    "variant_image": "Variant Image", "grams": "Variant Grams", "unit": "Variant Weight Unit", "body": "Body (HTML)",
}  # fmt: skip
Cells = dict[str, str]


def row(handle: str = "shirt", **cells: str) -> Cells:
    """A row of a file, named by header or short name; `price="10.00"` unless told."""
    named = {SHORT.get(name, name): value for name, value in cells.items()}
    return {"Handle": handle, "Variant Price": "10.00", **named}


def shirt(**cells: str) -> Cells:
    """The first row of a product whose option is its size."""
    return row(**{"Title": "Shirt", "Option1 Name": "Size", "size": "S", **cells})


def image(handle: str, url: str, **cells: str) -> Cells:
    return row(handle, image=url, price="", **cells)


def write(folder: Path, *rows: Cells, extra: tuple[str, ...] = (), name: str = "products.csv") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*HEADER, *extra])
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> tuple[list[str], list[Problem]]:
    """The handles of the products that can be imported, and the problems of the others."""
    with path.open("rb") as first, path.open("rb") as second:
        problems: list[Problem] = []
        parsed = read_products(second, Sheet(str(path), {"": "EUR"}, survey(first).seen, problems.append))
        return [sheet.draft.handle for sheet in parsed.products], problems


TWO = {"Option2 Name": "Colour"}
BAD_ROWS: dict[str, tuple[list[Cells], list[tuple[int, str]], str]] = {
    "no price": ([shirt(price="")], [(2, "Variant Price")], "Write the variant's price, such as 12.50."),
    "a comma for thousands": (
        [shirt(price="1,234.50")],
        [(2, "Variant Price")],
        "Write a number of 0 or more such as 1250.00 instead of '1,234.50'.",
    ),
    "a decimal comma": ([shirt(price="12,5")], [(2, "Variant Price")], "such as 1250.00 instead of '12,5'."),
    "a currency sign": ([shirt(price="€12")], [(2, "Variant Price")], "such as 1250.00 instead of '€12'."),
    "a price below 0": ([shirt(price="-1")], [(2, "Variant Price")], "Write a number of 0 or more"),
    "half cents": (
        [shirt(was="1.999")],
        [(2, "Variant Compare At Price")],
        "EUR has 2 decimal places; 1.999 has more. Write a number such as 1250.00.",
    ),
    "an endless price": ([shirt(price="9" * 30)], [(2, "Variant Price")], "is more than can be stored"),
    "half a piece": ([shirt(qty="1.5")], [(2, "Variant Inventory Qty")], "Write a whole number such as 25."),
    "a quantity in words": ([shirt(qty="ten")], [(2, "Variant Inventory Qty")], "Write a whole number such as 25."),
    "a policy of its own": (
        [shirt(policy="maybe")],
        [(2, "Variant Inventory Policy")],
        "Write continue or deny instead of 'maybe'.",
    ),
    "an unknown yes or no": (
        [shirt(Published="si")],
        [(2, "Published")],
        "Write true or false instead of 'si'.",
    ),
    "an unknown status": (
        [shirt(Status="live")],
        [(2, "Status")],
        "Write active or draft instead of 'live'.",
    ),
    "a weight in words": ([shirt(grams="heavy")], [(2, "Variant Grams")], "Write the weight in grams, such as 250."),
    "an unknown unit": ([shirt(unit="st")], [(2, "Variant Weight Unit")], "Write g or kg or oz or lb instead of 'st'."),
    "a place in words": (
        [shirt(image="https://e.example/1.jpg", place="first")],
        [(2, "Image Position")],
        "Write the image's place in the order, such as 1.",
    ),
    "no address of an image": (
        [shirt(), image("shirt", "javascript:alert(1)")],
        [(3, "Image Src")],
        "Write the address of an image, such as https://example.com/a.jpg.",
    ),
    "no address of a variant's image": (
        [shirt(), row(size="M", variant_image="1.jpg")],
        [(3, "Variant Image")],
        "Write the address of an image",
    ),
    "no handle": (
        [shirt(), row("", size="M")],
        [(3, "Handle")],
        "Write the product's handle, the same in each of its rows.",
    ),
    "a handle that is no address": (
        [shirt(Handle="a b")],
        [(2, "Handle")],
        "Write a handle of letters, digits and hyphens, such as blue-shirt.",
    ),
    "no title": ([shirt(Title=" ")], [(2, "Title")], "Write the product's title."),
    "a value of an option without name": (
        [shirt(), row(size="M", colour="Red")],
        [(3, "Option2 Value")],
        "Name this option in the product's first row, or leave it empty.",
    ),
    "no value for an option": (
        [shirt(colour="Red", **TWO), row(size="M")],
        [(3, "Option2 Value")],
        "Write the variant's Colour.",
    ),
    "another name for an option": (
        [shirt(), row(size="M", **{"Option1 Name": "Width"})],
        [(3, "Option1 Name")],
        "Write the same name as in the product's first row, or nothing.",
    ),
    "one name for two options": (
        [shirt(**{"Option2 Name": "Size"}, colour="Red")],
        [(2, "Option1 Name")],
        "Give each option a name of its own, of at most 255 characters.",
    ),
    "an endless value": (
        [shirt(size="S" * 256)],
        [(2, "Option1 Value")],
        "Give the variant one value for each option, of at most 255 characters.",
    ),
    "a variant twice": (
        [shirt(), row(size="M"), row(size="S")],
        [(4, "Option1 Value")],
        "Another variant is S too: change or remove one.",
    ),
    "an SKU twice in a product": (
        [shirt(sku="A"), row(size="M", sku="A")],
        [(3, "Variant SKU")],
        "Another variant has the SKU A too: give each its own.",
    ),
    "an SKU twice in the file": (
        [row("mug", Title="Mug", sku="A"), shirt(sku="B"), row(size="M", sku="A")],
        [(4, "Variant SKU")],
        "The variant in line 2 has this SKU, too: give each its own.",
    ),
    "a gift card": (
        [shirt(**{"Gift Card": "true"})],
        [(2, "Gift Card")],
        "Gift cards cannot be imported: take the product out of the file.",
    ),
    "rows apart": (
        [shirt(), row("mug", Title="Mug"), row(size="M")],
        [(4, "Handle")],
        "Sort the file by this column: rows of the product stand further up, too.",
    ),
    "too many variants": (
        [shirt(), *(row(size=f"S{i}") for i in range(2_000))],
        [(2, "Handle")],
        "A product has 1 to 2,000 variants: split it into several products.",
    ),
    "two wrong cells": (
        [shirt(price="x"), row(size="M", qty="y")],
        [(2, "Variant Price"), (3, "Variant Inventory Qty")],
        "Write a number",
    ),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_a_bad_row_is_reported_and_leaves_out_its_product_only(tmp_path: Path, kind: str) -> None:
    rows, places, message = BAD_ROWS[kind]
    handles, problems = read(path := write(tmp_path, *rows, row("hat", Title="Hat")))
    assert [(problem.line, problem.column) for problem in problems] == places
    assert message in problems[0].message
    assert str(problems[0]).startswith(f"{path}:{places[0][0]}: {places[0][1]}: ")
    assert handles == [cells["Handle"] for cells in rows if cells["Handle"] == "mug"] + ["hat"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ":1: The file is empty: export the products from Shopify again."),
        (b"\r\n\r\n", ":1: The file is empty: export the products from Shopify again."),
        (
            b"Handle,Body\r\n",
            ":1: Title, Variant Price: The columns Title, Variant Price are missing: add them, or export the products"
            " again.",
        ),
        (b"Handle;Title;Price\r\n", ":1: Save the file with commas between the cells, not semicolons or tabs."),
        (b"Handle,Title,Variant Price,title\n", ":1: title: This column is there twice: remove one."),
        (
            b"Handle,Title,Variant Price\nhat,Hat,1\ncap,M\xfctze,1\n",
            ":3: Save the file as UTF-8 (in Excel: CSV UTF-8); the rest was not read.",
        ),
        (
            "Handle,Title,Variant Price\nhat,Hat,1\n".encode("utf-16"),
            ":1: Save the file as UTF-8 (in Excel: CSV UTF-8); the rest was not read.",
        ),
        (
            b'Handle,Title,Variant Price\nhat,Hat,1\ncap,"Cap"py,1\n',
            ":3: Check the quotes and line ends from here on (',' expected after '\"'); the rest was not read.",
        ),
        (
            b'Handle,Title,Variant Price\nhat,Hat,1\ncap,"Cap,1\nmug,Mug,1\n',
            ":3: Check the quotes and line ends from here on (unexpected end of data); the rest was not read.",
        ),
        (
            b"Handle,Title,Variant Price\nhat,Hat,1,2\n",
            ":2: The row has 4 cells, the header 3: put quotes around cells with commas or line breaks.",
        ),
        (
            b"Handle,Title,Variant Price\nhat,Hat\n",
            ":2: The row has 2 cells, the header 3: put quotes around cells with commas or line breaks.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_brings_no_half_products(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "products.csv"
    path.write_bytes(content)
    handles, problems = read(path)
    assert ([str(p) for p in problems], handles) == ([f"{path}{problem}"], [])


def test_lines_are_those_of_the_file_also_after_cells_with_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path, shirt(body="<ul>\n<li>one</li>\n</ul>"), row(size="M", price="x"), row("hat", price="y"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"\n") + b"\n,,,\n")
    assert [problem.line for problem in read(path)[1]] == [5, 6]
