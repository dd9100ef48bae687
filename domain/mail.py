"""Mails: what is to be said, and to whom, as data. How it is worded and carried is the business of a mailer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from db.session import Purpose


class NotSent(Exception):
    """Why, without addresses and links: what a reaction fails with is kept where staff read it."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final
        """Nobody is reached there: trying again by itself is of no use."""


class MailNotSent(NotSent):
    """A mail server did not take it."""


@dataclass(frozen=True)
class Mail:
    """Its fields stay out of logs: they name somebody, and the link opens something."""

    template: str
    """A purpose of `db/session.py`, or a variant of one."""
    to: str = field(repr=False)
    facts: Mapping[str, str] = field(repr=False)
    """What the template has to say, by name; `link` is where it leads."""
    reference: UUID
    """The same when it is sent again, so that a mail program can show one of two."""
    locale: str | None = None
    """The language of whom it goes to, as far as it is known."""
    unsubscribe: str | None = field(default=None, repr=False)
    """Where they end such mails by one POST; null: they need this one."""


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Has handed it over to somebody who carries it, or raises `MailNotSent`."""
        ...


class Signer(Protocol):
    def single_use_token(self, purpose: Purpose, token_id: UUID) -> str: ...

    def unsubscribe_token(self, recipient: str, kind: str, channel: str) -> str:
        """Lets whoever has it end being told: of a kind, or with an empty one of all that need not be told."""
        ...


@dataclass(frozen=True)
class Post:
    """How the shop writes to people."""

    mailer: Mailer
    signer: Signer
    storefront: str
    """Where links for customers lead, without a slash at its end."""
    admin: str
    """The same for staff."""
    api: str | None = None
    """Where this API is reached, for what is ended by a link; null: nobody has said."""
    shop: str = ""
    """What the shop is called where it writes to people."""
