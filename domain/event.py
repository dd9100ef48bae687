"""Events: what happened, announced in the transaction in which it happened.

`announce` writes one row to the event log and enqueues one durable workflow for each reaction to it, by one
statement and in the caller's commit: the event, its reactions and the change itself happen together or not.
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Self
from uuid import UUID

from sqlalchemy import text

from db.connection import Tx

QUEUE: Final = "reactions"
"""The DBOS queue on which reactions run."""


@dataclass(frozen=True)
class Event:
    """Ids and numbers only; whoever needs more reads it, by then it may have changed."""

    about: ClassVar[str]
    """The field that names the subject: `order_id` makes the topic `order:<id>`."""

    @property
    def topic(self) -> str:
        return f"{self.about.removesuffix('_id')}:{getattr(self, self.about)}"

    @property
    def data(self) -> dict[str, Any]:
        return {name: str(v) if isinstance(v, UUID) else v for name, v in asdict(self).items()}

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """The event back from its data."""
        return cls(**{name: UUID(v) if name.endswith("_id") and v else v for name, v in data.items()})


_LOG: Final = text(
    """
    INSERT INTO event (name, topic, data)
    SELECT name, topic, data FROM jsonb_to_recordset(:events) AS e (name text, topic text, data jsonb)
    """
)
# The workflow id makes a second enqueueing of the same reaction to the same event a no-op.
_LOG_AND_ENQUEUE: Final = text(
    """
    WITH logged AS (
        INSERT INTO event (name, topic, data)
        SELECT name, topic, data FROM jsonb_to_recordset(:events) AS e (name text, topic text, data jsonb)
        RETURNING id, name, data
    )
    SELECT dbos.enqueue_workflow(
        workflow_name => reaction, queue_name => :queue, workflow_id => reaction || ':' || logged.id,
        named_args => json_build_object('event_id', logged.id, 'data', logged.data))
    FROM logged, jsonb_array_elements_text(CAST(:reactions AS jsonb) -> logged.name) AS reaction
    """
)


async def announce(tx: Tx, *events: Event) -> None:
    """Any number of events, in this order, by one statement."""
    names = {type(event).__name__ for event in events}
    rows = [{"name": type(event).__name__, "topic": event.topic, "data": event.data} for event in events]
    if reactions := {name: list(tx.reactions[name]) for name in names & tx.reactions.keys()}:
        await tx.records(_LOG_AND_ENQUEUE, events=rows, queue=QUEUE, reactions=reactions)
    else:
        await tx.run(_LOG, events=rows)
    tx.announced += events
