"""`counterfoil seed`: a made-up catalogue of any size that is a real one to everything that reads it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from db import Category, Collection, Product, Region, StockMovement, TaxRate, Variant
from domain.processes.refresh_collections import refresh_collections
from domain.processes.refresh_listing import rebuild_listing
from domain.processes.seed_catalogue import PER_COMMIT, SeedCatalogue, seed_catalogue
from domain.processes.seeded_rows import handle, is_seen
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from domain.region import RegionDraft, upsert_region
from resolvers import ids
from tests import carts, deliveries, given, invariants
from tests.api import Api
from tests.test_cli import counterfoil
from tests.test_shopify_import import changed_tables, everything

TABLES = {
    **{"product": 6, "media": 14, "product_option": 8, "option_value": 22, "variant": 25, "variant_option_value": 40},
    **{"price": 165, "stock_item": 25, "variant_stock_item": 25, "stock_level": 50, "product_category": 6},
    **{"product_channel": 7, "region": 3, "stock_location": 2, "category": 360, "price_list": 6, "customer_group": 2},
    **{"channel": 2, "product_listing": 18, "product_facet": 6},
}
"""Of six products."""
NOTHING = """
    SELECT 'a variant without exactly one value for each option' AS wrong, v.id FROM variant v WHERE
        v.combination <> ARRAY(SELECT value_id FROM variant_option_value x WHERE x.variant_id = v.id ORDER BY value_id)
        OR cardinality(v.combination) <> (SELECT count(*) FROM product_option o WHERE o.product_id = v.product_id)
    UNION ALL SELECT 'a variant without a price', v.id FROM variant v CROSS JOIN region r WHERE NOT EXISTS (
        SELECT FROM price p WHERE p.variant_id = v.id AND p.currency = r.currency AND price_list_id IS NULL)
    UNION ALL SELECT 'a product without a variant', id FROM product
        WHERE NOT EXISTS (SELECT FROM variant WHERE product_id = product.id)
    UNION ALL SELECT 'a category without its line of ancestors', id FROM category WHERE (
        WITH RECURSIVE line AS (
            SELECT c.id, c.parent_id, 0 AS depth FROM category c WHERE c.id = category.id
            UNION ALL SELECT c.id, c.parent_id, depth + 1 FROM line JOIN category c ON c.id = line.parent_id)
        SELECT array_agg((id, depth) ORDER BY depth) FROM line) IS DISTINCT FROM (
        SELECT array_agg((ancestor_id, depth) ORDER BY depth) FROM category_ancestor WHERE category_id = category.id)
    UNION ALL SELECT 'a collection without products', id FROM collection c
        WHERE NOT EXISTS (SELECT FROM product_collection WHERE collection_id = c.id)
"""
"""What there must be none of."""
DERIVED = ("product_listing", "product_facet", "search_document", "search_title", "search_word", "product_collection")

CONTENT = """
    SELECT to_jsonb(p) - '{version}'::text[] AS product, to_jsonb(v) - '{created_at}'::text[] AS variant,
        (SELECT jsonb_agg(to_jsonb(r) - '{created_at,valid_from,region_id}'::text[] ORDER BY r.id) FROM price r
         WHERE r.variant_id = v.id) AS prices,
        (SELECT jsonb_agg(to_jsonb(m) ORDER BY m.id) FROM media m WHERE m.product_id = p.id) AS media,
        (SELECT jsonb_agg(to_jsonb(c) ORDER BY c) FROM product_category c WHERE c.product_id = p.id) AS categories,
        (SELECT jsonb_agg(to_jsonb(c) ORDER BY c) FROM product_collection c WHERE c.product_id = p.id) AS collections
    FROM product p JOIN variant v ON v.product_id = p.id WHERE p.handle LIKE 'seed-%' ORDER BY v.id
