"""What is kept is dropped in time: by every write to the catalogue, whatever way it takes, and without news."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio

from db import Base
from db.changes import TAGS
from db.connection import Database, PooledRead
from domain.catalog import upsert_products
from domain.processes.shop import Shop
from domain.product import ProductDraft, VariantDraft
from server import answers as answers_
from server import kept as kept_
from server.answers import Answers
from server.relay import POLL_SECONDS, Relay
from tests import given
from tests.answers import QUERIES, Keeping, catalogue, every_write_drops, keeping_app
from tests.api import Api

ALL = set(QUERIES)
CUP = "SELECT id FROM product WHERE handle = 'paper-cup'"
CUP_VARIANT = f"SELECT id FROM variant WHERE product_id = ({CUP})"
CUP_ITEM = f"SELECT stock_item_id FROM variant_stock_item WHERE variant_id = ({CUP_VARIANT})"
WRITES: dict[str, tuple[str, set[str]]] = {
    "a title": ("UPDATE product SET title = 'Cup' WHERE handle = 'paper-cup'", {"list", "cup", "nothing"}),
    "an unpublished product": (
        "UPDATE product SET status = 'draft' WHERE handle = 'pizza-box'",
        {"list", "box", "nothing"},
    ),
    "a published product": (
        "UPDATE product SET status = 'published' WHERE handle = 'pizza-box'",
        {"list", "box", "nothing"},
    ),
    "a product that was missing": (
        "INSERT INTO product (id, handle, title, status) VALUES (gen_random_uuid(), 'nothing', 'N', 'published')",
        {"list", "nothing"},
    ),
    "a product that is put into a channel": (
        "INSERT INTO product_channel (channel_id, product_id) SELECT channel.id, product.id"
        " FROM channel, product WHERE product.handle = 'nothing'",
        {"list", "nothing"},
    ),
    "another window": (
        f"UPDATE product_channel SET published_until = 'infinity' WHERE product_id = ({CUP})",
        {"list", "cup"},
    ),
    "a product that is taken out of a channel": (
        "DELETE FROM product_channel WHERE product_id = (SELECT id FROM product WHERE handle = 'nothing')",
        {"list", "nothing"},
    ),
    "a channel": (
        "INSERT INTO channel (id, code, name) VALUES (gen_random_uuid(), 'till', 'Till')",
        ALL,
    ),
    "a product that goes": ("DELETE FROM product WHERE handle = 'nothing'", {"list", "nothing"}),
    "a price": (f"UPDATE price SET amount = 999 WHERE variant_id = ({CUP_VARIANT})", {"list", "cup"}),
    "a price that goes": (
        f"DELETE FROM price WHERE variant_id = ({CUP_VARIANT}) AND currency = 'USD'",
        {"list", "cup"},
    ),
    "a picture": (
        f"INSERT INTO media (id, product_id, url, rank) VALUES (gen_random_uuid(), ({CUP}), 'https://i.example/c', 1)",
        {"list", "cup"},
    ),
    "another picture": (
        f"INSERT INTO media (id, product_id, url, rank) VALUES (gen_random_uuid(), ({CUP}), 'https://i.example/d', 2)",
        {"list", "cup"},
    ),
    "a picture that moves to another product": (
        "UPDATE media SET product_id = (SELECT id FROM product WHERE handle = 'pizza-box') WHERE rank = 2",
        {"list", "cup", "box"},
    ),
    "the picture of a variant": (
        f"UPDATE variant SET media_id = (SELECT id FROM media WHERE rank = 1) WHERE id = ({CUP_VARIANT})",
        {"list", "cup"},
    ),
    "the name of an option's value": (
        "UPDATE option_value SET name = 'Only' WHERE option_id IN"
        f" (SELECT id FROM product_option WHERE product_id = ({CUP}))",
        {"list", "cup"},
    ),
    "a category": ("UPDATE category SET name = 'Boxes and more'", {"list", "box"}),
    "the category of a product": ("DELETE FROM product_category", {"list", "box", "nothing"}),
    "a collection": ("UPDATE collection SET title = 'New and nice'", {"list", "box"}),
    "a region": ("UPDATE region SET name = 'EU' WHERE code = 'eu'", {"list", "cup", "regions"}),
    "the country of a region": ("DELETE FROM region_country WHERE country = 'NL'", {"list", "cup", "regions"}),
    "plenty of stock that is still plenty": (
        f"UPDATE stock_level SET on_hand = 10 WHERE stock_item_id = ({CUP_ITEM})",
        set(),
    ),
    "sales of what is plenty, and their end": (
        f"UPDATE stock_level SET on_hand = 5000, reserved = 20 WHERE stock_item_id = ({CUP_ITEM});"
        f"UPDATE stock_level SET reserved = 0, allocated = 20 WHERE stock_item_id = ({CUP_ITEM})",
        set(),
    ),
    "stock that is not plenty any more": (
        f"UPDATE stock_level SET on_hand = 29 WHERE stock_item_id = ({CUP_ITEM})",
        {"list", "cup"},
    ),
    "what is little and stays as it is": (
        f"UPDATE stock_level SET reserved = 1, allocated = 19 WHERE stock_item_id = ({CUP_ITEM})",
        set(),
    ),
    "what one unit takes": (
        f"UPDATE variant_stock_item SET quantity = 2 WHERE variant_id = ({CUP_VARIANT})",
        {"list", "cup"},
    ),
    "plenty for one unit but not for such that take two": (
        f"UPDATE stock_level SET on_hand = 39 WHERE stock_item_id = ({CUP_ITEM})",
        {"list", "cup"},
    ),
    "plenty that may be owed": (
        f"UPDATE stock_level SET backorder_limit = 1000 WHERE stock_item_id = ({CUP_ITEM})",
        {"list", "cup"},
    ),
    "sales of what has yet to come anyway": (
        f"UPDATE stock_level SET reserved = 15 WHERE stock_item_id = ({CUP_ITEM})",
        set(),
    ),
    "the sale of the last that was ready": (
        f"UPDATE stock_level SET reserved = 20 WHERE stock_item_id = ({CUP_ITEM})",
        {"list", "cup"},
    ),
    "sales of what has yet to come": (
        f"UPDATE stock_level SET reserved = 119 WHERE stock_item_id = ({CUP_ITEM})",
        set(),
    ),
    "what of it is paid": (
        f"UPDATE stock_level SET reserved = 0, allocated = 138 WHERE stock_item_id = ({CUP_ITEM})",
        set(),
    ),
    "how many are shown": ("INSERT INTO stock_setting (shown_quantity) VALUES (500)", ALL),
    "sales of what was plenty before": (
        f"UPDATE stock_level SET allocated = 600 WHERE stock_item_id = ({CUP_ITEM})",
        {"list", "cup"},
    ),
    "fewer that are shown": ("UPDATE stock_setting SET shown_quantity = 5", ALL),
    "sales of what is plenty now": (
        f"UPDATE stock_level SET allocated = 1000 WHERE stock_item_id = ({CUP_ITEM})",
        set(),
    ),
    "no setting any more": ("DELETE FROM stock_setting", ALL),
    "none of it sold": (
        f"UPDATE stock_level SET backorder_limit = 0, allocated = 0, reserved = 0 WHERE stock_item_id = ({CUP_ITEM})",
        {"list", "cup"},
    ),
    "stock in another place": (
        "INSERT INTO stock_location (id, code, name, priority) VALUES (gen_random_uuid(), 'far', 'Far', 2);"
        "INSERT INTO stock_level (id, stock_item_id, location_id, on_hand)"
        f" SELECT gen_random_uuid(), ({CUP_ITEM}), id, 5 FROM stock_location WHERE code = 'far'",
        {"list", "cup"},
    ),
    "a level that goes": ("DELETE FROM stock_level WHERE on_hand = 5", {"list", "cup"}),
    "statements that change no row": (
        "UPDATE product SET title = 'x' WHERE false; DELETE FROM price WHERE false",
        set(),
    ),
    "something else": ("INSERT INTO customer (id, email) VALUES (gen_random_uuid(), 'sam@shop.example')", set()),
    "what is emptied": ("TRUNCATE product_collection", ALL),
    "a translation": (
        """UPDATE product SET translations = '{"de": {"title": "Becher"}}' WHERE handle = 'paper-cup'""",
        {"list", "cup", "nothing"},
    ),
    "another handle": (
        "UPDATE product SET handle = 'nothing' WHERE handle = 'pizza-box'",
        {"list", "box", "nothing"},
    ),
    "a product that takes an old handle": (
        "INSERT INTO product (id, handle, title) VALUES (gen_random_uuid(), 'pizza-box', 'Another')",
        {"list", "box"},
    ),
    "an archived product": (
        "UPDATE product SET archived_at = now() WHERE handle = 'nothing'",
        {"list", "box", "nothing"},
    ),
    "old handles that are forgotten": ("DELETE FROM handle_history", {"list", "box", "nothing"}),
    "very many": (
        "INSERT INTO product (id, handle, title) SELECT gen_random_uuid(), 'draft-' || n, 'Draft'"
        " FROM generate_series(1, 501) AS n",
        ALL,
    ),
}


@pytest_asyncio.fixture
async def keeping(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeping]:
    async with keeping_app(database_url, monkeypatch) as running:
        yield running


async def test_every_write_drops_what_it_concerns_and_nothing_else(
    shop: Shop, api: Api, keeping: Keeping, database_url: str
) -> None:
    await catalogue(shop)
    await every_write_drops(api, keeping, database_url, QUERIES, WRITES)


async def test_an_upsert_a_count_and_an_order_are_seen(shop: Shop, api: Api, keeping: Keeping) -> None:
    await given.regions(shop)
    sold = await given.product(shop, "paper-cup", stock=11)
    await keeping.followed()

    async def shown() -> list[tuple[str, int]]:
        answer = (await keeping.post(QUERIES["cup"])).json()
        assert answer == await api.answer(QUERIES["cup"])
        product = answer["data"]["product"]
        return [(product["title"], v["availability"]["quantity"]) for v in product["variants"]["nodes"]]

    assert await shown() == [("Paper Cup", 10)]
    async with shop.tx() as tx:
        variant = VariantDraft(values=("Default Title",), sku="PAPER-CUP-1")
        await upsert_products(
            tx,
            [
                ProductDraft(
                    handle="paper-cup", title="Cup", options=("Title",), variants=(variant,), keep=frozenset({"status"})
                )
            ],
        )
    await keeping.told()
    assert await shown() == [("Cup", 10)]
    await given.order(api, {"variantId": sold.variant, "quantity": 1})
    await keeping.told()
    assert await keeping.was_kept(QUERIES["cup"])  # there are still ten or more
    await given.order(api, {"variantId": sold.variant, "quantity": 1})
    await keeping.told()
    assert await shown() == [("Cup", 9)]


@asynccontextmanager
async def held(database_url: str, table: str) -> AsyncIterator[asyncpg.Connection]:
    """Nobody else can read the table within the block."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def test_what_was_read_before_a_write_is_not_kept_after_it(
    shop: Shop, keeping: Keeping, database_url: str
) -> None:
    """The title is read, then the write is made and told, and only then the reading ends."""
    await catalogue(shop)
    await keeping.told()
    async with held(database_url, "media"):
        reading = asyncio.create_task(keeping.post(QUERIES["cup"]))
        await given.until(lambda: waiting(shop))
        await shop.database.pool.execute("UPDATE product SET title = 'New' WHERE handle = 'paper-cup'")
        look = keeping.kept._looks
        await given.until(lambda: keeping.kept._looks >= look + 2)
        assert not reading.done()
    assert (await reading).json()["data"]["product"]["title"] == "Paper Cup"
    assert not await keeping.was_kept(QUERIES["cup"])
    assert (await keeping.post(QUERIES["cup"])).json()["data"]["product"]["title"] == "New"
    assert await keeping.was_kept(QUERIES["cup"])


