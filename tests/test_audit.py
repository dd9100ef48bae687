"""The audit log: every write that needed a permission is in it, with who made it and what changed, and no secret."""

from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from db.connection import new_id
from domain.permission import PERMISSIONS
from domain.processes.shop import Shop
from resolvers import ids
from tests import carts, given, people
from tests.api import SECRET, Api
from tests.matrix import needed, root_fields
from tests.matrix_examples import MUTATIONS
from tests.matrix_rows import example_of, given_by
from tests.matrix_world import MatrixWorld
from tests.people import AUDIT
from tests.snapshot import Snapshot

ADMIN = {name: needed(field) for name, field in root_fields("Mutation").items() if needed(field) in PERMISSIONS}
"""Every mutation that needs a permission: one that is added is tried here by itself."""
NAMES_NOTHING = {
    "apiKeyCreate",
    "cannedReplyCreate",
    "channelCreate",
    "collectionCreate",
    "customerGroupCreate",
    "giftCardCreate",
    "productCreate",
    "productsUpsert",
    "priceListCreate",
    "regionCreate",
    "roleCreate",
    "stockItemCreate",
    "stockLocationCreate",
    "stockSettingsUpdate",
    "taxClassCreate",
    "taxRateCreate",
    "variantsUpsert",
    "workflowCreate",
    "workflowUpdate",
}
"""Mutations whose input has no id that could be of nothing."""
LOG = """query ($first: Int, $after: String, $last: Int, $before: String, $subject: ID, $staff: ID) {
  auditLog(first: $first, after: $after, last: $last, before: $before, subject: $subject, staffId: $staff) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    nodes { number at actorKind staffId staffName apiKeyId action subject difference requestId } } }"""


def document(name: str) -> str:
    kind = name[0].upper() + name[1:]
    return f"mutation ($input: {kind}Input!) {{ done: {name}(input: $input) {{ userErrors {{ __typename path }} }} }}"


async def since(shop: Shop, number: int) -> list[Any]:
    return [row for row in await shop.read.records(AUDIT) if row.id > number]


async def newest(shop: Shop) -> int:
    return await shop.read.value(text("SELECT coalesce(max(id), 0) FROM audit_entry"))


async def secrets(shop: Shop) -> set[str]:
    """Whatever is stored of what somebody proves themselves with."""
    rows = await shop.read.records(
        text(
            """
            SELECT password_hash FROM customer UNION SELECT password_hash FROM staff UNION SELECT totp_secret FROM staff
            UNION SELECT hash FROM api_key UNION SELECT hash FROM refresh_token UNION SELECT hash FROM recovery_code
            UNION SELECT CAST(id AS text) FROM single_use_token UNION SELECT code_hash FROM balance
            """
        )
    )
    return {row[0] for row in rows if row[0]} | {given.PASSWORD, people.NEW_PASSWORD, SECRET, "$argon2", "eyJ", "cf_"}


async def test_every_write_that_needs_a_permission_is_in_the_audit_log(there: MatrixWorld, snapshot: Snapshot) -> None:
    """Each is made by staff with its permission alone, and by a program with a key for it."""
    world, shop = there, there.shop
    assert ADMIN.keys() >= {"ticketMove", "staffInvite", "roleDelete"}
    for name, needs in ADMIN.items():
        for caller in (world.only[needs], world.keys["*"]):
            person = world.kim if name == "customerGroupAddMembers" else world.sam  # who is in the group already
            given_ = await given_by(example_of("Mutation", name), world, person)
            number = await newest(shop)
            answer = await caller.raw(document(name), {"input": given_})
            assert answer.json() == {"data": {"done": {"userErrors": []}}}, (name, answer.json())
            entries = await since(shop, number)
            assert name in {entry.action for entry in entries}, f"{name} leaves nothing in the audit log"
            assert {entry.action for entry in entries} <= MUTATIONS.keys()
            await check_entries(shop, world, entries, caller is world.only[needs], answer.headers["x-request-id"])
            await snapshot.bring_back(await snapshot.now())


