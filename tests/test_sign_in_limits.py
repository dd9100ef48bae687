"""Guessing is limited: attempts are counted per account and per buyer's address, and not requests."""

import asyncio
import time
from collections import Counter
from statistics import median
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from domain.processes.shop import Shop
from resolvers.session import SIGN_IN, network
from tests import carts, given
from tests.api import Api, Server, running_app
from tests.test_sign_in import CUSTOMER, STAFF, refusal

WRONG = "wrong" + given.PASSWORD
LIMITED = ("TooManyAttempts", "TOO_MANY_ATTEMPTS")
MOST = SIGN_IN.account.most
FROM_ONE_PLACE = SIGN_IN.address.most


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with every password that is checked. Checking costs nothing here, and only Sam's is ever right."""
    checked: list[str] = []

    def verify(_self: PasswordHasher, stored: str, password: str) -> bool:
        checked.append(password)
        return stored == given.PASSWORD_HASH and password == given.PASSWORD

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    return checked


async def tried(
    api: Api, email: str = "sam@shop.example", password: str = WRONG, mutation: str = CUSTOMER
) -> tuple[str, int | None]:
    """The type of the refusal, or "", and for how long to wait."""
    document = f"""mutation ($input: {mutation[0].upper()}{mutation[1:]}Input!) {{ tried: {mutation}(input: $input) {{
        accessToken userErrors {{ __typename ... on TooManyAttempts {{ retryAfter }} }} }} }}"""
    payload = (await api(document, {"input": {"email": email, "password": password}}))["tried"]
    assert (payload["accessToken"] is None) == bool(payload["userErrors"])
    for error in payload["userErrors"]:
        return error["__typename"], error.get("retryAfter")
    return "", None


async def sessions(shop: Shop) -> int | None:
    return await shop.read.value(text("SELECT count(*) FROM session"))


async def test_a_hundred_sign_ins_in_one_document_count_a_hundred(
    shop: Shop, database_url: str, hashed: list[str]
) -> None:
    """Fault 24: aliases do not multiply guesses, and the right password comes too late. By default none is tried."""
    await given.customer(shop)
    guesses = [f"{WRONG}{i}" for i in range(99)] + [given.PASSWORD]
    fields = [
        f"""a{i}: customerSignIn(input: {{ email: "sam@shop.example", password: "{guess}" }}) {{
            accessToken userErrors {{ __typename code path ... on TooManyAttempts {{ retryAfter }} }} }}"""
        for i, guess in enumerate(guesses)
    ]
    document = f"mutation {{ {' '.join(fields)} }}"
    async with running_app(database_url) as api:
        (refused,) = (await api.raw(document)).json()["errors"]
        assert (refused["extensions"]["code"], refused["extensions"]["limit"]) == ("LIMIT_EXCEEDED", "mutations")
    assert (hashed, await sessions(shop)) == ([], 0)
    async with running_app(database_url, QUERY_LIMITS="mutations=100, aliases=100") as api:
        payloads = list((await api(document)).values())
    assert [p["userErrors"][0]["__typename"] for p in payloads] == (
        ["InvalidCredentials"] * MOST + ["TooManyAttempts"] * (100 - MOST)
    )
    assert hashed == guesses[:MOST]
    last = payloads[-1]["userErrors"][0]
    assert (last["__typename"], last["code"], last["path"]) == (*LIMITED, [])
    assert 0 < last["retryAfter"] <= 900
    assert all(payload["accessToken"] is None for payload in payloads)
    assert await sessions(shop) == 0


async def test_sign_ins_at_the_same_moment_are_counted_one_by_one(shop: Shop, api: Api, hashed: list[str]) -> None:
    await given.customer(shop)
    outcomes = await asyncio.gather(*(tried(api) for _ in range(30)))
    assert Counter(kind for kind, _ in outcomes) == {"InvalidCredentials": MOST, "TooManyAttempts": 30 - MOST}
    assert len(hashed) == MOST


