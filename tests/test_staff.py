"""Staff: invited, changed, let go; and that nobody gives what they lack and somebody stays an administrator."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from db.connection import new_id
from db.session import Purpose
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given, people
from tests.api import Api
from tests.people import NEW_PASSWORD, Member

STAFF = "staff { id email name active accepted secondFactor permissions roles { name } }"
ADA = "ada@shop.example"
SUPPORT = ("staff:read", "staff:write", "tickets:read")
INVITATION = Purpose.STAFF_INVITATION


async def invite(shop: Shop, by: Member, *roles: str, email: str = ADA) -> tuple[dict[str, Any], str]:
    payload = await by.api.done("staffInvite", {"email": email, "name": " Ada ", "roleIds": list(roles)}, STAFF)
    (token,) = await people.mailed(shop, INVITATION, email.lower())
    return payload["staff"], token


async def may(api: Api, query: str) -> list[str]:
    """The codes that a query is refused with."""
    return [error["extensions"]["code"] for error in (await api.answer(query)).get("errors", [])]


async def test_whoever_is_invited_chooses_a_password_and_is_signed_in(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, *SUPPORT)
    painters = await people.role(shop, "Painters", "tickets:read")
    ada, token = await invite(shop, root, painters, email="Ada@Shop.example")
    assert ada == {
        "id": ada["id"],
        "email": ADA,
        "name": "Ada",
        "active": True,
        "accepted": False,
        "secondFactor": False,
        "permissions": ["tickets:read"],
        "roles": [{"name": "Painters"}],
    }
    wrong = [("InvalidCredentials", ["password"])]
    assert await people.refused(shop, api, "staffSignIn", {"email": ADA, "password": NEW_PASSWORD}) == wrong
    accepted = await api.done(
        "staffAcceptInvitation", {"token": token, "password": NEW_PASSWORD}, f"accessToken {STAFF}"
    )
    assert accepted["staff"] == {**ada, "accepted": True}
    as_ada = api.signed_in(accepted["accessToken"])
    assert (await as_ada("{ staffMe { id } }"))["staffMe"] == {"id": ada["id"]}
    assert await may(as_ada, "{ tickets { totalCount } }") == []
    assert await may(as_ada, "{ staff { totalCount } }") == ["FORBIDDEN"]
    await api.done("staffSignIn", {"email": ADA, "password": NEW_PASSWORD}, "accessToken")
    again = {"token": token, "password": NEW_PASSWORD}
    assert await people.refused(shop, api, "staffAcceptInvitation", again) == [("TokenInvalid", ["token"])]


async def test_an_invitation_that_was_replaced_withdrawn_or_is_for_something_else_opens_nothing(
    shop: Shop, api: Api
) -> None:
    root = await people.member(shop, api, *SUPPORT)
    _, first = await invite(shop, root)
    ada, second = await invite(shop, root)
    assert first != second
    await api.done("staffRequestPasswordReset", {"email": root.email}, "__typename")
    (reset,) = await people.mailed(shop, Purpose.STAFF_RESET_PASSWORD, root.email)
    invalid = [("TokenInvalid", ["token"])]
    for token in (first, reset, "", "garbage", second[:-2]):
        wanted = {"token": token, "password": NEW_PASSWORD}
        assert await people.refused(shop, api, "staffAcceptInvitation", wanted) == invalid, token
    await root.api.done("staffUpdate", {"staffId": ada["id"], "active": False}, "__typename")
    await root.api.done("staffUpdate", {"staffId": ada["id"], "active": True}, "__typename")
    wanted = {"token": second, "password": NEW_PASSWORD}
    assert await people.refused(shop, api, "staffAcceptInvitation", wanted) == invalid
    _, third = await invite(shop, root)
    short = {"token": third, "password": "too short"}
    assert await people.refused(shop, api, "staffAcceptInvitation", short) == [("ValidationFailed", ["password"])]
    await api.done("staffAcceptInvitation", {"token": third, "password": NEW_PASSWORD}, "accessToken")


async def test_of_two_who_accept_one_invitation_at_once_one_is_in(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, *SUPPORT)
    _, token = await invite(shop, root)
    given_ = {"token": token, "password": NEW_PASSWORD}
    answers = await asyncio.gather(*(api.do("staffAcceptInvitation", given_, "accessToken") for _ in range(8)))
    assert sorted(a["accessToken"] is not None for a in answers) == [False] * 7 + [True]
    assert {e["__typename"] for a in answers for e in a["userErrors"]} == {"TokenInvalid"}


async def test_nobody_is_invited_twice_or_without_an_address_a_name_or_roles_that_exist(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, *SUPPORT)
    ada = {"email": ADA, "name": "Ada", "roleIds": []}
    for wrong, errors in (
        ({"email": root.email}, [("EmailTaken", ["email"])]),
        ({"email": "ada", "name": " "}, [("ValidationFailed", ["email"]), ("ValidationFailed", ["name"])]),
        ({"name": "A\nda"}, [("ValidationFailed", ["name"])]),
        ({"name": "x" * 101}, [("ValidationFailed", ["name"])]),
        ({"roleIds": [ids.encode("Role", new_id())]}, [("NotFound", ["roleIds", "0"])]),
        ({"roleIds": [root.id]}, [("ValidationFailed", ["roleIds", "0"])]),
    ):
        assert await people.refused(shop, root.api, "staffInvite", {**ada, **wrong}) == errors


async def test_nobody_gives_a_permission_that_they_do_not_have(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, *SUPPORT)
    ada, _ = await invite(shop, root)
    more = await people.role(shop, "More", "tickets:read", "tickets:write", "audit:read")
    everything = await people.role(shop, "Everything", "*")
    for roles, missing in (([more], ["audit:read", "tickets:write"]), ([everything], ["*"])):
        for mutation, given_ in (
            ("staffInvite", {"email": "kim@shop.example", "name": "Kim", "roleIds": roles}),
            ("staffUpdate", {"staffId": ada["id"], "roleIds": roles}),
            ("staffUpdate", {"staffId": root.id, "roleIds": roles}),
        ):
            before = await people.stored(shop)
            select = "userErrors { ... on BeyondOwnPermissions { missing } }"
            payload = await root.api.do(mutation, given_, select)
            (error,) = payload["userErrors"]
            assert (error["__typename"], error["path"]) == ("BeyondOwnPermissions", ["roleIds", "0"])
            assert error["missing"] == missing
            assert await people.stored(shop) == before


async def test_nobody_changes_one_who_may_do_more_than_they_do(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, *SUPPORT)
    boss = await people.member(shop, api, *SUPPORT, "audit:read", email="boss@shop.example")
    for change in ({"active": False}, {"roleIds": []}, {"name": "Nobody"}, {"removeSecondFactor": True}):
        errors = await people.refused(shop, root.api, "staffUpdate", {"staffId": boss.id, **change})
        assert errors == [("BeyondOwnPermissions", ["staffId"])]
    unknown = {"staffId": ids.encode("Staff", new_id()), "active": False}
    assert await people.refused(shop, root.api, "staffUpdate", unknown) == [("NotFound", ["staffId"])]
    changed = await boss.api.done("staffUpdate", {"staffId": root.id, "name": "Ruth", "roleIds": []}, STAFF)
    assert (changed["staff"]["name"], changed["staff"]["roles"]) == ("Ruth", [])
    assert await may(root.api, "{ staff { totalCount } }") == ["FORBIDDEN"]


async def test_whoever_is_let_go_is_out_at_once_everywhere(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, *SUPPORT)
    toni = await people.member(shop, api, "tickets:read", email="toni@shop.example")
    signed_in = await api.done("staffSignIn", {"email": toni.email, "password": given.PASSWORD}, "refreshToken")
    assert await may(toni.api, "{ tickets { totalCount } }") == []
    payload = await root.api.done("staffUpdate", {"staffId": toni.id, "active": False}, STAFF)
    assert payload["staff"]["active"] is False
    assert await may(toni.api, "{ tickets { totalCount } }") == ["UNAUTHENTICATED"]
    sign_in = {"email": toni.email, "password": given.PASSWORD}
    assert await people.refused(shop, api, "staffSignIn", sign_in) == [("InvalidCredentials", ["password"])]
    old = {"refreshToken": signed_in["refreshToken"]}
    assert await people.refused(shop, api, "staffRefresh", old) == [("SessionEnded", ["refreshToken"])]
    await root.api.done("staffUpdate", {"staffId": toni.id, "active": True}, "__typename")
    assert await may(toni.api, "{ tickets { totalCount } }") == ["UNAUTHENTICATED"]
    assert await people.refused(shop, api, "staffRefresh", old) == [("SessionEnded", ["refreshToken"])]
    await api.done("staffSignIn", sign_in, "accessToken")


async def test_a_sign_in_that_is_under_way_does_not_outlive_being_let_go(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are let go after their password was found to be right and before their session begins."""
    root = await people.member(shop, api, *SUPPORT)
    toni = await people.member(shop, api, "tickets:read", email="toni@shop.example")
    sign_in = {"email": toni.email, "password": given.PASSWORD}
    async with shop.tx() as tx:
        await tx.run(text("UPDATE staff SET active = false WHERE id = :id"), id=toni.key)
        signing_in = asyncio.create_task(api.do("staffSignIn", sign_in, "accessToken"))
        await given.until(lambda: waiting_for_a_lock(shop))
    payload = await signing_in
    assert [error["__typename"] for error in payload["userErrors"]] == ["InvalidCredentials"]
    await root.api.done("staffUpdate", {"staffId": toni.id, "active": True}, "__typename")
    count = "SELECT count(*) FROM session WHERE staff_id = :id"
    (row,) = await shop.read.records(text(count), id=toni.key)
    assert row.count == 1  # the one that the test began with


