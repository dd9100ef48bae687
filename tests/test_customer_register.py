"""Making an account, proving its address, and what becomes of what was bought before."""

import asyncio
from typing import Any

import pytest

from db.connection import new_id
from db.session import Purpose
from domain.processes.shop import Shop
from resolvers import ids
from server.tokens import SignedTokens
from tests import customers, given
from tests.access import counted
from tests.api import SECRET, Api
from tests.customers import KIM, PROOF, SAM, errors

ME = "{ me { id email firstName lastName orders { nodes { number } totalCount } } }"
REGISTER = """mutation ($input: CustomerRegisterInput!) { customerRegister(input: $input) {
    userErrors { __typename code message path } warnings { code } } }"""


async def accounts(shop: Shop) -> list[dict[str, Any]]:
    return await customers.rows(
        shop, "SELECT email, first_name, password_hash, confirmed_at IS NOT NULL AS confirmed FROM customer ORDER BY id"
    )


async def owners(shop: Shop) -> dict[str, Any]:
    """Whose the orders are, by their numbers."""
    return {row["number"]: row["customer_id"] for row in await customers.rows(shop, 'SELECT * FROM "order"')}


async def test_an_account_is_confirmed_by_the_link_that_was_mailed(shop: Shop, api: Api) -> None:
    await customers.register(api, "Sam@Shop.Example", firstName="Sam", lastName="Baker")
    (mail,) = await customers.mails(shop)
    assert (mail.template, mail.to) == ("confirm_email", SAM)
    assert mail.facts["link"].startswith("https://shop.example/account/confirm?token=")
    assert [(row["email"], row["confirmed"]) for row in await accounts(shop)] == [(SAM, False)]
    payload = await api.done(
        "customerConfirm",
        {"token": customers.token_of(mail), **PROOF},
        "customer { email firstName lastName confirmedAt }",
    )
    assert payload["customer"].pop("confirmedAt")
    assert payload["customer"] == {"email": SAM, "firstName": "Sam", "lastName": "Baker"}
    assert [(row["email"], row["confirmed"]) for row in await accounts(shop)] == [(SAM, True)]
    assert (await (await given.signed_in(api, SAM))(ME))["me"]["firstName"] == "Sam"


