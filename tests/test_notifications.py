"""People are told what has happened: the right ones, in their language, of each thing once, and of nothing internal."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from db.connection import new_id
from db.ticket import ProofDecision, TicketPriority, Visibility
from db.workflow import ActorKind
from domain import ticket_desk, ticket_proof
from domain.actor import Actor, OrderAccess
from domain.mail import Mail, MailNotSent
from domain.notification import NotificationQueued, claim
from domain.processes.deliver_notification import deliver_notification
from domain.processes.overdue_tickets import tell_of_overdue
from domain.processes.shop import Shop
from domain.ticket_message import PostMessage, post_message
from domain.ticket_move import Move, move
from domain.ticket_proof import DecideProof
from plugins.mail import Composer
from tests import customers, given, notices, ticketing
from tests.api import Api
from tests.customers import KIM, SAM, Outbox
from tests.notices import notifications, told

SENDER = "Cups & Co <shop@shop.example>"
TONI = "toni@shop.example"
SUBJECTS = {
    "en": [
        (SAM, "Your order 1001 is placed"),
        (SAM, "Work on your order 1001 has begun"),
        (TONI, "Customer's message: Banner (order 1001)"),
        (SAM, "New message about Banner (order 1001)"),
        (SAM, "Your order 1001 waits for you: Banner"),
        (SAM, "Proof 1 of Banner is ready (order 1001)"),
        (TONI, "Overdue: Banner (order 1001)"),
        (SAM, "Your order 1001 has arrived"),
    ],
    "de": [
        (SAM, "Ihre Bestellung 1001 ist eingegangen"),
        (SAM, "Die Arbeit an Ihrer Bestellung 1001 hat begonnen"),
        (TONI, "Nachricht vom Kunden: Banner (Bestellung 1001)"),
        (SAM, "Neue Nachricht zu Banner (Bestellung 1001)"),
        (SAM, "Ihre Bestellung 1001 wartet auf Sie: Banner"),
        (SAM, "Korrekturabzug 1 von Banner ist fertig (Bestellung 1001)"),
        (TONI, "Überfällig: Banner (Bestellung 1001)"),
        (SAM, "Ihre Bestellung 1001 ist angekommen"),
    ],
}


def subjects(mails: list[Mail]) -> list[tuple[str, str]]:
    return [(mail.to, str(Composer(SENDER).message(mail)["Subject"])) for mail in mails]


def said(mail: Mail) -> tuple[str, str]:
    """Its text and its HTML."""
    message = Composer(SENDER).message(mail)
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    return parts[0].get_content(), parts[1].get_content()  # type: ignore[union-attr]


async def worker(shop: Shop, locale: str | None = None, email: str = TONI) -> Actor:
    """Toni, who sees and does tickets."""
    key = await given.staff(shop, "tickets:read", "tickets:write", email=email)
    await customers.execute(shop, "UPDATE staff SET locale = :locale WHERE id = :id", locale=locale, id=key)
    return Actor(ActorKind.STAFF, key, frozenset({"tickets:read", "tickets:write"}))


async def write(shop: Shop, ticket: given.Ticket, body: str, by: Actor | None = None, **more: Any) -> None:
    """On a ticket, as its guest or as staff."""
    access = OrderAccess(ticket.order, 1) if by is None else None
    async with shop.tx() as tx:
        await post_message(tx, PostMessage(ticket.key, body, **more), by or Actor(), access)


async def waiting(shop: Shop, ticket: given.Ticket, toni: Actor) -> None:
    """Where it asks the customer for something, of a workflow in which staff can say so."""
    way = """INSERT INTO workflow_transition (workflow_id, from_state, to_state, who)
        SELECT id, state, :to, 'staff' FROM workflow, (VALUES ('brief_received'), ('designing_artwork'),
            ('proof_sent')) AS s (state) WHERE code = 'default' AND state <> :to ON CONFLICT DO NOTHING"""
    await customers.execute(shop, way, to="awaiting_brief")
    async with shop.tx() as tx:
        await move(tx, Move(ticket.key, "awaiting_brief"), toni)


async def late(shop: Shop, ticket: given.Ticket) -> None:
    await customers.execute(shop, "UPDATE ticket SET due_at = now() - interval '1 hour' WHERE id = :id", id=ticket.key)
    await tell_of_overdue(shop)


async def delivered(shop: Shop, ticket: given.Ticket, toni: Actor) -> None:
    """All the way, whatever the workflow asks for."""
    await ticketing.put(shop, ticket.key, "fulfilling")
    async with shop.tx() as tx:
        await move(tx, Move(ticket.key, "delivered"), toni)


@pytest.mark.parametrize("locale", ["en", "de"])
async def test_every_kind_is_told_to_its_receiver_in_their_language(shop: Shop, api: Api, locale: str) -> None:
    toni = await worker(shop, locale)
    ticket = await given.ticket(shop, Api(api.http, {"x-shop-context": f"locale={locale}-AT"}))
    mails = await told(shop)
    await write(shop, ticket, "When is it ready?")
    mails += await told(shop)
    await write(shop, ticket, "Tomorrow.", toni)
    mails += await told(shop)
    await waiting(shop, ticket, toni)
    mails += await told(shop)
    await ticketing.proofed(shop, ticket.key)
    mails += await told(shop)
    await late(shop, ticket)
    mails += await told(shop)
    await delivered(shop, ticket, toni)
    mails += await told(shop)
    assert subjects(mails) == SUBJECTS[locale]
    assert {str(Composer(SENDER).message(mail)["Content-Language"]) for mail in mails} == {locale}
    plain, html = said(mails[3])
    assert "> Tomorrow." in plain
    assert ">Tomorrow.</blockquote>" in html
    assert {state for _, state, _ in await notifications(shop)} == {"sent"}
    assert await told(shop) == []


async def test_whatever_is_run_twice_or_at_the_same_time_is_told_once(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    ticket = await given.ticket(shop, api)
    await asyncio.gather(write(shop, ticket, "one", toni), write(shop, ticket, "two", toni))
    outbox = Outbox()
    telling = notices.telling(shop, outbox)
    again = [one for one in notices.TELLING if one.event is not NotificationQueued]
    await asyncio.gather(*(notices.react(telling, again) for _ in range(3)))
    queued = await customers.rows(shop, "SELECT id FROM notification")
    both = [deliver_notification(telling, NotificationQueued(row["id"])) for row in queued for _ in range(3)]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert {str(one) for one in done if one is not None} <= {"somebody else is sending it"}
    await notices.react(telling, times=2)
    kinds = sorted(mail.template for mail in outbox.mails)
    assert kinds == ["message_posted", "message_posted", "order_placed", "tickets_opened"]
    assert sorted(mail.facts.get("quote", "") for mail in outbox.mails) == ["", "", "one", "two"]


async def test_nothing_internal_reaches_a_customer(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    ticket = await given.ticket(shop, api)
    await told(shop)
    await write(shop, ticket, "a difficult customer", toni, visibility=Visibility.INTERNAL)
    async with shop.tx() as tx:
        await ticket_desk.assign(tx, ticket.key, toni.id, toni)
        await ticket_desk.set_priority(tx, ticket.key, TicketPriority.URGENT, toni)
    await late(shop, ticket)
    assert [mail.to for mail in await told(shop)] == [TONI]
    seq = await shop.read.records(text("SELECT seq FROM ticket_event WHERE data ->> 'body' = 'a difficult customer'"))
    # Not even if somebody announced it: what is internal is read for nobody.
    forged = f"""INSERT INTO event (name, topic, data) VALUES ('TicketNews', 'news:x', jsonb_build_object(
        'ticket_id', '{ticket.key}', 'seq', {seq[0].seq}))"""
    await customers.execute(shop, forged)
    await customers.execute(
        shop,
        """INSERT INTO notification (id, event, kind, recipient, channel, order_id, ticket_id) VALUES
        (gen_random_uuid(), :event, 'message_posted', :guest, 'email', :order, :ticket)""",
        event=f"ticket:{ticket.key}:{seq[0].seq}",
        guest=f"order:{ticket.order}",
        order=ticket.order,
        ticket=ticket.key,
    )
    (row,) = await customers.rows(shop, "SELECT id FROM notification WHERE state = 'queued'")
    outbox = Outbox()
    await deliver_notification(notices.telling(shop, outbox), NotificationQueued(row["id"]))
    assert outbox.mails == []
    assert await told(shop) == []
    assert (await notifications(shop))[-1] == ("message_posted", "suppressed", "outdated")


async def test_what_people_write_becomes_neither_a_header_nor_html(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    ticket = await given.ticket(shop, api)
    await customers.execute(shop, "UPDATE order_line SET title = :t", t="A\r\nBcc: eve@shop.example <b>banner</b>")
    await told(shop)
    await write(shop, ticket, 'x</blockquote><script>alert("1")</script>\x1b[31m\nBcc: eve@shop.example', toni)
    (mail,) = await told(shop)
    message = Composer(SENDER).message(mail)
    assert message["Bcc"] is None
    assert message["Subject"] == "New message about A Bcc: eve@shop.example <b>banner</b> (order 1001)"
    plain, html = said(mail)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<b>" not in html
    assert "\x1b" not in plain + html


async def test_what_is_over_when_it_could_be_sent_is_not_told(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    ticket = await given.ticket(shop, api)
    await told(shop)
    older = await ticketing.proofed(shop, ticket.key)
    newer = await ticketing.proofed(shop, ticket.key)
    assert [mail.facts["version"] for mail in await told(shop)] == ["2"]
    assert (older, newer) != (newer, older)
    await ticketing.proofed(shop, ticket.key)
    decided = "UPDATE ticket_proof SET decision = 'approve', decided_at = now(), decided_by_kind = 'customer'"
    await customers.execute(shop, decided)
    await write(shop, ticket, "A moment.")
    await waiting(shop, ticket, toni)
    await ticketing.put(shop, ticket.key, "designing_artwork")
    assert [mail.to for mail in await told(shop)] == [TONI]
    assert [(k, s, r) for k, s, r in await notifications(shop) if s != "sent"] == [
        ("proof_ready", "suppressed", "outdated"),
        ("proof_ready", "suppressed", "outdated"),
        ("action_required", "suppressed", "outdated"),
    ]


async def test_a_guest_gets_in_by_every_mail_and_a_customer_by_signing_in(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    ticket = await given.ticket(shop, api)
    await write(shop, ticket, "Hello", toni)
    mails = {mail.template: mail for mail in await told(shop)}
    about = f"&ticket={ticket.id}"
    assert mails["message_posted"].facts["link"].endswith(about)
    links = [mails[name].facts["link"].removesuffix(about) for name in ("order_placed", "message_posted")]
    assert all(link.startswith("https://shop.example/orders/access?token=") for link in links)
    for link in links:  # one that was used does not end the others
        opened = await api.done("accessLinkExchange", {"token": link.partition("=")[2]}, "order { number }")
        assert opened["order"] == {"number": "1001"}
    kim = await given.customer(shop, KIM)
    await customers.execute(shop, 'UPDATE "order" SET customer_id = :kim', kim=kim)
    await customers.execute(shop, "UPDATE customer SET locale = 'de'")
    await write(shop, ticket, "Hello again", toni)
    (mail,) = await told(shop)
    assert (mail.to, mail.locale) == (SAM, "de")  # Kim has not proven hers
    assert mail.facts["link"] == f"https://shop.example/account/tickets/{ticket.id}"
    await customers.execute(shop, "UPDATE customer SET confirmed_at = now()")
    await write(shop, ticket, "And again", toni)
    assert [mail.to for mail in await told(shop)] == [KIM]
    await write(shop, ticket, "Thanks")
    (mail,) = await told(shop)
    assert (mail.to, mail.facts["link"]) == (TONI, f"https://admin.example/tickets/{ticket.id}")


async def test_who_does_the_ticket_is_told_or_else_all_who_could(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    await worker(shop, email="uma@shop.example")
    await given.staff(shop, "tickets:read", email="reader@shop.example")
    await given.staff(shop, "orders:write", email="elsewhere@shop.example")
    await customers.execute(
        shop, "UPDATE staff SET active = false WHERE id = :id", id=(await worker(shop, email="gone@shop.example")).id
    )
    ticket = await given.ticket(shop, api)
    await told(shop)
    await write(shop, ticket, "Hello?")
    assert sorted(mail.to for mail in await told(shop)) == [TONI, "uma@shop.example"]
    async with shop.tx() as tx:
        await ticket_desk.assign(tx, ticket.key, toni.id, toni)
    await write(shop, ticket, "Hello??")
    await customers.execute(shop, "UPDATE staff SET active = false WHERE email = 'uma@shop.example'")
    assert [mail.to for mail in await told(shop)] == [TONI]
    await write(shop, ticket, "Hello???")
    await notices.react(notices.telling(shop, Outbox()), [r for r in notices.TELLING if r.name == "notify_ticket_news"])
    await customers.execute(shop, "UPDATE staff SET active = false")
    assert await told(shop) == []
    assert (await notifications(shop))[-1] == ("message_posted", "suppressed", "nobody is there")


async def test_an_approval_and_tickets_that_are_split_tell_nobody_anew(shop: Shop, api: Api) -> None:
    await worker(shop)
    first, _ = await ticketing.make_order_of(shop, api, 2, 3)
    assert [mail.facts.get("items") for mail in await told(shop)] == [None, "2 × Banner 1, 3 × Banner 2"]
    proof = await ticketing.proofed(shop, first.key)
    assert [mail.template for mail in await told(shop)] == ["proof_ready"]
    async with shop.tx() as tx:
        decide = DecideProof(proof, ProofDecision.APPROVE)
        await ticket_proof.decide(tx, decide, Actor(), OrderAccess(first.order, 1))
    toni = await given.caller(shop, api, "staff", "tickets:write")
    await toni.done("ticketSplit", {"ticketId": first.id, "quantity": 1}, "ticket { id }")
    assert await told(shop) == []


async def test_a_ticket_that_a_proof_moves_tells_of_the_proof_alone(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    await told(shop)
    await ticketing.put(shop, ticket.key, "designing_artwork")
    await ticketing.proofed(shop, ticket.key)
    assert (await ticketing.row(shop, ticket.key)).state == "proof_sent"
    assert [mail.template for mail in await told(shop)] == ["proof_ready"]
    assert "action_required" not in [kind for kind, _, _ in await notifications(shop)]


class Broken:
    """A mail server that fails as it is told to, and counts."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.mails, self.asked = list(failures), list[Mail](), 0

    async def send(self, mail: Mail) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        self.mails.append(mail)


