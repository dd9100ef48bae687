"""No orphans: a child process that outlives a killed parent would keep its port and its connections."""

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PARENT: Final = "COUNTERFOIL_PARENT"
"""Set in the environment of children: the pid of the process that they belong to."""


def die_with_parent() -> None:
    """Ends this process when its parent ends in whatever way; does nothing in a process that is nobody's child."""
    expected = os.environ.get(PARENT)
    if expected is None or int(expected) == os.getpid():
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(expected):  # it died before the call
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(int(expected),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