async def test_registering_a_known_address_changes_nothing_and_tells_its_owner(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    before = await accounts(shop)
    await api.done(
        "customerRegister", {"email": SAM, "password": customers.NEW_PASSWORD, "firstName": "Eve"}, "__typename"
    )
    assert await accounts(shop) == before
    (mail,) = await customers.mails(shop)
    assert (mail.template, mail.to) == ("account_exists", SAM)
    assert mail.facts["link"].startswith("https://shop.example/account/reset?token=")


async def test_nothing_tells_whether_a_registered_address_was_known(shop: Shop, api: Api) -> None:
    """Fault 16: bytes alike, and as many statements for either."""
    await given.customer(shop)
    answers: set[bytes] = set()
    statements: set[int] = set()
    for email in (SAM, KIM):
        given_ = {"input": {"email": email, "password": given.PASSWORD}}
        answer, count = await counted(api, REGISTER, given_)
        answers.add(repr(answer).encode())
        statements.add(count)
        answers.add(repr((await api.raw(REGISTER, given_)).json()).encode())
    assert len(answers) == len(statements) == 1


async def test_nobody_registers_without_limit(shop: Shop, api: Api) -> None:
    """Known and unknown addresses are limited alike, and the limit is told before anything is done."""
    await given.customer(shop)
    for email in (SAM, KIM):
        for _ in range(5):
            await customers.register(api, email)
        payload = await api.do("customerRegister", {"email": email, "password": given.PASSWORD}, "__typename")
        assert errors(payload) == [("TooManyAttempts", [])]
    assert len(await accounts(shop)) == 2


async def test_what_is_wrong_with_a_registration_is_told_at_once(shop: Shop, api: Api) -> None:
    wrong = {"email": "sam", "password": "short", "firstName": "a\nb", "lastName": "x" * 201}
    payload = await api.do("customerRegister", wrong, "__typename")
    assert errors(payload) == [("ValidationFailed", [name]) for name in wrong]
    assert await accounts(shop) == []


async def test_two_at_once_with_one_address_make_one_account(shop: Shop, api: Api) -> None:
    await asyncio.gather(*(customers.register(api) for _ in range(4)))
    assert [row["email"] for row in await accounts(shop)] == [SAM]
    assert sorted(mail.template for mail in await customers.mails(shop)) == ["account_exists", "confirm_email"]


async def test_a_second_registration_does_not_take_an_unconfirmed_account_over(shop: Shop, api: Api) -> None:
    await customers.register(api)
    first = await accounts(shop)
    await api.done("customerRegister", {"email": SAM, "password": customers.NEW_PASSWORD}, "__typename")
    assert await accounts(shop) == first
    await api.done("customerConfirm", {"token": await customers.mailed(shop, "confirm_email"), **PROOF}, "__typename")


async def test_guest_orders_become_the_customers_when_the_address_is_proven_and_not_before(
    shop: Shop, api: Api
) -> None:
    """Faults 1, 8 and 10."""
    await given.regions(shop)
    line = {"variantId": (await given.product(shop)).variant, "quantity": 1}
    for email in (SAM, SAM, KIM):
        await given.order(api, line, email=email)
    _, kim = await customers.signed_in(shop, api, KIM)
    owned = await given.order(kim, line, email=SAM)
    before = await owners(shop)
    await customers.register(api)
    sam = await given.signed_in(api, SAM)
    assert await owners(shop) == before
    assert (await sam(ME))["me"]["orders"] == {"nodes": [], "totalCount": 0}
    await api.done("customerConfirm", {"token": await customers.mailed(shop, "confirm_email"), **PROOF}, "__typename")
    shown = (await sam(ME))["me"]
    assert shown["orders"] == {"nodes": [{"number": "1001"}, {"number": "1002"}], "totalCount": 2}
    sams = ids.decode("Customer", shown["id"])
    assert await owners(shop) == {**before, 1001: sams, 1002: sams}
    told = await customers.rows(shop, "SELECT data FROM event WHERE name = 'OrdersAdopted'")
    assert told == [{"data": {"customer_id": str(sams), "count": 2}}]
    assert (await kim(ME))["me"]["orders"]["nodes"] == [{"number": owned["number"]}]


async def test_who_registers_anothers_address_gets_nothing_when_its_owner_follows_the_link(
    shop: Shop, api: Api
) -> None:
    """The link proves the mailbox, and the password who made the account: both have to be the same person."""
    await given.regions(shop)
    await given.order(api, {"variantId": (await given.product(shop)).variant, "quantity": 1}, email=SAM)
    await customers.register(api)  # by somebody who knows Sam's address, and now waits
    somebody = await given.signed_in(api, SAM)
    link, before = await customers.mailed(shop, "confirm_email"), await owners(shop)
    for password in ("", "not what it was made with", given.PASSWORD + " "):
        payload = await api.do("customerConfirm", {"token": link, "password": password}, "customer { id }")
        assert (payload["customer"], errors(payload)) == (None, [("InvalidCredentials", ["password"])])
    assert await owners(shop) == before
    assert (await somebody(ME))["me"]["orders"] == {"nodes": [], "totalCount": 0}
    assert not any(row["confirmed"] for row in await accounts(shop))
    await api.done("customerRequestPasswordReset", {"email": SAM}, "__typename")
    reset = {"token": await customers.mailed(shop, "reset_password"), "password": customers.NEW_PASSWORD}
    await api.done("customerResetPassword", reset, "__typename")  # Sam takes the account over
    assert (await somebody.answer(ME))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert all(row["confirmed"] for row in await accounts(shop))


async def test_orders_with_an_address_that_is_only_similar_stay_the_guests(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    line = {"variantId": (await given.product(shop)).variant, "quantity": 1}
    for email in ("Sam@Shop.example", "sam+1@shop.example", "sam@shop.example.test"):
        await given.order(api, line, email=email)
    await customers.register(api)
    await api.done("customerConfirm", {"token": await customers.mailed(shop, "confirm_email"), **PROOF}, "__typename")
    assert [owner is not None for _, owner in sorted((await owners(shop)).items())] == [True, False, False]


async def test_an_address_is_confirmed_once_by_its_own_link(shop: Shop, api: Api) -> None:
    """Fault 18: not twice, not by somebody else, not by a token for another purpose."""
    await customers.register(api)
    token = await customers.mailed(shop, "confirm_email")
    _, kim = await customers.signed_in(shop, api, KIM)
    ours = SignedTokens(SECRET)
    unknown = ours.single_use_token(Purpose.CONFIRM_EMAIL, new_id())
    await api.done("customerRequestPasswordReset", {"email": SAM}, "__typename")
    reset = await customers.mailed(shop, "reset_password")
    for caller, wrong in ((kim, token), (api, unknown), (api, reset), (api, ""), (api, token[:-1]), (api, "x" * 5000)):
        payload = await caller.do("customerConfirm", {"token": wrong, **PROOF}, "customer { id }")
        assert (payload["customer"], errors(payload)) == (None, [("TokenInvalid", ["token"])])
        assert not any(row["confirmed"] for row in await accounts(shop))
    await api.done("customerConfirm", {"token": token, **PROOF}, "__typename")
    assert errors(await api.do("customerConfirm", {"token": token, **PROOF}, "__typename")) == [
        ("TokenInvalid", ["token"])
    ]


@pytest.mark.parametrize("at_once", [8])
async def test_of_many_uses_of_one_link_at_once_one_counts(shop: Shop, api: Api, at_once: int) -> None:
    await customers.register(api)
    given_ = {"token": await customers.mailed(shop, "confirm_email"), **PROOF}
    payloads = await asyncio.gather(*(api.do("customerConfirm", given_, "__typename") for _ in range(at_once)))
    assert sorted(len(payload["userErrors"]) for payload in payloads) == [0] + [1] * (at_once - 1)


async def test_guests_are_nobody_to_themselves(shop: Shop, api: Api) -> None:
    assert await api(ME) == {"me": None}
    assert await (await customers.staff(shop, api, "customers:read"))(ME) == {"me": None}


async def test_what_others_know_of_a_confirmed_customer_is_not_their_orders(shop: Shop, api: Api) -> None:
    """Whoever follows the link has not signed in: the payload shows the account and nothing that belongs to it."""
    await given.regions(shop)
    await given.order(api, {"variantId": (await given.product(shop)).variant, "quantity": 1}, email=SAM)
    await customers.register(api)
    token = await customers.mailed(shop, "confirm_email")
    shown = "customer { orders { totalCount nodes { id } } addresses { id } groups { id } }"
    payload = await api.done("customerConfirm", {"token": token, **PROOF}, shown)
    assert payload["customer"] == {"orders": {"totalCount": 0, "nodes": []}, "addresses": [], "groups": []}