async def queued(shop: Shop) -> UUID:
    """The notification of a placed order, not yet sent."""
    plan = [reaction for reaction in notices.TELLING if reaction.name == "send_order_link"]
    await notices.react(notices.telling(shop, Outbox()), plan)
    (row,) = await customers.rows(shop, "SELECT id FROM notification WHERE kind = 'order_placed'")
    return row["id"]


async def test_a_failed_one_is_tried_again_under_the_same_reference_with_the_same_link(shop: Shop, api: Api) -> None:
    await given.ticket(shop, api)
    event = NotificationQueued(await queued(shop))
    server = Broken(MailNotSent("SMTPConnectError"), ValueError(f"what to do with {SAM}?"))
    telling = notices.telling(shop, server)
    for why in ("SMTPConnectError", "ValueError"):
        with pytest.raises(Exception, match=f"^{why}$"):
            await deliver_notification(telling, event)
        assert await notifications(shop) == [("order_placed", "failed", why)]
    await deliver_notification(telling, event)
    await deliver_notification(telling, event)
    assert (len(server.mails), server.asked) == (1, 3)
    assert server.mails[0].reference == event.notification_id
    (row,) = await customers.rows(shop, "SELECT state, reason, tries, claimed_until FROM notification")
    assert row == {"state": "sent", "reason": "", "tries": 3, "claimed_until": None}
    assert len(await customers.rows(shop, "SELECT id FROM single_use_token")) == 1


