"""Sessions: how they go on, how a stolen refresh token ends one, and how they are seen and ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from db.connection import Database, connect
from db.session import Purpose
from db.workflow import ActorKind
from domain import attempt, session, single_use
from domain.attempt import Limit
from domain.processes.prune import prune
from domain.processes.shop import Shop
from domain.session import Begun, Device
from resolvers import ids
from tests import carts, given
from tests.api import Api, Server

TOKENS = "accessToken refreshToken expiresIn"
ENDED = [("SessionEnded", "SESSION_ENDED", ["refreshToken"])]
MINE = "{ mySessions { id device address current } }"


@pytest_asyncio.fixture
async def many(database_url: str) -> AsyncIterator[Database]:
    """Enough connections for twenty who do something at the same moment."""
    database = await connect(database_url, min_size=20, max_size=20)
    yield database
    await database.close()


async def signed_in(api: Api, as_: str = "customer", device: str = "a phone") -> dict[str, Any]:
    email = "sam@shop.example" if as_ == "customer" else "toni@shop.example"
    client = Api(api.http, {"user-agent": device})
    return await client.done(f"{as_}SignIn", {"email": email, "password": given.PASSWORD}, TOKENS)


async def refresh(api: Api, token: str, as_: str = "customer") -> dict[str, Any]:
    return await api.do(f"{as_}Refresh", {"refreshToken": token}, TOKENS)


def errors(payload: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return [(e["__typename"], e["code"], e["path"]) for e in payload["userErrors"]]


async def stored(shop: Shop) -> list[tuple[Any, ...]]:
    """Every session with whether it has ended, and of its tokens how many were used and how many were not."""
    rows = await shop.read.records(
        text(
            """SELECT s.id, s.ended_at IS NOT NULL AS ended, count(t.used_at) AS used,
                      count(t.hash) - count(t.used_at) AS unused
               FROM session s LEFT JOIN refresh_token t ON t.session_id = s.id GROUP BY s.id ORDER BY s.id"""
        )
    )
    return [(row.ended, row.used, row.unused) for row in rows]


async def used_long_ago(shop: Shop) -> None:
    await carts.execute(shop, "UPDATE refresh_token SET used_at = used_at - interval '11 seconds'")


async def is_known(api: Api, token: str) -> bool:
    return (await api.signed_in(token).raw(MINE)).status_code == 200


@pytest.mark.parametrize("as_", ["customer", "staff"])
async def test_a_sign_in_goes_on_with_a_new_token_each_time(shop: Shop, api: Api, as_: str) -> None:
    await (given.customer(shop) if as_ == "customer" else given.staff(shop))
    first = await signed_in(api, as_)
    assert await stored(shop) == [(False, 0, 1)]
    second = await refresh(api, first["refreshToken"], as_)
    third = await refresh(api, second["refreshToken"], as_)
    assert len({payload["refreshToken"] for payload in (first, second, third)}) == 3
    for payload in (first, second, third):
        assert payload["expiresIn"] == 900
        (own,) = (await api.signed_in(payload["accessToken"])(MINE))["mySessions"]
        assert (own["device"], own["address"], own["current"]) == ("a phone", "127.0.0.1", True)
    assert await stored(shop) == [(False, 2, 1)]


async def test_a_refresh_token_that_comes_back_ends_the_sign_in_for_whoever_has_it(shop: Shop, api: Api) -> None:
    """Reuse detection: the thief and the customer are told apart by nobody, so both must sign in again."""
    await given.customer(shop)
    first, elsewhere = await signed_in(api), await signed_in(api, device="a tablet")
    second = await refresh(api, first["refreshToken"])
    await used_long_ago(shop)
    stolen = await refresh(api, first["refreshToken"])
    assert errors(stolen) == ENDED
    assert (stolen["accessToken"], stolen["refreshToken"], stolen["expiresIn"]) == (None, None, None)
    assert errors(await refresh(api, second["refreshToken"])) == ENDED
    assert await stored(shop) == [(True, 1, 1), (False, 0, 1)]
    assert not await is_known(api, first["accessToken"])
    assert not await is_known(api, second["accessToken"])
    assert await is_known(api, elsewhere["accessToken"])


async def test_an_answer_that_was_lost_may_be_asked_for_again_at_once(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    first = await signed_in(api)
    lost, again = await refresh(api, first["refreshToken"]), await refresh(api, first["refreshToken"])
    assert lost["refreshToken"] != again["refreshToken"]
    assert await stored(shop) == [(False, 1, 2)]
    assert errors(await refresh(api, again["refreshToken"])) == []
    assert errors(await refresh(api, lost["refreshToken"])) == []


async def test_twenty_tabs_that_refresh_at_the_same_moment_all_stay_signed_in(shop: Shop, many: Database) -> None:
    sam = await given.customer(shop)
    async with shop.tx() as tx:
        begun = await session.begin(tx, ActorKind.CUSTOMER, sam, Device())
    answers = await together(many, begun.refresh_token)
    assert all(answer is not None for answer in answers)
    assert len({answer.refresh_token for answer in answers if answer}) == 20
    assert await stored(shop) == [(False, 1, 20)]


async def test_of_twenty_that_reuse_a_stolen_token_at_the_same_moment_none_gets_in(shop: Shop, many: Database) -> None:
    sam = await given.customer(shop)
    async with shop.tx() as tx:
        begun = await session.begin(tx, ActorKind.CUSTOMER, sam, Device())
        await session.refresh(tx, ActorKind.CUSTOMER, begun.refresh_token)
    await used_long_ago(shop)
    assert await together(many, begun.refresh_token) == [None] * 20
    assert await stored(shop) == [(True, 1, 1)]


async def test_no_refresh_outlives_an_end_that_came_first(shop: Shop, many: Database) -> None:
    """Whichever comes first: after both, the session has ended and nothing that came of it is good."""
    sam = await given.customer(shop)
    for _ in range(10):
        async with shop.tx() as tx:
            begun = await session.begin(tx, ActorKind.CUSTOMER, sam, Device())

        async def end(begun: Begun = begun) -> None:
            async with many.tx() as tx:
                await session.end(tx, begun.session_id)

        refreshed, _ = await asyncio.gather(once(many, begun.refresh_token), end())
        assert await session.granted(shop.read, ActorKind.CUSTOMER, sam, begun.session_id) is None
        for token in (begun.refresh_token, *([refreshed.refresh_token] if refreshed else [])):
            assert await once(many, token) is None


async def test_a_refresh_that_waits_for_an_end_gives_nothing(shop: Shop, many: Database) -> None:
    sam = await given.customer(shop)
    async with shop.tx() as tx:
        begun = await session.begin(tx, ActorKind.CUSTOMER, sam, Device())
    waits = text(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def is_waiting() -> bool:
        return bool(await shop.read.value(waits))

    async with many.tx() as tx:
        await session.end(tx, begun.session_id)
        refreshing = asyncio.create_task(once(many, begun.refresh_token))
        await given.until(is_waiting)
    assert await refreshing is None
    assert await stored(shop) == [(True, 0, 1)]


async def once(database: Database, token: str) -> Begun | None:
    async with database.tx() as tx:
        return await session.refresh(tx, ActorKind.CUSTOMER, token)


async def together(database: Database, token: str) -> list[Begun | None]:
    return await asyncio.gather(*(once(database, token) for _ in range(20)))


@pytest.mark.parametrize("why", ["it has expired", "it was ended", "there is none", "it is staff's", "no text at all"])
async def test_a_refresh_token_of_no_session_of_ones_own_changes_nothing(shop: Shop, api: Api, why: str) -> None:
    await given.customer(shop)
    await given.staff(shop)
    token: str = (await signed_in(api, "staff" if why == "it is staff's" else "customer"))["refreshToken"]
    if why == "it has expired":
        await carts.execute(shop, "UPDATE session SET expires_at = now() - interval '1 second'")
    elif why == "it was ended":
        await carts.execute(shop, "UPDATE session SET ended_at = now()")
    elif why != "it is staff's":
        token = token[:-1] if why == "there is none" else ""
    before = await stored(shop)
    assert errors(await refresh(api, token)) == ENDED
    assert await stored(shop) == before


async def test_use_does_not_make_a_sign_in_last_longer(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    token = (await signed_in(api))["refreshToken"]
    lasts = text("SELECT expires_at - created_at FROM session")
    assert await shop.read.value(lasts) == timedelta(days=60)
    for _ in range(3):
        token = (await refresh(api, token))["refreshToken"]
    assert await shop.read.value(lasts) == timedelta(days=60)


@pytest.mark.parametrize("gone", ["erased", "deleted"])
async def test_a_customer_who_is_gone_is_signed_out_at_once(shop: Shop, api: Api, gone: str) -> None:
    await given.customer(shop)
    payload = await signed_in(api)
    assert await is_known(api, payload["accessToken"])
    await carts.execute(shop, "UPDATE customer SET erased_at = now()" if gone == "erased" else "DELETE FROM customer")
    assert not await is_known(api, payload["accessToken"])
    assert errors(await refresh(api, payload["refreshToken"])) == ENDED


async def test_staff_who_may_no_longer_work_here_cannot_go_on(shop: Shop, api: Api) -> None:
    await given.staff(shop)
    payload = await signed_in(api, "staff")
    await carts.execute(shop, "UPDATE staff SET active = false")
    assert not await is_known(api, payload["accessToken"])
    assert errors(await refresh(api, payload["refreshToken"], "staff")) == ENDED


async def test_signing_out_ends_this_sign_in_or_all_of_them(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    await given.customer(shop, "kim@shop.example")
    kim = await given.signed_in(api, "kim@shop.example")
    phone, tablet, desk = [await signed_in(api, device=device) for device in ("phone", "tablet", "desk")]
    out = api.signed_in(phone["accessToken"])
    assert (await out.done("customerSignOut", {}, "ended"))["ended"] == 1
    assert not await is_known(api, phone["accessToken"])
    assert errors(await refresh(api, phone["refreshToken"])) == ENDED
    assert await is_known(api, tablet["accessToken"])
    everywhere = api.signed_in(tablet["accessToken"])
    assert (await everywhere.done("customerSignOut", {"everywhere": True}, "ended"))["ended"] == 2
    for payload in (tablet, desk):
        assert not await is_known(api, payload["accessToken"])
        assert errors(await refresh(api, payload["refreshToken"])) == ENDED
    assert len((await kim(MINE))["mySessions"]) == 1


async def test_who_is_not_signed_in_signs_nobody_out(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    await given.staff(shop)
    await signed_in(api)
    staff = api.signed_in((await signed_in(api, "staff"))["accessToken"])
    before = await stored(shop)
    for who in (api, staff):
        assert (await who.done("customerSignOut", {"everywhere": True}, "ended"))["ended"] == 0
    assert await stored(shop) == before


async def test_one_sees_and_ends_ones_own_sign_ins_and_nobody_elses(shop: Shop, api: Api) -> None:
    for email in ("sam@shop.example", "kim@shop.example"):
        await given.customer(shop, email)
    await given.staff(shop, "*")
    sam, kim = await given.signed_in(api, "sam@shop.example"), await given.signed_in(api, "kim@shop.example")
    toni = await given.signed_in(api, "toni@shop.example", as_staff=True)
    tablet = await signed_in(api, device="a tablet")
    own = (await sam(MINE))["mySessions"]
    assert [(s["device"], s["current"]) for s in own] == [("a tablet", False), (own[1]["device"], True)]
    (kims,) = (await kim(MINE))["mySessions"]
    before = await stored(shop)
    for caller, session_id in ((sam, kims["id"]), (kim, own[0]["id"]), (toni, kims["id"]), (sam, "session_x")):
        payload = await caller.do("sessionEnd", {"sessionId": session_id}, "sessions { id }")
        name = "ValidationFailed" if session_id == "session_x" else "NotFound"
        assert [(e["__typename"], e["path"]) for e in payload["userErrors"]] == [(name, ["sessionId"])]
        assert payload["sessions"] is None
    assert await stored(shop) == before
    payload = await sam.done("sessionEnd", {"sessionId": own[0]["id"]}, "sessions { id current }")
    assert payload["sessions"] == [{"id": own[1]["id"], "current": True}]
    assert not await is_known(api, tablet["accessToken"])
    again = await sam.do("sessionEnd", {"sessionId": own[0]["id"]}, "sessions { id }")
    assert [e["__typename"] for e in again["userErrors"]] == ["NotFound"]
    assert (await sam.done("sessionEnd", {"sessionId": own[1]["id"]}, "sessions { id }"))["sessions"] == []
    assert (await sam.raw(MINE)).status_code == 401


async def test_guests_have_no_sign_ins(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    own = (await (await given.signed_in(api, "sam@shop.example"))(MINE))["mySessions"][0]["id"]
    for document in (MINE, f'mutation {{ sessionEnd(input: {{ sessionId: "{own}" }}) {{ sessions {{ id }} }} }}'):
        answer = await api.answer(document)
        assert [e["extensions"]["code"] for e in answer["errors"]] == ["UNAUTHENTICATED"]
    assert await stored(shop) == [(False, 0, 1)]


async def test_refresh_tokens_are_kept_as_hashes_alone(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    payload = await signed_in(api)
    rows = await shop.read.scalars(text("SELECT t::text || s::text FROM refresh_token t, session s"))
    assert all(payload["refreshToken"] not in row for row in rows)
    assert len(payload["refreshToken"]) == 43


async def test_what_is_over_goes_after_a_month_and_what_counts_stays(shop: Shop) -> None:
    sam = await given.customer(shop)
    kept: dict[str, UUID] = {}
    for name, ages in {
        "alive": "expires_at = now() + interval '1 day'",
        "just ended": "ended_at = now() - interval '29 days'",
        "ended": "ended_at = now() - interval '31 days'",
        "expired": "expires_at = now() - interval '31 days'",
    }.items():
        async with shop.tx() as tx:
            kept[name] = (await session.begin(tx, ActorKind.CUSTOMER, sam, Device())).session_id
            await session.refresh(tx, ActorKind.CUSTOMER, "nothing")
        await carts.execute(shop, f"UPDATE session SET {ages} WHERE id = :id", id=kept[name])
    async with shop.tx() as tx:
        await attempt.count(tx, Limit("old", 5, timedelta(seconds=-90_000)), "sam")
        await attempt.count(tx, Limit("new", 5, timedelta(hours=1)), "sam")
        old = await single_use.issue(tx, Purpose.RESET_PASSWORD, sam)
        new = await single_use.issue(tx, Purpose.RESET_PASSWORD, sam)
    await carts.execute(
        shop, "UPDATE single_use_token SET expires_at = now() - interval '31 days' WHERE id = :id", id=old
    )
    async with shop.tx() as tx:
        again = await session.begin(tx, ActorKind.CUSTOMER, sam, Device())
        await session.refresh(tx, ActorKind.CUSTOMER, again.refresh_token)
    await carts.execute(shop, "UPDATE refresh_token SET used_at = used_at - interval '31 days'")
    assert await prune(shop) == 5
    assert await shop.read.scalars(text("SELECT id FROM session ORDER BY id")) == [
        kept["alive"],
        kept["just ended"],
        again.session_id,
    ]
    assert await shop.read.scalars(text("SELECT id FROM single_use_token")) == [new]
    assert await shop.read.value(text("SELECT count(*) FROM attempts")) == 1
    assert await shop.read.value(text("SELECT count(*) FROM refresh_token WHERE used_at IS NULL")) == 3
    assert await prune(shop) == 0


async def test_a_program_without_a_name_signs_in_too(shop: Shop, api: Api) -> None:
    await given.customer(shop)
    for device, shown in (("", ""), ("x" * 300, "x" * 200)):
        payload = await signed_in(api, device=device)
        own = (await api.signed_in(payload["accessToken"])(MINE))["mySessions"]
        assert [one["device"] for one in own if one["current"]] == [shown]
        assert ids.decode("Session", own[0]["id"])


async def test_the_worker_takes_away_what_is_over_by_itself(shop: Shop, start_server: Callable[..., Server]) -> None:
    sam = await given.customer(shop)
    async with shop.tx() as tx:
        over = await session.begin(tx, ActorKind.CUSTOMER, sam, Device())
        alive = await session.begin(tx, ActorKind.CUSTOMER, sam, Device())
    await carts.execute(
        shop, "UPDATE session SET ended_at = now() - interval '31 days' WHERE id = :id", id=over.session_id
    )
    start_server()

    async def is_gone() -> bool:
        return await shop.read.scalars(text("SELECT id FROM session")) == [alive.session_id]

    await given.until(is_gone)
