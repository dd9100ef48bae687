"""Customers with accounts, and the mails that they get."""

import base64
import pickle
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from sqlalchemy import select, text

from db import Event
from db.workflow import ActorKind
from domain.mail import Mail, Post
from domain.processes.mail_token import mail_token
from domain.processes.shop import Shop
from domain.single_use import TokenIssued
from server.tokens import SignedTokens
from tests import given
from tests.api import SECRET, Api

SAM = "sam@shop.example"
KIM = "kim@shop.example"
NEW_PASSWORD = "a wholly new password"
PROOF = {"password": given.PASSWORD}
"""What the account was made with, beside the link that was mailed."""


@dataclass
class Outbox:
    """Takes what a mail server would."""

    mails: list[Mail] = field(default_factory=list[Mail])

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)


async def mails(shop: Shop) -> list[Mail]:
    """What a worker would send now, for all that was announced, in that order."""
    outbox = Outbox()
    post = Post(outbox, SignedTokens(SECRET), "https://shop.example", "https://admin.example")
    statement = select(Event).where(Event.name == "TokenIssued").order_by(Event.id)
    for event in await shop.read.all(statement):
        await mail_token(replace(shop, post=post), TokenIssued.read(event.data))
    return outbox.mails


async def mailed(shop: Shop, template: str, to: str = SAM) -> str:
    """The token of the only mail of this kind to this address."""
    (mail,) = [mail for mail in await mails(shop) if (mail.template, mail.to) == (template, to)]
    return token_of(mail)


def token_of(mail: Mail) -> str:
    (token,) = parse_qs(urlsplit(mail.facts["link"]).query)["token"]
    return token


async def register(api: Api, email: str = SAM, **names: str) -> None:
    await api.done("customerRegister", {"email": email, "password": given.PASSWORD, **names}, "__typename")


async def signed_in(shop: Shop, api: Api, email: str = SAM) -> tuple[UUID, Api]:
    """A new customer, and the shop as they see it."""
    customer = await given.customer(shop, email)
    return customer, api.signed_in(await given.access_token(shop, ActorKind.CUSTOMER, customer))


async def staff(shop: Shop, api: Api, *permissions: str) -> Api:
    return await given.caller(shop, api, "staff", *permissions)


async def rows(shop: Shop, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in await shop.read.records(text(statement), **parameters)]


def errors(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(error["__typename"], error["path"]) for error in payload["userErrors"]]


async def execute(shop: Shop, statement: str, **parameters: Any) -> None:
    async with shop.tx() as tx:
        await tx.run(text(statement), **parameters)


def readable(said: str | None) -> str:
    """In lower case; also what DBOS keeps, pickled and in base64."""
    try:
        return str(pickle.loads(base64.b64decode(said or "", validate=True))).lower()
    except Exception:
        return (said or "").lower()
