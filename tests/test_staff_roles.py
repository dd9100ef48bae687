"""Roles: made of permissions that exist, by those who have them."""

import asyncio
from typing import Any

import pytest
import strawberry
from sqlalchemy import text

from db.connection import new_id
from domain.permission import PERMISSIONS
from domain.processes.shop import Shop
from resolvers import ids
from resolvers.context import WITHOUT_PERMISSION
from schema import build_schema
from schema.build import NEEDS, mutation, query, subscription, view
from tests import given, people
from tests.api import Api

ROLE = "role { id name permissions }"
ROOTS = ("query", "mutation", "subscription")


def test_every_root_field_needs_a_permission_that_exists_or_says_that_it_needs_none() -> None:
    schema = build_schema()._schema
    needed = {
        name: field.extensions["strawberry-definition"].metadata[NEEDS]
        for root in (schema.query_type, schema.mutation_type, schema.subscription_type)
        for name, field in root.fields.items()
    }
    assert {name: needs for name, needs in needed.items() if needs not in {*PERMISSIONS, *WITHOUT_PERMISSION}} == {}
    assert {"staffInvite": "staff:write", "roles": "staff:read", "auditLog": "audit:read"}.items() <= needed.items()


@pytest.mark.parametrize("needs", ["tickets:wirte", "ticket:write", "*", "Public", "tickets:read tickets:write"])
def test_a_field_that_needs_a_permission_that_nobody_can_have_fails_the_build(needs: str) -> None:
    @view()
    class Input:
        """Something."""

    for build in (
        lambda: query(print, needs, "A."),
        lambda: subscription(print, needs, "B."),
        lambda: mutation(Input, print, needs, "C."),
    ):
        with pytest.raises(TypeError, match="is no permission that anybody could have"):
            build()


@pytest.mark.parametrize("needs", [[], (), frozenset(), ["tickets:read"]])
def test_a_list_of_permissions_empty_or_not_fails_the_build(needs: Any) -> None:
    """`all([])` is true: of a list that became empty somebody would think that everybody may."""

    @strawberry.input
    class Input:
        something: str

    with pytest.raises(TypeError):
        mutation(Input, print, needs, "Something.")


async def test_a_role_is_made_changed_and_deleted_and_counts_at_once(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "*")
    wanted = {"name": " Painters ", "permissions": ["tickets:write", "tickets:read", "tickets:read"]}
    made = (await root.api.done("roleCreate", wanted, ROLE))["role"]
    assert (made["name"], made["permissions"]) == ("Painters", ["tickets:read", "tickets:write"])
    toni = await people.member(shop, api, email="toni@shop.example")
    await root.api.done("staffUpdate", {"staffId": toni.id, "roleIds": [made["id"]]}, "__typename")
    assert (await toni.api("{ tickets { totalCount } }"))["tickets"] == {"totalCount": 0}
    changed = await root.api.done("roleUpdate", {"roleId": made["id"], "permissions": ["orders:read"]}, ROLE)
    assert changed["role"] == {"id": made["id"], "name": "Painters", "permissions": ["orders:read"]}
    answer = await toni.api.answer("{ tickets { totalCount } }")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    renamed = await root.api.done("roleUpdate", {"roleId": made["id"], "name": "Porters"}, ROLE)
    assert renamed["role"] == {"id": made["id"], "name": "Porters", "permissions": ["orders:read"]}
    deletion = {"roleId": made["id"]}
    assert await people.refused(shop, root.api, "roleDelete", deletion) == [("RoleInUse", ["roleId"])]
    await root.api.done("staffUpdate", {"staffId": toni.id, "roleIds": []}, "__typename")
    assert (await root.api.done("roleDelete", deletion, "deletedRoleId"))["deletedRoleId"] == made["id"]
    assert await people.refused(shop, root.api, "roleDelete", deletion) == [("NotFound", ["roleId"])]


