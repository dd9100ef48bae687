"""The processes of a run: a PostgreSQL of its own, the servers that are compared, where they run, what they use."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import psutil
import psycopg
import sqlalchemy
from psycopg import sql

from bench.client import HOST
from server.embedded import embedded_postgres

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS, STOP_SECONDS = 60, 20
CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CPUS, OTHER_CPUS = (set(CPUS[:1]), set(CPUS[1:])) if len(CPUS) > 1 else (set(CPUS), set(CPUS))


def pin(pid: int, cpus: set[int]) -> None:
    """Where there are two processors or more, the measured server has one for itself."""
    if cpus:
        os.sched_setaffinity(pid, cpus)


@contextmanager
def database() -> Generator[str]:
    """The address of an empty database: on TEST_DATABASE_URL, or in an embedded PostgreSQL, durable as in a shop."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        with database_beside(given) as url:
            yield url
        return
    directory = Path(tempfile.mkdtemp(prefix="cfb", dir="/tmp"))
    try:
        with embedded_postgres(directory, durable=True) as url:
            yield url
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def database_beside(server: str) -> Generator[str]:
    """An empty database on the server of another one."""
    name = f"counterfoil_bench_{uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield sqlalchemy.make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    name: str
    process: psutil.Process
    port: int
    started_in: float
    """Seconds until it first answered."""
    url: str
    """Of its database."""

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        used = self.process.cpu_times()
        return used.user + used.system

    def rss(self) -> float:
        """Resident memory in MiB."""
        return self.process.memory_info().rss / 2**20


def environment(url: str, **more: str) -> dict[str, str]:
    """Answers are not kept unless `more` says so."""
    ours = {"DATABASE_URL", "REDIS_URL", "PORT", "COUNTERFOIL_ENGINE"}
    inherited = {k: v for k, v in os.environ.items() if k not in ours}
    return {**inherited, "DATABASE_URL": url, "ANSWER_CACHE_MIB": "0", "SOCKET_CONNECTIONS": "100000", **more}


@contextmanager
def running(name: str, url: str, cpus: set[int], *arguments: str, **more: str) -> Generator[psutil.Process]:
    """A Python process of ours; ended with the block."""
    with tempfile.TemporaryFile() as log:
        command, env = [sys.executable, *arguments], environment(url, **more)
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        pin(process.pid, cpus)
        try:
            yield psutil.Process(process.pid)
        except BaseException:
            log.seek(0)
            sys.stderr.write(f"{name} wrote: {log.read()[-5_000:].decode()}\n")
            raise
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def server(name: str, url: str, *arguments: str, **more: str) -> Generator[Server]:
    """A web process that answers; `{port}` in the arguments stands for its port."""
    port, began = free_port(), time.perf_counter()
    filled = [argument.format(port=port) for argument in arguments]
    with running(name, url, SERVER_CPUS, *filled, **more) as process:
        _wait_until_ready(name, process, port)
        yield Server(name, process, port, time.perf_counter() - began, url)


def _wait_until_ready(name: str, process: psutil.Process, port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        with suppress(OSError), urlopen(f"http://{HOST}:{port}/ready", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{name} did not get ready.")


def database_cpu(url: str) -> float | None:
    """Processor time of PostgreSQL's processes that serve our database now; None where they cannot be seen."""
    backends = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url) as connection:
        pids = [row[0] for row in connection.execute(backends).fetchall()]
    used = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue  # it has just ended
        except psutil.Error:
            return None
        used += times.user + times.system
    return used
