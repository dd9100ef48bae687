"""The demo shop: regions, a catalogue with stock in two places, a customer and a member of staff."""

import asyncio
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import any_, select, update
from sqlalchemy.dialects.postgresql import insert

from db import (
    Category,
    Collection,
    Customer,
    DeliveryOption,
    Product,
    ProductCategory,
    ProductCollection,
    Role,
    Staff,
    StaffRole,
    StockLocation,
    Variant,
)
from db.catalog import BriefDue
from db.collection import CollectionOrder
from db.connection import Tx, new_id
from db.delivery import DeliveryKind
from domain import delivery_option
from domain.actor import SYSTEM
from domain.collection_publication import publish_new
from domain.delivery_option import DeliveryDraft, Tier
from domain.processes.import_shopify import ROWS_PER_COMMIT, ImportOptions, import_shopify
from domain.processes.shop import Shop
from domain.rank import of_number
from domain.region import LocationDraft, RegionDraft, upsert_location, upsert_region
from domain.stock import StockCount, set_counts

CURRENCY: Final = "EUR"
HOME: Final = "rotterdam"
"""Where the quantities of products.csv lie; stock.csv names its places."""
STAFF_ROLE: Final = "Demo staff"


async def load_demo(shop: Shop, folder: Path, hash_password: Callable[[str], str]) -> bool:
    """Loads the demo once; False if it is there already. Started again after a kill, it completes the rest."""
    data: dict[str, Any] = json.loads(await asyncio.to_thread((folder / "shop.json").read_bytes))
    # The member of staff is written last and so stands for the whole.
    if await shop.read.first(select(Staff.id).where(Staff.email == data["staff"]["email"])):
        return False
    async with shop.tx() as tx:
        for region in data["regions"]:
            await _deliver(tx, await upsert_region(tx, _region(region)), region["delivery"])
        for location in data["locations"]:
            await upsert_location(tx, LocationDraft(**location))
    report = await import_shopify(shop, [folder / "products.csv"], ImportOptions(CURRENCY, location_code=HOME))
    if report.problems:
        raise ValueError(f"The demo's own products have problems: {report.problems}")
    async with shop.tx() as tx:
        await _arrange(tx, data)
    counts = await asyncio.to_thread(_read_counts, folder / "stock.csv")
    for start in range(0, len(counts), ROWS_PER_COMMIT):
        async with shop.tx() as tx:
            await _count(tx, counts[start : start + ROWS_PER_COMMIT])
    await _people(shop, data["customer"], data["staff"], hash_password)
    return True


def _region(data: Mapping[str, Any]) -> RegionDraft:
    return RegionDraft(
        code=data["code"],
        name=data["name"],
        currency=data["currency"],
        tax_inclusive=data["tax_inclusive"],
        countries=tuple(data["countries"]),
        taxes={tax["name"]: Decimal(tax["rate"]) for tax in data["taxes"]},
        is_default=data.get("default", False),
    )


async def _deliver(tx: Tx, region_id: UUID, ways: list[Any]) -> None:
    """Its ways of delivery, in their order. A run that was killed later than here has made them already."""
    if await tx.first(select(DeliveryOption.id).where(DeliveryOption.region_id == region_id)):
        return
    for position, way in enumerate(ways):
        tiers = tuple(Tier(tier["from"], tier["amount"]) for tier in way["tiers"])
        draft = DeliveryDraft(
            code=way["code"],
            name=way["name"],
            position=position,
            kind=DeliveryKind(way.get("kind", DeliveryKind.FLAT)),
            tiers=tiers,
            free_from=way.get("free_from"),
            days_min=way["days"][0],
            days_max=way["days"][1],
        )
        await delivery_option.create(tx, region_id, draft, SYSTEM)