async def test_a_role_has_a_name_of_its_own_and_permissions_that_exist(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "*")
    painters = await people.role(shop, "Painters")
    for wanted, path in (
        ({"name": "Painters", "permissions": []}, ["name"]),
        ({"name": " ", "permissions": []}, ["name"]),
        ({"name": "New", "permissions": ["tickets:read", "tickets:eat"]}, ["permissions", "1"]),
        ({"name": "New", "permissions": [""]}, ["permissions", "0"]),
    ):
        assert await people.refused(shop, root.api, "roleCreate", wanted) == [("ValidationFailed", path)]
    await root.api.done("roleUpdate", {"roleId": painters, "name": "Painters"}, "__typename")
    taken = {"roleId": painters, "name": "Administrator"}
    assert await people.refused(shop, root.api, "roleUpdate", taken) == [("ValidationFailed", ["name"])]
    unknown = {"roleId": ids.encode("Role", new_id()), "name": "Painters"}
    assert await people.refused(shop, root.api, "roleUpdate", unknown) == [("NotFound", ["roleId"])]


async def test_nobody_puts_into_a_role_what_they_lack_or_touches_one_that_has_it(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "roles:write", "tickets:read")
    own = await people.role(shop, "Own", "tickets:read")
    more = await people.role(shop, "More", "tickets:read", "tickets:write")
    for mutation_, wanted, path in (
        ("roleCreate", {"name": "New", "permissions": ["tickets:read", "tickets:write"]}, ["permissions"]),
        ("roleCreate", {"name": "New", "permissions": ["*"]}, ["permissions"]),
        ("roleUpdate", {"roleId": own, "permissions": ["tickets:write"]}, ["permissions"]),
        ("roleUpdate", {"roleId": more, "permissions": []}, ["roleId"]),
        ("roleUpdate", {"roleId": more, "name": "Less"}, ["roleId"]),
        ("roleDelete", {"roleId": more}, ["roleId"]),
    ):
        errors = await people.refused(shop, root.api, mutation_, wanted)
        assert errors == [("BeyondOwnPermissions", path)], (mutation_, wanted)
    await root.api.done("roleUpdate", {"roleId": own, "permissions": []}, "__typename")


async def test_a_role_that_is_given_while_it_is_deleted_is_one_or_the_other(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "*")
    toni = await people.member(shop, api, email="toni@shop.example")
    for attempt in range(5):
        role = await people.role(shop, f"Role {attempt}")
        given_, deleted = await asyncio.gather(
            root.api.do("staffUpdate", {"staffId": toni.id, "roleIds": [role]}, "staff { id }"),
            root.api.do("roleDelete", {"roleId": role}, "deletedRoleId"),
        )
        errors = {error["__typename"] for error in (*given_["userErrors"], *deleted["userErrors"])}
        assert errors in ({"NotFound"}, {"RoleInUse"})
        assert (given_["staff"] is None) != (deleted["deletedRoleId"] is None)


async def test_what_can_be_given_is_listed_with_what_it_means(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "staff:read")
    listed = await root.api("{ permissions { code meaning } roles { name permissions } }")
    assert [p["code"] for p in listed["permissions"]] == ["*", *PERMISSIONS]
    assert all(p["meaning"].endswith(".") for p in listed["permissions"])
    assert {r["name"] for r in listed["roles"]} == {"Administrator", "role of root@shop.example"}


async def test_an_id_of_one_kind_is_never_answered_as_another(shop: Shop, api: Api) -> None:
    """A customer and a member of staff who share a key: each sees what they are, and nobody both."""
    root = await people.member(shop, api)
    insert = text("INSERT INTO customer (id, email) VALUES (:id, 'sam@shop.example')")
    async with shop.tx() as tx:
        await tx.run(insert, id=root.key)
    same = [ids.encode(kind, root.key) for kind in ("Customer", "Staff", "Role")]
    query_ = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Customer { email } ... on Staff { email } } }"
    assert (await root.api(query_, {"ids": same}))["nodes"] == [
        None,
        {"__typename": "Staff", "email": root.email},
        None,
    ]
    as_customer = api.signed_in(await given.access_token(shop, given.ActorKind.CUSTOMER, root.key))
    assert (await as_customer(query_, {"ids": same}))["nodes"][1:3] == [None, None]
