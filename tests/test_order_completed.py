"""An order is completed by whatever is done last: everything sent or called off, nothing owed, no work open."""

from itertools import permutations

import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from tests import given
from tests.api import Api
from tests.carts import execute

STEPS = {
    "sent": """UPDATE "order" SET fulfillment_status = 'fulfilled', version = version + 1""",
    "paid": """UPDATE "order" SET amount_due = 0, payment_status = 'paid', version = version + 1""",
    "done": """UPDATE "order" SET work_status = 'done', version = version + 1""",
}
UNDONE = """UPDATE "order" SET amount_due = 500, payment_status = 'pending', work_status = 'in_progress'"""


async def status(shop: Shop) -> str:
    (row,) = await shop.read.records(text('SELECT status FROM "order"'))
    return row.status


@pytest.mark.parametrize("order", list(permutations(STEPS)), ids="-".join)
async def test_whatever_comes_last_completes_it(shop: Shop, api: Api, order: tuple[str, ...]) -> None:
    await given.ticket(shop, api)
    await execute(shop, UNDONE)
    for step in order:
        assert await status(shop) == "placed"
        await execute(shop, STEPS[step])
    assert await status(shop) == "completed"


@pytest.mark.parametrize(
    "but",
    [
        "UPDATE \"order\" SET payment_status = 'disputed'",
        'UPDATE "order" SET amount_due = -1',
        "UPDATE \"order\" SET work_status = 'waiting_customer'",
        "UPDATE \"order\" SET work_status = 'none'",
        "UPDATE \"order\" SET fulfillment_status = 'partial'",
        "UPDATE \"order\" SET fulfillment_status = 'returned'",
        "UPDATE \"order\" SET status = 'cancelled'",
    ],
)
async def test_nothing_is_completed_that_lacks_something(shop: Shop, api: Api, but: str) -> None:
    await given.ticket(shop, api)
    await execute(shop, UNDONE)
    sql = ", ".join(step.partition("SET ")[2].rpartition(", version")[0] for step in STEPS.values())
    assert but.startswith('UPDATE "order" SET ')
    changed = but.removeprefix('UPDATE "order" SET ')
    column = changed.partition(" =")[0]
    kept = ", ".join(part for part in sql.split(", ") if not part.startswith(column))
    await execute(shop, f'UPDATE "order" SET {kept}, {changed}')
    assert await status(shop) == ("cancelled" if column == "status" else "placed")


async def test_an_order_without_work_is_completed_when_it_is_sent(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop, "cup", workflow_code=None)
    placed = await given.order(api, {"variantId": cup.variant, "quantity": 2})
    seller = await given.caller(shop, api, "staff", "orders:fulfil", "orders:read")
    (line,) = await shop.read.records(text("SELECT id, order_id FROM order_line"))
    line_id = given.ids.encode("OrderLine", line.id)

    async def sent(quantity: int) -> str:
        lines = [{"orderLineId": line_id, "quantity": quantity}]
        await seller.done("fulfilmentCreate", {"orderId": placed["id"], "lines": lines}, "fulfilment { id }")
        return await status(shop)

    await execute(shop, """UPDATE "order" SET amount_due = 0, payment_status = 'paid'""")
    assert [await sent(1), await sent(1)] == ["placed", "completed"]
