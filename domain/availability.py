"""What shoppers are told of stock: whether a variant can be bought now, and up to how many.

Shops do not tell their stock: no more units are shown than a setting says, 10 by default. Triggers drop kept answers
when what is shown changes (db/changes.py), so it has the same default and reads the same setting.
"""

from enum import StrEnum
from typing import Final, TypedDict
from uuid import UUID

from sqlalchemy import text

from db.connection import Read, Tx
from domain import audit
from domain.actor import Actor
from domain.refusal import ValidationFailed

MOST_SHOWN: Final = 1_000_000


class AvailabilityStatus(StrEnum):
    IN_STOCK = "in_stock"
    BACKORDER = "backorder"
    OUT_OF_STOCK = "out_of_stock"
    NOT_TRACKED = "not_tracked"


class Availability(TypedDict):
    """`quantity` is null for what is not counted."""

    status: AvailabilityStatus
    quantity: int | None


NOT_TRACKED: Final = Availability(status=AvailabilityStatus.NOT_TRACKED, quantity=None)
OUT_OF_STOCK: Final = Availability(status=AvailabilityStatus.OUT_OF_STOCK, quantity=0)


async def available(read: Read, variants: list[UUID]) -> dict[UUID, Availability]:
    """Of variants whose stock is managed; of a bundle, by the item of which there is least. One statement."""
    if not variants:
        return {}
    found = {row.variant_id: _of(row.ready, row.units) for row in await read.records(_AVAILABLE, variants=variants)}
    return {variant: found.get(variant, OUT_OF_STOCK) for variant in variants}


def _of(ready: bool, units: int) -> Availability:
    if not units:
        return OUT_OF_STOCK
    return Availability(status=AvailabilityStatus.IN_STOCK if ready else AvailabilityStatus.BACKORDER, quantity=units)


# What is owed in one place takes nothing from another, so each level counts as 0 or more.
_AVAILABLE: Final = text(
    """
    SELECT variant_id, bool_and(ready >= 1) AS ready,
           CAST(least(min(free), coalesce((SELECT shown_quantity FROM stock_setting), 10)) AS bigint) AS units
    FROM (
        SELECT link.variant_id,
               trunc(coalesce(sum(greatest(on_hand - reserved - allocated, 0)), 0) / link.quantity) AS ready,
               trunc(coalesce(sum(greatest(on_hand + backorder_limit - reserved - allocated, 0)), 0) / link.quantity)
                   AS free
        FROM variant_stock_item AS link LEFT JOIN stock_level AS level ON level.stock_item_id = link.stock_item_id
        WHERE link.variant_id = ANY(:variants) GROUP BY link.variant_id, link.stock_item_id, link.quantity
    ) AS item GROUP BY variant_id
    """
)
_SHOWN: Final = text("SELECT coalesce((SELECT shown_quantity FROM stock_setting), 10) AS shown")
# Sales that are being written compare by the former number: they are to commit before this one counts.
_AFTER_SALES: Final = text("LOCK TABLE stock_level IN SHARE MODE")
_SET_SHOWN: Final = text(
    """
    INSERT INTO stock_setting (id, shown_quantity) VALUES (1, :shown)
    ON CONFLICT (id) DO UPDATE SET shown_quantity = excluded.shown_quantity
    """
)


async def shown_quantity(read: Read) -> int:
    (row,) = await read.records(_SHOWN)
    return row.shown


async def set_shown_quantity(tx: Tx, shown: int, actor: Actor) -> None:
    if not 1 <= shown <= MOST_SHOWN:
        raise ValidationFailed(f"A quantity is 1 to {MOST_SHOWN:,}.", path=("shown_quantity",))
    await tx.run(_AFTER_SALES)
    before = await shown_quantity(tx)
    await tx.run(_SET_SHOWN, shown=shown)
    difference = audit.changed({"shown_quantity": before}, {"shown_quantity": shown})
    await audit.record(tx, actor, "stockSettingsUpdate", f"stock_settings:{_ONLY}", difference)


_ONLY: Final = UUID(int=1)
"""There is one of them."""
