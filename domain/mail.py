"""Mails: what is to be said, and to whom, as data. How it is worded and carried is the business of a mailer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from db.session import Purpose


class MailNotSent(Exception):
    """Why, without addresses and links: what a reaction fails with is kept where staff read it."""


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


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Has handed it over to somebody who carries it, or raises `MailNotSent`."""
        ...


class Signer(Protocol):
    def single_use_token(self, purpose: Purpose, token_id: UUID) -> str: ...


@dataclass(frozen=True)
class Post:
    """How the shop writes to people."""

    mailer: Mailer
    signer: Signer
    storefront: str
    """Where links for customers lead, without a slash at its end."""
    admin: str
    """The same for staff."""
