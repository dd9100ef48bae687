"""Keys and those who made them: a key may at most what its maker may now, and has no rights after they have left."""

from typing import Any

import pytest

from domain.processes.shop import Shop
from tests import carts, channels, keys
from tests.api import Api
from tests.keys import TICKETS, beside, holding
from tests.people import Member, member, refused

SECRET = {"kind": "SECRET", "name": "Till", "scopes": ["tickets:read", "api_keys:write"]}
CREATE = 'mutation { apiKeyCreate(input: { kind: SECRET, name: "x", scopes: ["tickets:read"] }) { key } }'


async def made(who: Api, **given_: Any) -> str:
    return (await who.done("apiKeyCreate", {**SECRET, **given_}, "key"))["key"]


async def status(api: Api, key: str) -> tuple[int, list[str]]:
    answer = await holding(api, key).raw(TICKETS)
    return answer.status_code, [error["extensions"]["code"] for error in answer.json().get("errors", [])]


async def roles(shop: Shop, who: Member, *permissions: str) -> None:
    await carts.execute(
        shop,
        "UPDATE role SET permissions = :permissions FROM staff_role"
        " WHERE role.id = staff_role.role_id AND staff_role.staff_id = :who",
        permissions=list(permissions),
        who=who.key,
    )


async def test_a_key_may_no_more_than_its_maker_may_now(shop: Shop, api: Api) -> None:
    root = await member(shop, api, "*")
    key = await made(root.api)
    assert await status(api, key) == (200, [])
    await roles(shop, root, "api_keys:write")
    assert await status(api, key) == (200, ["FORBIDDEN"])
    await roles(shop, root, "tickets:read")
    assert await status(api, key) == (200, [])
    await roles(shop, root, "*")
    assert await status(api, key) == (200, [])
    await carts.execute(shop, "DELETE FROM staff_role")
    assert await status(api, key) == (200, ["FORBIDDEN"])


async def test_a_key_of_who_has_left_is_refused_until_somebody_else_makes_it_theirs(shop: Shop, api: Api) -> None:
    root, kim = await member(shop, api, "*"), await member(shop, api, "*", email="kim@shop.example")
    payload = await root.api.done("apiKeyCreate", SECRET, "apiKey { id } key")
    await carts.execute(shop, "UPDATE staff SET active = false WHERE id = :id", id=root.key)
    assert await status(api, payload["key"]) == (401, ["UNAUTHENTICATED"])
    followed = await kim.api.done("apiKeyRotate", {"id": payload["apiKey"]["id"]}, "key")
    assert await status(api, payload["key"]) == (401, ["UNAUTHENTICATED"])
    assert await status(api, followed["key"]) == (200, [])


@pytest.mark.parametrize("kind", ["PUBLISHABLE", "STOREFRONT"])
async def test_a_storefront_stands_still_for_nobody_who_leaves(shop: Shop, api: Api, kind: str) -> None:
    root = await member(shop, api, "*")
    bound = [await channels.default(shop)] if kind == "PUBLISHABLE" else []
    key = await made(root.api, kind=kind, scopes=[], channelIds=bound)
    await carts.execute(shop, "UPDATE staff SET active = false")
    assert (await beside(api, key).raw("{ __typename }")).status_code == 200


async def test_what_a_key_makes_is_its_makers_too(shop: Shop, api: Api) -> None:
    root = await member(shop, api, "*")
    first = await made(root.api)
    second = (await holding(api, first)(CREATE))["apiKeyCreate"]["key"]
    assert await status(api, second) == (200, [])
    await carts.execute(shop, "UPDATE staff SET active = false")
    assert await status(api, second) == (401, ["UNAUTHENTICATED"])


async def test_a_key_that_nobody_of_staff_made_is_bound_to_nobody(shop: Shop, api: Api) -> None:
    assert await status(api, (await keys.made(shop, "tickets:read")).key) == (200, [])


async def test_nobody_revokes_a_key_that_may_do_more(shop: Shop, api: Api) -> None:
    root = await member(shop, api, "*")
    key = await root.api.done("apiKeyCreate", SECRET, "apiKey { id } key")
    kim = await member(shop, api, "api_keys:write", email="kim@shop.example")
    assert await refused(shop, kim.api, "apiKeyRevoke", {"id": key["apiKey"]["id"]}) == [
        ("BeyondOwnPermissions", ["id"])
    ]
    assert await status(api, key["key"]) == (200, [])
    await roles(shop, kim, "api_keys:write", "tickets:read")
    await kim.api.done("apiKeyRevoke", {"id": key["apiKey"]["id"]}, "apiKey { id }")
    assert await status(api, key["key"]) == (401, ["UNAUTHENTICATED"])


async def test_nobody_ends_sessions_of_those_who_may_do_more(shop: Shop, api: Api) -> None:
    root, kim = await member(shop, api, "*"), await member(shop, api, "staff:read", "staff:write", email="k@x.example")
    query = "query ($id: ID!) { staffSessions(staffId: $id) { id } }"
    (of_root,) = (await kim.api(query, {"id": root.id}))["staffSessions"]
    ended = {"sessionId": of_root["id"]}
    assert await refused(shop, kim.api, "staffSessionEnd", ended) == [("BeyondOwnPermissions", ["sessionId"])]
    assert (await root.api("{ staffMe { id } }"))["staffMe"] == {"id": root.id}
    (of_kim,) = (await root.api(query, {"id": kim.id}))["staffSessions"]
    await root.api.done("staffSessionEnd", {"sessionId": of_kim["id"]}, "staff { id }")
    assert (await kim.api.raw("{ staffMe { id } }")).status_code == 401
