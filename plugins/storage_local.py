"""Files on a disk of this machine, or on one that all machines of the shop share."""

import errno
import os
import shutil
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from domain.storage import Announced, Target, on_disk

PART: Final = 256 * 1024
TRIES: Final = 5
LEFT_AFTER: Final = 24 * 3600.0
"""Seconds after which what lies in the scratch directory is nobody's."""


class LocalStorage:
    """Objects are files below `root`, named by their keys; what is not whole yet lies in a directory of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def scratch(self) -> Path:
        return self._root / "scratch"

    def upload_target(self, key: str, announced: Announced, seconds: int) -> Target | None:
        del key, announced, seconds
        return None

    async def take(self, path: Path, key: str) -> None:
        await on_disk(lambda: self._take(path, self._place(key)))

    async def size(self, key: str) -> int | None:
        return await on_disk(lambda: _size(self._place(key)))

    async def fetch(self, key: str, path: Path) -> bool:
        """By a second name for the same bytes, which nobody ever writes to."""
        return await on_disk(lambda: self._fetch(self._place(key), path))

    async def read(self, key: str, first: int, count: int) -> AsyncGenerator[bytes]:
        file = await on_disk(lambda: _opened(self._place(key), first))
        if file is None:
            return
        try:
            while count > 0 and (part := await on_disk(partial(file.read, min(PART, count)))):
                count -= len(part)
                yield part
        finally:
            file.close()

    async def remove(self, prefix: str) -> None:
        await on_disk(lambda: _remove(self._place(prefix)))

    async def tidy(self) -> None:
        await on_disk(self._tidy)

    def _place(self, key: str) -> Path:
        """Keys are our own; this holds it, as a mistake there would reach the whole disk."""
        place = Path(os.path.normpath(self._root / key))
        if not place.is_relative_to(self._root) or place == self._root:
            raise ValueError("a key leads out of the storage")
        return place

    @staticmethod
    def _take(path: Path, place: Path) -> None:
        with path.open("rb") as file:
            os.fsync(file.fileno())
        for _ in range(TRIES):  # what is removed at the same moment may take the folder along
            place.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                path.replace(place)
                _sync(place.parent)
                return
        raise FileNotFoundError(errno.ENOENT, "the folder goes away again and again")

    @staticmethod
    def _fetch(place: Path, path: Path) -> bool:
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(place)
        except FileNotFoundError:
            return False
        except OSError:  # not every file system has second names
            shutil.copyfile(place, path)
        return True

    def _tidy(self) -> None:
        over = time.time() - LEFT_AFTER
        for left in self.scratch.glob("*"):
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < over:
                    left.unlink()


def _opened(place: Path, first: int) -> BinaryIO | None:
    try:
        file = place.open("rb")
    except FileNotFoundError:
        return None
    file.seek(first)
    return file


def _size(place: Path) -> int | None:
    try:
        return place.stat().st_size
    except FileNotFoundError:
        return None


def _remove(place: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(place)


def _sync(directory: Path) -> None:
    """A new name lasts once its directory was written."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
