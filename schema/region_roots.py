"""The root fields that are about regions."""

from typing import Any

import strawberry

from resolvers import region as places
from resolvers.context import PUBLIC, Ctx
from schema import region as types
from schema.build import arg, mutation, query, view

WRITE = places.WRITE


async def _region(ctx: Ctx, id: str) -> Any:  # noqa: A002
    return await places.region(ctx, id)


@view()
class RegionQuery:
    """Reads."""

    regions: list[types.Region] = query(
        places.list_regions, PUBLIC, "All regions that are sold to, the default one first.", shared=True
    )
    region: types.Region | None = query(
        _region, PUBLIC, "One region that is sold to.", shared=True, id=arg(strawberry.ID, "Which one.")
    )
    all_regions: list[types.Region] = query(
        places.all_regions, WRITE, "All regions, also archived ones. Needs `regions:write`."
    )


@view()
class RegionMutation:
    """Writes."""

    region_create: types.RegionCreatePayload = mutation(
        types.RegionCreateInput, places.create, WRITE, "Makes a region. Needs `regions:write`."
    )
    region_update: types.RegionUpdatePayload = mutation(
        types.RegionUpdateInput, places.update, WRITE, "Changes a region. Needs `regions:write`."
    )
    region_archive: types.RegionArchivePayload = mutation(
        types.RegionArchiveInput,
        places.archive,
        WRITE,
        "Closes a region for good: nothing is for sale there any more, and its countries are free. "
        "Needs `regions:write`.",
    )
