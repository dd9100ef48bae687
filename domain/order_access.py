"""Access to an order without signing in: links that are mailed, what they are exchanged for, and its end.

Neither an order's number nor its id nor the e-mail address that it was placed with opens anything. A link that is
mailed to that address does: it is good once, for the order's access token.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select, true, update

from db import Cart, Order
from db.connection import Read, Tx, new_id
from db.order import OrderStatus
from db.session import Purpose
from domain import audit, single_use
from domain import cart as carts
from domain import order as orders
from domain.actor import GUEST, Actor, OrderAccess
from domain.refusal import NotFound
from domain.single_use import TokenInvalid


async def send_link(tx: Tx, number: int, email: str) -> None:
    """Mails a link if the order is of this (normalised) address.

    If it is not, the same statements issue a token about nothing, which is mailed to nobody: so neither the answer
    nor its time tells whether there is such an order.
    """
    order_id = await tx.scalar(_OF_EMAIL, number=number, email=email)
    await single_use.issue(tx, Purpose.ORDER_ACCESS, order_id or new_id())


async def exchange(tx: Tx, token_id: UUID | None) -> Order:
    """The order that a link opens, which is used up by it. `token_id` is what the link's signature proved."""
    used = await single_use.use(tx, token_id, Purpose.ORDER_ACCESS)
    order = await tx.first(_PLACED_ORDER, order_id=used.subject_id)
    if order is None:
        raise TokenInvalid(path=("token",))
    return order


async def is_open(read: Read, access: OrderAccess) -> bool:
    """Whether an access token still opens its order."""
    return await orders.find(read, Order.id == access.order_id, GUEST, access) is not None


async def end(tx: Tx, order_id: UUID, actor: Actor) -> None:
    """No token and no link of the order opens it any more; for its customer, and for staff with `orders:write`.

    Nor does the token of the cart that it was, which would show the order's next one.
    """
    theirs = true() if actor.may("orders:write") else orders.owned_by(actor, None)
    placed = (Order.id == order_id) & (Order.status != OrderStatus.PENDING) & theirs
    if not await tx.run(update(Cart).where(Cart.id == Order.cart_id, placed).values(token_hash=carts.NO_TOKEN)):
        raise NotFound("There is no such order, or it is not yours.", path=("order_id",))
    ended = await tx.one(_END, order_id=order_id)
    await single_use.withdraw(tx, Purpose.ORDER_ACCESS, order_id)
    difference = {"access_version": [ended.access_version - 1, ended.access_version]}
    await audit.record(tx, actor, "orderEndAccess", f"order:{order_id}", difference)


_OF_EMAIL: Final = select(Order.id).where(
    Order.number == bindparam("number"), Order.email == bindparam("email"), Order.status != OrderStatus.PENDING
)
_END: Final = (
    update(Order)
    .where(Order.id == bindparam("order_id"))
    .values(access_version=Order.access_version + 1, version=Order.version + 1)
    .returning(Order)
)
_PLACED_ORDER: Final = select(Order).where(Order.id == bindparam("order_id"), Order.status != OrderStatus.PENDING)
