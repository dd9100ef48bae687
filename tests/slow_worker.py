"""A worker process for `test_worker.py` to kill: one reaction of a short step and one that takes its time.

python -m tests.slow_worker URL SECONDS
"""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from db.connection import connect
from domain.durable import Reaction, Step
from domain.event import Event
from domain.processes.shop import Shop
from server.worker import run_worker


@dataclass(frozen=True)
class Happened(Event):
    about: ClassVar[str] = "thing_id"

    thing_id: UUID


async def _record(shop: Shop, event: Happened, what: str) -> None:
    await shop.database.pool.execute(
        "INSERT INTO ran (thing_id, what, pid) VALUES ($1, $2, $3)", event.thing_id, what, os.getpid()
    )


def slow_reactions(seconds: float) -> tuple[Reaction, ...]:
    async def first(shop: Shop, event: Happened) -> None:
        await _record(shop, event, "first")

    async def second(shop: Shop, event: Happened) -> None:
        await _record(shop, event, "second begins")
        await asyncio.sleep(seconds)
        await _record(shop, event, "second ends")

    return (Reaction("slow", Happened, (Step(first), Step(second))),)


async def main(url: str, seconds: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database = await connect(url)
    await run_worker(url, Shop(database=database, providers={}), slow_reactions(seconds), stop)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
