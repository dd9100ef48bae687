"""The rows of a made-up product: what they say depends on the seed and the product's number alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
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
    ProductChannel,
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
from db.catalog import ProductStatus
from domain.processes import seeded_words as words
from domain.processes.seeded_words import Word, Zipf
from domain.rank import of_number

EPOCH: Final = datetime(2025, 1, 1, tzinfo=UTC)
EPOCH_MS: Final = 1_735_689_600_000
"""2025 began; product n of a seed has an id of n milliseconds later, so ids rise with the number."""
APART: Final = timedelta(seconds=30)
"""Between two products' creation: a million of them are made within a year."""
SHAPES: Final[Mapping[tuple[int, ...], float]] = {
    (1,): 0.125, (2,): 0.08, (3,): 0.11, (4,): 0.06, (5,): 0.04,
    (2, 2): 0.10, (3, 2): 0.16, (4, 2): 0.10, (3, 3): 0.08, (5, 3): 0.04,
    (2, 2, 2): 0.04, (3, 2, 2): 0.04, (4, 3, 2): 0.02, (10, 6): 0.005,
}  # fmt: skip
"""How many values the one to three options have, and how often that is so: six variants on average."""
CURRENCIES: Final = {"EUR": 100, "USD": 110, "JPY": 160}
"""In minor units per 100 cents of the base price: the yen has none."""
IMAGES: Final = "https://images.counterfoil.example/seed"
BY_HAND: Final = 12
SALES: Final = ("summer", "clearance", "winter", "next", "club")
"""Price lists of sales that products are in: of two of these everybody profits."""

COLUMNS: Final[dict[type[Base], tuple[str, ...]]] = {
    Product: (
        "id", "handle", "title", "subtitle", "description", "status", "archived_at", "vendor", "type", "tags",
        "seo_title", "seo_description", "external_id", "material", "origin_country", "weight_grams",
        "tax_class_code", "translations", "metadata", "created_at", "updated_at",
    ),
    ProductChannel: ("channel_id", "product_id", "published_from", "published_until"),
    Media: ("id", "product_id", "url", "alt", "rank"),
    ProductOption: ("id", "product_id", "name", "rank", "translations"),
    OptionValue: (
        "id", "option_id", "name", "rank", "swatch_color", "swatch_media_id", "swatch_product_id", "translations"
    ),
    Variant: (
        "id", "product_id", "title", "sku", "barcode", "external_id", "rank", "combination", "weight_grams",
        "manage_stock", "allow_backorder", "media_id",
    ),
    VariantOptionValue: ("variant_id", "option_id", "product_id", "value_id"),
    Price: ("id", "variant_id", "currency", "region_id", "price_list_id", "min_quantity", "amount", "compare_at"),
    StockItem: ("id", "title"),
    VariantStockItem: ("variant_id", "stock_item_id", "quantity"),
    StockLevel: ("id", "stock_item_id", "location_id", "on_hand", "backorder_limit"),
    StockMovement: ("stock_level_id", "delta", "reason"),
    ProductCategory: ("product_id", "category_id"),
    ProductCollection: ("product_id", "collection_id", "rank"),
}  # fmt: skip
"""In the order that foreign keys ask for."""

Row = tuple[type[Base], tuple[Any, ...]]


@dataclass(frozen=True)
class Places:
    """Ids of what products hang on; of collections those by hand, of categories the leaves: four of each kind."""

    categories: Sequence[UUID]
    collections: Sequence[UUID]
    locations: Sequence[UUID]
    lists: Mapping[str, UUID]
    regions: Mapping[str, UUID]
    channel: UUID
    other_channel: UUID


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

    def chance(self, share: float) -> bool:
        return self.random.random() < share


def maker(seed: int, number: int) -> Maker:
    return Maker(Random(f"counterfoil/{seed}/{number}"), number)  # noqa: S311 - not a secret


def prefix(seed: int) -> str:
    return f"seed-{seed}-"


def handle(seed: int, number: int) -> str:
    """Of one width, so that the largest handle is that of the last product."""
    return f"{prefix(seed)}{number:07d}"


def is_seen(number: int) -> bool:
    """Whether shoppers find the product in the default channel. Of two hundred seven are drafts or archived, are in
    another channel alone, or are past their window or before it.
    """
    return _standing(number) == (PUBLISHED, None) and not _is_elsewhere(number) and _window(number) == (None, None)


_SHAPES: Final = tuple(SHAPES)
_SHAPE_BOUNDS: Final = tuple(accumulate(SHAPES.values()))
_KIND, _TAG, _VENDOR, _NAME, _COLLECTION = (
    Zipf(count) for count in (len(words.KINDS), len(words.TAGS), len(words.VENDORS), len(words.NAMES), BY_HAND)
)
PUBLISHED: Final = ProductStatus.PUBLISHED
_OVER: Final = EPOCH + timedelta(days=1)
_FAR: Final = datetime(2098, 1, 1, tzinfo=UTC)
_PER_DEPARTMENT: Final = len(words.KINDS) // len(words.DEPARTMENTS)
REDUCED: Final = "seed-reduced"
_OF_PAPER: Final = 2
"""The department whose goods are taxed less."""


