"""What is known of a customer: shown to them, and forgotten."""

from typing import Any

from db.workflow import ActorKind
from domain.processes.erase_customer import erase_customer
from domain.processes.export_customer import export_by_staff, export_customer
from resolvers import ids
from resolvers.context import Ctx
from resolvers.customer import shown_again


async def export(ctx: Ctx, given: Any) -> dict[str, Any]:
    known = await shown_again(ctx, given.password)
    return {"data": await export_customer(ctx.shop, known.id)}


async def erase(ctx: Ctx, given: Any) -> dict[str, Any]:
    known = await shown_again(ctx, given.password)
    await erase_customer(ctx.shop, known.id, ctx.actor)
    if ctx.cookies is not None and ctx.cookies.may_use(ActorKind.CUSTOMER):
        ctx.cookies.clear(ActorKind.CUSTOMER)
    return {}


async def export_for_staff(ctx: Ctx, given: Any) -> dict[str, Any]:
    key = ids.decode("Customer", given.customer_id, "customer_id")
    return {"data": await export_by_staff(ctx.shop, key, ctx.actor)}


async def erase_for_staff(ctx: Ctx, given: Any) -> dict[str, Any]:
    await erase_customer(ctx.shop, ids.decode("Customer", given.customer_id, "customer_id"), ctx.actor)
    return {}