async def test_what_somebody_has_begun_to_send_nobody_else_sends_until_they_must_be_dead(shop: Shop, api: Api) -> None:
    await given.ticket(shop, api)
    event, server = NotificationQueued(await queued(shop)), Broken()
    await customers.execute(shop, "UPDATE notification SET claimed_until = now() + interval '1 minute'")
    with pytest.raises(Exception, match="somebody else is sending it"):
        await deliver_notification(notices.telling(shop, server), event)
    assert server.asked == 0
    await customers.execute(shop, "UPDATE notification SET claimed_until = now() - interval '1 second'")
    await deliver_notification(notices.telling(shop, server), event)
    assert len(server.mails) == 1


async def test_what_a_dead_worker_had_begun_to_send_is_sent_by_who_goes_on_for_it_and_by_no_other(
    shop: Shop, api: Api
) -> None:
    await given.ticket(shop, api)
    key, server = await queued(shop), Broken()
    own, other = NotificationQueued(key, new_id()), NotificationQueued(key, new_id())
    async with shop.tx() as tx:
        assert await claim(tx, own)
    with pytest.raises(Exception, match="somebody else is sending it"):
        await deliver_notification(notices.telling(shop, server), other)
    assert server.asked == 0
    await deliver_notification(notices.telling(shop, server), own)
    await deliver_notification(notices.telling(shop, server), other)
    assert (server.asked, len(server.mails)) == (1, 1)


