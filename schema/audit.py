"""The audit log."""

from datetime import datetime

import strawberry

from db import AuditEntry as EntryRow
from resolvers import audit, ids
from schema.actor import ActorKind
from schema.build import column, derived, loads, view
from schema.scalars import BigInt, Json


@view(EntryRow)
class AuditEntry:
    """A write that somebody with a permission made. Entries are neither changed nor removed."""

    number: BigInt = derived(lambda row: row["id"], "Rises with time; there may be gaps.")
    at: datetime = column("When.")
    actor_kind: ActorKind = column("Which side acted; the command line is the shop itself.")
    staff_id: strawberry.ID | None = derived(
        lambda row: ids.encode("Staff", row["staff_id"]) if row["staff_id"] else None, "The member of staff who did it."
    )
    staff_name: str | None = loads(
        audit.staff_name, "staff_id", "What they are called now.", then=lambda found: found["name"]
    )
    api_key_id: strawberry.ID | None = derived(
        lambda row: ids.encode("ApiKey", row["api_key_id"]) if row["api_key_id"] else None,
        "The key of the program that did it.",
    )
    action: str = column("The mutation: `ticketMove`; or the command.")
    subject: strawberry.ID = derived(lambda row: audit.public_subject(row["subject"]), "What it was done to.")
    difference: Json = derived(
        lambda row: audit.public_difference(row["difference"]),
        "By field what it was before and what it is since: `[before, after]`. Secrets are never in it.",
    )
    request_id: str = column("`X-Request-Id` of the request that did it; empty for a command.")
