"""Pictures of categories and collections that were uploaded here, and become theirs with the write that names them.

The one that was shown before is freed by a trigger (db/file.py), so no way of replacing it can forget that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from db import Category, Collection, File
from db.connection import Tx
from db.file import FilePurpose
from domain import storage
from domain.actor import Actor
from domain.file import ATTACHABLE
from domain.refusal import NotFound, under


@dataclass(frozen=True)
class Showing:
    """Of what the picture is to be; `key` is null of what is not there yet. `address` is that of the API, which the
    address of an uploaded picture begins with.
    """

    model: type[Category | Collection]
    address: str
    key: UUID | None = None


async def placed(tx: Tx, given: Mapping[str, Any], showing: Showing, actor: Actor) -> Mapping[str, Any]:
    """What was given, its picture known by its address; the file of an uploaded one is nobody else's from now on.

    Told again by its file or its address, a picture stays the one that it is.
    """
    image = given.get("image")
    if image is None:
        return given
    shown: Any = None if showing.key is None else await tx.first(_SHOWN[showing.model], id=showing.key)
    uploaded = None if shown is None else shown.image_file_id
    if shown is not None and uploaded is not None and (image.file_id == uploaded or image.url == shown.image_url):
        image = replace(image, url=shown.image_url, file_id=uploaded)
    elif image.file_id is not None:
        file = await _attach(tx, image.file_id, showing.model, actor)
        image = replace(image, url=showing.address + storage.media_path(file.id, file.sha256))
    return {**given, "image": image}


async def _attach(tx: Tx, file_id: UUID, model: type[Category | Collection], actor: Actor) -> File:
    found = await tx.first(_ATTACH, id=file_id, purpose=_PURPOSES[model], kind=actor.kind)
    if found is None:
        with under("image"):
            raise NotFound(
                "There is no such uploaded picture for this; or it is not complete, or used.", path=("file_id",)
            )
    return found


_PURPOSES: Final = {Category: FilePurpose.CATEGORY_PICTURE, Collection: FilePurpose.COLLECTION_PICTURE}
_SHOWN: Final[dict[Any, Any]] = {
    model: select(model.image_url, model.image_file_id)
    .where(model.id == bindparam("id"))
    .with_for_update(key_share=True)
    for model in _PURPOSES
}
_ATTACH: Final = (
    update(File)
    .where(File.id == bindparam("id"), File.purpose == bindparam("purpose"), ATTACHABLE)
    .values(attached_at=func.clock_timestamp())
    .returning(File)
)
