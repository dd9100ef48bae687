"""Keys of programs: made and shown once, scoped, rotated with an overlap, revoked, and their use noted."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st
from sqlalchemy import select, text

from db import ApiKey, AuditEntry
from db.session import ApiKeyKind
from domain import api_key as api_keys
from domain.api_key import Made, RotateApiKey
from domain.processes.shop import Shop
from domain.refusal import ValidationFailed
from resolvers import ids
from tests import carts, given
from tests.access import random
from tests.api import Api
from tests.keys import TICKETS, beside, holding, made, of

SHOWN = "apiKey { id kind name hint scopes lastUsedAt expiresAt revokedAt } key"
LIST = "{ apiKeys { nodes { id name hint lastUsedAt revokedAt } } }"
FORMAT = re.compile(r"cf_(pub|store|secret)_[0-9A-Za-z]{49}")


async def staff(shop: Shop, api: Api, *permissions: str) -> Api:
    return await given.caller(shop, api, "staff", "api_keys:read", "api_keys:write", *permissions)


async def recorded(shop: Shop) -> list[dict[str, Any]]:
    """All keys and all that was audited. When a key was used last is noted beside what it is used for."""
    rows = [
        *await shop.read.records(select(ApiKey.__table__).order_by(ApiKey.id)),
        *await shop.read.records(select(AuditEntry.__table__).order_by(AuditEntry.id)),
    ]
    return [{**row, "last_used_at": None} for row in rows]


async def audited(shop: Shop, action: str) -> list[Any]:
    return await shop.read.all(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id))


@for_any(st.integers(0, 58), st.characters(codec="ascii", categories=("L", "N")), st.sampled_from(list(ApiKeyKind)))
def test_a_mistyped_key_is_recognised_by_itself(at: int, typed: str, kind: ApiKeyKind) -> None:
    key = api_keys._new_key(kind)
    at %= len(key)
    mistyped = key[:at] + typed + key[at + 1 :]
    assert FORMAT.fullmatch(key)
    assert api_keys.kind_of(key) == kind
    assert (api_keys.kind_of(mistyped) is None) == (mistyped != key)


def test_no_two_keys_are_equal_and_what_is_no_key_is_none() -> None:
    assert len({api_keys._new_key(ApiKeyKind.SECRET) for _ in range(1000)}) == 1000
    key = api_keys._new_key(ApiKeyKind.SECRET)
    for wrong in ("", "cf_secret_", key[:-1], key + "0", key + "\n", key.upper(), key.replace("secret", "store"), "ÿ"):
        assert api_keys.kind_of(wrong) is None, wrong


async def test_a_key_is_shown_once_and_kept_as_a_hash(shop: Shop, api: Api) -> None:
    maker = await staff(shop, api, "tickets:read")
    wanted = {"kind": "SECRET", "name": " Till ", "scopes": ["tickets:read", "tickets:read"]}
    shown = await maker.done("apiKeyCreate", wanted, SHOWN)
    key, told = shown["key"], shown["apiKey"]
    assert FORMAT.fullmatch(key)
    never = {"lastUsedAt": None, "expiresAt": None, "revokedAt": None}
    facts = {"id": told["id"], "kind": "SECRET", "name": "Till", "hint": key[-4:], "scopes": ["tickets:read"]}
    assert told == {**facts, **never}
    listed = (await maker.raw(LIST)).text
    assert told["id"] in listed
    assert key[:-4] not in listed
    dump = str(await recorded(shop)) + str(await shop.read.records(text("SELECT * FROM event")))
    assert key[:-4] not in dump


async def test_making_rotating_and_revoking_a_key_is_audited(shop: Shop, api: Api) -> None:
    maker = await staff(shop, api, "tickets:read")
    wanted = {"kind": "SECRET", "name": "Till", "scopes": ["tickets:read"]}
    first = (await maker.done("apiKeyCreate", wanted, SHOWN))["apiKey"]
    second = (await maker.done("apiKeyRotate", {"id": first["id"]}, SHOWN))["apiKey"]
    await maker.done("apiKeyRevoke", {"id": second["id"]}, "apiKey { id }")
    first_key, second_key = (str(ids.decode("ApiKey", one["id"])) for one in (first, second))
    created, followed = await audited(shop, "apiKeyCreate")
    named = {"kind": [None, "secret"], "name": [None, "Till"], "scopes": [None, ["tickets:read"]]}
    assert created.subject == f"api_key:{first_key}"
    assert created.difference == {**named, "hint": [None, first["hint"]]}
    assert followed.difference == {**named, "hint": [None, second["hint"]], "rotated_from": [None, first_key]}
    (rotated,) = await audited(shop, "apiKeyRotate")
    assert rotated.subject == f"api_key:{first_key}"
    assert rotated.difference.keys() == {"expires_at", "rotated_to"}
    (revoked,) = await audited(shop, "apiKeyRevoke")
    assert revoked.subject == f"api_key:{second_key}"
    assert {entry.actor_kind for entry in (created, rotated, revoked)} == {"staff"}
    assert len({entry.staff_id for entry in (created, rotated, revoked)} - {None}) == 1


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"name": " "}, ["name"]),
        ({"name": "x" * 101}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"scopes": []}, ["scopes"]),
        ({"scopes": ["tickets:read", "tickets:eat"]}, ["scopes", "1"]),
        ({"scopes": ["*"]}, ["scopes"]),
        ({"kind": "PUBLISHABLE", "scopes": []}, ["channelIds"]),
        ({"kind": "STOREFRONT", "scopes": [], "channelIds": [random("Channel")]}, ["channelIds"]),
        ({"channelIds": [random("Channel")]}, ["channelIds"]),
        ({"kind": "PUBLISHABLE", "scopes": [], "channelIds": ["x"]}, ["channelIds", "0"]),
        ({"kind": "STOREFRONT"}, ["scopes"]),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, ["expiresAt"]),
        ({"expiresAt": "2120-01-01T00:00:00"}, ["expiresAt"]),
        ({"expiresAt": "0001-01-01T00:00:00+14:00"}, ["expiresAt"]),
        ({"expiresAt": "9999-12-31T23:59:59-12:00"}, ["expiresAt"]),
    ],
)
async def test_a_key_that_cannot_be_is_not_made(shop: Shop, api: Api, wrong: dict[str, Any], path: list[str]) -> None:
    maker = await given.caller(shop, api, "staff", "*")
    before = await recorded(shop)
    payload = await maker.do(
        "apiKeyCreate", {"kind": "SECRET", "name": "x", "scopes": ["tickets:read"], **wrong}, SHOWN
    )
    assert payload["apiKey"] is payload["key"] is None
    assert [(e["code"], e["path"]) for e in payload["userErrors"]] == [("VALIDATION_FAILED", path)]
    assert await recorded(shop) == before


async def test_nobody_gives_a_key_what_they_may_not_do_themselves(shop: Shop, api: Api) -> None:
    powerful = await made(shop, "tickets:read", "customers:erase")
    maker = await staff(shop, api, "tickets:read")
    program = holding(api, (await made(shop, "api_keys:write", "tickets:read")).key)
    before = await recorded(shop)
    wanted = {"kind": "SECRET", "name": "x", "scopes": ["tickets:read", "customers:erase"]}
    for caller in (maker, program):
        for mutation, given_, path in (
            ("apiKeyCreate", wanted, "scopes"),
            ("apiKeyRotate", {"id": of(powerful)}, "id"),
        ):
            payload = await caller.do(mutation, given_, "key")
            assert payload["key"] is None
            assert [(e["code"], e["path"]) for e in payload["userErrors"]] == [("BEYOND_OWN_PERMISSIONS", [path])]
    assert await recorded(shop) == before
    assert (await program.done("apiKeyCreate", {**wanted, "scopes": ["tickets:read"]}, SHOWN))["key"]
    (entry,) = [entry for entry in await audited(shop, "apiKeyCreate") if entry.api_key_id is not None]
    assert (entry.actor_kind, entry.staff_id) == ("staff", None)


async def test_keys_are_the_business_of_staff_with_the_permission(shop: Shop, api: Api) -> None:
    key = await made(shop, "tickets:read")
    reader = await given.caller(shop, api, "staff", "api_keys:read")
    customer = await given.caller(shop, api, "customer")
    before = await recorded(shop)
    for caller, code in ((api, "UNAUTHENTICATED"), (customer, "FORBIDDEN"), (reader, "FORBIDDEN")):
        for name, written in (("Rotate", ""), ("Revoke", ""), ("Create", 'kind: PUBLISHABLE, name: "x"')):
            given_ = written or f'id: "{of(key)}"'
            answer = await caller.answer(f"mutation {{ apiKey{name}(input: {{ {given_} }}) {{ apiKey {{ id }} }} }}")
            assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await recorded(shop) == before
    node = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await reader(node, {"id": of(key)}))["node"] == {"id": of(key)}
    writer = await given.caller(shop, api, "staff", "api_keys:write")
    for caller in (api, writer):
        assert (await caller(node, {"id": of(key)}))["node"] is None
    assert (await writer.do("apiKeyRevoke", {"id": random("ApiKey")}, "apiKey { id }"))["userErrors"] == [
        {
            "__typename": "NotFound",
            "code": "NOT_FOUND",
            "message": "There is no such thing, or it is not yours.",
            "path": ["id"],
        }
    ]


async def test_after_a_rotation_the_old_key_works_until_the_overlap_is_over(shop: Shop, api: Api) -> None:
    old = await made(shop, "tickets:read", "api_keys:read")
    maker = await staff(shop, api, "tickets:read")
    new = await maker.done("apiKeyRotate", {"id": of(old), "overlapHours": 2}, SHOWN)
    assert new["apiKey"]["scopes"] == ["api_keys:read", "tickets:read"]
    assert new["apiKey"]["expiresAt"] is None
    for key in (old.key, new["key"]):
        assert await holding(api, key)(TICKETS)
    overlap = await shop.read.value(
        text("SELECT expires_at - (SELECT max(created_at) FROM api_key) FROM api_key ORDER BY id LIMIT 1")
    )
    assert timedelta(hours=2) <= overlap <= timedelta(hours=2, minutes=1)
    await carts.execute(shop, "UPDATE api_key SET expires_at = now() WHERE id = :id", id=old.row.id)
    assert (await holding(api, old.key).raw(TICKETS)).status_code == 401
    assert await holding(api, new["key"])(TICKETS)


async def test_a_rotation_without_overlap_ends_the_old_key_at_once(shop: Shop, api: Api) -> None:
    old = await made(shop, kind=ApiKeyKind.STOREFRONT)
    maker = await staff(shop, api)
    new = await maker.done("apiKeyRotate", {"id": of(old), "overlapHours": 0}, SHOWN)
    assert new["key"].startswith("cf_store_")
    assert (await beside(api, old.key).raw("{ __typename }")).status_code == 401
    assert (await beside(api, new["key"]).raw("{ __typename }")).status_code == 200


async def test_a_rotation_lengthens_no_life(shop: Shop, api: Api) -> None:
    """The old key ends when it was to end; the new one lasts as long as the old one was to."""
    old = await made(shop, "tickets:read", expires_at=datetime.now(UTC) + timedelta(hours=1))
    async with shop.tx() as tx:
        new = await api_keys.rotate(tx, RotateApiKey(old.row.id, 168), given.ADMINISTRATOR)
    first, second = await shop.read.all(select(ApiKey).order_by(ApiKey.id))
    assert first.expires_at == old.row.expires_at
    assert new.row.id == second.id
    life, again = (row.expires_at - row.created_at for row in (first, second))
    assert abs(life - again) < timedelta(seconds=1)


async def test_a_key_that_lasts_until_the_end_of_time_is_rotated(shop: Shop, api: Api) -> None:
    """As long again would be after the year 9999."""
    old = await made(shop, "tickets:read", expires_at=api_keys.LAST)
    await carts.execute(shop, "UPDATE api_key SET created_at = created_at - interval '1 day'")
    maker = await staff(shop, api, "tickets:read")
    new = await maker.done("apiKeyRotate", {"id": of(old), "overlapHours": 0}, SHOWN)
    assert new["apiKey"]["expiresAt"] == "9999-12-31T23:59:59+00:00"
    assert await holding(api, new["key"])(TICKETS)


async def test_a_key_is_rotated_once_and_only_while_it_is_good(shop: Shop, api: Api) -> None:
    rotated, revoked = await made(shop, "tickets:read"), await made(shop, "tickets:read")
    expired = await made(shop, "tickets:read")
    await carts.execute(shop, "UPDATE api_key SET expires_at = now() WHERE id = :id", id=expired.row.id)
    maker = await staff(shop, api, "tickets:read")
    await maker.done("apiKeyRotate", {"id": of(rotated)}, SHOWN)
    await maker.done("apiKeyRevoke", {"id": of(revoked)}, "apiKey { id }")
    before = await recorded(shop)
    for key in (rotated, revoked, expired):
        errors = (await maker.do("apiKeyRotate", {"id": of(key)}, SHOWN))["userErrors"]
        assert [(e["code"], e["path"]) for e in errors] == [("VALIDATION_FAILED", ["id"])]
    for hours in (-1, 169):
        errors = (await maker.do("apiKeyRotate", {"id": of(rotated), "overlapHours": hours}, SHOWN))["userErrors"]
        assert [(e["code"], e["path"]) for e in errors] == [("VALIDATION_FAILED", ["overlapHours"])]
    assert await recorded(shop) == before


async def test_of_two_rotations_at_once_one_makes_a_key(shop: Shop) -> None:
    for _ in range(5):
        key = await made(shop, "tickets:read")

        async def rotate(key: Made = key) -> Any:
            async with shop.tx() as tx:
                return await api_keys.rotate(tx, RotateApiKey(key.row.id), given.ADMINISTRATOR)

        told = await asyncio.gather(rotate(), rotate(), rotate(), return_exceptions=True)
        assert [type(one) for one in told if isinstance(one, Exception)] == [ValidationFailed] * 2
        successors = select(ApiKey.id).where(ApiKey.rotated_from == key.row.id)
        assert len(await shop.read.scalars(successors)) == 1


async def test_a_revoked_key_is_refused_from_then_on_and_revoking_it_again_changes_nothing(
    shop: Shop, api: Api
) -> None:
    key = await made(shop, "tickets:read")
    program, maker = holding(api, key.key), await staff(shop, api, "tickets:read")
    assert await program(TICKETS)
    await maker.done("apiKeyRevoke", {"id": of(key)}, "apiKey { revokedAt }")
    assert (await program.raw(TICKETS)).status_code == 401
    before = await recorded(shop)
    again = await maker.done("apiKeyRevoke", {"id": of(key)}, "apiKey { revokedAt }")
    assert again["apiKey"]["revokedAt"] is not None
    assert await recorded(shop) == before
