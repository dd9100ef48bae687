"""A shop whose two web processes, worker and payment provider are shared by the tests of a module."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import chain

import httpx
import psutil
import pytest_asyncio

from domain.processes.shop import Shop
from tests import given
from tests.api import Api, Server, running_server
from tests.invariants import undecided, unreturned, violations
from tests.live import own_database
from tests.payments import Provider

EACH = 10
"""As many connections to each of the two processes."""


@dataclass(frozen=True)
class Till:
    """A shop and its two web processes: clients `left` come to the one, clients `right` to the other."""

    shop: Shop
    left: list[Api]
    right: list[Api]

    @property
    def both(self) -> list[Api]:
        """In turns."""
        return list(chain.from_iterable(zip(self.left, self.right, strict=True)))


@pytest_asyncio.fixture(scope="module", name="served")
async def served_fixture(postgres: str, template: str, provider: Provider) -> AsyncIterator[tuple[Shop, Server]]:
    """Captures are made by staff; the sweeper takes for abandoned what is not decided within a second."""
    settings = {"TEST_PROVIDER_URL": provider.url, "TEST_PROVIDER_CAPTURES": "manual", "SWEEP_AFTER": "1"}
    async with own_database(postgres, template) as (url, shop, _):
        with running_server(url) as start:
            server = start("--workers", "2", **settings)
            provider.report_to(f"{server.url}/webhooks/payments/test")
            yield shop, server
            provider.report_to(None)
            assert "ERROR server" not in server.log.read_text()


@pytest_asyncio.fixture(name="till")
async def till_fixture(served: tuple[Shop, Server]) -> AsyncIterator[Till]:
    """When the test is over nothing is wrong in the shop, nobody waits, and nobody's money is kept for nothing."""
    shop, server = served
    async with alone(server) as first, alone(server) as left, alone(server) as right:
        one = await connect_to(server, first, 1)
        another = await connect_to(server, right, EACH, past=one)
        assert await connect_to(server, left, EACH, past=another) == one
        yield Till(shop, [Api(left)] * EACH, [Api(right)] * EACH)
    await given.until(lambda: all_settled(shop))
    assert await violations(shop.read) == []


def alone(server: Server) -> httpx.AsyncClient:
    """Without `verify=False` each client reads the certificates of the whole world, which takes longer than a test."""
    return httpx.AsyncClient(base_url=server.url, limits=httpx.Limits(max_connections=EACH), timeout=60, verify=False)


async def connect_to(server: Server, http: httpx.AsyncClient, count: int, past: int | None = None) -> int:
    """Opens connections to one process, while `past`, the other one, is held up; which process it is."""
    other = psutil.Process(past) if past else None
    if other:
        other.suspend()
    try:
        answers = await asyncio.gather(*(http.get("/ready") for _ in range(count)))
    finally:
        if other:
            other.resume()
    ports = {answer.extensions["network_stream"].get_extra_info("client_addr")[1] for answer in answers}
    accepted = processes(server)
    (process,) = {accepted[port] for port in ports}
    assert (len(ports), process != past) == (count, True)
    return process


def processes(server: Server) -> dict[int, int]:
    """By the port of the other end, which process has accepted a connection."""
    port = int(server.url.rpartition(":")[2])
    return {
        found.raddr.port: process.pid
        for process in psutil.Process(server.process.pid).children(recursive=True)
        for found in process.net_connections("tcp")
        if found.raddr and found.laddr.port == port
    }


async def all_settled(shop: Shop) -> bool:
    return await undecided(shop.read) == await unreturned(shop.read) == 0
