"""Starting and stopping with the embedded PostgreSQL: whatever ends it, the next start works and nothing is left."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests.api import ROOT, environment_of_tests, free_port, wait_until_ready

pytestmark = pytest.mark.xdist_group("serve")  # in a row, over one directory
GONE_WITHIN = 60


@dataclass
class Home:
    """A directory of the embedded PostgreSQL, and the commands that use it."""

    path: Path

    def start(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.path / f"{command[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "server", *command],
                cwd=ROOT,
                env=environment_of_tests(COUNTERFOIL_HOME=str(self.path / "home"), **more),
                stdout=log,
                stderr=log,
            )

    def serve(self, *options: str) -> tuple[subprocess.Popen[bytes], str]:
        port = free_port()
        process = self.start("serve", "--port", str(port), *options)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(process, url, self.path / "serve.log")
        return process, url

    def running(self) -> list[psutil.Process]:
        """Every process that has to do with this directory: ours, the keeper's, PostgreSQL's."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                about = " ".join(process.cmdline()) + process.cwd() + process.environ().get("COUNTERFOIL_HOME", "")
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if str(self.path) in about:
                found.append(process)
        return found

    def postmaster(self) -> int:
        return int((self.path / "home" / "data" / "postmaster.pid").read_text().splitlines()[0])

    def nothing_is_left(self) -> bool:
        end = time.monotonic() + GONE_WITHIN
        while self.running() and time.monotonic() < end:
            time.sleep(0.1)
        return self.running() == []


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    path = Path(tempfile.mkdtemp(prefix="cfs", dir="/tmp"))
    home = Home(path)
    yield home
    for process in home.running():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    shutil.rmtree(path, ignore_errors=True)


def child_of(server: subprocess.Popen[bytes], name: str) -> psutil.Process:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for child in psutil.Process(server.pid).children(recursive=True):
            if child.cmdline()[:1] == [f"counterfoil {name}"]:
                return child
        time.sleep(0.05)
    raise AssertionError(f"there is no {name}")


def ctrl_c(server: subprocess.Popen[bytes], home: Home) -> None:
    server.send_signal(signal.SIGINT)


def sigterm(server: subprocess.Popen[bytes], home: Home) -> None:
    server.send_signal(signal.SIGTERM)


def sigkill(server: subprocess.Popen[bytes], home: Home) -> None:
    server.send_signal(signal.SIGKILL)


def sigkill_of_everything(server: subprocess.Popen[bytes], home: Home) -> None:
    for process in home.running():
        with suppress(psutil.NoSuchProcess):  # children die with their parent
            process.kill()


def sigkill_of_postgres_and_then_ctrl_c(server: subprocess.Popen[bytes], home: Home) -> None:
    os.kill(home.postmaster(), signal.SIGKILL)
    server.send_signal(signal.SIGINT)


def sigkill_of_the_worker_and_then_ctrl_c(server: subprocess.Popen[bytes], home: Home) -> None:
    child_of(server, "worker").kill()
    server.send_signal(signal.SIGINT)


def sigkill_of_what_keeps_the_others_running(server: subprocess.Popen[bytes], home: Home) -> None:
    child_of(server, "nursery").kill()


ALONE: tuple[str, ...] = ()
SEVERAL = ("--workers", "2")
WAYS = [
    (ctrl_c, ALONE),
    (sigterm, ALONE),
    (sigkill, ALONE),
    (sigkill_of_everything, ALONE),
    (sigkill_of_postgres_and_then_ctrl_c, ALONE),
    (sigkill_of_the_worker_and_then_ctrl_c, ALONE),
    (sigkill_of_what_keeps_the_others_running, ALONE),
    (ctrl_c, SEVERAL),
    (sigkill_of_what_keeps_the_others_running, SEVERAL),
    (sigterm, SEVERAL),
    (sigkill, SEVERAL),
    (ctrl_c, ALONE),
]
"""In a row over one directory: each start is also the one after what the way before it left."""


@pytest.mark.parametrize(("end", "options"), WAYS, ids=[" ".join((way.__name__, *options)) for way, options in WAYS])
def test_however_it_ends_nothing_is_left_and_it_starts_again(
    home: Home, end: Callable[[subprocess.Popen[bytes], Home], None], options: tuple[str, ...]
) -> None:
    server, url = home.serve(*options)
    assert httpx.get(f"{url}/ready").json() == {"status": "ready"}
    end(server, home)
    server.wait(20)
    assert home.nothing_is_left(), [process.cmdline() for process in home.running()]


def test_ctrl_c_ends_without_an_error(home: Home) -> None:
    (home.path / "serve.log").write_text("")
    server, _ = home.serve()
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 0
    assert "Traceback" not in (home.path / "serve.log").read_text()


def test_a_killed_worker_is_replaced(home: Home) -> None:
    server, _ = home.serve()
    first = child_of(server, "worker")
    first.kill()
    first.wait(5)
    assert child_of(server, "worker").pid != first.pid
    server.terminate()
    server.wait(20)
    assert home.nothing_is_left()


def test_an_import_beside_a_running_server_shares_its_postgres(home: Home, tmp_path: Path) -> None:
    server, url = home.serve()
    products = tmp_path / "products.csv"
    products.write_text("Handle,Title,Variant Price,Published\nmug,Mug,9.50,true\n")
    importing = home.start("import", "shopify", str(products), "--currency", "EUR")
    assert importing.wait(30) == 0, (home.path / "import.log").read_text()
    answer = httpx.post(f"{url}/graphql", json={"query": '{ product(by: {handle: "mug"}) { title } }'}).json()
    assert answer == {"data": {"product": {"title": "Mug"}}}
    server.terminate()
    server.wait(20)
    assert home.nothing_is_left()


def test_two_servers_started_at_once_share_one_postgres_and_the_last_one_stops_it(home: Home) -> None:
    ports = free_port(), free_port()
    servers = [home.start("serve", "--port", str(port)) for port in ports]
    for server, port in zip(servers, ports, strict=True):
        wait_until_ready(server, f"http://127.0.0.1:{port}", home.path / "serve.log")
    servers[0].terminate()
    servers[0].wait(20)
    assert httpx.get(f"http://127.0.0.1:{ports[1]}/ready").status_code == 200
    servers[1].terminate()
    servers[1].wait(20)
    assert home.nothing_is_left()
