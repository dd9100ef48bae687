"""Addresses that customers keep for later orders. Those of others do not exist, whatever id is given."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, text, update

from db import Customer, CustomerAddress
from db.connection import Tx, new_id
from domain.address import Address
from domain.refusal import NotFound, ValidationFailed

MOST: Final = 50


@dataclass(frozen=True)
class Defaults:
    """What an address is the default for; null leaves it as it is."""

    shipping: bool | None = None
    billing: bool | None = None

    @property
    def given(self) -> dict[str, bool]:
        both = {"default_shipping": self.shipping, "default_billing": self.billing}
        return {name: value for name, value in both.items() if value is not None}


async def create(tx: Tx, customer_id: UUID, address: Address, defaults: Defaults) -> CustomerAddress:
    await _lock(tx, customer_id)
    count = select(func.count()).select_from(CustomerAddress).where(CustomerAddress.customer_id == customer_id)
    if await tx.one_scalar(count) >= MOST:
        raise ValidationFailed(f"An account has at most {MOST} addresses; delete one first.", path=("address",))
    await _make_room(tx, customer_id, defaults)
    row = {"id": new_id(), "customer_id": customer_id, "address": address.data}
    await tx.insert(CustomerAddress, [{**row, **defaults.given}])
    return await tx.one(select(CustomerAddress).where(CustomerAddress.id == row["id"]))


async def change(
    tx: Tx, customer_id: UUID, address_id: UUID, address: Address | None, defaults: Defaults
) -> CustomerAddress:
    """Replaces the address as a whole where one is given."""
    await _lock(tx, customer_id)
    await _make_room(tx, customer_id, defaults)
    values = {**defaults.given, **({"address": address.data} if address else {}), "updated_at": func.now()}
    changed = await tx.first(
        update(CustomerAddress)
        .where(CustomerAddress.id == address_id, CustomerAddress.customer_id == customer_id)
        .values(values)
        .returning(CustomerAddress)
    )
    if changed is None:
        raise NotFound(path=("address_id",))
    return changed


async def remove(tx: Tx, customer_id: UUID, address_id: UUID) -> None:
    theirs = (CustomerAddress.id == address_id) & (CustomerAddress.customer_id == customer_id)
    if not await tx.run(delete(CustomerAddress).where(theirs)):
        raise NotFound(path=("address_id",))


async def _lock(tx: Tx, customer_id: UUID) -> None:
    """Addresses of a customer change one after the other: they are counted, and one of them is the default."""
    await tx.run(_LOCK, id=customer_id)


async def _make_room(tx: Tx, customer_id: UUID, defaults: Defaults) -> None:
    """There is one default of each kind: the former one is one no more."""
    if defaults.shipping or defaults.billing:
        shipping, billing = bool(defaults.shipping), bool(defaults.billing)
        await tx.run(_MAKE_ROOM, customer_id=customer_id, shipping=shipping, billing=billing)


_LOCK: Final = select(Customer.id).where(Customer.id == bindparam("id")).with_for_update(key_share=True)
_MAKE_ROOM: Final = text(
    """
    UPDATE customer_address SET
        default_shipping = default_shipping AND NOT :shipping, default_billing = default_billing AND NOT :billing
    WHERE customer_id = :customer_id AND (default_shipping AND :shipping OR default_billing AND :billing)
    """
)
