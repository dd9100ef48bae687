"""Orders: the snapshot of a cart, pending while it is paid, then placed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, false, func, or_, select, text, true, update

from db import ORDER_NUMBER, Order
from db.connection import Read, Tx
from db.order import OrderStatus, WorkStatus
from domain.actor import Actor, OrderAccess
from domain.event import Event, announce


@dataclass(frozen=True)
class OrderPlaced(Event):
    """The order has its number and its stock. Sent once per order; not sent for pending ones."""

    about: ClassVar[str] = "order_id"
    order_id: UUID


@dataclass(frozen=True)
class OrderLinesCancelled(Event):
    """Units of a line are no longer wanted: `order_line.cancelled` has risen by `quantity`."""

    about: ClassVar[str] = "order_id"
    order_id: UUID
    order_line_id: UUID
    quantity: int


def visible_to(actor: Actor, access: OrderAccess | None) -> ColumnElement[bool]:
    """Whose orders a query may see: staff with the permission all, others their own."""
    return true() if actor.may("orders:read") else owned_by(actor, access)


def owned_by(actor: Actor, access: OrderAccess | None) -> ColumnElement[bool]:
    """A customer's own orders and a token's one; those of guests belong to nobody but their tokens."""
    mine: list[ColumnElement[bool]] = [false()]
    if actor.customer_id is not None:
        mine.append(Order.customer_id == actor.customer_id)
    if access is not None:
        mine.append((Order.id == access.order_id) & (Order.access_version == access.access_version))
    return or_(*mine) & (Order.status != OrderStatus.PENDING)


async def find(read: Read, named: ColumnElement[bool], actor: Actor, access: OrderAccess | None) -> Order | None:
    """The order that is named by its id or number, if the caller may see it."""
    return await read.first(select(Order).where(named, visible_to(actor, access)))


_OPEN: Final = text(
    """
    SELECT key.n FROM unnest(CAST(:orders AS uuid[]), CAST(:customers AS uuid[]), CAST(:opened AS uuid[]),
        CAST(:versions AS int[])) WITH ORDINALITY AS key (order_id, customer_id, opened, version, n)
    JOIN "order" AS o ON o.id = key.order_id
    WHERE o.status <> 'pending'
      AND (o.customer_id = key.customer_id OR (o.id = key.opened AND o.access_version = key.version))
    """
)


async def still_open(read: Read, asked: Sequence[tuple[UUID, UUID | None, OrderAccess | None]]) -> list[bool]:
    """Whether each order is the customer's, or the access token opens it: `owned_by` for many at once."""
    access = [token for _, _, token in asked]
    given = {
        "orders": [order_id for order_id, _, _ in asked],
        "customers": [customer_id for _, customer_id, _ in asked],
        "opened": [token and token.order_id for token in access],
        "versions": [token and token.access_version for token in access],
    }
    found = {row.n for row in await read.records(_OPEN, **given)}
    return [n in found for n in range(1, len(asked) + 1)]


_PLACE: Final = (
    update(Order)
    .where(Order.id == bindparam("order_id"), Order.status == OrderStatus.PENDING)
    .values(
        status=OrderStatus.PLACED,
        number=ORDER_NUMBER.next_value(),
        placed_at=func.clock_timestamp(),
        version=Order.version + 1,
    )
    .returning(Order)
)


async def place(tx: Tx, order_id: UUID) -> Order:
    """Gives a pending order its number and announces it; the order as it is now."""
    order = await tx.one(_PLACE, order_id=order_id)
    await announce(tx, OrderPlaced(order_id))
    return order


_SET_WORK_STATUS: Final = (
    update(Order)
    .where(Order.id == bindparam("order_id"), Order.work_status != bindparam("work_status"))
    .values(work_status=bindparam("work_status"), version=Order.version + 1)
)


async def set_work_status(tx: Tx, order_id: UUID, status: WorkStatus) -> None:
    """Written by tickets only: it is the sum of their states."""
    await tx.run(_SET_WORK_STATUS, order_id=order_id, work_status=status)
