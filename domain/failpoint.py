"""Named places at which a test can stop a process, make it fail, or hold it up, exactly there.

Armed from the settings of a server (`FAILPOINT`), never in production. Where nothing is armed a failpoint does nothing.
"""

import asyncio
import os
import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SPELLING: Final = re.compile(r"([a-z_]+):(kill|raise|sleep)(?:=([^,@]+))?(?:@(\d+))?")


class FailpointReached(Exception):
    """What an armed `raise` raises; outside of tests nobody sees it."""


@dataclass
class Failpoint:
    """`value` is the seconds of a sleep, or the file by which a kill happens once however often processes start."""

    action: str
    value: str | None
    hit: int
    """The hit that counts: 1 is the first; each later one as well, unless a number was given."""
    every: bool
    hits: int = 0

    async def reach(self, name: str) -> None:
        self.hits += 1
        if self.hits != self.hit and not (self.every and self.hits > self.hit):
            return
        if self.action == "sleep":
            await asyncio.sleep(float(self.value or 1))
        elif self.action == "raise":
            raise FailpointReached(name)
        elif self.value is None or _first_to_make(Path(self.value)):
            os.kill(os.getpid(), signal.SIGKILL)


_armed: Final[dict[str, Failpoint]] = {}


def _first_to_make(file: Path) -> bool:
    with suppress(FileExistsError):
        file.touch(exist_ok=False)
        return True
    return False


def parse(given: str) -> dict[str, Failpoint]:
    """`after_capture:kill@2,before_finalise:sleep=0.5`: names with what is to happen there, at which hit.

    `kill=/tmp/once` makes the file and kills, and does nothing when the file is there. Raises ValueError.
    """
    found: dict[str, Failpoint] = {}
    for one in filter(None, (part.strip() for part in given.split(","))):
        match = SPELLING.fullmatch(one)
        if match is None or (match[2] == "sleep" and not re.fullmatch(r"\d+(\.\d+)?", match[3] or "1")):
            raise ValueError(one)
        found[match[1]] = Failpoint(match[2], match[3], int(match[4] or 1), match[4] is None)
    return found


def arm(failpoints: dict[str, Failpoint]) -> None:
    """From now on in this process, instead of what was armed before."""
    _armed.clear()
    _armed.update(failpoints)


async def failpoint(name: str) -> None:
    """A place that a test may choose. Names are written out, so that they can be listed from the source."""
    if _armed and name in _armed:
        await _armed[name].reach(name)
