"""E-mail as a way to tell people what has happened: hands notices to the mailer that all other mails go through."""

from collections.abc import Mapping

from domain.mail import Mail, Mailer, Post
from domain.notification import Notice, Recipient


class EmailChannel:
    name = "email"

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    def reaches(self, recipient: Recipient) -> bool:
        return bool(recipient.email)

    async def send(self, notice: Notice) -> None:
        to = notice.to
        mail = Mail(notice.template, to.email, notice.facts, notice.reference, to.locale, notice.unsubscribe)
        await self._mailer.send(mail)


def make_channel(post: Post, _environment: Mapping[str, str]) -> EmailChannel:
    return EmailChannel(post.mailer)
