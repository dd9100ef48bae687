"""The first parameter of every process: what opens transactions, knows the payment providers and writes mails."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from db.connection import Database, Read, Tx
from domain.mail import Post
from domain.payment import PaymentProvider


@dataclass(frozen=True)
class Shop:
    database: Database
    providers: Mapping[str, PaymentProvider]
    sweep_after: float = 30.0
    """Seconds after which an undecided payment attempt is taken for abandoned by its client."""
    answer_within: float = 20.0
    """Seconds for which a payment provider's answer is waited for; then the outcome is unknown."""
    post: Post | None = None
    """Null where no mails are sent, as in commands that only import."""

    @property
    def read(self) -> Read:
        return self.database.read

    def tx(self) -> AbstractAsyncContextManager[Tx]:
        return self.database.tx()
