"""A customer's own addresses."""

from typing import Any, cast

from db import CustomerAddress
from domain import customer_address
from domain.address import Address
from domain.customer_address import Defaults
from domain.refusal import under
from resolvers import ids
from resolvers.context import Ctx
from resolvers.customer import customer_by_id, own_id


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    address = _address(given.address)
    async with ctx.shop.tx() as tx:
        return _made(await customer_address.create(tx, own_id(ctx), address, _defaults(given)))


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("CustomerAddress", given.address_id, "address_id")
    address = _address(given.address) if given.address is not None else None
    async with ctx.shop.tx() as tx:
        return _made(await customer_address.change(tx, own_id(ctx), key, address, _defaults(given)))


async def delete(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("CustomerAddress", given.address_id, "address_id")
    async with ctx.shop.tx() as tx:
        await customer_address.remove(tx, own_id(ctx), key)
    return {"customer": await ctx.load(customer_by_id, own_id(ctx))}


def _made(row: CustomerAddress) -> dict[str, Any]:
    return {"customer_address": row}


def _defaults(given: Any) -> Defaults:
    return Defaults(given.default_shipping, given.default_billing)


def _address(given: Any) -> Address:
    parts = cast("dict[str, Any]", vars(given))
    with under("address"):
        return Address(**{name: value for name, value in parts.items() if value is not None})
