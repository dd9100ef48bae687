"""Signing in, and what a token is worth afterwards."""

import asyncio
import time
from statistics import median
from uuid import UUID

import pytest
from argon2 import PasswordHasher

from db.connection import new_id
from db.workflow import ActorKind
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given
from tests.api import Api

CUSTOMER = "customerSignIn"
STAFF = "staffSignIn"
WRONG = [("InvalidCredentials", "INVALID_CREDENTIALS", ["password"])]


async def people(shop: Shop) -> tuple[UUID, UUID]:
    return await given.customer(shop), await given.staff(shop, "tickets:read")


async def refusal(api: Api, mutation: str, email: str, password: str) -> bytes:
    """The whole answer to a sign-in that fails."""
    kind = mutation[0].upper() + mutation[1:]
    who = "customer" if mutation == CUSTOMER else "staff"
    answer = await api.raw(
        f"""mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{
            accessToken expiresIn {who} {{ id }} userErrors {{ __typename code message path }} }} }}""",
        {"input": {"email": email, "password": password}},
    )
    payload = answer.json()["data"][mutation]
    assert (payload["accessToken"], payload["expiresIn"], payload[who]) == (None, None, None)
    assert [(e["__typename"], e["code"], e["path"]) for e in payload["userErrors"]] == WRONG
    return answer.content


async def test_a_customer_signs_in_and_is_known_for_a_quarter_of_an_hour(shop: Shop, api: Api) -> None:
    sam, _ = await people(shop)
    payload = await api.done(
        CUSTOMER,
        {"email": "Sam@Shop.Example", "password": given.PASSWORD},
        "accessToken expiresIn customer { id email }",
    )
    assert payload["customer"] == {"id": ids.encode("Customer", sam), "email": "sam@shop.example"}
    assert payload["expiresIn"] == 900
    await given.regions(shop)
    await api.signed_in(payload["accessToken"]).done("cartCreate", {}, "token")
    assert [row["customer_id"] for row in await carts.stored(shop)] == [sam]


async def test_who_signs_in_is_shown_their_own_orders_and_nobody_elses(shop: Shop, api: Api) -> None:
    await given.regions(shop)
    cup = await given.product(shop)
    for email in ("sam@shop.example", "kim@shop.example"):
        await given.customer(shop, email)
        own = await given.signed_in(api, email)
        await given.order(own, {"variantId": cup.variant, "quantity": 1}, email=email)
    orders = "orders { totalCount nodes { number email lines { quantity } tickets { id } } }"
    shown = f"customer {{ email {orders} addresses {{ id }} }}"
    for number, email in ((1001, "sam@shop.example"), (1002, "kim@shop.example")):
        payload = await api.done("customerSignIn", {"email": email, "password": given.PASSWORD}, shown)
        order = {"number": str(number), "email": email, "lines": [{"quantity": 1}], "tickets": []}
        assert payload["customer"] == {"email": email, "orders": {"totalCount": 1, "nodes": [order]}, "addresses": []}
    refused = await api.do("customerSignIn", {"email": "sam@shop.example", "password": "not " + given.PASSWORD}, shown)
    assert refused["customer"] is None


async def test_a_sign_in_beside_another_sign_in_changes_nobody(shop: Shop, api: Api) -> None:
    """Who is somebody already stays it for the rest of their request."""
    sam = await given.customer(shop)
    await given.customer(shop, "kim@shop.example")
    token = await given.access_token(shop, ActorKind.CUSTOMER, sam)
    document = """mutation ($kim: CustomerSignInInput!) {
        customerSignIn(input: $kim) { customer { email orders { totalCount } } }
        customerUpdate(input: { firstName: "Sam" }) { customer { email firstName } } }"""
    kim = {"email": "kim@shop.example", "password": given.PASSWORD}
    answer = await api.signed_in(token)(document, {"kim": kim})
    assert answer["customerUpdate"]["customer"] == {"email": "sam@shop.example", "firstName": "Sam"}
    guest = await api.answer(document, {"kim": kim})
    assert [error["extensions"]["code"] for error in guest["errors"]] == ["FORBIDDEN"]


async def test_a_member_of_staff_signs_in_and_may_do_what_their_role_says(shop: Shop, api: Api) -> None:
    _, toni = await people(shop)
    payload = await api.done(
        STAFF, {"email": "toni@shop.example", "password": given.PASSWORD}, "accessToken expiresIn staff { id name }"
    )
    assert payload["staff"] == {"id": ids.encode("Staff", toni), "name": "Toni"}
    assert payload["expiresIn"] == 900
    assert await api.signed_in(payload["accessToken"])("{ tickets { totalCount } }") == {"tickets": {"totalCount": 0}}


