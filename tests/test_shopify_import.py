"""Merchants bring their shop as the CSV that Shopify exports: it arrives whole, once, and says what is wrong."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from db import Media, Price, Product, StockLevel, Variant
from db.base import Base
from db.connection import Database
from domain.processes.import_shopify import ImportOptions, ImportReport, import_shopify
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from tests import given
from tests.test_shopify_rows import image, row, shirt, write

ROOT = Path(__file__).resolve().parents[1]
SHOPIFY = ROOT.parent / "shared" / "data" / "shopify"


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


async def ids(shop: Shop) -> dict[str, UUID]:
    return {title: variant.id for title, variant in (await live(shop)).items()}


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
async def test_a_real_export_imports_completely(
    shop: Shop, name: str, products: int, variants: int, media: int
) -> None:
    report = await run(shop, real(name))
    assert (counts(report), report.variants, report.problems) == ((products, 0, 0), variants, [])
    assert len(await shop.read.all(select(Product).where(Product.status == "published"))) == products
    assert len(await shop.read.all(select(Variant))) == len(await shop.read.all(select(Price))) == variants
    assert len(await shop.read.all(select(Media))) == media


async def test_options_prices_and_images_of_a_real_product_arrive(shop: Shop) -> None:
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


async def test_a_second_run_changes_not_one_row(shop: Shop) -> None:
    files = [real("apparel.csv"), real("home-and-garden.csv"), real("jewelery.csv")]
    assert counts(await run(shop, *files)) == (60, 0, 0)
    before = await everything(shop.database)
    assert counts(await run(shop, *files)) == (0, 0, 60)
    assert await changed_tables(shop.database, before) == set()


async def test_a_dry_run_reports_the_same_and_writes_nothing(shop: Shop) -> None:
    before = await everything(shop.database)
    report = await run(shop, real("home-and-garden.csv"), dry_run=True)
    assert (counts(report), report.variants) == ((20, 0, 0), 21)
    assert await changed_tables(shop.database, before) == set()


async def test_two_imports_of_one_file_at_once_make_no_doubles(shop: Shop) -> None:
    files = [real("apparel.csv"), real("home-and-garden.csv"), real("jewelery.csv")]
    reports = await asyncio.gather(*(run(shop, *order) for order in (files, files, files[::-1])))
    assert [sum(kind) for kind in zip(*map(counts, reports), strict=True)] == [60, 0, 120]
    assert [report.problems for report in reports] == [[], [], []]
    assert len(await shop.read.all(select(Variant))) == 66


# --- a file that changed -----------------------------------------------------------------------------------


async def test_a_changed_file_updates_what_changed_and_nothing_else(shop: Shop, tmp_path: Path) -> None:
    hat = row("hat", Title="Hat", sku="H", tracker="shopify", qty="3")
    await run(shop, write(tmp_path, shirt(sku="A"), row(size="M", sku="B"), hat))
    before = await everything(shop.database)
    changed = write(tmp_path, shirt(sku="A"), row(size="M", sku="B", price="12.00", was="15.00"), hat)
    assert counts(await run(shop, changed)) == (0, 1, 1)
    derived = {"collection_due", "listing_due", "price_history"}
    assert await changed_tables(shop.database, before) == {"price", "event"} | derived
    assert sorted(await prices(shop)) == [("EUR", 1000, None), ("EUR", 1000, None), ("EUR", 1200, 1500)]
    before = await everything(shop.database)
    renamed = write(tmp_path, shirt(sku="A", Title="Shirts"), row(size="M", sku="B"), hat)
    assert counts(await run(shop, renamed)) == (0, 1, 1)
    assert await changed_tables(shop.database, before) == {"price", "product", "event"} | derived
    shirts, hats = await shop.read.all(select(Product).order_by(Product.id))
    assert (shirts.title, shirts.version, hats.version) == ("Shirts", 2, 1)
    assert shirts.updated_at > shirts.created_at
    assert hats.updated_at == hats.created_at


async def test_what_the_file_has_no_more_is_archived_and_comes_back_as_itself(shop: Shop, tmp_path: Path) -> None:
    whole = write(tmp_path, shirt(), row(size="M"), row(size="L"))
    await run(shop, whole)
    first = await ids(shop)
    await run(shop, write(tmp_path, shirt(), row(size="L"), name="less.csv"))
    assert await ids(shop) == {"S": first["S"], "L": first["L"]}
    assert await column(shop, "SELECT name FROM option_value ORDER BY rank") == ["S", "L"]
    await run(shop, write(tmp_path, shirt(sku="S1"), row(size="M", sku="M1"), row(size="L", sku="L1")))
    await run(shop, write(tmp_path, shirt(sku="S1"), row(size="L", sku="L1")))
    middle = (await shop.read.all(select(Variant).where(Variant.sku == "M1")))[0]
    await run(shop, write(tmp_path, shirt(sku="S1"), row(size="Medium", sku="M1"), row(size="L", sku="L1")))
    assert (await live(shop))["Medium"].id == middle.id


async def test_a_renamed_option_keeps_the_variants(shop: Shop, tmp_path: Path) -> None:
    await run(shop, write(tmp_path, shirt(), row(size="M")))
    before = await ids(shop)
    report = await run(shop, write(tmp_path, shirt(**{"Option1 Name": "Grösse"}), row(size="M")))
    assert counts(report) == (0, 1, 0)
    assert await ids(shop) == before


async def test_an_option_can_come_and_go_while_skus_keep_the_variants(shop: Shop, tmp_path: Path) -> None:
    plain = write(tmp_path, shirt(sku="A"), row(size="M", sku="B"), name="plain.csv")
    second = {"Option2 Name": "Colour"}
    coloured = write(tmp_path, shirt(sku="A", colour="Red", **second), row(size="M", colour="Red", sku="B"))
    await run(shop, plain)
    before = await ids(shop)
    assert counts(await run(shop, coloured)) == (0, 1, 0)
    assert await ids(shop) == {"S / Red": before["S"], "M / Red": before["M"]}
    assert counts(await run(shop, plain)) == (0, 1, 0)
    assert await ids(shop) == before
    assert counts(await run(shop, plain)) == (0, 0, 1)


async def test_two_variants_can_change_places(shop: Shop, tmp_path: Path) -> None:
    await run(shop, write(tmp_path, shirt(sku="A"), row(size="M", sku="B")))
    before = await ids(shop)
    await run(shop, write(tmp_path, shirt(sku="B"), row(size="M", sku="A")))
    assert await ids(shop) == {"S": before["M"], "M": before["S"]}


async def test_an_sku_can_move_to_a_product_that_comes_earlier_in_the_file(shop: Shop, tmp_path: Path) -> None:
    many = [row(f"mug-{i}", Title="Mug", sku=f"MUG-{i}") for i in range(120)]
    await run(shop, write(tmp_path, shirt(sku="A"), *many, row("hat", Title="Hat", sku="H")))
    moved = write(tmp_path, shirt(sku="H"), *many, row("hat", Title="Hat", sku="H2"))
    report = await run(shop, moved)
    assert (counts(report), report.problems) == ((0, 2, 120), [])
    assert ((await live(shop))["S"].sku, (await live(shop, "hat"))["Default Title"].sku) == ("H", "H2")
    assert counts(await run(shop, moved)) == (0, 0, 122)


async def test_an_sku_of_another_product_is_refused_by_name(shop: Shop, tmp_path: Path) -> None:
    await run(shop, write(tmp_path, shirt(sku="A")))
    files = write(tmp_path, row("hat", Title="Hat", sku="A"), row("cap", Title="Cap", sku="C"))
    report = await run(shop, files)
    assert (counts(report), told(report)) == ((1, 0, 0), [(2, "Variant SKU")])
    assert report.problems[0].message == "The SKU A is in use by shirt: give this variant its own."


async def test_columns_that_a_file_lacks_leave_what_there_is(shop: Shop, tmp_path: Path) -> None:
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


async def test_products_without_problems_are_written(shop: Shop, tmp_path: Path) -> None:
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


# --- what the cells mean -----------------------------------------------------------------------------------


async def test_cells_arrive_as_what_they_mean(shop: Shop, tmp_path: Path) -> None:
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


async def test_a_product_without_options_has_the_default_one(shop: Shop, tmp_path: Path) -> None:
    named = row("mug", Title="Mug", size="Default Title", **{"Option1 Name": "Title"})
    await run(shop, write(tmp_path, row("hat", Title="Hat"), named))
    assert [list(await live(shop, handle)) for handle in ("hat", "mug")] == [["Default Title"], ["Default Title"]]
    assert await column(shop, "SELECT name FROM product_option") == ["Title", "Title"]


async def test_the_newest_headers_of_shopify_mean_the_same(shop: Shop, tmp_path: Path) -> None:
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
) -> None:
    await run(shop, write(tmp_path, shirt(price=price)), currency=currency)
    assert await prices(shop) == [(currency, minor, None)]


async def test_a_currency_without_decimals_refuses_them(shop: Shop, tmp_path: Path) -> None:
    report = await run(shop, write(tmp_path, shirt(price="12.50")), currency="JPY")
    assert told(report) == [(2, "Variant Price")]
    message = "JPY has 0 decimal places; 12.50 has more. Write a number such as 1250."
    assert report.problems[0].message == message


async def test_prices_of_a_market_belong_to_the_region_of_its_name(shop: Shop, tmp_path: Path) -> None:
    await given.regions(shop)
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


async def test_a_region_takes_the_prices_in_its_own_currency_only(shop: Shop, tmp_path: Path) -> None:
    await given.regions(shop)
    path = write(tmp_path, shirt())
    with pytest.raises(ValidationFailed, match=r"The region jp sells in JPY, not in EUR\."):
        await run(shop, path, region_code="jp")
    with pytest.raises(ValidationFailed, match=r"There is no region 'ca'; there are: eu, jp, us\."):
        await run(shop, path, region_code="ca")
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


async def test_a_count_is_a_movement_and_the_same_count_is_none(shop: Shop, tmp_path: Path) -> None:
    for quantity in ("5", "5", "2"):
        await run(shop, write(tmp_path, shirt(tracker="shopify", qty=quantity), row(size="M", qty="9")))
    (level,) = await shop.read.all(select(StockLevel))
    assert level.on_hand == 2
    assert await column(shop, "SELECT delta FROM stock_movement ORDER BY id") == [5, -3]
    assert await column(shop, "SELECT code FROM stock_location") == ["main"]


async def test_a_count_below_what_is_promised_is_written_and_announced(shop: Shop, tmp_path: Path) -> None:
    await run(shop, write(tmp_path, shirt(tracker="shopify", qty="5")))
    await shop.database.pool.execute("UPDATE stock_level SET reserved = 1, allocated = 3")
    await run(shop, write(tmp_path, shirt(tracker="shopify", qty="1")))
    (level,) = await shop.read.all(select(StockLevel))
    assert (level.on_hand, level.shortage) == (1, 3)
    assert await column(shop, "SELECT name FROM event WHERE topic <> 'catalogue'") == ["StockShort"]
    await run(shop, write(tmp_path, shirt(tracker="shopify", qty="9")))
    (level,) = await shop.read.all(select(StockLevel))
    assert (level.on_hand, level.shortage) == (9, 0)
