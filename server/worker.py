"""The worker: runs the reactions to events as durable workflows, and the sweeper beside them.

The only module that knows DBOS. A reaction is one workflow, each of its steps (and undos) one durable step:
what has finished is not run again after a crash, what was running may be. DBOS numbers the steps of a
workflow in the order in which they start, so the code below chooses the next step by recorded outcomes only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NoReturn, cast

import sqlalchemy
from dbos import DBOS, DBOSConfig, error
from dbos._serialization import DefaultSerializer
from dbos._sys_db import SystemDatabase
from sqlalchemy.exc import DBAPIError

from db.unavailable import TRY_AGAIN
from domain.durable import Action, Reaction, Step
from domain.event import QUEUE, Event
from domain.processes.shop import Shop
from server.takeover import Presence, new_executor_id

BACK_OFF: Final[tuple[float, ...]] = (2, 10, 60, 600, 3_600, 7_200, 14_400, 28_800, 28_800)
"""Seconds before the whole of a failed reaction is tried again: a day in sum, then staff must look at it."""
NAME: Final = "counterfoil"
VERSION: Final = "1"
"""DBOS resumes only work of its own version, so this stays for ever: a release resumes its predecessor's."""
POLL_EVERY: Final = 0.1
SWEEP_EVERY: Final = 1.0
KEEP_UP_EVERY: Final = 0.2
"""Seconds between two looks at what writes have left to be followed."""
AT_ONCE: Final = 50
"""How many reactions one worker runs at the same time."""
CLAIMED: Final = 1_000
"""How many reactions one worker claims at most; all but `AT_ONCE` wait, for their turn or their next try."""
FINISH_WITHIN: Final = 5.0
"""Seconds for which running reactions may go on when the worker is told to stop."""

Sweep = Callable[[Shop], Awaitable[None]]
_log = logging.getLogger(__name__)


class ReactionFailed(Exception):
    """A reaction has failed at its last try. What staff read in the list of failed workflows."""


def migrate_dbos(url: str) -> None:
    """Creates the schema `dbos` and the queue, or brings them up to date; when they are, that takes 20 ms."""
    _quiet_dbos()
    # Not `DBOS.migrate`: it installs the triggers of LISTEN/NOTIFY, which none of our other calls expects.
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"))
    system = SystemDatabase.create(
        url, {}, engine, "dbos", DefaultSerializer(), None, use_listen_notify=False, app_name=NAME
    )
    try:
        system.run_migrations()
        # Here, since a worker that registered it after its launch would see it a second later.
        system.upsert_queue(
            name=QUEUE,
            concurrency=None,
            worker_concurrency=CLAIMED,
            rate_limit_max=None,
            rate_limit_period_sec=None,
            polling_interval_sec=POLL_EVERY,
            update_existing=True,
        )
    finally:
        system.destroy()
        engine.dispose()


async def run_worker(
    url: str,
    shop: Shop,
    reactions: tuple[Reaction, ...],
    stop: asyncio.Event,
    sweep: Sweep | None = None,
    *,
    keep_up: Sweep | None = None,
    back_off: Sequence[float] = BACK_OFF,
) -> None:
    """Works until `stop` is set. One at a time per process, since DBOS is global to it.

    A worker that cannot get its lock back begins anew under another executor id; what it had begun is taken
    over like that of any dead worker. Raises when `migrate_dbos` has not been called.
    """
    _quiet_dbos()
    tasks = [stopping := asyncio.create_task(stop.wait())]
    if sweep:
        tasks.append(asyncio.create_task(_for_ever(shop, sweep, SWEEP_EVERY)))
    if keep_up:
        tasks.append(asyncio.create_task(_for_ever(shop, keep_up, KEEP_UP_EVERY)))
    try:
        while not stop.is_set():
            await _work(url, _Reactor(shop, reactions, tuple(back_off)), stopping)
    finally:
        await _cancel(*tasks)


def _quiet_dbos() -> None:
    log = logging.getLogger("dbos")
    log.setLevel(logging.ERROR)
    # With a handler present DBOS adds none of its own and leaves its messages to the logging of the process.
    if not log.handlers:
        log.addHandler(logging.NullHandler())


async def _work(url: str, reactor: "_Reactor", stopping: asyncio.Task[Any]) -> None:
    """Runs reactions under one executor id, until told to stop or until its lock is lost for good."""
    executor_id = new_executor_id()
    dbos = DBOS(config=_config(url, executor_id))
    reactor.register()
    presence = Presence(url, executor_id, reactor.running)
    keeping = asyncio.create_task(presence.keep())
    try:
        await asyncio.wait((presence.held, keeping, stopping), return_when=asyncio.FIRST_COMPLETED)
        if presence.held.done() and not stopping.done():
            # Inside the running loop, which DBOS then adopts: the pool of the shop belongs to it.
            DBOS.launch()
            await asyncio.wait((keeping, stopping), return_when=asyncio.FIRST_COMPLETED)
            for event in dbos.background_thread_stop_events:
                event.set()  # claims nothing more
            await reactor.drain(0 if keeping.done() else FINISH_WITHIN)
            # Else its threads would try to reach a database that is away for ever, and the process never end.
            cast("Any", dbos)._sys_db._retry_connection_errors = False
            await presence.give_back()
    finally:
        await _destroy()
        await _cancel(keeping)
    if not keeping.cancelled():
        keeping.result()


