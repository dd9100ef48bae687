"""Files: announced by who may upload them, taken once their bytes were looked at, and made part of something.

`attach` is how the history of a ticket refers to files: in the transaction of the message or proof that they go with.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, false, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import ARRAY

from db import File, Order, Product, Ticket
from db.connection import Read, Tx, new_id
from db.file import FilePurpose, FileState
from db.ticket import Visibility
from db.workflow import ActorKind
from domain import audit, storage
from domain import order as orders
from domain.actor import Actor, OrderAccess
from domain.content import Content, RejectionReason
from domain.event import Event, announce
from domain.refusal import ErrorCode, NotFound, Refusal, ValidationFailed

LONGEST_NAME: Final = 200
UPLOAD_WITHIN: Final = timedelta(minutes=15)
"""How long the bytes may come."""
MOST_WAITING: Final = 30
"""Of one ticket or product: files that are not part of anything yet."""
MOST_BYTES: Final = 2 * 2**30
"""Of one ticket or product, all its files."""
MOST_AT_ONCE: Final = 20
"""Files that go with one message."""
ERASED: Final = "(erased)"
NO_HASH: Final = "0" * 64
PERMISSION: Final = {
    FilePurpose.TICKET_FILE: "tickets:write",
    FilePurpose.PROOF: "tickets:write",
    FilePurpose.PRODUCT_MEDIA: "products:write",
    FilePurpose.CATEGORY_PICTURE: "categories:write",
    FilePurpose.COLLECTION_PICTURE: "collections:write",
}
"""What staff need to upload for a purpose."""
OF_TICKETS: Final = frozenset({FilePurpose.TICKET_FILE, FilePurpose.PROOF})
WITH_SUBJECT: Final = OF_TICKETS | {FilePurpose.PRODUCT_MEDIA}
"""They are uploaded for something that is there; the others for what the next write names."""
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(eq=False)
class TooManyFiles(Refusal):
    """A ticket or product has as many files, or as many bytes of files, as one may have."""

    code = ErrorCode.TOO_MANY_FILES


@dataclass(eq=False)
class UploadIncomplete(Refusal):
    """The bytes are not there, or are not those that were announced; they may be sent again."""

    code = ErrorCode.UPLOAD_INCOMPLETE


@dataclass(eq=False)
class FileRejected(Refusal):
    """The file is not taken, for good: what it is was found in its bytes."""

    message: str = "This file is not taken."
    reason: RejectionReason = RejectionReason.TYPE_NOT_ALLOWED
    code = ErrorCode.FILE_REJECTED


@dataclass(frozen=True)
class FileReady(Event):
    """A file's bytes are there and were looked at. It is part of nothing yet."""

    about: ClassVar[str] = "file_id"
    file_id: UUID


@dataclass(frozen=True)
class PrepareUpload:
    """`subject_id` is the ticket, or for media the product; other pictures have none."""

    purpose: FilePurpose
    subject_id: UUID | None
    name: str
    size: int
    sha256: str
    largest: int

    def __post_init__(self) -> None:
        if (self.subject_id is None) == (self.purpose in WITH_SUBJECT):
            message = "Name the ticket or product; pictures of categories and collections are uploaded for none."
            raise ValidationFailed(message, path=("subject_id",))
        name = self.name
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or not name.strip(". "):
            raise ValidationFailed(f"A file's name has 1 to {LONGEST_NAME} printable characters.", path=("file_name",))
        if "/" in name or "\\" in name:
            raise ValidationFailed("A file's name is told without folders.", path=("file_name",))
        if not 1 <= self.size <= self.largest:
            raise ValidationFailed(f"A file has 1 to {self.largest:,} bytes.", path=("size",))
        if not _HASH.fullmatch(self.sha256):
            raise ValidationFailed("Give the SHA-256 of the bytes as 64 hexadecimal digits.", path=("sha256",))


