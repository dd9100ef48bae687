"""What people want to be told is theirs to say: in the API, or by the link of a mail. And what staff see of it all."""

from typing import Any

import pytest

from db.connection import new_id
from domain.notification import NotificationQueued
from domain.processes.deliver_notification import deliver_notification
from domain.processes.shop import Shop
from plugins.mail import Composer
from resolvers import ids
from server.tokens import SignedTokens
from tests import customers, given, notices
from tests.api import SECRET, Api
from tests.customers import Outbox, errors
from tests.notices import notifications, told
from tests.test_notifications import SENDER, late, worker, write

PREFERENCES = "{ notificationPreferences { locale preferences { kind channel enabled required } } }"
SIGNED = SignedTokens(SECRET)
TELLING = ["TICKETS_OPENED", "ACTION_REQUIRED", "PROOF_READY", "MESSAGE_POSTED", "DELIVERED"]


def choice(kind: str, enabled: bool, channel: str = "email") -> dict[str, Any]:
    return {"kind": kind, "channel": channel, "enabled": enabled}


async def choose(api: Api, *choices: dict[str, Any], **more: Any) -> Any:
    payload = await api.do("notificationPreferencesSet", {"preferences": list(choices), **more}, "__typename")
    return errors(payload)


async def off(api: Api) -> list[str]:
    found = (await api(PREFERENCES))["notificationPreferences"]["preferences"]
    return [one["kind"] for one in found if not one["enabled"]]


