"""What must hold of a shop's database at every moment, whatever was killed or raced.

`violations` looks at carts, orders, payments and stock together and tells what is wrong, one line each;
`undecided` counts what is still under way, and is 0 once the sweeper has been.
"""

from sqlalchemy import text

from db.connection import Read

UNDECIDED = "state IN ('started', 'action_required')"

DEMAND = """
    SELECT line.order_id, line.id AS line_id, link.stock_item_id AS item_id,
           line.quantity * coalesce(link.quantity, 1) AS units
    FROM order_line AS line
    JOIN variant ON variant.id = line.variant_id AND variant.manage_stock
    LEFT JOIN variant_stock_item AS link ON link.variant_id = line.variant_id
"""
"""What the lines of orders take of stock items, by today's recipes."""

HELD = """
    SELECT taken.order_line_id AS line_id, level.stock_item_id AS item_id, sum(taken.quantity) AS units
    FROM stock_reservation AS taken JOIN stock_level AS level ON level.id = taken.stock_level_id
    WHERE taken.state = ANY('{%s}') GROUP BY 1, 2
"""


def uncovered(orders: str, states: str) -> str:
    """Lines of the `orders` whose reservations in `states` are not exactly what they need."""
    return f"""
        SELECT wanted.line_id, wanted.units, taken.units AS taken
        FROM ({DEMAND}) AS wanted JOIN ({orders}) AS o ON o.id = wanted.order_id
        LEFT JOIN ({HELD % states}) AS taken USING (line_id, item_id)
        WHERE taken.units IS DISTINCT FROM wanted.units
    """


