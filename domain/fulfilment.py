"""What was sent and what has arrived: the fact that order lines, stock, tickets and the order's status follow.

Whoever calls holds the lock on the order. Each count changes by one conditional UPDATE, and what does not fit is
refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import text

from db import Fulfilment, FulfilmentLine
from db.connection import Tx, new_id
from domain import shipment
from domain.actor import Actor
from domain.event import Event, announce
from domain.refusal import Gathering, ValidationFailed

LONGEST: Final = 200
LONGEST_URL: Final = 2_000


@dataclass(frozen=True)
class FulfilmentShipped(Event):
    """Something was sent."""

    about: ClassVar[str] = "order_id"
    order_id: UUID
    fulfilment_id: UUID


@dataclass(frozen=True)
class FulfilmentDelivered(Event):
    """All of it has arrived."""

    about: ClassVar[str] = "order_id"
    order_id: UUID
    fulfilment_id: UUID


@dataclass(frozen=True)
class Tracking:
    """How to follow a parcel; what is empty is not known."""

    carrier: str = ""
    number: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        gathering = Gathering()
        for name, given in (("carrier", self.carrier), ("tracking_number", self.number)):
            with gathering.at(name):
                if len(given) > LONGEST or not given.isprintable():
                    raise ValidationFailed(f"It has at most {LONGEST} printable characters.")
        with gathering.at("tracking_url"):
            if self.url and not is_web_address(self.url):
                raise ValidationFailed(f"An address begins with https:// and has at most {LONGEST_URL:,} characters.")
        gathering.raise_if_any()

    @property
    def columns(self) -> dict[str, str]:
        return {"carrier": self.carrier, "tracking_number": self.number, "tracking_url": self.url}


def is_web_address(url: str) -> bool:
    """Shown as a link to customers, so nothing else than the web is one."""
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"https", "http"} and bool(parts.hostname)
    except ValueError:
        return False


@dataclass(frozen=True)
class Part:
    """Units of a line, and of which of its tickets."""

    order_line_id: UUID
    quantity: int
    ticket_id: UUID | None = None


async def ship(tx: Tx, order_id: UUID, parts: Sequence[Part], tracking: Tracking, actor: Actor) -> UUID:
    """Books that the parts were sent together. Refuses with the path of the part, `("lines", position, …)`."""
    by_line: dict[UUID, int] = {}
    for part in parts:
        by_line[part.order_line_id] = by_line.get(part.order_line_id, 0) + part.quantity
    await lock_stock(tx, list(by_line))
    shipped = await tx.records(_SHIP_LINES, order_id=order_id, parts=_quantities(by_line))
    if missing := by_line.keys() - {row.id for row in shipped}:
        position = next(i for i, part in enumerate(parts) if part.order_line_id in missing)
        message = "Of this line fewer units are left to be sent."
        raise ValidationFailed(message, path=("lines", str(position), "quantity"))
    for line_id, quantity in sorted(by_line.items()):
        await shipment.ship(tx, line_id, quantity, actor)
    fulfilment_id = new_id()
    await tx.insert(Fulfilment, [{"id": fulfilment_id, "order_id": order_id, **tracking.columns}])
    await tx.insert(FulfilmentLine, (_line(fulfilment_id, order_id, part) for part in parts))
    of_tickets = {part.ticket_id: part.quantity for part in parts if part.ticket_id is not None}
    await tx.run(_SHIP_TICKETS, parts=_quantities(of_tickets))
    await _refresh_status(tx, order_id)
    await announce(tx, FulfilmentShipped(order_id, fulfilment_id))
    return fulfilment_id


def _line(fulfilment_id: UUID, order_id: UUID, part: Part) -> dict[str, Any]:
    return {
        "id": new_id(),
        "fulfilment_id": fulfilment_id,
        "order_id": order_id,
        "order_line_id": part.order_line_id,
        "ticket_id": part.ticket_id,
        "quantity": part.quantity,
    }


def _quantities(by_id: dict[Any, int]) -> list[dict[str, Any]]:
    return [{"id": key, "quantity": quantity} for key, quantity in by_id.items()]


@dataclass(frozen=True)
class Arrived:
    """Units of a ticket (or of a line without any) that have arrived now."""

    order_line_id: UUID
    ticket_id: UUID | None
    quantity: int


async def deliver(
    tx: Tx, order_id: UUID, *, fulfilment_id: UUID | None = None, ticket_id: UUID | None = None
) -> list[Arrived]:
    """Books that what is still on its way has arrived: of a fulfilment, or of a ticket. Empty: nothing was."""
    arrived = await tx.records(_DELIVER_LINES, order_id=order_id, fulfilment_id=fulfilment_id, ticket_id=ticket_id)
    if not arrived:
        return []
    by_line: dict[UUID, int] = {}
    by_ticket: dict[UUID, int] = {}
    for row in arrived:
        by_line[row.order_line_id] = by_line.get(row.order_line_id, 0) + row.quantity
        if row.ticket_id is not None:
            by_ticket[row.ticket_id] = by_ticket.get(row.ticket_id, 0) + row.quantity
    await tx.run(_ARRIVED_LINES, parts=_quantities(by_line))
    await tx.run(_ARRIVED_TICKETS, parts=_quantities(by_ticket))
    whole = await tx.records(_DELIVERED, ids=list({row.fulfilment_id for row in arrived}))
    await _refresh_status(tx, order_id)
    await announce(tx, *(FulfilmentDelivered(order_id, row.id) for row in whole))
    return [Arrived(row.order_line_id, row.ticket_id, row.quantity) for row in arrived]


async def cancel(tx: Tx, order_id: UUID, order_line_id: UUID, quantity: int) -> None:
    """Units of a line are not wanted any more; their stock is free again."""
    await lock_stock(tx, [order_line_id])
    if not await tx.run(_CANCEL_LINE, id=order_line_id, order_id=order_id, quantity=quantity):
        raise ValidationFailed("Of this line fewer units are left to be cancelled.", path=("quantity",))
    await shipment.cancel(tx, order_line_id, quantity)
    await _refresh_status(tx, order_id)


async def lock_stock(tx: Tx, order_line_ids: Sequence[UUID]) -> None:
    """Locks what several lines are promised, in one go and by id, as two orders may be promised of the same levels."""
    await tx.records(_LOCK_STOCK, lines=list(order_line_ids))


_LOCK_STOCK: Final = text(
    """
    SELECT id FROM stock_level WHERE id IN (
        SELECT stock_level_id FROM stock_reservation WHERE order_line_id = ANY(:lines) AND state = 'allocated')
    ORDER BY id FOR NO KEY UPDATE
    """
)
_SHIP_LINES: Final = text(
    """
    UPDATE order_line AS line SET shipped = line.shipped + part.quantity
    FROM jsonb_to_recordset(:parts) AS part (id uuid, quantity integer)
    WHERE line.id = part.id AND line.order_id = :order_id
      AND line.cancelled + line.shipped + part.quantity <= line.quantity
    RETURNING line.id
    """
)
_SHIP_TICKETS: Final = text(
    """
    UPDATE ticket SET shipped = ticket.shipped + part.quantity
    FROM jsonb_to_recordset(:parts) AS part (id uuid, quantity integer) WHERE ticket.id = part.id
    """
)
_DELIVER_LINES: Final = text(
    """
    UPDATE fulfilment_line SET delivered_at = clock_timestamp()
    WHERE order_id = :order_id AND delivered_at IS NULL
      AND (fulfilment_id = CAST(:fulfilment_id AS uuid) OR ticket_id = CAST(:ticket_id AS uuid))
    RETURNING fulfilment_id, order_line_id, ticket_id, quantity
    """
)
_ARRIVED_LINES: Final = text(
    """
    UPDATE order_line SET delivered = order_line.delivered + part.quantity
    FROM jsonb_to_recordset(:parts) AS part (id uuid, quantity integer) WHERE order_line.id = part.id
    """
)
_ARRIVED_TICKETS: Final = text(
    """
    UPDATE ticket SET delivered = ticket.delivered + part.quantity
    FROM jsonb_to_recordset(:parts) AS part (id uuid, quantity integer) WHERE ticket.id = part.id
    """
)
_DELIVERED: Final = text(
    """
    UPDATE fulfilment SET delivered_at = clock_timestamp()
    WHERE id = ANY(:ids) AND delivered_at IS NULL AND NOT EXISTS (
        SELECT FROM fulfilment_line AS line WHERE line.fulfilment_id = fulfilment.id AND line.delivered_at IS NULL)
    RETURNING id
    """
)
_CANCEL_LINE: Final = text(
    """
    UPDATE order_line SET cancelled = cancelled + :quantity
    WHERE id = :id AND order_id = :order_id AND cancelled + shipped + :quantity <= quantity
    """
)
_REFRESH_STATUS: Final = text(
    """
    UPDATE "order" SET fulfillment_status = now_.status, version = version + 1
    FROM (
        SELECT CASE WHEN sum(shipped) = 0 THEN 'none'
                    WHEN sum(delivered) = sum(quantity - cancelled) THEN 'delivered'
                    WHEN sum(shipped) = sum(quantity - cancelled) THEN 'fulfilled'
                    ELSE 'partial' END AS status
        FROM order_line WHERE order_id = :order_id
    ) AS now_
    WHERE id = :order_id AND fulfillment_status <> now_.status AND fulfillment_status <> 'returned'
    """
)


async def _refresh_status(tx: Tx, order_id: UUID) -> None:
    """The only writer of `order.fulfillment_status`; what came back stays so."""
    await tx.run(_REFRESH_STATUS, order_id=order_id)
