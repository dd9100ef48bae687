"""Choosing a new password: by a mailed link, and by knowing the present one."""

import asyncio
from statistics import median
from time import process_time
from typing import Any
from uuid import UUID

from db.connection import new_id
from db.session import Purpose
from db.workflow import ActorKind
from domain import customer_email, single_use
from domain.actor import Actor
from domain.customer import Profile, change_password, customer_credentials, register
from domain.customer_email import SIDES
from domain.processes import customer_account
from domain.processes.erase_customer import erase_customer
from domain.processes.shop import Shop
from domain.refusal import Refusal
from server.tokens import SignedTokens
from tests import customers, given
from tests.access import counted
from tests.api import SECRET, Api
from tests.customers import KIM, NEW_PASSWORD, SAM, errors

REQUEST = """mutation ($input: CustomerRequestPasswordResetInput!) { customerRequestPasswordReset(input: $input) {
    userErrors { __typename code message path } warnings { code } } }"""
ME = "{ me { id } }"


async def hashes(shop: Shop) -> dict[str, str]:
    found = await customers.rows(shop, "SELECT email, password_hash FROM customer")
    return {row["email"]: row["password_hash"] for row in found}


async def alive(shop: Shop, customer: UUID) -> int:
    (row,) = await customers.rows(
        shop, "SELECT count(*) FROM session WHERE customer_id = :id AND ended_at IS NULL", id=customer
    )
    return row["count"]


async def requested(shop: Shop, api: Api, email: str = SAM) -> str:
    await api.done("customerRequestPasswordReset", {"email": email}, "__typename")
    return await customers.mailed(shop, "reset_password", email)


async def test_who_forgot_the_password_chooses_a_new_one_by_mail(shop: Shop, api: Api) -> None:
    sam, signed_in = await customers.signed_in(shop, api)
    _, kim = await customers.signed_in(shop, api, KIM)
    token = await requested(shop, api)
    payload = await api.done(
        "customerResetPassword", {"token": token, "password": NEW_PASSWORD}, "customer { email confirmedAt }"
    )
    assert payload["customer"]["email"] == SAM
    assert payload["customer"]["confirmedAt"]  # the mail has arrived
    assert await alive(shop, sam) == 0
    assert (await signed_in.answer(ME))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await kim(ME))["me"]
    old = await api.do("customerSignIn", {"email": SAM, "password": given.PASSWORD}, "accessToken")
    assert errors(old) == [("InvalidCredentials", ["password"])]
    assert (await api.done("customerSignIn", {"email": SAM, "password": NEW_PASSWORD}, "accessToken"))["accessToken"]


async def test_a_link_for_a_new_password_is_good_once_and_for_nothing_else(shop: Shop, api: Api) -> None:
    """Faults 18 and 19."""
    await customers.signed_in(shop, api)
    _, kim = await customers.signed_in(shop, api, KIM)
    replaced = await requested(shop, api)
    token = await requested(shop, api)
    before = await hashes(shop)
    ours = SignedTokens(SECRET)
    elsewhere = ours.single_use_token(Purpose.CONFIRM_EMAIL, new_id())
    sign_in, _ = ours.access_token(ActorKind.CUSTOMER, new_id(), new_id())
    wrong = [(kim, token), (api, replaced), (api, elsewhere), (api, ""), (api, sign_in)]
    for caller, bad in wrong:
        payload = await caller.do("customerResetPassword", {"token": bad, "password": NEW_PASSWORD}, "customer { id }")
        assert (payload["customer"], errors(payload)) == (None, [("TokenInvalid", ["token"])])
    for mutation, more in (("customerConfirm", {"password": given.PASSWORD}), ("customerConfirmEmailChange", {})):
        assert errors(await api.do(mutation, {"token": token, **more}, "__typename")) == [("TokenInvalid", ["token"])]
    assert await hashes(shop) == before
    await api.done("customerResetPassword", {"token": token, "password": NEW_PASSWORD}, "__typename")
    changed = await hashes(shop)
    assert (changed[SAM] != before[SAM], changed[KIM] == before[KIM]) == (True, True)
    again = await api.do("customerResetPassword", {"token": token, "password": given.PASSWORD}, "__typename")
    assert errors(again) == [("TokenInvalid", ["token"])]
    assert await hashes(shop) == changed


async def test_of_links_that_were_asked_for_at_once_one_is_used(shop: Shop, api: Api) -> None:
    """Neither request saw the other, so neither replaced the other's link."""
    sam, _ = await customers.signed_in(shop, api)
    async with shop.tx() as tx:
        both = [await single_use.add(tx, Purpose.RESET_PASSWORD, sam) for _ in range(2)]
    first, second = (SignedTokens(SECRET).single_use_token(Purpose.RESET_PASSWORD, key) for key in both)
    await api.done("customerResetPassword", {"token": first, "password": NEW_PASSWORD}, "__typename")
    before = await hashes(shop)
    payload = await api.do("customerResetPassword", {"token": second, "password": given.PASSWORD}, "__typename")
    assert errors(payload) == [("TokenInvalid", ["token"])]
    assert await hashes(shop) == before


async def test_a_link_that_is_too_old_opens_nothing_and_is_not_mailed(shop: Shop, api: Api) -> None:
    await customers.signed_in(shop, api)
    token = await requested(shop, api)
    before = await hashes(shop)
    await customers.execute(shop, "UPDATE single_use_token SET expires_at = now()")
    payload = await api.do("customerResetPassword", {"token": token, "password": NEW_PASSWORD}, "__typename")
    assert errors(payload) == [("TokenInvalid", ["token"])]
    assert await hashes(shop) == before
    assert await customers.mails(shop) == []


