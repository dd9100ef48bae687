"""The embedded PostgreSQL serves whoever comes, keeps what was committed, and is gone after the last user.

Users are real processes, so that each can be killed, in process groups of their own, as under a shell.
"""

import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from server.embedded import EmbeddedPostgresError, embedded_postgres

ROOT = Path(__file__).resolve().parents[1]
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


@pytest.fixture(scope="module")
def shop() -> Iterator[Path]:
    with scratch() as directory:
        with embedded_postgres(directory) as url:
            execute(url, "CREATE TABLE note (id int PRIMARY KEY)")
        yield directory


@pytest.fixture
def place(shop: Path) -> Iterator[Path]:
    """A directory that other tests have used before, with an empty table `note`; nothing runs."""
    with embedded_postgres(shop) as url:
        execute(url, "TRUNCATE note")
    assert is_gone(shop)
    yield shop
    kill_all(shop)


@pytest.fixture
def empty() -> Iterator[Path]:
    with scratch() as directory:
        yield directory


async def test_the_address_serves_every_driver_and_the_database_is_the_same_everywhere(place: Path) -> None:
    url = User(place).ready().url
    facts = execute(url, "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'counterfoil'")
    assert facts == [("b", "C.UTF-8")]
    settings = {
        "server_encoding": "UTF8",
        "lc_messages": "C",
        "TimeZone": "UTC",
        "jit": "off",
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
    }
    assert {name: execute(url, f"SHOW {name}")[0][0] for name in settings} == settings
    driver: Any = asyncpg
    connection = await driver.connect(url)
    assert await connection.fetchval("SELECT upper('äß')") == "Äß"
    await connection.close()
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.connect() as session:
        assert await session.scalar(text("SELECT current_database()")) == "counterfoil"
    await engine.dispose()


def test_a_later_start_takes_less_than_3_s_and_joining_another_user_a_fifth_of_one(place: Path) -> None:
    begun = time.perf_counter()
    with embedded_postgres(place):
        cold = time.perf_counter() - begun
        begun = time.perf_counter()
        with embedded_postgres(place):
            warm = time.perf_counter() - begun
    assert cold < 3
    assert warm < 0.2


def test_two_commands_at_once_share_one_postgres_and_the_last_stops_it(place: Path) -> None:
    first, second = two(place)
    assert first.url == second.url
    server = postmaster(place)
    first.leave()
    execute(second.url, "INSERT INTO note VALUES (1)")
    assert postmaster(place) == server
    second.leave()
    assert is_down(place)
    assert is_gone(place, 1)


def test_two_first_starts_at_once_make_one_database(empty: Path) -> None:
    first, second = two(empty)
    execute(first.url, "CREATE TABLE note (id int)")
    assert notes(second.url) == []
    first.leave()
    second.leave()
    assert is_gone(empty, 1)


def test_a_killed_server_process_leaves_nothing_to_clean(place: Path) -> None:
    user = User(place).ready()
    execute(user.url, "INSERT INTO note VALUES (1)")
    user.end(signal.SIGKILL)
    assert is_gone(place)
    assert notes(User(place).ready().url) == [1]


