"""The event log as streams over many entities read it: where they are in it, which log it is, how long it is kept.

Why the horizon and not the ids, and what a generation is: docs/decisions/0012-live.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import Integer, Text, TextClause, literal_column, text

from db.connection import Read, Tx

KEPT: Final = timedelta(days=30)
AT_ONCE: Final = 100
"""Events that a stream which is behind reads at once."""
PRUNED_AT_ONCE: Final = 1_000
SEEN: Final[Any] = literal_column("CAST(pg_current_snapshot() AS text)", Text).label("log_seen")
GENERATION: Final[Any] = literal_column("(SELECT generation FROM log_state)", Integer).label("log_generation")
"""Columns that a statement which reads a state selects as well: a cursor behind that state is made of them."""


@dataclass(frozen=True)
class Seen:
    """What one statement saw: every transaction below `first`, and those below `end` that were not running."""

    first: int
    end: int
    running: frozenset[int]

    @classmethod
    def read(cls, written: str) -> Self:
        first, end, running = written.split(":")
        return cls(int(first), int(end), frozenset(int(xid) for xid in running.split(",") if xid))

    def __str__(self) -> str:
        return f"{self.first}:{self.end}:{','.join(map(str, sorted(self.running)))}"

    def saw(self, xid: int) -> bool:
        return xid < self.end and xid not in self.running


@dataclass(frozen=True)
class Cursor:
    """Behind the event `(follows, id)` of a log; what `seen` saw was told already, as part of a state."""

    generation: int
    follows: int
    id: int
    seen: Seen | None = None

    @classmethod
    def of_state(cls, row: Any) -> Self:
        """Behind a state that was read with `SEEN` and `GENERATION`."""
        seen = Seen.read(row["log_seen"])
        return cls(row["log_generation"], seen.first, 0, seen)

    @classmethod
    def read(cls, written: str) -> Self:
        """From what `str` made of it; raises ValueError."""
        generation, follows, id_, *seen = written.split(";")
        return cls(int(generation), int(follows), int(id_), Seen.read(seen[0]) if seen else None)

    def __str__(self) -> str:
        written = f"{self.generation};{self.follows};{self.id}"
        return written if self.seen is None else f"{written};{self.seen}"

    def is_before(self, event: Any) -> bool:
        """Whether the event is later than everything that was told."""
        if (event.follows, event.id) <= (self.follows, self.id):
            return False
        return self.seen is None or not self.seen.saw(event.xid)

    def behind(self, event: Any) -> "Cursor":
        """The cursor once the event was told. The snapshot is of no more use behind all that it saw."""
        seen = self.seen if self.seen is not None and event.follows < self.seen.end else None
        return replace(self, follows=event.follows, id=event.id, seen=seen)


_STATE: Final = text(
    """
    SELECT generation, CAST(CAST(kept_from AS text) AS bigint) AS kept_from,
           CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) AS next
    FROM log_state
    """
)


async def goes_on(read: Read, cursor: Cursor) -> bool:
    """Whether everything after the cursor is in this log."""
    (state,) = await read.records(_STATE)
    return cursor.generation == state.generation and state.kept_from <= cursor.follows <= state.next


# A copy of the database, another server, another past of this one (a backup, a standby that was promoted).
_RECOGNISE: Final = text(
    """
    UPDATE log_state SET identity = now_.identity,
        generation = generation + CASE WHEN log_state.identity IS NULL AND NOT now_.ahead THEN 0 ELSE 1 END
    FROM (
        SELECT system.system_identifier || '/' || checkpoint.timeline_id || '/' || database.oid AS identity, coalesce(
            (SELECT follows FROM event ORDER BY follows DESC, id DESC LIMIT 1) >=
            pg_snapshot_xmax(pg_current_snapshot()), false) AS ahead
        FROM pg_control_system() AS system, pg_control_checkpoint() AS checkpoint, pg_database AS database
        WHERE database.datname = current_database()
    ) AS now_
    WHERE log_state.identity IS DISTINCT FROM now_.identity OR now_.ahead
    RETURNING generation, now_.ahead
    """
)
# What was written elsewhere has numbers that are still to come here: it is all over, so it may be below them.
_SETTLE: Final = text(
    """
    UPDATE event SET xid = pg_current_xact_id(), follows = pg_current_xact_id()
    WHERE follows >= pg_snapshot_xmax(pg_current_snapshot())
    """
)


async def recognise(tx: Tx) -> int | None:
    """To be asked before a process serves: the new generation, if this log is not the one that it was."""
    found = await tx.records(_RECOGNISE)
    if not found:
        return None
    if found[0].ahead:
        await tx.run(_SETTLE)
    return found[0].generation


_PRUNE: Final = text(
    """
    WITH oldest AS (
        SELECT id, follows, at FROM event
        WHERE follows < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY follows, id LIMIT :most
    ), gone AS (
        DELETE FROM event USING oldest
        WHERE event.id = oldest.id AND oldest.at < clock_timestamp() - CAST(:kept AS interval)
        RETURNING event.follows
    ), told AS (
        UPDATE log_state SET kept_from = greatest(kept_from, (
            SELECT CAST(CAST(CAST(CAST(follows AS text) AS bigint) + 1 AS text) AS xid8)
            FROM gone ORDER BY follows DESC LIMIT 1))
        WHERE EXISTS (SELECT FROM gone)
    )
    SELECT count(*) AS gone FROM gone
    """
)


async def prune(tx: Tx) -> int:
    """Takes away some events that are older than the log is kept; how many. Histories of tickets are kept for ever."""
    (row,) = await tx.records(_PRUNE, most=PRUNED_AT_ONCE, kept=KEPT)
    return row.gone


_EVENTS: Final = """
    SELECT id, CAST(CAST(xid AS text) AS bigint) AS xid, CAST(CAST(follows AS text) AS bigint) AS follows,
           name, topic, entity, data
    FROM event
    WHERE (follows, id) > (CAST(CAST(CAST(:follows AS bigint) AS text) AS xid8), CAST(:id AS bigint))
      AND follows < CAST(CAST(CAST(:until AS bigint) AS text) AS xid8) AND {of_these}
    ORDER BY follows, id LIMIT :most
