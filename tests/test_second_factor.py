"""The second factor: codes of an authenticator app, each good once, and recovery codes."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyotp import TOTP, parse_uri
from sqlalchemy import text

from domain import second_factor
from domain.processes.shop import Shop
from domain.second_factor import Given, SecondFactorRequired
from resolvers import staff as staff_resolvers
from server.seal import FernetSeal
from server.tokens import SignedTokens
from tests import given, people
from tests.api import SECRET, Api
from tests.people import ROOT, Member

REQUIRED = [("SecondFactorRequired", ["code"])]
WRONG = [("InvalidCredentials", ["password"])]
PASSWORD = {"email": ROOT, "password": given.PASSWORD}


@dataclass
class Clock:
    """In place of the server's, so that a test waits for no time step."""

    now: datetime

    def step(self, count: int = 1) -> None:
        self.now += timedelta(seconds=30 * count)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    told = Clock(datetime.fromtimestamp(time.time() // 30 * 30 + 10, UTC))
    monkeypatch.setattr(staff_resolvers, "_code", lambda given_: Given(given_.code, told.now))
    return told


@dataclass(frozen=True)
class Enrolled:
    member: Member
    app: TOTP
    recovery_codes: list[str]


async def enrolled(shop: Shop, api: Api, clock: Clock) -> Enrolled:
    """Somebody who turned it on in the last time step."""
    root = await people.member(shop, api, "staff:read", "staff:write")
    begun = await root.api.done("staffTotpBegin", {"password": given.PASSWORD}, "secret otpauthUri")
    app = TOTP(begun["secret"])
    confirmed = await root.api.done("staffTotpConfirm", {"code": app.at(clock.now)}, "recoveryCodes")
    clock.step()
    return Enrolled(root, app, confirmed["recoveryCodes"])


async def sign_in(api: Api, code: str | None = None, **more: Any) -> list[tuple[str, list[str]]]:
    """What it is refused with; nothing: they are in."""
    payload = await api.do("staffSignIn", {**PASSWORD, "code": code, **more}, "accessToken")
    assert (payload["accessToken"] is None) == bool(payload["userErrors"])
    return [(error["__typename"], error["path"]) for error in payload["userErrors"]]


async def test_it_counts_when_the_app_has_shown_its_first_code(shop: Shop, api: Api, clock: Clock) -> None:
    root = await people.member(shop, api)
    wrong = {"password": "not " + given.PASSWORD}
    assert await people.refused(shop, root.api, "staffTotpBegin", wrong) == WRONG
    begun = await root.api.done("staffTotpBegin", {"password": given.PASSWORD}, "secret otpauthUri")
    told = parse_uri(begun["otpauthUri"])
    assert (told.secret, told.name, told.issuer) == (begun["secret"], ROOT, "Counterfoil")
    assert await sign_in(api) == []
    again = await root.api.done("staffTotpBegin", {"password": given.PASSWORD}, "secret")
    assert again["secret"] != begun["secret"]
    for code in (TOTP(begun["secret"]).at(clock.now), "", "000 000 000", "１２３４５６"):
        assert await people.refused(shop, root.api, "staffTotpConfirm", {"code": code}) == REQUIRED
    app = TOTP(again["secret"])
    confirmed = await root.api.done("staffTotpConfirm", {"code": app.at(clock.now)}, "recoveryCodes")
    assert len(set(confirmed["recoveryCodes"])) == 10
    assert (await root.api("{ staffMe { secondFactor } }"))["staffMe"] == {"secondFactor": True}
    assert await sign_in(api) == REQUIRED
    for mutation, wanted, path in (
        ("staffTotpConfirm", {"code": app.at(clock.now)}, ["code"]),
        ("staffTotpBegin", {"password": given.PASSWORD}, []),
    ):
        assert await people.refused(shop, root.api, mutation, wanted) == [("ValidationFailed", path)]


async def test_a_code_is_asked_for_only_after_the_right_password(shop: Shop, api: Api, clock: Clock) -> None:
    there = await enrolled(shop, api, clock)
    code = there.app.at(clock.now)
    for password, given_code, errors in (
        ("not " + given.PASSWORD, None, WRONG),
        ("not " + given.PASSWORD, code, WRONG),
        (given.PASSWORD, None, REQUIRED),
        (given.PASSWORD, "", REQUIRED),
        (given.PASSWORD, "12345", REQUIRED),
        (given.PASSWORD, there.app.at(clock.now, counter_offset=20), REQUIRED),
    ):
        wanted = {"email": ROOT, "password": password, "code": given_code}
        assert await people.refused(shop, api, "staffSignIn", wanted) == errors
    assert await sign_in(api, f" {code[:3]} {code[3:]} ") == []


async def test_a_code_is_good_once_and_none_before_it_is_good_after_it(shop: Shop, api: Api, clock: Clock) -> None:
    there = await enrolled(shop, api, clock)
    code, next_ = there.app.at(clock.now), there.app.at(clock.now, counter_offset=1)
    assert await sign_in(api, next_) == []
    for used in (next_, code):
        assert await sign_in(api, used) == REQUIRED
    clock.step()
    assert await sign_in(api, next_) == REQUIRED
    clock.step()
    assert await sign_in(api, there.app.at(clock.now)) == []


async def test_a_clock_may_be_wrong_by_one_time_step(shop: Shop, api: Api, clock: Clock) -> None:
    there = await enrolled(shop, api, clock)
    clock.step(5)
    for steps, errors in ((-2, REQUIRED), (2, REQUIRED), (-1, []), (0, []), (1, [])):
        assert await sign_in(api, there.app.at(clock.now, counter_offset=steps)) == errors, steps


@pytest.mark.parametrize("kind", ["of the app", "for recovery"])
async def test_of_twenty_sign_ins_at_once_with_one_code_one_gets_in(
    shop: Shop, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    there = await enrolled(shop, api, clock)
    monkeypatch.setattr(staff_resolvers, "SIGN_IN", staff_resolvers.Limits(MANY, MANY))
    code = there.app.at(clock.now) if kind == "of the app" else there.recovery_codes[0]
    answers = await asyncio.gather(*(sign_in(api, code) for _ in range(20)))
    assert sorted(answers, key=len) == [[], *[REQUIRED] * 19]
    sessions = await shop.read.value(text("SELECT count(*) FROM session"))
    assert sessions == 2  # the one that turned it on, and this one


MANY = staff_resolvers.Limit("many", 1_000, timedelta(minutes=1))


async def test_one_code_at_once_to_sign_in_and_to_turn_it_off_does_one_of_both(
    shop: Shop, api: Api, clock: Clock
) -> None:
    there = await enrolled(shop, api, clock)
    code = there.app.at(clock.now)
    removal = {"password": given.PASSWORD, "code": code}
    signed_in, removed = await asyncio.gather(
        sign_in(api, code), there.member.api.do("staffTotpRemove", removal, "__typename")
    )
    assert bool(signed_in) != bool(removed["userErrors"])


async def test_a_recovery_code_stands_in_once(shop: Shop, api: Api, clock: Clock) -> None:
    there = await enrolled(shop, api, clock)
    first, second = there.recovery_codes[:2]
    assert await sign_in(api, first) == []
    assert await sign_in(api, first) == REQUIRED
    assert await sign_in(api, second.upper().replace("-", " ")) == []
    assert await sign_in(api, there.recovery_codes[2]) == []


async def test_codes_are_not_guessed_more_often_than_passwords(shop: Shop, api: Api, clock: Clock) -> None:
    there = await enrolled(shop, api, clock)
    refusals = [(await sign_in(api, f"{n:06}"))[0][0] for n in range(12)]
    assert refusals == ["SecondFactorRequired"] * 10 + ["TooManyAttempts"] * 2
    assert (await sign_in(api, there.app.at(clock.now)))[0][0] == "TooManyAttempts"


async def test_nor_by_who_is_signed_in_and_knows_the_password(shop: Shop, api: Api, clock: Clock) -> None:
    """A password that is right each time does not begin the count of codes anew."""
    there = await enrolled(shop, api, clock)
    code = {"password": given.PASSWORD, "code": "none of them"}
    remove = there.member.api
    refused = [await people.refused(shop, remove, "staffTotpRemove", code) for _ in range(11)]
    assert [errors[0][0] for errors in refused] == ["SecondFactorRequired"] * 10 + ["TooManyAttempts"]
    right = {"password": given.PASSWORD, "code": there.app.at(clock.now)}
    assert (await people.refused(shop, remove, "staffTotpRemove", right))[0][0] == "TooManyAttempts"
    assert await sign_in(api, there.app.at(clock.now)) == []  # who has it signs in all the same


async def test_nor_by_who_found_it_begun_and_not_yet_on(shop: Shop, api: Api, clock: Clock) -> None:
    root = await people.member(shop, api)
    begun = await root.api.done("staffTotpBegin", {"password": given.PASSWORD}, "secret")
    code = {"code": "none of them"}
    refused = [await people.refused(shop, root.api, "staffTotpConfirm", code) for _ in range(11)]
    assert [errors[0][0] for errors in refused] == ["SecondFactorRequired"] * 10 + ["TooManyAttempts"]
    right = {"code": TOTP(begun["secret"]).at(clock.now)}
    assert (await people.refused(shop, root.api, "staffTotpConfirm", right))[0][0] == "TooManyAttempts"


async def test_it_is_turned_off_by_who_has_the_password_and_a_code(shop: Shop, api: Api, clock: Clock) -> None:
    there = await enrolled(shop, api, clock)
    code = there.app.at(clock.now)
    for wrong, errors in (
        ({"password": "not " + given.PASSWORD, "code": code}, WRONG),
        ({"password": given.PASSWORD, "code": "000000"}, REQUIRED),
        ({"password": given.PASSWORD, "code": ""}, REQUIRED),
    ):
        assert await people.refused(shop, there.member.api, "staffTotpRemove", wrong) == errors
    right = {"password": given.PASSWORD, "code": code}
    await there.member.api.done("staffTotpRemove", right, "__typename")
    assert await sign_in(api) == []
    errors = await people.refused(shop, there.member.api, "staffTotpRemove", right)
    assert errors == [("ValidationFailed", ["code"])]
    assert await shop.read.value(text("SELECT count(*) FROM recovery_code")) == 0


async def test_whoever_manages_staff_turns_it_off_for_one_who_lost_everything(
    shop: Shop, api: Api, clock: Clock
) -> None:
    there = await enrolled(shop, api, clock)
    boss = await people.member(shop, api, "*", email="boss@shop.example")
    change = {"staffId": there.member.id, "removeSecondFactor": True}
    payload = await boss.api.done("staffUpdate", change, "staff { secondFactor }")
    assert payload["staff"] == {"secondFactor": False}
    assert await sign_in(api) == []
    assert (await people.audited(shop))[-1][2] == {"second_factor": [True, False]}


async def test_neither_the_secret_nor_recovery_codes_can_be_read_in_the_database(
    shop: Shop, api: Api, clock: Clock
) -> None:
    there = await enrolled(shop, api, clock)
    everything = str(await people.stored(shop))
    assert there.member.email in everything
    for secret in (there.app.secret, *there.recovery_codes, *(c.replace("-", "") for c in there.recovery_codes)):
        assert secret not in everything


async def test_the_key_that_seals_secrets_can_be_replaced(shop: Shop, api: Api, clock: Clock) -> None:
    there = await enrolled(shop, api, clock)
    old, new = "the old secret of cookies, long enough", "the new secret of cookies, long enough"
    sealed = FernetSeal([old]).seal(there.app.secret)
    async with shop.tx() as tx:
        await tx.run(text("UPDATE staff SET totp_secret = :sealed"), sealed=sealed)
    both = SignedTokens(SECRET, cookies=(new, old))
    async with shop.tx() as tx:
        code = Given(there.app.at(clock.now), clock.now)
        await second_factor.take(tx, both, there.member.key, code)
    clock.step()
    code = Given(there.app.at(clock.now), clock.now)
    with pytest.raises(SecondFactorRequired):
        async with shop.tx() as tx:
            await second_factor.take(tx, SignedTokens(SECRET, cookies=(old,)), there.member.key, code)
    async with shop.tx() as tx:
        await second_factor.take(tx, SignedTokens(SECRET, cookies=(new,)), there.member.key, code)
