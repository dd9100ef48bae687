"""Events: what happened, announced in the transaction in which it happened.

`announce` writes one row to the event log and enqueues one durable workflow for each reaction to it, by one
statement and in the caller's commit: the event, its reactions and the change itself happen together or not.
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Self
from uuid import UUID

from sqlalchemy import TextClause, insert, text

from db import Event as EventRow
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


# The workflow id makes a second enqueueing of the same reaction to the same event a no-op.
_LOG_AND_ENQUEUE: TextClause = text(
    """
    WITH logged AS (
        INSERT INTO event (name, topic, data) VALUES (:name, :topic, CAST(:data AS jsonb)) RETURNING id, data
    )
    SELECT dbos.enqueue_workflow(
        workflow_name => reaction, queue_name => :queue, workflow_id => reaction || ':' || logged.id,
        named_args => json_build_object('event_id', logged.id, 'data', logged.data))
    FROM logged, unnest(CAST(:reactions AS text[])) AS reaction
    """
)


async def announce(tx: Tx, event: Event) -> None:
    name = type(event).__name__
    reactions = list(tx.reactions.get(name, ()))
    if reactions:
        await tx.records(
            _LOG_AND_ENQUEUE.bindparams(name=name, topic=event.topic, data=event.data, queue=QUEUE, reactions=reactions)
        )
    else:
        await tx.run(insert(EventRow).values(name=name, topic=event.topic, data=event.data))
    tx.announced.append(event)