async def test_an_address_that_nobody_has_is_listed_and_not_tried_by_itself(shop: Shop, api: Api) -> None:
    await given.ticket(shop, api)
    event = NotificationQueued(await queued(shop))
    server = Broken(MailNotSent("SMTPRecipientsRefused 550", final=True))
    await deliver_notification(notices.telling(shop, server), event)
    assert await notifications(shop) == [("order_placed", "failed", "SMTPRecipientsRefused 550")]


async def test_an_erased_customer_is_told_nothing_and_nothing_tells_who_was_told(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    key, sam = await customers.signed_in(shop, api)
    await given.regions(shop)
    banner = await given.product(shop, "banner")
    (ticket,) = await given.tickets(shop, await given.order(sam, {"variantId": banner.variant, "quantity": 1}))
    await sam.done(
        "notificationPreferencesSet",
        {"preferences": [{"kind": "DELIVERED", "channel": "email", "enabled": False}], "locale": "de"},
        "__typename",
    )
    assert [mail.to for mail in await told(shop)] == [SAM, SAM]
    await write(shop, ticket, "Hello", toni)
    plan = [reaction for reaction in notices.TELLING if reaction.event is not NotificationQueued]
    await notices.react(notices.telling(shop, Outbox()), plan)
    await sam.done("customerErase", {"password": given.PASSWORD}, "__typename")
    await write(shop, ticket, "Are you there?", toni)
    assert await told(shop) == []
    assert sorted(await notifications(shop)) == [
        ("message_posted", "suppressed", "erased"),
        ("order_placed", "sent", ""),
        ("tickets_opened", "sent", ""),
    ]
    kept = await customers.rows(shop, "SELECT id, recipient, token_id FROM notification")
    assert [row["recipient"] for row in kept] == [f"erased:{row['id']}" for row in kept]
    assert await customers.rows(shop, "SELECT * FROM notification_opt_out") == []
    assert await customers.rows(shop, "SELECT locale FROM customer WHERE id = :id", id=key) == [{"locale": None}]


async def test_a_language_that_nobody_speaks_here_is_english(shop: Shop, api: Api) -> None:
    await given.ticket(shop, Api(api.http, {"x-shop-context": "locale=fr-CH"}))
    mails = await told(shop)
    assert [mail.locale for mail in mails] == ["fr-CH", "fr-CH"]
    assert subjects(mails) == SUBJECTS["en"][:2]
