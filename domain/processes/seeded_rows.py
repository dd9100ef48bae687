"""The rows of a made-up product: what they say depends on the seed and the product's number alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product as pairs
from random import Random
from typing import Any, Final
from uuid import UUID

from db import (
    Media,
    OptionValue,
    Price,
    Product,
    ProductCategory,
    ProductCollection,
    ProductOption,
    StockItem,
    StockLevel,
    StockMovement,
    Variant,
    VariantOptionValue,
    VariantStockItem,
)
from db.base import Base

EPOCH_MS: Final = 1_735_689_600_000
"""2025 began; product n of a seed has an id of n milliseconds later, so ids rise with the number."""
OPTIONS: Final = ("Size", "Colour")
SIZES: Final = ("Small", "Medium", "Large")
MATERIALS: Final = ("Paper", "Kraft", "Cotton", "Bamboo", "Steel", "Glass", "Cork", "Linen")
THINGS: Final = ("cup", "box", "bag", "bowl", "label", "napkin", "tray", "lid", "sleeve", "apron", "bottle", "poster")
COLOURS: Final = ("White", "Black", "Red", "Blue", "Green", "Natural")
TAGS: Final = ("new", "recycled", "food-safe", "gift", "outdoor", "bestseller")
VENDORS: Final = ("Northmill", "Papeterie Luc", "Osaka Works", "Delta Print")
CURRENCIES: Final = {"EUR": 100, "USD": 110, "JPY": 160}
"""In minor units per 100 cents of the base price: the yen has none."""
IMAGES: Final = "https://images.counterfoil.example/seed"

COLUMNS: Final[dict[type[Base], tuple[str, ...]]] = {
    Product: ("id", "handle", "title", "description", "status", "vendor", "type", "tags", "seo_title"),
    Media: ("id", "product_id", "url", "alt", "rank"),
    ProductOption: ("id", "product_id", "name", "rank"),
    OptionValue: ("id", "option_id", "name", "rank"),
    Variant: ("id", "product_id", "title", "sku", "rank", "combination", "weight_grams", "media_id"),
    VariantOptionValue: ("variant_id", "option_id", "product_id", "value_id"),
    Price: ("id", "variant_id", "currency", "min_quantity", "amount", "compare_at"),
    StockItem: ("id", "title"),
    VariantStockItem: ("variant_id", "stock_item_id", "quantity"),
    StockLevel: ("id", "stock_item_id", "location_id", "on_hand"),
    StockMovement: ("stock_level_id", "delta", "reason"),
    ProductCategory: ("product_id", "category_id"),
    ProductCollection: ("product_id", "collection_id", "rank"),
}
"""In the order that foreign keys ask for."""

Row = tuple[type[Base], tuple[Any, ...]]


@dataclass(frozen=True)
class Places:
    """Ids of what products hang on."""

    categories: tuple[UUID, ...]
    collections: tuple[UUID, ...]
    locations: tuple[UUID, ...]


@dataclass(frozen=True)
class Maker:
    """Draws of one product: the same in every run."""

    random: Random
    number: int

    def id(self) -> UUID:
        """A UUIDv7."""
        bits = self.random.getrandbits(74)
        tail = (0x7 << 76) | (bits >> 62 << 64) | (0b10 << 62) | (bits & (1 << 62) - 1)
        return UUID(int=(EPOCH_MS + self.number) << 80 | tail)


def maker(seed: int, number: int) -> Maker:
    return Maker(Random(f"counterfoil/{seed}/{number}"), number)  # noqa: S311 - not a secret


def prefix(seed: int) -> str:
    return f"seed-{seed}-"


def handle(seed: int, number: int) -> str:
    """Of one width, so that the largest handle is that of the last product."""
    return f"{prefix(seed)}{number:07d}"


def category_rows(seed: int) -> Iterator[dict[str, Any]]:
    make = maker(seed, 0)
    for rank, thing in enumerate(THINGS, 1):
        yield {"id": make.id(), "handle": prefix(seed) + thing, "name": f"{thing.title()}s", "rank": rank}


def collection_rows(seed: int) -> Iterator[dict[str, Any]]:
    make = maker(seed, -1)
    for tag in TAGS:
        yield {"id": make.id(), "handle": prefix(seed) + tag, "title": tag.replace("-", " ").capitalize()}


def product_rows(seed: int, number: int, places: Places) -> Iterator[Row]:
    """A published product: two pictures, two options, six variants, each with prices and stock in two places."""
    make = maker(seed, number)
    draw = make.random
    product_id, name = make.id(), handle(seed, number)
    thing, material = draw.randrange(len(THINGS)), draw.choice(MATERIALS)
    title = f"{material} {THINGS[thing]} {number}"
    description = f"<p>{title}: {', '.join(draw.sample(COLOURS, 3)).lower()}. Printed to order, packed flat.</p>"
    tags = sorted(draw.sample(TAGS, draw.randrange(4)))
    vendor = draw.choice(VENDORS)
    yield Product, (product_id, name, title, description, "published", vendor, THINGS[thing], tags, None)
    media = [make.id(), make.id()]
    for rank, media_id in enumerate(media, 1):
        yield Media, (media_id, product_id, f"{IMAGES}/{name}-{rank}.jpg", f"{title}, picture {rank}", rank)
    yield ProductCategory, (product_id, places.categories[thing])
    for tag in tags:
        yield ProductCollection, (product_id, places.collections[TAGS.index(tag)], number)
    yield from _variant_rows(make, product_id, name, media, places)


def _variant_rows(make: Maker, product_id: UUID, name: str, media: list[UUID], places: Places) -> Iterator[Row]:
    colours = make.random.sample(COLOURS, 2)
    values: list[list[tuple[UUID, UUID, str]]] = []
    for rank, (option, names) in enumerate(zip(OPTIONS, (SIZES, colours), strict=True), 1):
        option_id = make.id()
        yield ProductOption, (option_id, product_id, option, rank)
        values.append([(option_id, make.id(), value) for value in names])
        yield from (
            (OptionValue, (value_id, option_id, value, place))
            for place, (_, value_id, value) in enumerate(values[-1], 1)
        )
    base = make.random.randrange(2, 120) * 100 - make.random.choice((1, 5, 50))
    for rank, chosen in enumerate(pairs(*values), 1):
        variant_id, sku = make.id(), f"{name}-{rank}".upper()
        title = " / ".join(value for *_, value in chosen)
        combination = sorted(value_id for _, value_id, _ in chosen)
        picture = media[1] if rank == 1 else None
        yield Variant, (variant_id, product_id, title, sku, rank, combination, 40 * rank, picture)
        for option_id, value_id, _ in chosen:
            yield VariantOptionValue, (variant_id, option_id, product_id, value_id)
        yield from _price_rows(make, variant_id, base + 50 * rank)
        yield from _stock_rows(make, variant_id, sku, places)


def _price_rows(make: Maker, variant_id: UUID, cents: int) -> Iterator[Row]:
    """One per currency, sometimes with one that is crossed out; every third product is cheaper from 100 on."""
    crossed_out = make.random.random() < 0.2
    for currency, factor in CURRENCIES.items():
        amount = cents * factor // 100
        yield Price, (make.id(), variant_id, currency, 1, amount, amount * 5 // 4 if crossed_out else None)
        if make.number % 3 == 0:
            yield Price, (make.id(), variant_id, currency, 100, amount * 4 // 5, None)


def _stock_rows(make: Maker, variant_id: UUID, sku: str, places: Places) -> Iterator[Row]:
    """One variant in twelve is sold out; what lies in a place is the sum of its movements."""
    item_id = make.id()
    yield StockItem, (item_id, sku)
    yield VariantStockItem, (variant_id, item_id, 1)
    sold_out = make.random.random() < 1 / 12
    for location_id in places.locations:
        level_id, on_hand = make.id(), 0 if sold_out else make.random.randrange(50, 5_000)
        yield StockLevel, (level_id, item_id, location_id, on_hand)
        if on_hand:
            yield StockMovement, (level_id, on_hand, "import")