async def waiting(shop: Shop) -> bool:
    locks = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'media'::regclass"
    return await shop.database.pool.fetchval(locks) > 0


async def test_a_write_that_is_told_while_it_is_not_yet_committed_by_its_neighbours_is_not_lost(
    shop: Shop, keeping: Keeping, database_url: str
) -> None:
    """Transactions commit in another order than they began; what is kept between the two is dropped by the second."""
    await catalogue(shop)
    await keeping.told()
    first = await asyncpg.connect(database_url)
    transaction = first.transaction()
    await transaction.start()
    await first.execute("UPDATE product SET title = 'First' WHERE handle = 'paper-cup'")
    await shop.database.pool.execute("UPDATE product SET title = 'Second' WHERE handle = 'pizza-box'")
    await keeping.told()
    for name, title in (("cup", "Paper Cup"), ("box", "Second")):
        assert (await keeping.post(QUERIES[name])).json()["data"]["product"]["title"] == title
        assert await keeping.was_kept(QUERIES[name])
    await transaction.commit()
    await first.close()
    await keeping.told()
    assert not await keeping.was_kept(QUERIES["cup"])
    assert await keeping.was_kept(QUERIES["box"])


async def test_without_news_nothing_kept_is_shown(
    shop: Shop, keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalogue(shop)
    await keeping.told()
    await keeping.post(QUERIES["cup"])
    assert await keeping.was_kept(QUERIES["cup"])
    silent = asyncio.Event()
    look = Relay._look

    async def after_silence(relay: Relay) -> None:
        await silent.wait()
        await look(relay)

    monkeypatch.setattr(Relay, "_look", after_silence)
    began = time.monotonic()
    await asyncio.sleep(kept_.LEASE_SECONDS + POLL_SECONDS)
    assert not await keeping.was_kept(QUERIES["cup"])
    silent.set()
    await given.until(lambda: keeping.kept._looked_at > began + kept_.LEASE_SECONDS)
    assert await keeping.was_kept(QUERIES["cup"])


async def test_news_do_not_wait_behind_requests(shop: Shop, keeping: Keeping) -> None:
    """Kept answers are needed most when the shop has more to do than it can."""
    await catalogue(shop)
    await keeping.told()
    await keeping.post(QUERIES["cup"])
    pool = cast(Database, keeping.api.database).pool
    async with AsyncExitStack() as busy:
        for _ in range(pool.get_max_size()):
            await busy.enter_async_context(pool.acquire())
        await asyncio.sleep(kept_.LEASE_SECONDS + 2 * POLL_SECONDS)
        async with asyncio.timeout(60):
            assert await keeping.was_kept(QUERIES["cup"])


async def test_for_carts_nothing_is_followed(shop: Shop, api: Api, keeping: Keeping) -> None:
    await given.regions(shop)
    cart = await given.cart(api)
    for _ in range(3):
        await keeping.post(f'{{ cart(id: "{cart.id}") {{ id }} }}', x_cart_token=cart.token)
        await keeping.post("mutation { cartCreate(input: {}) { token } }")
    assert cast(Answers, keeping.api.answers)._following is None
    await keeping.followed()


async def test_when_nobody_asks_nothing_is_followed(
    shop: Shop, keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalogue(shop)
    monkeypatch.setattr(answers_, "IDLE_SECONDS", 0.3)
    await keeping.followed()
    await keeping.post(QUERIES["cup"])
    await given.until(lambda: keeping.kept.position is None)
    assert len(keeping.kept) == keeping.kept.size == 0
    await keeping.followed()
    assert not await keeping.was_kept(QUERIES["cup"])
    assert await keeping.was_kept(QUERIES["cup"])


async def test_every_table_that_is_read_for_kept_answers_announces_its_changes(
    shop: Shop, keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalogue(shop)
    await keeping.followed()
    read: set[str] = set()
    fetch = PooledRead._fetch

    async def noted(self: PooledRead, sql: str, arguments: Any) -> Any:
        read.update(name for name in Base.metadata.tables if re.search(rf"(FROM|JOIN|,) {name}\b", sql))
        return await fetch(self, sql, arguments)

    monkeypatch.setattr(PooledRead, "_fetch", noted)
    for query in QUERIES.values():
        await keeping.post(query + " ")
    follows = {"event", "price_list_group", "customer_group_member"}  # kept answers are for those who are in no group
    assert read - follows <= {*TAGS, "stock_level"}
    assert read >= {"product", "variant", "price", "stock_level", "variant_stock_item", "region", "category", "media"}
