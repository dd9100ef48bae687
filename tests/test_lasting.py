"""What streams that wait hold on to: nothing of what their requests went through; and connections as before beside."""

import asyncio
from collections.abc import Iterator
from types import CodeType
from typing import Any
from urllib.parse import urlsplit

from tests.live import watching
from tests.sockets import Watched, begun, watched_fixture  # noqa: F401 - the fixture `watched`

PASSED = (
    "/middleware/errors.py",
    "/middleware/cors.py",
    "/middleware/exceptions.py",
    "/routing.py",
    "/server/answers.py",
)


def waiting_in(coroutine: Any) -> Iterator[CodeType]:
    """The coroutines that wait for one another, from the outermost on."""
    while coroutine is not None:
        code = getattr(coroutine, "cr_code", None)
        if code is not None:
            yield code
        coroutine = getattr(coroutine, "cr_await", None)


async def test_a_stream_that_waits_is_outside_of_what_requests_go_through(watched: Watched) -> None:
    ticket = await watched.ticket()
    async with watching(watched.api, ticket) as over_sse, begun(watched.served.url) as socket:
        await over_sse.item()
        id_ = await socket.watch(ticket)
        await socket.item(id_)
        chains = [[*waiting_in(task.get_coro())] for task in asyncio.all_tasks()]
    for innermost in ("EventStream._until_over", "Operations.follow"):
        (chain,) = [chain for chain in chains if innermost in {code.co_qualname for code in chain}]
        assert [code.co_qualname for code in chain if code.co_filename.endswith(PASSED)] == []
    await watched.served.nothing_is_left()


async def test_requests_that_were_sent_before_an_answer_came_are_answered_in_their_order(watched: Watched) -> None:
    where = urlsplit(watched.served.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        paths = ["/health", "/nothing", "/health", "/nowhere"]
        writer.write(b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths))
        received, more = b"", b"more"
        async with asyncio.timeout(20):
            while more and received.count(b"HTTP/1.1 ") < len(paths):
                more = await reader.read(65_536)
                received += more
    finally:
        writer.close()
    assert [answer[:3] for answer in received.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200", b"404"]
