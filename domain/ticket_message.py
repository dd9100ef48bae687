"""What both sides say on a ticket, also about a point of a proof, and what staff note for each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from db import TicketProof
from db.connection import Tx
from db.file import FilePurpose
from db.ticket import TicketEventKind, Visibility
from db.workflow import ActorKind
from domain import audit, file, ticket
from domain.actor import Actor, OrderAccess
from domain.refusal import NotFound, ValidationFailed

LONGEST_MESSAGE: Final = 10_000
MOST_FILES: Final = 20
MOST_PAGES: Final = 10_000


@dataclass(frozen=True)
class Point:
    """A point of a proof: parts of the width and the height of a page, from 0 at its top left corner to 1."""

    proof_id: UUID
    x: float
    y: float
    page: int = 1

    def __post_init__(self) -> None:
        for name, part in (("x", self.x), ("y", self.y)):
            if not 0 <= part <= 1:
                raise ValidationFailed("A point is given by parts of the page, from 0 to 1.", path=("annotates", name))
        if not 1 <= self.page <= MOST_PAGES:
            raise ValidationFailed(f"Pages are counted from 1 to {MOST_PAGES:,}.", path=("annotates", "page"))


@dataclass(frozen=True)
class PostMessage:
    """With files its body may be empty."""

    ticket_id: UUID
    body: str
    visibility: Visibility = Visibility.PUBLIC
    file_ids: tuple[UUID, ...] = ()
    annotates: Point | None = None

    def __post_init__(self) -> None:
        if len(self.file_ids) > MOST_FILES or len(set(self.file_ids)) < len(self.file_ids):
            raise ValidationFailed(f"A message has at most {MOST_FILES} files, each once.", path=("file_ids",))
        if not self.file_ids:
            check_text(self.body, "body")
        elif self.body:
            check_length(self.body, "body")


def check_text(said: str, *path: str) -> None:
    if not said.strip():
        raise ValidationFailed("Write something first.", path=path)
    check_length(said, *path)


def check_length(said: str, *path: str) -> None:
    if len(said) > LONGEST_MESSAGE or "\0" in said:
        raise ValidationFailed(f"A message has at most {LONGEST_MESSAGE:,} characters.", path=path)


async def post_message(tx: Tx, command: PostMessage, actor: Actor, access: OrderAccess | None) -> None:
    if command.visibility == Visibility.INTERNAL and not actor.may("tickets:write"):
        raise ValidationFailed("Only staff write internal notes.", path=("visibility",))
    key = (await ticket.lock(tx, command.ticket_id, actor, access)).id
    files = (key, FilePurpose.TICKET_FILE, actor, command.visibility)
    attached = await file.attach(tx, command.file_ids, *files)
    message = {"body": command.body.strip(), "file_ids": [one.id for one in attached]}
    await _write(tx, key, {**message, **await _point(tx, key, command.annotates)}, actor, command.visibility)


async def _point(tx: Tx, ticket_id: UUID, point: Point | None) -> dict[str, Any]:
    if point is None:
        return {}
    version = await tx.scalar(_VERSION, proof_id=point.proof_id, ticket_id=ticket_id)
    if version is None:
        raise NotFound("There is no such proof of this ticket.", path=("annotates", "proof_id"))
    where = {"page": point.page, "x": point.x, "y": point.y}
    return {"annotates": {"proof_id": point.proof_id, "version": version, **where}}


async def write(tx: Tx, ticket_id: UUID, body: str, actor: Actor, visibility: Visibility) -> None:
    """On a ticket whose order is locked."""
    await _write(tx, ticket_id, {"body": body.strip(), "file_ids": []}, actor, visibility)


async def _write(tx: Tx, ticket_id: UUID, message: Mapping[str, Any], actor: Actor, visibility: Visibility) -> None:
    seq = await ticket.record(tx, ticket_id, TicketEventKind.MESSAGE, message, actor, visibility)
    if actor.kind != ActorKind.CUSTOMER:  # what was said stands in the ticket's own history
        written = {"seq": [seq - 1, seq], "visibility": [None, visibility]}
        await audit.record(tx, actor, "ticketPostMessage", f"ticket:{ticket_id}", written)


_VERSION: Final = select(TicketProof.version).where(
    TicketProof.id == bindparam("proof_id", type_=Uuid), TicketProof.ticket_id == bindparam("ticket_id", type_=Uuid)
)