def product_rows(seed: int, number: int, places: Places) -> Iterator[Row]:
    """A product with all that belongs to it."""
    make = maker(seed, number)
    draw = make.random
    product_id, name = make.id(), handle(seed, number)
    kind, style, material = _KIND.draw(draw), draw.choice(words.STYLES), draw.choice(words.MATERIALS)
    spoken = (style, material, words.KINDS[kind])
    brand = words.NAMES[_NAME.draw(draw)]
    title = f"{brand} {' '.join(word.text.lower() for word in spoken)}"
    status, archived_at = _standing(number)
    tags = sorted({words.TAGS[_TAG.draw(draw)] for _ in range(draw.randrange(6))})
    made = EPOCH + number * APART
    yield Product, (
        product_id, name, title, f"From the {brand} series" if make.chance(0.5) else None,
        words.description(title, draw), status, archived_at, words.VENDORS[_VENDOR.draw(draw)],
        words.KINDS[kind].text.capitalize(), tags,
        title if make.chance(0.3) else None, f"Buy {title}." if make.chance(0.3) else None,
        f"ERP-{seed}-{number}", material.text, draw.choice(("DE", "FR", "PT", "JP", "US")), draw.randrange(20, 5_000),
        REDUCED if kind // _PER_DEPARTMENT == _OF_PAPER else None,
        _translations(make, brand, spoken), {"season": draw.choice(("spring", "autumn"))} if make.chance(0.2) else {},
        made, made + timedelta(hours=draw.randrange(24)),
    )  # fmt: skip
    yield from _published(number, product_id, places)
    media = [make.id() for _ in range(draw.randrange(1, 5))]
    for rank, media_id in enumerate(media, 1):
        yield Media, (media_id, product_id, f"{IMAGES}/{name}-{rank}.jpg", f"{title}, picture {rank}", rank)
    yield from _grouped(make, product_id, kind, places)
    yield from _variant_rows(make, product_id, name, media, places)


def _standing(number: int) -> tuple[str, datetime | None]:
    status = ProductStatus.DRAFT if number % 100 == 11 else ProductStatus.PROPOSED if number % 400 == 13 else PUBLISHED
    return status, EPOCH + number * APART + timedelta(days=30) if number % 100 == 17 else None


def _is_elsewhere(number: int) -> bool:
    return number % 200 == 29


def _window(number: int) -> tuple[datetime | None, datetime | None]:
    return (_FAR if number % 400 == 37 else None), (_OVER if number % 200 == 33 else None)


def _published(number: int, product_id: UUID, places: Places) -> Iterator[Row]:
    if _is_elsewhere(number) or number % 20 == 6:
        yield ProductChannel, (places.other_channel, product_id, None, None)
    if not _is_elsewhere(number):
        yield ProductChannel, (places.channel, product_id, *_window(number))


def _translations(make: Maker, brand: str, spoken: Sequence[Word]) -> dict[str, dict[str, str]]:
    """Three of ten are told in German, two of these in French too."""
    drawn = make.random.random()
    told: dict[str, dict[str, str]] = {}
    for place, (locale, share) in enumerate(zip(words.LOCALES, (0.3, 0.2), strict=True)):
        if drawn < share:
            title = f"{brand} {' '.join(word.told[place] for word in spoken)}"
            told[locale] = {"title": title, "description": f"<p>{title}.</p>"}
    return told


def _grouped(make: Maker, product_id: UUID, kind: int, places: Places) -> Iterator[Row]:
    """In one or two categories, and in up to two collections."""
    draw = make.random
    per_kind = len(words.USES)
    leaves = {kind * per_kind + draw.randrange(per_kind)}
    if make.chance(0.2):
        leaves.add(_KIND.draw(draw) * per_kind)
    for leaf in sorted(leaves):
        yield ProductCategory, (product_id, places.categories[leaf])
    for place in sorted({_COLLECTION.draw(draw) for _ in range(draw.choice((0, 0, 1, 2)))}):
        yield ProductCollection, (product_id, places.collections[place], of_number(make.number))