async def waiting_for_a_lock(shop: Shop) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await shop.read.value(text(waiting)))


async def test_whoever_is_let_go_while_they_follow_a_link_is_out_and_nobody_waits_in_a_circle(
    shop: Shop, api: Api
) -> None:
    """Letting go locks the member and then takes back their links, so a link that is used locks its member first."""
    root = await people.member(shop, api, *SUPPORT)
    toni = await people.member(shop, api, "tickets:read", email="toni@shop.example")
    _, invitation = await invite(shop, root)
    await api.done("staffRequestPasswordReset", {"email": toni.email}, "__typename")
    (reset,) = await people.mailed(shop, Purpose.STAFF_RESET_PASSWORD, toni.email)
    passwords = text("SELECT password_hash FROM staff ORDER BY id")
    back = text("UPDATE single_use_token SET used_at = now() WHERE used_at IS NULL AND purpose = :purpose")
    before = await shop.read.records(passwords)
    for mutation, purpose, token, email in (
        ("staffAcceptInvitation", INVITATION, invitation, ADA),
        ("staffResetPassword", Purpose.STAFF_RESET_PASSWORD, reset, toni.email),
    ):
        async with shop.tx() as tx:
            await tx.run(text("UPDATE staff SET active = false WHERE email = :email"), email=email)
            link = {"token": token, "password": NEW_PASSWORD}
            following = asyncio.create_task(api.do(mutation, link, "__typename"))
            await given.until(lambda: waiting_for_a_lock(shop))
            await tx.run(back, purpose=purpose)
        refused = [(error["__typename"], error["path"]) for error in (await following)["userErrors"]]
        assert refused == [("TokenInvalid", ["token"])]
    assert await shop.read.records(passwords) == before


