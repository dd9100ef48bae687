"""What was uploaded is looked at, and becomes a file or is rejected; and files that are over go.

The bytes that are kept are those that were looked at: they are fetched once, inspected, and put where they belong.
"""

import hashlib
import logging
from pathlib import Path
from uuid import UUID

from db import File
from db.file import FileState
from domain import content, storage
from domain import file as files
from domain.actor import Actor, OrderAccess
from domain.content import Content, RejectionReason, Unfit
from domain.file import FileRejected, UploadIncomplete
from domain.processes.receive_file import files_of, scratch_file
from domain.processes.shop import Shop
from domain.storage import Files, StorageUnavailable, on_disk

_log = logging.getLogger(__name__)


async def complete_upload(shop: Shop, file_id: UUID, actor: Actor, access: OrderAccess | None) -> None:
    """The file is ready, or it is refused why not. May be repeated, also at the same time: all get the same answer."""
    file = await files.find_own(shop.read, file_id, actor, access)
    if file.state == FileState.PENDING:
        await _inspect(shop, file, actor)
        file = await files.find_own(shop.read, file_id, actor, access)
    if file.state == FileState.REJECTED:
        raise FileRejected(reason=RejectionReason(file.reason or ""), path=("file_id",))
    if file.state != FileState.READY:
        raise UploadIncomplete("The bytes that were announced are not there; send them again.", path=("file_id",))


async def _inspect(shop: Shop, file: File, actor: Actor) -> None:
    kept = files_of(shop)
    incoming, settled = storage.everything_of(file.id)
    async with kept.turn, scratch_file(kept) as path:
        if not await _fetch(kept, file, path):
            return
        try:
            found = await on_disk(lambda: content.inspect(path, file.purpose))
        except Unfit as unfit:
            async with shop.tx() as tx:
                await files.reject(tx, file.id, unfit.reason, actor)
            await _clear(kept, incoming)
            return
        await _settle(kept, file.id, path, found)
    async with shop.tx() as tx:
        done = await files.complete(tx, file.id, found, actor)
    over = not done and await files.is_over(shop.read, file.id)
    await _clear(kept, incoming, *((settled,) if over else ()))


async def _fetch(kept: Files, file: File, path: Path) -> bool:
    """The bytes are at `path`, as they were announced. Others are taken away, so that the right ones may come."""
    key = storage.incoming(file.id)
    size = await kept.storage.size(key)
    if size is None:
        return False
    fetched = size == file.size and await kept.storage.fetch(key, path)
    if fetched and await on_disk(lambda: _hash(path)) == file.sha256:
        return True
    await kept.storage.remove(storage.everything_of(file.id)[0])
    return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _settle(kept: Files, file_id: UUID, path: Path, found: Content) -> None:
    for width, thumbnail in found.thumbnails.items():
        await kept.storage.take(thumbnail, storage.thumbnail(file_id, width))
    await kept.storage.take(path, storage.original(file_id))


async def _clear(kept: Files, *prefixes: str) -> None:
    """What is decided is not undone because something could not be cleared away; it goes with its file."""
    for prefix in prefixes:
        try:
            await kept.storage.remove(prefix)
        except StorageUnavailable:
            _log.warning("%s could not be cleared away", prefix, exc_info=True)


async def sweep_files(shop: Shop) -> int:
    """Takes away the bytes of files that were removed, and what dead processes left; how many files."""
    if shop.files is None:
        return 0
    gone = 0
    await shop.files.storage.tidy()
    while removed := await files.to_sweep(shop.read):
        for file_id in removed:
            for prefix in storage.everything_of(file_id):
                await shop.files.storage.remove(prefix)
            async with shop.tx() as tx:
                await files.swept(tx, file_id)
        gone += len(removed)
    return gone
