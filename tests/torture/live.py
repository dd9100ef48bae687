"""`make torture ARGS=--live`: readers of streams whose connections break while everything is killed miss nothing."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

from rich.console import Console

from db.connection import connect
from domain.durable import by_event
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.manual_payment import ManualPayment
from tests import given
from tests.api import Server
from tests.churn import Churn, Reader, scene
from tests.redis_server import RedisServer
from tests.torture.machines import Machines

TICKETS: Final = 20
READING_SECONDS: Final = 4 * 3_600.0
PATIENCE: Final = 900.0
PER_SECOND: Final = 20
"""Updates: a thousand readers of each are what one machine can serve."""
out = Console(highlight=False)


async def torture_live(machines: Machines, redis: RedisServer, readers: int, updates: int, seed: int) -> None:
    chance = random.Random(seed)
    machines.environment |= {"REDIS_URL": redis.url, "SOCKET_CONNECTIONS": "100000"}
    shop = Shop(
        await connect(machines.cluster.url, reactions=by_event(REACTIONS), min_size=0), {"manual": ManualPayment()}
    )
    await given.regions(shop)
    variant = (await given.product(shop, "banner", stock=None)).variant
    machines.start()
    api_of = Server(None, machines.url, machines.log)  # pyright: ignore[reportArgumentType]
    async with api_of.api() as api:
        tickets, asked = await scene(shop, api, variant, TICKETS, READING_SECONDS)
    listed = [Reader(asked[n % len(asked)], lambda: [machines.url], random.Random(seed + n)) for n in range(readers)]
    churn, kills, until = Churn(shop, tickets, listed, chance), 0, time.monotonic() + updates / PER_SECOND
    kinds = {**{name: kill for name, kill in machines.kinds.items() if name != "provider"}, **of_redis(redis)}

    async def meanwhile() -> bool:
        nonlocal kills
        await asyncio.sleep(chance.uniform(2.0, 8.0))
        kind = chance.choice(list(kinds))
        await asyncio.to_thread(kinds[kind])
        kills += 1
        out.print(f"  {kind}; {sum(len(reader.told) for reader in listed):,} told")
        return time.monotonic() < until

    try:
        await churn.run(updates, meanwhile, PATIENCE, pause=4 / PER_SECOND)
    finally:
        redis.go_on()
        await shop.database.close()
    told, connections = sum(len(reader.told) for reader in listed), sum(reader.connections for reader in listed)
    if found := churn.wrongs():
        raise AssertionError("\n".join(found[:20]))
    out.print(
        f"{readers:,} readers, {len(churn.written):,} updates, {kills} disturbances, {connections:,} connections: "
        f"{told:,} told, each once and in order. Seed {seed}."
    )


def of_redis(redis: RedisServer) -> dict[str, Callable[[], object]]:
    def hang_for_a_while() -> None:
        redis.hang()
        time.sleep(1.0)
        redis.go_on()

    return {"Redis hangs": hang_for_a_while, "Redis drops its connections": redis.drop_connections}
