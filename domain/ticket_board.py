"""The order of tickets on the board. One change of it at a time, so that no two ever lie in the same place."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx
from db.ticket import TicketEventKind, Visibility
from domain import audit, ticket, ticket_move, ticket_rank
from domain.actor import Actor
from domain.refusal import NotFound, ValidationFailed
from domain.ticket_move import Move


class BoardEnd(StrEnum):
    """Of a column of the board."""

    TOP = "top"
    BOTTOM = "bottom"


@dataclass(frozen=True)
class Place:
    """Right before or behind another ticket of the column, or at an end of it: one of these."""

    before: UUID | None = None
    behind: UUID | None = None
    end: BoardEnd | None = None

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.before, self.behind, self.end)) != 1:
            raise ValidationFailed("Say one place: before or behind a ticket, or an end of the column.")

    @property
    def beside(self) -> UUID | None:
        return self.before or self.behind


async def move(tx: Tx, command: Move | None, ticket_id: UUID, place: Place | None, actor: Actor) -> None:
    """To another state, to another place, or both."""
    row = await ticket.lock(tx, ticket_id, actor, None)
    if command is not None:
        await ticket_move.move_locked(tx, row, command, actor)
        row = await ticket.again(tx, row.id)
    if place is not None:
        await put(tx, row, place, actor)


async def put(tx: Tx, row: Any, place: Place, actor: Actor) -> None:
    """Puts a locked ticket into its place in the column of its state, over all versions of its workflow."""
    await tx.records(_ONE_AT_A_TIME)
    column = {"id": row.id, "workflow_id": row.workflow_id, "state": row.state}
    beside = None
    if place.beside is not None:
        path = "before_id" if place.before else "behind_id"
        beside = await _rank_of(tx, place.beside, column, path)
    (found,) = await tx.records(_BOUNDS, **column, beside=beside)
    low, high = _gap(place, beside, found)
    rank = ticket_rank.between(low, high)
    while await tx.records(_TAKEN, rank=rank, id=row.id):  # by a ticket of another column
        rank = ticket_rank.between(rank, high)
    await tx.run(_SET, id=row.id, rank=rank)
    await ticket.record(tx, row.id, TicketEventKind.RANKED, {}, actor, Visibility.INTERNAL)
    await audit.record(tx, actor, "ticketMove", f"ticket:{row.id}", {"rank": [row.rank, rank]})


def _gap(place: Place, beside: str | None, found: Any) -> tuple[str | None, str | None]:
    if place.end == BoardEnd.TOP:
        return None, found.first
    if place.end == BoardEnd.BOTTOM:
        return found.last, None
    return (found.before, beside) if place.before else (beside, found.behind)


async def _rank_of(tx: Tx, ticket_id: UUID, column: dict[str, Any], path: str) -> str:
    found = await tx.records(_RANK, **column, beside_id=ticket_id)
    if not found:
        raise NotFound("There is no such ticket in the same column, or it is the ticket itself.", path=(path,))
    return found[0].rank


_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('counterfoil'), hashtext('ticket.rank'))")
_RANK: Final = text(
    """
    SELECT ticket.rank FROM ticket JOIN workflow ON workflow.id = ticket.workflow_id
    WHERE ticket.id = :beside_id AND ticket.id <> :id AND ticket.state = :state
      AND workflow.code = (SELECT code FROM workflow WHERE id = :workflow_id)
    """
)
_BOUNDS: Final = text(
    """
    WITH column_ AS (
        SELECT ticket.rank FROM ticket JOIN workflow ON workflow.id = ticket.workflow_id
        WHERE ticket.state = :state AND ticket.id <> :id
          AND workflow.code = (SELECT code FROM workflow WHERE id = :workflow_id)
    )
    SELECT min(rank) AS first, max(rank) AS last,
        max(rank) FILTER (WHERE rank < CAST(:beside AS text)) AS before,
        min(rank) FILTER (WHERE rank > CAST(:beside AS text)) AS behind
    FROM column_
    """
)
_TAKEN: Final = text("SELECT id FROM ticket WHERE rank = :rank AND id <> :id")
_SET: Final = text("UPDATE ticket SET rank = :rank WHERE id = :id")
