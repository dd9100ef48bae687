"""Stock as staff see and write it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from db import StockItem as StockItemRow
from db import StockLevel as StockLevelRow
from db import StockLocation as StockLocationRow
from db import StockMovement as StockMovementRow
from db import StockReservation as StockReservationRow
from db import VariantStockItem as VariantStockItemRow
from db.stock import ReservationState, StockMovementReason
from resolvers import audit, ids, stock
from schema.actor import ActorKind
from schema.build import column, derived, enum, loads, view
from schema.node import PAGE_ARGS, Connection, Node, page_args, public_id
from schema.scalars import BigInt

enum(
    StockMovementReason,
    "Why units came to a shelf or left it.",
    IMPORT="A catalogue was brought in with what lay there.",
    COUNT="Somebody counted.",
    ADJUSTMENT="Somebody corrected it, for no reason of these.",
    RECEIPT="A delivery of a supplier, or of the workshop.",
    LOSS="Broken, stolen, thrown away.",
    TRANSFER="Moved between two locations.",
    SHIPMENT="Sent to a customer.",
    RETURN="Sent back by a customer, and good enough to be sold again.",
    REPAIR="The ledger was put right; see `counterfoil stock reconcile`.",
)
enum(
    ReservationState,
    "What has become of units that an order line took.",
    HELD="Reserved while the order is being paid.",
    ALLOCATED="Promised to a placed order.",
    SHIPPED="Sent.",
    RELEASED="Given back.",
)


def _paged_by_id(rows: Sequence[Any], **args: Any) -> list[Any]:
    page = page_args(**args)
    return [(row["id"], page) for row in rows]


@view(StockMovementRow)
class StockMovement:
    """A change of what lies somewhere. Movements are neither changed nor removed: they add up to what lies there."""

    number: BigInt = derived(lambda row: row["id"], "Rises with time; there may be gaps.")
    delta: int = column("How many came, or below 0, left.")
    reason: StockMovementReason = column("Why.")
    note: str = column("What whoever wrote it noted.")
    at: datetime = column("When.")
    actor_kind: ActorKind = column("Which side acted; orders and imports are the shop itself.")
    staff_id: strawberry.ID | None = derived(
        lambda row: ids.encode("Staff", row["staff_id"]) if row["staff_id"] else None, "The member of staff who did it."
    )
    staff_name: str | None = loads(
        audit.staff_name, "staff_id", "What they are called now.", then=lambda found: found["name"]
    )
    api_key_id: strawberry.ID | None = derived(
        lambda row: ids.encode("ApiKey", row["api_key_id"]) if row["api_key_id"] else None,
        "The key of the program that did it.",
    )
    order_id: strawberry.ID | None = derived(
        lambda row: ids.encode("Order", row["order_id"]) if row["order_id"] else None,
        "The order that it was sent for, or came back from.",
    )
    level: "StockLevel" = loads(stock.level_by_id, "stock_level_id", "Of what, and where.")


@view(StockReservationRow)
class StockPromise:
    """What an order was promised of a level."""

    order_id: strawberry.ID = derived(lambda row: ids.encode("Order", row["order_id"]), "The order.")
    order_number: BigInt | None = strawberry.field(description="Its number; null while it is being paid.")
    order_line_id: strawberry.ID | None = derived(
        lambda row: ids.encode("OrderLine", row["order_line_id"]) if row["order_line_id"] else None, "The line."
    )
    quantity: int = column("How many of the item.")
    state: ReservationState = column("Held or allocated.")
    created_at: datetime = column("Since when.")


@view(StockLevelRow)
class StockLevel(Node):
    """What lies of an item in a location, and what is promised of it."""

    id: strawberry.ID = public_id("StockLevel")
    on_hand: int = column("What lies there.")
    reserved: int = column("Of that, held for orders that are being paid.")
    allocated: int = column("Of that, promised to placed orders and not sent yet.")
    available: int = derived(
        lambda row: row["on_hand"] - row["reserved"] - row["allocated"],
        "What is promised to nobody; below 0, so many are owed that have yet to come.",
    )
    backorder_limit: int = column("How many may be sold beyond what lies there.")
    shortage: int = column("How many more are promised than lie there and may be owed: a count or a loss found so.")
    item: "StockItem" = loads(stock.item_by_id, "stock_item_id", "What.")
    location: "StockLocation" = loads(stock.location_by_id, "location_id", "Where.")
    movements: Connection[StockMovement] = loads(
        stock.movements_of_level, _paged_by_id, "How it came to what lies there, newest first.", **PAGE_ARGS
    )
    promises: Connection[StockPromise] = loads(
        stock.promises_of_level, _paged_by_id, "To which orders, oldest first.", **PAGE_ARGS
    )


@view()
class StockItemUse:
    """A variant that takes a stock item."""

    variant_id: strawberry.ID = derived(lambda row: ids.encode("Variant", row["variant_id"]), "The variant.")
    sku: str | None = strawberry.field(description="Its number.")
    title: str = derived(lambda row: f"{row['product_title']} / {row['title']}", "Of product and variant.")
    quantity: int = strawberry.field(description="How many of the item one unit takes.")


@view(StockItemRow)
class StockItem(Node):
    """A thing that lies on shelves. A variant takes one, or as a bundle several."""

    id: strawberry.ID = public_id("StockItem")
    title: str = column("For staff.")
    sku: str | None = column("Its own number; null for one that was made with its variant, which has one.")
    created_at: datetime = column("Since when there is the item.")
    levels: list[StockLevel] = loads(
        stock.levels_of_item, "id", "What lies of it where, in the order in which it is taken from."
    )
    used_by: list[StockItemUse] = loads(stock.uses_of_item, "id", "The variants that take it.")


@view(StockLocationRow)
class StockLocation(Node):
    """Where stock lies."""

    id: strawberry.ID = public_id("StockLocation")
    code: str = column("For files and commands; unique.")
    name: str = column("For staff.")
    priority: int = column("1 is taken from first.")
    archived_at: datetime | None = column("Since when nothing lies there any more.")
    levels: Connection[StockLevel] = loads(stock.levels_of_location, _paged_by_id, "What lies there.", **PAGE_ARGS)


@view(VariantStockItemRow)
class VariantStockItem:
    """What one unit of a variant takes of a stock item."""

    item: StockItem = loads(stock.item_by_id, "stock_item_id", "The item.")
    quantity: int = column("How many.")


@view()
class StockSettings:
    """What goes for all stock."""

    shown_quantity: int = strawberry.field(description="Shoppers are told of no more units than this.")