async def check_entries(shop: Shop, world: MatrixWorld, entries: list[Any], by_staff: bool, request_id: str) -> None:
    reader = world.only["audit:read"]
    told = (await reader(LOG, {"first": len(entries)}))["auditLog"]["nodes"]
    kept = await secrets(shop)
    for entry, shown in zip(entries, reversed(told), strict=True):
        assert (entry.staff_id is not None, entry.api_key_id is not None) == (by_staff, not by_staff)
        assert (entry.actor_kind, entry.request_id) == ("staff", request_id)
        assert (shown["action"], shown["requestId"]) == (entry.action, request_id)
        prefix = shown["subject"].rpartition("_")[0]
        assert prefix in ids.PREFIXES.values()
        pairs = entry.difference.values()
        assert all(isinstance(pair, list) and len(pair) == 2 for pair in pairs), (entry.action, entry.difference)
        written = str(entry.difference)
        assert [secret for secret in kept if secret in written] == []


async def test_a_write_that_is_refused_is_not_in_the_audit_log(there: MatrixWorld) -> None:
    """Every id in its input is one of nothing."""
    world, shop = there, there.shop
    named_nothing = set[str]()
    for name, needs in ADMIN.items():
        given_ = await given_by(example_of("Mutation", name), world, world.sam)
        elsewhere = {key: of_nothing(value) for key, value in given_.items()}
        if elsewhere == given_:
            named_nothing.add(name)
            continue
        number = await newest(shop)
        answer = await world.only[needs].answer(document(name), {"input": elsewhere})
        assert {error["__typename"] for error in answer["data"]["done"]["userErrors"]} == {"NotFound"}, name
        assert await since(shop, number) == [], name
    assert named_nothing == NAMES_NOTHING & ADMIN.keys()


def of_nothing(value: Any) -> Any:
    """The same with ids of nothing."""
    if isinstance(value, list):
        return [of_nothing(item) for item in value]
    if isinstance(value, dict):
        return {key: of_nothing(item) for key, item in value.items()}
    prefix = value.rpartition("_")[0] if isinstance(value, str) else ""
    kind = next((kind for kind, known in ids.PREFIXES.items() if known == prefix), None)
    return ids.encode(kind, new_id()) if kind is not None and len(value) == len(prefix) + 27 else value


async def test_a_write_that_cannot_be_written_down_is_not_made(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "*")
    refuse = """CREATE FUNCTION full_() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$"""
    trigger = "CREATE TRIGGER full_ BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION full_()"
    for statement in (refuse, trigger):
        await carts.execute(shop, statement)
    before = await people.stored(shop)
    for mutation, given_ in (
        ("staffInvite", {"email": "ada@shop.example", "name": "Ada", "roleIds": []}),
        ("roleCreate", {"name": "Painters", "permissions": []}),
    ):
        answer = await root.api.answer(document(mutation), {"input": given_})
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
    assert await people.stored(shop) == before


