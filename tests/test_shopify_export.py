"""What a shop has can be taken out as a product file and brought into another: nothing is lost on the way."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import text

from db.connection import connect
from domain.durable import by_event
from domain.processes.export_shopify import export_shopify
from domain.processes.import_shopify import ImportOptions, ImportReport, import_shopify
from domain.processes.load_demo import load_demo
from domain.processes.refresh_collections import refresh_collections
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.manual_payment import ManualPayment
from tests import given
from tests.conftest import copy_of
from tests.test_load_demo import DEMO
from tests.test_shopify_import import changed_tables, counts, everything, real, run, told
from tests.test_shopify_rows import row, shirt, write

# Rows of every table that a catalogue consists of, with names in place of ids. Not in it: versions, times of changes,
# what orders promise, and ranks as numbers where only their order says something.
CATALOGUE = {
    "product": """SELECT to_jsonb(p) - '{id,version,updated_at}'::text[] FROM product p""",
    "order of products": "SELECT to_jsonb(array_agg(handle ORDER BY id)) FROM product",
    "media": """SELECT jsonb_build_array(p.handle, m.url, m.alt,
        row_number() OVER (PARTITION BY p.id ORDER BY m.rank, m.id))
        FROM media m JOIN product p ON p.id = product_id""",
    "product_option": """SELECT jsonb_build_array(p.handle, o.name, o.translations,
        row_number() OVER (PARTITION BY p.id ORDER BY o.rank, o.id))
        FROM product_option o JOIN product p ON p.id = product_id""",
    "option_value": """SELECT jsonb_build_array(p.handle, o.name, v.name,
        row_number() OVER (PARTITION BY o.id ORDER BY v.rank, v.id),
        v.translations, v.swatch_color, m.url)
        FROM option_value v JOIN product_option o ON o.id = v.option_id JOIN product p ON p.id = o.product_id
        LEFT JOIN media m ON m.id = v.swatch_media_id""",
    "variant": """SELECT to_jsonb(v) - '{id,product_id,combination,media_id,created_at,rank}'::text[]
        || jsonb_build_object(
        'p', p.handle, 'm', m.url, 'values', (SELECT jsonb_object_agg(o.name, ov.name) FROM variant_option_value l
            JOIN option_value ov ON ov.id = l.value_id JOIN product_option o ON o.id = l.option_id
            WHERE l.variant_id = v.id),
        'rank', row_number() OVER (PARTITION BY p.id ORDER BY v.rank, v.id))
        FROM variant v JOIN product p ON p.id = v.product_id LEFT JOIN media m ON m.id = v.media_id
        WHERE v.archived_at IS NOT DISTINCT FROM p.archived_at""",
    "price": """SELECT jsonb_build_array(p.handle, v.title, x.currency, r.code, l.name,
        x.min_quantity, x.amount, x.compare_at)
        FROM price x JOIN variant v ON v.id = x.variant_id JOIN product p ON p.id = v.product_id
        LEFT JOIN region r ON r.id = x.region_id LEFT JOIN price_list l ON l.id = x.price_list_id""",
    "stock": """SELECT jsonb_build_array(p.handle, v.title, s.code, l.on_hand, l.backorder_limit) FROM stock_level l
        JOIN stock_location s ON s.id = location_id JOIN variant_stock_item i ON i.stock_item_id = l.stock_item_id
        JOIN variant v ON v.id = i.variant_id JOIN product p ON p.id = v.product_id""",
    "product_channel": """SELECT jsonb_build_array(c.code, p.handle, published_from, published_until)
        FROM product_channel JOIN channel c ON c.id = channel_id JOIN product p ON p.id = product_id""",
    "product_category": """SELECT jsonb_build_array(c.handle, p.handle)
        FROM product_category JOIN category c ON c.id = category_id JOIN product p ON p.id = product_id""",
    "product_collection": """SELECT jsonb_build_array(c.handle, p.handle, m.rank)
        FROM product_collection m JOIN collection c ON c.id = collection_id JOIN product p ON p.id = product_id""",
    "collection_channel": """SELECT jsonb_build_array(c.code, p.handle, published_from, published_until)
        FROM collection_channel JOIN channel c ON c.id = channel_id JOIN collection p ON p.id = collection_id""",
    "category": """SELECT to_jsonb(c) - '{id,parent_id,version,created_at,updated_at}'::text[]
        || jsonb_build_object('parent', p.handle) FROM category c LEFT JOIN category p ON p.id = c.parent_id""",
    "order of categories": "SELECT to_jsonb(array_agg(handle ORDER BY parent_id IS NULL, rank, id)) FROM category",
    "collection": """SELECT to_jsonb(c) - '{id,version,updated_at,rules}'::text[] || jsonb_build_object('rules',
        replace(replace(c.rules::text, coalesce((SELECT id::text FROM category WHERE handle = 'cups'), '-'), 'CUPS'),
            coalesce((SELECT id::text FROM region WHERE code = 'eu'), '-'), 'EU')) FROM collection c""",
    "region": "SELECT to_jsonb(r) - '{id,version,created_at,updated_at}'::text[] FROM region r",
    "region_country": """SELECT jsonb_build_array(country, code, is_home) FROM region_country
        JOIN region r ON r.id = region_id""",
    "price_list": "SELECT to_jsonb(l) - '{id,version,valid_from,updated_at}'::text[] FROM price_list l",
    "price_list_group": """SELECT jsonb_build_array(l.name, g.name) FROM price_list_group
        JOIN price_list l ON l.id = price_list_id JOIN customer_group g ON g.id = group_id""",
    "customer_group": "SELECT to_jsonb(name) FROM customer_group",
    "channel": "SELECT to_jsonb(c) - '{id,created_at}'::text[] FROM channel c",
    "tax_class": "SELECT to_jsonb(c) - '{id,created_at}'::text[] FROM tax_class c",
    "stock_location": "SELECT to_jsonb(l) - '{id}'::text[] FROM stock_location l",
    "handle_history": """SELECT jsonb_build_array(kind, h.handle, given_up_at, coalesce(p.handle, c.handle, k.handle))
        FROM handle_history h LEFT JOIN product p ON p.id = entity_id LEFT JOIN category c ON c.id = entity_id
        LEFT JOIN collection k ON k.id = entity_id""",
}


async def catalogue(shop: Shop) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, select in CATALOGUE.items():
        rows = await shop.database.pool.fetch(f"SELECT x::text AS told FROM ({select}) AS t (x) ORDER BY 1")
        found[name] = [row.told for row in rows]
    return found


@pytest_asyncio.fixture
async def elsewhere(postgres: str, template: str) -> AsyncIterator[Shop]:
    """An empty shop besides the one of the test."""
    with copy_of(postgres, template) as url:
        database = await connect(url, reactions=by_event(REACTIONS))
        yield Shop(database, {"manual": ManualPayment()})
        await database.close()


async def bring(shop: Shop, *files: Path, **options: Any) -> ImportReport:
    report = await import_shopify(shop, files, ImportOptions(**options))
    assert (report.problems, report.notes) == ([], [])
    return report


async def round_trip(shop: Shop, elsewhere: Shop, folder: Path) -> str:
    """Out of the one shop and into the other, compared; the file."""
    first, second = folder / "first.csv", folder / "second.csv"
    await refresh_collections(shop)
    await export_shopify(shop, first)
    await bring(elsewhere, first)
    await refresh_collections(elsewhere)
    before, after = await catalogue(shop), await catalogue(elsewhere)
    for table, rows in before.items():
        assert after[table] == rows, table
    await export_shopify(elsewhere, second)
    assert second.read_bytes() == first.read_bytes()
    rows = await everything(elsewhere.database)
    products = len(before["product"])
    again = counts(await bring(elsewhere, first))
    assert (await changed_tables(elsewhere.database, rows), again) == (set(), (0, 0, products))
    assert counts(await bring(shop, first)) == (0, 0, products)
    assert await catalogue(shop) == before
    return first.read_text(encoding="utf-8")


async def test_the_demo_shop_goes_elsewhere_and_is_the_same(shop: Shop, elsewhere: Shop, tmp_path: Path) -> None:
    await load_demo(shop, DEMO, str.upper)
    written = await round_trip(shop, elsewhere, tmp_path)
    assert written.startswith("Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,")
    assert "Subtitle (product.metafields.counterfoil.subtitle)" in written.partition("\n")[0]


async def test_files_of_real_merchants_go_through_unchanged(shop: Shop, elsewhere: Shop, tmp_path: Path) -> None:
    await run(shop, *(real(name) for name in ("apparel.csv", "home-and-garden.csv", "jewelery.csv")))
    await execute_in(shop, "INSERT INTO region (id, code, name, currency, tax_inclusive, is_default) "
                     "VALUES (gen_random_uuid(), 'eu', 'Europe', 'EUR', true, true)")  # fmt: skip
    await round_trip(shop, elsewhere, tmp_path)


async def execute_in(shop: Shop, *statements: str) -> None:
    async with shop.tx() as tx:
        for statement in statements:
            await tx.run(text(statement.replace(":", "\\:")))


ODD = (
    """UPDATE product SET external_id = 'ERP-1', subtitle = '=SUM(A1)', title = '+Cup, "odd"', origin_country = 'NL',
        hs_code = '482369', material = 'Paper', weight_grams = 12, length_mm = 1, width_mm = 0, height_mm = 3,
        discountable = false, tax_class_code = 'food', workflow_code = NULL, brief_due = 'before_order',
        price_quantity = 'product', metadata = '{"a": [1.5, null, {"b": "ü"}], "=x": 1}', status = 'proposed',
        tags = ARRAY['-a', 'b, c'], seo_title = '@home', vendor = '''quoted', type = '''=type',
        description = E'\\n<p>Line\\nbreak</p> ', created_at = '2020-01-02 03:04:05.678901+00',
        brief_schema = '{"type": "object", "properties": {"print": {"type": "string"}}}',
        translations = '{"de": {"title": "Becher", "description": "<b>ä</b>"}, "ja": {"title": "カップ"}}'
        WHERE handle = 'cup'""",
    "UPDATE product SET handle = 'Mug' WHERE handle = 'mug'",
    "UPDATE product SET handle = 'mug-3' WHERE handle = 'Mug'",
    "UPDATE product SET status = 'rejected' WHERE handle = 'plain'",
    """INSERT INTO media (id, product_id, url, alt, rank) SELECT gen_random_uuid(), id, 'https://e.example/' || n,
        '-alt ' || n, n FROM product CROSS JOIN generate_series(1, 4) AS n WHERE handle = 'cup'""",
    """UPDATE option_value SET swatch_color = '#ff0000', translations = '{"de": {"name": "Klein"}}' WHERE name = 'S'""",
    """UPDATE option_value AS v SET swatch_media_id = m.id, swatch_product_id = m.product_id
        FROM product_option o, media m
        WHERE o.id = v.option_id AND m.product_id = o.product_id AND v.name = 'L' AND m.alt = '-alt 2'""",
    """UPDATE product_option SET translations = '{"de": {"name": "Größe"}}' WHERE name = 'Size'""",
    """INSERT INTO option_value (id, option_id, name, rank) SELECT gen_random_uuid(), id, 'XXL', 4 FROM product_option
        WHERE name = 'Size'""",
    """UPDATE variant SET ean = '4006381333931', upc = '036000291452', external_id = 'V-1', length_mm = 5,
        quantity_min = 6, quantity_max = 60, quantity_step = 6, metadata = '{"x": true}', title = 'My own title',
        translations = '{"de": {"title": "Mein Titel"}}', allow_backorder = true, weight_unit = 'oz', barcode = '-7',
        media_id = (SELECT id FROM media WHERE alt = '-alt 3'), requires_shipping = false, taxable = false
        WHERE sku = 'CUP-1'""",
    """INSERT INTO tax_class (id, code, name) VALUES (gen_random_uuid(), 'food', 'Food')""",
    """INSERT INTO channel (id, code, name) VALUES (gen_random_uuid(), 'market', 'Market')""",
    """INSERT INTO product_channel (channel_id, product_id, published_from, published_until) SELECT c.id, p.id,
        '2020-01-01', '2030-01-01' FROM channel c, product p
        WHERE c.code = 'market' AND p.handle IN ('cup', 'mug-3')""",
    "DELETE FROM product_channel WHERE product_id = (SELECT id FROM product WHERE handle = 'plain')",
    """INSERT INTO category (id, handle, name, rank, description, translations, metadata, image_url, image_alt)
        VALUES (gen_random_uuid(), 'cups', 'Cups', 1, '<p>C</p>', '{"de": {"name": "Becher"}}', '{"a": 1}',
        'https://e.example/c', 'C')""",
    """INSERT INTO category (id, handle, name, rank, parent_id, external_id) SELECT gen_random_uuid(), 'a-' || n, 'A',
        1, id, 'E' || n FROM category CROSS JOIN generate_series(1, 3) AS n WHERE handle = 'cups'""",
    "UPDATE category SET handle = 'small' WHERE handle = 'a-2'",
    """INSERT INTO category (id, handle, name, rank)
        VALUES ('ffffffff-0000-7000-8000-000000000000', 'bags', 'Bags', 0)""",
    """INSERT INTO category (id, handle, name, rank, parent_id) SELECT gen_random_uuid(), 'totes', 'Totes', 2, id
        FROM category WHERE handle = 'bags'""",
    """INSERT INTO product_category SELECT p.id, c.id FROM product p, category c WHERE p.handle = 'cup'
        AND c.handle IN ('a-1', 'cups')""",
    """INSERT INTO collection (id, handle, title, product_order, seo_title, created_at) VALUES
        (gen_random_uuid(), 'best', 'Best', 'manual', 'B', '2021-01-01'),
        (gen_random_uuid(), 'empty', 'Empty', 'newest', NULL, '2021-01-02')""",
    """INSERT INTO collection (id, handle, title, rules) SELECT gen_random_uuid(), 'ruled', 'Ruled', jsonb_build_object(
        'match', 'any', 'conditions', jsonb_build_array(
            jsonb_build_object('field', 'category', 'operator', 'equals', 'value', c.id),
            jsonb_build_object('field', 'price', 'operator', 'greater_than', 'value', 5, 'region', r.id,
                'currency', 'EUR')))
        FROM category c, region r WHERE c.handle = 'cups' AND r.code = 'eu'""",
    """INSERT INTO product_collection (product_id, collection_id, rank) SELECT p.id, c.id,
        CASE p.handle WHEN 'cup' THEN 'a5V' ELSE 'a1' END FROM product p, collection c
        WHERE c.handle = 'best' AND p.handle IN ('cup', 'plain')""",
    """INSERT INTO collection_channel SELECT ch.id, c.id, '2020-01-01', NULL FROM channel ch, collection c
        WHERE c.handle = 'best' AND ch.code = 'market'""",
    "INSERT INTO customer_group (id, name) VALUES (gen_random_uuid(), 'Cafés')",
    """INSERT INTO price_list (id, name, kind, status, priority, starts_at, for_groups, external_id, created_at) VALUES
        ('00000000-0000-7000-8000-000000000001', 'Sale', 'sale', 'active', 2, '2020-01-01', true, NULL, '2020-01-01'),
        ('00000000-0000-7000-8000-000000000002', 'Sale', 'override', 'draft', 1, NULL, false, NULL, '2020-01-02'),
        ('00000000-0000-7000-8000-000000000003', 'ERP', 'sale', 'archived', 1, NULL, false, 'L-1', '2020-01-03')""",
    """INSERT INTO price_list_group SELECT '00000000-0000-7000-8000-000000000001', id FROM customer_group""",
    """INSERT INTO price (id, variant_id, currency, region_id, price_list_id, min_quantity, amount, compare_at)
        SELECT gen_random_uuid(), v.id, x.currency, r.id, x.list::uuid, x.least, x.amount, x.was FROM variant v,
        (VALUES ('EUR', NULL, NULL, 10, 7, NULL), ('EUR', NULL, '00000000-0000-7000-8000-000000000001', 1, 6, NULL),
            ('JPY', 'jp', '00000000-0000-7000-8000-000000000002', 5, 500, 600), ('JPY', 'jp', NULL, 1, 1500, 1800),
            ('KWD', NULL, NULL, 1, 1234, NULL), ('EUR', 'eu', NULL, 1, 5, 0), ('USD', 'eu', NULL, 1, 9, NULL))
            AS x (currency, region, list, least, amount, was) LEFT JOIN region r ON r.code = x.region
        WHERE v.sku = 'CUP-1'""",
    "DELETE FROM price USING variant v WHERE v.id = variant_id AND v.sku = 'CUP-3' AND currency = 'EUR'",
    "INSERT INTO stock_location (id, code, name, priority) VALUES (gen_random_uuid(), 'osaka', 'Osaka', 7)",
    """INSERT INTO stock_level (id, stock_item_id, location_id, on_hand, backorder_limit) SELECT gen_random_uuid(),
        i.stock_item_id, s.id, 3, 4 FROM variant_stock_item i JOIN variant v ON v.id = i.variant_id, stock_location s
        WHERE s.code = 'osaka' AND v.sku = 'CUP-1'""",
    "UPDATE product SET archived_at = '2022-02-02', status = 'published' WHERE handle = 'gone'",
    """UPDATE variant SET archived_at = '2022-02-02' FROM product p WHERE p.id = product_id AND p.handle = 'gone'""",
    "UPDATE region SET rounding = 'half_even', payment_providers = ARRAY['manual'] WHERE code = 'jp'",
)  # fmt: skip


async def stocked(shop: Shop) -> None:
    """A shop with something in every place where a product can have something."""
    await given.regions(shop)
    await given.product(shop, "cup", options={"Size": ("S", "M", "L")})
    for handle in ("plain", "mug", "gone"):
        await given.product(shop, handle)
    await execute_in(shop, *ODD[9:11], *ODD[:9], *ODD[11:])


async def test_whatever_a_product_can_have_goes_elsewhere(shop: Shop, elsewhere: Shop, tmp_path: Path) -> None:
    await stocked(shop)
    written = await round_trip(shop, elsewhere, tmp_path)
    assert ",'=SUM(A1)," in written
    assert not [cell for line in written.splitlines() for cell in line.split(",") if cell[:1] in {"=", "+", "@"}]


async def test_a_product_that_is_archived_comes_back_where_the_file_says_so(shop: Shop, tmp_path: Path) -> None:
    await run(shop, write(tmp_path, shirt(sku="A"), row(size="M")))
    archived = write(tmp_path, shirt(sku="A", Status="archived"), row(size="M"))
    live = text(
        "SELECT count(*) FILTER (WHERE v.archived_at IS NULL), count(p.archived_at), count(DISTINCT v.archived_at) "
        "FROM product AS p JOIN variant AS v ON v.product_id = p.id"
    )
    assert counts(await run(shop, archived)) == (0, 1, 0)
    assert [tuple(found) for found in await shop.read.records(live)] == [(0, 2, 1)]
    assert counts(await run(shop, archived)) == (0, 0, 1)
    silent = tmp_path / "silent.csv"
    silent.write_text("Handle,Title,Option1 Name,Option1 Value,Variant Price\nshirt,Shirt,Size,S,11\n")
    before = await everything(shop.database)
    report = await run(shop, silent)
    assert (counts(report), told(report)) == ((0, 0, 0), [(2, "Handle")])
    assert report.problems[0].message == "The product is archived: restore it first."
    assert await changed_tables(shop.database, before) == set()
    active = write(tmp_path, shirt(sku="A", Status="active"), row(size="M"))
    assert counts(await run(shop, active)) == (0, 1, 0)
    assert [tuple(found) for found in await shop.read.records(live)] == [(2, 0, 0)]