async def test_nothing_tells_whether_there_is_an_account_to_reset(shop: Shop, api: Api) -> None:
    """Fault 16: bytes alike, as many statements, and about as much time."""
    await customers.signed_in(shop, api)
    seen: dict[str, list[Any]] = {SAM: [], KIM: []}
    seconds: dict[str, list[float]] = {SAM: [], KIM: []}
    for _ in range(5):
        for email in (SAM, KIM):
            began = process_time()
            seen[email].append(await counted(api, REQUEST, {"input": {"email": email}}))
            seconds[email].append(process_time() - began)
    assert seen[SAM] == seen[KIM] == [seen[SAM][0]] * 5
    assert 0.2 < median(seconds[SAM]) / median(seconds[KIM]) < 5
    assert [(mail.template, mail.to) for mail in await customers.mails(shop)] == [("reset_password", SAM)]
    sixth = [await api.do("customerRequestPasswordReset", {"email": email}, "__typename") for email in (SAM, KIM)]
    assert [errors(payload) for payload in sixth] == [[("TooManyAttempts", [])]] * 2


async def test_asking_for_a_link_changes_nothing(shop: Shop, api: Api) -> None:
    sam, signed_in = await customers.signed_in(shop, api)
    before = await hashes(shop)
    await requested(shop, api)
    assert (await hashes(shop), await alive(shop, sam)) == (before, 1)
    assert (await signed_in(ME))["me"]


async def test_who_knows_the_password_changes_it_and_stays_signed_in_here_alone(shop: Shop, api: Api) -> None:
    sam, here = await customers.signed_in(shop, api)
    elsewhere = await given.signed_in(api, SAM)
    link = await requested(shop, api)
    wrong = {"currentPassword": "not " + given.PASSWORD, "newPassword": NEW_PASSWORD}
    before = await hashes(shop)
    assert errors(await here.do("customerChangePassword", wrong, "__typename")) == [
        ("InvalidCredentials", ["currentPassword"])
    ]
    short = {"currentPassword": given.PASSWORD, "newPassword": "short"}
    assert errors(await here.do("customerChangePassword", short, "__typename")) == [
        ("ValidationFailed", ["newPassword"])
    ]
    assert (await hashes(shop), await alive(shop, sam)) == (before, 2)
    right = {"currentPassword": given.PASSWORD, "newPassword": NEW_PASSWORD}
    await here.done("customerChangePassword", right, "customer { id }")
    assert (await here(ME))["me"]
    assert (await elsewhere.answer(ME))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    reset = await api.do("customerResetPassword", {"token": link, "password": given.PASSWORD}, "__typename")
    assert errors(reset) == [("TokenInvalid", ["token"])]
    assert (await api.done("customerSignIn", {"email": SAM, "password": NEW_PASSWORD}, "accessToken"))["accessToken"]


async def test_the_present_password_is_not_guessed_without_limit(shop: Shop, api: Api) -> None:
    """A stolen access token does not become a stolen account."""
    _, sam = await customers.signed_in(shop, api)
    wrong = {"currentPassword": "not " + given.PASSWORD, "newPassword": NEW_PASSWORD}
    for _ in range(10):
        await sam.do("customerChangePassword", wrong, "__typename")
    before = await hashes(shop)
    right = {"currentPassword": given.PASSWORD, "newPassword": NEW_PASSWORD}
    assert errors(await sam.do("customerChangePassword", right, "__typename")) == [("TooManyAttempts", [])]
    assert await hashes(shop) == before


async def test_who_has_not_signed_in_has_nothing_to_change(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, "*")
    right = {"currentPassword": given.PASSWORD, "newPassword": NEW_PASSWORD}
    document = (
        "mutation ($input: CustomerChangePasswordInput!) { customerChangePassword(input: $input) { __typename } }"
    )
    for caller, code in ((api, "UNAUTHENTICATED"), (staff, "FORBIDDEN")):
        answer = await caller.answer(document, {"input": right})
        assert answer["errors"][0]["extensions"]["code"] == code


async def test_all_that_concerns_one_account_may_happen_at_once(shop: Shop, api: Api) -> None:
    """Some of it is refused, as the other was first; nothing waits for one another in a circle."""
    async with shop.tx() as tx:
        await register(tx, SAM, given.PASSWORD_HASH, Profile())
    confirming = await customers.mailed(shop, "confirm_email")
    reset = await requested(shop, api)
    async with shop.tx() as tx:
        known = await customer_credentials(tx, SAM)
        assert known is not None
        await customer_email.request(tx, known.id, "sam@new.example")
    old = await customers.mailed(shop, "confirm_old_email")
    new = await customers.mailed(shop, "confirm_new_email", "sam@new.example")
    read, nobody = SignedTokens(SECRET).read_single_use_token, Actor()

    async def changing() -> None:
        async with shop.tx() as tx:
            await change_password(tx, known, "a hash", None)

    async def registering() -> None:
        async with shop.tx() as tx:
            await register(tx, SAM, "a hash", Profile())

    outcomes = await asyncio.gather(
        customer_account.confirm(shop, read(Purpose.CONFIRM_EMAIL, confirming), nobody),
        customer_account.reset_password(shop, read(Purpose.RESET_PASSWORD, reset), "a hash", nobody),
        customer_account.confirm_email_change(shop, read(SIDES[0], old), SIDES[0], nobody),
        customer_account.confirm_email_change(shop, read(SIDES[1], new), SIDES[1], nobody),
        erase_customer(shop, known.id, nobody),
        changing(),
        registering(),
        return_exceptions=True,
    )
    faults = [
        outcome for outcome in outcomes if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal)
    ]
    assert faults == []
