"""Stock in tests: staff who keep it, its things by the names that staff see, and orders made of rows alone."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from db.connection import Database, Tx, new_id
from db.workflow import ActorKind
from domain.actor import Actor
from domain.allocation import Need
from domain.processes.shop import Shop
from domain.refusal import Refusal
from resolvers import ids
from tests import given
from tests.api import Api

KEEPER = Actor(ActorKind.STAFF, new_id(), frozenset({"stock:write"}))
"""A member of staff, as domain functions see one."""
LEVEL = "onHand reserved allocated available backorderLimit shortage item { title } location { code }"
FACTS = """userErrors { __typename code path
    ... on StockChanged { currentOnHand } ... on StockTooLow { onHand promised }
    ... on StockLocationNotEmpty { levels } ... on InsufficientStock { availableQuantity } }"""
EVERYTHING = """
    SELECT 'level' AS kind, to_jsonb(t) - 'id' AS row FROM stock_level AS t
    UNION ALL SELECT 'item', to_jsonb(t) FROM stock_item AS t
    UNION ALL SELECT 'location', to_jsonb(t) FROM stock_location AS t
    UNION ALL SELECT 'movement', to_jsonb(t) FROM stock_movement AS t
    UNION ALL SELECT 'recipe', to_jsonb(t) FROM variant_stock_item AS t
    UNION ALL SELECT 'reservation', to_jsonb(t) FROM stock_reservation AS t
    UNION ALL SELECT 'setting', to_jsonb(t) FROM stock_setting AS t
    UNION ALL SELECT 'audit', to_jsonb(t) FROM audit_entry AS t
    UNION ALL SELECT 'event', to_jsonb(t) FROM event AS t
    UNION ALL SELECT 'key', to_jsonb(t) FROM idempotency_key AS t ORDER BY 1, 2
"""


async def stored(shop: Shop) -> list[Any]:
    """All that a write of stock could change."""
    return [tuple(row) for row in await shop.read.records(text(EVERYTHING))]


async def keeper(shop: Shop, api: Api) -> Api:
    return await given.caller(shop, api, "staff", "stock:read", "stock:write")


@dataclass(frozen=True)
class Shelf:
    """An item in a place, as inputs name it and as the tables do."""

    item: UUID
    place: UUID
    level: UUID

    @property
    def named(self) -> dict[str, str]:
        return {
            "stockItemId": ids.encode("StockItem", self.item),
            "stockLocationId": ids.encode("StockLocation", self.place),
        }


async def shelf(shop: Shop, title: str, place: str = "main") -> Shelf:
    (row,) = await shop.read.records(
        text(
            """
            SELECT level.* FROM stock_level AS level JOIN stock_item AS item ON item.id = level.stock_item_id
            JOIN stock_location AS place ON place.id = level.location_id
            WHERE item.title = :title AND place.code = :place
            """
        ),
        title=title,
        place=place,
    )
    return Shelf(row.stock_item_id, row.location_id, row.id)


async def refused(shop: Shop, api: Api, mutation: str, given_: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Type, path and facts of what a mutation is refused with; nothing may have changed."""
    before = await stored(shop)
    payload = await api.do(mutation, dict(given_), FACTS)
    assert await stored(shop) == before
    subjects = set(payload) - {"userErrors", "warnings"}
    assert all(payload[name] is None for name in subjects)
    known = {"__typename", "code", "path", "message"}
    return [
        (error["__typename"], ".".join(error["path"]), *(value for name, value in error.items() if name not in known))
        for error in payload["userErrors"]
    ]


async def movements(shop: Shop) -> list[tuple[str, str, int, str]]:
    """Item, place, delta and reason of all of them, oldest first."""
    rows = await shop.read.records(
        text(
            """
            SELECT item.title, place.code, movement.delta, movement.reason FROM stock_movement AS movement
            JOIN stock_level AS level ON level.id = movement.stock_level_id
            JOIN stock_item AS item ON item.id = level.stock_item_id
            JOIN stock_location AS place ON place.id = level.location_id ORDER BY movement.id
            """
        )
    )
    return [tuple(row) for row in rows]


async def shortages(shop: Shop) -> list[tuple[UUID, int]]:
    """The announced ones, oldest first."""
    rows = await shop.read.records(text("SELECT data FROM event WHERE name = 'StockShort' ORDER BY id"))
    return [(UUID(row.data["level_id"]), row.data["shortage"]) for row in rows]


_PENDING = text(
    """
    WITH cart_ AS (
        INSERT INTO cart SELECT (jsonb_populate_record(CAST(NULL AS cart), to_jsonb(c) || :cart)).*
        FROM (SELECT * FROM cart WHERE status = 'completed' ORDER BY id LIMIT 1) AS c
    ), order_ AS (
        INSERT INTO "order" SELECT (jsonb_populate_record(CAST(NULL AS "order"), to_jsonb(o) || :order_)).*
        FROM (SELECT * FROM "order" WHERE status <> 'pending' ORDER BY id LIMIT 1) AS o
    )
    INSERT INTO order_line SELECT (jsonb_populate_record(CAST(NULL AS order_line), to_jsonb(l) || changed.line)).*
    FROM (SELECT * FROM order_line ORDER BY id LIMIT 1) AS l, jsonb_array_elements(:lines) AS changed (line)
    """
).bindparams(bindparam("cart", type_=JSONB), bindparam("order_", type_=JSONB), bindparam("lines", type_=JSONB))


async def pending(tx: Tx, *lines: tuple[UUID, int]) -> tuple[UUID, list[Need]]:
    """A pending order of variants, a copy of the first placed order but for its lines; it holds nothing yet."""
    needs = [Need(new_id(), new_id(), variant, units) for variant, units in lines]
    order_id, cart_id = new_id(), new_id()
    cart = {"id": cart_id, "status": "paying", "completed_at": None, "token_hash": str(cart_id)}
    order = {"id": order_id, "cart_id": cart_id, "number": None, "status": "pending", "placed_at": None}
    rows = [
        {"id": n.order_line_id, "order_id": order_id, "position": i, "variant_id": n.variant_id, "quantity": n.units}
        for i, n in enumerate(needs)
    ]
    await tx.run(_PENDING, cart=cart, order_=order, lines=rows)
    return order_id, needs


@asynccontextmanager
async def unseen(shop: Shop) -> AsyncGenerator[tuple[Tx, Any]]:
    """A transaction of which nothing stays, with its connection."""
    async with shop.database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            yield Tx(shop.database, connection), connection
        finally:
            await transaction.rollback()


async def was_done(database: Database, write: Callable[[Tx], Awaitable[Any]]) -> bool:
    """Whether a transaction of its own was not refused."""
    done = True
    try:
        async with database.tx() as tx:
            await write(tx)
    except* Refusal:
        done = False
    return done
