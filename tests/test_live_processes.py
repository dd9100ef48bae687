"""Several server processes: what is written through one reaches who watches on another, with Redis or without."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from domain.processes.shop import Shop
from server.relay import POLL_SECONDS
from server.wake import CHANNEL, TIMEOUT_SECONDS, RedisWake
from tests import given
from tests.api import Api, Server, free_port, running_server, wait_until_ready
from tests.live import Live, Stream, own_database, post, watching
from tests.redis_server import RedisServer, redis_server_fixture  # noqa: F401 - the fixture `redis_server`
from tests.streams import STREAMS, bodies

TRIES = 40


@dataclass(frozen=True)
class Processes:
    """Three of one shop: two with Redis, one without."""

    shop: Shop
    writer: Api
    woken: Api
    polling: Api
    variant: str

    async def ticket(self) -> given.Ticket:
        order = await given.order(self.writer, {"variantId": self.variant, "quantity": 1})
        (opened,) = await given.tickets(self.shop, order)
        return opened


@pytest_asyncio.fixture(scope="module")
async def processes(postgres: str, template: str, redis_server: RedisServer) -> AsyncIterator[Processes]:
    async with own_database(postgres, template) as (url, shop, variant), AsyncExitStack() as apis:
        with running_server(url) as start:
            redis = {"REDIS_URL": redis_server.url}
            servers: list[Server] = [start("--no-worker", ready=False, **more) for more in (redis, redis, {})]
            for server in servers:
                wait_until_ready(server.process, server.url, server.log)
            await given.until(lambda: redis_server.subscribers(CHANNEL) == 2)
            writer, woken, polling = [await apis.enter_async_context(server.api()) for server in servers]
            yield Processes(shop, writer, woken, polling, variant)
            for server in servers:  # all at once, instead of one after the other
                server.process.terminate()


async def delay(stream: Stream, body: str) -> float:
    """When the next message arrives, which must be this one."""
    assert [text for _, text in await stream.messages(1)] == [body]
    return time.monotonic()


async def test_a_change_reaches_watchers_on_other_processes_and_sooner_with_redis(processes: Processes) -> None:
    ticket = await processes.ticket()
    async with (
        watching(processes.woken, ticket, 1) as woken,
        watching(processes.polling, ticket, 1) as polling,
    ):
        with_redis = without = 0.0
        for n in range(TRIES):
            arrivals = asyncio.gather(delay(woken, str(n)), delay(polling, str(n)))
            await post(processes.writer, ticket, str(n))
            written = time.monotonic()
            first, second = await arrivals
            with_redis, without = with_redis + first - written, without + second - written
    # Polling waits half its interval on average. A busy machine adds to both, so that no ratio would hold.
    assert without - with_redis > TRIES * POLL_SECONDS / 8


async def test_a_change_by_a_process_without_redis_reaches_everybody(processes: Processes) -> None:
    ticket = await processes.ticket()
    readers = (processes.woken, processes.writer, processes.polling)
    async with AsyncExitStack() as watched:
        streams = [await watched.enter_async_context(watching(api, ticket, 1)) for api in readers]
        await post(processes.polling, ticket, *map(str, range(2, 12)))
        for stream in streams:
            assert await stream.messages(10) == [(n, str(n)) for n in range(2, 12)]


async def posting_time(processes: Processes, ticket: given.Ticket, count: int) -> float:
    begin = time.monotonic()
    await post(processes.writer, ticket, *map(str, range(count)))
    return time.monotonic() - begin


async def test_a_redis_that_hangs_neither_loses_updates_nor_slows_writing(
    processes: Processes, redis_server: RedisServer
) -> None:
    ticket = await processes.ticket()
    usual = await posting_time(processes, ticket, 10)
    async with watching(processes.woken, ticket, 11) as woken, watching(processes.polling, ticket, 11) as polling:
        redis_server.hang()
        try:
            hanging = await posting_time(processes, ticket, 10)
            for stream in (woken, polling):
                assert await stream.messages(10) == [(12 + n, str(n)) for n in range(10)]
        finally:
            redis_server.go_on()
        assert hanging < 2 * usual + TIMEOUT_SECONDS  # nothing waited for it, not even once
        await post(processes.writer, ticket, "after")
        assert await woken.messages(1) == await polling.messages(1) == [(22, "after")]


async def test_after_its_connections_broke_redis_is_used_again(processes: Processes, redis_server: RedisServer) -> None:
    ticket = await processes.ticket()
    async with watching(processes.woken, ticket, 1) as woken:
        assert redis_server.drop_connections() >= 2
        await post(processes.writer, ticket, "meanwhile")
        assert await woken.messages(1) == [(2, "meanwhile")]
        await given.until(lambda: redis_server.subscribers(CHANNEL) == 2)
        await post(processes.writer, ticket, "again")
        assert await woken.messages(1) == [(3, "again")]


async def heard_by(url: str, announce: Callable[[RedisWake], None]) -> int:
    """How often a process hears of what another announces within a second, whatever stands at the address."""
    times: list[float] = []
    receiver = RedisWake(url, lambda: times.append(time.monotonic()))
    sender = RedisWake(url, None)
    receiver.start()
    sender.start()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end and not times:
            announce(sender)
            await asyncio.sleep(0.05)
    finally:
        await sender.close()
        await receiver.close()
    return len(times)


async def test_what_is_announced_through_redis_is_heard(redis_server: RedisServer) -> None:
    assert await heard_by(redis_server.url, RedisWake.announce) >= 1


async def answering_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        writer.write(b":not a number\r\n*2\r\n$-7\r\n\xff\xfe!")
        await writer.drain()
    writer.close()


@pytest.mark.parametrize("what", ["nothing", "nonsense"])
async def test_what_is_not_redis_at_its_address_harms_nobody(what: str, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    server = await asyncio.start_server(answering_nonsense, "127.0.0.1", port) if what == "nonsense" else None
    try:
        assert await heard_by(f"redis://127.0.0.1:{port}", RedisWake.announce) == 0
    finally:
        if server is not None:
            server.close()
    for part in ("Redis could not be told of a commit", "Redis cannot be listened to"):
        assert part in caplog.text


@pytest.mark.parametrize("name", STREAMS)
async def test_streams_over_several_tickets_lose_nothing_while_redis_goes_and_comes(
    processes: Processes, redis_server: RedisServer, name: str
) -> None:
    """Read on one process and resumed on another, written through a third."""
    written = Live(processes.shop, processes.writer, "", processes.variant)
    watched = await STREAMS[name](written)
    elsewhere = [watched.by(Api(api.http, watched.api.headers)) for api in (processes.woken, processes.polling)]
    async with elsewhere[0].stream() as woken, elsewhere[1].stream() as polling:
        await woken.item()
        await polling.item()
        redis_server.hang()
        try:
            await watched.post("hanging")
            assert bodies(await woken.items(1)) == bodies(await polling.items(1)) == ["hanging"]
        finally:
            redis_server.go_on()
        redis_server.drop_connections()
        await watched.post("dropped", "again")
        told = await woken.items(2)
        assert bodies(told) == bodies(await polling.items(2)) == ["dropped", "again"]
    async with elsewhere[1].stream(told[0]["cursor"]) as resumed:
        assert bodies(await resumed.items(1)) == ["again"]
