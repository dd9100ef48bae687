"""Merchants bring their shop as the CSV that Shopify exports: it arrives whole, once, and says what is wrong."""

import asyncio
import csv
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db import Media, Price, Product, StockLevel, Variant
from db.base import Base
from db.connection import Database
from domain.processes.import_shopify import ImportOptions, ImportReport, import_shopify
from domain.processes.load_demo import load_demo
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from domain.region import RegionDraft, upsert_region
from domain.shopify import read_products, scattered_handles
from domain.shopify_rows import Problem

ROOT = Path(__file__).resolve().parents[1]
SHOPIFY = ROOT.parent / "shared" / "data" / "shopify"

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


async def run(shop: Shop, *files: Path, currency: str = "EUR", **options: Any) -> ImportReport:
    return await import_shopify(shop, files, ImportOptions(currency, **options))


def read(path: Path) -> tuple[list[str], list[Problem]]:
    """The handles of the products that can be imported, and the problems of the others."""
    with path.open("rb") as first, path.open("rb") as second:
        parsed = read_products(second, str(path), {"": "EUR"}, scattered_handles(first))
        return [sheet.draft.handle for sheet in parsed.products], parsed.problems


def counts(report: ImportReport) -> tuple[int, int, int]:
    return report.created, report.updated, report.unchanged


def told(report: ImportReport) -> list[tuple[int, str]]:
    """Line and column of every problem."""
    return [(problem.line, problem.column) for problem in report.problems]


async def everything(database: Database) -> dict[str, list[Any]]:
    """Every row of every table with the transaction that wrote it: equal only if nothing was written."""
    return {
        table: await database.pool.fetch(f'SELECT t.xmin::text AS written_by, t.* FROM "{table}" AS t ORDER BY t.ctid')
        for table in Base.metadata.tables
    }


async def changed_tables(database: Database, before: dict[str, list[Any]]) -> set[str]:
    after = await everything(database)
    return {table for table in after if after[table] != before[table]}


async def live(shop: Shop, handle: str = "shirt") -> dict[str, Any]:
    """The live variants of a product by title."""
    rows = await shop.read.all(
        select(Variant)
        .join(Product, Product.id == Variant.product_id)
        .where(Product.handle == handle, Variant.archived_at.is_(None))
        .order_by(Variant.rank)
    )
    return {variant.title: variant for variant in rows}


async def prices(shop: Shop) -> list[tuple[str, int, int | None]]:
    return [(p.currency, p.amount, p.compare_at) for p in await shop.read.all(select(Price).order_by(Price.id))]


async def column(shop: Shop, sql: str) -> list[Any]:
    return [row[0] for row in await shop.database.pool.fetch(sql)]


def real(name: str) -> Path:
    if not SHOPIFY.is_dir():
        pytest.skip("The files that merchants exported lie beside the repository, in ../shared/data/shopify.")
    return SHOPIFY / name


# --- files of real merchants -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "products", "variants", "media"),
    [("apparel.csv", 20, 22, 20), ("home-and-garden.csv", 20, 21, 21), ("jewelery.csv", 20, 23, 41)],
)
async def test_a_real_export_imports_completely(shop: Shop, name: str, products: int, variants: int, media: int):
    report = await run(shop, real(name))
    assert (counts(report), report.variants, report.problems) == ((products, 0, 0), variants, [])
    assert len(await shop.read.all(select(Product).where(Product.status == "published"))) == products
    assert len(await shop.read.all(select(Variant))) == len(await shop.read.all(select(Price))) == variants
    assert len(await shop.read.all(select(Media))) == media


async def test_options_prices_and_images_of_a_real_product_arrive(shop: Shop):
    await run(shop, real("jewelery.csv"))
    anchors = await live(shop, "leather-anchor")
    assert list(anchors) == ["Gold", "Silver"]
    (price,) = await shop.read.all(select(Price).where(Price.variant_id == anchors["Silver"].id))
    assert (price.amount, price.compare_at, price.currency, price.region_id) == (5500, 8500, "EUR", None)
    (picture,) = await shop.read.all(select(Media).where(Media.id == anchors["Silver"].media_id))
    assert picture.url == "https://burst.shopifycdn.com/photos/anchor-bracelet-for-men_925x.jpg"
    (product,) = await shop.read.all(select(Product).where(Product.handle == "leather-anchor"))
    assert product.tags == ["Anchor", "Gold", "Leather", "Silver"]
    assert (product.vendor, product.type) == ("Company 123", "Bracelet")


