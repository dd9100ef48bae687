"""The journey against a server of its own: the demo shop, real HTTP, real SSE, a real worker."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api import ROOT, Api, environment_of_tests, free_port, wait_until_ready
from tests.journey.walk import Journey


@pytest.fixture
def demo(database_url: str, tmp_path: Path) -> Iterator[str]:
    """A running `counterfoil demo`."""
    port, log = free_port(), tmp_path / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "demo", "--port", str(port)],
            cwd=ROOT,
            env=environment_of_tests(DATABASE_URL=database_url),
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(process, url, log, seconds=60)
        yield url
    finally:
        process.terminate()
        process.wait(20)
        print(log.read_text())  # pytest shows it where the test fails


async def test_a_customer_buys_and_watches_the_ticket_move(demo: str, database_url: str, tmp_path: Path) -> None:
    steps: list[str] = []
    async with httpx.AsyncClient(base_url=demo) as http:
        environment = environment_of_tests(DATABASE_URL=database_url)
        await Journey(Api(http), steps.append, environment, tmp_path).walk()
    assert len(steps) == 14, steps
