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
        f"SELECT order_id AS id FROM payment_attempt WHERE {UNDECIDED}", "held"
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
    "a cart's status and its order's do not fit": f"""
        SELECT cart.id, cart.status, o.status FROM cart LEFT JOIN "order" AS o ON o.cart_id = cart.id
        WHERE (cart.status = 'completed') <> (coalesce(o.status, 'pending') <> 'pending')
           OR (cart.status = 'paying') <> EXISTS (
               SELECT FROM payment_attempt AS attempt WHERE attempt.order_id = o.id AND attempt.{UNDECIDED})
    """,
    "an order has no lines, or its sums are not theirs": """
        SELECT o.id FROM "order" AS o LEFT JOIN order_line AS line ON line.order_id = o.id GROUP BY o.id
        HAVING o.total IS DISTINCT FROM sum(line.gross) OR o.tax IS DISTINCT FROM sum(line.tax)
    """,
    "a placed order has not exactly one payment of its total": """
        SELECT o.id FROM "order" AS o WHERE status <> 'pending' AND ARRAY(
            SELECT payment.authorised FROM payment JOIN payment_attempt AS attempt ON attempt.id = payment.attempt_id
            WHERE attempt.order_id = o.id AND payment.order_id = o.id AND attempt.state = 'succeeded')
            <> (CASE WHEN total = 0 THEN '{}' ELSE ARRAY[total] END)
    """,
    "a pending order has a payment": """
        SELECT o.id FROM "order" AS o JOIN payment_attempt AS attempt ON attempt.order_id = o.id
        LEFT JOIN payment ON payment.attempt_id = attempt.id
        WHERE o.status = 'pending' AND (attempt.state = 'succeeded' OR payment.id IS NOT NULL)
    """,
    "a payment was reported by nobody": """
        SELECT payment.id FROM payment WHERE authorised <> (
            SELECT coalesce(sum(amount), 0) FROM payment_event
            WHERE attempt_id = payment.attempt_id AND kind = 'authorised')
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


async def without_tickets(read: Read) -> int:
    """Placed lines whose tickets do not add up yet: 0 once the reactions have run."""
    return await read.value(
        text(
            """
            SELECT count(*) FROM order_line AS line JOIN "order" AS o ON o.id = line.order_id AND o.status = 'placed'
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