def visible_to(actor: Actor, access: OrderAccess | None) -> Any:
    """Files that a query may show: staff see what they may work on, a customer what is of their own tickets.

    What nobody has attached yet is seen by the side that uploaded it.
    """
    mine = (
        select(Order.id)
        .join(Ticket, Ticket.order_id == Order.id)
        .where(Ticket.id == File.ticket_id, orders.owned_by(actor, access))
        .exists()
    )
    shown = or_(File.attached_at.is_not(None), File.created_by_kind == ActorKind.CUSTOMER)
    seen: list[Any] = [mine & shown & (File.visibility == Visibility.PUBLIC)]
    if actor.may("tickets:read") or actor.may("tickets:write"):
        seen.append(or_(*(File.purpose == purpose for purpose in sorted(OF_TICKETS))))
    for purpose, needed in PERMISSION.items():
        if purpose not in OF_TICKETS and actor.may(needed):
            seen.append(File.purpose == purpose)
    return or_(*seen)


async def find(read: Read, file_id: UUID, actor: Actor, access: OrderAccess | None) -> File | None:
    return await read.first(select(File).where(File.id == file_id, visible_to(actor, access)))


def own_to(actor: Actor, access: OrderAccess | None) -> Any:
    """Files that the caller's side may complete and attach: what it has uploaded itself, where it still may."""
    by_permission = or_(
        false(), *(File.purpose == purpose for purpose, needed in PERMISSION.items() if actor.may(needed))
    )
    theirs = by_permission if actor.kind != ActorKind.CUSTOMER else visible_to(actor, access)
    return theirs & (File.created_by_kind == actor.kind)


async def find_own(read: Read, file_id: UUID, actor: Actor, access: OrderAccess | None) -> File:
    """One that the caller's side has uploaded."""
    file = await read.first(select(File).where(File.id == file_id, own_to(actor, access)))
    if file is None or file.state == FileState.REMOVED:
        raise NotFound("There is no such file, or it is not yours.", path=("file_id",))
    return file


async def prepare(tx: Tx, command: PrepareUpload, actor: Actor, access: OrderAccess | None) -> File:
    """Announces a file. Nobody sees it before its bytes are there."""
    await _lock_subject(tx, command, actor, access)
    counted = _HELD.get(command.purpose, _HELD_BY_PURPOSE)
    waiting, held = (await tx.records(counted, id=command.subject_id or command.purpose))[0]
    if waiting >= MOST_WAITING or held + command.size > MOST_BYTES:
        path = "purpose" if command.subject_id is None else "subject_id"
        raise TooManyFiles("There are as many files as there may be.", path=(path,))
    media = command.purpose == FilePurpose.PRODUCT_MEDIA
    row: dict[str, Any] = {
        "id": new_id(),
        "purpose": command.purpose,
        "ticket_id": command.subject_id if command.purpose in OF_TICKETS else None,
        "product_id": command.subject_id if media else None,
        "name": command.name,
        "size": command.size,
        "sha256": command.sha256,
        "created_by_kind": actor.kind,
        "created_by": actor.id,
    }
    file: File = (await tx.records(_PREPARE, **row, seconds=UPLOAD_WITHIN.total_seconds()))[0]
    await _record(tx, actor, "uploadPrepare", file.id, {"name": [None, command.name]})
    return file


async def _lock_subject(tx: Tx, command: PrepareUpload, actor: Actor, access: OrderAccess | None) -> None:
    """Who uploads for the same ticket or product queues up here, so that what it may have is counted rightly."""
    if command.subject_id is None:
        await tx.run(_ONE_PICTURE_AT_A_TIME, purpose=command.purpose)
        return
    if command.purpose == FilePurpose.PRODUCT_MEDIA:
        found = await tx.scalar(_LOCK_PRODUCT, id=command.subject_id)
    else:
        orders_of_theirs = select(Order.id).where(orders.owned_by(actor, access), Order.id == Ticket.order_id).exists()
        theirs = true() if actor.may(PERMISSION[command.purpose]) else orders_of_theirs
        ticket = select(Ticket.id).where(Ticket.id == command.subject_id, theirs)
        found = await tx.scalar(ticket.with_for_update(key_share=True, of=Ticket))
    if found is None:
        raise NotFound(path=("subject_id",))


async def expected(read: Read, file_id: UUID) -> File | None:
    """The file whose bytes may come now; null when they have come, or it is too late."""
    return await read.first(_EXPECTED, id=file_id)


async def complete(tx: Tx, file_id: UUID, content: Content, actor: Actor) -> bool:
    """The bytes are what was announced, and lie where they belong. False: somebody else was faster, or it is gone."""
    found = {"content_type": content.content_type, "width": content.width, "height": content.height}
    if not await tx.run(_COMPLETE, id=file_id, **found, thumbnails=sorted(content.thumbnails)):
        return False
    await announce(tx, FileReady(file_id))
    await _record(tx, actor, "uploadComplete", file_id, {"content_type": [None, content.content_type]})
    return True


