"""Carts: what someone means to buy. Every write locks the cart row first, so parallel writes queue up."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, text, update

from db import Cart, Order, PaymentAttempt, Region, RegionCountry
from db.cart import MOST_METADATA, CartStatus
from db.connection import Read, Tx, new_id
from domain.actor import Actor
from domain.address import Address
from domain.channel import CHOSEN
from domain.refusal import ErrorCode, NotFound, Refusal, ValidationFailed, VersionConflict
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
    if_version: int | None = None
    """The version that a write was made for; null: any."""

    @property
    def token_hash(self) -> str:
        return hash_of(self.token or "")


def is_theirs(cart: Cart, key: CartKey) -> bool:
    """A token that died takes nothing from the customer whose cart it is."""
    if key.token is not None and hmac.compare_digest(cart.token_hash, key.token_hash):
        return True
    return cart.customer_id is not None and cart.customer_id == key.actor.customer_id


_CART: Final = select(Cart).where(Cart.id == bindparam("cart_id"))
_LOCKED_CART: Final = _CART.with_for_update()


async def find(read: Read, key: CartKey) -> Cart | None:
    """The cart, if it is the caller's."""
    cart = await read.first(_CART, cart_id=key.cart_id)
    return cart if cart is not None and is_theirs(cart, key) else None


async def lock(tx: Tx, key: CartKey) -> Cart:
    """The caller's cart, locked until the transaction ends, in whatever status it is."""
    cart = await tx.first(_LOCKED_CART, cart_id=key.cart_id)
    if cart is None or not is_theirs(cart, key):
        raise NotFound("There is no such cart, or it is not yours.", path=("cart_id",))
    return cart


async def lock_open(tx: Tx, key: CartKey) -> Cart:
    """The caller's cart, locked and free to be changed."""
    cart = await lock(tx, key)
    await check_open(tx, cart)
    check_version(cart, key)
    return cart


def check_version(cart: Cart, key: CartKey) -> None:
    """Refuses a write that was made for another version of the cart, if it says for which."""
    if key.if_version is not None and key.if_version != cart.version:
        raise VersionConflict(
            "The cart has changed since it was read.", path=("if_version",), current_version=cart.version
        )


_ATTEMPT: Final = (
    select(PaymentAttempt.id, PaymentAttempt.created_at)
    .join(Order, Order.id == PaymentAttempt.order_id)
    .where(Order.cart_id == bindparam("cart_id"))
    .order_by(PaymentAttempt.n.desc())
    .limit(1)
)


async def check_open(read: Read, cart: Cart, *path: str) -> None:
    """Refuses a cart that cannot be changed, and says why. Before a change, the cart is locked."""
    at = path or ("cart_id",)
    if cart.status == CartStatus.COMPLETED:
        raise AlreadyCompleted("This cart was completed; begin a new one.", path=at)
    if cart.status == CartStatus.PAYING:
        attempts = await read.records(_ATTEMPT, cart_id=cart.id)
        attempt_id, since = (attempts[0].id, attempts[0].created_at) if attempts else (None, cart.updated_at)
        raise CartPaying("A payment for this cart is under way.", path=at, attempt_id=attempt_id, since=since)


# Read with a lock: it may be changed just now, and does not change any more once a cart is there.
_CURRENCY: Final = (
    select(Region.currency)
    .where(Region.id == bindparam("in_region"))
    .with_for_update(read=True, key_share=True)
    .scalar_subquery()
)
_CREATED: Final = ("id", "token_hash", "region_id", "customer_id", "email", "locale")
_CREATE: Final = (
    insert(Cart)
    .values({name: bindparam(name) for name in _CREATED})
    .values(channel_id=CHOSEN, currency=_CURRENCY)
    .returning(Cart)
)


