"""What is sold in the world of the matrix besides: what carts have none of may be as special as it likes."""

from datetime import UTC, datetime, timedelta
from typing import Final

from db.catalog import ProductStatus
from domain.price import PriceDraft
from domain.processes.refresh_listing import refresh_listing
from domain.processes.shop import Shop
from domain.product import MediaDraft, ProductDraft, VariantDraft
from domain.region import RegionDraft, upsert_region
from resolvers import ids
from tests import carts, given, taxonomy
from tests.pricing import price_list, region

LATER: Final = datetime(2120, 1, 1, tzinfo=UTC)
PICTURE: Final = "https://img.example/poster.jpg"
POSTER: Final = ProductDraft(
    handle="poster",
    title="Poster",
    status=ProductStatus.PUBLISHED,
    options=("Motif",),
    variants=(VariantDraft(values=("Fish",), sku="POSTER-FISH", manage_stock=False),),
    media=(MediaDraft(PICTURE, "A fish"),),
)
DESCRIBED: Final = (
    """
    UPDATE product SET subtitle = 'Of fish', external_id = 'erp-1', origin_country = 'NL', hs_code = '491110',
        material = 'Paper', weight_grams = 90, length_mm = 700, width_mm = 500, height_mm = 1,
        tax_class_code = 'reduced', metadata = '{"season": "spring"}' WHERE handle = 'poster'
    """,
    """
    UPDATE variant SET ean = '4006381333931', upc = '036000291452', external_id = 'erp-2', length_mm = 700,
        width_mm = 500, height_mm = 1 WHERE sku = 'POSTER-FISH'
    """,
    """
    UPDATE option_value SET swatch_media_id = media.id, swatch_product_id = media.product_id
    FROM media WHERE media.url = 'https://img.example/poster.jpg' AND option_value.name = 'Fish'
    """,
    """
    UPDATE category SET external_id = 'erp-3', image_url = 'https://img.example/print.jpg', image_alt = 'Printing'
    """,
    """
    WITH picture AS (
        INSERT INTO file (id, purpose, name, size, sha256, state, content_type, created_by_kind, upload_until,
                          attached_at)
        VALUES (gen_random_uuid(), 'category_picture', 'print.jpg', 100, repeat('0', 64), 'ready', 'image/jpeg',
                'staff', now(), now()) RETURNING id)
    UPDATE category SET image_file_id = picture.id FROM picture WHERE handle = 'print'
    """,
    """
    UPDATE collection SET external_id = 'erp-4', image_url = 'https://img.example/new.jpg', image_alt = 'New things'
    """,
    """UPDATE region SET translations = '{"de": {"name": "Europa"}}' WHERE code = 'eu'""",
    "UPDATE region SET external_id = 'erp-5', payment_providers = '{manual}' WHERE code = 'jp'",
    "UPDATE region SET archived_at = now() WHERE code = 'old'",
    "UPDATE product SET archived_at = now() WHERE handle = 'flag'",
    "UPDATE collection_channel SET published_from = now() - interval '1 day', published_until = '2120-01-01'",
    "UPDATE delivery_option SET tax_class_code = 'reduced' WHERE code = 'pigeon'",
)


async def goods(shop: Shop, category: str) -> None:
    """A poster that is on sale and of which everything is known, and a flag and a region that are no more."""
    flag = ProductDraft(handle="flag", title="Flag", options=("Title",), variants=(VariantDraft(values=("Flag",)),))
    poster, _ = await given.products(shop, POSTER, flag)
    async with shop.tx() as tx:
        await upsert_region(tx, RegionDraft("old", "The old world", "EUR", True))
    for statement in DESCRIBED:
        await carts.execute(shop, statement)
    posters = await taxonomy.made_category(shop, "Posters", ids.decode("Category", category), poster)
    above = "UPDATE category SET external_id = 'erp-6' WHERE id = :id"
    await carts.execute(shop, above, id=posters)
    await _on_sale(shop, poster)
    await refresh_listing(shop)


async def _on_sale(shop: Shop, poster: given.Sold) -> None:
    (key,) = poster.keys
    month = "UPDATE price SET valid_from = now() - interval '40 days' WHERE variant_id = :variant"
    await given.prices(shop, PriceDraft(key, "EUR", 2000), PriceDraft(key, "USD", 2100))
    await given.prices(shop, PriceDraft(key, "EUR", 1900, region_id=await region(shop, "eu")))
    await carts.execute(shop, month, variant=key)
    since = datetime.now(UTC) - timedelta(days=1)
    window = {"starts_at": since, "ends_at": LATER, "external_id": "erp-7"}
    await price_list(shop, "sale", PriceDraft(key, "EUR", 1500), **window)
