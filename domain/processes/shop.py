"""The first parameter of every process: what opens transactions, knows the payment providers and writes mails."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from db.connection import Database, Read, Tx
from domain.cart import Keeping
from domain.delivery import DeliveryProvider
from domain.mail import Post
from domain.payment_provider import PaymentProvider
from domain.storage import Files


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
    deliveries: Mapping[str, DeliveryProvider] = field(default_factory=dict[str, DeliveryProvider])
    """Those that delivery options name besides `local`."""
    quote_within: float = 5.0
    """Seconds for which the price of a delivery is waited for; then the option's fallback price counts."""
    files: Files | None = None
    """Null where no bytes are touched, as in commands that only import."""
    keeping: Keeping = field(default_factory=Keeping)
    """For how long abandoned carts are kept."""

    @property
    def read(self) -> Read:
        return self.database.read

    def tx(self) -> AbstractAsyncContextManager[Tx]:
        return self.database.tx()
