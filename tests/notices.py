"""What people are told: reactions run as a worker would run them, mails caught before a mail server."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from db import Event
from domain.durable import Reaction
from domain.mail import Mail, Post
from domain.notification import NotificationChannel, NotificationQueued
from domain.processes.shop import Shop
from domain.reactions import REACTIONS
from plugins.notify_email import EmailChannel
from server.tokens import SignedTokens
from tests.api import SECRET
from tests.customers import Outbox, rows

API = "https://api.shop.example"
TELLING = [reaction for reaction in REACTIONS if "tell" in reaction.name or "notif" in reaction.name] + [
    reaction for reaction in REACTIONS if reaction.name == "send_order_link"
]


def telling(shop: Shop, outbox: Any, *more: NotificationChannel) -> Shop:
    """The shop as a worker has it whose mails go into the outbox."""
    post = Post(outbox, SignedTokens(SECRET), "https://shop.example", "https://admin.example", API, "Cups & Co")
    return replace(shop, post=post, channels=(EmailChannel(outbox), *more))


async def react(shop: Shop, reactions: Sequence[Reaction] = tuple(TELLING), times: int = 1) -> None:
    """Runs the reactions to all that was announced, then those to what they announced themselves."""
    for only in (False, True):
        for event in await shop.read.all(select(Event).order_by(Event.id)):
            for reaction in reactions:
                if reaction.event.__name__ == event.name and (reaction.event is NotificationQueued) == only:
                    for _ in range(times):
                        for step in reaction.steps:
                            await step.do(shop, reaction.event.read(event.data))


async def told(shop: Shop, *more: NotificationChannel) -> list[Mail]:
    """The mails that a worker would send now, oldest first; each is sent once."""
    outbox = Outbox()
    await react(telling(shop, outbox, *more))
    return outbox.mails


async def notifications(shop: Shop) -> list[tuple[str, str, str]]:
    """Kind, state and why of all there are, oldest first."""
    found = await rows(shop, "SELECT kind, state, reason FROM notification ORDER BY created_at, id")
    return [(row["kind"], row["state"], row["reason"]) for row in found]
