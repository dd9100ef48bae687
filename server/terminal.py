"""What commands share: where they write, and the shop that they work in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from rich.console import Console

from db.connection import connect
from domain.durable import by_event
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from server.app import make_shop
from server.migrate import migrate
from server.serve import database_of
from server.settings import Settings

T = TypeVar("T")
out: Final = Console(highlight=False, soft_wrap=True)
err: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def in_shop(settings: Settings, do: Callable[[Shop], Awaitable[T]]) -> T:
    """Runs `do` with a shop whose database is there and at this version."""

    async def run(url: str) -> T:
        database = await connect(url, reactions=by_event(REACTIONS), max_size=4)
        try:
            return await do(make_shop(database, settings))
        finally:
            await database.close()

    with database_of(settings) as url:
        migrate(url)
        return asyncio.run(run(url))
