"""The demo shop is loaded once, whole, and quickly, also when the first attempt was cut off."""

from pathlib import Path

import pytest

from domain.processes.load_demo import load_demo
from domain.processes.shop import Shop
from tests.test_shopify_import import changed_tables, everything

DEMO = Path(__file__).resolve().parents[1] / "demo"


async def test_the_demo_is_loaded_once(shop: Shop) -> None:
    assert await load_demo(shop, DEMO, str.upper)
    expected = {"region": 3, "region_country": 29, "category": 18, "product": 44, "variant": 367, "price": 1101}
    expected |= {"stock_level": 540, "customer": 1, "staff": 1, "staff_role": 1}
    found = {t: await shop.database.pool.fetchval(f"SELECT count(*) FROM {t}") for t in expected}
    assert found == expected
    sold = await shop.database.pool.fetch("SELECT sum(on_hand) AS n FROM stock_level GROUP BY location_id ORDER BY 1")
    assert [row.n for row in sold] == [73_038, 288_507]
    before = await everything(shop.database)
    assert not await load_demo(shop, DEMO, str.upper)
    assert await changed_tables(shop.database, before) == set()


async def test_a_demo_that_was_killed_on_the_way_is_completed(shop: Shop) -> None:
    def killed(_password: str) -> str:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await load_demo(shop, DEMO, killed)
    before = await everything(shop.database)
    assert await load_demo(shop, DEMO, str.upper)
    assert await changed_tables(shop.database, before) == {"customer", "role", "staff", "staff_role"}
    (staff,) = await shop.database.pool.fetch("SELECT email, password_hash FROM staff")
    assert (staff.email, staff.password_hash) == ("staff@counterfoil.example", "DEMO-STAFF-2026")
