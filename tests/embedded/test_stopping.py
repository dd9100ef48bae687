"""The embedded PostgreSQL serves whoever comes, keeps what was committed, and is gone after the last user."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from server.embedded import embedded_postgres
from tests.embedded.users import (
    User,
    copy,
    execute,
    is_down,
    is_gone,
    keepers,
    kill,
    notes,
    postmaster,
    running,
    scratch,
    two,
)


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


def test_joining_another_user_costs_next_to_nothing_beside_a_start(place: Path) -> None:
    begun = time.perf_counter()
    with embedded_postgres(place):
        start = time.perf_counter() - begun
        begun = time.perf_counter()
        with embedded_postgres(place):
            join = time.perf_counter() - begun
    assert join < start / 5


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
            # Should it be granted the lock before the user that leaves, it is the keeper that has to stop PostgreSQL.
            in_time = threading.Timer(3, keeper.resume)
            in_time.start()
        in_time.cancel()
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
