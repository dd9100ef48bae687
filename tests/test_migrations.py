"""The migrations build the same database as the models say, to the constraint."""

import asyncio
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from alembic import command

from db import Base
from domain.processes.shop import Shop
from server.migrate import alembic_config
from tests import carts, given
from tests.api import Api
from tests.conftest import execute, named

CATALOGUE = {
    "columns": """
        SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default, is_identity
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
          AND conrelid::regclass::text <> 'alembic_version'""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
    "AND tablename <> 'alembic_version'",
    "triggers": "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "sequences": "SELECT sequencename, start_value, increment_by, cycle FROM pg_sequences WHERE schemaname = 'public'",
}


@pytest.fixture
def models_url(postgres: str):
    """A database made from the mapped classes alone."""
    name = f"counterfoil_models_{uuid4().hex[:8]}"
    execute(postgres, f"CREATE DATABASE {name}")
    url = named(postgres, name)
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"))
    Base.metadata.create_all(engine)
    engine.dispose()
    yield url
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def found(url: str, kind: str) -> set[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return set(connection.execute(CATALOGUE[kind].encode()).fetchall())


@pytest.mark.parametrize("kind", CATALOGUE)
def test_migrations_and_models_agree(kind: str, database_url: str, models_url: str) -> None:
    migrated, modelled = found(database_url, kind), found(models_url, kind)
    assert migrated - modelled == set(), "only in the migrations"
    assert modelled - migrated == set(), "only in the models"
    assert migrated


RELEASED = "0011"
"""What shops have that were set up before the revisions after it."""


@pytest.fixture
def released_url(postgres: str):
    """A database as that release made it."""
    name = f"counterfoil_released_{uuid4().hex[:8]}"
    execute(postgres, f"CREATE DATABASE {name}")
    command.upgrade(alembic_config(named(postgres, name)), RELEASED)
    yield named(postgres, name)
    execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_shop_goes_back_to_the_release_and_forward_again_and_keeps_what_the_release_knows(
    shop: Shop, api: Api, database_url: str, released_url: str
) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "paper-cup", options={"Size": ("S", "L")}, stock=5, workflow_code="default")
    await given.order(api, {"variantId": cup.variant, "quantity": 1})
    await catalogue_terms(shop)
    kept = await known(shop)
    config = alembic_config(database_url)
    new = {kind: found(database_url, kind) for kind in CATALOGUE}
    await asyncio.to_thread(command.downgrade, config, RELEASED)
    for kind in CATALOGUE:
        assert found(database_url, kind) == found(released_url, kind), kind
    assert await known(shop) == kept
    await asyncio.to_thread(command.upgrade, config, "head")
    for kind in CATALOGUE:
        assert found(database_url, kind) == new[kind], kind
    assert await known(shop) == kept


async def catalogue_terms(shop: Shop) -> None:
    """A category below another one, and a collection, both with the product."""
    for statement in (
        "INSERT INTO category (id, handle, name, rank) VALUES (gen_random_uuid(), 'cups', 'Cups', 1)",
        "INSERT INTO category (id, handle, name, rank, parent_id)"
        " SELECT gen_random_uuid(), 'hot', 'Hot', 1, id FROM category",
        "INSERT INTO product_category (product_id, category_id)"
        " SELECT product.id, category.id FROM product, category WHERE category.handle = 'hot'",
        "INSERT INTO collection (id, handle, title, product_order)"
        " VALUES (gen_random_uuid(), 'gifts', 'Gifts', 'manual')",
        "INSERT INTO product_collection (product_id, collection_id, rank)"
        " SELECT product.id, collection.id, 'a1' FROM product, collection",
    ):
        await carts.execute(shop, statement)


KNOWN = """
    SELECT 'product', handle, title FROM product
    UNION ALL SELECT 'variant', coalesce(sku, ''), title FROM variant
    UNION ALL SELECT 'price', currency, amount::text FROM price
    UNION ALL SELECT 'order', "order".number::text, "order".total::text FROM "order"
    UNION ALL SELECT 'category', category.handle, parent.handle
        FROM category LEFT JOIN category AS parent ON parent.id = category.parent_id
    UNION ALL SELECT 'in category', category_id::text, product_id::text FROM product_category
    UNION ALL SELECT 'in collection', collection_id::text, product_id::text FROM product_collection
    UNION ALL SELECT 'country', country, region_id::text FROM region_country
    UNION ALL SELECT 'stock', stock_item_id::text, on_hand::text FROM stock_level
    UNION ALL SELECT 'ticket', ticket_id::text, kind FROM ticket_event
    ORDER BY 1, 2, 3
"""


async def known(shop: Shop) -> list[tuple[str, ...]]:
    return [tuple(row) for row in await shop.database.pool.fetch(KNOWN)]
