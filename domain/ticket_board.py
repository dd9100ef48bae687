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

LONGEST: Final = 100
"""Digits of a rank. Always into the same gap a sixth of a digit is added by each move."""
AROUND: Final = 50
"""On either side, so many tickets move apart where it has become narrow."""


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
    if len(rank) > LONGEST:
        rank = await _with_room(tx, column, (low, high), actor) or rank
    await tx.run(_SET, id=row.id, rank=rank)
    await ticket.record(tx, row.id, TicketEventKind.RANKED, {}, actor, Visibility.INTERNAL)
    await audit.record(tx, actor, "ticketMove", f"ticket:{row.id}", {"rank": [row.rank, rank]})


def _gap(place: Place, beside: str | None, found: Any) -> tuple[str | None, str | None]:
    if place.end == BoardEnd.TOP:
        return None, found.first
    if place.end == BoardEnd.BOTTOM:
        return found.last, None
    return (found.before, beside) if place.before else (beside, found.behind)


async def _with_room(tx: Tx, column: dict[str, Any], gap: tuple[str | None, str | None], actor: Actor) -> str | None:
    """The place in a gap that has become narrow, once those around it have moved apart in the order that they have.

    Null: somebody is at work on one of them. They are not waited for, as they may wait for us; the next move tries it.
    """
    below, above = await _beside(tx, _BELOW, column, gap[0]), await _beside(tx, _ABOVE, column, gap[1])
    first = below.pop().rank if len(below) > AROUND else None
    last = above.pop().rank if len(above) > AROUND else None
    moved = [*reversed(below), *above]
    keys = [row.id for row in moved]
    if len(await tx.records(_LOCK_FREE, keys=keys)) < len(keys):
        return None
    ranks = await _free(tx, first, last, len(keys) + 1)
    own = ranks.pop(len(below))
    await tx.run(_SET_ALL, ranks=[{"id": key, "rank": rank} for key, rank in zip(keys, ranks, strict=True)])
    for key in keys:
        await ticket.record(tx, key, TicketEventKind.RANKED, {}, actor, Visibility.INTERNAL)
    return own


async def _beside(tx: Tx, side: Any, column: dict[str, Any], rank: str | None) -> list[Any]:
    """The nearest first, and one more than may move."""
    return [] if rank is None else await tx.records(side, **column, rank=rank, most=AROUND + 1)


async def _free(tx: Tx, first: str | None, last: str | None, count: int) -> list[str]:
    """So many ranks in order that no ticket has, also none of those that get them: they change one by one."""
    more = 0
    while True:
        ranks = ticket_rank.spread(first, last, count + more)
        taken = {row.rank for row in await tx.records(_ARE_TAKEN, ranks=ranks)}
        free = [rank for rank in ranks if rank not in taken]
        if len(free) >= count:
            return free[:count]
        more += len(taken)


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
_BELOW: Final = text(
    """
    SELECT ticket.id, ticket.rank FROM ticket JOIN workflow ON workflow.id = ticket.workflow_id
    WHERE ticket.state = :state AND ticket.id <> :id AND ticket.rank <= :rank
      AND workflow.code = (SELECT code FROM workflow WHERE id = :workflow_id)
    ORDER BY ticket.rank DESC LIMIT :most
    """
)
_ABOVE: Final = text(
    """
    SELECT ticket.id, ticket.rank FROM ticket JOIN workflow ON workflow.id = ticket.workflow_id
    WHERE ticket.state = :state AND ticket.id <> :id AND ticket.rank >= :rank
      AND workflow.code = (SELECT code FROM workflow WHERE id = :workflow_id)
    ORDER BY ticket.rank LIMIT :most
    """
)
_LOCK_FREE: Final = text("SELECT id FROM ticket WHERE id = ANY(:keys) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED")
_ARE_TAKEN: Final = text("SELECT rank FROM ticket WHERE rank = ANY(:ranks)")
_SET_ALL: Final = text(
    """
    UPDATE ticket SET rank = renewed.rank
    FROM jsonb_to_recordset(:ranks) AS renewed (id uuid, rank text) WHERE renewed.id = ticket.id
    """
)
