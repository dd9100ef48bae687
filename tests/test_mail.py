"""Mails: worded, carried by a real mail server, tried again when it is away, and leaving no trace of their links."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from db.connection import new_id
from db.notification import NotificationKind
from db.session import Purpose
from domain import single_use
from domain.customer import ACCOUNT_EXISTS
from domain.mail import Mail, MailNotSent, Post
from domain.processes.mail_token import EMAIL_TAKEN
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.mail import Composer, ConsoleMailer, MailServer, NoMailer, SmtpMailer
from plugins.notify_email import EmailChannel
from plugins.wording import TEMPLATES
from server.app import make_post
from server.settings import WrongSetting, read_settings
from server.tokens import SignedTokens
from server.worker import run_worker
from tests import customers, given
from tests.api import SECRET, Api, Server, free_port
from tests.customers import KIM, SAM

SENDER = "Cups & Co <shop@shop.example>"
LINK = "https://shop.example/account/confirm?token=abc&x=1"
PRODUCTION = {"COUNTERFOIL_ENV": "production", "JWT_SECRET": "j" * 32, "COOKIE_SECRET": "c" * 32}
MAIL_URL = {"MAIL_URL": "smtps://me:pass@mail.example"}
TOLD = [kind for kind in NotificationKind if kind != NotificationKind.OVERDUE]
TEMPLATE_NAMES = [*Purpose, ACCOUNT_EXISTS, EMAIL_TAKEN, *TOLD, "staff_message_posted", "staff_overdue"]
FACTS = dict.fromkeys(("new_email", "title", "items", "waiting", "action", "version", "quote", "state", "what"), "")


class Mailbox:
    """What a mail server does with what it is given."""

    def __init__(self, answer: str = "250 OK", takes: float = 0) -> None:
        self.received: list[EmailMessage] = []
        self.answer, self.takes = answer, takes

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.takes)
        message = message_from_bytes(envelope.original_content or b"", policy=default)
        assert isinstance(message, EmailMessage)
        if self.answer.startswith("250"):
            self.received.append(message)
        return self.answer


@contextmanager
def mail_server(mailbox: Any, port: int | None = None) -> Iterator[str]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=port or free_port())
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()


def mailer(url: str, patience: float = 5) -> SmtpMailer:
    return SmtpMailer(MailServer.read(url), SENDER, patience)


def mail(template: str = "confirm_email", to: str = SAM, **facts: str) -> Mail:
    return Mail(template, to, {**FACTS, "link": LINK, "order_number": "1001", "amount": "€20.00", **facts}, new_id())


def texts(message: EmailMessage) -> tuple[str, str]:
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


async def test_a_mail_arrives_as_text_and_as_html_with_its_link() -> None:
    mailbox, sent = Mailbox(), mail()
    with mail_server(mailbox) as url:
        await mailer(url).send(sent)
    (message,) = mailbox.received
    assert (message["From"], message["To"]) == (SENDER, SAM)
    assert message["Subject"] == "Confirm your e-mail address"
    assert message["Message-ID"] == f"<{sent.reference}@shop.example>"
    plain, html = texts(message)
    assert LINK in plain
    assert 'href="https://shop.example/account/confirm?token=abc&amp;x=1"' in html
    assert "Cups & Co" in plain
    assert "Cups &amp; Co" in html


@pytest.mark.parametrize("template", TEMPLATE_NAMES)
def test_there_is_a_mail_for_everything_that_is_mailed(template: str) -> None:
    message = Composer(SENDER).message(mail(template, new_email="a<b>@shop.example"))
    plain, html = texts(message)
    assert LINK in plain
    assert "a<b>" not in html
    assert "\n" not in message["Subject"]


def test_there_is_no_mail_for_anything_else() -> None:
    for language in ("en", "de"):
        assert {path.stem for path in (TEMPLATES / language).glob("[!_]*.jinja")} == set(TEMPLATE_NAMES)


@pytest.mark.parametrize(
    "bad", ["sam@shop.example\r\nBcc: eve@shop.example", "sam@shop.example, eve@shop.example", "<sam@shop.example>"]
)
def test_an_address_cannot_become_another_header_or_a_second_address(bad: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Composer(SENDER).message(mail(to=bad))


def test_what_a_mail_says_cannot_become_a_header() -> None:
    message = Composer(SENDER).message(mail("order_access", order_number="1\r\nBcc: eve@shop.example"))
    assert message["Bcc"] is None
    assert message["Subject"] == "Your order 1 Bcc: eve@shop.example"


async def test_a_mail_server_that_is_away_refuses_or_is_slow_is_told_without_addresses_and_links() -> None:
    with mail_server(Mailbox(f"550 5.1.1 <{SAM}> user unknown")) as url, pytest.raises(MailNotSent) as refused:
        await mailer(url).send(mail())
    with pytest.raises(MailNotSent) as away:
        await mailer(f"smtp://127.0.0.1:{free_port()}").send(mail())
    with mail_server(Mailbox(takes=2)) as url, pytest.raises(MailNotSent) as slow:
        await mailer(url, patience=0.3).send(mail())
    with silent_server() as url, pytest.raises(MailNotSent) as silent:
        await mailer(url, patience=0.3).send(mail())
    told = [str(error.value) for error in (refused, away, slow, silent)]
    assert told == ["SMTPDataError 550", "SMTPConnectError", "SMTPReadTimeoutError", "SMTPConnectTimeoutError"]
    assert all(error.value.__suppress_context__ for error in (refused, away, slow, silent))


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"smtp://127.0.0.1:{listening.getsockname()[1]}"


def test_a_password_for_a_mail_server_never_travels_in_the_clear() -> None:
    read = MailServer.read
    assert read("smtp://me:p%40ss@mail.example:2525") == MailServer("mail.example", 2525, "me", "p@ss", False)
    assert read("smtp://me:pass@mail.example").start_tls is True
    assert read("smtp://mail.example").start_tls is None
    assert (read("smtps://me:pass@mail.example").tls, read("smtps://mail.example").port) == (True, 465)
    assert "pass" not in repr(read("smtp://me:pass@mail.example"))


async def test_in_development_mails_are_shown_on_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    await ConsoleMailer(SENDER).send(mail())
    said = capsys.readouterr().out
    assert LINK in said
    assert f"To: {SAM}" in said


async def test_without_a_mail_server_a_mail_is_not_taken_for_sent() -> None:
    with pytest.raises(MailNotSent, match="MAIL_URL is not set"):
        await NoMailer().send(mail())


@asynccontextmanager
async def working(database_url: str, shop: Shop, url: str) -> AsyncIterator[None]:
    """A worker that mails through the server at the address."""
    stop = asyncio.Event()
    post = Post(mailer(url, 1), SignedTokens(SECRET), "https://shop.example", "https://admin.example")
    mailing = replace(shop, post=post, channels=(EmailChannel(post.mailer),))
    running = run_worker(database_url, mailing, REACTIONS, stop, back_off=(0.3,) * 40)
    worker = asyncio.create_task(running)
    try:
        yield
        assert not worker.done(), worker.result()
    finally:
        stop.set()
        await worker


def all_mailed(shop: Shop) -> Callable[[], Awaitable[bool]]:
    async def ended() -> bool:
        rows = await customers.rows(shop, "SELECT status FROM dbos.workflow_status WHERE name = 'mail_token'")
        return bool(rows) and {row["status"] for row in rows} == {"SUCCESS"}

    return ended


async def everything_stored(shop: Shop) -> str:
    """Every value of every table, those of DBOS with what it keeps of inputs, outputs and errors."""
    statement = """SELECT table_schema, table_name FROM information_schema.tables
        WHERE table_schema IN ('public', 'dbos') AND table_type = 'BASE TABLE'"""
    said: list[str] = []
    async with shop.database.pool.acquire() as connection:
        for table in await customers.rows(shop, statement):
            rows = await connection.fetch(f'SELECT t::text FROM "{table["table_schema"]}"."{table["table_name"]}" AS t')
            said += [customers.readable(part) for row in rows for part in str(row[0]).split(",")]
    return "\n".join(said)


async def test_mails_wait_for_a_server_that_is_away_and_their_links_are_kept_nowhere(
    shop: Shop, api: Api, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Fault 19: the link is in the mail and in no answer, table, record of a step, or log."""
    caplog.set_level(logging.DEBUG)
    await given.customer(shop)
    mailbox, port = Mailbox(), free_port()
    answers: list[str] = []
    async with working(database_url, shop, f"smtp://127.0.0.1:{port}"):
        for mutation, more in (
            ("customerRequestPasswordReset", {}),
            ("customerRegister", {"password": given.PASSWORD}),
        ):
            document = f"""mutation ($input: {mutation[0].upper()}{mutation[1:]}Input!) {{ {mutation}(input: $input) {{
                __typename userErrors {{ message }} }} }}"""
            for email in (SAM, KIM):
                answers.append((await api.raw(document, {"input": {"email": email, **more}})).text)
        await given.until(lambda: "mail_token has failed" in caplog.text)
        with mail_server(mailbox, port):
            await given.until(all_mailed(shop))
    received = sorted((message["To"], message["Subject"]) for message in mailbox.received)
    # What was asked for first was replaced by what was asked for second, before it could be sent.
    assert received == [(KIM, "Confirm your e-mail address"), (SAM, "You have an account already")]
    ours = [record for record in caplog.records if not record.name.startswith("mail.")]  # not the mail server's
    logged = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in ours)
    stored = await everything_stored(shop)
    for message in mailbox.received:
        token = texts(message)[0].partition("token=")[2].split()[0].lower()
        for part in (token, token.split(".")[1], token.rpartition(".")[2]):
            assert [said for said in (stored, logged.lower(), *map(str.lower, answers)) if part in said] == []
    assert SAM not in logged
    assert "MailNotSent" in logged