async def reject(tx: Tx, file_id: UUID, reason: RejectionReason, actor: Actor) -> bool:
    if not await tx.run(_REJECT, id=file_id, reason=reason):
        return False
    await _record(tx, actor, "uploadComplete", file_id, {"reason": [None, reason]})
    return True


async def attach(  # noqa: PLR0917 - what is attached, to what, and by whom
    tx: Tx,
    file_ids: Sequence[UUID],
    ticket_id: UUID,
    purpose: FilePurpose,
    actor: Actor,
    visibility: Visibility = Visibility.PUBLIC,
) -> list[File]:
    """Makes files part of something of the ticket, in the caller's transaction, in which the actor was let write on it.

    Each file once, and only those that the actor's side has uploaded for this ticket and purpose. In the given order;
    refuses with paths ("file_ids", position).
    """
    if len(file_ids) > MOST_AT_ONCE or len(set(file_ids)) < len(file_ids):
        raise ValidationFailed(f"Attach at most {MOST_AT_ONCE} files at once, each once.", path=("file_ids",))
    given = {"ticket_id": ticket_id, "purpose": purpose, "kind": actor.kind}
    attached = await tx.all(_ATTACH, ids=list(file_ids), **given, visibility=visibility) if file_ids else []
    by_id = {file.id: file for file in attached}
    for position, file_id in enumerate(file_ids):
        if file_id not in by_id:
            raise NotFound(
                "There is no such file of this ticket; or it is not complete, or attached already.",
                path=("file_ids", str(position)),
            )
    return [by_id[file_id] for file_id in file_ids]


async def attach_media(tx: Tx, file_id: UUID, product_id: UUID, actor: Actor) -> File:
    """Makes an uploaded picture one of the product's."""
    found = await tx.first(_ATTACH_MEDIA, id=file_id, product_id=product_id, kind=actor.kind)
    if found is None:
        raise NotFound("There is no such picture of this product; or it is not complete, or used.", path=("file_id",))
    return found


async def remove_of_orders(tx: Tx, order_ids: Sequence[UUID]) -> None:
    """Nobody sees a file of the tickets of these orders any more, nor what it was called; its bytes go soon."""
    await tx.run(_REMOVE_OF_ORDERS, orders=list(order_ids), name=ERASED, hash=NO_HASH)


async def expire(tx: Tx) -> int:
    """Removes some of what was never completed or never became part of anything; how many."""
    return await tx.run(_EXPIRE, name=ERASED)


async def to_serve(read: Read, file_id: UUID, width: int | None) -> File:
    """A file whose bytes may be given to who has its address; with a width, if there is such a thumbnail."""
    file = await read.first(_READY, id=file_id)
    if file is None or (width is not None and width not in file.thumbnails):
        raise NotFound
    return file


async def media_to_serve(read: Read, file_id: UUID, hash_begins: str, width: int | None) -> File:
    """A picture of the catalogue, which anybody may see who knows its address."""
    file = await to_serve(read, file_id, width)
    known = file.purpose not in OF_TICKETS and file.attached_at is not None
    if not known or file.sha256[: storage.MEDIA_HASH] != hash_begins:
        raise NotFound
    return file


async def is_over(read: Read, file_id: UUID) -> bool:
    """It was removed, so nothing of it is to be kept."""
    state = await read.scalar(_STATE, id=file_id)
    return state is None or state == FileState.REMOVED


async def to_sweep(read: Read) -> list[UUID]:
    """Some removed files whose bytes may still lie there."""
    return await read.scalars(_TO_SWEEP)


async def swept(tx: Tx, file_id: UUID) -> None:
    """Its bytes are gone. What was part of something stays as a name in a history; the rest is forgotten."""
    await tx.run(_FORGET, id=file_id)
    await tx.run(_SWEPT, id=file_id)


async def _record(tx: Tx, actor: Actor, action: str, file_id: UUID, difference: dict[str, Any]) -> None:
    if actor.kind != ActorKind.CUSTOMER:
        await audit.record(tx, actor, action, f"file:{file_id}", difference)