@pytest.mark.parametrize("mutation", [CUSTOMER, STAFF])
async def test_the_limit_tells_nothing_about_the_account(
    shop: Shop, api: Api, hashed: list[str], mutation: str
) -> None:
    """Fault 16: known and unknown accounts answer in the same bytes, before the limit and after it."""
    await given.customer(shop)
    await given.staff(shop)
    known = "sam@shop.example" if mutation == CUSTOMER else "toni@shop.example"
    before = {await refusal(api, mutation, email, WRONG) for email in (known, "nobody@shop.example")}
    assert len(before) == 1
    for email in (known, "nobody@shop.example"):
        outcomes = [(await tried(api, email, mutation=mutation))[0] for _ in range(MOST)]
        assert outcomes == ["InvalidCredentials"] * (MOST - 1) + ["TooManyAttempts"]
    assert len(hashed) == 2 * MOST
    assert await sessions(shop) == 0


async def test_the_spelling_of_an_address_begins_no_new_count(shop: Shop, api: Api, hashed: list[str]) -> None:
    await given.customer(shop)
    spellings = ("sam@shop.example", "SAM@shop.example", "Sam@SHOP.example")
    outcomes = [(await tried(api, spellings[i % 3]))[0] for i in range(MOST + 3)]
    assert outcomes == ["InvalidCredentials"] * MOST + ["TooManyAttempts"] * 3


async def test_who_gets_in_begins_anew(shop: Shop, api: Api, hashed: list[str]) -> None:
    await given.customer(shop)
    for _ in range(3):
        outcomes = [(await tried(api))[0] for _ in range(MOST - 1)]
        assert outcomes == ["InvalidCredentials"] * (MOST - 1)
        assert await tried(api, password=given.PASSWORD) == ("", None)
    assert await sessions(shop) == 3


async def test_one_account_s_success_does_not_clear_its_place(shop: Shop, api: Api, hashed: list[str]) -> None:
    """Or whoever has an account could guess those of others without an end."""
    await given.customer(shop, "eve@shop.example")
    await given.customer(shop)
    outcomes = [(await tried(api, f"guess{i}@shop.example"))[0] for i in range(FROM_ONE_PLACE - 1)]
    assert outcomes == ["InvalidCredentials"] * (FROM_ONE_PLACE - 1)
    assert (await tried(api, "eve@shop.example", given.PASSWORD))[0] == ""
    assert (await tried(api, "eve@shop.example", given.PASSWORD))[0] == "TooManyAttempts"
    assert (await tried(api, "sam@shop.example", given.PASSWORD))[0] == "TooManyAttempts"
    assert len(hashed) == FROM_ONE_PLACE
    assert await sessions(shop) == 1


async def test_a_count_is_over_when_its_window_is(shop: Shop, api: Api, hashed: list[str]) -> None:
    await given.customer(shop)
    for _ in range(MOST + 1):
        last = await tried(api)
    assert last[0] == "TooManyAttempts"
    await carts.execute(shop, "UPDATE attempts SET window_ends = now() - interval '1 second'")
    assert await tried(api, password=given.PASSWORD) == ("", None)


async def test_customers_and_staff_of_one_address_are_counted_apart(shop: Shop, api: Api, hashed: list[str]) -> None:
    await given.customer(shop)
    await given.staff(shop, email="sam@shop.example")
    for _ in range(MOST + 1):
        await tried(api, mutation=CUSTOMER)
    assert (await tried(api, mutation=STAFF))[0] == "InvalidCredentials"


async def test_an_attempt_stays_counted_when_its_request_is_cut_off(shop: Shop, api: Api, hashed: list[str]) -> None:
    await given.customer(shop)
    for _ in range(MOST):
        cut = asyncio.create_task(tried(api))
        while not hashed:
            await asyncio.sleep(0)
        hashed.clear()
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)
    assert (await tried(api, password=given.PASSWORD))[0] == "TooManyAttempts"
    assert hashed == []


