"""Files for the access matrix: one that everybody has, and with what the fields about files are tried."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import new_id
from domain.processes.shop import Shop
from resolvers import ids

HASH: Final = "0123456789abcdef" * 4
TOLD: Final = {"fileName": "art.png", "size": "100", "sha256": HASH}


async def file(shop: Shop, *, attached: bool, by: str = "customer", **subject: UUID) -> str:
    """A picture of a ticket or product, as if its bytes had come."""
    purpose = "product_media" if "product_id" in subject else "ticket_file"
    given: Mapping[str, Any] = {"ticket_id": None, "product_id": None, **subject}
    file_id = new_id()
    async with shop.tx() as tx:
        await tx.run(READY, id=file_id, purpose=purpose, sha256=HASH, attached=attached, kind=by, **given)
    return ids.encode("File", file_id)


READY: Final = text(
    """
    INSERT INTO file (id, purpose, ticket_id, product_id, name, size, sha256, state, content_type, width, height,
                      thumbnails, created_by_kind, upload_until, attached_at)
    VALUES (:id, :purpose, :ticket_id, :product_id, 'art.png', 100, :sha256, 'ready', 'image/png', 600, 400,
            '{160}', :kind, now(), CASE WHEN :attached THEN now() END)
    """
)


async def uploaded(world: Any, who: Any) -> dict[str, Any]:
    return {"fileId": await file(world.shop, attached=False, ticket_id=ids.decode("Ticket", who.bought.ticket))}


MUTATIONS: Final[dict[str, Any]] = {
    "uploadComplete": uploaded,
    "uploadPrepare": lambda _, who: {"purpose": "TICKET_FILE", "subjectId": who.bought.ticket, **TOLD},
}
