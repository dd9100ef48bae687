"""Where the products of a file stand, all at once: categories, collections, channels, former handles. And their prices
besides those that Shopify has columns for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from domain.price import PriceDraft, set_prices
from domain.refusal import Gathering
from domain.shopify import ProductSheet
from domain.shopify_shop import Places


@dataclass(frozen=True)
class Written:
    """A product of the file with its ids in the shop."""

    sheet: ProductSheet
    product_id: UUID
    variant_ids: Sequence[UUID]


def check(sheets: Sequence[ProductSheet], places: Places) -> None:
    """Refuses what names something that there is not, by the product's place among the sheets and the column."""
    gathering = Gathering()
    for i, sheet in enumerate(sheets):
        place = sheet.place
        for kind, named in (
            ("category", place.categories),
            ("collection", place.collections),
            ("channel", place.channels),
        ):
            for name in named or ():
                with gathering.at(str(i), f"product.{'categories' if kind == 'category' else kind + 's'}"):
                    places.id(kind, name)
        more = sheet.draft.more
        if (code := more.get("tax_class_code")) is not None:
            with gathering.at(str(i), "product.tax_class_code"):
                places.id("tax_class", code)
        if (code := more.get("workflow_code")) is not None:
            with gathering.at(str(i), "product.workflow_code"):
                places.workflow(code)
        for j, offer in enumerate(sheet.offers):
            with gathering.at(str(i), "variants", str(j), "variant.prices"):
                for price in offer.further or ():
                    _ = price.region is None or places.id("region", price.region)
                    _ = price.price_list is None or places.id("price_list", price.price_list)
            with gathering.at(str(i), "variants", str(j), "variant.stock"):
                for level in offer.stock or ():
                    places.id("location", level.location)
    gathering.raise_if_any()


async def set_places(tx: Tx, written: Sequence[Written], places: Places) -> set[UUID]:
    """The ids of the products that it changed."""
    created = [
        {"id": w.product_id, "created_at": w.sheet.place.created_at} for w in written if w.sheet.place.created_at
    ]
    former = [
        {"id": w.product_id, "handle": handle, "at": at}
        for w in written
        for handle, at in w.sheet.place.former_handles.items()
    ]
    changed = [
        *(await tx.records(_CREATED, rows=created) if created else ()),
        *(await tx.records(_FORMER, rows=former) if former else ()),
        *await _set_members(tx, _CATEGORIES, _in_categories(written, places)),
        *await _set_members(tx, _COLLECTIONS, _in_collections(written, places)),
        *await _set_members(tx, _CHANNELS, _in_channels(written, places)),
    ]
    return {row.id for row in changed}


Members = tuple[list[UUID], list[dict[str, Any]]]
"""Products of which it is said where they are, and in what each of them is."""


async def _set_members(tx: Tx, statements: Sequence[Any], members: Members) -> list[Any]:
    products, rows = members
    if not products:
        return []
    return [row for statement in statements for row in await tx.records(statement, products=products, rows=rows)]


def _in_categories(written: Iterable[Written], places: Places) -> Members:
    told = [(w.product_id, w.sheet.place.categories) for w in written if w.sheet.place.categories is not None]
    rows = [{"product": key, "of": places.id("category", name)} for key, names in told for name in dict.fromkeys(names)]
    return [key for key, _ in told], rows


def _in_collections(written: Iterable[Written], places: Places) -> Members:
    told = [(w.product_id, w.sheet.place.collections) for w in written if w.sheet.place.collections is not None]
    rows = [
        {"product": key, "of": collection, "rank": rank}
        for key, ranks in told
        for name, rank in ranks.items()
        if (collection := places.id("collection", name)) not in places.by_rule
    ]
    return [key for key, _ in told], rows


def _in_channels(written: Iterable[Written], places: Places) -> Members:
    """An empty cell means the default channel, without a window."""
    told = [(w.product_id, w.sheet.place.channels) for w in written if "product.channels" in w.sheet.sheet.own]
    rows: list[dict[str, Any]] = []
    for key, windows in told:
        if windows is None:
            rows.append({"product": key, "of": places.default_channel, "from": None, "until": None})
        for code, (start, end) in (windows or {}).items():
            rows.append({"product": key, "of": places.id("channel", code), "from": start, "until": end})
    return [key for key, _ in told], rows


