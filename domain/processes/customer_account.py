"""What follows when an address is proven to be a customer's: the orders that were placed with it are theirs.

Never before, since anybody can write any address into a cart; and never those that belong to an account.
"""

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from sqlalchemy import text

from db import Customer
from db.connection import Tx
from db.session import Purpose
from domain import customer, customer_email
from domain.actor import Actor
from domain.event import Event, announce
from domain.processes.shop import Shop


@dataclass(frozen=True)
class OrdersAdopted(Event):
    """Orders of a guest became those of a customer. Not sent when there were none."""

    about: ClassVar[str] = "customer_id"
    customer_id: UUID
    count: int


async def confirm(shop: Shop, token_id: UUID | None, actor: Actor) -> Customer:
    async with shop.tx() as tx:
        confirmed = await customer.confirm(tx, token_id, actor)
        await adopt_orders(tx, confirmed)
    return confirmed


async def reset_password(shop: Shop, token_id: UUID | None, password_hash: str, actor: Actor) -> Customer:
    async with shop.tx() as tx:
        changed = await customer.reset_password(tx, token_id, password_hash, actor)
        await adopt_orders(tx, changed)
    return changed


async def confirm_email_change(shop: Shop, token_id: UUID | None, side: Purpose, actor: Actor) -> bool:
    """Whether both sides have confirmed it, so that it counts."""
    async with shop.tx() as tx:
        changed = await customer_email.confirm(tx, token_id, side, actor)
        if changed is not None:
            await adopt_orders(tx, changed)
    return changed is not None


async def adopt_orders(tx: Tx, owner: Customer) -> None:
    """Orders that nobody owns and that were placed with the address, which the caller has just seen proven."""
    adopted = await tx.run(_ADOPT, customer_id=owner.id, email=owner.email)
    if adopted:
        await announce(tx, OrdersAdopted(owner.id, adopted))


# Pending ones are still rewritten from their carts. Locked in the order of their ids.
_ADOPT: Final = text(
    """
    WITH guests AS (
        SELECT id FROM "order" WHERE customer_id IS NULL AND email = :email AND status <> 'pending'
        ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE "order" SET customer_id = :customer_id, version = version + 1 FROM guests WHERE "order".id = guests.id
    """
)
