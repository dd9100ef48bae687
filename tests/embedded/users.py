"""Users of an embedded PostgreSQL as real processes, in process groups of their own, as under a shell."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[2]
USER = """
import signal, sys
from pathlib import Path
from server.embedded import embedded_postgres
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.readline()
"""

started: list["User"] = []


class User:
    """A process that uses the PostgreSQL of `directory`, or is about to."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.url = directory, ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, directory],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(self)

    def ready(self) -> "User":
        assert self.process.stdout
        self.url = self.process.stdout.readline().decode().strip()
        assert self.url, self.process.communicate(timeout=60)[1].decode()
        return self

    def leave(self) -> None:
        self.process.communicate(b"\n", timeout=60)
        assert self.process.returncode == 0

    def end(self, number: signal.Signals) -> None:
        """Signals the whole group, as a terminal does."""
        os.killpg(self.process.pid, number)
        self.process.communicate(timeout=60)


def two(directory: Path) -> tuple[User, User]:
    """Two users that started at once."""
    first, second = User(directory), User(directory)
    return first.ready(), second.ready()


def running(directory: Path) -> dict[psutil.Process, list[str]]:
    """Users, keepers and programs of PostgreSQL that have a path in `directory` on their command line."""
    found: dict[psutil.Process, list[str]] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if any(word == str(directory) or word.startswith(f"{directory}/") for word in words):
                found[process] = words
    return found


def keepers(directory: Path) -> list[psutil.Process]:
    return [process for process, words in running(directory).items() if "server.embedded" in words]


def postmaster(directory: Path) -> psutil.Process:
    return psutil.Process(int((directory / "data" / "postmaster.pid").read_text().split()[0]))


def is_gone(directory: Path, seconds: float = 5) -> bool:
    """Whether no process at all is left within `seconds`, backends included."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not running(directory) and is_down(directory):
            return True
        time.sleep(0.02)
    return False


def is_down(directory: Path) -> bool:
    """Whether every process of PostgreSQL is gone already."""
    lock = directory / "server.lock"
    if not lock.exists():
        return True
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def notes(url: str) -> list[int]:
    return [int(str(row[0])) for row in execute(url, "SELECT id FROM note ORDER BY id")]


def kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def copy(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{source}/.", target], check=True)


def kill_all(directory: Path) -> None:
    kill(running(directory))
    for user in started:
        if user.directory == directory:
            user.process.communicate(timeout=60)
    assert is_gone(directory)


@contextmanager
def scratch() -> Generator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="cf", dir="/tmp")).resolve()
    try:
        yield directory
    finally:
        kill_all(directory)
        shutil.rmtree(directory)
