"""No update lost or doubled while readers reconnect, servers are killed and Redis goes and comes.

The same with 1,000 readers and 10,000 updates: `make torture ARGS=--live`.
"""

import asyncio
import os
import random
import signal
from typing import Any

from tests.api import Server, running_server
from tests.churn import Churn, Reader, scene
from tests.live import own_database
from tests.redis_server import RedisServer, redis_server_fixture  # noqa: F401 - the fixture `redis_server`
from tests.tills import processes

READERS, UPDATES, TICKETS = 50, 500, 5
PATIENCE = 60


def kill_web(server: Server, chance: random.Random) -> None:
    """One of the processes that answer; `serve` starts another."""
    os.kill(chance.choice(sorted(set(processes(server).values()))), signal.SIGKILL)


async def test_nothing_is_lost_or_doubled_whatever_breaks(
    postgres: str, template: str, redis_server: RedisServer
) -> None:
    chance = random.Random(20_260_101)
    async with own_database(postgres, template) as (url, shop, variant):
        with running_server(url) as start:
            settings = {"REDIS_URL": redis_server.url, "SOCKET_CONNECTIONS": "1000"}
            two = start("--no-worker", "--workers", "2", **settings)
            async with two.api() as api:
                tickets, asked = await scene(shop, api, variant, TICKETS, 900)
            servers = [two, start("--no-worker", SOCKET_CONNECTIONS="1000")]
            where = [server.url for server in servers]
            readers = [Reader(asked[n % 4], lambda: where, random.Random(n)) for n in range(READERS)]
            broken = iter(disturbances(servers, start, where, redis_server, chance))

            async def meanwhile() -> bool:
                await asyncio.sleep(0.5)
                if (how := next(broken, None)) is not None:
                    await asyncio.to_thread(how)
                return how is not None

            churn = Churn(shop, tickets, readers, chance)
            await churn.run(UPDATES, meanwhile, PATIENCE, pause=0.04)
            assert churn.wrongs() == []
            assert len(churn.written) == UPDATES
            assert sum(reader.connections for reader in readers) > 1.5 * READERS


def disturbances(servers: list[Server], start: Any, where: list[str], redis: RedisServer, chance: random.Random) -> Any:
    """Each once: a process of two is killed, Redis hangs, loses its connections, and one server is replaced."""
    yield lambda: kill_web(servers[0], chance)
    yield redis.hang

    def replaced() -> None:
        servers[1].kill()
        where[1:] = []
        servers[1] = start("--no-worker", SOCKET_CONNECTIONS="1000")
        where.append(servers[1].url)

    yield replaced
    yield redis.go_on
    yield redis.drop_connections
    yield lambda: kill_web(servers[0], chance)
