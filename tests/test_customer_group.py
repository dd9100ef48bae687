"""What staff see and do with customers and their groups."""

from typing import Any

import pytest

from domain.processes.shop import Shop
from resolvers import ids
from tests import customers, given
from tests.access import random
from tests.api import Api
from tests.customers import KIM, SAM, errors

GROUP = "customerGroup { id name members { nodes { email } totalCount } }"
WRITER = ("customers:read", "customers:write")


async def made(staff: Api, name: str = "Restaurants") -> str:
    return (await staff.done("customerGroupCreate", {"name": name}, GROUP))["customerGroup"]["id"]


async def people(shop: Shop) -> list[str]:
    return [ids.encode("Customer", await given.customer(shop, email)) for email in (SAM, KIM)]


async def audited(shop: Shop) -> list[tuple[str, Any]]:
    rows = await customers.rows(
        shop, "SELECT action, difference FROM audit_entry WHERE subject LIKE 'customer%' ORDER BY id"
    )
    return [(row["action"], row["difference"]) for row in rows]


async def test_staff_sort_customers_into_groups(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    sam, kim = await people(shop)
    group = await made(staff)
    both = {"groupId": group, "customerIds": [sam, kim]}
    payload = await staff.done("customerGroupAddMembers", both, GROUP)
    assert payload["customerGroup"]["members"] == {"nodes": [{"email": SAM}, {"email": KIM}], "totalCount": 2}
    await staff.done("customerGroupAddMembers", {**both, "customerIds": [sam]}, GROUP)
    payload = await staff.done("customerGroupRemoveMembers", {**both, "customerIds": [kim]}, GROUP)
    assert payload["customerGroup"]["members"] == {"nodes": [{"email": SAM}], "totalCount": 1}
    payload = await staff.done("customerGroupUpdate", {"groupId": group, "name": " Cafés "}, GROUP)
    assert payload["customerGroup"]["name"] == "Cafés"
    shown = await staff("{ customerGroups { nodes { name } } customers { nodes { email groups { name } } } }")
    assert shown == {
        "customerGroups": {"nodes": [{"name": "Cafés"}]},
        "customers": {"nodes": [{"email": SAM, "groups": [{"name": "Cafés"}]}, {"email": KIM, "groups": []}]},
    }
    assert (await staff.done("customerGroupDelete", {"groupId": group}, "groupId"))["groupId"] == group
    assert (await staff("{ customerGroups { totalCount } customers { totalCount } }")) == {
        "customerGroups": {"totalCount": 0},
        "customers": {"totalCount": 2},
    }
    keys = [str(ids.decode("Customer", one)) for one in (sam, kim)]
    assert await audited(shop) == [
        ("customerGroupCreate", {"name": [None, "Restaurants"]}),
        ("customerGroupAddMembers", {"added": [None, sorted(keys)]}),
        ("customerGroupRemoveMembers", {"removed": [None, keys[1:]]}),
        ("customerGroupUpdate", {"name": ["Restaurants", "Cafés"]}),
        ("customerGroupDelete", {"name": ["Cafés", None]}),
    ]


async def test_a_group_has_a_name_of_its_own(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    await made(staff)
    other = await made(staff, "Cafés")
    before = await audited(shop)
    for mutation, more in (("customerGroupCreate", {}), ("customerGroupUpdate", {"groupId": other})):
        for name in ("Restaurants", " ", "a\nb", "x" * 201):
            payload = await staff.do(mutation, {"name": name, **more}, GROUP)
            assert errors(payload) == [("ValidationFailed", ["name"])]
    assert await audited(shop) == before
    await staff.done("customerGroupUpdate", {"groupId": other, "name": "Cafés"}, GROUP)


async def test_who_is_not_there_joins_no_group_and_nobody_else_does(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, *WRITER)
    sam, _ = await people(shop)
    group = await made(staff)
    payload = await staff.do(
        "customerGroupAddMembers", {"groupId": group, "customerIds": [sam, random("Customer")]}, GROUP
    )
    assert errors(payload) == [("NotFound", ["customerIds", "1"])]
    payload = await staff.do("customerGroupAddMembers", {"groupId": group, "customerIds": []}, GROUP)
    assert errors(payload) == [("ValidationFailed", ["customerIds"])]
    payload = await staff.do(
        "customerGroupAddMembers", {"groupId": random("CustomerGroup"), "customerIds": [sam]}, GROUP
    )
    assert errors(payload) == [("NotFound", ["groupId"])]
    assert await customers.rows(shop, "SELECT * FROM customer_group_member") == []
    assert [action for action, _ in await audited(shop)] == ["customerGroupCreate"]


async def test_customers_are_found_by_the_beginning_of_their_address(shop: Shop, api: Api) -> None:
    staff = await customers.staff(shop, api, "customers:read")
    await people(shop)
    for prefix, found in (("Sam@", [SAM]), ("", [SAM, KIM]), ("shop", []), ("%", []), ("_am", [])):
        answer = await staff(
            "query ($email: String) { customers(email: $email) { nodes { email } } }", {"email": prefix}
        )
        assert [node["email"] for node in answer["customers"]["nodes"]] == found, prefix


async def test_no_customer_is_told_of_groups(shop: Shop, api: Api) -> None:
    """Fault 13: what a shop calls its customers among itself."""
    sam_id, sam = await customers.signed_in(shop, api)
    staff = await customers.staff(shop, api, *WRITER)
    group = await made(staff, "Late payers")
    mine = ids.encode("Customer", sam_id)
    await staff.done("customerGroupAddMembers", {"groupId": group, "customerIds": [mine]}, GROUP)
    assert await sam("{ me { groups { name } } }") == {"me": {"groups": []}}
    assert await sam(f'{{ node(id: "{group}") {{ id }} }}') == {"node": None}
    exported = await sam.done("customerExport", {"password": given.PASSWORD}, "data")
    assert "Late payers" not in str(exported)


@pytest.mark.parametrize(
    ("permissions", "allowed"), [((), set[str]()), (("customers:read",), {"read"}), (("customers:write",), {"write"})]
)
async def test_staff_need_the_permission(shop: Shop, api: Api, permissions: tuple[str, ...], allowed: set[str]) -> None:
    staff = await customers.staff(shop, api, *permissions)
    reads = ["{ customers { totalCount } }", "{ customerGroups { totalCount } }"]
    writes = ['mutation { customerGroupCreate(input: { name: "A" }) { userErrors { code } } }']
    for kind, documents in (("read", reads), ("write", writes)):
        for document in documents:
            answer = await staff.answer(document)
            codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
            assert codes == ([] if kind in allowed else ["FORBIDDEN"])
