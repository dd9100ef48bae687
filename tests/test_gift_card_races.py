"""One gift card and many buyers at once, against real server processes: it is spent once."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from domain.cart_line import AddLine
from domain.processes.shop import Shop
from tests import carts, given
from tests.api import Server
from tests.balances import amounts, card, entries, holds
from tests.completion import many_carts
from tests.given import ORDER, Cart
from tests.invariants import levels, undecided, violations

DOCUMENT = f"""mutation Complete($input: CartCompleteInput!) {{
    cartComplete(input: $input) {{ {ORDER} userErrors {{ __typename path }} }} }}"""


async def test_a_gift_card_is_spent_once_by_a_hundred_orders_at_once(
    shop: Shop, start_server: Callable[..., Server]
) -> None:
    """Fault 35: 50.00 on the card, 100 orders of 50.00."""
    await given.regions(shop)
    cup = await given.product(shop, "cup", prices={"EUR": 5000})
    fifty = await card(shop)
    buyers = await many_carts(shop, *[[AddLine(cup.keys[0], 1)]] * 100)
    await carts.execute(shop, "UPDATE cart SET gift_card_ids = ARRAY[CAST(:card AS uuid)]", card=str(fifty.key))
    server = start_server("--workers", "2", "--no-worker")
    async with server.api() as api:

        async def completed(cart: Cart) -> dict[str, Any]:
            answer = await api.raw(DOCUMENT, {"input": cart.completion()})
            assert answer.status_code == 200, answer.text
            return answer.json()["data"]["cartComplete"]

        payloads = await asyncio.gather(*map(completed, buyers))
    told = Counter(error["__typename"] for payload in payloads for error in payload["userErrors"])
    assert told == {"BalanceChanged": 99}
    assert [payload["order"]["status"] for payload in payloads if payload["order"]] == ["PLACED"]
    assert await amounts(shop) == [(0, 0)]
    assert await entries(shop) == [(5000, "issued"), (-5000, "spent")]
    assert await holds(shop) == [(5000, "spent")]
    assert await levels(shop.read) == [("CUP-1", "main", 1000, 0, 1)]
    assert await shop.read.value(text("SELECT count(*) FROM payment_attempt")) == 0
    assert await undecided(shop.read) == 0
    assert await violations(shop.read) == []
    assert "ERROR" not in server.log.read_text()
