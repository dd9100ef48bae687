"""A cart, live: as it is now, again and again, whoever changes it; also what completes it behind its client's back."""

from collections.abc import AsyncGenerator
from typing import Any, Final

from sqlalchemy import Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import Cart
from db.cart import CartStatus
from db.connection import Read
from domain import cart as carts
from domain.cart import CartKey
from resolvers import cart, ids
from resolvers.context import Ctx
from resolvers.request_error import BadUserInput, Unauthenticated
from resolvers.watch import Watch

_CARTS: Final = select(Cart).where(Cart.id == any_(bindparam("keys", type_=ARRAY(Uuid))))


async def cart_updated(ctx: Ctx, cart_id: str, token: str | None) -> AsyncGenerator[dict[str, Any]]:
    """States may be passed over when many follow each other; the last one never is, and ends the stream."""
    named = ids.decode("Cart", cart_id, "cart_id")
    key = CartKey(named, token if token is not None else ctx.cart_token, ctx.actor)
    watch = Watch(ctx)
    async with ctx.live.watches.watching(watch), ctx.live.listen(f"cart:{named}", watch):
        told: Any = None
        while True:
            found = await _read(ctx, key)
            if found is None and told is None:
                raise BadUserInput("There is no such cart, or it is not yours.", "cartId")
            if found is None:
                raise Unauthenticated("This cart may no longer be read.")
            state = found.version, found.status, found.updated_at
            if state != told:
                await ctx.live.watches.still(watch)
                told = state
                ctx.loaded.clear()
                yield {"__typename": "CartState", "version": found.version, "cart": cart.shown(ctx, found)}
            if found.status == CartStatus.COMPLETED:
                return
            await watch.wait()


async def _read(ctx: Ctx, key: CartKey) -> Cart | None:
    async def load(read: Read, keys: list[Any]) -> dict[Any, Any]:
        return {row.id: row for row in await read.all(_CARTS, keys=list(keys))}

    found = await ctx.live.asked("carts", load)(key.cart_id)
    return found if found is not None and carts.is_theirs(found, key) else None