_FILE: Final = File.id == bindparam("id")
_LOCK_PRODUCT: Final = select(Product.id).where(Product.id == bindparam("id")).with_for_update(key_share=True)
_COUNTED: Final = (
    func.count().filter(File.attached_at.is_(None)),
    func.coalesce(func.sum(File.size), 0),
)
_HELD_BY_TICKET: Final = select(*_COUNTED).where(File.ticket_id == bindparam("id"), File.state != FileState.REMOVED)
_HELD_BY_PRODUCT: Final = select(*_COUNTED).where(File.product_id == bindparam("id"), File.state != FileState.REMOVED)
# Of these only what waits: categories and collections are as many as there are.
_HELD_BY_PURPOSE: Final = select(*_COUNTED).where(
    File.attached_at.is_(None), File.purpose == bindparam("id"), File.state != FileState.REMOVED
)
_HELD: Final = {
    **dict.fromkeys(OF_TICKETS, _HELD_BY_TICKET),
    FilePurpose.PRODUCT_MEDIA: _HELD_BY_PRODUCT,
}
_ONE_PICTURE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('counterfoil.file'), hashtext(:purpose))")
_PREPARE: Final = text(
    """
        INSERT INTO file (id, purpose, ticket_id, product_id, name, size, sha256, created_by_kind, created_by,
                          upload_until)
        VALUES (:id, :purpose, :ticket_id, :product_id, :name, :size, :sha256, :created_by_kind, :created_by,
                clock_timestamp() + make_interval(secs => :seconds))
        RETURNING *
        """
)
_EXPECTED: Final = select(File).where(
    _FILE, File.state == FileState.PENDING, File.upload_until > func.clock_timestamp()
)
_STATE: Final = select(File.state).where(_FILE)
_READY: Final = select(File).where(_FILE, File.state == FileState.READY)
_COMPLETE: Final = (
    update(File)
    .where(_FILE, File.state == FileState.PENDING)
    .values(
        state=FileState.READY,
        content_type=bindparam("content_type"),
        width=bindparam("width"),
        height=bindparam("height"),
        thumbnails=bindparam("thumbnails"),
    )
)
_REJECT: Final = (
    update(File)
    .where(_FILE, File.state == FileState.PENDING)
    .values(state=FileState.REJECTED, reason=bindparam("reason"))
)
ATTACHABLE: Final = (
    (File.state == FileState.READY) & File.attached_at.is_(None) & (File.created_by_kind == bindparam("kind"))
)
_ATTACH: Final = (
    update(File)
    .where(
        File.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
        File.ticket_id == bindparam("ticket_id"),
        File.purpose == bindparam("purpose"),
        ATTACHABLE,
    )
    .values(attached_at=func.clock_timestamp(), visibility=bindparam("visibility"))
    .returning(File)
)
_ATTACH_MEDIA: Final = (
    update(File)
    .where(_FILE, File.product_id == bindparam("product_id"), ATTACHABLE)
    .values(attached_at=func.clock_timestamp())
    .returning(File)
)
_REMOVE_OF_ORDERS: Final = text(
    """
    UPDATE file SET state = 'removed', reason = NULL, name = :name, sha256 = :hash
    FROM ticket WHERE ticket.id = file.ticket_id AND ticket.order_id = ANY(:orders) AND file.state <> 'removed'
    """
)
# An upload may end an hour after its time at most; who completed one has a day to say what it belongs to.
_EXPIRE: Final = text(
    """
    UPDATE file SET state = 'removed', reason = NULL, name = :name WHERE id IN (
        SELECT id FROM file
        WHERE attached_at IS NULL AND state <> 'removed' AND (
            state = 'pending' AND upload_until < clock_timestamp() - make_interval(hours => 1)
            OR created_at < clock_timestamp() - make_interval(days => 1))
        LIMIT 100)
    """
)
_TO_SWEEP: Final = (
    select(File.id).where(File.state == FileState.REMOVED, File.bytes_gone_at.is_(None)).order_by(File.id).limit(100)
)
_FORGET: Final = text("DELETE FROM file WHERE id = :id AND state = 'removed' AND attached_at IS NULL")
_SWEPT: Final = update(File).where(_FILE, File.state == FileState.REMOVED).values(bytes_gone_at=func.clock_timestamp())