BROKEN: dict[str, str] = {
    "a cart has two orders": 'SELECT cart_id FROM "order" GROUP BY cart_id HAVING count(*) > 1',
    "a placed order lacks stock": uncovered(
        "SELECT id FROM \"order\" WHERE status NOT IN ('pending', 'cancelled')", "allocated,shipped"
    ),
    "a pending order that is being paid lacks its holds": uncovered(
        f"SELECT order_id AS id FROM payment_attempt WHERE cart_version IS NOT NULL AND {UNDECIDED}", "held"
    ),
    "a hold belongs to no order that is being paid": f"""
        SELECT taken.id FROM stock_reservation AS taken JOIN "order" AS o ON o.id = taken.order_id
        WHERE taken.state = 'held' AND (o.status <> 'pending' OR NOT EXISTS (
            SELECT FROM payment_attempt AS attempt WHERE attempt.order_id = o.id AND attempt.{UNDECIDED}))
    """,
    "a pending order has stock allocated": """
        SELECT taken.id FROM stock_reservation AS taken JOIN "order" AS o ON o.id = taken.order_id
        WHERE taken.state IN ('allocated', 'shipped') AND o.status = 'pending'
    """,
    "a reservation takes what its line does not need": f"""
        SELECT taken.line_id FROM ({HELD % "held,allocated,shipped"}) AS taken
        LEFT JOIN ({DEMAND}) AS wanted USING (line_id, item_id) WHERE wanted.units IS NULL
    """,
    "a level's sums are not those of its reservations": """
        SELECT level.id, level.reserved, level.allocated, sums.held, sums.placed FROM stock_level AS level
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(quantity) FILTER (WHERE state = 'held'), 0) AS held,
                   coalesce(sum(quantity) FILTER (WHERE state = 'allocated'), 0) AS placed
            FROM stock_reservation WHERE stock_level_id = level.id) AS sums
        WHERE (level.reserved, level.allocated) <> (sums.held, sums.placed)
    """,
    "a level's on_hand is not the sum of its movements": """
        SELECT id, on_hand FROM stock_level AS level WHERE on_hand <>
            (SELECT coalesce(sum(delta), 0) FROM stock_movement WHERE stock_level_id = level.id)
    """,
    "more is promised than there is": """
        SELECT id FROM stock_level
        WHERE least(on_hand, reserved, allocated) < 0 OR reserved + allocated > on_hand + backorder_limit + shortage
    """,
    "a balance is not the sum of its entries": """
        SELECT id, amount FROM balance WHERE amount <>
            (SELECT coalesce(sum(delta), 0) FROM balance_entry WHERE balance_id = balance.id)
    """,
    "of a balance is not held what orders hold": """
        SELECT id, held FROM balance WHERE held <>
            (SELECT coalesce(sum(amount), 0) FROM balance_hold WHERE balance_id = balance.id AND state = 'held')
    """,
    "a balance is below zero, or less than is held": "SELECT id FROM balance WHERE held < 0 OR held > amount",
    "what is held of a balance belongs to no order that is being paid": f"""
        SELECT hold.id FROM balance_hold AS hold JOIN "order" AS o ON o.id = hold.order_id
        WHERE hold.state = 'held' AND (o.status <> 'pending' OR NOT EXISTS (
            SELECT FROM payment_attempt AS attempt WHERE attempt.order_id = o.id AND attempt.{UNDECIDED}))
    """,
    "a pending order has spent of a balance": """
        SELECT hold.id FROM balance_hold AS hold JOIN "order" AS o ON o.id = hold.order_id
        WHERE hold.state = 'spent' AND o.status = 'pending'
    """,
    "what an order spent of a balance and got back is not what the ledger says": """
        SELECT order_id, balance_id, spent, given_back, entered.* FROM (
            SELECT order_id, balance_id, sum(amount) AS spent, sum(given_back) AS given_back
            FROM balance_hold WHERE state = 'spent' GROUP BY 1, 2) AS held
        FULL JOIN (
            SELECT order_id, balance_id, -coalesce(sum(delta) FILTER (WHERE reason = 'spent'), 0) AS went,
                coalesce(sum(delta) FILTER (WHERE reason = 'refunded'), 0) AS came
            FROM balance_entry WHERE order_id IS NOT NULL GROUP BY 1, 2) AS entered USING (order_id, balance_id)
        WHERE (spent, given_back) IS DISTINCT FROM (went, came)
    """,
    "a cart's status and its order's do not fit": f"""
        SELECT cart.id, cart.status, o.status FROM cart LEFT JOIN "order" AS o ON o.cart_id = cart.id
        WHERE (cart.status = 'completed') <> (coalesce(o.status, 'pending') <> 'pending')
           OR (cart.status = 'paying') <> EXISTS (
               SELECT FROM payment_attempt AS attempt
               WHERE attempt.order_id = o.id AND attempt.cart_version IS NOT NULL AND attempt.{UNDECIDED})
    """,
    "an order has no lines, or its sums are not theirs": """
        SELECT o.id FROM "order" AS o LEFT JOIN order_line AS line ON line.order_id = o.id GROUP BY o.id
        HAVING o.total IS DISTINCT FROM sum(line.gross) + o.shipping_net + o.shipping_tax
            OR o.tax IS DISTINCT FROM sum(line.tax) + o.shipping_tax
    """,
    "a placed order has not exactly one payment of its total": """
        SELECT o.id FROM "order" AS o WHERE status <> 'pending' AND ARRAY(
            SELECT greatest(payment.authorised, payment.captured)
            FROM payment JOIN payment_attempt AS attempt ON attempt.id = payment.attempt_id
            WHERE attempt.order_id = o.id AND payment.order_id = o.id AND attempt.state = 'succeeded'
                AND attempt.cart_version IS NOT NULL)
            <> array_remove(ARRAY[total - coalesce((SELECT sum(amount) FROM balance_hold
                WHERE balance_hold.order_id = o.id AND state = 'spent'), 0)::bigint], 0)
    """,
    "a pending order has a payment": """
        SELECT o.id FROM "order" AS o JOIN payment_attempt AS attempt ON attempt.order_id = o.id
        WHERE o.status = 'pending' AND attempt.state = 'succeeded'
    """,
    "a payment was reported by nobody": """
        SELECT payment.id FROM payment CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount) FILTER (WHERE kind = 'authorised'), 0) AS authorised,
                coalesce(sum(amount) FILTER (WHERE kind = 'captured'), 0) AS captured,
                coalesce(sum(amount) FILTER (WHERE kind = 'voided'), 0) AS voided,
                coalesce(sum(amount) FILTER (WHERE kind IN ('refunded', 'dispute_lost')), 0) AS refunded
            FROM payment_event WHERE payment_id = payment.id AND problem IS NULL) AS told
        WHERE (payment.authorised, payment.captured, payment.voided, payment.refunded)
            <> (told.authorised, told.captured, told.voided, told.refunded)
    """,
    "what is on its way back is not what refunds are under way": """
        SELECT id FROM payment WHERE refund_pending <> (
            SELECT coalesce(sum(amount), 0) FROM payment_operation
            WHERE payment_id = payment.id AND kind = 'refund' AND state IN ('started', 'pending'))
    """,
    "more went back than came": "SELECT id FROM payment WHERE refunded + refund_pending > captured",
    "an order's amount due is not what its money leaves": """
        SELECT o.id, o.payment_status, o.amount_due FROM "order" AS o CROSS JOIN LATERAL (
            SELECT coalesce(sum(captured), 0) AS captured, coalesce(sum(p.refunded), 0) AS refunded
            FROM payment AS p JOIN payment_attempt AS attempt ON attempt.id = p.attempt_id
            WHERE p.order_id = o.id AND attempt.state = 'succeeded') AS money
        WHERE o.status <> 'pending' AND amount_due > 0 AND captured >= total
    """,
    "an order was not announced exactly once when it was placed": """
        SELECT o.id, o.status FROM "order" AS o WHERE (status <> 'pending')::int <>
            (SELECT count(*) FROM event WHERE name = 'OrderPlaced' AND topic = 'order:' || o.id)
    """,
    "an idempotency key leads to an order of another cart": """
        SELECT key.key FROM idempotency_key AS key LEFT JOIN "order" AS o ON o.id::text = key.outcome ->> 'order_id'
        WHERE key.mutation = 'cartComplete' AND 'cart:' || o.cart_id IS DISTINCT FROM key.scope
    """,
}


