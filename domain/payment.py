"""Payment providers as the shop sees them, and the record of what they report."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.refusal import ErrorCode, Refusal


@dataclass(eq=False)
class PaymentDeclined(Refusal):
    """The provider said no. With `retryable` another try, perhaps with another card, may succeed."""

    retryable: bool = True
    code = ErrorCode.PAYMENT_DECLINED


@dataclass(frozen=True)
class Charge:
    """What is asked of a provider. The attempt's id is the idempotency key of every call about it."""

    attempt_id: UUID
    amount: int
    currency: str


@dataclass(frozen=True)
class Authorised:
    """The provider promises the money; `reference` is its name for the operation."""

    reference: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Declined:
    message: str
    retryable: bool = True


@dataclass(frozen=True)
class Absent:
    """The provider knows nothing of the attempt, or has cancelled it: no money will come from it."""


class PaymentProvider(Protocol):
    """Calls may fail with any exception: then nothing is known, and unknown is never taken for a failure."""

    @property
    def name(self) -> str: ...

    async def authorise(self, charge: Charge) -> Authorised | Declined:
        """Idempotent: the same charge answers the same again."""
        ...

    async def cancel(self, charge: Charge) -> Authorised | Absent:
        """Makes sure that no money can come from the attempt any more, unless it already has (Authorised)."""
        ...
