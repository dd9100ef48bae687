"""A notification is sent: to whom, and with what it says, is read now, and it is noted what became of it.

No transaction is open while a channel sends. Whoever begins holds the notification for a minute, so that whoever is
to send it because staff want it tried again does not send it beside them.
"""

import asyncio
import logging
from typing import Any, Final
from uuid import UUID

from typeid import base32

from db.notification import NotificationKind
from db.session import Purpose
from domain import notification, notification_choice, notification_content, notification_recipient
from domain.durable import Step
from domain.failpoint import failpoint
from domain.mail import NotSent, Post
from domain.notification import Notice, NotificationChannel, NotificationQueued, Recipient
from domain.processes.shop import Shop

WITHIN: Final = 30.0
"""Seconds that a channel has; less than the lease of whoever sends."""
WHERE_PLACED: Final = frozenset({NotificationKind.ORDER_PLACED, NotificationKind.PAYMENT_RETURNED})
_log = logging.getLogger(__name__)


async def deliver_notification(shop: Shop, event: NotificationQueued) -> None:
    """Raises what the channel failed with: the reaction is tried again later, unless nobody is reached there."""
    async with shop.tx() as tx:
        claimed = await notification.claim(tx, event)
    if claimed is None:
        await _check_over(shop, event.notification_id)
        return
    try:
        await _deliver(shop, claimed)
    except NotSent as failure:
        async with shop.tx() as tx:
            await notification.note_failed(tx, claimed.id, str(failure))
        if not failure.final:
            raise


async def _check_over(shop: Shop, notification_id: UUID) -> None:
    """Somebody else is sending it: to be looked at again, as they may die over it."""
    state = await notification.state_of(shop.read, notification_id)
    if state in notification.UNSENT:
        raise NotSent("somebody else is sending it")


async def _deliver(shop: Shop, claimed: Any) -> None:
    notice = await _notice(shop, claimed)
    if isinstance(notice, str):
        async with shop.tx() as tx:
            await notification.suppress(tx, claimed.id, notice)
        return
    await failpoint("before_notification_sent")
    await _send(_channel(shop, claimed.channel), notice)
    await failpoint("after_notification_sent")
    async with shop.tx() as tx:
        await notification.note_sent(tx, claimed.id)


async def _send(channel: NotificationChannel, notice: Notice) -> None:
    try:
        async with asyncio.timeout(WITHIN):
            await channel.send(notice)
    except NotSent:
        raise
    except TimeoutError:
        raise NotSent(f"no answer within {WITHIN:.0f} s") from None
    except Exception as error:
        # Its words may have an address in them, so only where it comes from is told.
        _log.error("the channel %s has failed with %s", channel.name, type(error).__name__)
        raise NotSent(type(error).__name__) from None


def _channel(shop: Shop, name: str) -> NotificationChannel:
    for channel in shop.channels:
        if channel.name == name:
            return channel
    raise NotSent(f"there is no channel {name} here")


async def _notice(shop: Shop, claimed: Any) -> Notice | str:
    """What is to be sent; or why nothing is."""
    kind = NotificationKind(claimed.kind)
    to = await notification_recipient.again(
        shop.read, claimed.recipient, claimed.order_id, where_placed=kind in WHERE_PLACED
    )
    if to is None or not _channel(shop, claimed.channel).reaches(to):
        return "nobody is there"
    if not await notification_choice.is_wanted(shop.read, to, kind, claimed.channel):
        return "not wanted"
    facts = await notification_content.facts(shop.read, claimed)
    if facts is None:
        return "outdated"
    if shop.post is None:
        raise NotSent("This process has no way to tell anybody anything.")
    link = await _link(shop, shop.post, claimed, to)
    template = f"staff_{kind}" if to.is_staff else kind.value
    return Notice(template, to, {**facts, "link": link}, claimed.id, _unsubscribe(shop.post, claimed, to))


def _unsubscribe(post: Post, claimed: Any, to: Recipient) -> str | None:
    """A guest ends all of the order by it, others what they were just told of."""
    if claimed.kind in notification_choice.REQUIRED or post.api is None:
        return None
    kind = "" if to.is_guest else claimed.kind
    return f"{post.api}/notifications/{post.signer.unsubscribe_token(to.chooses_as, kind, claimed.channel)}"


async def _link(shop: Shop, post: Post, claimed: Any, to: Recipient) -> str:
    """Where it leads. Guests, and whoever has just placed an order, get in by it; others sign in there."""
    ticket = None if claimed.ticket_id is None else f"ticket_{base32.encode(claimed.ticket_id.bytes)}"
    if to.is_staff:
        return f"{post.admin}/tickets/{ticket}"
    if claimed.kind == NotificationKind.PAYMENT_RETURNED:
        return post.storefront
    if not to.is_guest and claimed.kind != NotificationKind.ORDER_PLACED:
        return f"{post.storefront}/account/" + (f"tickets/{ticket}" if ticket else "orders")
    async with shop.tx() as tx:
        token_id = await notification.with_token(tx, claimed)
    opening = f"{post.storefront}/orders/access?token={post.signer.single_use_token(Purpose.ORDER_ACCESS, token_id)}"
    return f"{opening}&ticket={ticket}" if ticket else opening


STEPS: Final = (Step(deliver_notification, tries=1),)
"""One try: the reaction is tried again later, and does not hold up others while a mail server is slow."""
