"""Servers of tests are forked from one process that has imported everything: interpreters take two seconds each.

`tests/test_serve.py`, the journey and torture start theirs as users do.
"""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

from server.cli import main

ROOT = Path(__file__).parents[1]
LARGEST = 200_000
ONE_AT_A_TIME = threading.Lock()


class Process(Protocol):
    """What tests ask of a server's process, whichever way it was started."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def start(arguments: list[str], environment: Mapping[str, str], output: IO[bytes]) -> Process:
    """Runs `counterfoil` with these arguments."""
    return Forked(_ask({"start": arguments, "environment": dict(environment)}, output.fileno()))


@functools.cache
def _forks() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])
    return ours, process


def _ask(what: dict[str, Any], *fds: int) -> Any:
    with ONE_AT_A_TIME:
        forks, _ = _forks()
        socket.send_fds(forks, [json.dumps(what).encode()], fds)
        return json.loads(forks.recv(LARGEST))


@dataclass
class Forked:
    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if timeout is not None and end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"forked {self.pid}", timeout)
            time.sleep(0.01)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _answer(orders: socket.socket) -> None:
    """Until the tests are over."""
    while True:
        message, fds, _, _ = socket.recv_fds(orders, LARGEST, 1)
        if not message:
            return
        asked = json.loads(message)
        if "poll" in asked:
            pid, status = os.waitpid(asked["poll"], os.WNOHANG)
            orders.send(json.dumps(os.waitstatus_to_exitcode(status) if pid else None).encode())
            continue
        pid = os.fork()
        if pid == 0:
            orders.close()
            _live(asked, fds[0])
        os.close(fds[0])
        orders.send(json.dumps(pid).encode())


def _live(asked: dict[str, Any], output: int) -> NoReturn:
    status = 1
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["counterfoil", *asked["start"]]
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        _answer(orders)
