"""Payment providers as the shop sees them: what they are asked, and what they may answer.

Every call carries an id of ours as its idempotency key: a session's, an attempt's or an operation's. A call may fail
with any exception, or not end in time: then nothing is known, and unknown is never taken for a failure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol
from uuid import UUID

from db.payment import PaymentEventKind

LONGEST_REFERENCE: Final = 255
LARGEST_AMOUNT: Final = 2**53
CURRENCY: Final = re.compile(r"[A-Z]{3}")


class ActionKind(StrEnum):
    REDIRECT = "redirect"
    CLIENT_CONFIRM = "client_confirm"


class Captures(StrEnum):
    """When promised money is taken."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


@dataclass(frozen=True)
class SessionRequest:
    """What a provider is to prepare. `client` is what the customer's browser says to it, as it came."""

    session_id: UUID
    amount: int
    currency: str
    client: Mapping[str, Any] = field(default_factory=dict[str, Any])
    return_url: str = ""


@dataclass(frozen=True)
class CreatedSession:
    """`amount` and `currency` are what the provider noted; `client_data` is for its own code in the browser."""

    reference: str
    amount: int
    currency: str
    client_data: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Charge:
    """What is asked of a provider. The attempt's id is the idempotency key of every call about it."""

    attempt_id: UUID
    amount: int
    currency: str
    session: str | None = None
    """The provider's name of the session that it is paid by."""


@dataclass(frozen=True)
class Operation:
    """Something to be done with the money of an attempt. Its id is the idempotency key of the call."""

    operation_id: UUID
    attempt_id: UUID
    amount: int
    currency: str


@dataclass(frozen=True)
class Authorised:
    """The provider promises the money; `reference` is its name for the operation."""

    reference: str
    amount: int
    currency: str
    until: datetime | None = None
    """When the promise ends, if the provider says so."""


@dataclass(frozen=True)
class Captured:
    """The money has come; `reference` is the provider's name for the capture."""

    reference: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Declined:
    message: str
    retryable: bool = True


@dataclass(frozen=True)
class ActionRequired:
    """The customer has to do something at the provider first: be sent to `url`, or confirm with `client_data`."""

    kind: ActionKind
    url: str | None = None
    client_data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Absent:
    """The provider knows nothing of the attempt, or has cancelled it: no money will come from it."""


@dataclass(frozen=True)
class Voided:
    reference: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Refunded:
    reference: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Pending:
    """The provider has taken it on; what came of it is told by a webhook, or when it is asked again."""


@dataclass(frozen=True)
class Refused:
    """It was not done, and will not be."""

    message: str


Money = Authorised | Captured
Answer = Authorised | Captured | Declined | ActionRequired
State = Authorised | Captured | Declined | ActionRequired | Absent
Done = Captured | Voided | Refunded | Pending | Refused


@dataclass(frozen=True)
class Reported:
    """What a webhook tells. The ids are ours, as the provider was given them; null where it names none."""

    kind: PaymentEventKind
    reference: str
    amount: int
    currency: str
    attempt_id: UUID | None = None
    operation_id: UUID | None = None
    message: str = ""
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what no ledger could keep."""
        if not (1 <= len(self.reference) <= LONGEST_REFERENCE and self.reference.isprintable()):
            raise ValueError("reference")
        if not CURRENCY.fullmatch(self.currency) or abs(self.amount) >= LARGEST_AMOUNT:
            raise ValueError("amount")
        if b"\0" in self.message.encode():
            raise ValueError("message")


class WebhookRefused(Exception):
    """It is not from the provider, or too old, or nothing that can be read. Nothing of it is kept."""


class PaymentProvider(Protocol):
    """All of it is idempotent by the ids that are given: the same call answers the same again."""

    @property
    def name(self) -> str: ...

    @property
    def needs_session(self) -> bool:
        """Whether the customer's browser has to prepare something with the provider before it can be paid."""
        ...

    @property
    def captures(self) -> Captures: ...

    async def create_session(self, request: SessionRequest) -> CreatedSession | Refused:
        """Prepares, and moves no money: the customer cannot pay by it before `authorise` was called.

        Refused is for what the browser said and the provider cannot use: asking again would not help.
        """
        ...

    async def authorise(self, charge: Charge) -> Answer:
        """Begins to pay. What has begun is asked about by `look_up`."""
        ...

    async def look_up(self, charge: Charge) -> State:
        """What became of the attempt. It changes nothing; Absent may yet change until `cancel` was called."""
        ...

    async def cancel(self, charge: Charge) -> Authorised | Captured | Absent:
        """Makes sure that no money can come from the attempt any more, unless it already has."""
        ...

    async def capture(self, operation: Operation) -> Captured | Pending | Refused:
        """Takes promised money, or a part of it."""
        ...

    async def void(self, operation: Operation) -> Voided | Refused:
        """Gives up what was promised and not captured."""
        ...

    async def refund(self, operation: Operation) -> Refunded | Pending | Refused:
        """Sends captured money back, or a part of it."""
        ...

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[Reported]:
        """Verifies and reads; raises `WebhookRefused`. What it cannot make use of is no report, and no refusal."""
        ...

    async def close(self) -> None:
        """Gives back what it holds at the end of the process."""
        ...