def _option_rows(make: Maker, product_id: UUID, media: Sequence[UUID]) -> Iterator[tuple[Row, tuple[Any, ...] | None]]:
    """Rows of options and values, and with each value (place of the option, option's id, its own id, name)."""
    draw = make.random
    shape = draw.choices(_SHAPES, cum_weights=_SHAPE_BOUNDS)[0]
    known = list(words.OPTIONS)
    chosen = draw.sample(known[:2], 1) if len(shape) == 1 else known[: len(shape)]
    told = make.chance(0.3)
    for place, (option, count) in enumerate(zip(chosen, shape, strict=True)):
        option_id, listed = make.id(), words.OPTIONS[option]
        yield (ProductOption, (option_id, product_id, option.text, place + 1, _named(option, told))), None
        drawn = sorted(draw.sample(range(len(listed)), min(count, len(listed))))
        pictured = option.text == "Colour" and make.chance(0.1)
        for rank, index in enumerate(drawn):
            value, value_id = listed[index], make.id()
            swatch = (None, media[rank % len(media)], product_id) if pictured else (value.hue, None, None)
            row = (value_id, option_id, value.text, rank + 1, *swatch, _named(value, told))
            yield (OptionValue, row), (place, option_id, value_id, value.text)


def _named(word: Word, told: bool) -> dict[str, dict[str, str]]:
    return {locale: {"name": text} for locale, text in zip(words.LOCALES, word.told, strict=True)} if told else {}


def _variant_rows(make: Maker, product_id: UUID, name: str, media: list[UUID], places: Places) -> Iterator[Row]:
    """One for each combination; of every tenth product some are not made."""
    draw = make.random
    options: dict[int, list[tuple[Any, ...]]] = {}
    for row, value in _option_rows(make, product_id, media):
        yield row
        if value is not None:
            options.setdefault(value[0], []).append(value)
    matrix = list(pairs(*options.values()))
    if make.number % 10 == 4:
        matrix = matrix[: max(len(matrix) * 3 // 4, 1)]
    base = draw.randrange(2, 120) * 100 - draw.choice((1, 5, 50))
    offer = _Offer.drawn(make)
    for rank, chosen in enumerate(matrix, 1):
        variant_id, sku = make.id(), f"{name}-{rank}".upper()
        combination = sorted(value_id for *_, value_id, _ in chosen)
        picture = media[rank % len(media)] if make.number % 2 else None
        counted, owed = make.number % 25 != 8, make.number % 30 == 14
        yield Variant, (
            variant_id, product_id, " / ".join(value for *_, value in chosen), sku, f"4{make.number:08d}{rank:03d}",
            f"{sku}/erp" if make.number % 2 else None, rank, combination, 40 * rank, counted, owed, picture,
        )  # fmt: skip
        for _, option_id, value_id, _ in chosen:
            yield VariantOptionValue, (variant_id, option_id, product_id, value_id)
        yield from _price_rows(make, variant_id, base + 50 * rank, offer, places)
        yield from _stock_rows(make, variant_id, sku, places, owed)


@dataclass(frozen=True)
class _Offer:
    """How a product is sold: by tiers, crossed out, in which sale, cheaper for a group, otherwise in one region."""

    tiers: bool
    crossed_out: bool
    sale: str | None
    wholesale: bool
    regional: bool

    @classmethod
    def drawn(cls, make: Maker) -> "_Offer":
        sale = make.random.choice(SALES) if make.chance(0.2) else None
        return cls(make.chance(0.2), make.chance(0.2), sale, make.chance(0.15), make.chance(0.03))


def _price_rows(make: Maker, variant_id: UUID, cents: int, offer: _Offer, places: Places) -> Iterator[Row]:
    """Base prices in each currency, from ten and from a hundred on cheaper; and those of price lists."""
    for currency, factor in CURRENCIES.items():
        amount = cents * factor // 100
        compared = amount * 5 // 4 if offer.crossed_out else None
        yield Price, (make.id(), variant_id, currency, None, None, 1, amount, compared)
        for quantity, part in ((10, 90), (100, 80)) if offer.tiers else ():
            yield Price, (make.id(), variant_id, currency, None, None, quantity, amount * part // 100, None)
        if offer.sale is not None:
            yield Price, (make.id(), variant_id, currency, None, places.lists[offer.sale], 1, amount * 85 // 100, None)
    wholesale = places.lists["wholesale"]
    for quantity, part in ((1, 80), (50, 70)) if offer.wholesale else ():
        yield Price, (make.id(), variant_id, "EUR", None, wholesale, quantity, cents * part // 100, None)
    if offer.regional:
        yield Price, (make.id(), variant_id, "USD", places.regions["us"], None, 1, cents * 120 // 100, None)


def _stock_rows(make: Maker, variant_id: UUID, sku: str, places: Places, owed: bool) -> Iterator[Row]:
    """One variant in twelve is sold out; what lies in a place is the sum of its movements. Some are sold by the six."""
    item_id, sold_out = make.id(), make.chance(1 / 12)
    yield StockItem, (item_id, sku)
    yield VariantStockItem, (variant_id, item_id, 6 if make.number % 50 == 21 else 1)
    for location_id in places.locations:
        level_id, on_hand = make.id(), 0 if sold_out else make.random.randrange(50, 5_000)
        yield StockLevel, (level_id, item_id, location_id, on_hand, 100 if owed else 0)
        if on_hand:
            yield StockMovement, (level_id, on_hand, "import")