def test_in_development_nothing_has_to_be_set_for_mails() -> None:
    settings = read_settings({})
    assert (settings.mail_url, settings.storefront_url) == (None, "http://localhost:3000")
    assert settings.admin_url == "http://localhost:3000/admin"
    assert isinstance(make_post(settings).mailer, ConsoleMailer)
    assert isinstance(make_post(read_settings(PRODUCTION)).mailer, NoMailer)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MAIL_URL": "mail.example"}, "MAIL_URL must be an address such as smtp://user:password@host:587"),
        ({"MAIL_URL": "https://mail.example"}, "MAIL_URL must be an address"),
        ({"MAIL_URL": "smtp://mail.example:port"}, "MAIL_URL must be an address"),
        ({"MAIL_URL": "smtp://"}, "MAIL_URL must be an address"),
        ({"MAIL_FROM": "Shop"}, "MAIL_FROM says whom mails come from"),
        ({"MAIL_FROM": "Shop <shop@shop.example>\nBcc: eve@shop.example"}, "MAIL_FROM says"),
        ({"STOREFRONT_URL": "shop.example"}, "STOREFRONT_URL says where links in mails lead"),
        ({"ADMIN_URL": "ftp://shop.example"}, "ADMIN_URL says where links in mails lead"),
        ({**PRODUCTION, **MAIL_URL}, "MAIL_FROM says whom mails come from"),
        ({**PRODUCTION, **MAIL_URL, "MAIL_FROM": SENDER}, "STOREFRONT_URL says where links in mails lead"),
        (
            {**PRODUCTION, **MAIL_URL, "MAIL_FROM": SENDER, "STOREFRONT_URL": "https://shop.example"},
            "API_URL says where clients reach this API; links that end mails lead there",
        ),
    ],
)
def test_a_setting_of_mails_that_cannot_be_stops_the_start(environment: dict[str, str], said: str) -> None:
    with pytest.raises(WrongSetting, match=said):
        read_settings(environment)


