"""Where the bytes of files lie: what a storage promises, and under which keys it keeps them.

A key is made of the id of a file and of nothing that anybody said, so no name leads anywhere.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar
from uuid import UUID

T = TypeVar("T")

MEDIA_HASH: Final = 32
"""So many digits of its hash are in the address of a picture of a product."""
INSPECTED_AT_ONCE: Final = 2
"""Pictures are decoded for their thumbnails; a large one takes some 200 MB while that lasts."""


class StorageUnavailable(ConnectionError):
    """It could not be asked, or could not do it: the same may succeed later, as with a database that is away."""


@dataclass(frozen=True)
class Announced:
    """What an upload is to be, byte for byte."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Target:
    """Where a client puts bytes, and the headers that it must send with them, by PUT."""

    url: str
    headers: Mapping[str, str]


class Storage(Protocol):
    """Every call may raise `StorageUnavailable`. What it has taken stays, also over a loss of power."""

    @property
    def scratch(self) -> Path:
        """A directory for files that it is to take, or has fetched."""
        ...

    def upload_target(self, key: str, announced: Announced, seconds: int) -> Target | None:
        """Where a client may put the bytes without us; null: it gives them to us."""
        ...

    async def take(self, path: Path, key: str) -> None:
        """The file at `path` becomes the object, whole or not at all; `path` may be gone then."""
        ...

    async def size(self, key: str) -> int | None:
        """Of an object; null if there is none."""
        ...

    async def fetch(self, key: str, path: Path) -> bool:
        """The object's bytes are at `path`, instead of what was there; False: there is no such object."""
        ...

    def read(self, key: str, first: int, count: int) -> AsyncGenerator[bytes]:
        """`count` bytes from `first` on, in parts; fewer if there is no such object any more."""
        ...

    async def remove(self, prefix: str) -> None:
        """No object is left whose key begins so."""
        ...

    async def tidy(self) -> None:
        """Takes away what was left by processes that died."""
        ...


@dataclass(frozen=True)
class Files:
    """How the shop keeps files."""

    storage: Storage
    address: str = ""
    """Of this API as clients reach it, without a slash at its end. Empty: addresses are told as paths."""
    largest: int = 50 * 2**20
    """Bytes of one file."""
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(INSPECTED_AT_ONCE))


async def on_disk(do: Callable[[], T]) -> T:
    """Does it in a thread; a disk that is full or away is a storage that is."""
    try:
        return await asyncio.to_thread(do)
    except OSError as error:
        raise StorageUnavailable(f"{type(error).__name__} {error.errno}") from error


def incoming(file_id: UUID) -> str:
    """What was uploaded and not looked at yet."""
    return f"incoming/{_of(file_id)}upload"


def original(file_id: UUID) -> str:
    return f"files/{_of(file_id)}original"


def thumbnail(file_id: UUID, width: int) -> str:
    return f"files/{_of(file_id)}{width:d}"


def media_path(file_id: UUID, sha256: str) -> str:
    """Where everybody finds a picture of a product. It names the bytes, so it can be kept for ever."""
    return f"/media/{file_id.hex}/{sha256[:MEDIA_HASH]}"


def everything_of(file_id: UUID) -> tuple[str, str]:
    """Prefixes of all its keys."""
    return f"incoming/{_of(file_id)}", f"files/{_of(file_id)}"


def _of(file_id: UUID) -> str:
    """The last digits of an id are random, so that folders fill evenly; the first ones are the time."""
    return f"{file_id.hex[-2:]}/{file_id.hex}/"
