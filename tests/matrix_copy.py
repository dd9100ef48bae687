"""The world of the matrix, made once in each process of tests; whoever tries things has a copy of its database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from db.connection import connect
from domain.durable import by_event
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.manual_payment import ManualPayment
from tests.api import Api, running_app
from tests.matrix_world import CHEAP, MatrixWorld, matrix_world
from tests.snapshot import Snapshot, taken

LIFTED: Final = ", ".join(
    f"{limit}=1000000000"
    for limit in ("tokens", "depth", "fields", "aliases", "repeats", "directives", "roots", "mutations", "cost")
)
"""Documents of the matrix ask for everything; what a document may ask for at most is tested elsewhere."""


@dataclass(frozen=True)
class Original:
    """A world that nothing is tried in, and what lies in its tables. Nobody is connected to its database."""

    world: MatrixWorld
    snapshot: Snapshot


@asynccontextmanager
async def _running(database_url: str) -> AsyncIterator[tuple[Shop, Api]]:
    """Passwords are cheap, and live tokens last as long as tests take: both are tested elsewhere."""
    database = await connect(database_url, reactions=by_event(REACTIONS))
    try:
        with pytest.MonkeyPatch.context() as patching:
            patching.setattr("server.tokens.PasswordHasher", lambda: CHEAP)
            patching.setattr("server.tokens.LIVE_SECONDS", 86_400)
            async with running_app(database_url, QUERY_LIMITS=LIFTED) as api:
                yield Shop(database, {"manual": ManualPayment()}), api
    finally:
        await database.close()


async def original(database_url: str) -> Original:
    async with _running(database_url) as (shop, api):
        world = await matrix_world(shop, api)
        return Original(world, await taken(shop, world.theirs))


@asynccontextmanager
async def copied(made: Original, database_url: str) -> AsyncIterator[tuple[MatrixWorld, Snapshot]]:
    """The same over a copy of its database."""
    async with _running(database_url) as (shop, api):

        def again(caller: Api) -> Api:
            return Api(api.http, caller.headers, api.database)

        def all_again(callers: Mapping[Any, Api]) -> Mapping[Any, Api]:
            return {who: again(caller) for who, caller in callers.items()}

        old = made.world
        sam, kim = replace(old.sam, api=again(old.sam.api)), replace(old.kim, api=again(old.kim.api))
        workers = {name: all_again(getattr(old, name)) for name in ("only", "all_but", "keys", "together")}
        world = replace(old, shop=shop, api=api, sam=sam, kim=kim, live=again(old.live), **workers)
        yield world, replace(made.snapshot, shop=shop)
