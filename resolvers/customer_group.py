"""Groups of customers, for staff."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from db import Customer, CustomerGroup, CustomerGroupMember
from domain import customer_group
from domain.refusal import gathered
from resolvers import ids
from resolvers.batches import connected, one
from resolvers.context import Ctx
from resolvers.customer import BY_ID, LIVING
from resolvers.page import Listed, Page, PageArgs, Sort

BY_NAME = Sort("group.name", (CustomerGroup.name, CustomerGroup.id))

all_groups = Listed(select(CustomerGroup), BY_NAME)
group_by_id = one(select(CustomerGroup), CustomerGroup.id)
members_of_group = connected(
    select(*Customer.__table__.c, CustomerGroupMember.group_id)
    .join(CustomerGroupMember, CustomerGroupMember.customer_id == Customer.id)
    .where(LIVING),
    CustomerGroupMember.group_id,
    BY_ID,
)


async def groups(ctx: Ctx, args: PageArgs) -> Page:
    return await all_groups.page(ctx, args)


async def create(ctx: Ctx, given: Any) -> dict[str, Any]:
    async with ctx.shop.tx() as tx:
        return {"customer_group": await customer_group.create(tx, given.name, ctx.actor)}


async def update(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = _key(given)
    async with ctx.shop.tx() as tx:
        return {"customer_group": await customer_group.rename(tx, key, given.name, ctx.actor)}


async def delete(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = _key(given)
    async with ctx.shop.tx() as tx:
        await customer_group.remove(tx, key, ctx.actor)
    return {"group_id": given.group_id}


async def add_members(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, customers = _key(given), _customers(given)
    async with ctx.shop.tx() as tx:
        return {"customer_group": await customer_group.add_members(tx, key, customers, ctx.actor)}


async def remove_members(ctx: Ctx, given: Any) -> dict[str, Any]:
    key, customers = _key(given), _customers(given)
    async with ctx.shop.tx() as tx:
        return {"customer_group": await customer_group.remove_members(tx, key, customers, ctx.actor)}


def _key(given: Any) -> UUID:
    return ids.decode("CustomerGroup", given.group_id, "group_id")


def _customers(given: Any) -> list[UUID]:
    parts = [
        (("customer_ids", str(i)), lambda public_id=public_id: ids.decode("Customer", public_id))
        for i, public_id in enumerate(given.customer_ids)
    ]
    return gathered(parts)
