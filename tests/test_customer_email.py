"""Another e-mail address for an account: confirmed on both sides, or nothing changes."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from domain.processes.shop import Shop
from tests import customers, given
from tests.access import counted
from tests.api import Api
from tests.customers import KIM, SAM, errors

NEW = "sam@new.example"
REQUEST = """mutation ($input: CustomerRequestEmailChangeInput!) { customerRequestEmailChange(input: $input) {
    userErrors { __typename code message path } warnings { code } } }"""
CONFIRM = "customerConfirmEmailChange"


async def emails(shop: Shop) -> list[str]:
    return [row["email"] for row in await customers.rows(shop, "SELECT email FROM customer ORDER BY id")]


async def request(sam: Api, email: str = NEW) -> None:
    await sam.done("customerRequestEmailChange", {"password": given.PASSWORD, "newEmail": email}, "__typename")


async def both(shop: Shop) -> tuple[str, str]:
    """The tokens that the present and the new address were mailed."""
    return await customers.mailed(shop, "confirm_old_email"), await customers.mailed(shop, "confirm_new_email", NEW)


async def refused(caller: Api, token: str) -> None:
    payload = await caller.do(CONFIRM, {"token": token}, "completed")
    assert (payload["completed"], errors(payload)) == (None, [("TokenInvalid", ["token"])])


@pytest.mark.parametrize("old_first", [True, False])
async def test_a_new_address_counts_when_both_sides_have_confirmed_it(shop: Shop, api: Api, old_first: bool) -> None:
    _, sam = await customers.signed_in(shop, api)
    await request(sam, "Sam@New.Example")
    mails = await customers.mails(shop)
    assert [(mail.template, mail.to, mail.facts["new_email"]) for mail in mails] == [
        ("confirm_old_email", SAM, NEW),
        ("confirm_new_email", NEW, NEW),
    ]
    first, second = await both(shop) if old_first else reversed(await both(shop))
    assert (await api.done(CONFIRM, {"token": first}, "completed"))["completed"] is False
    assert await emails(shop) == [SAM]
    assert (await sam.done(CONFIRM, {"token": second}, "completed"))["completed"] is True
    assert await emails(shop) == [NEW]
    assert await sam("{ me { email } }") == {"me": {"email": NEW}}
    assert (await given.signed_in(api, NEW)).headers
    old = await api.do("customerSignIn", {"email": SAM, "password": given.PASSWORD}, "accessToken")
    assert errors(old) == [("InvalidCredentials", ["password"])]
    assert await customers.rows(shop, "SELECT * FROM email_change") == []


async def test_links_of_a_change_are_good_once_for_their_side_and_their_customer(shop: Shop, api: Api) -> None:
    """Fault 18."""
    _, sam = await customers.signed_in(shop, api)
    _, kim = await customers.signed_in(shop, api, KIM)
    await request(sam)
    old, new = await both(shop)
    for token in (old, new):
        await refused(kim, token)
        for mutation, more in (
            ("customerConfirm", {"password": given.PASSWORD}),
            ("customerResetPassword", {"password": customers.NEW_PASSWORD}),
        ):
            payload = await api.do(mutation, {"token": token, **more}, "__typename")
            assert errors(payload) == [("TokenInvalid", ["token"])]
    await api.done(CONFIRM, {"token": old}, "completed")
    await refused(api, old)
    assert await emails(shop) == [SAM, KIM]
    await api.done(CONFIRM, {"token": new}, "completed")
    await refused(api, new)
    assert await emails(shop) == [NEW, KIM]


async def test_links_of_a_change_that_was_replaced_are_good_for_nothing(shop: Shop, api: Api) -> None:
    """Also in part: what one side confirmed of the former change does not count for the latter."""
    _, sam = await customers.signed_in(shop, api)
    await request(sam)
    former = await both(shop)
    await api.done(CONFIRM, {"token": former[0]}, "completed")
    await request(sam, "sam@other.example")
    for token in former:
        await refused(api, token)
    new = await customers.mailed(shop, "confirm_new_email", "sam@other.example")
    assert (await api.done(CONFIRM, {"token": new}, "completed"))["completed"] is False
    assert await emails(shop) == [SAM]


async def test_nothing_tells_whether_the_new_address_has_an_account(shop: Shop, api: Api) -> None:
    """Fault 16: its owner is told by mail, and gets nothing that could give the address away."""
    _, sam = await customers.signed_in(shop, api)
    await given.customer(shop, KIM)
    seen: list[Any] = []
    for email in (KIM, NEW):
        seen.append(await counted(sam, REQUEST, {"input": {"password": given.PASSWORD, "newEmail": email}}))
    assert seen[0] == seen[1]
    await request(sam, KIM)
    mails = {mail.template: mail for mail in await customers.mails(shop)}
    assert sorted(mails) == ["confirm_old_email", "email_taken"]
    assert (mails["email_taken"].to, mails["email_taken"].facts["link"]) == (KIM, "https://shop.example")
    old = customers.token_of(mails["confirm_old_email"])
    assert (await api.done(CONFIRM, {"token": old}, "completed"))["completed"] is False
    assert await emails(shop) == [SAM, KIM]


async def test_an_address_that_was_taken_meanwhile_is_not_given_away(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    await request(sam)
    old, new = await both(shop)
    await api.done(CONFIRM, {"token": new}, "completed")
    await given.customer(shop, NEW)
    await refused(api, old)
    assert await emails(shop) == [SAM, NEW]


async def test_a_change_and_a_registration_of_one_address_at_the_same_moment(shop: Shop, api: Api) -> None:
    """Each waits for the other; the later one is answered as if the first had been long ago."""
    _, sam = await customers.signed_in(shop, api)
    await request(sam)
    old, new = await both(shop)
    await api.done(CONFIRM, {"token": old}, "completed")
    registration = shop.database.pool.acquire()
    async with registration as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO customer (id, email) VALUES (gen_random_uuid(), $1)", NEW)
        change = asyncio.create_task(api.do(CONFIRM, {"token": new}, "completed"))
        await given.until(lambda: waiting(shop))
        await transaction.commit()
    assert errors(await change) == [("TokenInvalid", ["token"])]
    assert await emails(shop) == [SAM, NEW]


async def test_a_registration_of_an_address_that_is_just_given_up_waits_and_makes_an_account(
    shop: Shop, api: Api
) -> None:
    _, sam = await customers.signed_in(shop, api)
    async with shop.database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE customer SET email = $1", NEW)
        account = {"email": SAM, "password": given.PASSWORD}
        registration = asyncio.create_task(api.do("customerRegister", account, "__typename"))
        await given.until(lambda: waiting(shop))
        await transaction.commit()
    assert (await registration)["userErrors"] == []
    assert await emails(shop) == [NEW, SAM]
    assert await sam("{ me { email } }") == {"me": {"email": NEW}}


async def waiting(shop: Shop) -> bool:
    """Somebody waits for a lock of this database."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return await shop.read.value(text(waits)) == 1


