"""`counterfoil seed`: a made-up catalogue of any size that is a real one to everything that reads it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from db import Category, Collection, Product, Region, StockMovement, TaxRate, Variant
from domain.processes.seed_catalogue import PER_COMMIT, SeedCatalogue, seed_catalogue
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from domain.region import RegionDraft, upsert_region
from resolvers import ids
from tests import deliveries, given, invariants
from tests.api import Api
from tests.test_cli import counterfoil
from tests.test_shopify_import import changed_tables, everything

TABLES = {"product": 6, "media": 12, "product_option": 12, "option_value": 30, "variant": 36}
TABLES |= {"variant_option_value": 72, "price": 36 * 3 + 12 * 3, "stock_item": 36, "variant_stock_item": 36}
TABLES |= {"stock_level": 72, "product_category": 6, "region": 3, "stock_location": 2}
"""Of six products; two of them are cheaper by the hundred."""

CONTENT = """
    SELECT p.id, p.handle, p.title, p.description, p.tags, v.id AS variant, v.sku, v.title AS chosen, v.combination,
           v.media_id, array_agg((r.currency, r.min_quantity, r.amount, r.compare_at) ORDER BY r.id) AS prices
    FROM product p JOIN variant v ON v.product_id = p.id JOIN price r ON r.variant_id = v.id
    WHERE p.handle LIKE 'seed-%' GROUP BY p.id, v.id ORDER BY v.id
"""
PAGE = """query ($first: Int, $after: String) @inContext(country: NL) {
  products(first: $first, after: $after) { nodes {
    handle options { name values { name } } media { url } categories { name } collections { title } tags
    variants(first: 10) { nodes { sku selectedOptions { name value } availability { status quantity }
      price { amount { amount currency } } hundred: price(quantity: 100) { amount { amount } minQuantity } } } }
    pageInfo { hasNextPage endCursor } } }"""


async def content(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await shop.database.pool.fetch(CONTENT)]


async def counts(shop: Shop) -> dict[str, int]:
    return {table: await shop.database.pool.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}


async def test_a_seeded_shop_has_everything_that_a_product_needs(shop: Shop) -> None:
    assert await seed_catalogue(shop, SeedCatalogue(6)) == 6
    assert await counts(shop) == TABLES
    assert await invariants.violations(shop.read) == []
    moved = select(func.count()).select_from(StockMovement)
    filled = await shop.database.pool.fetchval("SELECT count(*) FROM stock_level WHERE on_hand > 0")
    assert await shop.read.scalar(moved) == filled > 0
    assert await shop.read.scalars(select(TaxRate.name).order_by("name")) == ["Consumption tax", "Sales tax", "VAT"]
    incomplete = """
        SELECT count(*) FROM variant v WHERE combination <>
            ARRAY(SELECT value_id FROM variant_option_value x WHERE x.variant_id = v.id ORDER BY value_id)
    """
    assert await shop.database.pool.fetchval(incomplete) == 0


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
    assert len(once) == 30


async def test_another_seed_makes_other_products_beside_them(shop: Shop) -> None:
    await seed_catalogue(shop, SeedCatalogue(3, seed=1))
    first = await content(shop)
    await seed_catalogue(shop, SeedCatalogue(3, seed=2))
    both = await content(shop)
    assert [row for row in both if row in first] == first
    assert len(both) == 36
    second = [row for row in both if row[1].startswith("seed-2-")]
    assert [row[2] for row in second] != [row[2] for row in first]


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
        assert [(o["name"], len(o["values"])) for o in node["options"]] == [("Size", 3), ("Colour", 2)]
        assert len(node["media"]) == 2
        assert len(node["categories"]) == 1
        assert len(node["collections"]) == len(node["tags"])
        assert len({str(variant["selectedOptions"]) for variant in node["variants"]["nodes"]}) == 6
        assert {variant["price"]["amount"]["currency"] for variant in node["variants"]["nodes"]} == {"EUR"}
    tiers = [node["variants"]["nodes"][0]["hundred"]["minQuantity"] for node in nodes]
    assert tiers == [1, 1, 100, 1, 1]
    buyable = (v for v in nodes[0]["variants"]["nodes"] if v["availability"]["status"] == "IN_STOCK")
    sku = next(buyable)["sku"]
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
    assert await shop.read.scalar(select(func.count()).select_from(Category)) == 12
    assert await shop.read.scalar(select(func.count()).select_from(Collection)) == 6
    wrong = counterfoil(database_url, "seed", "--products", "2000000")
    assert (wrong.returncode, wrong.stderr) == (2, "products: Seed 1 to 1,000,000 products.\n")