async def test_the_last_administrator_stays_one(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "*")
    other = await people.member(shop, api, "*", email="other@shop.example")
    await invite(shop, root, await people.role(shop, "Everything", "*"))
    await other.api.done("staffUpdate", {"staffId": other.id, "active": False}, "__typename")
    own_role = (await root.api("{ staffMe { roles { id } } }"))["staffMe"]["roles"][0]["id"]
    last = [("LastAdministrator", [])]
    for mutation, change in (
        ("staffUpdate", {"staffId": root.id, "active": False}),
        ("staffUpdate", {"staffId": root.id, "roleIds": []}),
        ("roleUpdate", {"roleId": own_role, "permissions": ["staff:write"]}),
    ):
        assert await people.refused(shop, root.api, mutation, change) == last
    (token,) = await people.mailed(shop, INVITATION, ADA)
    await api.done("staffAcceptInvitation", {"token": token, "password": NEW_PASSWORD}, "accessToken")
    await root.api.done("staffUpdate", {"staffId": root.id, "active": False}, "__typename")


async def test_two_administrators_who_remove_each_other_at_once_leave_one(shop: Shop, api: Api) -> None:
    for attempt in range(5):
        await carts.execute(shop, "UPDATE staff SET active = false")
        pair = [await people.member(shop, api, "*", email=f"{attempt}{n}@shop.example") for n in "ab"]
        removals = ({"active": False}, {"roleIds": []})
        change = removals[attempt % 2]
        answers = await asyncio.gather(
            *(
                who.api.do("staffUpdate", {"staffId": whom.id, **change}, "staff { id }")
                for who, whom in (pair, reversed(pair))
            )
        )
        assert sorted(answer["staff"] is None for answer in answers) == [False, True]
        assert len(await administrators(shop)) == 1


