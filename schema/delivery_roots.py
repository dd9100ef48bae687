"""The root fields that are about ways of delivery."""

from typing import Any

import strawberry

from resolvers import delivery
from resolvers.context import Ctx
from schema import delivery as types
from schema.build import arg, mutation, query, view

READ = "delivery:read"
WRITE = "delivery:write"


async def _options(ctx: Ctx, region_id: str) -> list[Any]:
    return await delivery.options(ctx, region_id)


@view()
class DeliveryQuery:
    """Reads."""

    delivery_options: list[types.DeliveryOption] = query(
        _options,
        READ,
        "How a region delivers, also by what is not in use. Needs `delivery:read`.",
        region_id=arg(strawberry.ID, "Which region."),
    )


@view()
class DeliveryMutation:
    """Writes."""

    delivery_option_create: types.DeliveryOptionCreatePayload = mutation(
        types.DeliveryOptionCreateInput, delivery.create, WRITE, "Makes a way of delivery. Needs `delivery:write`."
    )
    delivery_option_update: types.DeliveryOptionUpdatePayload = mutation(
        types.DeliveryOptionUpdateInput, delivery.update, WRITE, "Changes a way of delivery. Needs `delivery:write`."
    )
    delivery_option_archive: types.DeliveryOptionArchivePayload = mutation(
        types.DeliveryOptionArchiveInput,
        delivery.archive,
        WRITE,
        "Takes a way of delivery out of use for good; its code is free again. Needs `delivery:write`.",
    )
