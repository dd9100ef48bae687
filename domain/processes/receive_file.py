"""Bytes that are uploaded to us: taken as they come, whole and right or not at all."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final
from uuid import UUID

from domain import file as files
from domain import storage
from domain.processes.shop import Shop
from domain.refusal import NotFound
from domain.storage import Announced, Files, on_disk

PART: Final = 2**20
"""So many bytes are held in memory and written at once."""


class WrongBytes(Exception):
    """They are not what was announced; `too_many` says that they went on after its end."""

    def __init__(self, *, too_many: bool) -> None:
        super().__init__("These are not the bytes that were announced.")
        self.too_many = too_many


async def receive_file(shop: Shop, file_id: UUID, arriving: AsyncIterable[bytes]) -> None:
    """Keeps the bytes of a file that is expected. Nothing is left of those that do not come to their end.

    The same bytes may be sent again, also at the same time. Refuses with `NotFound` what is not expected any more.
    """
    kept = files_of(shop)
    file = await files.expected(shop.read, file_id)
    if file is None:
        raise NotFound
    async with scratch_file(kept) as path:
        await _write(path, arriving, Announced(file.size, file.sha256))
        await kept.storage.take(path, storage.incoming(file_id))
    if await files.expected(shop.read, file_id) is None:  # completed by another copy of them, or given up
        await kept.storage.remove(storage.everything_of(file_id)[0])


def files_of(shop: Shop) -> Files:
    if shop.files is None:
        raise RuntimeError("this shop was made without files")
    return shop.files


@asynccontextmanager
async def scratch_file(kept: Files) -> AsyncGenerator[Path]:
    """The name of an empty file of our own, which is gone in the end, with those whose names begin like it."""
    path = await on_disk(lambda: _new_name(kept.storage.scratch))
    try:
        yield path
    finally:
        # Not in a thread: whoever gives up while it is waited for would leave the file.
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink(missing_ok=True)


def _new_name(scratch: Path) -> Path:
    scratch.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=scratch, prefix="upload-", delete=False) as file:
        return Path(file.name)


async def _write(path: Path, arriving: AsyncIterable[bytes], expected: Announced) -> None:
    digest, size, held = hashlib.sha256(), 0, bytearray()

    def write(file_part: bytes) -> None:
        digest.update(file_part)
        with path.open("ab") as file:
            file.write(file_part)

    async for part in arriving:
        size += len(part)
        if size > expected.size:
            raise WrongBytes(too_many=True)
        held += part
        if len(held) >= PART:
            await on_disk(partial(write, bytes(held)))
            held.clear()
    await on_disk(lambda: write(bytes(held)))
    if Announced(size, digest.hexdigest()) != expected:
        raise WrongBytes(too_many=False)
