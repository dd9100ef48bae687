import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asyncpg import InternalClientError

from db.connection import Database, connect
from domain.durable import Reaction, Step, by_event
from domain.event import announce
from domain.processes.shop import Shop
from server import takeover
from server.worker import Sweep, migrate_dbos, run_worker
from tests.conftest import execute
from tests.slow_worker import Happened, slow_reactions


class Diary:
    """Actions for steps that write down when they were called, and fail as often as they are told to."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, float]] = []

    def __call__(self, name: str, failures: int = 0, takes: float = 0) -> Callable[[Shop, Any], Awaitable[None]]:
        async def action(_shop: Shop, _event: Happened) -> None:
            self.entries.append((name, time.monotonic()))
            await asyncio.sleep(takes)
            if self.names.count(name) <= failures:
                raise ValueError(f"no {name}, sorry")

        action.__name__ = name
        return action

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.entries]

    def times(self, name: str) -> list[float]:
        return [at for entry, at in self.entries if entry == name]


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 60) -> None:
    deadline = time.monotonic() + within
    while True:
        met = condition()
        if met if isinstance(met, bool) else await met:
            return
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def database_at(url: str, *reactions: Reaction) -> AsyncGenerator[Database, None]:
    database = await connect(url, reactions=by_event(reactions))
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def working(
    url: str,
    database: Database,
    *reactions: Reaction,
    back_off: tuple[float, ...] = (),
    sweep: Sweep | None = None,
) -> AsyncGenerator[None, None]:
    stop = asyncio.Event()
    shop = Shop(database=database, providers={})
    worker = asyncio.create_task(run_worker(url, shop, reactions, stop, sweep, back_off=back_off))
    try:
        yield
        assert not worker.done(), worker.result()
    finally:
        stop.set()
        await worker


async def announced(database: Database) -> Happened:
    event = Happened(thing_id=uuid4())
    async with database.tx() as tx:
        await announce(tx, event)
    return event


async def statuses(database: Database) -> dict[str, str]:
    rows = await database.pool.fetch("SELECT name, status FROM dbos.workflow_status")
    return {row["name"]: row["status"] for row in rows}


def ended(database: Database, name: str, status: str = "SUCCESS") -> Callable[[], Awaitable[bool]]:
    async def has_ended() -> bool:
        return (await statuses(database)).get(name) == status

    return has_ended


def test_migrating_what_is_up_to_date_is_quicker_than_to_migrate(database_url: str) -> None:
    def migrating() -> float:
        begin = time.monotonic()
        migrate_dbos(database_url)
        return time.monotonic() - begin

    up_to_date = min(migrating(), migrating())
    execute(database_url, "DROP SCHEMA dbos CASCADE")
    assert up_to_date < migrating() / 2


async def test_a_reaction_runs_once_for_an_event_however_often_it_is_enqueued(database_url: str) -> None:
    diary = Diary()
    reaction = Reaction("notify", Happened, (Step(diary("write")), Step(diary("send"))))
    again = (
        "SELECT dbos.enqueue_workflow(workflow_name => 'notify', queue_name => 'reactions', workflow_id => "
        "workflow_uuid, named_args => inputs::json -> 'namedArgs') FROM dbos.workflow_status"
    )
    async with database_at(database_url, reaction) as database:
        await announced(database)
        await database.pool.fetch(again)
        async with working(database_url, database, reaction):
            await until(ended(database, "notify"))
            await database.pool.fetch(again)
            await asyncio.sleep(0.5)
    assert diary.names == ["write", "send"]


async def test_a_failing_step_is_tried_three_times_then_all_is_undone_and_tried_again(
    database_url: str,
) -> None:
    diary = Diary()
    reaction = Reaction(
        "fulfil",
        Happened,
        (
            Step(diary("reserve"), undo=diary("release")),
            Step(diary("charge"), undo=diary("refund", failures=9), tries=1),
            Step(diary("log")),
            Step(diary("ship", failures=3), undo=diary("recall")),
            Step(diary("thank"), undo=diary("apologize")),
        ),
    )
    async with (
        database_at(database_url, reaction) as database,
        working(database_url, database, reaction, back_off=(0.5, 60)),
    ):
        await announced(database)
        await until(ended(database, "fulfil"))
    assert diary.names == [
        *("reserve", "charge", "log", "ship", "ship", "ship"),
        *("recall", "refund", "release"),
        *("reserve", "charge", "log", "ship", "thank"),
    ]
    first, second, third, _ = diary.times("ship")
    assert min(second - first, third - second) > 0.9
    assert 0.4 < diary.times("reserve")[1] - diary.times("release")[0] < 30  # the first of the two waits


async def test_a_reaction_that_keeps_failing_ends_in_a_listed_error(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    diary = Diary()
    reaction = Reaction("mail", Happened, (Step(diary("stamp", failures=9), tries=2, pause=0.05),))
    async with database_at(database_url, reaction) as database:
        async with working(database_url, database, reaction, back_off=(0.1, 0.2)):
            await announced(database)
            await until(ended(database, "mail", "ERROR"))
        listed = await database.pool.fetchrow(
            "SELECT * FROM dbos.workflow_status JOIN dbos.workflow_output USING (workflow_uuid)"
        )
    assert diary.names == ["stamp"] * 6
    assert listed["workflow_uuid"] == "mail:1"
    assert "mail of event 1: stamp: ValueError: no stamp, sorry" in listed["error"]
    failures = [record for record in caplog.records if record.name == "server.worker"]
    assert [record.getMessage() for record in failures] == ["mail of event 1: stamp has failed"] * 6


async def test_a_failing_reaction_holds_up_no_other_and_waits_on_through_a_restart(database_url: str) -> None:
    diary = Diary()
    failing = Reaction("bad", Happened, (Step(diary("one")), Step(diary("two", failures=1), tries=1)))
    good = Reaction("good", Happened, (Step(diary("fine")),))
    async with database_at(database_url, failing, good) as database:
        async with working(database_url, database, failing, good, back_off=(6,)):
            await announced(database)
            await until(lambda: "two" in diary.names)
            await until(ended(database, "good"))
        assert await statuses(database) == {"bad": "ENQUEUED", "good": "SUCCESS"}
        async with working(database_url, database, failing, good, back_off=(3600,)):  # it waits as long as was said
            await until(ended(database, "bad"))
    assert [name for name in diary.names if name != "fine"] == ["one", "two", "one", "two"]
    assert diary.times("one")[1] - diary.times("two")[0] > 5.9


async def test_a_worker_that_is_told_to_stop_finishes_what_it_does(database_url: str) -> None:
    diary = Diary()
    reaction = Reaction("ship", Happened, (Step(diary("pack", takes=0.8)), Step(diary("post"))))
    async with database_at(database_url, reaction) as database:
        async with working(database_url, database, reaction):
            await announced(database)
            await until(lambda: diary.names == ["pack"])
        assert await statuses(database) == {"ship": "SUCCESS"}
    assert diary.names == ["pack", "post"]


async def test_the_sweep_is_called_every_second_and_survives_its_failures(database_url: str) -> None:
    diary = Diary()
    swept = diary("sweep", failures=1)
    async with (
        database_at(database_url) as database,
        working(database_url, database, sweep=lambda shop: swept(shop, None)),
    ):
        await until(lambda: len(diary.times("sweep")) >= 3)
    first, second, third = diary.times("sweep")[:3]
    assert min(second - first, third - second) > 0.9


async def test_a_sweep_without_the_database_is_told_as_trouble_and_not_as_a_bug(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    async def sweep(_shop: Shop) -> None:
        nonlocal tries
        tries += 1
        raise (InternalClientError, ConnectionResetError, ZeroDivisionError)[min(tries, 3) - 1]

    async with database_at(database_url) as database, working(database_url, database, sweep=sweep):
        await until(lambda: tries >= 3)
    told = [record for record in caplog.records if "the sweep" in record.message]
    assert [(record.levelname, record.exc_info is None) for record in told[:3]] == [
        ("WARNING", True),
        ("WARNING", True),
        ("ERROR", False),
    ]


async def test_a_worker_survives_the_loss_of_all_its_connections(database_url: str) -> None:
    diary = Diary()
    reaction = Reaction("survive", Happened, (Step(diary("wait", takes=1)), Step(diary("go"))))
    async with database_at(database_url, reaction) as database, working(database_url, database, reaction):
        await announced(database)
        await until(lambda: diary.names == ["wait"])
        owner = "SELECT DISTINCT executor_id FROM dbos.workflow_status"
        before = await database.pool.fetchval(owner)
        await _end_all_other_sessions(database)
        await until(ended(database, "survive"))
        await announced(database)
        await until(lambda: diary.names.count("go") == 2)
        assert await database.pool.fetch(owner) == [(before,)]
        assert await _locks_held(database) == 1
    assert diary.names == ["wait", "go"] * 2


async def test_a_worker_without_its_lock_takes_no_more_work_under_that_name(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary = Diary()
    reaction = Reaction("outlive", Happened, (Step(diary("work")),))
    monkeypatch.setattr(takeover, "GIVE_UP_AFTER", 0.5)
    unreachable = asyncio.Event()
    reach = takeover.Presence._connect  # pyright: ignore[reportPrivateUsage]

    async def maybe(presence: takeover.Presence) -> Any:
        if unreachable.is_set():
            raise ConnectionRefusedError
        return await reach(presence)

    monkeypatch.setattr(takeover.Presence, "_connect", maybe)
    async with database_at(database_url, reaction) as database, working(database_url, database, reaction):
        await announced(database)
        await until(lambda: len(diary.names) == 1)
        unreachable.set()
        await _end_all_other_sessions(database)
        await asyncio.sleep(1.5)
        await announced(database)
        await asyncio.sleep(0.5)
        assert len(diary.names) == 1
        unreachable.clear()
        await until(lambda: len(diary.names) == 2)
        owners = await database.pool.fetch("SELECT DISTINCT executor_id FROM dbos.workflow_status")
    assert len(owners) == 2


async def test_work_that_was_claimed_and_then_lost_is_found_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "LOOK_EVERY", 0.2)
    monkeypatch.setattr(takeover, "LOOKS_PER_STRAY", 1)
    unknown = Reaction("unknown", Happened, ())
    async with database_at(database_url, unknown) as database:

        async def claimed_again() -> bool:
            attempts = await database.pool.fetchval("SELECT recovery_attempts FROM dbos.workflow_status")
            return attempts > 1

        async with working(database_url, database):
            await announced(database)
            await until(claimed_again)
        async with working(database_url, database, unknown):
            await until(ended(database, "unknown"))


async def _end_all_other_sessions(database: Database) -> None:
    ended = await database.pool.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert len(ended) >= 2


async def _locks_held(database: Database) -> int:
    return await database.pool.fetchval(
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND application_name = 'counterfoil worker lock' AND datname = current_database()"
    )


@asynccontextmanager
async def worker_processes(
    url: str, count: int, seconds: float
) -> AsyncGenerator[list[asyncio.subprocess.Process], None]:
    root = Path(__file__).parent.parent
    command = (sys.executable, "-m", "tests.slow_worker", url, str(seconds))
    processes = [await asyncio.create_subprocess_exec(*command, cwd=root) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@asynccontextmanager
async def recording_database(url: str) -> AsyncGenerator[Database, None]:
    async with database_at(url, *slow_reactions(0)) as database:
        await database.pool.execute(
            "CREATE TABLE ran (thing_id uuid, what text, pid integer, at timestamptz DEFAULT clock_timestamp())"
        )
        yield database


async def ran(database: Database) -> list[tuple[str, int]]:
    return [(row["what"], row["pid"]) for row in await database.pool.fetch("SELECT * FROM ran ORDER BY at")]


async def test_the_work_of_a_killed_worker_is_resumed_by_a_living_one(database_url: str) -> None:
    async with recording_database(database_url) as database:

        async def second_begins() -> bool:
            return len(await ran(database)) == 2

        async with worker_processes(database_url, 2, seconds=1.5) as processes:
            await announced(database)
            await until(second_begins)
            killed = (await ran(database))[0][1]
            os.kill(killed, signal.SIGKILL)
            await until(lambda: _has_ended(processes, killed))
            await until(ended(database, "slow"), within=60)
        (living,) = {process.pid for process in processes} - {killed}
        assert await ran(database) == [
            ("first", killed),
            ("second begins", killed),
            ("second begins", living),
            ("second ends", living),
        ]


def _has_ended(processes: list[asyncio.subprocess.Process], pid: int) -> bool:
    return next(process for process in processes if process.pid == pid).returncode is not None


async def test_two_living_workers_never_run_the_same_step(database_url: str) -> None:
    async with recording_database(database_url) as database:

        async def both_work() -> bool:
            await announced(database)
            await asyncio.sleep(0.2)
            return len({pid for _, pid in await ran(database)}) == 2

        async def all_ended() -> bool:
            states = await database.pool.fetch("SELECT DISTINCT status FROM dbos.workflow_status")
            return states == [("SUCCESS",)]

        async with worker_processes(database_url, 2, seconds=5):
            await until(both_work)
            await until(all_ended)
        counts = await database.pool.fetch("SELECT what, count(*) FROM ran GROUP BY thing_id, what")
        announcements = await database.pool.fetchval("SELECT count(*) FROM event")
    assert sorted(counts) == sorted([(what, 1) for what in ("first", "second begins", "second ends")] * announcements)
