"""Pictures of products that were uploaded here."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select, text

from db import Media, Product
from db.connection import Tx, new_id
from domain import audit, storage
from domain import file as files
from domain.actor import Actor
from domain.refusal import NotFound, ValidationFailed

LONGEST_ALT: Final = 500


@dataclass(frozen=True)
class AddMedia:
    """`address` is that of the API, which the picture's address begins with."""

    product_id: UUID
    file_id: UUID
    alt: str
    address: str

    def __post_init__(self) -> None:
        if len(self.alt) > LONGEST_ALT or not self.alt.isprintable():
            raise ValidationFailed(f"A description has at most {LONGEST_ALT} characters.", path=("alt",))


async def add(tx: Tx, command: AddMedia, actor: Actor) -> Media:
    """Behind those that the product has."""
    if await tx.scalar(_LOCK, id=command.product_id) is None:
        raise NotFound(path=("product_id",))
    file = await files.attach_media(tx, command.file_id, command.product_id, actor)
    url = command.address + storage.media_path(file.id, file.sha256)
    await tx.run(_TOUCH, id=command.product_id)
    row = {"product_id": command.product_id, "url": url, "alt": command.alt.strip(), "file_id": file.id}
    media: Media = (await tx.records(_ADD, id=new_id(), **row))[0]
    await audit.record(tx, actor, "productMediaAdd", f"product:{command.product_id}", {"media": [None, media.url]})
    return media


_LOCK: Final = select(Product.id).where(Product.id == bindparam("id")).with_for_update(key_share=True)
_TOUCH: Final = text("UPDATE product SET version = version + 1, updated_at = now() WHERE id = :id")
_ADD: Final = text(
    """
    INSERT INTO media (id, product_id, url, alt, file_id, rank)
    SELECT :id, :product_id, :url, :alt, :file_id, coalesce(max(rank), 0) + 1
    FROM media WHERE product_id = CAST(:product_id AS uuid)
    RETURNING *
    """
)