async def violations(read: Read) -> list[str]:
    """Empty, or what is wrong: `a cart has two orders: ('…',)`."""
    found: list[str] = []
    for sentence, sql in BROKEN.items():
        found += [f"{sentence}: {tuple(row)}" for row in await read.records(text(sql))]
    return found


async def undecided(read: Read) -> int:
    """Carts that are being paid: 0 once every attempt was decided."""
    return await read.value(text("SELECT count(*) FROM cart WHERE status = 'paying'"))


async def unreturned(read: Read) -> int:
    """Payments of attempts that were given up whose money is still here: 0 once reactions and sweeper have been."""
    return await read.value(
        text(
            """
            SELECT count(*) FROM payment JOIN payment_attempt AS attempt ON attempt.id = payment.attempt_id
            WHERE attempt.state IN ('failed', 'cancelled') AND (captured > refunded OR authorised > voided + captured)
            """
        )
    )


async def without_tickets(read: Read) -> int:
    """Placed lines whose tickets do not add up yet: 0 once the reactions have run."""
    return await read.value(
        text(
            """
            SELECT count(*) FROM order_line AS line JOIN "order" AS o ON o.id = line.order_id
              AND o.status IN ('placed', 'completed')
            WHERE line.workflow_id IS NOT NULL AND line.quantity - line.cancelled <> (
                SELECT coalesce(sum(ticket.quantity), 0) FROM ticket JOIN workflow_state AS state
                    ON state.workflow_id = ticket.workflow_id AND state.code = ticket.state
                WHERE ticket.order_line_id = line.id AND state.kind <> 'cancelled')
            """
        )
    )


async def levels(read: Read) -> list[tuple[str, str, int, int, int]]:
    """Of each item in each place: on_hand, reserved, allocated."""
    rows = await read.records(
        text(
            """
            SELECT item.title, place.code, on_hand, reserved, allocated FROM stock_level AS level
            JOIN stock_item AS item ON item.id = stock_item_id JOIN stock_location AS place ON place.id = location_id
            ORDER BY item.title, place.priority
            """
        )
    )
    return [tuple(row) for row in rows]
