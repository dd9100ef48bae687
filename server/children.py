"""Child processes that are kept running until all of them are told to stop."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from server.parent import PARENT

STOP_SECONDS: Final = 12
PAUSE_SECONDS: Final = 1
_log = logging.getLogger(__name__)


@contextmanager
def kept_running(commands: Sequence[Sequence[str]], pass_fds: Sequence[int] = ()) -> Generator[None]:
    """Runs `counterfoil` with each of the argument lists; whichever ends is started again.

    Each is in a session of its own, so that a terminal's Ctrl-C reaches this process alone, which then ends
    them in order; and each ends by itself when this process is killed.
    """
    environment = {**os.environ, PARENT: str(os.getpid())}
    over = threading.Event()
    keepers = [_Keeper(command, environment, pass_fds, over) for command in commands]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        over.set()
        for keeper in keepers:
            keeper.end()
        for keeper in keepers:
            keeper.join()


class _Keeper(threading.Thread):
    def __init__(
        self, command: Sequence[str], environment: dict[str, str], pass_fds: Sequence[int], over: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._command, self._environment, self._pass_fds, self._over = command, environment, pass_fds, over
        self._starting = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while True:
            with self._starting:
                if self._over.is_set():
                    return
                child = self._child = subprocess.Popen(
                    [sys.executable, "-m", "server", *self._command],
                    env=self._environment,
                    pass_fds=self._pass_fds,
                    start_new_session=True,
                )
            status = child.wait()
            if not self._over.is_set():
                _log.warning("%s ended with status %s; starting another", self._command[0], status)
                self._over.wait(PAUSE_SECONDS)

    def end(self) -> None:
        """Asks it to end, and kills it if it does not."""
        with self._starting:
            if self._child is not None and self._child.poll() is None:
                self._child.terminate()
                hard = threading.Timer(STOP_SECONDS, self._child.kill)
                hard.daemon = True
                hard.start()
