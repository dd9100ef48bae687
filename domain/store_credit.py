"""Store credit: money of a customer that the shop keeps, by currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select, text

from db import Balance, Cart, Customer
from db.balance import EntryReason
from db.connection import Tx, new_id
from domain import audit, balance, idempotency
from domain import cart as carts
from domain.actor import Actor
from domain.address import check_line
from domain.balance import Change
from domain.cover import StoreCreditNotUsable
from domain.idempotency import IdempotencyKey
from domain.money import Money
from domain.refusal import Gathering, NotFound, ValidationFailed


@dataclass(frozen=True)
class AdjustStoreCredit:
    """`amount` may be negative; `reason` is for staff."""

    customer_id: UUID
    amount: Money
    reason: str
    idempotency_key: str

    def __post_init__(self) -> None:
        gathering = Gathering()
        with gathering.at("amount", "amount"):
            if self.amount.minor == 0:
                raise ValidationFailed("An adjustment of nothing is none.")
        with gathering.at("reason"):
            check_line(self.reason)
            if not self.reason.strip():
                raise ValidationFailed("Say why.")
        gathering.raise_if_any()

    def claim(self, actor: Actor) -> IdempotencyKey:
        asked = [self.customer_id, self.amount.minor, self.amount.currency, self.reason]
        return IdempotencyKey.of(actor.scope, "storeCreditAdjust", self.idempotency_key, asked)


async def adjust(tx: Tx, command: AdjustStoreCredit, actor: Actor) -> Balance:
    """Gives a customer credit, or takes away what is not held; the first time in a currency opens it."""
    key, amount = command.claim(actor), command.amount
    known = await idempotency.claim(tx, key)
    if known is not None:
        return await _replayed(tx, known)
    if not await tx.scalar(_LIVING, customer_id=command.customer_id):
        raise NotFound(path=("customer_id",))
    whose = {"customer_id": command.customer_id, "currency": amount.currency}
    await tx.run(_OPEN, id=new_id(), **whose)
    credit_id = await tx.one_scalar(_OF_CUSTOMER, **whose)
    wanted = Change(amount.minor, EntryReason.ADJUSTED, actor, command.reason.strip())
    changed = await balance.change(tx, credit_id, wanted)
    difference = {"amount": [changed.amount - amount.minor, changed.amount], "currency": [None, amount.currency]}
    await audit.record(tx, actor, "storeCreditAdjust", f"store_credit:{credit_id}", difference)
    await idempotency.settle(tx, key, {"store_credit_id": credit_id})
    return changed


async def use(tx: Tx, cart: Cart, actor: Actor, *, wanted: bool) -> Cart:
    """Says whether the customer's credit is to pay for their cart; nobody else can, whatever they know of the cart."""
    if wanted and (actor.customer_id is None or cart.customer_id != actor.customer_id):
        raise StoreCreditNotUsable(path=("cart_id",))
    return await carts.touch(tx, cart, store_credit_customer_id=actor.customer_id if wanted else None)


async def _replayed(tx: Tx, known: Mapping[str, str]) -> Balance:
    return await tx.one(_BY_ID, credit_id=UUID(known["store_credit_id"]))


# Locked against being erased meanwhile, not against being referred to.
_LIVING: Final = (
    select(Customer.id)
    .where(Customer.id == bindparam("customer_id"), Customer.erased_at.is_(None))
    .with_for_update(read=True)
)
_OPEN: Final = text(
    """
    INSERT INTO balance (id, kind, currency, customer_id) VALUES (:id, 'store_credit', :currency, :customer_id)
    ON CONFLICT DO NOTHING
    """
)
_OF_CUSTOMER: Final = select(Balance.id).where(
    Balance.customer_id == bindparam("customer_id"), Balance.currency == bindparam("currency")
)
_BY_ID: Final = select(Balance).where(Balance.id == bindparam("credit_id"))