"""
OF_ENTITY: Final = text(_EVENTS.format(of_these="entity = :entity"))
OF_TICKETS: Final = text(_EVENTS.format(of_these="name = 'TicketChanged'"))
OF_CUSTOMER: Final = text(
    _EVENTS.format(
        of_these="""entity = ANY (
            SELECT 'order:' || id FROM "order" WHERE customer_id = :customer_id
            UNION ALL SELECT 'customer:' || CAST(:customer_id AS uuid)
        ) AND name IN ('TicketChanged', 'OrdersAdopted')"""
    )
)
"""Events between a cursor and where a stream is told of by itself, in order."""


async def between(read: Read, which: TextClause, cursor: Cursor, until: int, **named: Any) -> list[Any]:
    """The next ones after the cursor of transactions below `until`; fewer than `AT_ONCE`: there are no more."""
    place = {"follows": cursor.follows, "id": cursor.id, "until": until, "most": AT_ONCE}
    return await read.records(which, **place, **named)


@dataclass(frozen=True, eq=False)
class Told:
    """An event, with what is needed to know whom it is for and what is shown of it."""

    id: int
    xid: int
    follows: int
    name: str
    entity: str
    data: Mapping[str, Any]
    happened: Any = None
    """The row of the ticket's history that it is about."""
    customer_id: UUID | None = None
    """Whose order the ticket is of."""
    workflow: str = ""
    """Code of the ticket's."""
    order_id: UUID | None = None
    items: dict[Any, Any] = field(default_factory=dict[Any, Any])
    """What was made of it to be told."""


_HAPPENED: Final = text(
    """
    SELECT key.n, happened.*, "order".id AS order_id, "order".customer_id, workflow.code AS workflow
    FROM unnest(CAST(:tickets AS uuid[]), CAST(:seqs AS int[])) WITH ORDINALITY AS key (ticket_id, seq, n)
    JOIN ticket_event AS happened ON happened.ticket_id = key.ticket_id AND happened.seq = key.seq
    JOIN ticket ON ticket.id = key.ticket_id JOIN "order" ON "order".id = ticket.order_id
    JOIN workflow ON workflow.id = ticket.workflow_id
    """
)


async def told(read: Read, events: Sequence[Any]) -> list[Told]:
    """One statement for what happened to tickets. A ticket that was withdrawn again never was."""
    of_tickets = [event for event in events if event.name == "TicketChanged"]
    found: dict[int, Any] = {}
    if of_tickets:
        keys = {"tickets": [e.data["ticket_id"] for e in of_tickets], "seqs": [e.data["seq"] for e in of_tickets]}
        rows = await read.records(_HAPPENED, **keys)
        found = {of_tickets[row.n - 1].id: row for row in rows}
    return list(_completed(events, found))


def _completed(events: Iterable[Any], found: Mapping[int, Any]) -> Iterable[Told]:
    for event in events:
        row = found.get(event.id)
        plain = (event.id, event.xid, event.follows, event.name, event.entity, event.data)
        if row is not None:
            yield Told(*plain, row, row.customer_id, row.workflow, row.order_id)
        elif event.name != "TicketChanged":
            yield Told(*plain)
