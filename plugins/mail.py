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

from domain.mail import Mail, MailNotSent
from plugins.wording import Wording

PATIENCE: Final = 10.0
"""Seconds for each word of a mail server."""
MOST_KEPT: Final = 500
"""Mails in the folder of development; older ones go."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
UNFOLDED: Final = SMTP.clone(max_line_length=998)
"""A long address in a header would be encoded when it is folded, and no mail program finds its way there then."""
SHORT_LINES: Final = "quoted-printable"
ONE_CLICK: Final = "List-Unsubscribe=One-Click"
"""RFC 8058: whoever reads the mail ends such mails by one POST of this, without opening a page."""


class Composer:
    """Makes messages of mails. Every template is written once a language; a layout makes text and HTML of it."""

    def __init__(self, sender: str) -> None:
        name, address = parseaddr(sender)
        self._sender = Address(name, addr_spec=address)
        shop = self._sender.display_name or self._sender.domain
        self._text, self._html = Wording(shop), Wording(shop, html=True)

    @property
    def domain(self) -> str:
        return self._sender.domain

    @property
    def address(self) -> str:
        return self._sender.addr_spec

    def message(self, mail: Mail) -> EmailMessage:
        """Headers refuse line breaks: what a header says cannot become another header."""
        to = ascii_where_possible(mail.to)
        message = EmailMessage(policy=UNFOLDED.clone(utf8=not to.isascii()))
        words = self._text.words(mail.template, mail.locale, mail.facts)
        message["Subject"] = words["subject"]
        message["From"] = self._sender
        local, _, domain = to.rpartition("@")
        message["To"] = Address(addr_spec=to) if to.isascii() else Address(username=local, domain=domain)
        message["Date"] = localtime()
        message["Message-ID"] = f"<{mail.reference}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        facts = dict(mail.facts)
        if mail.unsubscribe is not None:
            facts["unsubscribe"] = mail.unsubscribe
            message["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
            message["List-Unsubscribe-Post"] = ONE_CLICK
        message.set_content(self._text.laid_out("layout.txt", mail.template, mail.locale, facts), cte=SHORT_LINES)
        html = self._html.laid_out("layout.html", mail.template, mail.locale, facts)
        message.add_alternative(html, subtype="html", cte=SHORT_LINES)
        message["Content-Language"] = words["locale"]
        return message


def ascii_where_possible(address: str) -> str:
    """A domain of other letters in the form that every mail server understands."""
    return validate_email(address, check_deliverability=False, test_environment=True).ascii_email or address


class ConsoleMailer:
    """For development: shows mails in the terminal of the process that sends them, and puts them into a folder."""

    def __init__(self, sender: str, folder: Path | None = None) -> None:
        self._composer, self._folder = Composer(sender), folder

    async def send(self, mail: Mail) -> None:
        message = self._composer.message(mail)
        if self._folder is not None:
            self._keep(self._folder, mail, message)
        body = message.get_body(("plain",))
        assert body is not None
        head = "".join(f"{name}: {message[name]}\n" for name in ("From", "To", "Subject"))
        rule = "─" * 72
        sys.stdout.write(f"{rule}\n{head}\n{body.get_content().strip()}\n{rule}\n")
        sys.stdout.flush()

    @staticmethod
    def _keep(folder: Path, mail: Mail, message: EmailMessage) -> None:
        """By its reference, so that one that is sent again is there once. For nobody else: its link opens something."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = folder / f".{mail.reference}"
        written.touch(mode=0o600)
        written.write_bytes(message.as_bytes())
        written.replace(folder / f"{mail.reference}.eml")
        for old in sorted(folder.glob("*.eml"), key=lambda file: file.name)[:-MOST_KEPT]:
            old.unlink(missing_ok=True)


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
        server, to = self._server, ascii_where_possible(mail.to)
        try:
            await aiosmtplib.send(
                self._composer.message(mail).as_bytes(),  # as a message it would be folded anew
                sender=self._composer.address,
                recipients=[to],
                mail_options=[] if to.isascii() else ["SMTPUTF8", "BODY=8BITMIME"],
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
            raise MailNotSent(_reason(error), final=_knows_nobody(error)) from None


def _codes(error: Exception) -> set[int]:
    refused: list[Any] = list(getattr(error, "recipients", [])) or [error]
    return {code for one in refused if (code := getattr(one, "code", None))}


def _reason(error: Exception) -> str:
    return " ".join([type(error).__name__, *sorted(map(str, _codes(error)))])


def _knows_nobody(error: Exception) -> bool:
    """The server has refused the address for good. Whatever else it refuses may be mended."""
    refused = isinstance(error, aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPRecipientRefused)
    return refused and all(code >= 500 for code in _codes(error))
