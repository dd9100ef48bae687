"""The first parameter of every process: what opens transactions, knows the payment providers and writes mails."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from db.connection import Database, Read, Tx
from domain.cart import Keeping
from domain.delivery import DeliveryProvider
from domain.mail import Post
from domain.notification import NotificationChannel
from domain.payment_provider import PaymentProvider
from domain.search import PostgresSearch, SearchProvider
from domain.storage import Files
from domain.tax_provider import TaxProvider


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
    taxes: Mapping[str, TaxProvider] = field(default_factory=dict[str, TaxProvider])
    """Those that regions name besides `local`."""
    quote_within: float = 5.0
    """Seconds for which what others say of a cart is waited for; then the option's fallback price, or the rates that
    are stored here, count.
    """
    files: Files | None = None
    """Null where no bytes are touched, as in commands that only import."""
    keeping: Keeping = field(default_factory=Keeping)
    """For how long abandoned carts are kept."""
    channels: tuple[NotificationChannel, ...] = ()
    """Over which people are told what has happened."""
    search: SearchProvider = field(default_factory=PostgresSearch)
    """What finds products by what somebody typed."""

    @property
    def read(self) -> Read:
        return self.database.read

    def tx(self) -> AbstractAsyncContextManager[Tx]:
        return self.database.tx()