async def create(
    tx: Tx,
    region: Region,
    actor: Actor,
    email: str | None,
    channel: UUID | None = None,
    *,
    locale: str | None = None,
) -> tuple[Cart, str]:
    """A new, empty cart, and the token that only the caller will ever see. Channel null: the default one."""
    token = secrets.token_urlsafe(24)
    cart = await tx.one(
        _CREATE,
        id=new_id(),
        token_hash=hash_of(token),
        region_id=region.id,
        in_region=region.id,
        channel=channel,
        customer_id=actor.customer_id,
        email=email,
        locale=locale,
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


async def set_addresses(tx: Tx, cart: Cart, shipping: Address, billing: Address | None = None) -> Cart:
    """Billing follows shipping where none is given."""
    return await touch(tx, cart, shipping_address=shipping.data, billing_address=(billing or shipping).data)


async def set_region(tx: Tx, cart: Cart, region: Region) -> Cart:
    """Everything is priced anew there. Ways of delivery belong to regions, so it has to be chosen anew."""
    chosen = cart.delivery_option_id if region.id == cart.region_id else None
    currency = await tx.one_scalar(_SOLD_IN, in_region=region.id)
    return await touch(tx, cart, region_id=region.id, currency=currency, delivery_option_id=chosen)


_SOLD_IN: Final = select(_CURRENCY)


_OPEN_REGION: Final = select(Region).where(Region.archived_at.is_(None))
_REGIONS: Final = {
    "region": _OPEN_REGION.where(Region.id == bindparam("region")),
    "country": _OPEN_REGION.join(RegionCountry, RegionCountry.region_id == Region.id).where(
        RegionCountry.country == bindparam("country")
    ),
    "currency": _OPEN_REGION.where(Region.currency == bindparam("currency")),
}


async def find_region(read: Read, by: str, value: object) -> Region:
    """By its id (`region`), by a `country`, or by a `currency` that only one region has."""
    found = await read.all(_REGIONS[by], **{by: value})
    if not found:
        raise NotFound("There is no such region in this shop.", path=(by,))
    if len(found) > 1:
        raise ValidationFailed("Several regions have this currency; name one of them.", path=(by,))
    return found[0]


_SET_METADATA: Final = text(
    """
    UPDATE cart SET metadata = :metadata, version = version + 1, updated_at = clock_timestamp()
    WHERE id = :cart_id AND octet_length(CAST(:metadata AS jsonb)::text) <= :most RETURNING *
    """
)


async def set_metadata(tx: Tx, cart: Cart, metadata: dict[str, Any]) -> Cart:
    """Replaces all of it."""
    written = await tx.records(_SET_METADATA, cart_id=cart.id, metadata=metadata, most=MOST_METADATA)
    if not written:
        raise too_much_metadata()
    return written[0]


def too_much_metadata() -> Refusal:
    return ValidationFailed(f"Metadata has at most {MOST_METADATA:,} bytes.", path=("metadata",))


@dataclass(frozen=True)
class Keeping:
    """For how long a cart is kept that nobody touches; a customer's longer than a guest's."""

    guests: timedelta = timedelta(days=30)
    customers: timedelta = timedelta(days=90)


# PREPARE locks the cart before it writes an order of it, so what is skipped or found here has none to come.
_ABANDONED: Final = text(
    """
    WITH abandoned AS MATERIALIZED (
        SELECT id FROM cart
        WHERE status = 'open'
          AND updated_at < statement_timestamp() - least(CAST(:guests AS interval), CAST(:customers AS interval))
          AND updated_at < statement_timestamp()
              - CASE WHEN customer_id IS NULL THEN CAST(:guests AS interval) ELSE CAST(:customers AS interval) END
          AND NOT EXISTS (SELECT FROM "order" WHERE "order".cart_id = cart.id)
        LIMIT 100 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM cart USING abandoned WHERE cart.id = abandoned.id
    """
)


async def prune(tx: Tx, keeping: Keeping) -> int:
    """Takes away some carts that nobody has touched for long; how many. Never one that has an order, so never one
    for which any payment was ever begun.
    """
    return await tx.run(_ABANDONED, guests=keeping.guests, customers=keeping.customers)
