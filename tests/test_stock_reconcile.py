"""`counterfoil stock reconcile`: what was written past the shop is found, told with what to do, and made right."""

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from domain import stock_ledger
from domain.processes.shop import Shop
from server.cli import app
from tests import given
from tests.api import Api
from tests.invariants import levels, violations
from tests.stocked import movements, shelf
from tests.test_stock import buy

Reconcile = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def reconcile(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Reconcile:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*options: str) -> tuple[int, list[str]]:
        result = CliRunner().invoke(app, ["stock", "reconcile", *options])
        return result.exit_code, result.stdout.splitlines()

    return run


async def past(shop: Shop, statement: str) -> None:
    """Writes past the shop, without the triggers that see to its ledger."""
    async with shop.tx() as tx:
        await tx.run(text("SET LOCAL session_replication_role = replica"))
        await tx.run(text(statement))


async def told(shop: Shop) -> list[str]:
    found = await stock_ledger.differences(shop.read, lambda _: None)
    return [sentence for difference in found for sentence in difference.sentences]


async def sold_and_counted(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", stock=10)
    assert (await buy(api, cup, 4))["userErrors"] == []
    await given.counted(shop, cup.keys[0], "main", 8)


async def test_a_shop_that_was_left_alone_has_nothing_to_reconcile(shop: Shop, api: Api) -> None:
    await sold_and_counted(shop, api)
    looked_at: list[int] = []
    assert await stock_ledger.differences(shop.read, looked_at.append) == []
    assert looked_at == [1]


def test_the_command_ends_well_where_nothing_is_wrong(reconcile: Reconcile) -> None:
    assert reconcile() == (0, ["0 levels were looked at; 0 differ."])


async def test_what_differs_is_told_with_what_to_do(shop: Shop, api: Api) -> None:
    await sold_and_counted(shop, api)
    await past(shop, "UPDATE stock_level SET on_hand = 9, reserved = 1, allocated = 2")
    assert await told(shop) == [
        "on hand are 9, its movements add up to 8: --repair writes the movement that is missing; then count what lies "
        "there (stockSet)",
        "reserved are 1, its reservations add up to 0: --repair takes over the sum",
        "allocated are 2, its reservations add up to 4: --repair takes over the sum",
    ]


async def test_what_can_be_made_right_is(shop: Shop, api: Api) -> None:
    await sold_and_counted(shop, api)
    level = (await shelf(shop, "CUP-1")).level
    await past(shop, "UPDATE stock_level SET on_hand = 9, reserved = 1, allocated = 2")
    async with shop.tx() as tx:
        assert await stock_ledger.repair(tx, level)
        assert not await stock_ledger.repair(tx, level), "nothing is wrong any more"
    assert await levels(shop.read) == [("CUP-1", "main", 9, 0, 4)]
    assert (await movements(shop))[-1] == ("CUP-1", "main", 1, "repair")
    assert await violations(shop.read) == []
    assert await told(shop) == []
    entry = (await shop.read.records(text("SELECT * FROM audit_entry ORDER BY id DESC LIMIT 1")))[0]
    assert (entry.action, entry.subject, entry.actor_kind) == ("stock reconcile", f"stock_level:{level}", "system")
    assert entry.difference == {"moved": [8, 9], "reserved": [1, 0], "allocated": [2, 4]}


async def test_what_there_is_no_room_for_is_left_to_people(shop: Shop, api: Api) -> None:
    await sold_and_counted(shop, api)
    level = (await shelf(shop, "CUP-1")).level
    await past(shop, "UPDATE stock_level SET on_hand = 3, allocated = 0")
    await past(
        shop, "INSERT INTO stock_movement (stock_level_id, delta, reason) SELECT id, -5, 'loss' FROM stock_level"
    )
    room = "make room first (stockSet what lies there, or stockSetBackorderLimit), then --repair"
    assert await told(shop) == [f"allocated are 0, its reservations add up to 4: {room}"]
    async with shop.tx() as tx:
        assert not await stock_ledger.repair(tx, level)
    await given.counted(shop, await shop.read.value(text("SELECT id FROM variant")), "main", 4)
    async with shop.tx() as tx:
        assert await stock_ledger.repair(tx, level)
    assert await levels(shop.read) == [("CUP-1", "main", 4, 0, 4)]
    assert await violations(shop.read) == []


def test_the_command_tells_repairs_and_fails_until_it_is_right(reconcile: Reconcile, database_url: str) -> None:
    """Without the event loop of `shop`, since a command has its own."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            """
            WITH place AS (INSERT INTO stock_location VALUES (gen_random_uuid(), 'main', 'Main', 1) RETURNING id),
                 item AS (INSERT INTO stock_item (id, title, sku) VALUES (gen_random_uuid(), 'Cup', '[C]') RETURNING id)
            INSERT INTO stock_level (id, stock_item_id, location_id, on_hand)
            SELECT gen_random_uuid(), item.id, place.id, 3 FROM place, item
            """
        )
    told_ = "[C] in main: on hand are 3, its movements add up to 0: --repair writes the movement that is missing; then "
    sentence = f"{told_}count what lies there (stockSet)."
    assert reconcile() == (1, [sentence, "1 levels were looked at; 1 differ."])
    assert reconcile("--repair") == (0, [sentence, "1 levels were looked at; 1 differ, 1 of them are repaired."])
    assert reconcile() == (0, ["1 levels were looked at; 0 differ."])


async def test_large_shops_are_looked_at_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_ledger, "PAGE", 2)
    for i in range(5):
        await given.product(shop, f"cup-{i}", stock=i + 1)
    await past(shop, "UPDATE stock_level SET on_hand = on_hand + 1 WHERE on_hand >= 4")
    looked_at: list[int] = []
    found = await stock_ledger.differences(shop.read, looked_at.append)
    assert looked_at == [2, 4, 5]
    assert [(one.item, one.location, one.on_hand, one.moved) for one in found] == [
        ("CUP-3-1", "main", 5, 4),
        ("CUP-4-1", "main", 6, 5),
    ]
