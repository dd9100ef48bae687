"""Files of a real server with two processes: connections that break, stall or ask for much."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from domain.processes.shop import Shop
from tests import given
from tests.api import Api, Server
from tests.uploads import announcing, complete, lying, picture, prepared, put, uploaded

ART = picture()
LARGE = picture("PNG", (1500, 1000)) + bytes(6 * 2**20)


async def sent(server: Server, head: str, body: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which this was sent."""
    where = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
    await writer.drain()
    return reader, writer


async def status(reader: asyncio.StreamReader) -> int:
    return int((await asyncio.wait_for(reader.readline(), 10)).split()[1])


async def test_of_an_upload_that_breaks_off_nothing_is_left_in_either_process(
    shop: Shop, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server("--workers", "2", "--no-worker", FILES_URL=tmp_path.as_uri())
    async with server.api() as api:
        ticket = await given.ticket(shop, api)
        payload = await prepared(api, announcing(ticket, LARGE))
        path = payload["upload"]["url"]
        half = LARGE[: 4 * 2**20]
        for _ in range(6):
            _, writer = await sent(server, f"PUT {path} HTTP/1.1\nHost: x\nContent-Length: {len(LARGE)}", half)
            await given.until(lambda: len(lying(tmp_path)) == 1)
            writer.transport.abort()
            await given.until(lambda: lying(tmp_path) == [])
        reader, writer = await sent(server, f"PUT {path} HTTP/1.1\nHost: x\nContent-Length: {10**12}")
        assert await status(reader) == 413
        writer.close()
        chunked = f"PUT {path} HTTP/1.1\nHost: x\nTransfer-Encoding: chunked"
        reader, writer = await sent(server, chunked, b"%x\r\n%b\r\n0\r\n\r\n" % (len(ART), ART))
        assert await status(reader) == 422
        writer.close()
        assert lying(tmp_path) == []
        answers = await asyncio.gather(*(put(api, payload, LARGE) for _ in range(3)))
        assert {answer.status_code for answer in answers} == {204}
        done = await asyncio.gather(*(complete(api, payload, ticket.access_token) for _ in range(6)))
        assert [(one["userErrors"], one["file"]["state"]) for one in done] == [([], "READY")] * 6
        assert {len(answer.content) for answer in await many(api, done[0]["file"]["url"])} == {len(LARGE)}
    assert not [name for name in lying(tmp_path) if name.startswith(("scratch", "incoming"))]
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


async def shortest(asking: Callable[[], Awaitable[httpx.Response]]) -> float:
    took: list[float] = []
    for _ in range(5):
        begun = time.perf_counter()
        assert (await asking()).status_code == 200
        took.append(time.perf_counter() - begun)
    return min(took)


async def many(api: Api, url: str) -> list[httpx.Response]:
    return await asyncio.gather(*(api.http.get(url) for _ in range(4)))


async def test_who_takes_a_file_slowly_or_asks_oddly_delays_nobody(
    shop: Shop, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server("--no-worker", FILES_URL=tmp_path.as_uri())
    async with server.api() as api:
        ticket = await given.ticket(shop, api)
        file = await uploaded(api, ticket, LARGE)
        usual = await shortest(lambda: api.http.get("/health"))
        stalled = [await sent(server, f"GET {file['url']} HTTP/1.1\nHost: x") for _ in range(10)]
        many_ranges = ",".join(f"{i}-{i}" for i in range(10_000))
        took: list[float] = []
        for odd in (f"bytes={many_ranges[:50_000]}", "bytes=" + "9" * 50_000 + "-"):
            begun = time.perf_counter()
            reader, writer = await sent(server, f"GET {file['url']} HTTP/1.1\nHost: x\nRange: {odd}")
            assert await status(reader) in {200, 400, 431}
            writer.close()
            took.append(time.perf_counter() - begun)
        parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % i for i in range(1_001))
        for kind, body in (
            ("multipart/form-data; boundary=x", parts),
            ("multipart/form-data; boundary=x", b"a" * 90_000),
        ):
            begun = time.perf_counter()
            answer = await api.http.post("/graphql", content=body, headers={"content-type": kind})
            assert 400 <= answer.status_code < 500
            took.append(time.perf_counter() - begun)
        for _ in range(5):
            begun = time.perf_counter()
            assert (await api.http.get("/health")).status_code == 200
            took.append(time.perf_counter() - begun)
        assert sorted(took)[len(took) // 2] < 100 * usual, (usual, took)
        assert max(took) < 1000 * usual, (usual, took)
        for reader, writer in stalled:
            assert await status(reader) == 200
            writer.transport.abort()
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()