async def test_a_change_needs_the_password(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    wrong = {"password": "not " + given.PASSWORD, "newEmail": NEW}
    assert errors(await sam.do("customerRequestEmailChange", wrong, "__typename")) == [
        ("InvalidCredentials", ["password"])
    ]
    for email in (SAM, "sam", ""):
        payload = await sam.do(
            "customerRequestEmailChange", {"password": given.PASSWORD, "newEmail": email}, "__typename"
        )
        assert errors(payload) == [("ValidationFailed", ["newEmail"])]
    assert await customers.rows(shop, "SELECT * FROM email_change") == []
    assert await customers.mails(shop) == []


async def test_a_new_password_by_mail_stops_a_change_that_somebody_else_may_have_asked_for(
    shop: Shop, api: Api
) -> None:
    _, sam = await customers.signed_in(shop, api)
    await request(sam)
    old, new = await both(shop)
    await api.done("customerRequestPasswordReset", {"email": SAM}, "__typename")
    reset = await customers.mailed(shop, "reset_password")
    await api.done("customerResetPassword", {"token": reset, "password": customers.NEW_PASSWORD}, "__typename")
    for token in (old, new):
        await refused(api, token)
    assert await emails(shop) == [SAM]


async def test_what_was_mailed_to_the_old_address_opens_nothing_after_the_change(shop: Shop, api: Api) -> None:
    _, sam = await customers.signed_in(shop, api)
    await api.done("customerRequestPasswordReset", {"email": SAM}, "__typename")
    reset = await customers.mailed(shop, "reset_password")
    await request(sam)
    for token in await both(shop):
        await api.done(CONFIRM, {"token": token}, "completed")
    payload = await api.do("customerResetPassword", {"token": reset, "password": customers.NEW_PASSWORD}, "__typename")
    assert errors(payload) == [("TokenInvalid", ["token"])]


async def test_guest_orders_of_the_new_address_are_adopted_with_the_change(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    line = {"variantId": (await given.product(shop)).variant, "quantity": 1}
    sam_id, sam = await customers.signed_in(shop, api)
    for email in (NEW, KIM):
        await given.order(api, line, email=email)
    await request(sam)
    tokens = await both(shop)
    await api.done(CONFIRM, {"token": tokens[0]}, "completed")
    owned = 'SELECT number, customer_id FROM "order" ORDER BY number'
    assert [row["customer_id"] for row in await customers.rows(shop, owned)] == [None, None]
    await api.done(CONFIRM, {"token": tokens[1]}, "completed")
    assert [row["customer_id"] for row in await customers.rows(shop, owned)] == [sam_id, None]
