"""What lists are ordered by follows the catalogue, whoever writes it and however, and nothing of it is lost."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from db.connection import Database, connect
from domain import listing_refresh
from domain.processes.refresh_listing import rebuild_listing, refresh_listing
from domain.processes.shop import Shop
from tests import carts, given, listed
from tests.api import Api, Server
from tests.listed import due, listing

CUP = "(SELECT id FROM product WHERE handle = 'paper-cup')"
VARIANT = f"(SELECT id FROM variant WHERE product_id = {CUP} ORDER BY rank LIMIT 1)"
LIST = """WITH list AS (
    INSERT INTO price_list (id, name, kind, status, starts_at, ends_at, for_groups)
    VALUES (gen_random_uuid(), 'Internal name', 'sale', 'active', {starts}, {ends}, {for_groups}) RETURNING id)
    INSERT INTO price (id, variant_id, currency, amount, price_list_id)
    SELECT gen_random_uuid(), variant.id, 'EUR', 300, list.id FROM variant, list"""
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "a price": (f"UPDATE price SET amount = 700 WHERE variant_id = {VARIANT}", {"minimum": 700, "maximum": 1000}),
    "no price": ("DELETE FROM price", {"minimum": None, "maximum": None, "amounts": [], "buyable": False}),
    "an archived variant": (
        f"UPDATE variant SET archived_at = now() WHERE product_id = {CUP}",
        {"minimum": None, "in_stock": False},
    ),
    "stock that is gone": ("UPDATE stock_level SET on_hand = 0", {"in_stock": False, "buyable": False}),
    "stock to come": ("UPDATE stock_level SET on_hand = 0, backorder_limit = 5", {"in_stock": False, "buyable": True}),
    "no counting": (
        "WITH gone AS (UPDATE stock_level SET on_hand = 0) UPDATE variant SET manage_stock = false",
        {"in_stock": True},
    ),
    "a sale": (LIST.format(starts="NULL", ends="NULL", for_groups="false"), {"minimum": 300, "maximum": 300}),
    "a sale for some": (LIST.format(starts="NULL", ends="NULL", for_groups="true"), {"minimum": 1000}),
    "another currency": ("UPDATE region SET currency = 'USD' WHERE code = 'eu'", {"minimum": 1100, "maximum": 1100}),
}


async def cup(shop: Shop) -> None:
    await given.regions(shop)
    await given.product(shop, options={"Size": ("S", "L")}, stock=5)
    await refresh_listing(shop)


async def test_every_write_that_moves_a_product_is_noted_in_its_own_transaction(shop: Shop) -> None:
    await cup(shop)
    assert (await due(shop), (await listing(shop, "paper-cup")).minimum) == (0, 1000)
    row_of = text("SELECT * FROM product_listing WHERE region_id = (SELECT id FROM region WHERE code = 'eu')")
    for write, (statement, expected) in WRITES.items():
        with pytest.raises(Undone):
            await _refreshed_after(shop, statement, row_of, expected, write)
    assert (await due(shop), (await listing(shop, "paper-cup")).minimum) == (0, 1000)


async def _refreshed_after(shop: Shop, statement: str, row_of: Any, expected: dict[str, Any], write: str) -> None:
    async with shop.tx() as tx:
        await tx.run(text(statement))
        products = await listing_refresh.take_due(tx) or await listing_refresh.take_due(tx)
        assert products, write
        await listing_refresh.refresh(tx, products)
        (row,) = await tx.records(row_of)
        assert {name: row[name] for name in expected} == expected, write
        raise Undone


class Undone(Exception):
    """Takes a write back."""


async def test_a_write_that_is_rolled_back_leaves_nothing_to_do_and_sales_of_plenty_move_nothing(shop: Shop) -> None:
    await cup(shop)
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with shop.tx() as tx:
            await tx.run(text("UPDATE price SET amount = 1"))
            raise RuntimeError
    await carts.execute(shop, "UPDATE stock_level SET on_hand = on_hand - 1")
    assert await due(shop) == 0


async def test_a_worker_that_is_killed_midway_loses_nothing_and_another_one_catches_up(
    shop: Shop, start_server: Callable[..., Server]
) -> None:
    await cup(shop)
    holding = await shop.database.pool.acquire()
    transaction = holding.transaction()
    await transaction.start()
    await holding.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    await holding.execute("SELECT FROM product_listing FOR UPDATE")
    first = start_server()
    await carts.execute(shop, "UPDATE price SET amount = 700 WHERE currency = 'EUR'")
    waiting = text("SELECT pid FROM pg_stat_activity WHERE :pid = ANY(pg_blocking_pids(pid))")
    holder = holding.get_server_pid()

    async def midway() -> bool:
        return bool(await shop.read.records(waiting, pid=holder))

    await given.until(midway, within=60)
    assert await asyncio.wait_for(refresh_listing(shop), 60) == 0, "somebody else is at it"
    first.kill()
    await transaction.rollback()
    await shop.database.pool.release(holding)
    await given.until(lambda: _nobody_is_at_it(shop), within=60)
    assert await due(shop) >= 1
    assert (await listing(shop, "paper-cup")).minimum == 1000
    assert await refresh_listing(shop) == 1
    assert (await listing(shop, "paper-cup")).minimum == 700
    assert await due(shop) == 0


async def _nobody_is_at_it(shop: Shop) -> bool:
    async with shop.tx() as tx:
        return await listing_refresh.begin(tx)


async def _costs(shop: Shop, minimum: int) -> bool:
    return (await listing(shop, "paper-cup")).minimum == minimum


async def test_two_at_a_time_while_others_write_do_not_end_with_what_was(shop: Shop, database_url: str) -> None:
    await cup(shop)
    other = await connect(database_url)
    writing = True

    async def work(database: Database) -> int:
        done = 0
        while writing:
            done += await refresh_listing(Shop(database, {}))
        return done

    working = [asyncio.create_task(work(database)) for database in (shop.database, other)]
    for amount in [*range(700, 730), 650]:
        await carts.execute(shop, f"UPDATE price SET amount = {amount} WHERE currency = 'EUR'")
    await given.until(lambda: _costs(shop, 650), within=60)
    writing = False
    done = await asyncio.gather(*working)
    await other.close()
    assert sum(done) >= 1, "those that looked after it were these two"
    assert (await listing(shop, "paper-cup")).maximum == 650
    assert await due(shop) == 0


async def test_windows_of_price_lists_open_and_close_by_the_clock(shop: Shop) -> None:
    """Nobody writes when they do; the clock is told to have looked before instead of waiting."""
    await cup(shop)
    await carts.execute(shop, LIST.format(starts="now() + interval '1 day'", ends="NULL", for_groups="false"))
    await refresh_listing(shop)
    assert (await listing(shop, "paper-cup")).minimum == 1000
    for bounds, minimum in (
        ("starts_at = now() - interval '1 minute'", 300),
        ("starts_at = now() - interval '1 day', ends_at = now() - interval '1 minute'", 1000),
    ):
        for statement in (f"UPDATE price_list SET {bounds}", "DELETE FROM listing_due"):
            await carts.execute(shop, statement)
        await carts.execute(shop, "UPDATE listing_clock SET looked_at = now() - interval '2 minutes'")
        await refresh_listing(shop)
        assert (await listing(shop, "paper-cup")).minimum == minimum
    clock = text("SELECT looked_at, now() - looked_at < '1 minute' AS late FROM listing_clock")
    (looked,) = await shop.read.records(clock)
    assert looked.late
    await refresh_listing(shop)
    assert (await shop.read.records(clock))[0].looked_at == looked.looked_at


async def test_without_a_worker_everything_is_listed_and_shows_what_it_costs(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    await given.product(shop, "old", prices={"EUR": 900})
    await refresh_listing(shop)
    await given.product(shop, "new", prices={"EUR": 100})
    query = (
        "{ products(sort: %s) { nodes { handle variants { nodes { price { amount { minorUnits } } } } } totalCount } }"
    )
    for sort, handles in (("PRICE_ASC", ["old", "new"]), ("PRICE_DESC", ["old", "new"]), ("TITLE", ["new", "old"])):
        found = (await api(query % sort))["products"]
        assert ([one["handle"] for one in found["nodes"]], found["totalCount"]) == (handles, 2)
        shown = {n["handle"]: n["variants"]["nodes"][0]["price"]["amount"]["minorUnits"] for n in found["nodes"]}
        assert shown == {"old": "900", "new": "100"}, "what is shown is the truth"
    await given.regions(shop)
    assert (await api('{ search(query: "old") { products { nodes { handle } } } }'))["search"]["products"]["nodes"]


async def test_a_rebuild_makes_everything_anew_and_tells_how_far_it_is(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = await listed.catalogue(shop, seen=6)
    tables = ("product_listing", "product_facet", "search_document", "search_title", "search_word")
    whole = "SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY to_jsonb(t)), '[]') AS rows FROM %s AS t"
    before = [(await shop.read.records(text(whole % table)))[0].rows for table in tables]
    for statement in (
        "UPDATE product_listing SET minimum = 1, in_stock = NOT in_stock",
        "DELETE FROM product_facet",
        "DELETE FROM search_document",
        "INSERT INTO search_word VALUES ('old', 'old')",
    ):
        await carts.execute(shop, statement)
    monkeypatch.setattr(listing_refresh, "AT_ONCE", 7)
    told: list[tuple[int, int]] = []
    total = len(catalogue.items)
    assert await rebuild_listing(shop, lambda done, of: told.append((done, of))) == total
    assert told == [*((n, total) for n in range(7, total, 7)), (total, total)]
    after = [(await shop.read.records(text(whole % table)))[0].rows for table in tables]
    for table, now, then in zip(tables, after, before, strict=True):
        assert [row for row in now if row not in then] == [row for row in then if row not in now] == [], table


async def test_names_of_price_lists_are_in_no_answer(shop: Shop, api: Api) -> None:
    """Fault 13."""
    await cup(shop)
    await carts.execute(shop, LIST.format(starts="NULL", ends="NULL", for_groups="false"))
    await refresh_listing(shop)
    answer = await api(
        """{ products(sort: PRICE_ASC) { nodes { handle variants { nodes { price { amount { amount } } } } } }
        search(query: "Internal name") { products { nodes { handle } }
            facets { kind name values { value label } minimum { amount } maximum { amount } } } }"""
    )
    assert '"3.00"' in json.dumps(answer)
    assert "nternal" not in json.dumps(answer)
    assert answer["search"]["products"]["nodes"] == []