async def test_a_second_run_changes_not_one_row(shop: Shop):
    files = [real("apparel.csv"), real("home-and-garden.csv"), real("jewelery.csv")]
    assert counts(await run(shop, *files)) == (60, 0, 0)
    before = await everything(shop.database)
    assert counts(await run(shop, *files)) == (0, 0, 60)
    assert await changed_tables(shop.database, before) == set()


async def test_a_dry_run_reports_the_same_and_writes_nothing(shop: Shop):
    before = await everything(shop.database)
    report = await run(shop, real("home-and-garden.csv"), dry_run=True)
    assert (counts(report), report.variants) == ((20, 0, 0), 21)
    assert await changed_tables(shop.database, before) == set()


async def test_two_imports_of_one_file_at_once_make_no_doubles(shop: Shop):
    files = [real("apparel.csv"), real("home-and-garden.csv"), real("jewelery.csv")]
    reports = await asyncio.gather(*(run(shop, *order) for order in (files, files, files[::-1])))
    assert [sum(kind) for kind in zip(*map(counts, reports), strict=True)] == [60, 0, 120]
    assert [report.problems for report in reports] == [[], [], []]
    assert len(await shop.read.all(select(Variant))) == 66


# --- a file that changed -----------------------------------------------------------------------------------


async def test_a_changed_file_updates_what_changed_and_nothing_else(shop: Shop, tmp_path: Path):
    hat = row("hat", Title="Hat", sku="H", tracker="shopify", qty="3")
    await run(shop, write(tmp_path, shirt(sku="A"), row(size="M", sku="B"), hat))
    before = await everything(shop.database)
    changed = write(tmp_path, shirt(sku="A"), row(size="M", sku="B", price="12.00", was="15.00"), hat)
    assert counts(await run(shop, changed)) == (0, 1, 1)
    assert await changed_tables(shop.database, before) == {"price"}
    assert sorted(await prices(shop)) == [("EUR", 1000, None), ("EUR", 1000, None), ("EUR", 1200, 1500)]
    before = await everything(shop.database)
    assert counts(await run(shop, write(tmp_path, shirt(sku="A", Title="Shirts"), row(size="M", sku="B"), hat))) == (
        0,
        1,
        1,
    )
    assert await changed_tables(shop.database, before) == {"price", "product"}
    shirts, hats = await shop.read.all(select(Product).order_by(Product.id))
    assert (shirts.title, shirts.version, hats.version) == ("Shirts", 2, 1)
    assert shirts.updated_at > shirts.created_at
    assert hats.updated_at == hats.created_at


async def test_what_the_file_has_no_more_is_archived_and_comes_back_as_itself(shop: Shop, tmp_path: Path):
    whole = write(tmp_path, shirt(), row(size="M"), row(size="L"))
    await run(shop, whole)
    first = await live(shop)
    await run(shop, write(tmp_path, shirt(), row(size="L"), name="less.csv"))
    assert {title: v.id for title, v in (await live(shop)).items()} == {"S": first["S"].id, "L": first["L"].id}
    assert await column(shop, "SELECT name FROM option_value ORDER BY rank") == ["S", "L"]
    await run(shop, write(tmp_path, shirt(sku="S1"), row(size="M", sku="M1"), row(size="L", sku="L1")))
    await run(shop, write(tmp_path, shirt(sku="S1"), row(size="L", sku="L1")))
    middle = (await shop.read.all(select(Variant).where(Variant.sku == "M1")))[0]
    await run(shop, write(tmp_path, shirt(sku="S1"), row(size="Medium", sku="M1"), row(size="L", sku="L1")))
    assert (await live(shop))["Medium"].id == middle.id


