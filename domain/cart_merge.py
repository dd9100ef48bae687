"""Two carts become one: what somebody gathered as a guest comes to what they have as a customer."""

import secrets
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from db import Cart
from db.cart import CartStatus
from db.connection import Tx
from domain.cart import NO_TOKEN, CartKey, check_open, check_version, is_theirs, touch
from domain.cart_line import MOST_UNITS, touch_resized
from domain.gift_card import MOST_OF_A_CART
from domain.refusal import NotFound
from domain.secret import hash_of
from domain.warning import MergedLine, Notice


@dataclass(frozen=True)
class Merged:
    """`token` is the new secret of a guest's cart that became the customer's; null where it went into another one."""

    cart: Cart
    warnings: tuple[Notice, ...] = ()
    token: str | None = None


_NEWEST: Final = (
    select(Cart.id)
    .where(Cart.customer_id == bindparam("customer_id"), Cart.status != CartStatus.COMPLETED)
    .where(Cart.id != bindparam("source"))
    .order_by(Cart.updated_at.desc())
    .limit(1)
)
_LOCK: Final = (
    select(Cart).where(Cart.id == any_(bindparam("carts", type_=ARRAY(Uuid)))).order_by(Cart.id).with_for_update()
)


async def merge(tx: Tx, source: CartKey, into: UUID | None = None) -> Merged:
    """Puts the lines of a cart into another one of the customer's: `into`, else the one they touched last.

    Without another one it becomes theirs as it is. Either way its token is good for nothing afterwards.
    """
    customer_id = source.actor.customer_id
    assert customer_id is not None
    target_id = into or await tx.scalar(_NEWEST, customer_id=customer_id, source=source.cart_id)
    carts = {cart.id: cart for cart in await tx.all(_LOCK, carts=[source.cart_id, target_id or source.cart_id])}
    guest = carts.get(source.cart_id)
    if guest is None or not is_theirs(guest, source) or guest.customer_id not in (None, customer_id):
        raise NotFound("There is no such cart, or it is not yours.", path=("cart_id",))
    target = carts.get(target_id) if target_id is not None else None
    if into is not None and (target is None or target.customer_id != customer_id or target.id == guest.id):
        raise NotFound("There is no such cart, or it is not yours.", path=("into_cart_id",))
    await check_open(tx, guest)
    check_version(guest, source)
    if target is None or (guest.customer_id == customer_id and into is None):
        return await _adopt(tx, guest, customer_id)
    await check_open(tx, target, "into_cart_id")
    return await _put_together(tx, guest, target)


async def _adopt(tx: Tx, guest: Cart, customer_id: UUID) -> Merged:
    if guest.customer_id == customer_id:
        return Merged(guest)
    token = secrets.token_urlsafe(24)
    return Merged(await touch(tx, guest, customer_id=customer_id, token_hash=hash_of(token)), token=token)


# Of equal lines the customer's stays, with as many units as a line of the variant may have; it never gets fewer.
_ADD_UP: Final = text(
    """
    UPDATE cart_line AS line
    SET quantity = greatest(line.quantity,
        least(line.quantity + other.quantity, coalesce(variant.quantity_max, :most), :most))
    FROM cart_line AS other JOIN variant ON variant.id = other.variant_id, cart_line AS before
    WHERE other.cart_id = :source AND line.cart_id = :target AND before.id = line.id
      AND line.variant_id = other.variant_id AND line.brief_hash = other.brief_hash
    RETURNING line.id, line.quantity, line.quantity - before.quantity AS added
    """
)
# What was seen of a price in another currency is nothing to compare with.
_MOVE: Final = text(
    """
    UPDATE cart_line AS line
    SET cart_id = :target, seen_price = CASE WHEN :same THEN seen_price END
    WHERE cart_id = :source AND NOT EXISTS (
        SELECT FROM cart_line AS equal WHERE equal.cart_id = :target
          AND equal.variant_id = line.variant_id AND equal.brief_hash = line.brief_hash)
    RETURNING id, quantity, quantity AS added
    """
)
_EMPTY: Final = text("DELETE FROM cart_line WHERE cart_id = :source")
# What the customer's cart does not say yet it takes from the other; the ways of delivery are those of its region.
_TAKE_OVER: Final = text(
    """
    UPDATE cart SET
        email = coalesce(cart.email, guest.email),
        shipping_address = coalesce(cart.shipping_address, guest.shipping_address),
        billing_address = coalesce(cart.billing_address, guest.billing_address),
        delivery_option_id = coalesce(cart.delivery_option_id,
            CASE WHEN guest.region_id = cart.region_id THEN guest.delivery_option_id END),
        gift_card_ids = (cart.gift_card_ids || ARRAY(
            SELECT card FROM unnest(guest.gift_card_ids) WITH ORDINALITY AS given (card, n)
            WHERE card <> ALL(cart.gift_card_ids) AND guest.currency = cart.currency ORDER BY n))[1:CAST(:cards AS int)]
    FROM cart AS guest WHERE guest.id = :source AND cart.id = :target
    """
)
# It is kept, as an order may name it; nobody can open it any more.
_RETIRE: Final = text(
    """
    UPDATE cart SET token_hash = :no_token, customer_id = NULL, email = NULL, shipping_address = NULL,
        billing_address = NULL, metadata = '{}', gift_card_ids = '{}', store_credit_customer_id = NULL,
        version = version + 1, updated_at = clock_timestamp()
    WHERE id = :source
    """
)


async def _put_together(tx: Tx, guest: Cart, target: Cart) -> Merged:
    both: dict[str, Any] = {"source": guest.id, "target": target.id}
    added_up = await tx.records(_ADD_UP, **both, most=MOST_UNITS)
    moved = await tx.records(_MOVE, **both, same=guest.currency == target.currency)
    await tx.run(_EMPTY, source=guest.id)
    await tx.run(_TAKE_OVER, **both, cards=MOST_OF_A_CART)
    await tx.run(_RETIRE, source=guest.id, no_token=NO_TOKEN)
    cart = await touch_resized(tx, target, otherwise=("cart_id",))
    return Merged(cart, tuple(_merged(row) for row in sorted([*added_up, *moved], key=lambda row: row.id)))


def _merged(row: Any) -> MergedLine:
    return MergedLine(
        message=f"{row.added:,} came from the other cart.",
        path=("cart_id",),
        line_id=row.id,
        quantity=row.quantity,
        added=row.added,
    )