async def test_nothing_tells_whether_an_account_exists(shop: Shop, api: Api) -> None:
    await people(shop)
    await carts.execute(shop, "INSERT INTO customer (id, email) VALUES (:id, 'guest@shop.example')", id=new_id())
    await given.staff(shop, email="gone@shop.example")
    await carts.execute(shop, "UPDATE staff SET active = false WHERE email = 'gone@shop.example'")
    wrong = "wrong" + given.PASSWORD
    as_customer = {
        await refusal(api, CUSTOMER, email, password)
        for email, password in (
            ("sam@shop.example", wrong),
            ("sam@shop.example", ""),
            ("nobody@shop.example", given.PASSWORD),
            ("toni@shop.example", given.PASSWORD),  # staff is no customer
            ("guest@shop.example", given.PASSWORD),  # a customer who never chose a password
            ("guest@shop.example", ""),
        )
    }
    as_staff = {
        await refusal(api, STAFF, email, password)
        for email, password in (
            ("toni@shop.example", wrong),
            ("nobody@shop.example", given.PASSWORD),
            ("sam@shop.example", given.PASSWORD),  # a customer is no staff
            ("gone@shop.example", given.PASSWORD),
        )
    }
    assert len(as_customer) == len(as_staff) == 1


async def test_a_sign_in_costs_the_same_work_whoever_tries(
    shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted as hashes and as processor time, which other processes do not disturb."""
    await people(shop)
    hashed: list[str] = []
    verify = PasswordHasher.verify
    monkeypatch.setattr(PasswordHasher, "verify", lambda *given_: (hashed.append("one"), verify(*given_))[1])

    async def seconds(email: str) -> float:
        taken: list[float] = []
        for _ in range(5):
            began = time.process_time()
            await refusal(api, CUSTOMER, email, "wrong" + given.PASSWORD)
            taken.append(time.process_time() - began)
        return median(taken)

    known, unknown = await seconds("sam@shop.example"), await seconds("nobody@shop.example")
    assert len(hashed) == 10
    assert 0.4 < known / unknown < 2.5


async def test_a_sign_in_without_an_address_is_refused_as_any_input_is(shop: Shop, api: Api) -> None:
    await people(shop)
    for mutation, kind in ((CUSTOMER, "CustomerSignInInput"), (STAFF, "StaffSignInInput")):
        for email in ("", "sam", "sam@", "\0"):
            payload = await api.do(mutation, {"email": email, "password": given.PASSWORD}, "accessToken")
            assert [(e["__typename"], e["path"]) for e in payload["userErrors"]] == [("ValidationFailed", ["email"])]
        for missing in ({"email": None, "password": "x"}, {"email": "sam@shop.example", "password": None}):
            document = f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ accessToken }} }}"
            answer = await api.answer(document, {"input": missing})
            assert [e["extensions"]["code"] for e in answer["errors"]] == ["BAD_USER_INPUT"]


async def test_many_sign_ins_at_once_do_not_stop_the_shop(shop: Shop, api: Api) -> None:
    await people(shop)
    given_ = {"email": "sam@shop.example", "password": given.PASSWORD}
    signing_in = [asyncio.create_task(api.done(CUSTOMER, given_, "accessToken")) for _ in range(8)]
    await api("{ __typename }")
    assert not all(task.done() for task in signing_in)
    assert all(payload["accessToken"] for payload in await asyncio.gather(*signing_in))


async def test_permissions_count_from_the_next_request_on(shop: Shop, api: Api) -> None:
    toni = await given.staff(shop, "tickets:read")
    token = await given.access_token(shop, ActorKind.STAFF, toni)
    staff = api.signed_in(token)

    async def codes() -> list[str]:
        answer = await staff.answer("{ tickets { totalCount } }")
        return [error["extensions"]["code"] for error in answer.get("errors", [])]

    assert await codes() == []
    await carts.execute(shop, "UPDATE role SET permissions = '{orders:read,tickets:write}'")
    assert await codes() == ["FORBIDDEN"]
    await carts.execute(shop, "UPDATE role SET permissions = '{tickets:read}'")
    assert await codes() == []
    await carts.execute(shop, "DELETE FROM staff_role")
    assert await codes() == ["FORBIDDEN"]
    await carts.execute(shop, "UPDATE staff SET active = false")
    assert await codes() == ["UNAUTHENTICATED"]
    assert (await staff.raw("{ __typename }")).status_code == 401
