"""Carts: what someone means to buy. Every write locks the cart row first, so parallel writes queue up."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update

from db import Cart, Region, RegionCountry
from db.cart import CartStatus
from db.connection import Read, Tx, new_id
from domain.actor import Actor
from domain.address import Address
from domain.refusal import ErrorCode, NotFound, Refusal
from domain.secret import hash_of

NO_TOKEN: Final = ""
"""In place of a token's hash: no token has it."""


@dataclass(eq=False)
class CartPaying(Refusal):
    """A payment attempt is undecided; until it is, the cart stays as it is."""

    attempt_id: UUID | None = None
    since: datetime | None = None
    code = ErrorCode.CART_PAYING


@dataclass(eq=False)
class AlreadyCompleted(Refusal):
    """The cart became an order and does not change any more."""

    code = ErrorCode.ALREADY_COMPLETED


@dataclass(frozen=True)
class CartKey:
    """How a caller names a cart and proves that it is theirs: the secret token, or being its customer."""

    cart_id: UUID
    token: str | None
    actor: Actor

    @property
    def token_hash(self) -> str:
        return hash_of(self.token or "")


def _is_theirs(cart: Cart, key: CartKey) -> bool:
    if key.token is not None:
        return hmac.compare_digest(cart.token_hash, key.token_hash)
    return cart.customer_id is not None and cart.customer_id == key.actor.customer_id


_CART: Final = select(Cart).where(Cart.id == bindparam("cart_id"))
_LOCKED_CART: Final = _CART.with_for_update()


async def find(read: Read, key: CartKey) -> Cart | None:
    """The cart, if it is the caller's."""
    cart = await read.first(_CART, cart_id=key.cart_id)
    return cart if cart is not None and _is_theirs(cart, key) else None


async def lock(tx: Tx, key: CartKey) -> Cart:
    """The caller's cart, locked until the transaction ends, in whatever status it is."""
    cart = await tx.first(_LOCKED_CART, cart_id=key.cart_id)
    if cart is None or not _is_theirs(cart, key):
        raise NotFound("There is no such cart, or it is not yours.", path=("cart_id",))
    return cart


async def lock_open(tx: Tx, key: CartKey) -> Cart:
    """The caller's cart, locked and free to be changed."""
    cart = await lock(tx, key)
    if cart.status == CartStatus.COMPLETED:
        raise AlreadyCompleted("This cart was completed; begin a new one.", path=("cart_id",))
    if cart.status == CartStatus.PAYING:
        raise CartPaying("A payment for this cart is under way.", path=("cart_id",), since=cart.updated_at)
    return cart


_CREATED: Final = ("id", "token_hash", "region_id", "currency", "customer_id", "email")
_CREATE: Final = insert(Cart).values({name: bindparam(name) for name in _CREATED}).returning(Cart)


async def create(tx: Tx, region: Region, actor: Actor, email: str | None) -> tuple[Cart, str]:
    """A new, empty cart, and the token that only the caller will ever see."""
    token = secrets.token_urlsafe(24)
    cart = await tx.one(
        _CREATE,
        id=new_id(),
        token_hash=hash_of(token),
        region_id=region.id,
        currency=region.currency,
        customer_id=actor.customer_id,
        email=email,
    )
    return cart, token


async def set_customer(tx: Tx, cart: Cart, actor: Actor, email: str) -> Cart:
    """The contact of the order. A signed-in customer also becomes the cart's owner."""
    return await touch(tx, cart, email=email, customer_id=actor.customer_id or cart.customer_id)


async def touch(tx: Tx, cart: Cart, **values: Any) -> Cart:
    """Every write ends here, or in a statement that is made of this one: the version rises by one."""
    return await tx.one(touching(*values), cart_id=cart.id, **values)


@cache
def touching(*columns: str) -> Any:
    return (
        update(Cart)
        .where(Cart.id == bindparam("cart_id"))
        .values({column: bindparam(column) for column in columns})
        .values(version=Cart.version + 1, updated_at=func.clock_timestamp())
        .returning(Cart)
    )


_INSIDE: Final = (
    select(RegionCountry.country)
    .where(RegionCountry.region_id == Cart.region_id)
    .where(RegionCountry.country == Cart.shipping_address["country"].astext)
    .correlate(Cart)
)
_SET_ADDRESSES: Final = touching("shipping_address", "billing_address").returning(_INSIDE.exists().label("inside"))


async def set_addresses(tx: Tx, cart: Cart, shipping: Address, billing: Address | None = None) -> tuple[Cart, bool]:
    """The cart, and whether shipping lies in its region. Billing follows shipping where none is given."""
    addresses = {"shipping_address": shipping.data, "billing_address": (billing or shipping).data}
    touched = await tx.one(_SET_ADDRESSES, cart_id=cart.id, **addresses)
    return touched, touched.inside