async def test_a_password_that_was_changed_meanwhile_opens_nothing(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was right when it was checked; but who changed it ended all sessions, and none may begin after that."""
    await given.customer(shop)
    changed = "UPDATE customer SET password_hash = 'another'"
    verify = PasswordHasher.verify
    loop = asyncio.get_running_loop()

    def verify_late(self: PasswordHasher, stored: str, password: str) -> bool:
        matched = verify(self, stored, password)
        asyncio.run_coroutine_threadsafe(carts.execute(shop, changed), loop).result()
        return matched

    monkeypatch.setattr(PasswordHasher, "verify", verify_late)
    assert (await tried(api, password=given.PASSWORD))[0] == "InvalidCredentials"
    assert await sessions(shop) == 0


def test_one_place_is_an_address_or_what_a_household_has() -> None:
    assert network("203.0.113.7") == "203.0.113.7"
    assert network("::ffff:203.0.113.7") == "203.0.113.7"
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert network("2001:db8:1:3::") == "2001:db8:1:3::/64"
    assert network("") == ""


ADDRESS = "SELECT array_agg(DISTINCT address) FROM session"
NOBODY = "nobody@shop.example"


async def test_nobody_may_say_where_they_come_from(shop: Shop, start_server: Any) -> None:
    """X-Forwarded-For is believed of proxies that are trusted, and of nobody else."""
    await given.customer(shop)
    sent = {"x-forwarded-for": "198.51.100.9, 203.0.113.7, 10.1.2.3", "x-buyer-address": "192.0.2.1"}
    for trusted, known_as in (("", "127.0.0.1"), ("127.0.0.1,10.0.0.0/8", "203.0.113.7"), ("10.0.0.0/8", "127.0.0.1")):
        server: Server = start_server("--no-worker", TRUSTED_PROXIES=trusted, FORWARDED_ALLOW_IPS="*")
        async with server.api() as api:
            await given.signed_in(Api(api.http, sent), "sam@shop.example")
        assert await shop.read.value(text(ADDRESS)) == [known_as]
        await carts.execute(shop, "DELETE FROM session")
        server.stop()


LIKE = 0.1
"""By so much of the work two middle ones may differ: a tenth of a hash is less than what faults.md allows."""
PATHS = {
    "customerSignIn": ("sam@shop.example", "new@shop.example", NOBODY),
    "staffSignIn": ("toni@shop.example", NOBODY),
    "customerRegister": ("sam@shop.example", NOBODY),
    "customerRequestPasswordReset": ("sam@shop.example", "new@shop.example", NOBODY),
    "staffRequestPasswordReset": ("toni@shop.example", NOBODY),
}
"""Of each path an account that is confirmed, one that is not, and nobody's."""


@pytest.mark.parametrize("mutation", PATHS)
async def test_an_account_takes_as_much_work_as_nobody(shop: Shop, database_url: str, mutation: str) -> None:
    """Fault 17. In turns; the work is what this process computes, so that others on the machine do not count, and
    how many statements it sends. Of the short paths, where the noise is larger than a difference could be, the
    statements alone decide.
    """
    await given.customer(shop)
    await given.customer(shop, "new@shop.example")
    await carts.execute(shop, "UPDATE customer SET confirmed_at = now() WHERE email = 'sam@shop.example'")
    await given.staff(shop, email="toni@shop.example")
    hashes = "Request" not in mutation
    password = {"password": "wrong " + given.PASSWORD} if hashes else {}
    taken: dict[str, list[float]] = {email: [] for email in PATHS[mutation]}
    statements: dict[str, set[int]] = {email: set() for email in taken}
    async with running_app(database_url) as api:
        assert api.database is not None
        for turn in range(9 if hashes else 5):
            for email in taken if turn % 2 else reversed(taken):
                await carts.execute(shop, "DELETE FROM attempts")
                account = f"{turn}.{email}" if email == NOBODY else email
                before, began = api.database.statements, time.process_time()
                await api.do(mutation, {"email": account, **password}, "__typename")
                taken[email].append(time.process_time() - began)
                statements[email].add(api.database.statements - before)
    assert len(set.union(*statements.values())) == 1
    if hashes:
        nobody, *accounts = (median(times) for times in reversed(taken.values()))
        assert [abs(account - nobody) / nobody < LIKE for account in accounts] == [True] * len(accounts), taken