async def set_further_prices(
    tx: Tx, written: Sequence[Written], places: Places, others: Sequence[PriceDraft]
) -> list[UUID]:
    """Writes them, and takes away what neither they nor the `others` name; the ids of variants that it changed."""
    told = [
        (variant, offer.further)
        for w in written
        for variant, offer in zip(w.variant_ids, w.sheet.offers, strict=True)
        if offer.further is not None
    ]
    if not told:
        return []
    drafts = [
        PriceDraft(
            variant,
            cell.currency,
            cell.minor,
            cell.compare_at,
            None if cell.region is None else places.id("region", cell.region),
            cell.min_quantity,
            None if cell.price_list is None else places.id("price_list", cell.price_list),
        )
        for variant, cells in told
        for cell in cells
    ]
    changed = await set_prices(tx, drafts)
    kept = [draft.row for draft in (*drafts, *others)]
    gone = await tx.records(_OTHER_PRICES, variants=[variant for variant, _ in told], rows=kept)
    return [*changed, *(row.variant_id for row in gone)]


_CREATED: Final = text(
    """
    UPDATE product SET created_at = given.created_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (id uuid, created_at timestamptz)
    WHERE product.id = given.id AND product.created_at <> given.created_at RETURNING product.id
    """
)
_FORMER: Final = text(
    """
    INSERT INTO handle_history (kind, handle, entity_id, given_up_at)
    SELECT 'product', handle, id, at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (id uuid, handle text, at timestamptz)
    ON CONFLICT DO NOTHING RETURNING entity_id AS id
    """
)
_CATEGORIES: Final = (
    text(
        """
        DELETE FROM product_category AS there WHERE product_id = ANY(:products) AND NOT EXISTS (
            SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (product uuid, "of" uuid)
            WHERE product = product_id AND "of" = category_id)
        RETURNING product_id AS id
        """
    ),
    text(
        """
        INSERT INTO product_category (product_id, category_id)
        SELECT product, "of" FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (product uuid, "of" uuid)
        WHERE product = ANY(:products)
        ON CONFLICT DO NOTHING RETURNING product_id AS id
        """
    ),
)
# Another product that has a rank which is given anew steps right behind it; its own row says later where it is to be.
_COLLECTIONS: Final = (
    text(
        """
        DELETE FROM product_collection AS there
        WHERE product_id = ANY(:products) AND NOT by_rule AND NOT EXISTS (
            SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (product uuid, "of" uuid)
            WHERE product = product_id AND "of" = collection_id)
        RETURNING product_id AS id
        """
    ),
    text(
        """
        UPDATE product_collection AS there
        SET rank = there.rank || 'V' || replace(CAST(there.product_id AS text), '-', '') || 'V'
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (product uuid, "of" uuid, rank text)
        WHERE there.collection_id = given."of" AND there.rank = given.rank AND there.product_id <> given.product
          AND given.product = ANY(:products)
        RETURNING there.product_id AS id
        """
    ),
    text(
        """
        INSERT INTO product_collection (product_id, collection_id, rank)
        SELECT product, "of", rank
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (product uuid, "of" uuid, rank text)
        WHERE product = ANY(:products)
        ON CONFLICT (product_id, collection_id) DO UPDATE SET rank = excluded.rank
        WHERE product_collection.rank IS DISTINCT FROM excluded.rank
        RETURNING product_id AS id
        """
    ),
)
_CHANNELS: Final = (
    text(
        """
        DELETE FROM product_channel AS there WHERE product_id = ANY(:products) AND NOT EXISTS (
            SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (product uuid, "of" uuid)
            WHERE product = product_id AND "of" = channel_id)
        RETURNING product_id AS id
        """
    ),
    text(
        """
        INSERT INTO product_channel (product_id, channel_id, published_from, published_until)
        SELECT product, "of", "from", until
        FROM jsonb_to_recordset(CAST(:rows AS jsonb))
            AS given (product uuid, "of" uuid, "from" timestamptz, until timestamptz)
        WHERE product = ANY(:products)
        ON CONFLICT (channel_id, product_id) DO UPDATE
        SET published_from = excluded.published_from, published_until = excluded.published_until
        WHERE (product_channel.published_from, product_channel.published_until)
            IS DISTINCT FROM (excluded.published_from, excluded.published_until)
        RETURNING product_id AS id
        """
    ),
)
_OTHER_PRICES: Final = text(
    """
    DELETE FROM price WHERE variant_id = ANY(:variants) AND NOT EXISTS (
        SELECT FROM jsonb_populate_recordset(CAST(NULL AS price), CAST(:rows AS jsonb)) AS given
        WHERE given.variant_id = price.variant_id AND given.currency = price.currency
          AND given.price_list_id IS NOT DISTINCT FROM price.price_list_id
          AND given.region_id IS NOT DISTINCT FROM price.region_id AND given.min_quantity = price.min_quantity)
    RETURNING variant_id
    """
)
