"""The audit log: every write that needed a permission, with who made it and what changed.

It is written in the transaction of the write, so neither is there without the other.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from db import AuditEntry
from db.connection import Tx
from db.workflow import ActorKind
from domain.actor import Actor


async def record(tx: Tx, actor: Actor, action: str, subject: str, difference: Mapping[str, Any]) -> None:
    """`subject` is `kind:<uuid>`; `difference` is by field `[before, after]` (`changed`), never with a secret."""
    await record_all(tx, actor, action, [(subject, difference)])


async def record_all(tx: Tx, actor: Actor, action: str, made: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """The same of a write that was made to many things at once, by one statement: subjects with differences."""
    by = {
        "actor_kind": actor.kind,
        "staff_id": actor.id if actor.kind == ActorKind.STAFF else None,
        "api_key_id": actor.api_key_id,
        "action": action,
        "request_id": actor.request_id,
    }
    entries = [{**by, "subject": subject, "difference": dict(difference)} for subject, difference in made]
    await tx.insert(AuditEntry, entries)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """By field what it was and what it is; only what differs. What is new was null."""
    names = dict.fromkeys([*before, *after])
    differing = {name: [_plain(before.get(name)), _plain(after.get(name))] for name in names}
    return {name: pair for name, pair in differing.items() if pair[0] != pair[1]}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