async def test_a_renamed_option_keeps_the_variants(shop: Shop, tmp_path: Path):
    await run(shop, write(tmp_path, shirt(), row(size="M")))
    before = await live(shop)
    report = await run(shop, write(tmp_path, shirt(**{"Option1 Name": "Grösse"}), row(size="M")))
    assert counts(report) == (0, 1, 0)
    assert {title: v.id for title, v in (await live(shop)).items()} == {t: v.id for t, v in before.items()}


async def test_an_option_can_come_and_go_while_skus_keep_the_variants(shop: Shop, tmp_path: Path):
    plain = write(tmp_path, shirt(sku="A"), row(size="M", sku="B"), name="plain.csv")
    second = {"Option2 Name": "Colour"}
    coloured = write(tmp_path, shirt(sku="A", colour="Red", **second), row(size="M", colour="Red", sku="B"))
    await run(shop, plain)
    before = await live(shop)
    assert counts(await run(shop, coloured)) == (0, 1, 0)
    assert [(v.id, title) for title, v in (await live(shop)).items()] == [
        (before["S"].id, "S / Red"),
        (before["M"].id, "M / Red"),
    ]
    assert counts(await run(shop, plain)) == (0, 1, 0)
    assert {title: v.id for title, v in (await live(shop)).items()} == {t: v.id for t, v in before.items()}
    assert counts(await run(shop, plain)) == (0, 0, 1)


async def test_two_variants_can_change_places(shop: Shop, tmp_path: Path):
    await run(shop, write(tmp_path, shirt(sku="A"), row(size="M", sku="B")))
    before = await live(shop)
    await run(shop, write(tmp_path, shirt(sku="B"), row(size="M", sku="A")))
    after = await live(shop)
    assert (after["S"].id, after["M"].id) == (before["M"].id, before["S"].id)


async def test_an_sku_can_move_to_a_product_that_comes_earlier_in_the_file(shop: Shop, tmp_path: Path):
    many = [row(f"mug-{i}", Title="Mug", sku=f"MUG-{i}") for i in range(120)]
    await run(shop, write(tmp_path, shirt(sku="A"), *many, row("hat", Title="Hat", sku="H")))
    moved = write(tmp_path, shirt(sku="H"), *many, row("hat", Title="Hat", sku="H2"))
    report = await run(shop, moved)
    assert (counts(report), report.problems) == ((0, 2, 120), [])
    assert ((await live(shop))["S"].sku, (await live(shop, "hat"))["Default Title"].sku) == ("H", "H2")
    assert counts(await run(shop, moved)) == (0, 0, 122)


async def test_an_sku_of_another_product_is_refused_by_name(shop: Shop, tmp_path: Path):
    await run(shop, write(tmp_path, shirt(sku="A")))
    files = write(tmp_path, row("hat", Title="Hat", sku="A"), row("cap", Title="Cap", sku="C"))
    report = await run(shop, files)
    assert (counts(report), told(report)) == ((1, 0, 0), [(2, "Variant SKU")])
    assert report.problems[0].message == "The SKU A is in use by shirt: give this variant its own."


async def test_columns_that_a_file_lacks_leave_what_there_is(shop: Shop, tmp_path: Path):
    full = shirt(sku="A", Vendor="Acme", Tags="a, b", body="<p>x</p>", image="https://e.example/1.jpg", grams="80")
    await run(shop, write(tmp_path, full))
    path = tmp_path / "prices.csv"
    path.write_text("Handle,Title,Option1 Name,Option1 Value,Variant Price\nshirt,Shirt,Size,S,11\n")
    assert counts(await run(shop, path)) == (0, 1, 0)
    product, variant = (await shop.read.all(select(Product)))[0], (await live(shop))["S"]
    assert (product.vendor, product.tags, product.description) == ("Acme", ["a", "b"], "<p>x</p>")
    assert (variant.sku, variant.weight_grams, len(await shop.read.all(select(Media)))) == ("A", 80, 1)
    assert await prices(shop) == [("EUR", 1100, None)]
    path.write_text("Handle,Title,Variant Price\nshirt,Shirt,11\n")
    report = await run(shop, path)
    assert told(report) == [(2, "Option1 Name")]
    assert list(await live(shop)) == ["S"]


