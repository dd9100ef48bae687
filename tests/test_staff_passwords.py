"""Passwords of staff: forgotten and changed. Nothing tells who has an account."""

import pytest
from sqlalchemy import text

from db.session import Purpose
from domain.processes.shop import Shop
from tests import carts, given, people
from tests.api import Api
from tests.people import NEW_PASSWORD, ROOT

RESET = Purpose.STAFF_RESET_PASSWORD
REQUEST = """mutation ($input: StaffRequestPasswordResetInput!) {
  staffRequestPasswordReset(input: $input) { userErrors { __typename code path } } }"""


async def can_sign_in(api: Api, password: str) -> bool:
    payload = await api.do("staffSignIn", {"email": ROOT, "password": password}, "accessToken")
    return payload["accessToken"] is not None


async def request(api: Api, email: str) -> bytes:
    return (await api.raw(REQUEST, {"input": {"email": email}})).content


async def test_a_forgotten_password_is_replaced_by_the_token_that_was_mailed(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "staff:read")
    await request(api, "Root@Shop.example")
    await request(api, ROOT)
    (token,) = await people.mailed(shop, RESET, ROOT)
    wanted = {"token": token, "password": NEW_PASSWORD}
    await api.done("staffResetPassword", wanted, "__typename")
    assert (await root.api.raw("{ staffMe { id } }")).status_code == 401
    assert not await can_sign_in(api, given.PASSWORD)
    assert await can_sign_in(api, NEW_PASSWORD)
    assert await people.refused(shop, api, "staffResetPassword", wanted) == [("TokenInvalid", ["token"])]


async def test_a_reset_token_is_for_one_who_works_here_and_for_nothing_else(shop: Shop, api: Api) -> None:
    await people.member(shop, api, "staff:read")
    await request(api, ROOT)
    (token,) = await people.mailed(shop, RESET, ROOT)
    invalid = [("TokenInvalid", ["token"])]
    wanted = {"token": token, "password": NEW_PASSWORD}
    assert await people.refused(shop, api, "staffAcceptInvitation", wanted) == invalid
    short = {**wanted, "password": "short"}
    assert await people.refused(shop, api, "staffResetPassword", short) == [("ValidationFailed", ["password"])]
    await carts.execute(shop, "UPDATE staff SET active = false")
    assert await people.refused(shop, api, "staffResetPassword", wanted) == invalid
    await carts.execute(shop, "UPDATE staff SET active = true")
    await api.done("staffResetPassword", wanted, "__typename")


async def test_asking_for_a_reset_tells_nothing_and_is_the_same_work(shop: Shop, api: Api) -> None:
    """The work is counted in statements; mails go out later, by a process of their own."""
    root = await people.member(shop, api, "staff:write")
    invited = {"email": "ada@shop.example", "name": "Ada", "roleIds": []}
    await root.api.done("staffInvite", invited, "__typename")
    await given.staff(shop, email="gone@shop.example")
    await carts.execute(shop, "UPDATE staff SET active = false WHERE email = 'gone@shop.example'")
    await given.customer(shop)
    assert api.database is not None
    answers, costs = set[bytes](), set[int]()
    for email in (ROOT, "nobody@shop.example", "gone@shop.example", "ada@shop.example", "sam@shop.example"):
        before = api.database.statements
        answers.add(await request(api, email))
        costs.add(api.database.statements - before)
    assert answers == {b'{"data":{"staffRequestPasswordReset":{"userErrors":[]}}}'}
    assert len(costs) == 1
    tokens = text(
        "SELECT staff.email FROM single_use_token t LEFT JOIN staff ON staff.id = subject_id WHERE purpose = :p"
    )
    assert sorted(str(row.email) for row in await shop.read.records(tokens, p=RESET)) == [*["None"] * 4, ROOT]


async def test_resets_are_limited_alike_for_known_and_unknown_accounts(shop: Shop, api: Api) -> None:
    await people.member(shop, api, "staff:read")
    for email in (ROOT, "nobody@shop.example"):
        answers = [b"TooManyAttempts" in await request(api, email) for _ in range(7)]
        assert answers == [False] * 5 + [True] * 2
    count = await shop.read.value(text("SELECT count(*) FROM single_use_token"))
    assert count == 10


async def test_whoever_changes_their_password_is_signed_out_everywhere_else(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "staff:read")
    elsewhere = await given.signed_in(api, ROOT, as_staff=True)
    await request(api, ROOT)
    change = {"currentPassword": given.PASSWORD, "password": NEW_PASSWORD}
    wrong = {**change, "currentPassword": "not " + given.PASSWORD}
    errors = await people.refused(shop, root.api, "staffChangePassword", wrong)
    assert errors == [("InvalidCredentials", ["currentPassword"])]
    short = {**change, "password": "short"}
    assert await people.refused(shop, root.api, "staffChangePassword", short) == [("ValidationFailed", ["password"])]
    await root.api.done("staffChangePassword", change, "__typename")
    assert (await root.api("{ staffMe { email } }"))["staffMe"] == {"email": ROOT}
    assert (await elsewhere.raw("{ staffMe { email } }")).status_code == 401
    assert await people.mailed(shop, RESET, ROOT) == []
    assert not await can_sign_in(api, given.PASSWORD)
    assert await can_sign_in(api, NEW_PASSWORD)


@pytest.mark.parametrize("mutation", ["staffChangePassword", "staffTotpBegin", "staffTotpRemove"])
async def test_a_session_that_was_left_open_is_no_way_to_guess_the_password(
    shop: Shop, api: Api, mutation: str
) -> None:
    root = await people.member(shop, api, "staff:read")
    given_ = {
        "staffChangePassword": {"currentPassword": "guessed", "password": NEW_PASSWORD},
        "staffTotpBegin": {"password": "guessed"},
        "staffTotpRemove": {"password": "guessed", "code": "000000"},
    }[mutation]
    refused = [(await root.api.do(mutation, given_, "__typename"))["userErrors"][0]["__typename"] for _ in range(12)]
    assert refused == ["InvalidCredentials"] * 10 + ["TooManyAttempts"] * 2


async def test_only_staff_change_a_password_of_staff(shop: Shop, api: Api) -> None:
    customer = await given.caller(shop, api, "customer")
    document = """mutation { staffChangePassword(input: {
      currentPassword: "correct horse battery", password: "another correct horse" }) { userErrors { code } } }"""
    for caller, code in ((api, "UNAUTHENTICATED"), (customer, "FORBIDDEN")):
        answer = await caller.answer(document)
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