def test_a_killed_command_does_not_disturb_the_other(place: Path) -> None:
    first, second = two(place)
    with psycopg.connect(second.url, autocommit=True) as connection:
        first.end(signal.SIGKILL)
        time.sleep(0.3)
        connection.execute("INSERT INTO note VALUES (1)")
    second.leave()
    assert is_gone(place, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_postgres_with_the_last_command(place: Path, number: signal.Signals) -> None:
    first, second = two(place)
    with psycopg.connect(second.url, autocommit=True) as connection:
        first.end(number)
        connection.execute("INSERT INTO note VALUES (1)")
    second.end(number)
    assert is_down(place)
    assert is_gone(place, 1)


def test_ctrl_c_during_a_start_leaves_nothing_running(place: Path) -> None:
    for delay in (0.08, 0.12, 0.16, 0.2, 0.25):
        user = User(place)
        time.sleep(delay)
        user.end(signal.SIGINT)
        assert is_gone(place)


def test_a_command_killed_while_the_database_is_made_leaves_a_directory_that_works(empty: Path) -> None:
    for delay in (0.2, 0.4, 0.6):
        user = User(empty)
        time.sleep(delay)
        user.end(signal.SIGKILL)
    user = User(empty).ready()
    assert execute(user.url, "SELECT 1") == [(1,)]
    user.leave()
    assert is_gone(empty)


def test_all_killed_while_the_database_is_made_leaves_a_directory_that_works(empty: Path) -> None:
    for delay in (0.2, 0.3, 0.4, 0.5, 0.6):
        User(empty)
        time.sleep(delay)
        kill(running(empty))
    assert execute(User(empty).ready().url, "SELECT 1") == [(1,)]


def test_after_postgres_was_killed_the_next_command_starts_it_with_what_was_committed(place: Path) -> None:
    first = User(place).ready()
    execute(first.url, "INSERT INTO note VALUES (1)")
    postmaster(place).kill()
    second = User(place).ready()
    assert notes(second.url) == [1]
    first.leave()
    assert notes(second.url) == [1]
    second.end(signal.SIGKILL)
    assert is_gone(place)


def test_after_everything_was_killed_the_next_command_has_what_was_committed(place: Path) -> None:
    execute(User(place).ready().url, "INSERT INTO note VALUES (1)")
    kill(running(place))
    user = User(place).ready()
    assert notes(user.url) == [1]
    user.leave()
    assert is_gone(place, 1)


def test_a_killed_keeper_is_replaced_by_the_next_command(place: Path) -> None:
    first = User(place).ready()
    server = postmaster(place)
    kill(keepers(place))
    second = User(place).ready()
    assert postmaster(place) == server
    first.end(signal.SIGKILL)
    second.end(signal.SIGKILL)
    assert is_gone(place)


def test_without_its_keeper_the_last_command_stops_postgres(place: Path) -> None:
    user = User(place).ready()
    kill(keepers(place))
    user.leave()
    assert is_down(place)
    assert is_gone(place, 1)


def test_a_keeper_survives_signals_until_it_has_stopped_postgres(place: Path) -> None:
    user = User(place).ready()
    (keeper,) = keepers(place)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        keeper.send_signal(number)
    time.sleep(0.1)
    assert keepers(place) == [keeper]
    user.end(signal.SIGKILL)
    assert is_gone(place)


def test_a_stale_pid_file_of_an_unrelated_process_is_not_signalled(place: Path) -> None:
    data = place / "data"
    execute(User(place).ready().url, "INSERT INTO note VALUES (1)")
    owner = data.stat().st_uid if os.geteuid() == 0 else None  # whom PostgreSQL believes to be itself
    with scratch() as other, subprocess.Popen(["sleep", "60"], user=owner) as bystander:
        # As after a power cut: there was no shutdown, and the pids belong to others now.
        copy(place, other)
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            _, *lines = (data / name).read_text().splitlines()
            (other / "data" / name).write_text("\n".join([str(bystander.pid), *lines, ""]))
        user = User(other).ready()
        assert notes(user.url) == [1]
        user.leave()
        assert is_gone(other, 1)
        assert bystander.poll() is None
        bystander.kill()


def test_a_copy_of_a_running_directory_leaves_the_original_alone(place: Path) -> None:
    user = User(place).ready()
    with scratch() as other:
        copy(place, other)
        with embedded_postgres(other) as url:
            execute(url, "INSERT INTO note VALUES (1)")
    assert notes(user.url) == []


def test_a_server_in_a_replaced_directory_leaves_its_successor_alone(place: Path) -> None:
    with scratch() as directory:
        copy(place, directory)
        first = User(directory).ready()
        forgotten, (keeper,) = postmaster(directory), keepers(directory)
        for path in directory.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        copy(place, directory)
        second = User(directory).ready()
        first.leave()
        time.sleep(0.3)
        execute(second.url, "INSERT INTO note VALUES (1)")
        forgotten.send_signal(signal.SIGINT)
        assert not psutil.wait_procs([forgotten], 5)[1]
        assert notes(second.url) == [1]
        assert keeper in keepers(directory)
        second.leave()
        assert is_gone(directory, 1)


def test_a_late_keeper_recreates_no_file_of_a_directory_that_is_being_deleted(place: Path) -> None:
    with scratch() as directory:
        copy(place, directory)
        with embedded_postgres(directory):
            (keeper,) = keepers(directory)
            keeper.suspend()
        (directory / "server.lock").unlink()
        keeper.resume()
        assert is_gone(directory)
        assert not (directory / "server.lock").exists()


def test_a_start_during_a_stop_waits_and_starts_anew(place: Path) -> None:
    user = User(place).ready()
    for number in range(8):
        assert user.process.stdin
        user.process.stdin.write(b"\n")
        user.process.stdin.flush()
        time.sleep(number * 0.01)
        successor = User(place).ready()
        execute(successor.url, f"INSERT INTO note VALUES ({number})")
        assert user.process.wait(60) == 0
        user = successor
    user.leave()
    assert is_gone(place, 1)


def test_processes_that_come_and_go_at_random_lose_nothing_and_leave_nothing(place: Path) -> None:
    def live(number: int) -> None:
        chance = random.Random(number)
        for turn in range(5):
            time.sleep(chance.uniform(0, 0.3))
            user = User(place).ready()
            execute(user.url, f"INSERT INTO note VALUES ({number * 5 + turn})")
            end = chance.choice([None, None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
            user.end(end) if end else user.leave()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(live, range(6)))
    assert is_gone(place)
    assert notes(User(place).ready().url) == list(range(30))


def test_a_path_too_long_for_a_socket_is_refused_in_one_sentence(empty: Path) -> None:
    directory = empty / ("x" * (84 - len(os.fsencode(empty))))
    with pytest.raises(EmbeddedPostgresError, match="choose a path of at most 84 bytes"):
        embedded_postgres(directory).__enter__()
    assert list(empty.iterdir()) == []


def test_a_path_of_the_greatest_length_with_odd_letters_works(place: Path, empty: Path) -> None:
    name = "ä $%?&'\"#@:"
    directory = empty / (name + "x" * (84 - len(os.fsencode(empty / name))))
    copy(place, directory)
    with embedded_postgres(directory) as url:
        assert notes(url) == []


def test_a_directory_that_cannot_be_written_is_refused_in_one_sentence(empty: Path) -> None:
    (empty / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be used \(Not a directory\): choose a local"):
        embedded_postgres(empty / "file" / "under").__enter__()


def test_data_of_another_postgres_is_refused_in_one_sentence(empty: Path) -> None:
    (empty / "data").mkdir()
    (empty / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match="is of PostgreSQL 16, not 18: choose another"):
        embedded_postgres(empty).__enter__()


def test_when_postgres_does_not_start_the_sentence_names_the_log_that_says_why(place: Path) -> None:
    configuration = place / "data" / "postgresql.conf"
    whole = configuration.read_text()
    configuration.write_text(whole + "\nnonsense = 1\n")
    with pytest.raises(EmbeddedPostgresError) as caught:
        embedded_postgres(place).__enter__()
    log = place / "postgresql.log"
    assert str(caught.value) == f"PostgreSQL ended while it started: see the log, {log}."
    assert 'unrecognized configuration parameter "nonsense"' in log.read_text()
    assert is_gone(place, 1)
    configuration.write_text(whole)
    with embedded_postgres(place) as url:
        assert notes(url) == []


def test_a_test_suite_may_trade_durability_for_speed(place: Path) -> None:
    with embedded_postgres(place, durable=False) as url:
        assert execute(url, "SHOW fsync") == [("off",)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has parents to open and owners to change")
def test_root_runs_postgres_as_the_owner_of_the_data_and_opens_the_way_to_it(place: Path) -> None:
    with scratch() as directory:
        inner = directory / "private" / "shop"
        inner.mkdir(parents=True)
        inner.parent.chmod(0o700)
        shutil.copytree(place, inner, dirs_exist_ok=True)  # belongs to root now
        with embedded_postgres(inner):
            assert postmaster(inner).uids().effective == (inner / "data").stat().st_uid != 0
        assert inner.parent.stat().st_mode & 0o777 == 0o701
