"""Carts of somebody who signs in."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select

from db import Cart
from db.cart import CartStatus
from domain import cart_merge
from domain.actor import Actor
from domain.assessment import Assessment, acknowledge
from domain.cart import CartKey
from domain.cart_warning import price_changes
from domain.processes.shop import Shop
from domain.refusal import Refusal
from domain.secret import hash_of
from domain.warning import CartNotMerged, Notice

_OF_TOKEN: Final = select(Cart).where(Cart.token_hash == bindparam("token_hash"), Cart.token_hash != "")


@dataclass(frozen=True)
class MergedAtSignIn:
    """`assessment` null: there was nothing to merge, or it could not be."""

    assessment: Assessment | None = None
    token: str | None = None
    warnings: tuple[Notice, ...] = ()


async def merge_at_sign_in(shop: Shop, token: str, customer: Actor) -> MergedAtSignIn:
    """Puts the cart of this token together with the customer's, in one transaction.

    Signing in succeeds whatever becomes of it: a cart that cannot be merged now stays as it is, with a warning; a
    token that opens nothing is left unsaid.
    """
    guest = await shop.read.first(_OF_TOKEN, token_hash=hash_of(token))
    if guest is None or guest.status == CartStatus.COMPLETED:
        return MergedAtSignIn()
    try:
        async with shop.tx() as tx:
            merged = await cart_merge.merge(tx, CartKey(guest.id, token, customer))
            assessment = await acknowledge(tx, merged.cart)
    except Refusal as refusal:
        notice = CartNotMerged(message=refusal.message, path=("cart_token",), reason=refusal.code.name)
        return MergedAtSignIn(warnings=(notice,))
    return MergedAtSignIn(assessment, merged.token, (*merged.warnings, *price_changes(assessment)))