def test_everything_about_mails_can_be_set() -> None:
    site = {"MAIL_FROM": SENDER, "STOREFRONT_URL": "https://shop.example/", "API_URL": "https://api.shop.example/"}
    post = make_post(read_settings({**PRODUCTION, **MAIL_URL, **site}))
    assert isinstance(post.mailer, SmtpMailer)
    assert (post.storefront, post.admin) == ("https://shop.example", "https://shop.example/admin")
    assert (post.api, post.shop) == ("https://api.shop.example", "Cups & Co")


def test_a_production_shop_that_cannot_send_mails_says_so_when_it_starts(start_server: Callable[..., Server]) -> None:
    server = start_server(**PRODUCTION)
    said = "MAIL_URL is not set: mails cannot be sent"
    end = time.monotonic() + 15
    while said not in server.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)


async def test_staff_are_mailed_links_into_the_admin_while_they_work_here(shop: Shop) -> None:
    toni = await given.staff(shop)
    purposes = (Purpose.STAFF_INVITATION, Purpose.STAFF_RESET_PASSWORD)
    async with shop.tx() as tx:
        for purpose in purposes:
            await single_use.issue(tx, purpose, toni)
            await single_use.issue(tx, purpose, new_id())  # of nobody
    sent = await customers.mails(shop)
    assert [(one.template, one.to) for one in sent] == [(purpose, "toni@shop.example") for purpose in purposes]
    links = [one.facts["link"].partition("?token=")[0] for one in sent]
    assert links == ["https://admin.example/invitation", "https://admin.example/reset"]
    await customers.execute(shop, "UPDATE staff SET active = false")
    assert await customers.mails(shop) == []


@pytest.mark.parametrize("to", ["sam@büro.example", "müller@shop.example"])
async def test_an_address_of_other_letters_is_written_to(to: str) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as url:
        await mailer(url).send(mail(to=to))
    (message,) = mailbox.received
    assert message["To"] == ("sam@xn--bro-hoa.example" if to.startswith("sam") else to)