# --- what is wrong, where, and what to do about it ---------------------------------------------------------

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
        "Write continue or deny or true or yes or false or no instead of 'maybe'.",
    ),
    "an unknown yes or no": (
        [shirt(Published="si")],
        [(2, "Published")],
        "Write true or yes or false or no instead of 'si'.",
    ),
    "an unknown status": (
        [shirt(Status="live")],
        [(2, "Status")],
        "Write active or draft or archived or unlisted instead of 'live'.",
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
        "Give each option a name of its own.",
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
def test_a_bad_row_is_reported_and_leaves_out_its_product_only(tmp_path: Path, kind: str):
    rows, places, message = BAD_ROWS[kind]
    handles, problems = read(path := write(tmp_path, *rows, row("hat", Title="Hat")))
    assert [(problem.line, problem.column) for problem in problems] == places
    assert message in problems[0].message
    assert str(problems[0]).startswith(f"{path}:{places[0][0]}: {places[0][1]}: ")
    assert handles == [cells["Handle"] for cells in rows if cells["Handle"] == "mug"] + ["hat"]


async def test_products_without_problems_are_written(shop: Shop, tmp_path: Path):
    files = [
        write(tmp_path, shirt(price="x"), row("hat", Title="Hat"), name="1.csv"),
        write(tmp_path, row("cap", Title="Cap", qty="y"), row("mug", Title="Mug"), name="2.csv"),
    ]
    report = await run(shop, *files)
    assert (counts(report), report.variants) == ((2, 0, 0), 2)
    assert [str(problem) for problem in report.problems] == [
        f"{files[0]}:2: Variant Price: Write a number of 0 or more such as 1250.00 instead of 'x'.",
        f"{files[1]}:2: Variant Inventory Qty: Write a whole number such as 25.",
    ]
    assert {p.handle for p in await shop.read.all(select(Product))} == {"hat", "mug"}


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
def test_a_file_that_cannot_be_read_says_why_and_brings_no_half_products(tmp_path: Path, content: bytes, problem: str):
    path = tmp_path / "products.csv"
    path.write_bytes(content)
    handles, problems = read(path)
    assert ([str(p) for p in problems], handles) == ([f"{path}{problem}"], [])


def test_lines_are_those_of_the_file_also_after_cells_with_line_breaks(tmp_path: Path):
    path = write(tmp_path, shirt(body="<ul>\n<li>one</li>\n</ul>"), row(size="M", price="x"), row("hat", price="y"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"\n") + b"\n,,,\n")
    assert [problem.line for problem in read(path)[1]] == [5, 6]


# --- what the cells mean -----------------------------------------------------------------------------------


async def test_cells_arrive_as_what_they_mean(shop: Shop, tmp_path: Path):
    first = shirt(
        Title="  Shirt ",
        body='<p onclick="x()">Soft<script>alert(1)</script></p>',
        Tags="b, a, ,b",
        Published="FALSE",
        sku="'00123",
        grams="28.5",
        unit="oz",
        was="0",
        image="https://e.example/2.jpg",
        place="2",
        **{"Image Alt Text": "Back", "Variant Barcode": "'0401", "Variant Taxable": "false"},
    )
    others = [
        row(size="M", tracker="shopify", qty="-2", policy="continue", variant_image="https://e.example/m.jpg"),
        image("shirt", "https://e.example/1.jpg", place="1"),
    ]
    report = await run(shop, write(tmp_path, first, *others))
    assert report.notes == ["Quantities below 0 (sold before they came in) are taken as 0."]
    (product,) = await shop.read.all(select(Product))
    assert (product.title, product.description, product.tags) == ("Shirt", "<p>Soft</p>", ["b", "a"])
    assert product.status == "draft"
    pictures = await shop.read.all(select(Media).order_by(Media.rank))
    assert [(m.url[-5], m.alt) for m in pictures] == [("1", ""), ("2", "Back"), ("m", "")]
    small, medium = (await live(shop)).values()
    assert (small.sku, small.barcode, small.weight_grams, small.weight_unit) == ("00123", "0401", 29, "oz")
    assert (small.manage_stock, small.allow_backorder, small.taxable, small.media_id) == (False, False, False, None)
    assert (medium.manage_stock, medium.allow_backorder, medium.taxable) == (True, True, True)
    assert medium.media_id == pictures[2].id
    assert sorted(await prices(shop)) == [("EUR", 1000, None), ("EUR", 1000, None)]
    (level,) = await shop.read.all(select(StockLevel))
    assert (level.on_hand, level.backorder_limit) == (0, 1_000_000_000)


async def test_a_product_without_options_has_the_default_one(shop: Shop, tmp_path: Path):
    named = row("mug", Title="Mug", size="Default Title", **{"Option1 Name": "Title"})
    await run(shop, write(tmp_path, row("hat", Title="Hat"), named))
    assert [list(await live(shop, handle)) for handle in ("hat", "mug")] == [["Default Title"], ["Default Title"]]
    assert await column(shop, "SELECT name FROM product_option") == ["Title", "Title"]


async def test_the_newest_headers_of_shopify_mean_the_same(shop: Shop, tmp_path: Path):
    path = tmp_path / "new.csv"
    path.write_text(
        "Title,URL handle,Description,Published on online store,Status,SKU,Option1 name,Option1 value,"
        "Option1 Linked To,Price,Compare-at price,Charge tax,Inventory tracker,Inventory quantity,"
        "Continue selling when out of stock,Weight value (grams),Requires shipping,Product image URL,Product category\n"
        "Shirt,shirt,Soft,TRUE,Active,A,Size,S,product.metafields.shopify.size,10,12,FALSE,shopify,4,DENY,80,TRUE,"
        "https://e.example/1.jpg,Apparel\n"
    )
    report = await run(shop, path)
    assert (counts(report), report.problems) == ((1, 0, 0), [])
    assert report.notes == ["Columns that are not imported: Option1 Linked To, Product category."]
    small = (await live(shop))["S"]
    assert (small.sku, small.taxable, small.weight_grams, small.manage_stock) == ("A", False, 80, True)
    assert await prices(shop) == [("EUR", 1000, 1200)]
    assert (await shop.read.all(select(StockLevel)))[0].on_hand == 4
    assert (await shop.read.all(select(Product)))[0].status == "published"


@pytest.mark.parametrize(
    ("currency", "price", "minor"), [("JPY", "1200", 1200), ("JPY", "1200.00", 1200), ("KWD", "1.234", 1234)]
)
async def test_prices_have_the_decimal_places_of_their_currency(
    shop: Shop, tmp_path: Path, currency: str, price: str, minor: int
):
    await run(shop, write(tmp_path, shirt(price=price)), currency=currency)
    assert await prices(shop) == [(currency, minor, None)]


async def test_a_currency_without_decimals_refuses_them(shop: Shop, tmp_path: Path):
    report = await run(shop, write(tmp_path, shirt(price="12.50")), currency="JPY")
    assert told(report) == [(2, "Variant Price")]
    message = "JPY has 0 decimal places; 12.50 has more. Write a number such as 1250."
    assert report.problems[0].message == message


async def add_regions(shop: Shop) -> None:
    async with shop.tx() as tx:
        await upsert_region(tx, RegionDraft("eu", "Europe", "EUR", tax_inclusive=True, countries=("DE", "FR")))
        await upsert_region(tx, RegionDraft("jp", "Japan", "JPY", tax_inclusive=True, countries=("JP",)))


async def test_prices_of_a_market_belong_to_the_region_of_its_name(shop: Shop, tmp_path: Path):
    await add_regions(shop)
    extra = ("Price / Japan", "Compare At Price / Japan", "Included / Japan", "Price / Mars")
    cells = {"Price / Japan": "1500", "Compare At Price / Japan": "1800", "Price / Mars": "7"}
    report = await run(shop, write(tmp_path, shirt(**cells), extra=extra))
    assert report.notes == [
        "There is no region named Mars: its prices are not imported.",
        "Columns that are not imported: Included / ….",
    ]
    assert sorted(await prices(shop)) == [("EUR", 1000, None), ("JPY", 1500, 1800)]
    (price,) = await shop.read.all(select(Price).where(Price.region_id.is_not(None)))
    assert price.currency == "JPY"
    assert counts(await run(shop, write(tmp_path, shirt(), extra=extra))) == (0, 1, 0)
    assert await prices(shop) == [("EUR", 1000, None)]


async def test_a_region_takes_the_prices_in_its_own_currency_only(shop: Shop, tmp_path: Path):
    await add_regions(shop)
    path = write(tmp_path, shirt())
    with pytest.raises(ValidationFailed, match=r"The region jp sells in JPY, not in EUR\."):
        await run(shop, path, region_code="jp")
    with pytest.raises(ValidationFailed, match=r"There is no region 'us'; there are: eu, jp\."):
        await run(shop, path, region_code="us")
    with pytest.raises(ValidationFailed, match=r"There is no stock location 'moon'\."):
        await run(shop, path, location_code="moon")
    with pytest.raises(ValidationFailed, match="'EURO' is not a currency"):
        await run(shop, path, currency="EURO")
    assert await shop.read.all(select(Product)) == []
    await run(shop, path, region_code="eu")
    (price,) = await shop.read.all(select(Price))
    assert await column(shop, "SELECT code FROM region JOIN price ON region.id = region_id") == ["eu"]
    assert (price.currency, price.amount) == ("EUR", 1000)


# --- stock -------------------------------------------------------------------------------------------------


async def test_a_count_is_a_movement_and_the_same_count_is_none(shop: Shop, tmp_path: Path):
    for quantity in ("5", "5", "2"):
        await run(shop, write(tmp_path, shirt(tracker="shopify", qty=quantity), row(size="M", qty="9")))
    (level,) = await shop.read.all(select(StockLevel))
    assert level.on_hand == 2
    assert await column(shop, "SELECT delta FROM stock_movement ORDER BY id") == [5, -3]
    assert await column(shop, "SELECT code FROM stock_location") == ["main"]


async def test_a_count_below_what_is_promised_is_written_and_announced(shop: Shop, tmp_path: Path):
    await run(shop, write(tmp_path, shirt(tracker="shopify", qty="5")))
    await shop.database.pool.execute("UPDATE stock_level SET reserved = 1, allocated = 3")
    await run(shop, write(tmp_path, shirt(tracker="shopify", qty="1")))
    (level,) = await shop.read.all(select(StockLevel))
    assert (level.on_hand, level.shortage) == (1, 3)
    assert await column(shop, "SELECT name FROM event") == ["StockShort"]
    await run(shop, write(tmp_path, shirt(tracker="shopify", qty="9")))
    (level,) = await shop.read.all(select(StockLevel))
    assert (level.on_hand, level.shortage) == (9, 0)


# --- the demo ----------------------------------------------------------------------------------------------


async def test_the_demo_is_loaded_once(shop: Shop):
    assert await load_demo(shop, ROOT / "demo", str.upper)
    expected = {"region": 3, "region_country": 29, "category": 18, "product": 44, "variant": 367, "price": 1101}
    expected |= {"stock_level": 540, "customer": 1, "staff": 1, "staff_role": 1}
    found = {t: await shop.database.pool.fetchval(f"SELECT count(*) FROM {t}") for t in expected}
    assert found == expected
    sold = await shop.database.pool.fetch("SELECT sum(on_hand) AS n FROM stock_level GROUP BY location_id ORDER BY 1")
    assert [row.n for row in sold] == [73_038, 288_507]
    before = await everything(shop.database)
    assert not await load_demo(shop, ROOT / "demo", str.upper)
    assert await changed_tables(shop.database, before) == set()


async def test_a_demo_that_was_killed_on_the_way_is_completed(shop: Shop):
    def killed(_password: str) -> str:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await load_demo(shop, ROOT / "demo", killed)
    before = await everything(shop.database)
    assert await load_demo(shop, ROOT / "demo", str.upper)
    assert await changed_tables(shop.database, before) == {"customer", "role", "staff", "staff_role"}
    (staff,) = await shop.database.pool.fetch("SELECT email, password_hash FROM staff")
    assert (staff.email, staff.password_hash) == ("staff@counterfoil.example", "DEMO-STAFF-2026")