def _config(url: str, executor_id: str) -> DBOSConfig:
    return {
        "name": NAME,
        "system_database_url": url,
        "db_engine_kwargs": {"connect_args": {"application_name": "counterfoil worker"}},
        "sys_db_pool_size": 4,
        "application_version": VERSION,
        "executor_id": executor_id,
        "use_listen_notify": False,
        # Nothing of ours waits for notifications, but a worker that stops waits for the thread that polls.
        "notification_listener_polling_interval_sec": 0.1,
        "run_migrations": False,
        "enable_otlp": False,
        "log_level": "ERROR",
    }


async def _destroy() -> None:
    executor = ThreadPoolExecutor(thread_name_prefix="worker")
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(executor, partial(DBOS.destroy, destroy_registry=True))
    # DBOS had made its own executor the default of our loop, and has just shut it down.
    loop.set_default_executor(executor)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _for_ever(shop: Shop, sweep: Sweep, every: float) -> NoReturn:
    while True:
        try:
            await sweep(shop)
        except TRY_AGAIN as trouble:
            _log.warning("the sweep could not be done now: %r; it is tried again in %s s", trouble, every)
        except Exception:
            _log.exception("the sweep has failed; it is tried again in %s s", every)
        await asyncio.sleep(every)


@dataclass(frozen=True)
class _Run:
    """One reaction to one event."""

    shop: Shop
    reaction: Reaction
    event_id: int
    event: Event

    def __str__(self) -> str:
        return f"{self.reaction.name} of event {self.event_id}"

    async def attempt(self) -> None:
        """Does the steps in turn. When one has failed for good, undoes it and those before it, last first."""
        for number, step in enumerate(self.reaction.steps, start=1):
            try:
                await self._durably(step, step.do)
            except error.DBOSMaxStepRetriesExceeded:
                for done in reversed(self.reaction.steps[:number]):
                    if done.undo is not None:
                        # What cannot be undone is logged, and must not keep the others from being undone.
                        with suppress(error.DBOSMaxStepRetriesExceeded):
                            await self._durably(done, done.undo)
                raise

    async def _durably(self, step: Step, action: Action) -> None:
        async def act() -> None:
            try:
                await action(self.shop, self.event)
            except Exception as failure:
                _log.warning("%s: %s has failed", self, action.__name__, exc_info=True)
                # DBOS pickles what a step raises, and not everything that can be raised can be pickled.
                raise RuntimeError(f"{action.__name__}: {type(failure).__name__}: {failure}") from None

        await DBOS.run_step_async(
            {
                "name": action.__name__,
                "retries_allowed": True,
                "max_attempts": step.tries,
                "interval_seconds": step.pause,
                "backoff_rate": 1.0,
            },
            act,
        )


@dataclass(eq=False)
class _Reactor:
    """Runs the reactions of one executor, and knows which of them are busy and not merely waiting."""

    _shop: Shop
    _reactions: tuple[Reaction, ...]
    _back_off: tuple[float, ...]
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _tasks: dict[asyncio.Task[Any], str] = field(default_factory=dict[asyncio.Task[Any], str])
    _busy: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])
    _ending: bool = False

    def register(self) -> None:
        for reaction in self._reactions:
            DBOS.workflow(name=reaction.name)(self._workflow(reaction))

    def _workflow(self, reaction: Reaction) -> Callable[[int, dict[str, Any]], Coroutine[Any, Any, None]]:
        async def react(event_id: int, data: dict[str, Any]) -> None:
            task = asyncio.current_task()
            assert task
            self._tasks[task] = str(DBOS.workflow_id)
            task.add_done_callback(self._forget)
            try:
                await self._react(task, _Run(self._shop, reaction, event_id, reaction.event.read(data)))
            except (error.DBOSWorkflowConflictIDError, error.DBOSWorkflowCancelledError):
                # No longer ours: DBOS keeps this task only to wait for what its new owner will record.
                self._busy.discard(task)
                raise
            except DBAPIError as failure:
                # The database is away, which is no failure of the reaction: it goes on, found as a stray.
                _log.warning("%s is interrupted: %s", DBOS.workflow_id, failure)
                raise asyncio.CancelledError from None

        return react

    def running(self) -> Iterable[str]:
        """The ids of the workflows that are run here."""
        return self._tasks.values()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task)
        self._busy.discard(task)

    async def _react(self, task: asyncio.Task[Any], run: _Run) -> None:
        for pause in (*self._back_off, None):
            async with self._turn:
                if self._ending:
                    raise asyncio.CancelledError
                self._busy.add(task)
                try:
                    await run.attempt()
                    return
                except error.DBOSMaxStepRetriesExceeded as failure:
                    if pause is None:
                        raise ReactionFailed(f"{run}: {failure.errors[-1]}") from None
            self._busy.discard(task)
            await DBOS.sleep_async(pause)

    async def drain(self, seconds: float) -> None:
        """Lets running reactions end; cancels those that wait, and after `seconds` all: they stay PENDING."""
        self._ending = True
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while self._tasks and clock() < deadline:
            for task in self._tasks.keys() - self._busy:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=0.05)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
