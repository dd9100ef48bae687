"""The check of a database that the tests of completion rely on does find what is wrong."""

from contextlib import suppress

from sqlalchemy import text

from domain import checkout
from domain.processes.shop import Shop
from tests.api import Api
from tests.balances import card, use
from tests.completion import command, complete, ten_cups, two_cups
from tests.invariants import BROKEN, violations

PENDING = "(SELECT id FROM \"order\" WHERE status = 'pending')"
PLACED = "(SELECT id FROM \"order\" WHERE status = 'placed')"
DAMAGE: dict[str, str] = {
    "a cart has two orders": """ALTER TABLE "order" DROP CONSTRAINT uq_order_cart_id;
        UPDATE "order" SET cart_id = (SELECT min(cart_id::text)::uuid FROM "order")""",
    "a placed order lacks stock": f"DELETE FROM stock_reservation WHERE order_id = {PLACED}",
    "a pending order that is being paid lacks its holds": f"""
        UPDATE stock_reservation SET quantity = 1 WHERE order_id = {PENDING}""",
    "a hold belongs to no order that is being paid": "UPDATE payment_attempt SET state = 'failed'",
    "a pending order has stock allocated": "UPDATE stock_reservation SET state = 'allocated'",
    "a reservation takes what its line does not need": "UPDATE variant SET manage_stock = false",
    "a level's sums are not those of its reservations": "UPDATE stock_level SET allocated = 3",
    "a level's on_hand is not the sum of its movements": "UPDATE stock_level SET on_hand = 11",
    "more is promised than there is": """ALTER TABLE stock_level DROP CONSTRAINT ck_stock_level_promised;
        UPDATE stock_level SET reserved = 9""",
    "a balance is not the sum of its entries": "UPDATE balance SET amount = amount + 1",
    "of a balance is not held what orders hold": "UPDATE balance SET held = 0",
    "a balance is below zero, or less than is held": """ALTER TABLE balance DROP CONSTRAINT ck_balance_held;
        UPDATE balance SET held = amount + 1""",
    "what is held of a balance belongs to no order that is being paid": "UPDATE payment_attempt SET state = 'failed'",
    "a pending order has spent of a balance": "UPDATE balance_hold SET state = 'spent'",
    "what an order spent of a balance and got back is not what the ledger says": """
        UPDATE balance_hold SET given_back = 1 WHERE state = 'spent'""",
    "a cart's status and its order's do not fit": "UPDATE cart SET status = 'completed'",
    "an order has no lines, or its sums are not theirs": 'UPDATE "order" SET total = total + 1',
    "a placed order has not exactly one payment of its total": "UPDATE payment SET authorised = 0",
    "a pending order has a payment": "UPDATE payment_attempt SET state = 'succeeded'",
    "a payment was reported by nobody": "DELETE FROM payment_event",
    "what is on its way back is not what refunds are under way": "UPDATE payment SET refund_pending = 1",
    "more went back than came": "UPDATE payment SET refunded = captured + 1",
    "an order's amount due is not what its money leaves": "UPDATE payment SET captured = 9999",
    "an order was not announced exactly once when it was placed": "DELETE FROM event WHERE name = 'OrderPlaced'",
    "an idempotency key leads to an order of another cart": f"""
        UPDATE idempotency_key SET outcome = jsonb_build_object('order_id', {PLACED})""",
}


class Undone(Exception):
    """Ends a transaction without a trace."""


async def found_after(shop: Shop, damage: str) -> list[str]:
    """What is wrong once the damage is done; it is undone again."""
    found: list[str] = []
    with suppress(Undone):
        async with shop.tx() as tx:
            for statement in damage.split(";"):
                await tx.run(text(statement))
            found = await violations(tx)
            raise Undone
    return found


async def test_every_damage_is_found_and_a_sound_shop_has_none(shop: Shop, api: Api) -> None:
    cup = await ten_cups(shop)
    first, second = [await two_cups(api, cup) for _ in range(2)]
    for cart in (first, second):
        await use(api, cart, await card(shop, 300))
    await complete(api, first)
    async with shop.tx() as tx:
        await checkout.prepare(tx, command(second, provider="manual"))
    assert await violations(shop.read) == []
    assert DAMAGE.keys() == BROKEN.keys()
    for sentence, damage in DAMAGE.items():
        assert any(found.startswith(f"{sentence}: (") for found in await found_after(shop, damage)), sentence
    assert await violations(shop.read) == []