async def test_what_was_written_down_is_never_changed_or_removed(shop: Shop, api: Api) -> None:
    await people.member(shop, api)
    before = await shop.read.records(AUDIT)
    assert len(before) == 1
    for statement in ("UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
        with pytest.raises(asyncpg.PostgresError, match="only ever added to"):
            await carts.execute(shop, statement)
    assert await shop.read.records(AUDIT) == before


async def test_moves_and_words_of_staff_on_tickets_are_in_it_and_those_of_customers_are_not(
    shop: Shop, api: Api
) -> None:
    ticket = await given.ticket(shop, api)
    toni = await people.member(shop, api, "tickets:read", "tickets:write")
    post = {"ticketId": ticket.id, "body": "Our secret"}
    await api.done("ticketPostMessage", {**post, "accessToken": ticket.access_token}, "__typename")
    assert await people.audited(shop) == []
    await toni.api.done("ticketPostMessage", {**post, "visibility": "INTERNAL"}, "__typename")
    await toni.api.done("ticketMove", {"ticketId": ticket.id, "toState": "designing_artwork"}, "__typename")
    errors = (await toni.api.do("ticketMove", {"ticketId": ticket.id, "toState": "nowhere"}, "__typename"))[
        "userErrors"
    ]
    assert [error["__typename"] for error in errors] == ["InvalidTransition"]
    subject = f"ticket:{ticket.key}"
    assert await people.audited(shop) == [
        ("ticketPostMessage", subject, {"seq": [2, 3], "visibility": [None, "internal"]}),
        ("ticketMove", subject, {"state": ["brief_received", "designing_artwork"]}),
    ]


async def test_it_says_by_field_what_was_and_what_is(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "*")
    viewers = await people.role(shop, "Viewers", "tickets:read")
    toni = await people.member(shop, api, "tickets:read", email="toni@shop.example")
    change = {"staffId": toni.id, "name": "Tony", "roleIds": [viewers]}
    await root.api.done("staffUpdate", change, "__typename")
    await root.api.done("staffUpdate", change, "__typename")
    await root.api.done("roleUpdate", {"roleId": viewers, "permissions": ["orders:read"]}, "__typename")
    subject = f"staff:{toni.key}"
    assert await people.audited(shop) == [
        ("staffUpdate", subject, {"name": ["Toni", "Tony"], "roles": [["role of toni@shop.example"], ["Viewers"]]}),
        ("staffUpdate", subject, {}),
        ("roleUpdate", f"role:{ids.decode('Role', viewers)}", {"permissions": [["tickets:read"], ["orders:read"]]}),
    ]


async def test_it_is_read_from_the_newest_on_page_by_page_and_by_subject_and_member(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "*")
    toni = await people.member(shop, api, "roles:write", email="toni@shop.example")
    for name in ("A", "B", "C"):
        await toni.api.done("roleCreate", {"name": name, "permissions": []}, "__typename")
    await root.api.done("staffUpdate", {"staffId": toni.id, "name": "Tony"}, "__typename")

    async def log(**variables: Any) -> dict[str, Any]:
        return (await root.api(LOG, variables))["auditLog"]

    whole = await log()
    assert [entry["action"] for entry in whole["nodes"]] == ["staffUpdate", *["roleCreate"] * 3, *["staff create"] * 2]
    assert whole["totalCount"] == 6
    first = whole["nodes"][0]
    assert (first["staffId"], first["staffName"], first["subject"]) == (root.id, "Toni", toni.id)
    assert (first["actorKind"], first["apiKeyId"], first["difference"]) == ("STAFF", None, {"name": ["Toni", "Tony"]})
    assert (whole["nodes"][-1]["actorKind"], whole["nodes"][-1]["staffId"]) == ("SYSTEM", None)
    page = await log(first=2)
    assert page["nodes"] == whole["nodes"][:2]
    assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (True, False)
    second = await log(first=3, after=page["pageInfo"]["endCursor"])
    assert second["nodes"] == whole["nodes"][2:5]
    assert (await log(last=2))["nodes"] == whole["nodes"][-2:]
    back = await log(last=1, before=second["pageInfo"]["startCursor"])
    assert back["nodes"] == whole["nodes"][1:2]
    assert (back["pageInfo"]["hasNextPage"], back["pageInfo"]["hasPreviousPage"]) == (True, True)
    assert [e["action"] for e in (await log(staff=toni.id))["nodes"]] == ["roleCreate"] * 3
    assert [e["action"] for e in (await log(subject=toni.id))["nodes"]] == ["staffUpdate", "staff create"]
    assert (await log(subject=toni.id, staff=toni.id))["nodes"] == []
    for wrong, argument in (({"subject": "nonsense"}, "subject"), ({"staff": "nonsense"}, "staffId")):
        answer = await root.api.answer(LOG, wrong)
        assert [e["extensions"]["argument"] for e in answer["errors"]] == [argument]


async def test_what_staff_do_to_their_own_accounts_is_in_it_too(shop: Shop, api: Api) -> None:
    root = await people.member(shop, api, "*")
    change = {"currentPassword": given.PASSWORD, "password": people.NEW_PASSWORD}
    answer = await root.api.raw(document("staffChangePassword"), {"input": change})
    (entry,) = (await shop.read.records(AUDIT))[1:]
    assert (entry.action, entry.subject, entry.difference) == ("staffChangePassword", f"staff:{root.key}", {})
    assert (entry.staff_id, entry.request_id) == (root.key, answer.headers["x-request-id"])