"""
PAGE = """query ($first: Int, $after: String) @inContext(country: NL) {
  products(first: $first, after: $after) { nodes {
    handle options { name values { name } } media { url } categories { name } collections { title } tags
    variants(first: 100) { nodes { sku selectedOptions { name value } availability { status quantity }
      price { amount { amount currency } } hundred: price(quantity: 100) { amount { amount } minQuantity } } } }
    pageInfo { hasNextPage endCursor } } }"""


async def content(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await shop.database.pool.fetch(CONTENT)]


async def counts(shop: Shop) -> dict[str, int]:
    return {table: await shop.database.pool.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}


async def derived(shop: Shop) -> dict[str, list[Any]]:
    return {
        table: [tuple(row) for row in await shop.database.pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]
        for table in DERIVED
    }


async def test_a_seeded_shop_has_everything_that_a_product_needs(shop: Shop) -> None:
    assert await seed_catalogue(shop, SeedCatalogue(6)) == 6
    assert await counts(shop) == TABLES
    moved = select(func.count()).select_from(StockMovement)
    filled = await shop.database.pool.fetchval("SELECT count(*) FROM stock_level WHERE on_hand > 0")
    assert await shop.read.scalar(moved) == filled > 0
    names = await shop.read.scalars(select(TaxRate.name).distinct().order_by("name"))
    assert names == ["Consumption tax", "Reduced rate", "Sales tax", "VAT"]


async def test_a_larger_one_is_consistent_and_what_is_derived_is_what_it_would_be_made_anew(shop: Shop) -> None:
    """Nothing is left for a worker to do."""
    await seed_catalogue(shop, SeedCatalogue(200))
    assert await invariants.violations(shop.read) == []
    assert [tuple(row) for row in await shop.database.pool.fetch(NOTHING)] == []
    for queue in ("listing_due", "collection_due"):
        left = await shop.database.pool.fetch(f"SELECT product_id FROM {queue} WHERE product_id IS NOT NULL")
        assert left == [], queue
    before = await derived(shop)
    assert all(before.values())
    await rebuild_listing(shop)
    await carts.execute(shop, "INSERT INTO collection_due (product_id) SELECT id FROM product")
    await refresh_collections(shop)
    assert await derived(shop) == before


async def test_products_differ_as_those_of_a_shop_do(shop: Shop) -> None:
    await seed_catalogue(shop, SeedCatalogue(200))
    (row,) = await shop.database.pool.fetch("""
        SELECT (SELECT avg(n)::float FROM (SELECT count(*) AS n FROM variant GROUP BY product_id) AS v) AS variants,
            (SELECT array_agg(DISTINCT n ORDER BY n) FROM (
                SELECT count(*) AS n FROM product_option GROUP BY product_id) AS o) AS options,
            (SELECT array_agg(DISTINCT depth ORDER BY depth) FROM category_ancestor) AS depths,
            (SELECT count(DISTINCT price_list_id) FROM price) AS lists,
            (SELECT count(DISTINCT currency) FROM price) AS currencies,
            (SELECT array_agg(DISTINCT min_quantity ORDER BY min_quantity) FROM price) AS tiers,
            (SELECT array_agg(DISTINCT status ORDER BY status) FROM product) AS statuses,
            count(archived_at) AS archived, count(*) FILTER (WHERE translations ? 'de') AS german,
            count(*) FILTER (WHERE translations ? 'fr') AS french, count(tax_class_code) AS reduced,
            (SELECT count(*) FROM option_value WHERE swatch_color IS NOT NULL) AS colours,
            (SELECT count(*) FROM option_value WHERE swatch_media_id IS NOT NULL) AS pictures,
            mode() WITHIN GROUP (ORDER BY vendor) AS vendor, count(DISTINCT vendor) AS vendors
        FROM product""")
    assert 5 <= row["variants"] <= 7
    assert (row["options"], row["depths"], row["tiers"]) == ([1, 2, 3], [0, 1, 2, 3], [1, 10, 50, 100])
    assert (row["lists"], row["currencies"], row["statuses"]) == (6, 3, ["draft", "proposed", "published"])
    assert row["archived"] == 2
    assert 40 <= row["german"] <= 80
    assert row["french"] < row["german"]
    assert min(row["reduced"], row["colours"], row["pictures"]) > 0
    of_first = await shop.database.pool.fetchval("SELECT count(*) FROM product WHERE vendor = $1", row["vendor"])
    assert of_first > 5 * 200 / row["vendors"]


async def test_some_products_are_not_for_sale(shop: Shop, api: Api) -> None:
    await seed_catalogue(shop, SeedCatalogue(60))
    found = (await api("{ products(first: 100) { nodes { handle } } }"))["products"]["nodes"]
    assert [node["handle"] for node in found] == [handle(1, n) for n in range(1, 61) if is_seen(n)]
    assert 50 < len(found) < 60


async def test_the_same_seed_makes_the_same_products_in_whatever_steps(shop: Shop) -> None:
    await seed_catalogue(shop, SeedCatalogue(5, seed=7))
    once = await content(shop)
    async with shop.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("ALTER TABLE stock_movement DISABLE TRIGGER stock_movement_only_added_to")
        for table in ("stock_movement", "stock_level", "variant_stock_item", "stock_item", "variant", "product"):
            await connection.execute(f"DELETE FROM {table}")
        await connection.execute("ALTER TABLE stock_movement ENABLE TRIGGER stock_movement_only_added_to")
    for products in (2, 5):
        await seed_catalogue(shop, SeedCatalogue(products, seed=7))
    assert await content(shop) == once
    assert len(once) == 13


async def test_another_seed_makes_other_products_beside_them(shop: Shop) -> None:
    await seed_catalogue(shop, SeedCatalogue(3, seed=1))
    first = await content(shop)
    await seed_catalogue(shop, SeedCatalogue(3, seed=2))
    both = await content(shop)
    assert [row for row in both if row in first] == first
    assert len(both) == 9 + 17
    titles = [[row[0]["title"] for row in both if row[0]["handle"].startswith(f"seed-{n}-")] for n in (1, 2)]
    assert titles[0] != titles[1]


async def test_ids_rise_with_the_number_so_pages_are_in_its_order(shop: Shop) -> None:
    await seed_catalogue(shop, SeedCatalogue(12))
    handles = await shop.read.scalars(select(Product.handle).order_by(Product.id))
    assert handles == [f"seed-1-{number:07d}" for number in range(1, 13)]


async def test_a_second_run_changes_nothing_and_a_larger_one_adds_the_rest(shop: Shop) -> None:
    await seed_catalogue(shop, SeedCatalogue(4))
    before = await everything(shop.database)
    assert await seed_catalogue(shop, SeedCatalogue(4)) == 0
    assert await seed_catalogue(shop, SeedCatalogue(2)) == 0
    assert await changed_tables(shop.database, before) == set()
    assert await seed_catalogue(shop, SeedCatalogue(6)) == 2
    assert await counts(shop) == TABLES


async def test_a_run_that_was_cut_off_is_continued(shop: Shop) -> None:
    def killed(_there: int) -> None:
        raise ConnectionError

    wanted = PER_COMMIT + 3
    with pytest.raises(ConnectionError):
        await seed_catalogue(shop, SeedCatalogue(wanted), killed)
    assert await shop.read.scalar(select(func.count()).select_from(Product)) == PER_COMMIT
    seen: list[int] = []
    assert await seed_catalogue(shop, SeedCatalogue(wanted), seen.append) == 3
    assert seen[-1] == wanted == await shop.read.scalar(select(func.count()).select_from(Product))
    assert await invariants.violations(shop.read) == []


async def test_two_at_once_make_each_product_once(shop: Shop) -> None:
    added = await asyncio.gather(*(seed_catalogue(shop, SeedCatalogue(6)) for _ in range(3)))
    assert sorted(added) == [0, 0, 6]
    assert await counts(shop) == TABLES


async def test_a_merchants_own_regions_stay_as_they_are(shop: Shop) -> None:
    async with shop.tx() as tx:
        await upsert_region(tx, RegionDraft("us", "The States", "USD", True, (), {}))
        await upsert_region(tx, RegionDraft("home", "Home", "EUR", True, ("NL",), {}, True))
    await seed_catalogue(shop, SeedCatalogue(1))
    rows = await shop.read.all(select(Region).order_by(Region.code))
    assert [(r.code, r.name, r.tax_inclusive, r.is_default) for r in rows] == [
        ("eu", "Europe", True, False),
        ("home", "Home", True, True),
        ("jp", "Japan", True, False),
        ("us", "The States", True, False),
    ]
    owner = "SELECT code FROM region_country JOIN region ON region.id = region_id WHERE country = 'NL'"
    assert await shop.database.pool.fetchval(owner) == "home"


async def test_shoppers_page_through_it_and_buy_from_it(shop: Shop, api: Api) -> None:
    await seed_catalogue(shop, SeedCatalogue(5))
    first = (await api(PAGE, {"first": 3}))["products"]
    rest = (await api(PAGE, {"first": 3, "after": first["pageInfo"]["endCursor"]}))["products"]
    nodes = [*first["nodes"], *rest["nodes"]]
    assert [node["handle"][-1] for node in nodes] == ["1", "2", "3", "4", "5"]
    assert rest["pageInfo"]["hasNextPage"] is False
    for node in nodes:
        assert 1 <= len(node["options"]) <= 3
        assert node["media"]
        assert 1 <= len(node["categories"]) <= 2
        chosen = {str(variant["selectedOptions"]) for variant in node["variants"]["nodes"]}
        assert len(chosen) == len(node["variants"]["nodes"])
        assert {variant["price"]["amount"]["currency"] for variant in node["variants"]["nodes"]} == {"EUR"}
    tiers = {node["variants"]["nodes"][0]["hundred"]["minQuantity"] for node in nodes}
    assert tiers == {1, 100}
    listed = (v for node in nodes for v in node["variants"]["nodes"])
    sku = next(v for v in listed if v["availability"]["status"] == "IN_STOCK")["sku"]
    variant = await shop.read.one_scalar(select(Variant.id).where(Variant.sku == sku))
    line = {"variantId": ids.encode("Variant", variant), "quantity": 1}
    cart = await given.cart(api.in_country("NL"), line)
    (way,) = (await deliveries.seen(api, cart, "deliveryOptions { optionId }"))["deliveryOptions"]
    total = (await deliveries.choose(api, cart, way["optionId"]))["totals"]["total"]["gross"]
    placed = await api.done("cartComplete", {**cart.completion(), "expectedTotal": total}, given.ORDER)
    assert placed["order"]["status"] == "PLACED"
    assert await invariants.violations(shop.read) == []


@pytest.mark.parametrize(("products", "seed"), [(0, 1), (1_000_001, 1), (1, -1), (1, 2**31)])
def test_a_seed_that_cannot_be_is_refused(products: int, seed: int) -> None:
    with pytest.raises(ValidationFailed):
        SeedCatalogue(products, seed)


async def test_the_command_tells_what_it_did_in_one_sentence(shop: Shop, database_url: str) -> None:
    done = counterfoil(database_url, "seed", "--products", "3", "--seed", "5")
    assert (done.returncode, done.stdout) == (0, "3 products of seed 5 were added.\n")
    again = counterfoil(database_url, "seed", "--products", "3", "--seed", "5")
    assert (again.returncode, again.stdout) == (0, "There are 3 products of seed 5 already; nothing was added.\n")
    assert await shop.read.scalars(select(Product.handle).order_by(Product.id)) == [
        f"seed-5-000000{n}" for n in (1, 2, 3)
    ]
    assert await shop.read.scalar(select(func.count()).select_from(Category)) == 360
    assert await shop.read.scalar(select(func.count()).select_from(Collection)) == 21
    wrong = counterfoil(database_url, "seed", "--products", "2000000")
    assert (wrong.returncode, wrong.stderr) == (2, "products: Seed 1 to 1,000,000 products.\n")
