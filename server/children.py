"""Child processes that are kept running until all of them are told to stop.

They are forked from a nursery: a process that has imported everything and done nothing, neither opened a connection
nor started a thread. So a child is there at once and shares its memory with its siblings; a new interpreter would take
two seconds to import the same again.
"""

import gc
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

from setproctitle import setproctitle

from server.parent import die_with_parent

STOP_SECONDS: Final = 12
PAUSE_SECONDS: Final = 1
Command = Sequence[str]
_log = logging.getLogger(__name__)


class Nursery:
    """Enter it before anything is opened. When it is killed, this process ends as by SIGTERM."""

    def __init__(self, run: Callable[[Command], None]) -> None:
        self._run = run
        self._over = threading.Event()

    def __enter__(self) -> "Nursery":
        self._orders, theirs = socket.socketpair()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._orders.close()
            _leave(lambda: _Nurse(parent, self._run).live(theirs))
        theirs.close()
        self._watch = threading.Thread(target=self._wait, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._orders.close()

    @contextmanager
    def kept_running(self, commands: Sequence[Command]) -> Generator[None]:
        """Runs each of the commands in a child; whichever ends is started again. To be entered once.

        Children get the environment as it is now. They are in sessions of their own, so that a terminal's Ctrl-C
        reaches this process alone, which then ends them in order; and each ends by itself when this process is killed.
        """
        self._orders.sendall(json.dumps([dict(os.environ), *commands]).encode() + b"\n")
        try:
            yield
        finally:
            self._end()

    def _end(self) -> None:
        if not self._over.is_set():
            self._over.set()
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)
        self._watch.join()

    def _wait(self) -> None:
        os.waitpid(self._pid, 0)
        if not self._over.is_set():
            _log.error("the process that keeps the others running was killed; ending")
            os.kill(os.getpid(), signal.SIGTERM)


def _leave(do: Callable[[], None]) -> NoReturn:
    """The whole life of a forked process: nothing of what its parent was about to do is done here."""
    status = 1
    try:
        do()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        _log.exception("a process ended by an exception")
    finally:
        logging.shutdown()
        os._exit(status)


class _Nurse:
    def __init__(self, parent: int, run: Callable[[Command], None]) -> None:
        self._parent, self._run = parent, run
        self._running: dict[int, Command] = {}

    def live(self, orders: socket.socket) -> None:
        os.setsid()
        die_with_parent(self._parent)
        setproctitle("counterfoil nursery")
        gc.freeze()  # the pages that all children share are not written to by looking for garbage in them
        with orders, orders.makefile() as lines:
            order = lines.readline()
        if not order:
            return
        environment, *commands = json.loads(order)
        os.environ.clear()
        os.environ.update(environment)
        try:
            for command in commands:
                self._start(command)
            while self._running:
                self._replace()
            signal.pause()
        finally:
            self._end()

    def _start(self, command: Command) -> None:
        # From the fork on until it is noted, SIGTERM waits: a child that nobody knows would not be ended.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            nursery = os.getpid()
            pid = os.fork()
            if pid == 0:
                _leave(lambda: self._live_as(command, nursery))
            self._running[pid] = command
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

    def _live_as(self, command: Command, nursery: int) -> None:
        os.setsid()
        die_with_parent(nursery)
        setproctitle(f"counterfoil {' '.join(command)}")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        self._run(command)

    def _replace(self) -> None:
        pid, status = os.wait()
        command = self._running.pop(pid)
        _log.warning("%s ended with status %s; starting another", command[0], os.waitstatus_to_exitcode(status))
        time.sleep(PAUSE_SECONDS)
        self._start(command)

    def _end(self) -> None:
        """Asks all to end, and kills those that do not."""
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        while self._running and time.monotonic() < end:
            self._reap(os.WNOHANG)
            time.sleep(0.02)
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
        while self._running:
            self._reap(0)

    def _reap(self, how: int) -> None:
        pid, _ = os.waitpid(-1, how)
        self._running.pop(pid, None)