async def test_a_customer_switches_off_what_they_need_not_get(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    _, sam = await customers.signed_in(shop, api)
    shown = (await sam(PREFERENCES))["notificationPreferences"]
    assert shown["locale"] is None
    assert [one["kind"] for one in shown["preferences"] if not one["required"]] == TELLING
    assert [one["kind"] for one in shown["preferences"] if one["required"]] == ["ORDER_PLACED", "PAYMENT_RETURNED"]
    assert await choose(sam, choice("TICKETS_OPENED", False), choice("MESSAGE_POSTED", False), locale="de_at") == []
    assert await off(sam) == ["TICKETS_OPENED", "MESSAGE_POSTED"]
    assert await choose(sam, choice("TICKETS_OPENED", False)) == []  # again, and the rest stays
    assert await off(sam) == ["TICKETS_OPENED", "MESSAGE_POSTED"]
    await given.regions(shop)
    banner = await given.product(shop, "banner")
    (ticket,) = await given.tickets(shop, await given.order(sam, {"variantId": banner.variant, "quantity": 1}))
    await write(shop, ticket, "Hello", toni)
    assert [(mail.template, mail.locale) for mail in await told(shop)] == [("order_placed", "de-AT")]
    reasons = [(kind, why) for kind, state, why in await notifications(shop) if state == "suppressed"]
    assert reasons == [("tickets_opened", "not wanted"), ("message_posted", "not wanted")]
    assert await choose(sam, choice("MESSAGE_POSTED", True), locale=None) == []
    assert (await sam(PREFERENCES))["notificationPreferences"]["locale"] is None
    await write(shop, ticket, "Hello again", toni)
    assert [mail.template for mail in await told(shop)] == ["message_posted"]


@pytest.mark.parametrize(
    ("given_", "refused"),
    [
        ({"preferences": [choice("ORDER_PLACED", False)]}, ["preferences", "0", "enabled"]),
        ({"preferences": [choice("DELIVERED", False), choice("OVERDUE", False)]}, ["preferences", "1", "kind"]),
        ({"preferences": [choice("DELIVERED", False, "pigeon")]}, ["preferences", "0", "channel"]),
        ({"preferences": [choice("DELIVERED", False), choice("DELIVERED", True)]}, ["preferences"]),
        ({"preferences": [choice("DELIVERED", False)], "locale": "no such"}, ["locale"]),
        ({"preferences": [choice("DELIVERED", False)], "locale": ""}, ["locale"]),
    ],
)
async def test_what_cannot_be_chosen_is_refused_and_changes_nothing(
    shop: Shop, api: Api, given_: dict[str, Any], refused: list[str]
) -> None:
    _, sam = await customers.signed_in(shop, api)
    payload = await sam.do("notificationPreferencesSet", given_, "notificationPreferences { locale }")
    assert errors(payload) == [("ValidationFailed", refused)]
    assert payload["notificationPreferences"] is None
    assert await off(sam) == []


async def test_staff_choose_for_themselves_and_it_is_in_the_audit_log(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    assert toni.id is not None
    token = await given.access_token(shop, toni.kind, toni.id)
    ticket = await given.ticket(shop, api)
    await told(shop)
    signed_in = api.signed_in(token)
    kinds = (await signed_in(PREFERENCES))["notificationPreferences"]["preferences"]
    assert [one["kind"] for one in kinds] == ["MESSAGE_POSTED", "OVERDUE"]
    assert await choose(signed_in, choice("OVERDUE", False), locale="de") == []
    await late(shop, ticket)
    await write(shop, ticket, "Hello?")
    assert [(mail.template, mail.locale) for mail in await told(shop)] == [("staff_message_posted", "de")]
    assert errors(await signed_in.do("notificationPreferencesSet", {"preferences": None}, "__typename")) == []
    entries = await customers.rows(shop, "SELECT action, subject, difference FROM audit_entry ORDER BY id")
    assert entries[-2:] == [
        {"action": "notificationPreferencesSet", "subject": f"staff:{toni.id}", "difference": difference}
        for difference in ({"overdue": [True, False]}, {})
    ]


async def test_preferences_are_those_of_whoever_asks(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    kim = await given.caller(shop, api, "customer")
    await choose(sam, choice("DELIVERED", False))
    assert (await off(sam), await off(kim)) == (["DELIVERED"], [])
    for nobody in (api, Api(api.http, {"x-access-token": "nonsense"})):
        for document in (PREFERENCES, "mutation { notificationPreferencesSet(input: {}) { userErrors { code } } }"):
            answer = await nobody.answer(document)
            assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def unsubscribing(shop: Shop, ticket: given.Ticket, by: Any) -> tuple[Any, str]:
    """The newest mail about a ticket, and the path of its link that ends such mails."""
    await write(shop, ticket, "Hello", by)
    mail = (await told(shop))[-1]
    assert mail.unsubscribe is not None
    return Composer(SENDER).message(mail), mail.unsubscribe.removeprefix(notices.API)


async def test_a_guest_ends_all_that_is_told_of_an_order_by_one_post(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    ticket = await given.ticket(shop, api)
    message, path = await unsubscribing(shop, ticket, toni)
    assert message["List-Unsubscribe"] == f"<{notices.API}{path}>"
    assert f"List-Unsubscribe: <{notices.API}{path}>\r\n".encode() in message.as_bytes()
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    asked = await api.http.get(path)
    assert (asked.status_code, asked.headers["cache-control"]) == (200, "no-store")
    assert '<form method="post">' in asked.text
    assert await customers.rows(shop, "SELECT * FROM notification_opt_out") == []
    for _ in range(2):
        done = await api.http.post(path, data={"List-Unsubscribe": "One-Click"})
        assert (done.status_code, "You get no more such mails." in done.text) == (200, True)
    chosen = await customers.rows(shop, "SELECT recipient, kind, channel FROM notification_opt_out ORDER BY kind")
    assert [row["kind"].upper() for row in chosen] == sorted(TELLING)
    assert {(row["recipient"], row["channel"]) for row in chosen} == {(f"order:{ticket.order}", "email")}
    await write(shop, ticket, "Hello again", toni)
    assert await told(shop) == []
    kim = await given.customer(shop, "kim@shop.example")  # who adopts the order, and has said nothing yet
    await customers.execute(shop, 'UPDATE "order" SET customer_id = :kim', kim=kim)
    await write(shop, ticket, "Hello Kim", toni)
    assert await told(shop) == []


async def test_a_customer_ends_what_the_mail_was_about_and_a_required_one_has_no_end(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    _, sam = await customers.signed_in(shop, api)
    await given.regions(shop)
    banner = await given.product(shop, "banner")
    (ticket,) = await given.tickets(shop, await given.order(sam, {"variantId": banner.variant, "quantity": 1}))
    placed = next(mail for mail in await told(shop) if mail.template == "order_placed")
    assert placed.unsubscribe is None
    assert Composer(SENDER).message(placed)["List-Unsubscribe"] is None
    _, path = await unsubscribing(shop, ticket, toni)
    await api.http.post(path)
    assert await off(sam) == ["MESSAGE_POSTED"]
    _, path = await unsubscribing(shop, ticket, None)
    await api.http.post(path)
    await write(shop, ticket, "Hello?")
    assert await told(shop) == []


async def test_a_link_that_is_not_ours_ends_nothing(shop: Shop, api: Api) -> None:
    ticket = await given.ticket(shop, api)
    good = SIGNED.unsubscribe_token(f"order:{ticket.order}", "", "email")
    wrong = [
        good[:-3],
        "nonsense",
        ticket.access_token,
        SignedTokens("another secret, which is not ours at all").unsubscribe_token(
            f"order:{ticket.order}", "", "email"
        ),
        SIGNED.unsubscribe_token(f"order:{ticket.order}", "no such kind", "email"),
        SIGNED.unsubscribe_token("order:nonsense", "", "email"),
    ]
    for token in wrong:
        assert (await api.http.post(f"/notifications/{token}")).status_code == 404
    gone = SIGNED.unsubscribe_token(f"order:{new_id()}", "", "email")
    assert (await api.http.post(f"/notifications/{gone}")).status_code == 200
    required = SIGNED.unsubscribe_token(f"order:{ticket.order}", "order_placed", "email")
    assert (await api.http.post(f"/notifications/{required}")).status_code == 200
    assert await customers.rows(shop, "SELECT * FROM notification_opt_out") == []
    holder = Api(api.http, {"x-access-token": good, "authorization": f"Bearer {good}"})
    assert (await holder.raw("{ __typename }")).status_code == 401


LIST = """query ($filter: NotificationFilter) { notifications(filter: $filter) {
    totalCount nodes { id kind channel state reason tries recipientKind staffId orderId ticketId sentAt } } }"""


async def test_staff_see_what_was_told_and_have_what_failed_tried_again(shop: Shop, api: Api) -> None:
    toni = await worker(shop)
    ticket = await given.ticket(shop, api)
    order = ids.encode("Order", ticket.order)
    await told(shop)
    await write(shop, ticket, "Hello?")
    await told(shop)
    await customers.execute(
        shop, "UPDATE notification SET state = 'failed', reason = 'no', sent_at = NULL WHERE kind = 'tickets_opened'"
    )
    staff = await customers.staff(shop, api, "notifications:read", "notifications:write")
    everything = (await staff(LIST))["notifications"]
    assert [one["kind"] for one in everything["nodes"]] == ["MESSAGE_POSTED", "TICKETS_OPENED", "ORDER_PLACED"]
    assert everything["totalCount"] == 3
    newest = everything["nodes"][0]
    assert (newest["recipientKind"], newest["staffId"]) == ("STAFF", ids.encode("Staff", toni.id))  # type: ignore[arg-type]
    assert (newest["orderId"], newest["ticketId"], newest["tries"]) == (order, ticket.id, 1)
    for wanted, count in (
        ({"state": "FAILED"}, 1),
        ({"kind": "ORDER_PLACED", "orderId": order}, 1),
        ({"ticketId": ticket.id, "state": None}, 1),
        ({"orderId": ids.encode("Order", new_id())}, 0),
    ):
        assert (await staff(LIST, {"filter": wanted}))["notifications"]["totalCount"] == count
    (failed,) = (await staff(LIST, {"filter": {"state": "FAILED"}}))["notifications"]["nodes"]
    assert (failed["reason"], failed["recipientKind"], failed["staffId"]) == ("no", "CUSTOMER", None)
    for sent in (newest["id"], ids.encode("Notification", new_id())):
        payload = await staff.do("notificationRetry", {"notificationId": sent}, "notification { id }")
        kind = "ValidationFailed" if sent == newest["id"] else "NotFound"
        assert errors(payload) == [(kind, ["notificationId"])]
    before = await notifications(shop)
    reader = await given.caller(shop, api, "staff", "notifications:read", "tickets:write", "orders:write")
    for other in (api, await given.caller(shop, api, "customer"), reader):
        answer = await other.answer(
            "mutation ($id: ID!) { notificationRetry(input: { notificationId: $id }) { userErrors { code } } }",
            {"id": failed["id"]},
        )
        assert answer["errors"][0]["extensions"]["code"] in {"UNAUTHENTICATED", "FORBIDDEN"}
        assert other is reader or "errors" in await other.answer(LIST)
    assert await notifications(shop) == before
    done = await staff.done("notificationRetry", {"notificationId": failed["id"]}, "notification { state reason }")
    assert done["notification"] == {"state": "QUEUED", "reason": ""}
    assert [mail.template for mail in await told(shop)] == ["tickets_opened"]
    (entry,) = await customers.rows(
        shop, "SELECT subject, difference FROM audit_entry WHERE action = 'notificationRetry'"
    )
    assert entry["difference"] == {"state": ["failed", "queued"]}
    assert entry["subject"] == f"notification:{ids.decode('Notification', failed['id'])}"


async def test_a_channel_that_is_gone_is_told_to_staff(shop: Shop, api: Api) -> None:
    await given.ticket(shop, api)
    await told(shop)
    await customers.execute(shop, "UPDATE notification SET state = 'queued', sent_at = NULL, channel = 'pigeon'")
    (first, _) = await customers.rows(shop, "SELECT id FROM notification ORDER BY id")
    with pytest.raises(Exception, match="there is no channel pigeon here"):
        await deliver_notification(notices.telling(shop, Outbox()), NotificationQueued(first["id"]))
    assert (await notifications(shop))[0] == ("order_placed", "failed", "there is no channel pigeon here")
