"""Examples for stock: with what its fields are tried."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import new_id
from domain.processes.shop import Shop
from resolvers import ids
from tests.api import Api

if TYPE_CHECKING:
    from tests.matrix_world import MatrixWorld

Given = Mapping[str, Any]
Example = Callable[[Any, Any], Given | Awaitable[Given]]
KEY: Final = {"idempotencyKey": "matrix"}


async def shelves(shop: Shop, *workers: Api) -> dict[str, str]:
    """A level of what is for sale, with its item and location; each of the workers has put something there."""
    (level,) = await shop.read.records(text("SELECT * FROM stock_level ORDER BY id LIMIT 1"))
    things = {"StockItem": level.stock_item_id, "StockLevel": level.id, "StockLocation": level.location_id}
    named = {kind: ids.encode(kind, key) for kind, key in things.items()}
    row = {"stockItemId": named["StockItem"], "stockLocationId": named["StockLocation"], "delta": 1}
    for worker in workers:
        change = {"rows": [row], "reason": "RECEIPT", "note": "From the mill", "idempotencyKey": "world"}
        await worker.done("stockAdjust", change, "__typename")
    async with shop.tx() as tx:
        await tx.run(_SENT_AND_RETURNED, level=level.id)
        await tx.run(text("UPDATE stock_item SET sku = 'B-1' WHERE id = :item"), item=level.stock_item_id)
        await tx.run(text("INSERT INTO stock_location VALUES (:id, 'shed', 'The old shed', 5, now())"), id=new_id())
    return named


_SENT_AND_RETURNED: Final = text(
    """
    INSERT INTO stock_movement (stock_level_id, delta, reason, order_id)
    SELECT :level, delta, reason, (SELECT id FROM "order" WHERE status <> 'pending' ORDER BY id LIMIT 1)
    FROM (VALUES (-1, 'shipment'), (1, 'return')) AS moved (delta, reason)
    """
)


def spot(world: "MatrixWorld", **more: Any) -> dict[str, Any]:
    place = {"stockLocationId": world.things["StockLocation"]}
    return {"stockItemId": world.things["StockItem"], **place, **more}


async def counted(world: "MatrixWorld", _who: object) -> Given:
    lying = await world.shop.read.value(
        text("SELECT on_hand FROM stock_level WHERE id = :id").bindparams(
            id=ids.decode("StockLevel", world.things["StockLevel"])
        )
    )
    return {"rows": [spot(world, onHand=lying + 1, changeFrom=lying)], **KEY}


async def empty_location(world: "MatrixWorld") -> str:
    key: UUID = new_id()
    async with world.shop.tx() as tx:
        await tx.run(text("INSERT INTO stock_location VALUES (:id, :code, 'The van', 9)"), id=key, code=str(key))
    return ids.encode("StockLocation", key)


async def given_up(world: "MatrixWorld", _who: object) -> Given:
    return {"stockLocationId": await empty_location(world), **KEY}


async def moved(world: "MatrixWorld", _who: object) -> Given:
    there = {"fromLocationId": world.things["StockLocation"], "toLocationId": await empty_location(world)}
    return {"rows": [{"stockItemId": world.things["StockItem"], **there, "quantity": 1}], **KEY}


QUERIES: Final[dict[str, dict[str, Example]]] = {
    "stockItem": {"": lambda world, _: {"id": world.things["StockItem"]}},
    "stockItems": {"": lambda *_: {}, "by title": lambda *_: {"filter": {"title": "ban"}}},
    "stockLocation": {"": lambda world, _: {"id": world.things["StockLocation"]}},
    "stockMovements": {"": lambda *_: {}, "of a level": lambda world, _: {"levelId": world.things["StockLevel"]}},
}
MUTATIONS: Final[dict[str, Example]] = {
    "stockAdjust": lambda world, _: {"rows": [spot(world, delta=1)], "reason": "RECEIPT", **KEY},
    "stockItemCreate": lambda *_: {"title": "Lid", **KEY},
    "stockItemUpdate": lambda world, _: {"stockItemId": world.things["StockItem"], "title": "Lid", **KEY},
    "stockLocationArchive": given_up,
    "stockLocationCreate": lambda *_: {"code": "shop", "name": "The shop", "priority": 2, **KEY},
    "stockLocationUpdate": lambda world, _: {
        "stockLocationId": world.things["StockLocation"],
        "name": "The shed",
        **KEY,
    },
    "stockSet": counted,
    "stockSetBackorderLimit": lambda world, _: {"rows": [spot(world, backorderLimit=5)], **KEY},
    "stockSettingsUpdate": lambda *_: {"shownQuantity": 5, **KEY},
    "stockTransfer": moved,
    "variantSetStockItems": lambda world, _: {
        "variantId": world.things["Variant"],
        "items": [{"stockItemId": world.things["StockItem"], "quantity": 2}],
        **KEY,
    },
}