async def administrators(shop: Shop) -> list[Any]:
    return await shop.read.records(
        text(
            """SELECT DISTINCT s.id FROM staff s JOIN staff_role sr ON sr.staff_id = s.id
            JOIN role r ON r.id = sr.role_id WHERE s.active AND '*' = ANY(r.permissions)"""
        )
    )


async def test_one_who_is_stripped_while_they_ask_gives_nothing_any_more(shop: Shop, api: Api) -> None:
    """What they may do is read again when it is their turn."""
    root = await people.member(shop, api, *SUPPORT)
    ada, _ = await invite(shop, root)
    viewers = await people.role(shop, "Viewers", "tickets:read")
    async with shop.tx() as tx:
        await tx.run(text("LOCK TABLE staff_role IN SHARE ROW EXCLUSIVE MODE"))
        asking = asyncio.create_task(root.api.do("staffUpdate", {"staffId": ada["id"], "roleIds": [viewers]}, STAFF))
        await given.until(lambda: waiting_for_a_lock(shop))
        await tx.run(text("UPDATE role SET permissions = '{staff:write}' WHERE name LIKE 'role of root%'"))
    payload = await asking
    assert [error["__typename"] for error in payload["userErrors"]] == ["BeyondOwnPermissions"]


async def test_sessions_of_staff_are_listed_and_ended_by_who_manages_them(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, *SUPPORT)
    toni = await people.member(shop, api, "tickets:read", email="toni@shop.example")
    sessions = "query ($id: ID!) { staffSessions(staffId: $id) { id device current } }"
    (tonis,) = (await root.api(sessions, {"id": toni.id}))["staffSessions"]
    assert (tonis["device"], tonis["current"]) == ("a test", False)
    (own,) = (await root.api(sessions, {"id": root.id}))["staffSessions"]
    assert own["current"] is True
    customer = await given.caller(shop, api, "customer")
    (of_customer,) = (await customer("{ mySessions { id } }"))["mySessions"]
    for other in (of_customer["id"], ids.encode("Session", new_id())):
        errors = await people.refused(shop, root.api, "staffSessionEnd", {"sessionId": other})
        assert errors == [("NotFound", ["sessionId"])]
    await root.api.done("staffSessionEnd", {"sessionId": tonis["id"]}, "staff { id }")
    assert await may(toni.api, "{ tickets { totalCount } }") == ["UNAUTHENTICATED"]
    assert (await root.api(sessions, {"id": toni.id}))["staffSessions"] == []
