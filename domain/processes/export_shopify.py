"""Exporting the catalogue as a product file: in one reading transaction, so that it is the catalogue of one moment."""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select, text

from db import Region, StockLocation
from db.connection import Read
from domain.money import digits
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from domain.shopify_export import Layout, read_batch, rows_of
from domain.shopify_shop import FILE, definitions, read_places

_ONE_MOMENT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
_COUNT: Final = text("SELECT count(*) AS products FROM product")


@dataclass
class ExportReport:
    products: int = 0
    rows: int = 0
    notes: list[str] = field(default_factory=list[str])


async def export_shopify(
    shop: Shop,
    file: Path,
    currency: str | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> ExportReport:
    """Writes all products, archived ones too. `currency` is that of the column Variant Price, by default that of the
    default region. The file is there when it is complete, and until then whatever was there before.

    `progress` is told how many products are done, and of how many.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        async with shop.tx() as tx:
            await tx.run(_ONE_MOMENT)
            with beside.open("w", newline="", encoding="utf-8") as out:
                report = await _write(tx, csv.writer(out, lineterminator="\n"), currency, progress)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return report


async def _write(read: Read, out: Any, currency: str | None, progress: Callable[[int, int], None]) -> ExportReport:
    report = ExportReport()
    places = await read_places(read)
    layout = await _layout(read, currency)
    lists = {key: name for name, key in places.ids["price_list"].items()}
    codes = {key: name for name, key in places.ids["region"].items()}
    (total,) = await read.records(_COUNT)
    out.writerow(layout.header)
    after, bundles = None, 0
    while (batch := await read_batch(read, after)).products:
        for line in rows_of(batch, layout, lists, codes):
            out.writerow(line)
            report.rows += 1
        after = batch.products[-1].id
        report.products += len(batch.products)
        bundles += batch.bundles
        progress(report.products, total.products)
    about = {"define": FILE, "currency": layout.currency, "location": layout.location}
    for definition in (about, *await definitions(read)):
        out.writerow(layout.line({"shop.definition": definition}))
    if bundles:
        report.notes.append(
            f"{bundles:,} variants take their stock from other things: the file does not say from which."
        )
    return report


async def _layout(read: Read, currency: str | None) -> Layout:
    regions: list[Any] = await read.all(select(Region).order_by(Region.code))
    default = next((region.currency for region in regions if region.is_default), None)
    currency = currency or default or next((region.currency for region in regions), None)
    if currency is None:
        raise ValidationFailed("Say in which currency the prices are, such as EUR.", path=("currency",))
    digits(currency)
    priority = select(StockLocation.code).where(StockLocation.archived_at.is_(None)).order_by("priority", "id")
    markets = {region.id: (region.code, region.name, region.currency) for region in regions}
    return Layout(currency, await read.scalar(priority), markets)
