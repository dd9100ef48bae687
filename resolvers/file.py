"""Files: announced, completed, shown with addresses that expire, and made pictures of the catalogue."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from db import File
from db.file import FilePurpose, FileState
from domain import file as files
from domain import storage
from domain.attempt import Limit
from domain.file import UPLOAD_WITHIN, PrepareUpload
from domain.processes.complete_upload import complete_upload
from domain.processes.receive_file import files_of
from domain.refusal import ValidationFailed
from domain.storage import Announced
from resolvers import ids
from resolvers.batches import many, one
from resolvers.context import PUBLIC, Ctx
from resolvers.session import Limits, counted_attempt

NEEDS: Final = {
    FilePurpose.TICKET_FILE: PUBLIC,
    FilePurpose.PROOF: files.PERMISSION[FilePurpose.PROOF],
    FilePurpose.PRODUCT_MEDIA: files.PERMISSION[FilePurpose.PRODUCT_MEDIA],
    FilePurpose.CATEGORY_PICTURE: files.PERMISSION[FilePurpose.CATEGORY_PICTURE],
    FilePurpose.COLLECTION_PICTURE: files.PERMISSION[FilePurpose.COLLECTION_PICTURE],
}
SUBJECTS: Final = {
    FilePurpose.TICKET_FILE: "Ticket",
    FilePurpose.PROOF: "Ticket",
    FilePurpose.PRODUCT_MEDIA: "Product",
    FilePurpose.CATEGORY_PICTURE: "Category",
    FilePurpose.COLLECTION_PICTURE: "Collection",
}
UPLOADS: Final = Limits(
    Limit("uploads for one ticket or product", 300, timedelta(hours=1)),
    Limit("uploads from an address", 1000, timedelta(hours=1)),
)
LONGEST: Final = 3600
"""Seconds for which an address of a file may be good."""
file_by_id = one(select(File), File.id)
"""For what names files by id: who sees that sees them."""
files_of_ticket = many(select(File).where(File.attached_at.is_not(None)).order_by(File.id), File.ticket_id)
"""What is part of it, internal files among it: the caller leaves those out for customers."""


async def prepare(ctx: Ctx, given: Any) -> dict[str, Any]:
    ctx.require(NEEDS[given.purpose])
    kept = files_of(ctx.shop)
    named = given.subject_id
    subject = None if named is None else ids.decode(SUBJECTS[given.purpose], named, "subject_id")
    digest = given.sha256.lower()
    command = PrepareUpload(given.purpose, subject, given.file_name, given.size, digest, kept.largest)
    await counted_attempt(ctx, UPLOADS, f"uploads {subject or given.purpose}")
    async with ctx.shop.tx() as tx:
        file = await files.prepare(tx, command, ctx.actor, ctx.order_access(given.access_token))
    seconds = int(UPLOAD_WITHIN.total_seconds())
    target = kept.storage.upload_target(storage.incoming(file.id), Announced(file.size, file.sha256), seconds)
    if target is None:
        url = f"{kept.address}/uploads/{ctx.tokens.upload_token(file.id, file.upload_until)}"
        target = storage.Target(url, {"content-type": "application/octet-stream"})
    headers = [{"name": name, "value": value} for name, value in target.headers.items()]
    upload = {"method": "PUT", "url": target.url, "headers": headers, "expires_at": file.upload_until}
    return {"file": file, "upload": upload}


async def complete(ctx: Ctx, given: Any) -> dict[str, Any]:
    file_id = ids.decode("File", given.file_id, "file_id")
    await complete_upload(ctx.shop, file_id, ctx.actor, ctx.order_access(given.access_token))
    return {"file": await ctx.load(file_by_id, file_id)}


async def find(ctx: Ctx, file_id: UUID) -> File | None:
    return await files.find(ctx.read, file_id, ctx.actor, ctx.order_access(None))


async def url(ctx: Ctx, row: Any, expires_in: int) -> str | None:
    """Null while there are no bytes, or no longer any."""
    return _url(ctx, row, None, expires_in)


async def thumbnail(ctx: Ctx, row: Any, width: int, expires_in: int) -> str | None:
    """The smallest copy that is as wide as is asked for, else the widest; null of what is no picture."""
    widths: Sequence[int] = row["thumbnails"]
    fitting = min((w for w in widths if w >= width), default=max(widths, default=None))
    return None if fitting is None else _url(ctx, row, fitting, expires_in)


def _url(ctx: Ctx, row: Any, width: int | None, seconds: int) -> str | None:
    if not 1 <= seconds <= LONGEST:
        raise ValidationFailed(f"An address is good for 1 to {LONGEST:,} seconds.", path=("expires_in",))
    if row["state"] != FileState.READY:
        return None
    return f"{files_of(ctx.shop).address}/files/{ctx.tokens.file_token(row['id'], width, seconds)}"
