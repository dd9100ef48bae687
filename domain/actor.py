"""Who acts, and what they may do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from db.workflow import ActorKind

EVERYTHING: Final = "*"
"""The permission that is all of them, also those that come with later versions."""


@dataclass(frozen=True)
class Actor:
    """Established once per operation. A guest is a customer without an id: tokens prove what is theirs."""

    kind: ActorKind = ActorKind.CUSTOMER
    id: UUID | None = None
    permissions: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    session_id: UUID | None = None
    """The sign-in that the access token belongs to."""
    api_key_id: UUID | None = None
    """The secret key of a program, which may then do what its scopes say."""
    request_id: str = ""
    """For the audit log."""
    factor_demanded: bool = False
    """Staff without a second factor have no permissions, whatever their roles say."""

    @property
    def customer_id(self) -> UUID | None:
        """Null for guests, staff and the system; in SQL null equals nothing, so it never matches a row."""
        return self.id if self.kind == ActorKind.CUSTOMER else None

    @property
    def scope(self) -> str:
        """Whose idempotency keys are the caller's: never the session's, which may end between two tries."""
        if self.api_key_id is not None:
            return f"api_key:{self.api_key_id}"
        return f"{self.kind}:{self.id}"

    def may(self, permission: str) -> bool:
        return self.kind == ActorKind.SYSTEM or permission in self.permissions or EVERYTHING in self.permissions


GUEST = Actor()
SYSTEM = Actor(kind=ActorKind.SYSTEM)


@dataclass(frozen=True)
class OrderAccess:
    """What an order's access token proves: this one order, as long as its `access_version` is still this."""

    order_id: UUID
    access_version: int
