"""Mails worded by templates and carried by SMTP; in development they are shown on the console."""

import sys
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, parseaddr
from pathlib import Path
from ssl import SSLError
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
from email_validator import validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.mail import Mail, MailNotSent

TEMPLATES: Final = Path(__file__).parent / "mail_templates"
PATIENCE: Final = 10.0
"""Seconds for each word of a mail server."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
BLOCKS: Final = ("subject", "before", "action", "after")
"""What every template has: the words before the link, on it, and after it."""


def _environment(*, html: bool) -> Environment:
    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, autoescape=html, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - text is no HTML


class Composer:
    """Makes messages of mails. Every template is written once; its layout makes text and HTML of it."""

    def __init__(self, sender: str) -> None:
        name, address = parseaddr(sender)
        self._sender = Address(name, addr_spec=address)
        self._text, self._html = _environment(html=False), _environment(html=True)

    @property
    def domain(self) -> str:
        return self._sender.domain

    def message(self, mail: Mail) -> EmailMessage:
        """Headers refuse line breaks: what a header says cannot become another header."""
        message = EmailMessage(policy=SMTP)
        message["Subject"] = self._words(self._text, mail)["subject"]
        message["From"] = self._sender
        message["To"] = Address(addr_spec=ascii_where_possible(mail.to))
        message["Date"] = localtime()
        message["Message-ID"] = f"<{mail.reference}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self._laid_out(self._text, "layout.txt", mail))
        message.add_alternative(self._laid_out(self._html, "layout.html", mail), subtype="html")
        return message

    def _laid_out(self, environment: Environment, layout: str, mail: Mail) -> str:
        words = self._words(environment, mail)
        return environment.get_template(layout).render(**words, link=mail.facts["link"], shop=self._shop)

    def _words(self, environment: Environment, mail: Mail) -> dict[str, str]:
        """Each block on one line; in HTML what came of facts is escaped already."""
        template = environment.get_template(f"{mail.template}.jinja")
        context = template.new_context({**mail.facts, "shop": self._shop})
        return {name: " ".join("".join(template.blocks[name](context)).split()) for name in BLOCKS}

    @property
    def _shop(self) -> str:
        return self._sender.display_name or self._sender.domain


def ascii_where_possible(address: str) -> str:
    """A domain of other letters in the form that every mail server understands."""
    return validate_email(address, check_deliverability=False, test_environment=True).ascii_email or address


class ConsoleMailer:
    """Shows mails in the terminal of the process that sends them."""

    def __init__(self, sender: str) -> None:
        self._composer = Composer(sender)

    async def send(self, mail: Mail) -> None:
        message = self._composer.message(mail)
        body = message.get_body(("plain",))
        assert body is not None
        head = "".join(f"{name}: {message[name]}\n" for name in ("From", "To", "Subject"))
        rule = "─" * 72
        sys.stdout.write(f"{rule}\n{head}\n{body.get_content().strip()}\n{rule}\n")
        sys.stdout.flush()


class NoMailer:
    """Stands where no mail server was set: nothing is lost, it is listed and tried again."""

    async def send(self, mail: Mail) -> None:
        del mail
        raise MailNotSent("MAIL_URL is not set.")


@dataclass(frozen=True)
class MailServer:
    """`smtp://user:password@host:port`, or `smtps://` for TLS from the first byte."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    tls: bool = False

    @classmethod
    def read(cls, url: str) -> "MailServer":
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
        return cls(parts.hostname or "localhost", parts.port or (465 if tls else 587), user, password, tls)

    @property
    def start_tls(self) -> bool | None:
        """A password never travels in the clear; without one TLS is used where the server offers it."""
        if self.tls:
            return False
        return True if self.password and self.host not in LOOPBACK else None


class SmtpMailer:
    """One connection per mail: they are few, and a server that was restarted is no matter then."""

    def __init__(self, server: MailServer, sender: str, patience: float = PATIENCE) -> None:
        self._server, self._composer, self._patience = server, Composer(sender), patience

    async def send(self, mail: Mail) -> None:
        server, message = self._server, self._composer.message(mail)
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.tls,
                start_tls=server.start_tls,
                local_hostname=self._composer.domain,
                timeout=self._patience,
            )
        except (aiosmtplib.SMTPException, OSError, SSLError, ValueError) as error:
            # Without its words and its cause: a mail server likes to repeat the address in them.
            raise MailNotSent(_reason(error)) from None


def _reason(error: Exception) -> str:
    refused: list[Any] = list(getattr(error, "recipients", [])) or [error]
    codes = {str(code) for one in refused if (code := getattr(one, "code", None))}
    return " ".join([type(error).__name__, *sorted(codes)])
