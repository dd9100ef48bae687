"""A large file takes no more memory than a small one, and a run that was killed is completed by the next."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db import Product
from domain.processes.import_shopify import ImportOptions, import_shopify
from domain.processes.shop import Shop
from domain.shopify_rows import LONGEST_CELL
from domain.upsert import OnError
from tests.test_shopify_import import changed_tables, counts, everything, run, told
from tests.test_shopify_rows import read, row, shirt, write

ROOT = Path(__file__).resolve().parents[1]
HEADER = ["Handle", "Title", "Option1 Name", "Option1 Value", "Variant SKU", "Variant Price", "Image Src"]
PER_PRODUCT = 5
MEASURE = """
import resource, sys
from domain.shopify import read_products
from domain.shopify_rows import Sheet
from domain.shopify_survey import survey
with open(sys.argv[1], "rb") as first, open(sys.argv[1], "rb") as second:
    before = survey(first)
    problems = []
    parsed = read_products(second, Sheet("f", {"": "EUR"}, before.seen, problems.append))
    products = sum(1 for _ in parsed.products)
print(before.rows, products, len(problems), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def large(path: Path, rows: int) -> Path:
    """Products with five variants each."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        for n in range(rows):
            product, i = divmod(n, PER_PRODUCT)
            first = (f"Product {product}", "Size") if i == 0 else ("", "")
            out.writerow([f"product-{product}", *first, f"S{i}", f"SKU-{n}", "9.50", f"https://e.example/{n}.jpg"])
    return path


def measured(path: Path) -> tuple[int, int, int, int]:
    """Rows, products, problems and the peak of a process of its own that reads the file, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    rows, products, problems, peak = map(int, done.stdout.split())
    return rows, products, problems, peak


@pytest.mark.skipif(sys.platform != "linux", reason="KiB are those of Linux.")
def test_four_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    *small, before = measured(large(tmp_path / "small.csv", 5_000))
    *big, after = measured(large(tmp_path / "big.csv", 20_000))
    assert (small, big) == ([5_000, 1_000, 0], [20_000, 4_000, 0])
    assert after - before < 3 * 1_024


async def test_a_run_that_was_killed_is_completed_by_the_next(shop: Shop, tmp_path: Path) -> None:
    path = large(tmp_path / "products.csv", 600)
    seen: list[tuple[int, int]] = []

    def kill(done: int, of: int) -> None:
        seen.append((done, of))
        if done >= 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await import_shopify(shop, [path], ImportOptions("EUR"), kill)
    assert seen == [(100, 600), (200, 600), (300, 600)]
    assert await shop.read.one_scalar(select(func.count()).select_from(Product)) == 60
    assert counts(await run(shop, path)) == (60, 0, 60)
    before = await everything(shop.database)
    assert counts(await run(shop, path)) == (0, 0, 120)
    assert await changed_tables(shop.database, before) == set()


async def test_a_run_stops_at_the_first_problem_if_told_so(shop: Shop, tmp_path: Path) -> None:
    path = write(tmp_path, shirt(), row("hat", Title="Hat", price="x"), row("cap", Title="Cap"))
    report = await import_shopify(shop, [path], ImportOptions("EUR", on_error=OnError.ABORT))
    assert (counts(report), told(report), report.stopped) == ((1, 0, 0), [(3, "Variant Price")], True)
    assert await shop.read.scalars(select(Product.handle)) == ["shirt"]


async def test_a_product_in_two_files_is_told_and_the_first_one_stays(shop: Shop, tmp_path: Path) -> None:
    files = [
        write(tmp_path, shirt(), name="1.csv"),
        write(tmp_path, shirt(size="M"), row("hat", Title="Hat"), name="2.csv"),
    ]
    report = await run(shop, *files)
    assert (counts(report), told(report)) == ((2, 0, 0), [(2, "Handle")])
    message = "Another of the files has rows of this product, too: put them into one file."
    assert str(report.problems[0]) == f"{files[1]}:2: Handle: {message}"


def test_a_quote_that_is_never_closed_and_an_endless_line_are_told(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("Handle,Title,Variant Price\nhat,Hat,1\ncap," + "x" * (LONGEST_CELL + 1) + ",1\n")
    handles, problems = read(path)
    assert handles == []
    assert (
        problems[0].message
        == "Check the quotes and line ends from here on (a line has more than 4 MiB); the rest was not read."
    )
    path.write_text('Handle,Title,Variant Price\nhat,Hat,1\ncap,"Cap,1\n' + "x,y,z\n" * (LONGEST_CELL // 6 + 1))
    handles, problems = read(path)
    assert (handles, problems[0].line) == ([], 3)
    assert "field larger than field limit" in problems[0].message
