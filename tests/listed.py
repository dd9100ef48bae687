"""A catalogue for lists: products that differ in everything a list is filtered by, and hidden ones of every kind."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import text

from db.catalog import ProductStatus
from db.connection import new_id
from domain.price import PriceDraft
from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from domain.region import LocationDraft, upsert_location
from domain.stock import StockCount, set_counts
from resolvers import ids
from tests import carts, channels, given

TYPES, VENDORS, TAGS = ("Cup", "Lid", "Box"), ("Ann", "Bob"), ("eco", "new", "sale", "xl")
SIZES, COLOURS = ("S", "M", "L"), ("Red", "Blue")
HIDDEN = ("draft", "proposed", "rejected", "archived", "elsewhere", "not yet", "no more")
EUROPE = "eu"


@dataclass
class Item:
    """What a product is, for a plain reading of the filters. `hidden` says why nobody sees it, if nobody does."""

    handle: str
    title: str
    type: str
    vendor: str
    tags: tuple[str, ...]
    options: frozenset[tuple[str, str]]
    amounts: tuple[int, ...]
    in_stock: bool
    buyable: bool
    categories: frozenset[str]
    collections: frozenset[str]
    metadata: dict[str, str]
    hidden: str | None
    id: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def minimum(self) -> int | None:
        return min(self.amounts, default=None)


@dataclass
class Catalogue:
    items: list[Item]
    categories: dict[str, str]
    """Public ids by name; `roots` have `leaves` below."""
    collections: dict[str, str]

    @property
    def seen(self) -> list[Item]:
        return [item for item in self.items if item.hidden is None]

    def matching(self, holds: Callable[[Item], bool]) -> list[Item]:
        return [item for item in self.seen if holds(item)]


TREE = {"drinks": None, "hot": "drinks", "cold": "drinks", "espresso": "hot", "food": None}


def above(name: str) -> frozenset[str]:
    parent = TREE[name]
    return frozenset({name}) | (above(parent) if parent else frozenset())


def item(random: Random, number: int, hidden: str | None) -> Item:
    in_stock = random.random() < 0.5
    priced = random.random() < 0.85
    sizes = random.sample(SIZES, random.randint(1, 3))
    colour = random.choice(COLOURS)
    category = random.choice((*TREE, None))
    return Item(
        handle=f"p-{number}",
        title=random.choice(("Älpler", "alpine", "Zebra", "zulu", "Émile", "eagle")) + f" {random.randint(0, 9)}",
        type=random.choice(TYPES),
        vendor=random.choice(VENDORS),
        tags=tuple(random.sample(TAGS, random.randint(0, 3))),
        options=frozenset({("Colour", colour), *(("Size", size) for size in sizes)}),
        amounts=tuple(random.randrange(500, 5000, 250) for _ in sizes) if priced else (),
        in_stock=in_stock and priced,
        buyable=priced and (in_stock or random.random() < 0.3),
        categories=above(category) if category else frozenset(),
        collections=frozenset(name for name in ("summer", "secret") if random.random() < 0.4),
        metadata={"season": random.choice(("spring", "autumn"))},
        hidden=hidden,
    )


async def catalogue(shop: Shop, seed: int = 1, seen: int = 26) -> Catalogue:
    """Every kind of hidden product is there, and looks like the others. Its derived rows are fresh."""
    random = Random(seed)
    hidden = [why for why in HIDDEN for _ in range(2)]
    made = [item(random, n, why) for n, why in enumerate([*hidden, *[None] * seen])]
    random.shuffle(made)
    await given.regions(shop)
    await _write(shop, made)
    await _age(shop, made)
    found = Catalogue(made, await _categories(shop, made), await _collections(shop, made))
    await _hide(shop, made)
    await refresh_listing(shop)
    return found


def _draft(one: Item) -> ProductDraft:
    sizes = sorted(value for name, value in one.options if name == "Size")
    (colour,) = (value for name, value in one.options if name == "Colour")
    return ProductDraft(
        handle=one.handle,
        title=one.title,
        status=ProductStatus(one.hidden) if one.hidden in list(ProductStatus) else ProductStatus.PUBLISHED,
        vendor=one.vendor,
        type=one.type,
        tags=one.tags,
        options=("Size", "Colour"),
        variants=tuple(VariantDraft(values=(size, colour), sku=f"{one.handle}-{size}") for size in sizes),
    )


async def _write(shop: Shop, made: list[Item]) -> None:
    sold = await given.products(shop, *map(_draft, made))
    prices: list[PriceDraft] = []
    for one, its in zip(made, sold, strict=True):
        one.id = its.product
        prices += [PriceDraft(v, "EUR", a) for v, a in zip(its.keys, one.amounts, strict=False)]
    await given.prices(shop, *prices)
    async with shop.tx() as tx:
        place = await upsert_location(tx, LocationDraft("main", "Main"))
        counts = [
            StockCount(its.keys[0], place, 3 if one.in_stock else 0, 0 if one.in_stock else 5)
            for one, its in zip(made, sold, strict=True)
            if one.buyable
        ]
        await set_counts(tx, counts)


async def _age(shop: Shop, made: list[Item]) -> None:
    """Each is a day younger than the one before, and has its metadata."""
    for n, one in enumerate(made):
        one.created = datetime.now(UTC) - timedelta(days=len(made) - n)
    await carts.execute(
        shop,
        "UPDATE product SET created_at = told.at, metadata = jsonb_build_object('season', told.season)"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:times AS timestamptz[]), CAST(:seasons AS text[]))"
        " AS told (id, at, season) WHERE product.id = told.id",
        ids=[ids.decode("Product", one.id) for one in made],
        times=[one.created for one in made],
        seasons=[one.metadata["season"] for one in made],
    )


async def _categories(shop: Shop, made: list[Item]) -> dict[str, str]:
    keys: dict[str, UUID] = {name: new_id() for name in TREE}
    for rank, (name, parent) in enumerate(TREE.items()):
        await carts.execute(
            shop,
            "INSERT INTO category (id, parent_id, handle, name, rank) VALUES (:id, :parent, :name, :name, :rank)",
            id=keys[name],
            parent=keys[parent] if parent else None,
            name=name,
            rank=rank,
        )
    stands = [(one, max(one.categories, key=lambda name: len(above(name)))) for one in made if one.categories]
    await carts.execute(
        shop,
        "INSERT INTO product_category (product_id, category_id)"
        " SELECT * FROM unnest(CAST(:products AS uuid[]), CAST(:keys AS uuid[]))",
        products=[ids.decode("Product", one.id) for one, _ in stands],
        keys=[keys[name] for _, name in stands],
    )
    return {name: ids.encode("Category", key) for name, key in keys.items()}


async def _collections(shop: Shop, made: list[Item]) -> dict[str, str]:
    """`secret` is a draft: nobody sees what it has."""
    keys: dict[str, UUID] = {}
    for name, status in (("summer", "published"), ("secret", "draft")):
        keys[name] = new_id()
        await carts.execute(
            shop,
            "INSERT INTO collection (id, handle, title, status, product_order)"
            " VALUES (:id, :name, :name, :status, 'manual')",
            id=keys[name],
            name=name,
            status=status,
        )
        await carts.execute(
            shop,
            "INSERT INTO collection_channel (channel_id, collection_id) SELECT id, :id FROM channel WHERE is_default",
            id=keys[name],
        )
    ranked = [(one, name, f"i{n:09d}") for n, one in enumerate(reversed(made)) for name in one.collections]
    await carts.execute(
        shop,
        "INSERT INTO product_collection (product_id, collection_id, rank)"
        " SELECT * FROM unnest(CAST(:products AS uuid[]), CAST(:keys AS uuid[]), CAST(:ranks AS text[]))",
        products=[ids.decode("Product", one.id) for one, _, _ in ranked],
        keys=[keys[name] for _, name, _ in ranked],
        ranks=[rank for _, _, rank in ranked],
    )
    return {name: ids.encode("Collection", key) for name, key in keys.items()}


async def _hide(shop: Shop, made: list[Item]) -> None:
    till, default = await channels.made(shop), await channels.default(shop)
    now, day = datetime.now(UTC), timedelta(days=1)
    for one in made:
        if one.hidden == "archived":
            sql = "UPDATE product SET archived_at = now() WHERE id = :id"
            await carts.execute(shop, sql, id=ids.decode("Product", one.id))
        elif one.hidden == "elsewhere":
            await channels.unpublished(shop, one.id)
            await channels.published(shop, one.id, till)
        elif one.hidden == "not yet":
            await channels.published(shop, one.id, default, now + day, now + 2 * day)
        elif one.hidden == "no more":
            await channels.published(shop, one.id, default, now - 2 * day, now - day)


async def due(shop: Shop) -> int:
    return (await shop.read.records(text("SELECT count(*) AS n FROM listing_due")))[0].n


async def listing(shop: Shop, handle: str, region: str = EUROPE) -> Any:
    """The derived row of a product in a region."""
    (row,) = await shop.read.records(
        text(
            "SELECT l.* FROM product_listing l JOIN product p ON p.id = l.product_id"
            " JOIN region r ON r.id = l.region_id"
            " WHERE p.handle = :handle AND r.code = :region"
        ).bindparams(handle=handle, region=region)
    )
    return row
