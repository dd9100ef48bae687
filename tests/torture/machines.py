"""What is killed: a durable PostgreSQL, the processes of `counterfoil serve`, the payment provider."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
import psutil

from server.embedded import embedded_postgres
from server.migrate import migrate
from tests.api import ROOT, environment_of_tests, free_port, wait_until_ready

WEB_PROCESSES = 2
PROVIDER_SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdCBwcm92aWRlcg=="


class Cluster:
    """A PostgreSQL of its own that keeps what it has acknowledged, and can be stopped at once."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory, self._stack = directory, stack
        self.url = self.start()
        migrate(self.url)

    def crash(self) -> None:
        """Stops it as `pg_ctl stop -m immediate` does: nothing is written any more, the next start recovers."""
        postmaster = psutil.Process(int((self._directory / "data" / "postmaster.pid").read_text().split()[0]))
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(30)

    def start(self) -> str:
        return self._stack.enter_context(embedded_postgres(self._directory))


@dataclass
class Machines:
    """The shop under torture. `kill(name)` kills one part, and makes sure that it comes back."""

    cluster: Cluster
    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])
    port: int = field(default_factory=free_port)
    provider_port: int = field(default_factory=free_port)
    failpoint: str = ""
    _server: subprocess.Popen[bytes] | None = None
    _provider: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def provider_url(self) -> str:
        return f"http://127.0.0.1:{self.provider_port}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def kinds(self) -> dict[str, Callable[[], None]]:
        return {
            "server": self.kill_server,
            "web": lambda: self._kill_child("web"),
            "worker": lambda: self._kill_child("worker"),
            "provider": self.kill_provider,
            "postgres": self.crash_postgres,
        }

    def start(self) -> None:
        self.start_provider()
        self.start_server()

    def start_server(self, failpoint: str = "") -> None:
        """Those of its processes that a failpoint kills are started again by `serve`, until the server is."""
        self.failpoint = failpoint
        settings = {
            "DATABASE_URL": self.cluster.url,
            "SWEEP_AFTER": "1",
            "TEST_PROVIDER_URL": self.provider_url,
            "TEST_PROVIDER_SECRET": PROVIDER_SECRET,
            **({"FAILPOINT": failpoint} if failpoint else {}),
            **self.environment,
        }
        command = ["serve", "--port", str(self.port), "--workers", str(WEB_PROCESSES)]
        self._server = self._started(command, self.log, settings)
        wait_until_ready(self._server, self.url, self.log)

    def start_provider(self) -> None:
        """On the same port, with the ledger that it had."""
        hook = ["--webhook-url", f"{self.url}/webhooks/payments/test"]
        command = ["test-provider", "--port", str(self.provider_port), "--file", str(self.folder / "ledger.db"), *hook]
        self._provider = self._started(command, self.folder / "provider.log", {"TEST_PROVIDER_SECRET": PROVIDER_SECRET})
        end = time.monotonic() + 30
        while time.monotonic() < end and self._provider.poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(f"{self.provider_url}/ledger")
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "provider.log").read_text())

    def _started(self, arguments: list[str], log: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
        output: IO[bytes]
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "server", *arguments],
                cwd=ROOT,
                env=environment_of_tests(**settings),
                stdout=output,
                stderr=output,
            )

    def restart(self, failpoint: str = "") -> None:
        """Ends the server in order, and starts it with these failpoints."""
        assert self._server is not None
        self._server.terminate()
        self._server.wait(30)
        self.start_server(failpoint)

    def kill_server(self) -> None:
        """All of it at once: its children die with it."""
        children = self._children("")
        _kill(self._server)
        psutil.wait_procs(children, timeout=10)
        self.start_server(self.failpoint)

    def kill_provider(self) -> None:
        _kill(self._provider)
        self.start_provider()

    def crash_postgres(self) -> None:
        self.cluster.crash()
        self.cluster.start()

    def _kill_child(self, name: str) -> None:
        """One of the processes that `serve` keeps running; it starts another."""
        for child in self._children(name)[:1]:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    def _children(self, name: str) -> list[psutil.Process]:
        if self._server is None or self._server.poll() is not None:
            return []
        found: list[psutil.Process] = []
        for child in psutil.Process(self._server.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if not name or child.cmdline()[:1] == [f"counterfoil {name}"]:
                    found.append(child)
        return found

    def stop(self) -> None:
        for process in (self._server, self._provider):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(30)


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