async def _arrange(tx: Tx, data: Mapping[str, Any]) -> None:
    """Puts the products into categories and collections, and says what they ask of a customer."""
    if await tx.first(select(Collection.id).where(Collection.handle == data["collections"][0]["handle"])):
        return  # A run that was killed later than here.
    rows = await tx.records(select(Product.handle, Product.id))
    products: dict[str, UUID] = {row.handle: row.id for row in rows}
    categories = list(_categories(data["categories"], None))
    await tx.insert(Category, (row for row, _ in categories))
    members = ((products[handle], row["id"]) for row, handles in categories for handle in handles)
    await tx.insert(ProductCategory, ({"product_id": p, "category_id": c} for p, c in members))
    for collection in data["collections"]:
        collection_id = new_id()
        row = {"id": collection_id, "handle": collection["handle"], "title": collection["title"]}
        await tx.insert(Collection, [{**row, "product_order": CollectionOrder.MANUAL}])
        await publish_new(tx, [collection_id])
        links = ((products[handle], rank) for rank, handle in enumerate(collection["products"], 1))
        await tx.insert(
            ProductCollection,
            ({"product_id": p, "collection_id": collection_id, "rank": of_number(n)} for p, n in links),
        )
    for brief in data["briefs"].values():
        values = {"brief_schema": brief["schema"], "brief_due": BriefDue.AFTER_ORDER}
        await tx.run(update(Product).values(values).where(Product.handle == _any_of(brief["products"])))
    no_ticket = Product.handle == _any_of(data["no_ticket"])
    await tx.run(update(Product).values(workflow_code=None).where(no_ticket))


def _categories(tree: list[Any], parent_id: UUID | None) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Rows of categories, parents first, with the handles of the products in each."""
    for rank, node in enumerate(tree, 1):
        category_id = new_id()
        row = {"id": category_id, "parent_id": parent_id, "handle": node["handle"], "name": node["name"]}
        yield {**row, "rank": rank}, node["products"]
        yield from _categories(node["children"], category_id)


def _any_of(values: Iterable[Any]) -> Any:
    return any_(cast("Any", list(values)))


def _read_counts(path: Path) -> list[tuple[str, str, int]]:
    """(SKU, location, quantity)."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(row["SKU"], row["Location"], int(row["On Hand"])) for row in csv.DictReader(file)]


async def _count(tx: Tx, counts: list[tuple[str, str, int]]) -> None:
    skus = _any_of(sku for sku, _, _ in counts)
    rows = await tx.records(select(Variant.sku, Variant.id).where(Variant.sku == skus, Variant.archived_at.is_(None)))
    variants: dict[str, UUID] = {row.sku: row.id for row in rows}
    rows = await tx.records(select(StockLocation.code, StockLocation.id))
    places: dict[str, UUID] = {row.code: row.id for row in rows}
    await set_counts(tx, (StockCount(variants[sku], places[place], n) for sku, place, n in counts))


async def _people(
    shop: Shop, customer: Mapping[str, Any], staff: Mapping[str, Any], hash_password: Callable[[str], str]
) -> None:
    """One customer, and one member of staff with a role of their own."""
    secrets = [await asyncio.to_thread(hash_password, person["password"]) for person in (customer, staff)]
    role = {"id": new_id(), "name": STAFF_ROLE, "permissions": staff["permissions"]}
    async with shop.tx() as tx:
        names = {name: customer[name] for name in ("email", "first_name", "last_name")}
        await tx.run(insert(Customer).values(id=new_id(), password_hash=secrets[0], **names).on_conflict_do_nothing())
        await tx.run(insert(Role).values(role).on_conflict_do_nothing())
        (role_id,) = await tx.scalars(select(Role.id).where(Role.name == STAFF_ROLE))
        names = {name: staff[name] for name in ("email", "name")}
        staff_id = new_id()
        if await tx.run(insert(Staff).values(id=staff_id, password_hash=secrets[1], **names).on_conflict_do_nothing()):
            await tx.insert(StaffRole, [{"staff_id": staff_id, "role_id": role_id}])
