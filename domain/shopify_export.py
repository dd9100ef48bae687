"""Products as rows of a CSV as Shopify writes it, with columns of our own for what that has no place for.

Read and written a handful of products at a time, so that the memory does not grow with the catalogue.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from db.catalog import ProductStatus
from db.connection import Read
from domain.money import money
from domain.option import made_translations
from domain.shopify_columns import COLUMNS, OWN, Cell, escaped, own_label
from domain.shopify_own import DETAILS, NO_WORKFLOW, VARIANT
from domain.variant import JOINED

OPTIONS: Final = 3
"""For which Shopify has columns."""


@dataclass(frozen=True)
class Layout:
    """The columns of one file. `markets`: regions with prices of their own columns, by id (code, name, currency)."""

    currency: str
    location: str | None
    markets: Mapping[Any, tuple[str, str, str]]

    @property
    def header(self) -> list[str]:
        markets = [f"{kind} / {name}" for _, name, _ in self.markets.values() for kind in ("Price", "Compare At Price")]
        shopify = [names[0] for key, names in COLUMNS.items() if key != "gift_card"]
        return [*shopify, *markets, *map(own_label, OWN)]

    @property
    def keys(self) -> list[str]:
        markets = [f"{kind} {key}" for key in self.markets for kind in ("price", "compare_at")]
        return [*(key for key in COLUMNS if key != "gift_card"), *markets, *OWN]

    def line(self, cells: Mapping[str, Any]) -> list[str]:
        return [_cell(key, cells.get(key)) for key in self.keys]


def _cell(key: str, value: Any) -> str:
    if value is None:
        return ""
    if key in OWN and OWN[key][1] == Cell.JSON:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return escaped(value) if isinstance(value, str) else str(value)


@dataclass
class Batch:
    """What there is of some products; lists are by the id of what they belong to."""

    products: list[Any]
    media: dict[UUID, list[Any]] = field(default_factory=lambda: defaultdict(list))
    options: dict[UUID, list[Any]] = field(default_factory=lambda: defaultdict(list))
    values: dict[UUID, list[Any]] = field(default_factory=lambda: defaultdict(list))
    variants: dict[UUID, list[Any]] = field(default_factory=lambda: defaultdict(list))
    prices: dict[UUID, list[Any]] = field(default_factory=lambda: defaultdict(list))
    levels: dict[UUID, list[Any]] = field(default_factory=lambda: defaultdict(list))
    bundles: int = 0
    """Variants whose stock is that of other things: a file cannot say so."""


async def read_batch(read: Read, after: UUID | None) -> Batch:
    """The next products after this id: as many as have some two thousand variants, and at least one."""
    ids = [row.id for row in await read.records(_NEXT, after=after)]
    batch = Batch(await read.records(_PRODUCTS, products=ids))
    for name, key, statement in (
        ("media", "product_id", _MEDIA),
        ("options", "product_id", _OPTIONS),
        ("values", "option_id", _VALUES),
        ("variants", "product_id", _VARIANTS),
        ("prices", "variant_id", _PRICES),
        ("levels", "variant_id", _LEVELS),
    ):
        grouped = getattr(batch, name)
        for row in await read.records(statement, products=ids) if ids else ():
            grouped[row[key]].append(row)
    for rows in await read.records(_BUNDLES, products=ids) if ids else ():
        batch.bundles = rows.count
    return batch


def rows_of(batch: Batch, layout: Layout, lists: Mapping[UUID, str], codes: Mapping[UUID, str]) -> Iterator[list[str]]:
    """The lines of the products. `lists` are the names of price lists, `codes` those of regions."""
    for product in batch.products:
        variants, media = batch.variants[product.id], batch.media[product.id]
        options = [(option, batch.values[option.id]) for option in batch.options[product.id]]
        urls = {picture.id: picture.url for picture in media}
        for i in range(max(1, len(variants), len(media))):
            cells: dict[str, Any] = {"handle": product.handle}
            if i == 0:
                cells |= _product(product, options, variants, urls)
            if i < len(variants):
                cells |= _variant(variants[i], options, urls)
                cells |= _prices(batch.prices[variants[i].id], layout, lists, codes)
                cells |= _stock(batch.levels[variants[i].id], layout)
            if i < len(media):
                cells |= {"media": media[i].url, "image_position": i + 1, "image_alt": media[i].alt}
            yield layout.line(cells)


Options = Sequence[tuple[Any, Sequence[Any]]]
"""Options of a product with their values, in their order."""


def _product(product: Any, options: Options, variants: Sequence[Any], urls: Mapping[UUID, str]) -> dict[str, Any]:
    status = ProductStatus(product.status)
    archived = product.archived_at is not None
    published = status == ProductStatus.PUBLISHED
    cells: dict[str, Any] = {
        name: product[name] for name in ("title", "description", "vendor", "type", "seo_title", "seo_description")
    }
    cells |= {f"option{n}_name": option.name for n, (option, _) in enumerate(options[:OPTIONS], 1)}
    cells |= {
        "tags": ", ".join(product.tags),
        "published": published,
        "status": "archived" if archived else "active" if published else "draft",
        "product.status": status.value if archived or status not in _SHOPIFYS else None,
        "product.archived_at": product.archived_at and product.archived_at.isoformat(),
        "product.created_at": product.created_at.isoformat(),
        "product.options": _options(options, variants, urls),
        "product.categories": product.categories,
        "product.collections": product.collections,
        "product.channels": product.channels,
        "product.former_handles": product.former_handles,
        "product.translations": product.translations or None,
    }
    if any("," in tag or tag != tag.strip() or not tag for tag in product.tags):
        cells["product.tags"] = product.tags
    cells |= {f"product.{name}": product[name] for name, default in DETAILS.items() if product[name] != default}
    if product.workflow_code is None:
        cells["product.workflow_code"] = NO_WORKFLOW
    return cells


_SHOPIFYS: Final = frozenset({ProductStatus.DRAFT, ProductStatus.PUBLISHED})


def _options(options: Options, variants: Sequence[Any], urls: Mapping[UUID, str]) -> list[dict[str, Any]] | None:
    """None where the columns of options and values tell all that there is."""
    told = [
        {
            "name": option.name,
            **({"translations": option.translations} if option.translations else {}),
            "values": [_value(value, urls) for value in values],
        }
        for option, values in options
    ]
    names = {value.id: value.name for _, values in options for value in values}
    plain = len(options) <= OPTIONS and all(
        part.keys() == {"name", "values"} and part["values"] == [{"name": name} for name in used]
        for part, used in zip(told, _used(options, variants, names), strict=True)
    )
    return None if plain else told


def _used(options: Options, variants: Sequence[Any], names: Mapping[UUID, str]) -> Iterator[list[str]]:
    """Values in the order in which variants name them."""
    for _, values in options:
        there = {value.id for value in values}
        yield list(dict.fromkeys(names[key] for variant in variants for key in variant.combination if key in there))


def _value(value: Any, urls: Mapping[UUID, str]) -> dict[str, Any]:
    told = {"name": value.name, "translations": value.translations, "color": value.swatch_color}
    told["image"] = urls.get(value.swatch_media_id)
    return {name: part for name, part in told.items() if part}


def _variant(variant: Any, options: Options, urls: Mapping[UUID, str]) -> dict[str, Any]:
    combination = set(variant.combination)
    chosen = [next(value for value in values if value.id in combination) for _, values in options]
    names = [value.name for value in chosen]
    cells: dict[str, Any] = {f"option{n}_value": name for n, name in enumerate(names[:OPTIONS], 1)}
    cells |= {
        "sku": variant.sku,
        "barcode": variant.barcode,
        "weight_grams": variant.weight_grams,
        "weight_unit": variant.weight_unit,
        "tracker": "shopify" if variant.manage_stock else None,
        "allow_backorder": "continue" if variant.allow_backorder else "deny",
        "requires_shipping": variant.requires_shipping,
        "taxable": variant.taxable,
        "media_id": urls.get(variant.media_id),
        "variant.option_values": names[OPTIONS:] or None,
        "variant.title": None if variant.title == JOINED.join(names) else variant.title,
    }
    if variant.translations != made_translations(chosen):
        cells["variant.translations"] = variant.translations
    if (rule := (variant.quantity_min, variant.quantity_max, variant.quantity_step)) != (1, None, 1):
        cells["variant.quantity_rule"] = dict(zip(("minimum", "maximum", "increment"), rule, strict=True))
    return cells | {f"variant.{name}": variant[name] for name, default in VARIANT.items() if variant[name] != default}


def _prices(
    prices: Sequence[Any], layout: Layout, lists: Mapping[Any, str], codes: Mapping[Any, str]
) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    further: list[dict[str, Any]] = []
    for price in prices:
        amount = str(money(price.amount, price.currency).amount)
        was = None if price.compare_at is None else str(money(price.compare_at, price.currency).amount)
        base = price.price_list_id is None and price.min_quantity == 1 and price.compare_at != 0
        if base and price.region_id is None and price.currency == layout.currency:
            cells |= {"price": amount, "compare_at": was}
        elif base and price.region_id in layout.markets and price.currency == layout.markets[price.region_id][2]:
            cells |= {f"price {price.region_id}": amount, f"compare_at {price.region_id}": was}
        else:
            told = {"currency": price.currency, "amount": amount, "compareAt": was}
            told |= {"region": codes.get(price.region_id), "list": lists.get(price.price_list_id)}
            told |= {"from": price.min_quantity if price.min_quantity > 1 else None}
            further.append({name: value for name, value in told.items() if value is not None})
    return cells | ({"variant.prices": further} if further else {})


def _stock(levels: Sequence[Any], layout: Layout) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    told: dict[str, dict[str, int]] = {}
    for level in levels:
        if level.code == layout.location:
            cells["quantity"] = level.on_hand
            told[level.code] = {"backorder": level.backorder_limit}
        else:
            told[level.code] = {"onHand": level.on_hand, "backorder": level.backorder_limit}
    return cells | ({"variant.stock": told} if told else {})


_NEXT: Final = text(
    """
    SELECT id FROM (
        SELECT p.id, sum(v.count) OVER (ORDER BY p.id) - v.count AS before
        FROM (SELECT id FROM product WHERE CAST(:after AS uuid) IS NULL OR id > :after ORDER BY id LIMIT 200) AS p
        CROSS JOIN LATERAL (SELECT count(*) AS count FROM variant WHERE product_id = p.id AND archived_at IS NULL) AS v
    ) AS counted WHERE before < 2000 ORDER BY id
    """
)
_PRODUCTS: Final = text(
    """
    SELECT p.*,
        (SELECT jsonb_agg(c.handle ORDER BY c.handle) FROM product_category AS m JOIN category AS c
            ON c.id = m.category_id WHERE m.product_id = p.id) AS categories,
        (SELECT jsonb_object_agg(c.handle, m.rank) FROM product_collection AS m JOIN collection AS c
            ON c.id = m.collection_id WHERE m.product_id = p.id AND NOT m.by_rule) AS collections,
        (SELECT jsonb_object_agg(handle, given_up_at) FROM handle_history
            WHERE kind = 'product' AND entity_id = p.id) AS former_handles,
        (SELECT CASE WHEN count(*) = 1 AND bool_and(c.is_default AND m.published_from IS NULL
                AND m.published_until IS NULL) THEN NULL
            ELSE coalesce(jsonb_object_agg(c.code, jsonb_strip_nulls(jsonb_build_object(
                'from', m.published_from, 'until', m.published_until))) FILTER (WHERE c.code IS NOT NULL), '{}') END
            FROM product_channel AS m JOIN channel AS c ON c.id = m.channel_id WHERE m.product_id = p.id) AS channels
    FROM product AS p WHERE p.id = ANY(:products) ORDER BY p.id
    """
)
_MEDIA: Final = text("SELECT * FROM media WHERE product_id = ANY(:products) ORDER BY product_id, rank, id")
_OPTIONS: Final = text("SELECT * FROM product_option WHERE product_id = ANY(:products) ORDER BY product_id, rank, id")
_VALUES: Final = text(
    """
    SELECT v.* FROM option_value AS v JOIN product_option AS o ON o.id = v.option_id
    WHERE o.product_id = ANY(:products) ORDER BY o.id, v.rank, v.id
    """
)
_VARIANTS: Final = text(
    """
    SELECT v.* FROM variant AS v JOIN product AS p
        ON p.id = v.product_id AND v.archived_at IS NOT DISTINCT FROM p.archived_at
    WHERE p.id = ANY(:products) ORDER BY p.id, v.rank, v.id
    """
)
_PRICES: Final = text(
    """
    SELECT price.* FROM price JOIN variant AS v ON v.id = price.variant_id
    LEFT JOIN region AS r ON r.id = price.region_id LEFT JOIN price_list AS l ON l.id = price.price_list_id
    WHERE v.product_id = ANY(:products)
    ORDER BY price.variant_id, l.id NULLS FIRST, currency, r.code NULLS FIRST, min_quantity
    """
)
_LEVELS: Final = text(
    """
    SELECT link.variant_id, place.code, level.on_hand, level.backorder_limit
    FROM (
        SELECT variant_id, (array_agg(stock_item_id))[1] AS item FROM variant_stock_item
        JOIN variant AS v ON v.id = variant_id WHERE v.product_id = ANY(:products)
        GROUP BY variant_id HAVING count(*) = 1 AND min(quantity) = 1
    ) AS link
    JOIN stock_item ON stock_item.id = link.item AND stock_item.sku IS NULL
    JOIN stock_level AS level ON level.stock_item_id = link.item
    JOIN stock_location AS place ON place.id = level.location_id
    WHERE NOT EXISTS (SELECT FROM variant_stock_item AS o WHERE o.stock_item_id = link.item
        AND o.variant_id <> link.variant_id)
    ORDER BY link.variant_id, place.code
    """
)
_BUNDLES: Final = text(
    """
    SELECT count(DISTINCT v.id) AS count FROM variant AS v JOIN product AS p
        ON p.id = v.product_id AND v.archived_at IS NOT DISTINCT FROM p.archived_at
    JOIN variant_stock_item AS link ON link.variant_id = v.id
    JOIN stock_item AS item ON item.id = link.stock_item_id
    WHERE p.id = ANY(:products) AND (
        link.quantity > 1 OR item.sku IS NOT NULL
        OR EXISTS (SELECT FROM variant_stock_item AS o WHERE o.variant_id = v.id AND o.stock_item_id <> item.id)
        OR EXISTS (SELECT FROM variant_stock_item AS o WHERE o.stock_item_id = item.id AND o.variant_id <> v.id))
    """
)
